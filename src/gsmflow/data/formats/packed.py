"""The packed layout of ``data.mat`` and ``label.mat``, as the published CUB and FLO runs use.

``data.mat`` holds ``train_fea``, ``test_seen_fea``, ``test_unseen_fea`` (N, D) and the semantics ``seen_pro``,
``unseen_pro``; ``label.mat`` holds ``train_idx`` (1..Ks in the order of ``seen_pro``) and the 1-based class ids
``test_seen_idex``, ``test_unseen_idex``, whose sorted unique values are in the order of ``seen_pro``, ``unseen_pro``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Provenance, ZeroShotDataset
from .base import Format
from .mat import indices, matrix, read_mat

__all__ = ["PACKED", "read_packed"]

PARTS = ("train_fea", "test_seen_fea", "test_unseen_fea")


def read_packed(
    folder: Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set; class k is named ``class k`` after its id in the file.

    Args:
        folder: holds ``data.mat`` and ``label.mat``.
        features: there is one set.
        semantics: there is one set.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files or keys are missing or damaged, or the data contradict themselves.
    """
    data_path, label_path = folder / "data.mat", folder / "label.mat"
    data = read_mat(data_path, (*PARTS, "seen_pro", "unseen_pro"))
    data = {key: matrix(value, key, data_path) for key, value in data.items()}
    label = read_mat(label_path, ("train_idx", "test_seen_idex", "test_unseen_idex"))
    train, seen_ids, unseen_ids = (indices(label[key], key, label_path) for key in label)
    check_parts(data, (train, seen_ids, unseen_ids), data_path)

    seen, unseen = class_ids(seen_ids, unseen_ids, len(data["seen_pro"]), len(data["unseen_pro"]), folder)
    if len(train) and (train.min() < 0 or train.max() >= len(seen)):
        raise InputError(
            f"{label_path}: train_idx runs from {train.min() + 1} to {train.max() + 1}, out of range for {len(seen)} "
            "seen classes."
        )
    ids = np.concatenate([seen, unseen])
    order = np.argsort(ids)  # classes by their id in the file, whatever gaps the ids have
    ends = np.cumsum([len(train), len(seen_ids), len(unseen_ids)])
    trainval, test_seen, test_unseen = np.split(np.arange(ends[-1]), ends[:2])
    return ZeroShotDataset(
        name or folder.name,
        np.concatenate([data[key] for key in PARTS], dtype=np.float32, casting="same_kind"),
        np.searchsorted(ids[order], np.concatenate([seen[train], seen_ids, unseen_ids])),
        np.concatenate([data["seen_pro"], data["unseen_pro"]])[order],
        tuple(f"class {k + 1}" for k in ids[order]),
        trainval,
        test_seen,
        test_unseen,
        Provenance(
            "packed", "packed", "packed", ("data.mat", "label.mat"), folder=str(folder.absolute()), counted_from=1
        ),
        allow_overlap,
    )


def check_parts(data: dict[str, np.ndarray], labels: tuple[np.ndarray, ...], path: Path) -> None:
    """The three parts agree in dimension, each with its labels, and so do the two tables of semantics."""
    for first, *others in (PARTS, ("seen_pro", "unseen_pro")):
        for key in others:
            if data[key].shape[1] != data[first].shape[1]:
                raise InputError(
                    f"{path}: {key} has {data[key].shape[1]} columns, {first} {data[first].shape[1]}; they must agree."
                )
    for key, ids in zip(PARTS, labels, strict=True):
        if len(data[key]) != len(ids):
            raise InputError(f"{path}: {key} has {len(data[key])} rows, but label.mat {len(ids)} labels for it.")


def class_ids(
    seen_ids: np.ndarray, unseen_ids: np.ndarray, seen_count: int, unseen_count: int, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """The ids of the classes that the rows of ``seen_pro`` and of ``unseen_pro`` describe."""
    seen, unseen = np.unique(seen_ids), np.unique(unseen_ids)
    if len(seen) < seen_count:  # some seen class has no test sample: the seen ids are those that are not unseen
        tested, seen = seen, np.setdiff1d(np.arange(seen_count + unseen_count), unseen)
        if not np.isin(tested, seen).all():
            raise InputError(
                f"{folder / 'label.mat'}: test_seen_idex names {len(tested)} classes for {seen_count} rows of "
                "seen_pro, and which classes have no test sample cannot be told from the ids; give each a sample."
            )
    for what, ids, count in (("seen", seen, seen_count), ("unseen", unseen, unseen_count)):
        if len(ids) != count:
            raise InputError(
                f"{folder}: test_{what}_idex of label.mat names {len(ids)} classes, {what}_pro of data.mat has {count} "
                "rows; they must agree."
            )
    return seen, unseen


def holds_packed(folder: Path) -> bool:
    """Whether both files are there."""
    return (folder / "data.mat").exists() and (folder / "label.mat").exists()


def write_packed(dataset: ZeroShotDataset, folder: Path) -> None:
    """Write ``data.mat`` and ``label.mat``."""
    raise NotImplementedError


PACKED = Format("packed", "data.mat with label.mat", holds_packed, read_packed, write_packed)
