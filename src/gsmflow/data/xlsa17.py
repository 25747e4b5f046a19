"""The standard layout of zero-shot benchmarks (Xian et al. 2018, "Zero-Shot Learning: The Good, the Bad and the Ugly").

``<folder>/<features>.mat`` holds ``features`` (D, N) and ``labels`` (N, 1); ``<folder>/<semantics>_splits.mat`` holds
``att`` (S, K), a column a class in the order of ``allclasses_names``, which is not sorted, and ``trainval_loc``,
``test_seen_loc``, ``test_unseen_loc``. Labels and locs count from 1. ``train_loc`` and ``val_loc`` are not read: they
overlap test_seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from .dataset import Provenance, ZeroShotDataset
from .mat import indices, names, read_mat

__all__ = ["read_xlsa17"]

SUFFIX = "_splits.mat"


def read_xlsa17(
    folder: Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set.

    Args:
        folder: holds the files.
        features: which features; default ``res101``, else the only ones there.
        semantics: which semantics; default ``att``, else the only ones there.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files or keys are missing or damaged, or the data contradict themselves.
    """
    splits = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    others = sorted(path.stem for path in folder.glob("*.mat") if not path.name.endswith(SUFFIX))
    features = choose(features, "res101", others, "features", folder)
    semantics = choose(semantics, "att", splits, "semantics", folder)
    features_path, splits_path = folder / f"{features}.mat", folder / f"{semantics}{SUFFIX}"

    visual = read_mat(features_path, ("features", "labels"))
    classes = read_mat(splits_path, ("att", "trainval_loc", "test_seen_loc", "test_unseen_loc"), ("allclasses_names",))
    labels = indices(visual["labels"], "labels", features_path)
    x = visual["features"]
    if x.ndim != 2 or len(labels) not in x.shape:
        raise InputError(f"{features_path}: features of shape {x.shape} do not fit {len(labels)} labels.")
    if x.shape[1] == len(labels):
        x = x.T
    table = np.ascontiguousarray(classes["att"].T, dtype=np.float32)
    class_names = names(classes.get("allclasses_names"), len(table))
    if len(class_names) != len(table):
        raise InputError(
            f"{splits_path}: att of shape {classes['att'].shape} holds {len(table)} classes, allclasses_names "
            f"{len(class_names)}."
        )
    trainval, test_seen, test_unseen = (
        indices(classes[key], key, splits_path) for key in ("trainval_loc", "test_seen_loc", "test_unseen_loc")
    )
    return ZeroShotDataset(
        name or folder.name,
        np.ascontiguousarray(x, dtype=np.float32),
        labels,
        table,
        class_names,
        trainval,
        test_seen,
        test_unseen,
        Provenance("xlsa17", features, semantics, (features_path.name, splits_path.name)),
        allow_overlap,
    )


def choose(asked: str | None, default: str, there: list[str], what: str, folder: Path) -> str:
    """The file asked for, the default, or the only one there."""
    if asked in there:
        return asked  # type: ignore[return-value]
    if asked is None and default in there:
        return default
    if asked is None and len(there) == 1:
        return there[0]
    found = f"there are {', '.join(there)}" if there else "there are none"
    wanted = f"no {what} {asked or default!r}"
    raise InputError(f"{folder} holds {wanted}; {found}: choose with --{what}.")
