"""How far generated features are from real ones, and how far a model's confidence is from being right.

The generation shifts are those of Chen et al. 2021: semantic inconsistency, variance collapse, structure disorder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import skew, spearmanr

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from .probe import Generated, Probe

__all__ = ["Reliability", "Shift", "hubness", "nearest_mean", "reliability", "shifts", "structure", "variance"]

BINS = 10


@dataclass(frozen=True)
class Shift:
    """A figure with the sentence that says how to read it."""

    name: str
    value: str
    reading: str


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often decisions of one confidence are right.

    Attributes:
        confidence: mean of each bin that is not empty, 0 to 1, rising.
        accuracy: share of right decisions in it, 0 to 1.
        count: decisions in it.
        error: expected calibration error (Guo et al. 2017), 0 to 1.
    """

    confidence: Float[np.ndarray, " b"]
    accuracy: Float[np.ndarray, " b"]
    count: Int[np.ndarray, " b"]
    error: float


def class_means(x: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, "k d"]:
    """Mean of the rows of each class, in the order of sorted labels."""
    return np.stack([x[labels == k].mean(0, dtype=np.float64) for k in np.unique(labels)])


def nearest_mean(
    real: Float[np.ndarray, "n d"],
    real_labels: Int[np.ndarray, " n"],
    generated: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
) -> float:
    """Share of generated features whose nearest real class mean is that of their own class, 0 to 1."""
    classes = np.unique(real_labels)
    nearest = cdist(generated, class_means(real, real_labels)).argmin(1)
    return float(np.mean(classes[nearest] == labels))


def variance(
    real: Float[np.ndarray, "n d"],
    real_labels: Int[np.ndarray, " n"],
    generated: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " k"]:
    """Variance of the generated features over that of the real ones, a ratio a class that both vary in."""
    ratios = []
    for k in np.intersect1d(real_labels, labels):
        one, other = (x[of == k].astype(np.float64) for x, of in ((generated, labels), (real, real_labels)))
        if min(len(one), len(other)) > 1 and other.var(0).sum() > 0:
            ratios.append(one.var(0, ddof=1).sum() / other.var(0, ddof=1).sum())
    return np.array(ratios)


def structure(real_means: Float[np.ndarray, "k d"], generated_means: Float[np.ndarray, "k d"]) -> float | None:
    """Spearman's rank correlation of the distances between class means.

    None for fewer than three classes, or where all distances are equal.
    """
    real, generated = pdist(real_means), pdist(generated_means)
    if len(real) < 3 or min(np.ptp(real), np.ptp(generated)) == 0:
        return None
    return float(spearmanr(real, generated).statistic)  # type: ignore[attr-defined]


def hubness(predicted: Int[np.ndarray, " n"], classes: Int[np.ndarray, " k"]) -> float | None:
    """Skewness of how often each class is decided for (Radovanovic et al. 2010).

    None for fewer than three classes, or where all are decided for equally often.
    """
    counts = np.array([np.sum(predicted == k) for k in classes], float)
    return float(skew(counts)) if len(classes) > 2 and counts.std() > 0 else None


def reliability(confidence: Float[np.ndarray, " n"], correct: Bool[np.ndarray, " n"], bins: int = BINS) -> Reliability:
    """Bin decisions by confidence into equal intervals, and compare confidence and accuracy in each."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    kept = count > 0
    mean, right = (np.bincount(place, values, bins)[kept] / count[kept] for values in (confidence, correct))
    return Reliability(mean, right, count[kept], float(np.abs(mean - right) @ count[kept] / len(confidence)))


def shifts(found: Probe) -> list[Shift]:
    """All figures of a model that generates, on test features."""
    assert found.generated
    is_unseen = np.isin(found.labels, found.dataset.unseen)
    predicted, classes = found.predicted[is_unseen], found.dataset.unseen
    counts = np.array([np.sum(predicted == k) for k in classes])
    most = classes[counts.argmax()]
    skewness, calibrated = hubness(predicted, classes), reliability(found.confidence, found.predicted == found.labels)
    return [
        *of_generated(found.generated),
        Shift(
            "hubness",
            "none" if skewness is None else f"{skewness:.2f}",
            "Skewness of how often each unseen class is decided for on samples of unseen classes: near 0 is even, "
            "above 1 a few classes draw decisions to themselves. It takes three classes. "
            f"{found.dataset.class_names[most]} is decided for most often ({counts.max()} of {len(predicted)}), "
            f"{int((counts == 0).sum())} of {len(classes)} never.",
        ),
        Shift(
            "calibration",
            f"{100 * calibrated.error:.1f} %",
            "Mean distance between confidence and accuracy over all test samples (expected calibration error): at 0 a "
            "decision of confidence 0.8 is right 8 times in 10.",
        ),
    ]


def of_generated(g: Generated) -> list[Shift]:
    """The three generation shifts."""
    own = nearest_mean(g.real, g.real_labels, g.features, g.labels)
    same = nearest_mean(g.real, g.real_labels, g.real, g.real_labels)
    ratios = variance(g.real, g.real_labels, g.features, g.labels)
    order = structure(class_means(g.real, g.real_labels), class_means(g.features, g.labels))
    return [
        Shift(
            "semantic consistency",
            f"{100 * own:.1f} %",
            "Generated features that are nearest to the real mean of their own class among the unseen classes: 100 % "
            f"is best, chance is {100 / len(np.unique(g.labels)):.1f} %; of the real features themselves it is "
            f"{100 * same:.1f} %.",
        ),
        Shift(
            "variance",
            f"{np.median(ratios):.2f}" if len(ratios) else "none",
            "Variance of generated over real features, median over classes: 1 is right, below 1 the generated ones "
            "collapse, above 1 they scatter too far."
            + (f" The classes reach from {ratios.min():.2f} to {ratios.max():.2f}." if len(ratios) else ""),
        ),
        Shift(
            "structure",
            "none" if order is None else f"{order:.2f}",
            "Rank correlation of the distances between class means, generated against real: 1 keeps which classes are "
            "near each other, 0 has lost it. It takes three classes.",
        ),
    ]
