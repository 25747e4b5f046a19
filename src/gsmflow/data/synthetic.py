"""Synthetic data with known truth, for tests and for measuring how cost grows."""

from __future__ import annotations

import numpy as np

from .dataset import Provenance, ZeroShotDataset

__all__ = ["synthetic", "synthetic_means"]


def synthetic_means(semantics: np.ndarray, dim: int, seed: int = 0) -> np.ndarray:
    """The true class means, a smooth function of the semantics.

    ``m(a) = tanh(a W1) W2``, with fixed normal matrices of 2 S hidden units, drawn from ``seed``.

    Args:
        semantics: ``(K, S)``.
        dim: D.
        seed: the same seed, the same function.

    Returns:
        ``(K, D)`` means.
    """
    rng = np.random.default_rng([seed, 0])
    hidden = 2 * semantics.shape[1]
    first = rng.normal(size=(semantics.shape[1], hidden)) / np.sqrt(semantics.shape[1])
    second = rng.normal(size=(hidden, dim)) / np.sqrt(hidden)
    return np.tanh(semantics @ first) @ second


def synthetic(
    *,
    classes: int = 20,
    unseen: int = 5,
    samples: int = 40,
    dim: int = 32,
    semantic_dim: int = 8,
    noise: float = 0.3,
    test_share: float = 0.2,
    seed: int = 0,
) -> ZeroShotDataset:
    """Gaussian classes around `synthetic_means` of normal semantics; the last ``unseen`` classes are unseen.

    Args:
        classes: K.
        unseen: how many of them have no training samples.
        samples: samples a class.
        dim: D.
        semantic_dim: S.
        noise: standard deviation within a class, in every dimension.
        test_share: share of a seen class's samples that are test_seen.
        seed: of semantics, means and samples.

    Returns:
        features ``(K * samples, D)`` in the order of classes, semantics ``(K, S)``.

    Raises:
        InputError: if what is asked for makes no data set, such as every class unseen.
    """
    rng = np.random.default_rng([seed, 1])
    semantics = rng.normal(size=(classes, semantic_dim))
    means = synthetic_means(semantics, dim, seed).astype(np.float32)
    labels = np.repeat(np.arange(classes), samples)
    features = means[labels]
    features += noise * rng.standard_normal(features.shape, dtype=np.float32)
    is_unseen = labels >= classes - unseen
    is_test = np.arange(len(labels)) % samples < max(1, round(test_share * samples))
    return ZeroShotDataset(
        "synthetic",
        features,
        labels,
        semantics.astype(np.float32),
        tuple(f"class {k + 1}" for k in range(classes)),
        np.flatnonzero(~is_unseen & ~is_test),
        np.flatnonzero(~is_unseen & is_test),
        np.flatnonzero(is_unseen),
        Provenance("synthetic", f"noise-{noise:g}", "normal"),
    )
