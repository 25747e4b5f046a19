"""What a run folder says, read once and checked: the result, its intervals, how each class fared."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..evaluation.metrics import harmonic_mean
from ..generators import GENERATORS
from ..runs import RunConfig, read_config, read_curve, read_metrics, read_model_tensors

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["FIGURES", "ClassRow", "Facts", "Interval", "bootstrap", "class_rows", "matrix_order", "read_facts"]

FIGURES = ("T1", "U", "S", "H", "AUSUC")
NEEDED = (
    *FIGURES,
    *("U_raw", "S_raw", "H_raw", "constant", "per_class", "per_class_T1", "chosen", "test_reads", "selected_on"),
    *("dataset", "features", "semantics", "protocol", "generator", "recognizer", "seed", "fingerprint", "versions"),
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
        history: the events of ``history.jsonl``.
        curve: ``constants``, ``unseen``, ``seen``.
        class_names: K names.
        unseen: sorted ids of the unseen classes.
        confusion: ``(K, K)`` counts, true class by row.
        intervals: 95 % intervals of T1, U, S, H.
    """

    folder: Path
    name: str
    config: RunConfig
    config_text: str
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    curve: dict[str, list[float]]
    class_names: tuple[str, ...]
    unseen: Int[np.ndarray, " ku"]
    confusion: Int[np.ndarray, "k k"]
    intervals: dict[str, Interval]

    @property
    def is_selected_on_test(self) -> bool:
        """Whether the test sets chose the model."""
        return self.metrics["protocol"] == "published"


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


def read_facts(folder: Path, name: str) -> Facts:
    """Read a finished run.

    Raises:
        InputError: if this is no run folder, the run is unfinished, or a file is damaged or of another version.
    """
    config = read_config(folder)
    metrics = read_metrics(folder)
    lacking = next((key for key in NEEDED if key not in metrics), None)
    if lacking:
        raise InputError(
            f"{folder / 'metrics.json'} holds no {lacking!r}: the run is of another version of gsmflow; run it again."
        )
    if metrics["generator"] not in GENERATORS:
        raise InputError(f"{folder} was made with a generator {metrics['generator']!r}, which this version lacks.")
    class_names, confusion = read_confusion(folder / "confusion.csv")
    unseen = read_model_tensors(folder).get("unseen")
    if unseen is None or (len(unseen) and int(unseen.max()) >= len(class_names)):
        raise InputError(
            f"{folder / 'model.safetensors'} does not fit the {len(class_names)} classes of confusion.csv: the run was "
            "altered or is of another version."
        )
    return Facts(
        folder,
        name,
        config,
        (folder / "config.yaml").read_text(encoding="utf-8"),
        metrics,
        read_history(folder / "history.jsonl"),
        read_curve(folder),
        class_names,
        unseen.numpy(),
        confusion,
        bootstrap(confusion, unseen.numpy(), accuracy_t1(metrics, class_names)),
    )


def read_confusion(path: Path) -> tuple[tuple[str, ...], Int[np.ndarray, "k k"]]:
    """Class names and counts of a ``confusion.csv``."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        counts = np.array([[int(value) for value in row[1:]] for row in rows])
        if counts.shape != (len(header) - 1,) * 2 or (counts < 0).any():
            raise ValueError(f"it is no square table of counts, but {' x '.join(map(str, counts.shape))}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is missing or damaged ({error}): run it again in another folder.") from error
    return tuple(header[1:]), counts


def read_history(path: Path) -> list[dict[str, Any]]:
    """The events of a ``history.jsonl``."""
    try:
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for number, event in enumerate(events, 1):
            needed = {"train": ("phase", "step"), "judged": ("phase", "found")}.get(event["event"], ())
            for one in (event, *event.get("found", ())):
                if any(key not in one for key in (needed if one is event else ("choice", "recognizer", "H"))):
                    raise ValueError(f"line {number} lacks a value")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is missing or damaged ({error}): run it again in another folder.") from error
    return events


def accuracy_t1(metrics: dict[str, Any], class_names: tuple[str, ...]) -> Float[np.ndarray, " k"]:
    """Accuracy of each class among the unseen ones, in percent; NaN where there is none."""
    return np.array([metrics["per_class_T1"].get(name, np.nan) for name in class_names], float)


def bootstrap(
    confusion: Int[np.ndarray, "k k"],
    unseen: Int[np.ndarray, " ku"],
    t1: Float[np.ndarray, " k"],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """95 % percentile intervals of T1, U, S, H over test samples, resampled within each class, with a fixed seed.

    How many of a class's n resampled samples are right is binomial, so that the counts are all it takes.

    Args:
        confusion: counts, true class by row.
        unseen: ids of the unseen classes.
        t1: ``(K,)`` accuracy among the unseen classes, in percent; NaN where there is none.
        resamples: how many.
    """
    rng = np.random.default_rng(0)
    samples = confusion.sum(1)
    is_unseen = np.isin(np.arange(len(samples)), unseen)

    def mean_accuracy(right: np.ndarray, among: np.ndarray) -> np.ndarray:
        n = samples[among]
        return 100 * (rng.binomial(n, right[among] / n, (resamples, len(n))) / n).mean(1)

    tested = samples > 0
    hits, hits_t1 = confusion.diagonal(), np.nan_to_num(t1) * samples / 100
    drawn = {"T1": mean_accuracy(hits_t1, is_unseen & tested)}
    drawn["U"] = mean_accuracy(hits, is_unseen & tested)
    drawn["S"] = mean_accuracy(hits, ~is_unseen & tested)
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
    samples = facts.confusion.sum(1)
    rows = []
    for k, name in enumerate(facts.class_names):
        wrong = facts.confusion[k].copy()
        wrong[k] = 0
        most = np.argsort(-wrong, kind="stable")[:CONFUSIONS]
        taken_for = tuple((facts.class_names[j], int(wrong[j])) for j in most if wrong[j])
        n, right = int(samples[k]), int(facts.confusion[k, k])
        accuracy = 100.0 * right / n if n else None
        rows.append(ClassRow(name, int(places[k]) + 1, k in facts.unseen, n, right, accuracy, taken_for))
    return sorted(rows, key=lambda row: (row.accuracy is None, row.accuracy or 0.0))
