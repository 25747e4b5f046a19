"""The numbers of generalized zero-shot learning. All accuracies are per-class means, in percent.

What a recognizer says of a sample is kept as a `Decisions` record: the best seen and the best unseen class with the
margin between them. Everything else (any calibration constant, the seen-unseen curve) follows from it, so that scores
of samples x classes are never held at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .calibration import Calibration

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from ..data import TestSets

__all__ = [
    "HEADLINE",
    "Curve",
    "Decisions",
    "Metrics",
    "Recognizer",
    "best_constant",
    "decide",
    "harmonic_mean",
    "measure",
    "measure_recognizer",
    "per_class_accuracy",
    "seen_unseen_curve",
]

HEADLINE = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC")
"""The numbers of `Metrics` that tell a result in a line."""
CHUNK_SCORES = 2**24
"""Scores (samples x classes) held at once."""


class Recognizer(Protocol):
    """Decides the class of a feature vector."""

    def scores(self, x: Tensor) -> Tensor:
        """Scores over all classes, ``(n, K)``; the greatest wins."""
        ...

    def unseen_scores(self, x: Tensor) -> Tensor | None:
        """Scores for choosing among the unseen classes alone, ``(n, Ku)``; None where ``scores`` has them."""
        ...


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a recognizer says of n samples, and what they are.

    Attributes:
        labels: true class ids.
        seen: best class among the seen ones.
        unseen: best class among the unseen ones, as compared with the seen.
        margin: score of the best seen class minus score of the best unseen class.
        only_unseen: decision where only unseen classes are to choose from (T1).
    """

    labels: Int[np.ndarray, " n"]
    seen: Int[np.ndarray, " n"]
    unseen: Int[np.ndarray, " n"]
    margin: Float[np.ndarray, " n"]
    only_unseen: Int[np.ndarray, " n"]

    def predict(self, constant: float = 0.0) -> Int[np.ndarray, " n"]:
        """Decide among all classes with ``constant`` subtracted from the seen scores (calibrated stacking).

        Equal scores go to the lower class id, as ``argmax`` gives them.
        """
        seen_wins = (self.margin > constant) | ((self.margin == constant) & (self.seen < self.unseen))
        return np.where(seen_wins, self.seen, self.unseen)


def decide(
    recognizer: Recognizer,
    x: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    seen: Int[np.ndarray, " ks"],
    unseen: Int[np.ndarray, " ku"],
    *,
    to_tensor: Callable[[np.ndarray], Tensor] = torch.from_numpy,
) -> Decisions:
    """Ask a recognizer for its decisions, a bounded number of scores at a time.

    Args:
        recognizer: gives scores.
        x: features, as ``to_tensor`` takes them.
        labels: their class ids.
        seen: ids of the seen classes, sorted.
        unseen: ids of the unseen classes, sorted.
        to_tensor: moves a chunk of features to where the recognizer is.

    Raises:
        InputError: if a score is not finite.
    """
    rows = max(1, CHUNK_SCORES // (len(seen) + len(unseen)))
    seen_ids, unseen_ids = torch.from_numpy(seen), torch.from_numpy(unseen)
    parts = []
    for start in range(0, len(x), rows):
        chunk = to_tensor(x[start : start + rows])
        scores = recognizer.scores(chunk).cpu().double()
        wrong = int((~scores.isfinite()).sum())
        if wrong:
            raise InputError(
                f"Training diverged: {wrong} of {scores.numel()} scores of the recognizer are not finite; lower "
                "training.lr or lower softmax.lr."
            )
        best_seen, seen_at = best_among(scores, seen_ids)
        best_unseen, unseen_at = best_among(scores, unseen_ids)
        alone = recognizer.unseen_scores(chunk)
        only_unseen = unseen_at if alone is None or not len(unseen) else unseen_ids[alone.argmax(1).cpu()]
        parts.append((seen_at, unseen_at, best_seen - best_unseen, only_unseen))
    if not parts:
        nothing = np.empty(0, np.int64)
        return Decisions(labels, nothing, nothing, np.empty(0), nothing)
    of_seen, of_unseen, margin, only_unseen = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return Decisions(labels, of_seen, of_unseen, margin, only_unseen)


def best_among(scores: Float[Tensor, "n k"], classes: Int[Tensor, " m"]) -> tuple[Tensor, Tensor]:
    """The greatest score of each row among some classes, and whose it is; minus infinity where there are none."""
    if not len(classes):
        return scores.new_full((len(scores),), -torch.inf), torch.zeros(len(scores), dtype=torch.long)
    best, place = scores[:, classes].max(1)
    return best, classes[place]


def per_class_accuracy(
    predicted: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"], num_classes: int
) -> Float[np.ndarray, " k"]:
    """Share of each class's samples that are recognised, in percent; NaN for a class without samples."""
    total = np.bincount(labels, minlength=num_classes)
    hits = np.bincount(labels[predicted == labels], minlength=num_classes)
    return np.divide(100.0 * hits, total, out=np.full(num_classes, np.nan), where=total > 0)


def mean_of_known(values: Float[np.ndarray, " k"]) -> float:
    """Mean of the values that are not NaN; NaN where all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def harmonic_mean(u: float, s: float) -> float:
    """H = 2US / (U + S), and 0 where both are 0; NaN where one of them is."""
    return 2 * u * s / (u + s) if u + s != 0 else 0.0


@dataclass(frozen=True, eq=False)
class Curve:
    """U and S at every calibration constant: between two neighbouring margins nothing changes.

    Attributes:
        constants: ascending, one inside each interval.
        unseen: U at each constant, rising.
        seen: S at each constant, falling.
    """

    constants: Float[np.ndarray, " m"]
    unseen: Float[np.ndarray, " m"]
    seen: Float[np.ndarray, " m"]

    @property
    def harmonic(self) -> Float[np.ndarray, " m"]:
        """H at each constant."""
        total = self.unseen + self.seen
        return np.divide(2 * self.unseen * self.seen, total, out=np.zeros_like(total), where=total > 0)

    def at(self, constants: Any) -> tuple[Any, Any]:
        """U and S at any constant or constants, interpolated between the points of the curve."""
        u, s = (np.interp(constants, self.constants, values) for values in (self.unseen, self.seen))
        return u, s

    def harmonic_at(self, constants: Any) -> Any:
        """H at any constant or constants: that of the curve, U and S interpolated between its points."""
        u, s = self.at(constants)
        return Curve(np.asarray(constants), u, s).harmonic

    @property
    def area(self) -> float:
        """AUSUC: the area under S as a function of U, in percent of the unit square; NaN for an empty curve.

        Chao, Changpinyo, Gong, Sha 2016, https://arxiv.org/abs/1605.04253
        """
        return float(np.trapezoid(self.seen, self.unseen) / 100) if len(self.constants) else np.nan

    def to_json(self) -> dict[str, list[float]]:
        """The curve as plain lists."""
        return {name: getattr(self, name).round(6).tolist() for name in ("constants", "unseen", "seen")}

    @classmethod
    def from_json(cls, lists: dict[str, list[float]]) -> Curve:
        """The curve that `to_json` gave."""
        return cls(*(np.array(lists[name]) for name in ("constants", "unseen", "seen")))

    def thin(self, points: int = 256) -> Curve:
        """The curve at no more than ``points`` constants, evenly spread over the margins."""
        if len(self.constants) <= points:
            return self
        keep = np.unique(np.linspace(0, len(self.constants) - 1, points).round().astype(int))
        return Curve(self.constants[keep], self.unseen[keep], self.seen[keep])

    def rounded(self) -> Curve:
        """The curve to six decimals, which is what files hold."""
        return Curve(*(getattr(self, name).round(6) for name in ("constants", "unseen", "seen")))


def seen_unseen_curve(of_seen: Decisions, of_unseen: Decisions) -> Curve:
    """Sweep the calibration constant over all margins of test samples; an empty curve where a test set is empty."""
    if not len(of_seen.labels) or not len(of_unseen.labels):
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    margins = np.unique(np.concatenate([of_seen.margin, of_unseen.margin]))
    low, high = margins[0], margins[-1]
    between = margins[:-1] + np.diff(margins) / 2
    constants = np.r_[low - max(1.0, abs(low)), between, high + max(1.0, abs(high))]

    def share(decisions: Decisions, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Margins of the rightly ranked samples, sorted, with what each adds to the per-class mean."""
        counts = np.bincount(decisions.labels)
        weights = 100.0 / (np.count_nonzero(counts) * counts[decisions.labels])
        order = np.argsort(decisions.margin[right], kind="stable")
        return decisions.margin[right][order], np.r_[0.0, np.cumsum(weights[right][order])]

    seen_margins, seen_sums = share(of_seen, of_seen.seen == of_seen.labels)
    unseen_margins, unseen_sums = share(of_unseen, of_unseen.unseen == of_unseen.labels)
    unseen = unseen_sums[np.searchsorted(unseen_margins, constants)]
    seen = seen_sums[-1] - seen_sums[np.searchsorted(seen_margins, constants)]
    return Curve(constants, unseen, seen)


def best_constant(curves: list[Curve]) -> tuple[float, float]:
    """The calibration constant at which the mean H of several curves is greatest, and that H.

    On a plateau the middle is taken: the choice least sensitive to the samples at hand.
    """
    constants = np.unique(np.concatenate([curve.constants for curve in curves]))
    mean = np.zeros(len(constants))
    for curve in curves:
        mean += curve.harmonic_at(constants) / len(curves)
    best = np.flatnonzero(mean >= mean.max() - 1e-9)
    run_end = best[0] + np.argmax(np.diff(best, append=len(constants) + 1) > 1)
    place = (best[0] + run_end) // 2
    return float(constants[place]), float(mean[place])


@dataclass(frozen=True, eq=False)
class Metrics:
    """The result of one evaluation; accuracies in percent, NaN where a test set is empty.

    Attributes:
        T1: mean per-class top-1 on test_unseen among the unseen classes.
        U: mean per-class top-1 on test_unseen among all classes, at the calibration ``constant``.
        S: the same on test_seen.
        H: harmonic mean of U and S.
        U_raw: U without a constant; S_raw and H_raw likewise.
        AUSUC: area under the seen-unseen curve.
        constant: what is subtracted from seen scores.
        accuracy: ``(K,)``, accuracy of each class among all classes at the constant; NaN without samples.
        accuracy_T1: ``(K,)``, accuracy of each unseen class among the unseen classes.
        labels: true class ids of all test samples, seen before unseen.
        predicted: decisions among all classes at the constant.
        curve: the seen-unseen curve.
        calibration: how far probabilities can be believed, where that was measured.

    Example:
        >>> import gsmflow
        >>> metrics = gsmflow.train(gsmflow.load("synthetic"), "gaussian").metrics
        >>> metrics.H == 2 * metrics.U * metrics.S / (metrics.U + metrics.S), int(metrics.confusion.sum())
        (True, 320)
    """

    T1: float
    U: float
    S: float
    H: float
    U_raw: float
    S_raw: float
    H_raw: float
    AUSUC: float
    constant: float
    accuracy: np.ndarray
    accuracy_T1: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    curve: Curve
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        return "Metrics(" + ", ".join(f"{name} {value:.1f}" for name, value in self.headline().items()) + ")"

    @property
    def confusions(self) -> Int[np.ndarray, "m 3"]:
        """True class, decision and how often, at the constant, for all pairs that occur."""
        pairs, counts = np.unique(np.stack([self.labels, self.predicted], 1), axis=0, return_counts=True)
        return np.column_stack([pairs, counts])

    @property
    def confusion(self) -> Int[np.ndarray, "k k"]:
        """Counts, true class by row, decision by column, at the constant."""
        counts = np.zeros((len(self.accuracy), len(self.accuracy)), np.int64)
        truth, decided, often = self.confusions.T
        counts[truth, decided] = often
        return counts

    def headline(self) -> dict[str, float]:
        """The scalar numbers."""
        return {name: getattr(self, name) for name in HEADLINE}


def measure(of_seen: Decisions, of_unseen: Decisions, num_classes: int, constant: float = 0.0) -> Metrics:
    """All metrics from the decisions on test_seen and test_unseen samples."""

    def point(c: float) -> tuple[float, float, float]:
        u, s = (mean_of_known(per_class_accuracy(d.predict(c), d.labels, num_classes)) for d in (of_unseen, of_seen))
        return u, s, harmonic_mean(u, s)

    labels = np.concatenate([of_seen.labels, of_unseen.labels])
    predicted = np.concatenate([of_seen.predict(constant), of_unseen.predict(constant)])
    accuracy_t1 = per_class_accuracy(of_unseen.only_unseen, of_unseen.labels, num_classes)
    curve = seen_unseen_curve(of_seen, of_unseen)
    return Metrics(
        mean_of_known(accuracy_t1),
        *point(constant),
        *point(0.0),
        curve.area,
        constant,
        per_class_accuracy(predicted, labels, num_classes),
        accuracy_t1,
        labels,
        predicted,
        curve,
    )


def measure_recognizer(
    recognizer: Recognizer,
    tests: TestSets,
    seen: Int[np.ndarray, " ks"],
    unseen: Int[np.ndarray, " ku"],
    *,
    constant: float = 0.0,
    to_tensor: Callable[[np.ndarray], Tensor] = torch.from_numpy,
) -> Metrics:
    """Decide all samples of a pair of test sets and measure.

    Args:
        recognizer: gives scores.
        tests: samples, as ``to_tensor`` takes them, and their class ids.
        seen: sorted ids of the seen classes.
        unseen: sorted ids of the unseen classes.
        constant: subtracted from the scores of seen classes.
        to_tensor: moves a chunk of features to where the recognizer is.
    """
    of_seen = decide(recognizer, tests.seen_features, tests.seen_labels, seen, unseen, to_tensor=to_tensor)
    of_unseen = decide(recognizer, tests.unseen_features, tests.unseen_labels, seen, unseen, to_tensor=to_tensor)
    return measure(of_seen, of_unseen, len(seen) + len(unseen), constant)
