"""What was judged, and which candidate wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..evaluation.metrics import Curve, Metrics, best_constant, harmonic_mean
from .simplicity import cautious_winner

__all__ = [
    "FEW",
    "Choice",
    "Chosen",
    "Estimate",
    "Interval",
    "Judged",
    "Ranked",
    "Stage",
    "choose",
    "curves_as_tensor",
    "rank",
    "winner",
    "with_curves",
]

Choice = Mapping[str, Any]
"""A candidate in its generator's own words: ``{"epoch": 3.0}``, or the constants of a closed form."""
Stage = Literal["closed form", "fold", "simpler", "final"]
"""Whether a candidate is of the closed form that a flow will stand on, a candidate proper on a fold of pseudo-unseen
classes, one of a simpler method on these, or one of the final training, judged on the test sets."""

CURVE_POINTS = 64
"""Points of the seen-unseen curve that are kept of each candidate."""
DECIMALS = 6
NUMBERS = ("T1", "U", "S", "H", "AUSUC")
ESTIMATED = ("T1", "U", "S", "H")
FEW, SHARES = 10, 6
"""Below so many samples a class H is looked at for so many shares of a constant."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One candidate, recognised with in one way, on one pair of test sets.

    Attributes:
        stage: what the candidate is one of.
        candidate: its place among those of its generator: candidates of several folds with one place are one.
        choice: what it is.
        recognizer: kind of the recognizer.
        T1: in percent, as U, S, H, without a calibration constant, and AUSUC.
        grid: the point of the grid that it was made with, by dotted key.
        fold: number of the fold, counted from 0; None in the stage ``final``.
        recognizer_epoch: epochs of the recognizer, counted from 1, where each was judged.
        curve: U and S at every constant; None where no constant will be chosen.
    """

    stage: Stage
    candidate: int
    choice: Choice
    recognizer: str
    T1: float
    U: float
    S: float
    H: float
    AUSUC: float
    grid: Mapping[str, str] = field(default_factory=dict)
    fold: int | None = None
    recognizer_epoch: int | None = None
    curve: Curve | None = None

    @classmethod
    def of(cls, metrics: Metrics, *, keep_curve: bool, **what: Any) -> Judged:
        """A candidate with its numbers, rounded as files hold them.

        Args:
            metrics: what it reached.
            keep_curve: whether a calibration constant will be chosen.
            what: all other attributes.
        """
        curve = metrics.curve.thin(CURVE_POINTS).rounded() if keep_curve else None
        return cls(**{name: round(getattr(metrics, name), DECIMALS) for name in NUMBERS}, curve=curve, **what)

    @property
    def best_h(self) -> float:
        """H in percent at the best constant of its own curve; without a curve, without a constant."""
        return best_constant([self.curve])[1] if self.curve else self.H

    @property
    def key(self) -> tuple[Any, ...]:
        """What is the same for one candidate on all folds."""
        what = self.candidate if "epoch" in self.choice else tuple(self.choice.items())
        return (what, self.recognizer, *self.grid.items())

    def to_json(self) -> dict[str, Any]:
        """As a line of history holds it: all but the curve, and what is not there."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "curve"}
        if not self.grid:
            del values["grid"]
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Judged:
        """What `to_json` gave, without the curve.

        Raises:
            ValueError: if it is something else.
        """
        unknown = content.keys() - {entry.name for entry in fields(cls)} | content.keys() & {"curve"}
        if unknown:
            raise ValueError(f"unknown are {', '.join(sorted(unknown))}")
        if not all(isinstance(content.get(name), int | float) for name in (*NUMBERS, "candidate")):
            raise ValueError(f"{', '.join(NUMBERS)} and candidate must be numbers")
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(str(error)) from error


def curves_as_tensor(judged: Sequence[Judged]) -> Tensor:
    """The curves of candidates, ``(n, 3, CURVE_POINTS)`` float64, short ones filled up with NaN."""
    table = np.full((len(judged), 3, CURVE_POINTS), np.nan)
    for place, one in enumerate(judged):
        if one.curve:
            table[place, :, : len(one.curve.constants)] = one.curve.constants, one.curve.unseen, one.curve.seen
    return torch.from_numpy(table)


def with_curves(judged: Sequence[Judged], table: Tensor) -> list[Judged]:
    """Candidates with the curves that `curves_as_tensor` made of them."""
    rows = (row[:, ~np.isnan(row[0])] for row in table.numpy())
    return [replace(one, curve=Curve(*row)) for one, row in zip(judged, rows, strict=True)]


@dataclass(frozen=True)
class Interval:
    """A mean over folds and its 95 % interval, in percent; NaN where a single fold tells none."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The mean of some values, with the interval of Student's t, cut to 0 to 100.

        Folds share training samples, which makes it too narrow; few folds make it wide.
        """
        mean, n = float(np.mean(values)), len(values)
        if n < 2:
            return cls(mean, np.nan, np.nan)
        from scipy.special import stdtrit

        half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n))
        return cls(mean, max(0.0, mean - half), min(100.0, mean + half))

    def __str__(self) -> str:
        ends = "" if np.isnan(self.low) else f" ({self.low:.1f} to {self.high:.1f})"
        return f"{self.mean:.1f}{ends}"


@dataclass(frozen=True)
class Estimate:
    """What validation lets expect: means over the folds, at the calibration constant that was chosen on them.

    It is no measurement on test samples. A fold has fewer classes to tell apart than the whole problem, and the
    candidate that was best on the folds is told: both flatter. It has fewer classes to learn from: that does not.

    Attributes:
        T1: on pseudo-unseen classes among these.
        U: on pseudo-unseen classes among all of the fold.
        S: on held-out samples of the others among all of the fold.
        H: harmonic mean of U and S.
        folds: their number.
    """

    T1: Interval
    U: Interval
    S: Interval
    H: Interval
    folds: int

    @classmethod
    def of(cls, ranked: Ranked) -> Estimate:
        """The numbers of a candidate at its constant."""
        points = [one.curve.at(ranked.constant) for one in ranked.folds if one.curve]
        unseen, seen = ([point[place] for point in points] for place in (0, 1))
        both = [harmonic_mean(u, s) for u, s in points]
        t1 = [one.T1 for one in ranked.folds]
        return cls(Interval.of(t1), Interval.of(unseen), Interval.of(seen), Interval.of(both), len(points))

    def to_json(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it, to four decimals."""
        rounded = {name: {end: round(v, 4) for end, v in vars(getattr(self, name)).items()} for name in ESTIMATED}
        return {**rounded, "folds": self.folds}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Estimate:
        """What `to_json` gave, with null for NaN.

        Raises:
            ValueError: if it is something else.
        """
        try:
            numbers = {
                name: {end: np.nan if v is None else float(v) for end, v in content[name].items()} for name in ESTIMATED
            }
            return cls(**{name: Interval(**ends) for name, ends in numbers.items()}, folds=int(content["folds"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"it is no estimate: {error}") from error

    def __str__(self) -> str:
        return "  ".join(f"{name} {getattr(self, name).mean:.1f}" for name in ESTIMATED)


@dataclass(frozen=True)
class Chosen:
    """The candidate that won, and the number that it won by.

    Attributes:
        choice: what it is.
        recognizer: kind of the recognizer.
        constant: calibration constant.
        grid: the chosen point of the grid, by dotted key.
        closed_form: constants of the closed form that the flow stands on, where it was chosen first.
        recognizer_epoch: of the recognizer, where it was chosen.
        validation_H: mean over folds of H at the constant, in percent.
        validation_H_by_fold: by number of the fold.
        test_H: H on the test sets, where they chose.
        estimate: what the folds let expect of the final model.
        verdict: which of several methods won, in words.
    """

    choice: Choice
    recognizer: str
    constant: float = 0.0
    grid: Mapping[str, str] = field(default_factory=dict)
    closed_form: Choice | None = None
    recognizer_epoch: int | None = None
    validation_H: float | None = None
    validation_H_by_fold: Mapping[str, float] | None = None
    test_H: float | None = None
    estimate: Estimate | None = None
    verdict: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it: all that is known but the estimate, which has a place of its own there."""
        return {name: value for name, value in vars(self).items() if value is not None and name != "estimate"}

    def __str__(self) -> str:
        words = {**(self.closed_form or {}), **self.choice, **self.grid, "by": self.recognizer}
        spelled = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in words.items()}
        return ", ".join(f"{name} {value}" for name, value in spelled.items())


@dataclass(frozen=True, eq=False)
class Ranked:
    """One candidate over all folds.

    Attributes:
        folds: what was found on each.
        constant: the calibration constant that is best for the mean over folds.
        h: mean over folds of H at it, in percent.
        by_fold: H at it on each.
        kept_h: mean over folds of H where the constant carries over in part only; see `rank`.
        kept_by_fold: that on each.
    """

    folds: tuple[Judged, ...]
    constant: float
    h: float
    by_fold: tuple[float, ...]
    kept_h: float
    kept_by_fold: tuple[float, ...]


def rank(judged: Iterable[Judged], samples: float = np.inf) -> list[Ranked]:
    """Every candidate, in the order in which they were judged first.

    A constant makes up for what few samples do to the means of seen classes, and with more samples, as the final model
    has them, less of it is due: noise of a mean of n samples is 1/n of that of one. Below ten samples a class a
    candidate is worth the mean of H between the constant and the share 1 - 1/n of it, so that none wins that lives by a
    huge one.

    Args:
        judged: with curves; one entry for each candidate and fold.
        samples: n, that a seen class has in a fold to learn from.
    """
    shares = np.linspace(1 - 1 / max(1.0, samples), 1, SHARES) if samples < FEW else np.ones(1)
    candidates: dict[tuple[Any, ...], list[Judged]] = {}
    for one in judged:
        candidates.setdefault(one.key, []).append(one)
    ranked = []
    for folds in candidates.values():
        curves = [one.curve for one in folds if one.curve]
        constant, h = best_constant(curves)
        by_fold = tuple(float(curve.harmonic_at(constant)) for curve in curves)
        kept = [curve.harmonic_at(shares * constant) for curve in curves]
        kept_by_fold = tuple(float(np.mean(values)) for values in kept)
        ranked.append(Ranked(tuple(folds), constant, h, by_fold, float(np.mean(kept)), kept_by_fold))
    return ranked


def winner(ranked: Sequence[Ranked], *, cautious: bool = False) -> int:
    """The place of the candidate that wins: of equals the first.

    Args:
        ranked: all candidates.
        cautious: whether the best must beat simpler ones by more than luck would; see `cautious_winner`.
    """
    if cautious:
        return cautious_winner(ranked)
    return max(range(len(ranked)), key=lambda place: ranked[place].kept_h)


def choose(ranked: Sequence[Ranked], *, cautious: bool = False) -> Chosen:
    """The candidate, recognizer, grid point and calibration constant of greatest mean H over the folds, as `rank` says.

    Of equals the first wins, or what `winner` says where it is ``cautious``.
    """
    best = ranked[winner(ranked, cautious=cautious)]
    first, choice = best.folds[0], best.folds[0].choice
    if "epoch" in choice:  # folds of unequal size stop at slightly unequal shares of an epoch
        choice = {"epoch": sum(one.choice["epoch"] for one in best.folds) / len(best.folds)}
    by_fold = {str(one.fold): h for one, h in zip(best.folds, best.by_fold, strict=True)}
    return Chosen(
        choice,
        first.recognizer,
        best.constant,
        dict(first.grid),
        validation_H=best.h,
        validation_H_by_fold=by_fold,
        estimate=Estimate.of(best),
    )
