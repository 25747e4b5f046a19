"""Diagnostics of a final model: the three generation shifts of Chen et al. 2021, hubness, calibration.

They choose nothing. All work on plain arrays. On unseen classes they need test features, so they belong after the last
choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import skew, spearmanr

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

__all__ = [
    "Reliability",
    "SampleDistances",
    "SemanticConsistency",
    "Structure",
    "consistency",
    "frechet",
    "hubness",
    "mmd",
    "reliability",
    "sample_distances",
    "semantic_consistency",
    "semantic_regression",
    "structure",
    "variance_ratios",
]

DIRECTIONS = 256  # of features, that a regression to semantics sees
FEW_DIRECTIONS = 32  # of features, in which few samples have a covariance
MOST_ROWS = 5_000
BINS = 10


@dataclass(frozen=True)
class SemanticConsistency:
    """How well semantics are recovered from features.

    Attributes:
        cosine: mean over classes of the cosine between recovered and true semantics, -1 to 1.
        rank: mean over classes of the place of the true class among the candidates, from 1.
        candidates: how many there are; chance is a rank of (candidates + 1) / 2.
    """

    cosine: float
    rank: float
    candidates: int


def semantic_consistency(
    seen: Float[np.ndarray, "n d"],
    seen_labels: Int[np.ndarray, " n"],
    features: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
    semantics: Float[np.ndarray, "k s"],
) -> SemanticConsistency:
    """Regress semantics on real features of seen classes, and apply that to other, generated ones (GSMFlow, section 3).

    Ridge regression, its penalty chosen by generalized cross-validation, on the leading principal directions of the
    seen features. Semantics are L2-normalised and centred over all classes: what they share says nothing of a class.

    Args:
        seen: real features of seen classes.
        seen_labels: their class ids.
        features: whose semantics are recovered.
        labels: their class ids; these classes are the candidates.
        semantics: of all classes.

    Raises:
        ValueError: if shapes disagree, or something is empty or not finite.
    """
    check(features=(features, labels))
    return consistency(semantic_regression(seen, seen_labels, semantics), features, labels, semantics)


def centred(semantics: Float[np.ndarray, "k s"]) -> Float[np.ndarray, "k s"]:
    """L2-normalised semantics less their mean over the classes."""
    unit = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
    return unit - unit.mean(0)


def semantic_regression(
    seen: Float[np.ndarray, "n d"], seen_labels: Int[np.ndarray, " n"], semantics: Float[np.ndarray, "k s"]
) -> Callable[[np.ndarray], np.ndarray]:
    """The regression of `semantic_consistency`, to be applied to several sets of features."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeCV

    check(seen=(seen, seen_labels))
    some = np.linspace(0, len(seen) - 1, min(len(seen), MOST_ROWS)).round().astype(int)
    front = PCA(min(DIRECTIONS, seen.shape[1], len(some) - 1), svd_solver="randomized", random_state=0)
    x = front.fit_transform(seen[some])
    regression = RidgeCV(alphas=np.logspace(-3, 3, 7) * x.var(0).sum()).fit(x, centred(semantics)[seen_labels[some]])
    return lambda features: regression.predict(front.transform(features))


def consistency(
    recover: Callable[[np.ndarray], np.ndarray],
    features: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
    semantics: Float[np.ndarray, "k s"],
) -> SemanticConsistency:
    """Cosine and rank of the semantics that a `semantic_regression` recovers from features."""
    candidates = np.unique(labels)
    cosines = 1 - cdist(recover(features), centred(semantics)[candidates], "cosine")
    own = cosines[np.arange(len(labels)), np.searchsorted(candidates, labels)]
    places = 1 + (cosines > own[:, None]).sum(1)
    by_class = [labels == k for k in candidates]
    return SemanticConsistency(
        float(np.mean([own[rows].mean() for rows in by_class])),
        float(np.mean([places[rows].mean() for rows in by_class])),
        len(candidates),
    )


def variance_ratios(
    real: Float[np.ndarray, "n d"],
    real_labels: Int[np.ndarray, " n"],
    generated: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " k"]:
    """Total variance of generated over that of real features, a ratio a class that both vary in: 1 is no decay."""
    check(real=(real, real_labels), generated=(generated, labels))
    ratios = []
    for k in np.intersect1d(real_labels, labels):
        one, other = (x[of == k].astype(np.float64) for x, of in ((generated, labels), (real, real_labels)))
        if min(len(one), len(other)) > 1 and other.var(0).sum() > 0:
            ratios.append(one.var(0, ddof=1).sum() / other.var(0, ddof=1).sum())
    return np.array(ratios)


def frechet(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    r"""Squared Fréchet distance of the normal distributions of two samples (Heusel et al. 2017).

    :math:`|\mu_a - \mu_b|^2 + tr(A + B - 2 (A^{1/2} B A^{1/2})^{1/2})`, in squared units of the features.
    """
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    gap = np.square(a.mean(0) - b.mean(0)).sum()
    return float(gap + np.trace(first) + np.trace(second) - 2 * cross)


def mmd(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"], width: float | None = None) -> float:
    """Squared maximum mean discrepancy, unbiased, kernel exp(-|x - y|^2 / width) (Gretton et al. 2012, equation 3).

    The width is by default the median squared distance of the two samples together.
    """
    n = len(a)
    squared = cdist(np.concatenate([a, b]), np.concatenate([a, b]), "sqeuclidean")
    kernel = np.exp(-squared / (width or np.median(squared[np.triu_indices(len(squared), 1)])))
    np.fill_diagonal(kernel, 0.0)
    inside = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (len(b) * (len(b) - 1))
    return float(inside - 2 * kernel[:n, n:].mean())


@dataclass(frozen=True, eq=False)
class SampleDistances:
    """Distances between generated and real samples of each class, with what real samples have among themselves.

    Attributes:
        frechet: ``(k,)``, of generated and real features.
        frechet_real: ``(k,)``, of the two halves of the real features: what the number would be without any shift.
        mmd: ``(k,)``, likewise.
        mmd_real: ``(k,)``.
    """

    frechet: Float[np.ndarray, " k"]
    frechet_real: Float[np.ndarray, " k"]
    mmd: Float[np.ndarray, " k"]
    mmd_real: Float[np.ndarray, " k"]


def sample_distances(
    real: Float[np.ndarray, "n d"],
    real_labels: Int[np.ndarray, " n"],
    generated: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, " m"],
    *,
    seed: int = 0,
) -> SampleDistances:
    """Fréchet distance and MMD a class, in the leading principal directions of one half of the real features.

    That half is the reference; it is compared with the other half, and with as many generated ones, drawn at random.
    Directions and the width of the kernel come from the reference alone, so that both have equal chances. Classes of
    fewer than six real or three generated features are left out.

    Args:
        real: real features.
        real_labels: their class ids.
        generated: generated ones.
        labels: their class ids.
        seed: of the halves.
    """
    from sklearn.decomposition import PCA

    check(real=(real, real_labels), generated=(generated, labels))
    rng = np.random.default_rng(seed)
    parts = []
    for k in np.intersect1d(real_labels, labels):
        own, made = (rng.permutation(x[of == k]) for x, of in ((real, real_labels), (generated, labels)))
        half = min(len(own) // 2, len(made))
        if half >= 3:
            parts.append((own[:half], made[:half], own[half : 2 * half]))
    if not parts:
        return SampleDistances(*np.empty((4, 0)))
    references = np.concatenate([part[0] for part in parts])
    front = PCA(min(FEW_DIRECTIONS, *references.shape), svd_solver="randomized", random_state=0).fit(references)
    found = []
    for part in parts:
        reference, *others = map(front.transform, part)
        width = float(np.median(pdist(reference, "sqeuclidean"))) or None
        found.append([frechet(reference, x) for x in others] + [mmd(reference, x, width) for x in others])
    return SampleDistances(*np.array(found).T)


@dataclass(frozen=True)
class Structure:
    """How far the geometry between classes survives generation.

    Attributes:
        distances: Spearman's correlation of the distances between class means, generated against real; 1 is best.
        semantics: the same, generated means against semantics (by cosine).
        semantics_real: the same, real means against semantics: what generation could keep at best.
        procrustes: disparity of the means after the best rotation, shift and scaling; 0 is best, 1 worst.
        neighbours: percent of classes whose nearest other class is the same among generated and real means.
    """

    distances: float
    semantics: float
    semantics_real: float
    procrustes: float
    neighbours: float


def structure(
    semantics: Float[np.ndarray, "k s"], real_means: Float[np.ndarray, "k d"], generated_means: Float[np.ndarray, "k d"]
) -> Structure | None:
    """Compare the geometry of classes; None for fewer than three, or where all distances are equal.

    Raises:
        ValueError: if the three do not have a row a class.
    """
    if not len(semantics) == len(real_means) == len(generated_means):
        raise ValueError(
            f"Structure needs a row a class; found {len(semantics)}, {len(real_means)} and {len(generated_means)} rows."
        )
    told, real, generated = pdist(semantics, "cosine"), pdist(real_means), pdist(generated_means)
    if len(real) < 3 or min(np.ptp(told), np.ptp(real), np.ptp(generated)) == 0:
        return None

    def nearest(distances: np.ndarray) -> np.ndarray:
        square = squareform(distances)
        np.fill_diagonal(square, np.inf)
        return square.argmin(1)

    def correlate(a: np.ndarray, b: np.ndarray) -> float:
        return float(spearmanr(a, b).statistic)  # type: ignore[attr-defined]

    span = np.linalg.qr(np.concatenate([real_means, generated_means]).T)[0]  # the rotation need not see the rest
    return Structure(
        correlate(real, generated),
        correlate(told, generated),
        correlate(told, real),
        float(procrustes(real_means @ span, generated_means @ span)[2]),
        100 * float(np.mean(nearest(real) == nearest(generated))),
    )


def hubness(predicted: Int[np.ndarray, " n"], classes: Int[np.ndarray, " k"]) -> float | None:
    """Skewness of how often each class is decided for (Radovanovic et al. 2010).

    None for fewer than three classes, or where all are decided for equally often.
    """
    counts = np.array([np.sum(predicted == k) for k in classes], float)
    return float(skew(counts)) if len(classes) > 2 and counts.std() > 0 else None


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


def reliability(confidence: Float[np.ndarray, " n"], correct: Bool[np.ndarray, " n"], bins: int = BINS) -> Reliability:
    """Bin decisions by confidence into equal intervals, and compare confidence and accuracy in each."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    kept = count > 0
    mean, right = (np.bincount(place, values, bins)[kept] / count[kept] for values in (confidence, correct))
    return Reliability(mean, right, count[kept], float(np.abs(mean - right) @ count[kept] / len(confidence)))


def check(**sets: tuple[np.ndarray, np.ndarray]) -> None:
    """Refuse samples that do not go with their labels."""
    for name, (x, labels) in sets.items():
        if x.ndim != 2 or labels.shape != (len(x),) or not len(x):
            raise ValueError(f"{name} must be (n, d) with n labels; found {x.shape} and {labels.shape}.")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} hold {np.sum(~np.isfinite(x))} values that are not finite.")
