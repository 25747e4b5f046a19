"""The standard layout of zero-shot benchmarks (Xian et al. 2018, "Zero-Shot Learning: The Good, the Bad and the Ugly").

``<folder>/<features>.mat`` holds ``features`` (D, N) and ``labels`` (N, 1); ``<folder>/<semantics>_splits.mat`` holds
``att`` (S, K), a column a class in the order of ``allclasses_names``, which is not sorted, and ``trainval_loc``,
``test_seen_loc``, ``test_unseen_loc``, of which a missing one is an empty test. Labels and locs count from 1.
``image_files`` beside the features name the samples, if they are there. ``train_loc`` and ``val_loc`` are not read:
they overlap test_seen.

Others write it otherwise, and are read where that can mean one thing only: labels as names, or counted from 0; locs
counted from 0, or masks; matrices the other way round.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Provenance, ZeroShotDataset
from ..labels import columns_are_classes, one_a_sample, read_labels, read_splits
from .files import check_names, write_together
from .mat import cells, matrix, names, numbers, read_mat, save_mat

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

    content = read_mat(splits_path, ("att", LOCS[0]), (*LOCS[1:], "allclasses_names"))
    class_names = names(content.get("allclasses_names"))
    x, raw, sample_names, x_notes = read_visual(features_path, class_names)
    table, table_notes = read_semantics(content["att"], raw, class_names, splits_path)
    labels = read_labels(raw, len(table), class_names, counted_from=1, where=features_path, names_in="allclasses_names")
    given = {loc.removesuffix("_loc"): content.get(loc, np.zeros(0)) for loc in LOCS}
    splits = read_splits(given, len(x), counted_from=1, labels_from=labels.counted_from, where=splits_path)
    place = os.path.abspath(folder)
    return ZeroShotDataset(
        name or os.path.basename(place),
        x,
        labels.ids,
        table,
        labels.class_names or tuple(f"class {k + labels.counted_from}" for k in range(len(table))),
        splits.rows["trainval"],
        splits.rows["test_seen"],
        splits.rows["test_unseen"],
        Provenance(
            "xlsa17",
            features,
            semantics,
            (features_path.name, splits_path.name),
            (*features_notes, *semantics_notes, *x_notes, *table_notes, *labels.notes, *splits.notes),
            folder=place,
            counted_from=splits.counted_from,
        ),
        allow_overlap,
        sample_names=sample_names,
    )


def read_visual(path: Path, class_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[str]]:
    """Features (N, D) float32, labels (N,) as they are, names of the samples if there are some, and notes."""
    content = read_mat(path, ("features", "labels"), ("image_files",))
    labels = one_a_sample(content["labels"], path, class_names, counted_from=1)
    files = content.get("image_files")
    sample_names = names(files) if files is not None and files.dtype.kind in "OU" else ()
    notes = []
    if len(sample_names) not in (0, len(labels)):
        notes = [f"image_files of {path.name} are {len(sample_names)} for {len(labels)} samples, and left out"]
        sample_names = ()
    x = matrix(content.pop("features"), "features", path)  # popped: a double array is let go once it is converted
    if x.shape[1] == len(labels):
        return np.ascontiguousarray(x.T, dtype=np.float32), labels, sample_names, notes
    if x.shape[0] == len(labels):
        notes.append(f"{path.name} holds features as (N, D), where the standard is (D, N)")
        return np.ascontiguousarray(x, dtype=np.float32), labels, sample_names, notes
    raise InputError(f"{path}: features of shape {x.shape} do not fit {len(labels)} labels; expected (D, N).")


def read_semantics(
    att: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...], path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Semantics (K, S), and notes."""
    table = matrix(att, "att", path).T
    if columns_are_classes(table, labels, class_names):
        return table.T, (f"{path.name} holds att as (K, S), where the standard is (S, K)",)
    if class_names and len(class_names) != len(table):
        raise InputError(
            f"{path}: att of shape {att.shape} holds {len(table)} classes, a column each, but allclasses_names "
            f"{len(class_names)}."
        )
    return table, ()


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
    check_names(dataset.name, (*dataset.class_names, *dataset.sample_names))
    visual = {"features": dataset.features[:].T, "labels": numbers(dataset.labels)}
    if dataset.sample_names:
        visual["image_files"] = cells(dataset.sample_names)
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
