"""What a run folder says, read once and checked: the result, its intervals, how each class fared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..evaluation.metrics import Curve, harmonic_mean
from ..experiment import load_model
from ..generators import GENERATORS
from ..model import ZeroShotModel
from ..runs import RunConfig, RunFolder
from ..runs.history import Event
from ..selection import PROTOCOLS, Estimate
from .learning import Judging, Losses, judgings, losses

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["NUMBERS", "ClassRow", "Facts", "Interval", "bootstrap", "class_rows", "matrix_order", "read_facts"]

NUMBERS = ("T1", "U", "S", "H", "AUSUC")
NEEDED = (
    *NUMBERS,
    *("U_raw", "S_raw", "H_raw", "constant", "per_class", "per_class_T1", "chosen", "test_reads", "selected_on"),
    "classes",
    *("dataset", "features", "semantics", "protocol", "method", "generator", "recognizer", "seed", "fingerprint"),
    "versions",
)
RESAMPLES = 2_000
CONFUSIONS = 3

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Facts:
    """One finished run.

    Attributes:
        folder: where it lies.
        name: how the page calls it.
        config: all that was asked.
        config_text: ``config.yaml`` as it stands.
        metrics: the content of ``metrics.json``; accuracies in percent.
        losses: steps and values of each loss term, by term and phase.
        judgings: what was judged in each stage.
        curve: the seen-unseen curve.
        model: the final model.
        confusions: ``(m, 3)``: true class, decided class, how often, for all pairs that occur.
        intervals: 95 % intervals of T1, U, S, H.
        estimate: what validation lets expect of these; None where nothing was validated.
    """

    folder: Path
    name: str
    config: RunConfig
    config_text: str
    metrics: dict[str, Any]
    losses: Losses
    judgings: list[Judging]
    curve: Curve
    model: ZeroShotModel
    confusions: Int[np.ndarray, "m 3"]
    intervals: dict[str, Interval]
    estimate: Estimate | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""
        return self.model.class_names

    @property
    def unseen(self) -> Int[np.ndarray, " ku"]:
        """Sorted ids of the unseen classes."""
        return self.model.unseen.cpu().numpy()

    @property
    def samples(self) -> Int[np.ndarray, " k"]:
        """Test samples of each class."""
        return counts(self.confusions, len(self.class_names))

    @property
    def right(self) -> Int[np.ndarray, " k"]:
        """Test samples of each class that are recognised."""
        return counts(self.confusions[self.confusions[:, 0] == self.confusions[:, 1]], len(self.class_names))

    @property
    def is_selected_on_test(self) -> bool:
        """Whether the test sets chose the model."""
        return self.metrics["selected_on"] == PROTOCOLS["published"].selected_on


@dataclass(frozen=True)
class ClassRow:
    """How one class fared.

    Attributes:
        name: of the class.
        row: its row in the picture of the confusion matrix, counted from 1.
        is_unseen: whether it had no training features.
        samples: test samples.
        right: those that are recognised.
        accuracy: share of them that is recognised, in percent; None without samples.
        taken_for: the classes it is most often taken for, with counts.
    """

    name: str
    row: int
    is_unseen: bool
    samples: int
    right: int
    accuracy: float | None
    taken_for: tuple[tuple[str, int], ...]


def counts(confusions: Int[np.ndarray, "m 3"], classes: int) -> Int[np.ndarray, " k"]:
    """How often each class is the true one."""
    return np.bincount(confusions[:, 0], confusions[:, 2], minlength=classes).astype(np.int64)


def read_facts(path: Path, name: str) -> Facts:
    """Read a finished run.

    Raises:
        InputError: if this is no run folder, the run is unfinished, or a file is damaged or of another version.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    metrics = folder.read_metrics()
    lacking = next((key for key in NEEDED if key not in metrics), None)
    if lacking:
        raise InputError(
            f"{folder.metrics_file} holds no {lacking!r}: the run is of another version of gsmflow; run it again."
        )
    check_metrics(metrics, folder.metrics_file)
    if metrics["generator"] not in GENERATORS:
        raise InputError(
            f"The run in {folder} was made with a generator {metrics['generator']!r}, which this version lacks."
        )
    history = folder.read_history()
    model = load_model(path)
    check_classes(model, metrics, path)
    confusions = folder.read_confusions(model.class_names)
    t1 = np.array([metrics["per_class_T1"].get(name, np.nan) for name in model.class_names], float)
    samples = counts(confusions, len(t1))
    right = counts(confusions[confusions[:, 0] == confusions[:, 1]], len(t1))
    return Facts(
        path,
        name,
        config,
        folder.config_file.read_text(encoding="utf-8"),
        metrics,
        losses(history),
        read_judgings(history, folder.history_file),
        folder.read_curve(),
        model,
        confusions,
        bootstrap(samples, right, model.unseen.cpu().numpy(), t1),
        read_estimate(metrics, folder.metrics_file),
    )


def read_estimate(metrics: dict[str, Any], path: Path) -> Estimate | None:
    """What validation lets expect, if it was asked.

    Raises:
        InputError: if it is damaged.
    """
    try:
        return Estimate.from_json(metrics["estimate"]) if metrics.get("estimate") else None
    except ValueError as error:
        raise InputError(f"{path} is damaged: of estimate, {error}; run it again in another folder.") from error


def check_classes(model: ZeroShotModel, metrics: dict[str, Any], path: Path) -> None:
    """Refuse a model whose classes were changed after the tests: what they told is of others.

    Raises:
        InputError: if they were.
    """
    trained = metrics["classes"]["seen"], metrics["classes"]["unseen"]
    known = set(model.class_names)
    if trained != (len(model.seen), len(model.unseen)) or not known >= {*metrics["per_class"]}:
        raise InputError(
            f"The classes of the model in {path} were changed after training (gsmflow classes): what was measured is "
            "of the model as it was; bring the classes back, or train again."
        )


def check_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Refuse what no run writes.

    Raises:
        InputError: if something is of another kind.
    """
    numbers = (*NUMBERS, "U_raw", "S_raw", "H_raw")
    tables = ("per_class", "per_class_T1", "chosen", "versions", "classes")
    wrong = [name for name in numbers if not isinstance(metrics[name], int | float | None)]
    wrong += [name for name in tables if not isinstance(metrics[name], dict)]
    wrong += [name for name in ("constant", "test_reads") if not isinstance(metrics[name], int | float)]
    if not wrong and {"seen", "unseen"} != set(metrics["classes"]):
        wrong = ["classes"]
    if wrong:
        raise InputError(f"{path} is damaged: {wrong[0]} is {metrics[wrong[0]]!r}; run it again in another folder.")


def read_judgings(history: list[Event], path: Path) -> list[Judging]:
    """What was judged.

    Raises:
        InputError: if the history does not tell.
    """
    try:
        return judgings(history)
    except (ValueError, TypeError, LookupError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is missing or damaged ({reason}): run it again in another folder.") from error


def bootstrap(
    samples: Int[np.ndarray, " k"],
    right: Int[np.ndarray, " k"],
    unseen: Int[np.ndarray, " ku"],
    t1: Float[np.ndarray, " k"],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """95 % percentile intervals of T1, U, S, H over test samples, resampled within each class, with a fixed seed.

    There is none of what was not measured.

    How many of a class's n resampled samples are right is binomial, so that the counts are all it takes.

    Args:
        samples: test samples of each class.
        right: those that are recognised.
        unseen: ids of the unseen classes.
        t1: ``(K,)`` accuracy among the unseen classes, in percent; NaN where there is none.
        resamples: how many.
    """
    rng = np.random.default_rng(0)
    is_unseen = np.isin(np.arange(len(samples)), unseen)

    def mean_accuracy(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
        n = samples[among]
        return 100 * (rng.binomial(n, hits[among] / n, (resamples, len(n))) / n).mean(1)

    tested = samples > 0
    drawn = {}
    if (is_unseen & tested).any():
        drawn["T1"] = mean_accuracy(np.nan_to_num(t1) * samples / 100, is_unseen & tested)
        drawn["U"] = mean_accuracy(right, is_unseen & tested)
    if (~is_unseen & tested).any():
        drawn["S"] = mean_accuracy(right, ~is_unseen & tested)
    if "U" in drawn and "S" in drawn:
        drawn["H"] = np.array([harmonic_mean(u, s) for u, s in zip(drawn["U"], drawn["S"], strict=True)])
    return {name: percentiles(values) for name, values in drawn.items()}


def percentiles(values: np.ndarray) -> Interval:
    """The middle 95 % of bootstrap values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def matrix_order(facts: Facts) -> Int[np.ndarray, " k"]:
    """Class ids in the order of the picture: seen ones first, unseen ones at the end."""
    everything = np.arange(len(facts.class_names))
    return np.r_[np.setdiff1d(everything, facts.unseen), facts.unseen]


def class_rows(facts: Facts) -> list[ClassRow]:
    """All classes, worst first; those without test samples last."""
    places = np.argsort(matrix_order(facts))
    wrong: dict[int, list[tuple[int, int]]] = {}
    for true, decided, often in facts.confusions.tolist():
        if true != decided:
            wrong.setdefault(true, []).append((-often, decided))
    rows = []
    numbers = zip(facts.class_names, facts.samples.tolist(), facts.right.tolist(), strict=True)
    unseen = set(facts.unseen.tolist())
    for k, (name, n, right) in enumerate(numbers):
        most = sorted(wrong.get(k, ()))[:CONFUSIONS]
        taken_for = tuple((facts.class_names[decided], -often) for often, decided in most)
        accuracy = 100.0 * right / n if n else None
        rows.append(ClassRow(name, int(places[k]) + 1, k in unseen, n, right, accuracy, taken_for))
    return sorted(rows, key=lambda row: (row.accuracy is None, row.accuracy or 0.0))
