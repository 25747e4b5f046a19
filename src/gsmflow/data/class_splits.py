"""Which classes are unseen, drawn anew: a result that holds on one choice of classes may be the luck of that choice."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dataset import ZeroShotDataset
from .splits import stratified

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = ["redrawn", "share_of_test_seen"]


def redrawn(dataset: ZeroShotDataset, number: int) -> ZeroShotDataset:
    """The same samples and classes, with as many unseen classes as there are, drawn from all that have samples.

    Each number gives another choice, the same each time, whatever the seed of a run. Classes that stay seen keep their
    samples in trainval and test_seen; of each that becomes seen, the share of samples that the official split has in
    test_seen goes there, at least one and never all; of one that becomes unseen, all samples are test_unseen. Samples
    in no split, and classes without samples, stay where they are.

    Args:
        dataset: as its files have it, with test samples of unseen classes.
        number: of the class split; 0 is the official one, the data set itself.

    Raises:
        InputError: if the number is negative, the classes of the data set were drawn anew before, or there is nothing
            to draw, or not as much.

    Example:
        >>> from gsmflow.data import synthetic
        >>> redrawn(synthetic(), 1).unseen.tolist() != redrawn(synthetic(), 2).unseen.tolist()
        True
        >>> redrawn(synthetic(), 1).provenance.class_split
        1
    """
    if number < 0:
        raise InputError(f"A class split is counted from 0, the official one; found {number}.")
    if not number:
        return dataset
    if dataset.provenance.class_split:
        raise InputError(
            f"The unseen classes of {dataset.name} were drawn anew already (class split "
            f"{dataset.provenance.class_split}); draw from the official split."
        )
    if not len(dataset.test_unseen):
        raise InputError(
            f"{dataset.name} has no test samples of unseen classes: other unseen classes cannot be drawn and tested; "
            "give a data set with test_unseen."
        )
    unseen = drawn(dataset, number)
    labels, was_seen = dataset.labels, np.isin(dataset.labels, dataset.seen)
    used = np.unique(np.concatenate([dataset.trainval, dataset.test_seen, dataset.test_unseen]))
    is_unseen = np.isin(labels, unseen)
    stay_trainval, stay_test = (split[~is_unseen[split]] for split in (dataset.trainval, dataset.test_seen))
    become_seen = used[~is_unseen[used] & ~was_seen[used]]
    share = share_of_test_seen(dataset)
    part = become_seen if share else become_seen[:0]
    tested = stratified(part, labels, share, np.random.default_rng([number, 1]))
    before = len(np.intersect1d(unseen, dataset.seen))
    note = (
        f"class split {number}: {len(unseen)} unseen classes drawn anew from all with samples, "
        f"{before} of which are seen in the official split"
    )
    return replace(
        dataset,
        trainval=np.sort(np.r_[stay_trainval, np.setdiff1d(become_seen, tested)]),
        test_seen=np.sort(np.r_[stay_test, tested]),
        test_unseen=used[is_unseen[used]],
        provenance=replace(dataset.provenance, class_split=number, notes=(*dataset.provenance.notes, note)),
    )


def drawn(dataset: ZeroShotDataset, number: int) -> Int[np.ndarray, " ku"]:
    """The unseen classes of a class split: the ``number``-th choice that is neither the official one nor one before."""
    official = np.unique(dataset.labels[dataset.test_unseen])
    classes = np.union1d(dataset.seen, official)
    most = math.comb(len(classes), len(official)) - 1
    if number > most:
        raise InputError(
            f"{dataset.name} has {most} class splits beside the official one ({len(official)} unseen classes out of "
            f"{len(classes)}), and number {number} is asked for; ask for fewer class splits."
        )
    chosen, before = official, {tuple(official.tolist())}
    rng = np.random.default_rng(0)
    while len(before) <= number:
        chosen = np.sort(rng.choice(classes, len(official), replace=False))
        before.add(tuple(chosen.tolist()))
    return chosen


def share_of_test_seen(dataset: ZeroShotDataset) -> float:
    """Which part of the samples of seen classes the split of a data set tests; 0 where it tests none."""
    return len(dataset.test_seen) / (len(dataset.test_seen) + len(dataset.trainval))
