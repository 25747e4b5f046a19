"""The numpy layout: one ``.npy`` file an array; features are mapped from their file, however large it is.

``features.npy`` (N, D) and ``labels.npy`` (N,), class ids counted from 0; ``semantics.npy`` (K, S), row k of class k;
``trainval.npy``, sample indices counted from 0; if there are some, ``test_seen.npy``, ``test_unseen.npy``, of which a
missing one is an empty test, and ``class_names.txt``, ``semantic_names.txt`` and ``sample_names.txt``, a name a line.

Others write it otherwise, and are read where that can mean one thing only: labels as names, or counted from 1; indices
counted from 1, or masks; matrices the other way round; ``features.csv`` for ``features.npy``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import InputError
from ..checks import SPLITS
from ..dataset import ARRAYS, Provenance, ZeroShotDataset
from ..labels import columns_are_classes, one_a_sample, read_labels, read_splits
from ..rows import chunks
from ..tables import NumberTable, read_npy, read_table
from .files import check_names, write_together

__all__ = ["holds", "read", "write"]

FEATURES = ("features.npy", "features.csv")
NAMES = ("class_names", "semantic_names", "sample_names")


def holds(folder: Path) -> bool:
    """Whether there is ``features.npy``, or ``features.csv`` with a split of this layout beside it."""
    csv = (folder / "features.csv").exists() and (folder / "trainval.npy").exists()
    return csv or (folder / "features.npy").exists()


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
        features: refused: there is one set.
        semantics: refused: there is one set.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files are missing or damaged, the data contradict themselves, or a choice is asked for.
    """
    folder = Path(folder)
    if features or semantics:
        raise InputError(f"{folder} holds .npy files, with one set of features and semantics; drop the options.")
    place = os.path.abspath(folder)
    names = {key: read_lines(folder / f"{key}.txt") for key in NAMES}
    raw = one_a_sample(
        read_npy(folder / "labels.npy", mapped=False), folder / "labels.npy", class_names=names["class_names"]
    )
    file, x = read_features(folder, len(raw))
    table, table_notes = read_semantics(folder / "semantics.npy", raw, names["class_names"])
    labels = read_labels(
        raw,
        len(table),
        names["class_names"],
        counted_from=0,
        where=folder / "labels.npy",
        names_in="class_names.txt",
    )
    there = [split for split in SPLITS if split == "trainval" or os.path.lexists(folder / f"{split}.npy")]
    given = {split: read_npy(folder / f"{split}.npy", mapped=False) if split in there else () for split in SPLITS}
    splits = read_splits(given, len(x.numbers), counted_from=0, labels_from=labels.counted_from, where=folder)
    return ZeroShotDataset(
        name or os.path.basename(place),
        x.numbers,
        labels.ids,
        table,
        labels.class_names or tuple(f"class {k + labels.counted_from}" for k in range(len(table))),
        splits.rows["trainval"],
        splits.rows["test_seen"],
        splits.rows["test_unseen"],
        Provenance(
            "numpy",
            files=(file, "labels.npy", "semantics.npy", *(f"{split}.npy" for split in there)),
            notes=(*x.notes, *table_notes, *labels.notes, *splits.notes),
            folder=place,
            counted_from=splits.counted_from,
        ),
        allow_overlap,
        names["semantic_names"],
        sample_names=names["sample_names"] or x.files or (),
    )


def read_features(folder: Path, samples: int) -> tuple[str, NumberTable]:
    """The name of the file, and features (N, D); mapped from it where they need not be turned."""
    there = [name for name in FEATURES if (folder / name).exists()]
    if len(there) > 1:
        raise InputError(f"{folder} holds {' and '.join(there)}; delete one.")
    name = there[0] if there else FEATURES[0]
    found = read_table(folder / name)
    if found.labels is not None:
        raise InputError(f"{folder / name} has a column of classes, and labels.npy stands beside it; delete one.")
    rows, columns = found.numbers.shape
    if rows != samples == columns:
        note = f"{name} holds features as (D, N), where the layout is (N, D)"
        return name, replace(found, numbers=found.numbers.T, notes=(*found.notes, note))
    return name, found


def read_semantics(path: Path, labels: np.ndarray, class_names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Semantics (K, S), and notes."""
    table = read_npy(path, mapped=False)
    if table.ndim != 2 or table.dtype.kind not in "iuf":
        raise InputError(f"{path}: semantics must be a matrix of numbers; found shape {table.shape} of {table.dtype}.")
    if columns_are_classes(table, labels, class_names):
        return table.T, (f"{path.name} holds semantics as (S, K), where the layout is (K, S)",)
    return table, ()


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a file that are not empty; none where there is no file."""
    if not path.exists():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a readable list of names ({error}); write it as UTF-8.") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def write(dataset: ZeroShotDataset, folder: str | Path) -> None:
    """Write ``dataset``, features chunk by chunk.

    Raises:
        InputError: if a name is none that a line can hold; if one of the files is there already, or the folder cannot
            be written.
    """
    folder = Path(folder)
    writers = {f"{key}.npy": partial(write_array, getattr(dataset, key)) for key in reversed(ARRAYS)}
    for key in reversed(NAMES):
        names = getattr(dataset, key)
        check_names(dataset.name, names)
        if names or (folder / f"{key}.txt").exists():  # names that stand there are of other data: refused
            lines = "".join(f"{name}\n" for name in names)
            writers = {f"{key}.txt": partial(write_bytes, lines.encode()), **writers}
    write_together(folder, writers)  # features.npy, which tells the layout, comes last


def write_array(array: np.ndarray, file: BinaryIO) -> None:
    """As `numpy.save` does, without a copy of the whole."""
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for chunk in chunks(array):
        file.write(chunk.data)


def write_bytes(content: bytes, file: BinaryIO) -> None:
    """Write ``content``."""
    file.write(content)
