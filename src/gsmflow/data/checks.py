"""What a data set must fulfil. Each failure is one sentence with the numbers, in the counting of the files.

A sample in two splits is an error, which ``allow_overlap`` makes a warning for published files. Equal feature rows in
trainval and in a test split are a warning that counts them: real sets hold some.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .rows import Rows

if TYPE_CHECKING:
    from .dataset import ZeroShotDataset

__all__ = ["check", "find_warnings"]

SPLITS = ("trainval", "test_seen", "test_unseen")


def check(data: ZeroShotDataset) -> None:
    """Raise `InputError` at the first contradiction found."""
    check_arrays(data)
    check_semantics(data)
    check_splits(data)
    check_classes(data)


def check_arrays(data: ZeroShotDataset) -> None:
    """Shapes, dtypes, finite features, labels in range."""
    name, classes, first = data.name, len(data.class_names), data.provenance.counted_from
    for what, ndim, kind in (("features", 2, "f"), ("labels", 1, "i"), ("semantics", 2, "f")):
        array = getattr(data, what)
        if isinstance(array, np.ma.MaskedArray):
            raise InputError(f"{name}: {what} are a masked array: fill the masked entries, or drop their rows.")
        if array.ndim != ndim or array.dtype.kind != kind:
            raise InputError(
                f"{name}: {what} must be a {ndim}-dimensional {'float' if kind == 'f' else 'integer'} array; "
                f"found shape {array.shape} of {array.dtype}."
            )
    if len(data.features) != len(data.labels):
        raise InputError(f"{name}: {len(data.features)} rows of features but {len(data.labels)} labels.")
    if data.dim < 2:
        raise InputError(f"{name}: features need 2 dimensions at least, one for each half of a flow; found {data.dim}.")
    if len(data.semantics) != classes:
        raise InputError(f"{name}: semantics of {len(data.semantics)} classes but {classes} class names.")
    for what in ("features", "semantics"):
        array = getattr(data, what)
        if not array.size:
            raise InputError(f"{name}: {what} are empty, of shape {array.shape}.")
        if isinstance(array, Rows):  # of a matrix that was checked as a whole
            continue
        if np.isfinite(array.min()) and np.isfinite(array.max()):  # NaN spreads; no second array of this size
            continue
        rows = np.flatnonzero(~np.isfinite(array).all(1))
        raise InputError(
            f"{name}: {len(rows)} of {len(array)} rows of {what} hold {np.isnan(array).sum()} NaN and "
            f"{np.isinf(array).sum()} infinite values, the first is row {rows[0] + first} (counted from {first}); "
            "repair or drop them."
        )
    wrong = np.flatnonzero((data.labels < 0) | (data.labels >= classes))
    if len(wrong):
        raise InputError(
            f"{name}: {len(wrong)} labels are out of range for {classes} classes of semantics, the first is class "
            f"{data.labels[wrong[0]] + first} of sample {wrong[0] + first} (counted from {first}); check that labels and "
            "semantics belong together."
        )
    if data.semantic_names and len(data.semantic_names) != data.semantic_dim:
        raise InputError(
            f"{name}: {len(data.semantic_names)} names for {data.semantic_dim} dimensions of semantics; they must agree."
        )
    names, counts = np.unique(np.array(data.class_names, dtype=object).astype(str), return_counts=True)
    twice = names[counts > 1]
    if len(twice):
        raise InputError(f"{name}: {len(twice)} names stand for several classes: {', '.join(twice[:5])}; rename them.")


def check_semantics(data: ZeroShotDataset) -> None:
    """No zero row and no constant row: such a class cannot be told from anything."""
    constant = data.semantics.min(1) == data.semantics.max(1)
    if data.semantics.shape[1] > 1 and constant.any():
        kind = "zero" if not data.semantics[constant].any() else "constant"
        raise InputError(
            f"{data.name}: the semantics of {constant.sum()} classes are {kind} in every entry: "
            f"{name_some(data, np.flatnonzero(constant))}; give them a description."
        )


def check_splits(data: ZeroShotDataset) -> None:
    """Indices in range, each once, trainval not empty, no common sample."""
    first = data.provenance.counted_from
    for split in SPLITS:
        rows = getattr(data, split)
        if rows.ndim != 1 or rows.dtype.kind != "i":
            raise InputError(
                f"{data.name}: {split} must be a list of sample indices, or a mask of {len(data.labels)} samples; found "
                f"{rows.dtype} {rows.shape}."
            )
        if not len(rows):
            if split == "trainval":
                raise InputError(f"{data.name}: the split trainval is empty: there is nothing to learn from.")
            continue
        if rows.min() < 0 or rows.max() >= len(data.features):
            wrong = (rows.min() if rows.min() < 0 else rows.max()) + first
            raise InputError(
                f"{data.name}: {split} names sample {wrong} (counted from {first}), but there are "
                f"{len(data.features)} samples."
            )
        if len(np.unique(rows)) < len(rows):
            again = len(rows) - len(np.unique(rows))
            mask = " Is it a mask? Then give it as booleans." if set(np.unique(rows)) <= {0, 1} else ""
            raise InputError(f"{data.name}: {again} entries of {split} repeat a sample; drop them.{mask}")
    for one, other in combinations(SPLITS, 2):
        common = np.intersect1d(getattr(data, one), getattr(data, other))
        if len(common) and not data.allow_overlap:
            raise InputError(
                f"{data.name}: {len(common)} samples are both in {one} and in {other}, the first is sample "
                f"{common[0] + first} (counted from {first}); repair the splits, or accept a published file as it is "
                "with --allow-overlap (allow_overlap=True)."
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


def duplicates(features: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The samples of ``second`` whose features equal those of some sample of ``first``, to the last bit.

    Rows are compared by a hash of a few entries first, so that hardly any row is read as a whole.
    """
    columns = np.unique(np.linspace(0, features.shape[1] - 1, 8).astype(int))
    factors = np.cumprod(np.full(len(columns), 0x9E3779B97F4A7C15, np.uint64))  # wraps around, as it should

    def keys(rows: np.ndarray) -> np.ndarray:
        bits = features[np.ix_(rows, columns)].view(np.uint32)
        return bits.astype(np.uint64) @ factors

    first_keys, second_keys = keys(first), keys(second)
    suspects = second[np.isin(second_keys, first_keys)]
    known = {digest(features[row]) for row in first[np.isin(first_keys, second_keys)]}
    return np.array([row for row in suspects if digest(features[row]) in known], dtype=np.int64)


def digest(row: np.ndarray) -> bytes:
    """Sixteen bytes that stand for a row: a million whole rows would not fit into memory."""
    return blake2b(row.tobytes(), digest_size=16).digest()


def find_warnings(data: ZeroShotDataset) -> list[str]:
    """What looks odd but can be worked with."""
    found = []
    tested, trained = (np.unique(data.labels[rows]) for rows in (np.r_[data.test_seen, data.test_unseen], data.trainval))
    for what, classes, split in (("unseen", data.unseen, data.test_unseen), ("seen", data.seen, data.test_seen)):
        without = np.setdiff1d(classes, tested)
        if len(classes) and not len(split):
            lost = "T1, U and H" if what == "unseen" else "S and H"
            found.append(f"no {what} class has a test sample: {lost} cannot be measured")
        elif len(without):
            found.append(f"{len(without)} {what} classes have no test sample: {name_some(data, without)}")
    if not len(data.unseen):
        found.append("all classes are seen: there is nothing unseen to recognise")
    single = trained[np.bincount(data.labels[data.trainval])[trained] == 1]
    if len(single):
        found.append(
            f"{len(single)} seen classes have a single training sample, of which validation can hold none back: "
            f"{name_some(data, single)}; get more samples of them, or take them out"
        )
    same = data.num_classes - len(np.unique(data.semantics, axis=0))
    if same:
        found.append(f"{same} classes have the same semantics as another class: they cannot be told apart")
    if (data.semantics == -1).any() and (data.semantics >= 0).any() and data.semantics.min() == -1:
        found.append(f"{(data.semantics == -1).sum()} entries of the semantics are -1, which often means unknown")
    overlap = sum(len(np.intersect1d(getattr(data, a), getattr(data, b))) for a, b in combinations(SPLITS, 2))
    if overlap:
        found.append(f"overlap accepted: {overlap} samples in two splits")
    twins = {split: duplicates(data.features, data.trainval, getattr(data, split)) for split in SPLITS[1:]}
    for split, rows in twins.items():
        rows = np.setdiff1d(rows, data.trainval)
        if len(rows) and not is_cut_out(data):
            first = data.provenance.counted_from
            found.append(
                f"{len(rows)} feature rows of {split} stand in trainval as well, the first is sample {rows[0] + first} "
                f"(counted from {first})"
            )
    return found


def is_cut_out(data: ZeroShotDataset) -> bool:
    """Whether the problem was cut out of trainval: rows that are the same there are no leak from the tests."""
    return data.provenance.layout == "pseudo-unseen"


def name_some(data: ZeroShotDataset, classes: np.ndarray, most: int = 5) -> str:
    """The first few class names, and how many more there are."""
    names = ", ".join(data.class_names[k] for k in classes[:most])
    return names + (f" and {len(classes) - most} more" if len(classes) > most else "")
