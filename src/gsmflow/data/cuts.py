"""Small sets cut out of large ones: what a method does where classes and samples are few."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .class_splits import share_of_test_seen
from .dataset import Provenance, ZeroShotDataset
from .rows import take

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = ["cut"]


def cut(
    dataset: ZeroShotDataset, classes: int | None = None, samples: int | None = None, *, seed: int = 0
) -> ZeroShotDataset:
    """Some classes of a data set, and some samples of each: a small problem that is like the large one.

    Of the classes with samples, the same share is unseen as in the whole: one at least, and two stay seen. Of a seen
    class, samples come out of its own trainval and test_seen in the proportion that the split has, at least one of
    each where there are two and the whole has a test_seen; of an unseen one, out of test_unseen. A class with fewer
    samples keeps what it has. Classes without samples are left out.

    Args:
        dataset: the whole.
        classes: how many to keep, seen and unseen together; by default all with samples.
        samples: of each class, at most; by default all.
        seed: of the choice.

    Returns:
        A data set of its own: it is found again where it is written, as by ``gsmflow data convert``.

    Raises:
        InputError: if there are fewer classes, or a number is too small for a problem.

    Example:
        >>> from gsmflow.data import synthetic
        >>> small = cut(synthetic(), classes=8, samples=5)
        >>> small.num_classes, len(small.unseen), len(small.features)
        (8, 2, 40)
    """
    seen, unseen = dataset.seen, np.unique(dataset.labels[dataset.test_unseen])
    there = len(seen) + len(unseen)
    least = 2 + bool(len(unseen))
    count = there if classes is None else classes
    if not least <= count <= there:
        raise InputError(
            f"classes= must lie between {least} and {there}, the classes of {dataset.name} that have samples; found "
            f"{count}."
        )
    if samples is not None and samples < 1 + bool(len(dataset.test_seen)):
        raise InputError(
            f"samples= must be at least {1 + bool(len(dataset.test_seen))}"
            f"{', one to learn from and one to test' * bool(len(dataset.test_seen))}; found {samples}."
        )
    if seed < 0:
        raise InputError(f"seed= must not be negative; found {seed}.")
    rng = np.random.default_rng([seed, 2])
    number = min(max(1, round(count * len(unseen) / there)), len(unseen), count - 2) if len(unseen) else 0
    number = max(number, count - len(seen))
    kept_unseen = rng.choice(unseen, number, replace=False)
    kept_seen = rng.choice(seen, count - number, replace=False)
    most = len(dataset.labels) if samples is None else samples
    parts = [of_seen(dataset, k, most, rng) for k in np.sort(kept_seen)]
    parts += [(empty(), empty(), some(dataset, dataset.test_unseen, k, most, rng)) for k in np.sort(kept_unseen)]
    trainval, test_seen, test_unseen = (np.unique(np.concatenate(rows)) for rows in zip(*parts, strict=True))
    return taken(dataset, np.union1d(kept_seen, kept_unseen), (trainval, test_seen, test_unseen), seed)


def empty() -> Int[np.ndarray, " 0"]:
    """No rows."""
    return np.zeros(0, np.int64)


def some(
    dataset: ZeroShotDataset, split: Int[np.ndarray, " n"], k: int, most: int, rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Rows of a class in a split, in a random order, at most so many."""
    return rng.permutation(split[dataset.labels[split] == k])[:most]


def of_seen(
    dataset: ZeroShotDataset, k: int, most: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " i"], Int[np.ndarray, " j"], Int[np.ndarray, " 0"]]:
    """Rows of trainval and of test_seen of a seen class, at most so many together, in the proportion of the split."""
    trainval = some(dataset, dataset.trainval, k, len(dataset.labels), rng)
    test_seen = some(dataset, dataset.test_seen, k, len(dataset.labels), rng)
    total = min(most, len(trainval) + len(test_seen))
    tested = min(max(1, round(share_of_test_seen(dataset) * total)), total - 1, len(test_seen))
    tested = max(tested, total - len(trainval))  # where one of the two is short, the other fills up
    return trainval[: total - tested], test_seen[:tested], empty()


def taken(
    dataset: ZeroShotDataset,
    classes: Int[np.ndarray, " k"],
    splits: tuple[Int[np.ndarray, " i"], Int[np.ndarray, " j"], Int[np.ndarray, " l"]],
    seed: int,
) -> ZeroShotDataset:
    """These classes and samples as a data set, renumbered in the order in which they stood."""
    rows = np.unique(np.concatenate(splits))
    p = dataset.provenance
    note = (
        f"cut out of {dataset.name} (fingerprint {dataset.fingerprint()[:16]}): {len(classes)} of "
        f"{dataset.num_classes} classes, {len(rows):,} of {len(dataset.labels):,} samples, seed {seed}"
    )
    names = dataset.sample_names
    return replace(
        dataset,
        features=take(dataset.features, rows),
        labels=np.searchsorted(classes, dataset.labels[rows]),
        semantics=dataset.semantics[classes],
        class_names=tuple(dataset.class_names[k] for k in classes),
        trainval=np.searchsorted(rows, splits[0]),
        test_seen=np.searchsorted(rows, splits[1]),
        test_unseen=np.searchsorted(rows, splits[2]),
        sample_names=tuple(names[row] for row in rows) if names else (),
        provenance=Provenance(
            features=p.features,
            semantics=p.semantics,
            notes=(*p.notes, note),
            encoder=p.encoder,
            text_encoder=p.text_encoder,
            images=p.images,
        ),
    )
