"""Labelled pictures taken out of a test: which, and what is left to be tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..data import TestSets, ZeroShotDataset
from ..data.rows import take
from ..errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

__all__ = ["LEFT", "check_enough", "draw_shots", "without"]

LEFT = 2
"""Test pictures that every unseen class must keep."""


def check_enough(dataset: ZeroShotDataset, shots: int) -> None:
    """Refuse to take so many pictures of each unseen class that a class keeps less than two to be tested on.

    Raises:
        InputError: if a class would, beginning with ``too few``.
    """
    counts = np.bincount(dataset.labels[dataset.test_unseen], minlength=dataset.num_classes)[dataset.unseen]
    short = dataset.unseen[counts < shots + LEFT]
    if len(short):
        least = short[counts[counts < shots + LEFT].argmin()]
        raise InputError(
            f"too few: {len(short)} of {len(dataset.unseen)} unseen classes of {dataset.name} have less than "
            f"{shots + LEFT} test pictures (the least, {counts.min()}: {dataset.class_names[least]!r}), and "
            f"shots={shots} takes {shots} of each and leaves {LEFT} to be tested: ask for fewer."
        )


def draw_shots(labels: Int[np.ndarray, " n"], shots: int, *, seed: int, repeat: int) -> Bool[np.ndarray, " n"]:
    """Which samples are the labelled ones: up to ``shots`` of each class, and never all of one.

    The draw depends on labels, seed and repeat alone, so that all methods see the same pictures; what fewer shots take,
    more shots take too.

    Args:
        labels: class ids of what is drawn from.
        shots: pictures of each class.
        seed: of the measurement.
        repeat: number of the draw, counted from 0.

    Example:
        >>> draw_shots(np.array([3, 3, 3, 8, 8]), 1, seed=0, repeat=0)
        array([False, False,  True, False,  True])
    """
    rng, taken = np.random.default_rng([seed, repeat]), np.zeros(len(labels), bool)
    for k in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == k))
        taken[rows[: min(shots, len(rows) - 1)]] = True
    return taken


def without(tests: TestSets, taken: Bool[np.ndarray, " m"]) -> TestSets:
    """The test sets without some samples of test_unseen."""
    rest = np.flatnonzero(~taken)
    return TestSets(
        tests.seen_features, tests.seen_labels, take(tests.unseen_features, rest), tests.unseen_labels[rest]
    )
