"""What a data set must fulfil. Each failure is one sentence with the numbers; samples and classes are counted as its
files count them.

A sample index in two splits is an error, which ``allow_overlap`` lets pass for a published file as it is. Equal feature
rows in two splits are a warning with their number, since a benchmark may hold copies of a picture: CUB and FLO, as far
as they could be measured, hold none (each has one row twice, within one split).
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .labels import check_range
from .rows import Rows, entries

if TYPE_CHECKING:
    from .dataset import ZeroShotDataset

__all__ = ["SPLITS", "check", "find_warnings"]

SPLITS = ("trainval", "test_seen", "test_unseen")


def check(data: ZeroShotDataset) -> None:
    """Raise `InputError` at the first contradiction found."""
    check_arrays(data)
    check_names(data)
    check_numbers(data)
    check_semantics(data)
    check_splits(data)
    check_classes(data)
    check_ambiguous(data)


def check_arrays(data: ZeroShotDataset) -> None:
    """Shapes and dtypes."""
    name = data.name
    for what, ndim, kind in (("features", 2, "f"), ("labels", 1, "i"), ("semantics", 2, "f")):
        array = getattr(data, what)
        if array.ndim != ndim or array.dtype.kind != kind:
            raise InputError(
                f"{name}: {what} must be a {ndim}-dimensional {'float' if kind == 'f' else 'integer'} array; "
                f"found shape {array.shape} of {array.dtype}."
            )
    if len(data.features) != len(data.labels):
        raise InputError(f"{name}: {len(data.features)} rows of features but {len(data.labels)} labels.")
    if data.dim < 2:
        raise InputError(f"{name}: features need 2 dimensions at least, one for each half of a flow; found {data.dim}.")
    for what in ("features", "semantics"):
        array = getattr(data, what)
        if not array.size:
            raise InputError(f"{name}: {what} are empty, of shape {array.shape}.")


def check_names(data: ZeroShotDataset) -> None:
    """A name a class; a name a dimension of the semantics, if there are such names."""
    name, classes = data.name, data.num_classes
    if classes != len(data.class_names):
        raise InputError(f"{name}: semantics of {classes} classes but {len(data.class_names)} class names.")
    named = len(data.semantic_names)
    if named and named != data.semantic_dim:
        raise InputError(f"{name}: semantics of {data.semantic_dim} dimensions but {named} semantic names.")
    parts = sum(width for _, width in data.semantic_parts)
    if data.semantic_parts and parts != data.semantic_dim:
        raise InputError(f"{name}: semantics of {data.semantic_dim} dimensions but parts of {parts} together.")
    samples = len(data.sample_names)
    if samples and samples != len(data.features):
        raise InputError(f"{name}: {len(data.features)} rows of features but {samples} sample names.")


def check_numbers(data: ZeroShotDataset) -> None:
    """Finite features and semantics, labels in range."""
    name, base = data.name, data.provenance.counted_from
    for what in ("features", "semantics"):
        array = getattr(data, what)
        if isinstance(array, Rows):  # of a matrix that was checked as a whole
            continue
        if np.isfinite(array.min()) and np.isfinite(array.max()):  # NaN spreads; no second array of this size
            continue
        rows = np.flatnonzero(~np.isfinite(array).all(1))
        names = data.class_names if what == "semantics" else data.sample_names
        raise InputError(
            f"{name}: {len(rows)} of {len(array)} rows of {what} hold {np.isnan(array).sum()} NaN and "
            f"{np.isinf(array).sum()} infinite values, the first is row {counted(rows[0], base, names)}; repair "
            "or drop them."
        )
    check_range(
        data.labels,
        data.num_classes,
        labels_from=base,
        samples_from=base,
        where=name,
        sample_names=data.sample_names,
    )


def check_semantics(data: ZeroShotDataset) -> None:
    """No row of zeros: such a class cannot be told from anything."""
    empty = np.flatnonzero(~data.semantics.any(1))
    if data.semantic_dim > 1 and len(empty):
        raise InputError(
            f"{data.name}: the semantics of {len(empty)} classes are zero in every entry: {name_some(data, empty)}; "
            "give them a description."
        )


def check_splits(data: ZeroShotDataset) -> None:
    """Indices in range, each once, something to learn from, and no sample in two splits."""
    name, base = data.name, data.provenance.counted_from
    for split in SPLITS:
        rows = getattr(data, split)
        if rows.dtype == bool:
            raise InputError(f"{name}: {split} is a mask of shape {rows.shape} for {len(data.features)} samples.")
        if rows.ndim != 1 or rows.dtype.kind != "i":
            raise InputError(f"{name}: {split} must be a list of sample indices; found {rows.dtype} {rows.shape}.")
        wrong = rows[(rows < 0) | (rows >= len(data.features))]
        if len(wrong):
            raise InputError(
                f"{name}: {split} names sample {wrong[0] + base} (counted from {base}), but there are "
                f"{len(data.features)} samples."
            )
        given, counts = np.unique(rows, return_counts=True)
        if len(given) < len(rows):
            first = counted(given[counts > 1][0], base, data.sample_names)
            if len(rows) == len(data.features) and given[-1] <= 1:
                raise InputError(f"{name}: {split} is 0 or 1 for each sample; if it is a mask, give true and false.")
            raise InputError(
                f"{name}: {len(rows) - len(given)} entries of {split} repeat a sample, the first is sample {first}; "
                "drop them."
            )
    if not len(data.trainval):
        raise InputError(f"{name}: the split trainval is empty; there is nothing to learn from.")
    for first, second in combinations(SPLITS, 2):
        common = np.intersect1d(getattr(data, first), getattr(data, second))
        if len(common) and not data.allow_overlap:
            raise InputError(
                f"{name}: {len(common)} samples are both in {first} and in {second}, the first is sample "
                f"{counted(common[0], base, data.sample_names)}; repair the splits, or accept a published file as it "
                "is with allow_overlap=True."
            )


def check_classes(data: ZeroShotDataset) -> None:
    """Every seen class has training samples; no class is both seen and unseen."""
    trained = np.unique(data.labels[data.trainval])
    missing = np.setdiff1d(data.labels[data.test_seen], trained)
    if len(missing):
        raise InputError(
            f"{data.name}: {len(missing)} classes of test_seen have no training sample: {name_some(data, missing)}; "
            "move some to trainval."
        )
    both = np.intersect1d(data.labels[data.test_unseen], trained)
    if len(both):
        raise InputError(
            f"{data.name}: {len(both)} classes are both seen (in trainval) and unseen (in test_unseen): "
            f"{name_some(data, both)}; take them out of one of the two."
        )


def check_ambiguous(data: ZeroShotDataset) -> None:
    """No two classes of one name."""
    again = sorted(k for k, count in Counter(data.class_names).items() if count > 1)
    if again:
        raise InputError(
            f"{data.name}: {len(again)} class names stand for more than one class: {list_some(again)}; predictions "
            "name classes, so give each its own."
        )


def duplicates(features: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The samples of ``second`` whose features equal those of some sample of ``first``, to the last bit.

    Rows are compared by a hash of a few entries first, so that hardly any row is read as a whole.
    """
    columns = np.unique(np.linspace(0, features.shape[1] - 1, 8).astype(int))
    factors = np.cumprod(np.full(len(columns), 0x9E3779B97F4A7C15, np.uint64))  # wraps around, as it should

    def keys(rows: np.ndarray) -> np.ndarray:
        bits = entries(features, rows, columns).view(np.uint32)
        return bits.astype(np.uint64) @ factors

    first_keys, second_keys = keys(first), keys(second)
    suspects = second[np.isin(second_keys, first_keys)]
    known = {digest(features[row]) for row in first[np.isin(first_keys, second_keys)]}
    return np.array([row for row in suspects if digest(features[row]) in known], dtype=np.int64)


def digest(row: np.ndarray) -> bytes:
    """Sixteen bytes that stand for a row: a million whole rows would not fit into memory."""
    return blake2b(row.tobytes(), digest_size=16).digest()


def find_warnings(data: ZeroShotDataset) -> list[str]:
    """What looks odd but can be worked with, a sentence each."""
    pseudo = data.provenance.layout == "pseudo-unseen"  # copies within trainval are no leak from the tests
    return [*tests_lack(data), *classes_look_odd(data), *([] if pseudo else splits_share(data))]


def tests_lack(data: ZeroShotDataset) -> list[str]:
    """What cannot be measured, and which classes are not tested."""
    found = []
    if not len(data.unseen):
        found.append("all classes have training samples, none is unseen: T1, U and H cannot be measured")
    elif not len(data.test_unseen):
        found.append("no test samples of unseen classes: T1, U and H cannot be measured")
    if not len(data.test_seen):
        found.append("no test samples of seen classes: S and H cannot be measured")
    for kind, classes, split in (
        ("unseen", data.unseen, data.test_unseen),
        ("seen", data.seen, data.test_seen),
    ):
        without = np.setdiff1d(classes, data.labels[split])
        if len(split) and len(without):
            found.append(f"{len(without)} {kind} classes have no test sample: {name_some(data, without)}")
    return found


def classes_look_odd(data: ZeroShotDataset) -> list[str]:
    """Classes of a single sample, and semantics that tell nothing."""
    found = []
    classes, counts = np.unique(data.labels[data.trainval], return_counts=True)
    single = classes[counts == 1]
    if len(single):
        found.append(
            f"{len(single)} seen classes have a single training sample, of which validation can hold none back: "
            f"{name_some(data, single)}; get more samples of them, or take them out"
        )
    constant = np.flatnonzero(data.semantics.min(1) == data.semantics.max(1))
    if data.semantic_dim > 1 and len(constant):
        found.append(
            f"the semantics of {len(constant)} classes are the same number in every entry: {name_some(data, constant)}"
        )
    same = data.num_classes - len(np.unique(data.semantics, axis=0))
    if same:
        found.append(
            f"{same} classes have the same semantics as another class: they cannot be told apart "
            f"({list_some(equal_semantics(data))})"
        )
    if (data.semantics == -1).any() and (data.semantics >= 0).any() and data.semantics.min() == -1:
        found.append(f"{(data.semantics == -1).sum()} entries of the semantics are -1, which often means unknown")
    return found


def equal_semantics(data: ZeroShotDataset) -> list[str]:
    """The names of classes that have the same semantics, a text for each such group, in the order of the classes."""
    groups: dict[bytes, list[str]] = {}
    for name, row in zip(data.class_names, data.semantics + 0, strict=True):  # -0 is 0
        groups.setdefault(row.tobytes(), []).append(name)
    return [" = ".join(names[:3] + ["…"] * (len(names) > 3)) for names in groups.values() if len(names) > 1]


def splits_share(data: ZeroShotDataset) -> list[str]:
    """Samples in two splits, where that is accepted, and equal rows of features."""
    found, base = [], data.provenance.counted_from
    pairs = [(first, second, getattr(data, first), getattr(data, second)) for first, second in combinations(SPLITS, 2)]
    overlap = sum(len(np.intersect1d(ours, theirs)) for _, _, ours, theirs in pairs)
    if overlap:
        found.append(f"overlap accepted: {overlap} samples are in two splits")
    for first, second, ours, theirs in pairs:
        twins = duplicates(data.features, ours, np.setdiff1d(theirs, ours))
        if len(twins):
            found.append(
                f"{len(twins)} feature rows of {second} stand in {first} as well, the first is sample "
                f"{counted(twins[0], base, data.sample_names)}: copies in two splits flatter the result"
            )
    return found


def counted(row: int, base: int, names: tuple[str, ...]) -> str:
    """A row as its file counts it, with its name if it has one.

    Example:
        >>> counted(2, 1, ()), counted(0, 0, ("fox/1.png", "ox/1.png"))
        ('3 (counted from 1)', '0 (counted from 0; fox/1.png)')
    """
    return f"{row + base} (counted from {base}{f'; {names[row]}' if names else ''})"


def name_some(data: ZeroShotDataset, classes: np.ndarray) -> str:
    """The first few names of classes, and how many more there are."""
    return list_some([data.class_names[k] for k in classes])


def list_some(names: list[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
