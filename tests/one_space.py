"""Problems whose images and words lie in one space, and problems whose semantics are put together from two parts."""

from dataclasses import replace
from typing import Any

import numpy as np

from gsmflow.data import ZeroShotDataset, synthetic

ATTRIBUTES = 5


def aligned(
    *,
    seen: int = 6,
    unseen: int = 20,
    dim: int = 32,
    bent: float = 0.5,
    gap: float = 0.1,
    noise: float = 1.0,
    seed: int = 0,
    **more: Any,
) -> ZeroShotDataset:
    """Features that are twice the words of their class, a gap and noise; twelve samples a class.

    Args:
        seen: classes with training samples; they come first.
        unseen: classes without.
        dim: of features and words.
        bent: how far the mean of a class lies from its words, against their length.
        gap: between the mean of images and that of words, in every dimension.
        noise: length of what is added to each sample, about.
        seed: of all numbers.
        more: what else the data set is told.
    """
    rng, samples = np.random.default_rng(seed), 12
    words, off = rng.normal(size=(2, seen + unseen, dim)) / np.sqrt(dim)
    labels = np.repeat(np.arange(seen + unseen), samples)
    features = 2 * (words + bent * off + gap)[labels] + noise / np.sqrt(dim) * rng.normal(size=(len(labels), dim))
    is_unseen, is_test = labels >= seen, np.arange(len(labels)) % samples < 3
    return ZeroShotDataset(
        "aligned",
        features,
        labels,
        words,
        trainval=np.flatnonzero(~is_unseen & ~is_test),
        test_seen=np.flatnonzero(~is_unseen & is_test),
        test_unseen=np.flatnonzero(is_unseen),
        **more,
    )


def with_attributes(data: ZeroShotDataset) -> ZeroShotDataset:
    """The same with a few attributes before the words."""
    attributes = np.random.default_rng(9).random((data.num_classes, ATTRIBUTES))
    parts = (("attributes", ATTRIBUTES), ("text", data.semantic_dim))
    return replace(data, semantics=np.c_[attributes, data.semantics], semantic_parts=parts)


def half_noise(part: str, seed: int = 0) -> ZeroShotDataset:
    """Forty classes described by attributes and text, one of which, ``part``, is noise."""
    data = synthetic(classes=40, unseen=10, samples=15, dim=24, semantic_dim=8, seed=seed)
    noise = np.random.default_rng([seed, 7]).normal(size=data.semantics.shape)
    semantics = np.c_[noise, data.semantics] if part == "attributes" else np.c_[data.semantics, noise]
    return replace(data, semantics=semantics, semantic_parts=(("attributes", 8), ("text", 8)))
