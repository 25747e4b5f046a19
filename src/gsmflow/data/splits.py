"""Problems made of others: pseudo-unseen classes cut out of trainval alone, for choices; samples put in order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dataset import Provenance, TrainingSet, ZeroShotDataset
from .rows import take

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = [
    "LEAST_SEEN",
    "hold_out",
    "in_split_order",
    "pseudo_unseen",
    "pseudo_unseen_count",
    "some_of_each",
    "stratified",
]

LEAST_SEEN = 3
"""Seen classes that pseudo-unseen ones can be taken out of."""
HELD_OUT_FROM = 3
"""Samples that a seen class must have for one of them to be held out: two are left for validation."""


def pseudo_unseen(
    training: TrainingSet, *, ratio: float, holdout: float = 0.2, seed: int = 0, fold: int = 0
) -> ZeroShotDataset:
    """Take some seen classes for unseen, and some samples of the others for validation-seen.

    The result knows only the Ks seen classes, renumbered 0..Ks-1 in the order of ``training.seen``; neither unseen
    classes nor test samples can be reached from it. (``train_loc`` and ``val_loc`` of the standard files are never
    used: they overlap test_seen.)

    Args:
        training: what may be seen.
        ratio: share of the seen classes that become pseudo-unseen: at least one class, and two at least stay seen.
        holdout: share of each other class's samples that become validation-seen: at least one and never all; a
            class of a single sample keeps it for training.
        seed: of class and sample choice.
        fold: which of the splits that ``seed`` gives; successive folds take successive classes of one shuffled
            sequence, so that they overlap as little as possible.

    Raises:
        InputError: if there are fewer than three seen classes, or no class has two samples.
    """
    classes = len(training.seen)
    if classes < LEAST_SEEN:
        raise InputError(
            f"Pseudo-unseen validation needs at least {LEAST_SEEN} seen classes, and there are {classes}: "
            "get more classes, or use the protocol fixed, which chooses nothing."
        )
    count = pseudo_unseen_count(classes, ratio)
    chosen = walk(classes, count, seed, fold)
    labels = np.searchsorted(training.seen, training.labels)

    rng = np.random.default_rng([seed, fold, 1])
    is_chosen = np.isin(labels, chosen)
    test_seen = stratified(np.flatnonzero(~is_chosen), labels, holdout, rng)
    if not len(test_seen):
        raise InputError(
            f"Pseudo-unseen validation needs classes with at least 2 samples, and none of {classes - count} has: "
            "get more samples, or use the protocol fixed, which chooses nothing."
        )
    test_unseen = np.flatnonzero(is_chosen)
    return ZeroShotDataset(
        name="pseudo-unseen",
        features=training.features,
        labels=labels,
        semantics=training.semantics[training.seen],
        class_names=tuple(training.class_names[k] for k in training.seen),
        trainval=np.setdiff1d(np.arange(len(labels)), np.r_[test_seen, test_unseen]),
        test_seen=test_seen,
        test_unseen=test_unseen,
        provenance=Provenance("pseudo-unseen", "", ""),
        semantic_names=training.semantic_names,
        semantic_parts=training.semantic_parts,
        one_space=training.one_space,
    )


def pseudo_unseen_count(classes: int, ratio: float) -> int:
    """How many of some seen classes become pseudo-unseen: at least one, and two at least stay seen."""
    return max(1, min(round(ratio * classes), classes - 2))


def walk(classes: int, count: int, seed: int, fold: int) -> np.ndarray:
    """The ``fold``-th run of ``count`` different classes along one endless sequence of shuffles."""
    shuffles = (np.random.default_rng([seed, turn]).permutation(classes) for turn in itertools.count())
    sequence = itertools.chain.from_iterable(shuffles)
    taken: set[int] = set()
    for _ in range(fold + 1):
        taken = set()
        while len(taken) < count:
            taken.add(int(next(sequence)))
    return np.sort(list(taken))


def hold_out(data: ZeroShotDataset, share: float) -> ZeroShotDataset:
    """The same problem with a stratified part of trainval as test_seen, where it has none.

    The same samples each time, whatever the seed of a run: at least one and never all of each seen class that has three
    or more.

    Args:
        data: a data set without test_seen.
        share: of each class, between 0 and 1.

    Raises:
        InputError: if there is a test_seen, or the share is out of range.
    """
    if not 0 < share < 1:
        raise InputError(f"holdout= must lie between 0 and 1; found {share:g}.")
    if len(data.test_seen):
        raise InputError(f"{data.name} has {len(data.test_seen)} samples in test_seen: drop holdout=.")
    test_seen = stratified(data.trainval, data.labels, share, np.random.default_rng(0), least=HELD_OUT_FROM)
    if not len(test_seen):
        return data
    classes = len(np.unique(data.labels[test_seen]))
    note = f"test_seen are {len(test_seen)} samples held out of trainval ({share:.0%} of each of {classes} classes)"
    return replace(
        data,
        trainval=np.setdiff1d(data.trainval, test_seen),
        test_seen=test_seen,
        provenance=replace(data.provenance, holdout=share, notes=(*data.provenance.notes, note)),
    )


def stratified(
    rows: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " N"],
    share: float,
    rng: np.random.Generator,
    *,
    least: int = 2,
) -> Int[np.ndarray, " m"]:
    """A share of each class's rows: at least one and never all, and none of a class of fewer than ``least``."""
    parts = [np.zeros(0, np.int64)]
    for k in np.unique(labels[rows]):
        own = rng.permutation(rows[labels[rows] == k])
        if len(own) >= least:
            parts.append(own[: min(max(1, round(share * len(own))), len(own) - 1)])
    return np.sort(np.concatenate(parts))


def some_of_each(
    rows: Int[np.ndarray, " n"], labels: Int[np.ndarray, " N"], most: int, rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """At most so many of each class's rows, class after class."""
    parts = [rng.permutation(rows[labels[rows] == k])[:most] for k in np.unique(labels[rows])]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def in_split_order(data: ZeroShotDataset) -> ZeroShotDataset:
    """The same problem with its samples split after split: trainval, test_seen, test_unseen, and no others.

    The packed layout keeps no other order.

    Raises:
        InputError: if a sample is in two splits, where the order would make two of it.
    """
    splits = (data.trainval, data.test_seen, data.test_unseen)
    rows = np.concatenate(splits)
    if len(np.unique(rows)) < len(rows):
        raise InputError(f"{data.name}: some samples are in two splits; take them out of one before they are ordered.")
    trainval, test_seen, test_unseen = np.split(np.arange(len(rows)), np.cumsum([len(split) for split in splits[:2]]))
    return replace(
        data,
        features=take(data.features, rows),
        labels=data.labels[rows],
        trainval=trainval,
        test_seen=test_seen,
        test_unseen=test_unseen,
        sample_names=tuple(data.sample_names[row] for row in rows) if data.sample_names else (),
    )
