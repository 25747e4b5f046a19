"""The packed layout of ``data.mat`` and ``label.mat``, as the published CUB and FLO runs use.

``data.mat`` holds ``train_fea``, ``test_seen_fea``, ``test_unseen_fea`` (N, D) and the semantics ``seen_pro``,
``unseen_pro``; ``label.mat`` holds ``train_idx`` (1..Ks in the order of ``seen_pro``) and the 1-based class ids
``test_seen_idex``, ``test_unseen_idex``, whose sorted unique values are in the order of ``seen_pro``, ``unseen_pro``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from .dataset import Provenance, ZeroShotDataset
from .mat import indices, read_mat

__all__ = ["read_packed"]


def read_packed(folder: Path, *, name: str | None = None, allow_overlap: bool = False) -> ZeroShotDataset:
    """Read one data set; class k is named ``class k`` after its id in the file.

    Args:
        folder: holds ``data.mat`` and ``label.mat``.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files or keys are missing or damaged, or the data contradict themselves.
    """
    data_path, label_path = folder / "data.mat", folder / "label.mat"
    parts = ("train_fea", "test_seen_fea", "test_unseen_fea")
    data = read_mat(data_path, (*parts, "seen_pro", "unseen_pro"))
    label = read_mat(label_path, ("train_idx", "test_seen_idex", "test_unseen_idex"))
    train, seen_ids, unseen_ids = (indices(label[key], key, label_path) for key in label)

    seen_pro, unseen_pro = data["seen_pro"], data["unseen_pro"]
    classes = len(seen_pro) + len(unseen_pro)
    unseen = np.unique(unseen_ids)
    seen = np.unique(seen_ids)
    if len(seen) < len(seen_pro):  # some seen class has no test sample: the seen ones are those not unseen
        seen = np.setdiff1d(np.arange(classes), unseen)
    for what, ids, table in (("seen", seen, seen_pro), ("unseen", unseen, unseen_pro)):
        if len(ids) != len(table):
            raise InputError(f"{folder}: {len(ids)} {what} classes in label.mat but {len(table)} rows of {what}_pro.")
    if len(train) and (train.min() < 0 or train.max() >= len(seen)):
        raise InputError(
            f"{label_path}: train_idx runs from {train.min() + 1} to {train.max() + 1}, out of range for {len(seen)} "
            "seen classes."
        )
    ids = np.concatenate([seen, unseen])
    order = np.argsort(ids)  # classes by their id in the file, whatever gaps the ids have
    for key in parts[1:]:
        if data[key].ndim != 2 or data[key].shape[1] != data["train_fea"].shape[1]:
            raise InputError(f"{data_path}: {key} is {data[key].shape}, train_fea {data['train_fea'].shape}.")
    for key, labels in zip(parts, (train, seen_ids, unseen_ids), strict=True):
        if len(data[key]) != len(labels):
            raise InputError(f"{folder}: {key} has {len(data[key])} rows but label.mat {len(labels)} labels for it.")
    ends = np.cumsum([len(train), len(seen_ids), len(unseen_ids)])
    samples = np.arange(ends[-1])
    return ZeroShotDataset(
        name or folder.name,
        np.concatenate([data[key] for key in parts]).astype(np.float32, copy=False),
        np.searchsorted(ids[order], np.concatenate([seen[train], seen_ids, unseen_ids])),
        np.concatenate([seen_pro, unseen_pro])[order].astype(np.float32),
        tuple(f"class {k + 1}" for k in ids[order]),
        *np.split(samples, ends[:2]),
        Provenance("packed", "packed", "packed", ("data.mat", "label.mat")),
        allow_overlap,
    )
