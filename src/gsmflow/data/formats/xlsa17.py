"""The standard layout of zero-shot benchmarks (Xian et al. 2018, "Zero-Shot Learning: The Good, the Bad and the Ugly").

``<folder>/<features>.mat`` holds ``features`` (D, N) and ``labels`` (N, 1); ``<folder>/<semantics>_splits.mat`` holds
``att`` (S, K), a column a class in the order of ``allclasses_names``, which is not sorted, and ``trainval_loc``,
``test_seen_loc``, ``test_unseen_loc``, of which a missing one is an empty test. Labels and locs count from 1.
``train_loc`` and ``val_loc`` are not read: they overlap test_seen.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Provenance, ZeroShotDataset
from .files import check_names, write_together
from .mat import cells, indices, matrix, names, numbers, read_mat, save_mat

__all__ = ["holds", "read", "write"]

SUFFIX = "_splits.mat"
LOCS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")


def holds(folder: Path) -> bool:
    """Whether there is a file of semantics and splits."""
    return any(folder.glob(f"*{SUFFIX}"))


def read(
    folder: str | Path,
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
    folder = Path(folder)
    splits = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    others = sorted(path.stem for path in folder.glob("*.mat") if not path.name.endswith(SUFFIX))
    features, features_notes = choose(features, "res101", others, "features", folder)
    semantics, semantics_notes = choose(semantics, "att", splits, "semantics", folder)
    features_path, splits_path = folder / f"{features}.mat", folder / f"{semantics}{SUFFIX}"

    x, labels, layout_notes = read_visual(features_path)
    content = read_mat(splits_path, ("att", LOCS[0]), (*LOCS[1:], "allclasses_names"))
    table = matrix(content["att"], "att", splits_path).T
    class_names = names(content.get("allclasses_names"))
    if class_names and len(class_names) != len(table):
        raise InputError(
            f"{splits_path}: att of shape {table.T.shape} holds {len(table)} classes, a column each, but "
            f"allclasses_names {len(class_names)}."
        )
    trainval, test_seen, test_unseen = (indices(content.get(key, np.zeros(0)), key, splits_path) for key in LOCS)
    place = os.path.abspath(folder)
    return ZeroShotDataset(
        name or os.path.basename(place),
        x,
        labels,
        table,
        class_names,
        trainval,
        test_seen,
        test_unseen,
        Provenance(
            "xlsa17",
            features,
            semantics,
            (features_path.name, splits_path.name),
            (*features_notes, *semantics_notes, *layout_notes),
            folder=place,
            counted_from=1,
        ),
        allow_overlap,
    )


def read_visual(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features (N, D) float32, labels (N,) counted from 0, and notes."""
    content = read_mat(path, ("features", "labels"))
    labels = indices(content["labels"], "labels", path)
    x = matrix(content.pop("features"), "features", path)  # popped: a double array is let go once it is converted
    if x.shape[1] == len(labels):
        return np.ascontiguousarray(x.T, dtype=np.float32), labels, []
    if x.shape[0] == len(labels):
        note = f"{path.name} holds features as (N, D), where the standard is (D, N)"
        return np.ascontiguousarray(x, dtype=np.float32), labels, [note]
    raise InputError(f"{path}: features of shape {x.shape} do not fit {len(labels)} labels; expected (D, N).")


def choose(asked: str | None, default: str, there: list[str], what: str, folder: Path) -> tuple[str, list[str]]:
    """The file asked for, the default, or the only one there; with a note if it is the last."""
    name = asked or default
    if name in there:
        return name, []
    if asked is None and len(there) == 1:
        return there[0], [f"{what} {there[0]!r} are the only ones there; the default {default!r} is absent"]
    found = f"there are {', '.join(there)}: choose with {what}=" if there else f"there are none: add {what}"
    raise InputError(f"{folder} holds no {what} {name!r}; {found}.")


def write(dataset: ZeroShotDataset, folder: str | Path) -> None:
    """Write ``<features>.mat`` and ``<semantics>_splits.mat``, named after the provenance of ``dataset``.

    Where that names neither, they are ``res101.mat`` and ``att_splits.mat``, as readers of this layout expect. Names of
    the dimensions of the semantics are not kept.

    Raises:
        InputError: if the features do not fit into a .mat file, or a name is none that it keeps; if one of the files
            is there already, or the folder cannot be written.
    """
    check_names(dataset.name, dataset.class_names)
    visual = {"features": dataset.features[:].T, "labels": numbers(dataset.labels)}
    splits = {"att": dataset.semantics.T, "allclasses_names": cells(dataset.class_names)}
    for loc in LOCS:
        splits[loc] = numbers(getattr(dataset, loc.removesuffix("_loc")))
    nameless, p = Provenance(), dataset.provenance
    features = file_name(p.features if p.features != nameless.features else "", "res101")
    semantics = file_name(p.semantics if p.semantics != nameless.semantics else "", "att")
    files = {f"{features}.mat": partial(save_mat, visual), f"{semantics}{SUFFIX}": partial(save_mat, splits)}
    write_together(Path(folder), files)


def file_name(name: str, default: str) -> str:
    """A name of features or semantics as that of a file which `read` takes for them again."""
    return re.sub(r"(_splits)+$", "", re.sub(r"[^\w.+-]+", "-", name).strip(".-")) or default
