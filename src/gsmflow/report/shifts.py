"""How far generated features are from real ones, and how far a model's confidence is from being right.

The generation shifts are those of Chen et al. 2021: semantic inconsistency, variance collapse, structure disorder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.diagnostics import (
    MOST_ROWS,
    consistency,
    hubness,
    reliability,
    sample_distances,
    semantic_regression,
    structure,
    variance_ratios,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from ..data import ZeroShotDataset
    from .probe import Generated, Probe

__all__ = ["Shift", "shifts"]


@dataclass(frozen=True)
class Shift:
    """A number with the sentence that says how to read it."""

    name: str
    value: str
    reading: str


def class_means(x: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, "k d"]:
    """Mean of the rows of each class, in the order of sorted labels."""
    return np.stack([x[labels == k].mean(0, dtype=np.float64) for k in np.unique(labels)])


def shifts(found: Probe) -> list[Shift]:
    """All shifts of a model that generates, on test features."""
    assert found.generated
    is_unseen = np.isin(found.labels, found.dataset.unseen)
    predicted, classes = found.predicted[is_unseen], found.dataset.unseen
    counts = np.array([np.sum(predicted == k) for k in classes])
    most = classes[counts.argmax()]
    skewness, calibrated = hubness(predicted, classes), reliability(found.confidence, found.predicted == found.labels)
    return [
        *of_generated(found.generated, found.dataset),
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


def of_generated(g: Generated, dataset: ZeroShotDataset) -> list[Shift]:
    """The three generation shifts."""
    training = dataset.training()
    some = np.linspace(0, len(training.labels) - 1, min(len(training.labels), MOST_ROWS)).round().astype(int)
    recover = semantic_regression(training.features[some], training.labels[some], dataset.semantics)
    made, real = (
        consistency(recover, x, labels, dataset.semantics)
        for x, labels in ((g.features, g.labels), (g.real, g.real_labels))
    )
    ratios = variance_ratios(g.real, g.real_labels, g.features, g.labels)
    apart = sample_distances(g.real, g.real_labels, g.features, g.labels)
    known = np.unique(g.real_labels)
    means = class_means(g.features[np.isin(g.labels, known)], g.labels[np.isin(g.labels, known)])
    order = structure(dataset.semantics[known], class_means(g.real, g.real_labels), means)
    return [
        Shift(
            "semantic consistency",
            f"rank {made.rank:.1f}",
            "From a generated feature, the semantics of its class are recovered by a regression learnt on real seen "
            f"features: the mean place of the right class among {made.candidates} (1 is best, "
            f"{(made.candidates + 1) / 2:g} is chance). The cosine with its semantics is {made.cosine:.2f}. From real "
            f"features of the same classes it is rank {real.rank:.1f}, cosine {real.cosine:.2f}.",
        ),
        Shift(
            "variance",
            f"{np.median(ratios):.2f}" if len(ratios) else "none",
            "Variance of generated over real features, median over classes: 1 is right, below 1 the generated ones "
            "collapse, above 1 they scatter too far."
            + (f" The classes reach from {ratios.min():.2f} to {ratios.max():.2f}." if len(ratios) else ""),
        ),
        Shift(
            "distance",
            f"{np.median(apart.frechet / apart.frechet_real):.1f} times" if len(apart.frechet) else "none",
            "Fréchet distance of generated from real features over that between two halves of the real ones, median "
            "over classes: 1 is as good as real."
            + (
                f" The squared maximum mean discrepancy is {np.median(apart.mmd):.3f}, between the halves "
                f"{np.median(apart.mmd_real):.3f}."
                if len(apart.mmd)
                else " It takes six real samples a class."
            ),
        ),
        Shift(
            "structure",
            "none" if order is None else f"{order.distances:.2f}",
            "Rank correlation of the distances between class means, generated against real: 1 keeps which classes are "
            "near each other, 0 has lost it."
            + (
                " It takes three classes."
                if order is None
                else f" The nearest other class is the same for {order.neighbours:.0f} % of the classes; the disparity "
                f"after the best rotation is {order.procrustes:.2f} (0 is best). Against semantics the correlation is "
                f"{order.semantics:.2f}, of the real means {order.semantics_real:.2f}."
            ),
        ),
    ]
