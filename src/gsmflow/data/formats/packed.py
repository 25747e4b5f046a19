"""The packed layout of ``data.mat`` and ``label.mat``, as the published CUB and FLO runs use.

``data.mat`` holds ``train_fea``, ``test_seen_fea``, ``test_unseen_fea`` (N, D) and the semantics ``seen_pro``,
``unseen_pro``; ``label.mat`` holds ``train_idx`` (1..Ks in the order of ``seen_pro``) and the 1-based class ids
``test_seen_idex``, ``test_unseen_idex``, whose sorted unique values are in the order of ``seen_pro``, ``unseen_pro``.
Names of classes are not part of it; ours stand in ``allclasses_names`` of ``label.mat``, which other readers pass over.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Provenance, ZeroShotDataset
from .files import check_names, write_together
from .mat import cells, indices, matrix, names, numbers, read_mat, save_mat

__all__ = ["holds", "read", "write"]

PARTS = ("train_fea", "test_seen_fea", "test_unseen_fea")
LABELS = ("train_idx", "test_seen_idex", "test_unseen_idex")


def holds(folder: Path) -> bool:
    """Whether there are both files."""
    return (folder / "data.mat").exists() and (folder / "label.mat").exists()


def read(
    folder: str | Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set; class k is named ``class k`` after its id in the file, if it has no other name.

    Args:
        folder: holds ``data.mat`` and ``label.mat``.
        features: refused: there is one set.
        semantics: refused: there is one set.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files or keys are missing or damaged, the data contradict themselves, or a choice is asked for.
    """
    folder = Path(folder)
    if features or semantics:
        raise InputError(f"{folder} holds packed files, with one set of features and semantics; drop the options.")
    data_path, label_path = folder / "data.mat", folder / "label.mat"
    data = read_mat(data_path, (*PARTS, "seen_pro", "unseen_pro"))
    data = {key: matrix(value, key, data_path) for key, value in data.items()}
    label = read_mat(label_path, LABELS, ("allclasses_names",))
    train, seen_ids, unseen_ids = (indices(label[key], key, label_path) for key in LABELS)
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
    named = names(label.get("allclasses_names"))
    place = os.path.abspath(folder)
    return ZeroShotDataset(
        name or os.path.basename(place),
        np.concatenate([data[key] for key in PARTS], dtype=np.float32, casting="same_kind"),
        np.searchsorted(ids[order], np.concatenate([seen[train], seen_ids, unseen_ids])),
        np.concatenate([data["seen_pro"], data["unseen_pro"]])[order],
        named if len(named) == len(ids) else tuple(f"class {k + 1}" for k in ids[order]),
        trainval,
        test_seen,
        test_unseen,
        Provenance("packed", "packed", "packed", ("data.mat", "label.mat"), folder=place, counted_from=1),
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


def write(dataset: ZeroShotDataset, folder: str | Path) -> None:
    """Write ``data.mat`` and ``label.mat``, classes in the order of their ids.

    Names of the dimensions of the semantics, and of samples, are not kept.

    Raises:
        InputError: if the samples do not stand split after split, as these files keep no other order; if an unseen
            class has no test sample, as they could not tell its id; if a name is none that a file keeps; if one of the
            files is there already, or the folder cannot be written.
    """
    splits = (dataset.trainval, dataset.test_seen, dataset.test_unseen)
    rows = np.concatenate(splits)
    if not np.array_equal(rows, np.arange(len(dataset.features))):
        raise InputError(
            f"{dataset.name}: packed files hold samples split after split and no others, and these stand otherwise; "
            "write xlsa17 or numpy files, which hold any, or what gsmflow.data.in_split_order makes of them."
        )
    seen, unseen = dataset.seen, dataset.unseen
    without = np.setdiff1d(unseen, dataset.labels[dataset.test_unseen])
    if len(without):
        raise InputError(
            f"{dataset.name}: packed files tell unseen classes by their test samples, and {len(without)} have none, "
            f"the first is {dataset.class_names[without[0]]}; write xlsa17 or numpy files, which hold them."
        )
    check_names(dataset.name, dataset.class_names)
    trained, *tested = (dataset.labels[split] for split in splits)
    data = {key: dataset.features[split] for key, split in zip(PARTS, splits, strict=True)}
    data |= {"seen_pro": dataset.semantics[seen], "unseen_pro": dataset.semantics[unseen]}
    ids = (np.searchsorted(seen, trained), *tested)
    label = {key: numbers(values) for key, values in zip(LABELS, ids, strict=True)}
    label |= {"allclasses_names": cells(dataset.class_names)}
    data |= {"attribute": dataset.semantics}  # which the published code reads
    write_together(Path(folder), {"data.mat": partial(save_mat, data), "label.mat": partial(save_mat, label)})
