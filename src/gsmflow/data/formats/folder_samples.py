"""The samples of a folder of one's own data: their names, their classes and their splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..checks import SPLITS
from ..class_table import ids_by_name
from ..csv_file import CsvTable, decoded, read_csv, records
from ..labels import one_a_sample
from ..tables import read_npy
from .folder_files import LABEL_FILES, SAMPLES_FILE

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = ["Samples", "class_ids", "label_file", "read_samples", "read_splits"]


@dataclass(frozen=True, eq=False)
class Samples:
    """What is known of the samples beside their features.

    Attributes:
        where: the file that says it.
        files: their names, or none.
        labels: ``(N,)``, a text or a number each.
        lines: on which line each stands, where the file has lines.
    """

    where: Path
    files: tuple[str, ...]
    labels: np.ndarray
    lines: tuple[int, ...] = ()

    def place(self, row: int) -> str:
        """How a message names a sample."""
        named = f"{self.files[row]!r} " if self.files else ""
        return f"{named}on line {self.lines[row]}" if self.lines else f"{named}in row {row} (counted from 0)"


def label_file(folder: Path) -> Path | None:
    """The file of labels.

    Raises:
        InputError: if there are two.
    """
    found = [folder / name for name in LABEL_FILES if (folder / name).exists()]
    if len(found) > 1:
        raise InputError(f"{folder} holds labels twice, in {' and in '.join(path.name for path in found)}; keep one.")
    return found[0] if found else None


def read_samples(path: Path) -> Samples:
    """The samples that a file lists: ``samples.csv``, or labels as npy, csv or txt.

    Raises:
        InputError: if it is damaged, a sample has no name or no class, or one file is of two classes.
    """
    if path.suffix == ".npy":
        return Samples(path, (), np.asarray(read_npy(path, mapped=False)))
    if path.suffix == ".txt":
        return lines_of(path)
    if path.name != SAMPLES_FILE:
        headerless = column_alone(path)
        if headerless is not None:
            return headerless
    table = read_csv(path, key="class")
    label = table.column("class", "label")
    label = table.needed("class", "the class of each sample") if label is None else label
    file = table.column("file")
    labels = [row[label].strip() for row in table.rows]
    for text, line in zip(labels, table.lines, strict=True):
        if not text:
            raise InputError(f"{path}: line {line} has no class; fill it in or drop the row.")
    files = tuple(row[file] for row in table.rows) if file is not None else ()
    check_files(table, files, labels)
    return Samples(path, files, np.array(labels, str), tuple(table.lines))


def lines_of(path: Path) -> Samples:
    """A label a line; empty lines may stand at the end."""
    with decoded(path):
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    labels = [line.strip() for line in lines]
    if "" in labels:
        raise InputError(f"{path}: line {labels.index('') + 1} is empty, where the class of a sample is due.")
    return Samples(path, (), np.array(labels, str), tuple(range(1, len(labels) + 1)))


def column_alone(path: Path) -> Samples | None:
    """The labels of a CSV file of one column without a name; None if its columns are named."""
    first = next(records(path), (0, [""]))[1]
    if len(first) != 1 or first[0].strip().lower() in ("class", "label"):
        return None
    rows = [(line, cells[0].strip()) for line, cells in records(path)]
    return Samples(path, (), np.array([label for _, label in rows], str), tuple(line for line, _ in rows))


def check_files(table: CsvTable, files: Sequence[str], labels: Sequence[str]) -> None:
    """Each sample has a name, and no name is of two classes."""
    known: dict[str, int] = {}
    for row, file in enumerate(files):
        if not file.strip():
            raise InputError(f"{table.path}: line {table.lines[row]} names no file; fill it in or drop the row.")
        before = known.setdefault(file, row)
        if labels[before] != labels[row]:
            raise InputError(
                f"{table.path}: {file!r} is of the class {labels[before]!r} on line {table.lines[before]} and of "
                f"{labels[row]!r} on line {table.lines[row]}; keep one of them."
            )


def class_ids(samples: Samples, names: tuple[str, ...], names_in: str) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """The class of each sample, counted from 0, and what was assumed.

    Args:
        samples: with names or numbers as labels.
        names: of the K classes.
        names_in: file that names them, for errors.

    Raises:
        InputError: if a label names no class, is out of range, or it cannot be told where numbers count from.
    """
    ids = ids_by_name(names)
    if samples.labels.ndim == 1 and samples.labels.dtype.kind == "U":
        given = samples.labels.tolist()
        if ids.keys() >= set(given):
            return np.array([ids[name] for name in given], np.int64), ()
    labels = one_a_sample(samples.labels, samples.where, names)
    if labels.dtype.kind == "U":
        return named_ids(samples, labels, names, ids, names_in), ()
    classes, where = len(names), samples.where
    least, most = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    wrong = np.flatnonzero((labels < 0) | (labels > classes))
    if len(wrong):
        raise InputError(
            f"{where}: {len(wrong)} labels are out of range for the {classes} classes of {names_in}, the first is "
            f"{labels[wrong[0]]} of the sample {samples.place(wrong[0])}; correct them, or write names of classes."
        )
    if (least, most) == (0, classes):
        raise InputError(
            f"{where} holds the labels 0 and {classes} for the {classes} classes of {names_in}: counted from 0 the "
            f"last is {classes - 1}, counted from 1 there is no 0; write names of classes."
        )
    if least > 0 and most < classes:
        raise InputError(
            f"{where} holds the labels {least} to {most} for the {classes} classes of {names_in}, and they may count "
            "from 0 or from 1; write names of classes."
        )
    base = int(least > 0)
    return labels - base, (f"{where.name} counts classes from {base}, in the order of {names_in}",)


def named_ids(
    samples: Samples, labels: np.ndarray, names: tuple[str, ...], ids: dict[str, int], names_in: str
) -> np.ndarray:
    """The ids of classes that are named."""
    found, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    unknown = [k for k, name in enumerate(found.tolist()) if name not in ids]
    if unknown:
        first = str(found[unknown[0]])
        row = int(np.flatnonzero(places == unknown[0])[0])
        near = get_close_matches(first, names, 1, 0.6)
        others = f", and {len(unknown) - 1} more such classes" if len(unknown) > 1 else ""
        raise InputError(
            f"{samples.where}: {counts[unknown].sum()} samples are of classes that {names_in} does not name: {first!r} "
            f"({counts[unknown[0]]} samples, the first is {samples.place(row)}){others}; "
            f"{f'did you mean {near[0]!r}? Write' if near else 'write'} them alike, or add a row to {names_in}."
        )
    return np.array([ids[name] for name in found.tolist()], np.int64)[places.reshape(-1)]


def read_splits(
    path: Path, files: tuple[str, ...], samples: int, *, where: str, allow_overlap: bool = False
) -> dict[str, Int[np.ndarray, " i"]]:
    """The samples of each split, counted from 0, in the order of the lines.

    Args:
        path: of ``splits.csv``.
        files: names of the samples, or none.
        samples: N.
        where: the file that names or counts the samples, for errors.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if a line names no sample or no split, or a sample is named twice.
    """
    table = read_csv(path, key="split")
    split = table.needed("split", "which is trainval, test_seen or test_unseen")
    by_file, by_row = table.column("file"), table.column("row")
    if (by_file is None) == (by_row is None):
        raise InputError(f"{path} must have a column 'file' or a column 'row' (counted from 0), and not both.")
    if by_row is None and not files:
        raise InputError(f"{path} names files, but no file names the samples; name them in the column 'row', from 0.")
    key = by_file if by_row is None else by_row
    known = ids_of_files(files, path) if by_row is None else {}
    splits: dict[str, list[int]] = {name: [] for name in SPLITS}
    lines: dict[int, tuple[str, int]] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        name, cell = row[split].strip(), row[key or 0]
        if name not in splits:
            near = get_close_matches(name, SPLITS, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise InputError(f"{path}: line {line} names the split {name!r}; there are {', '.join(SPLITS)}{hint}")
        sample = known.get(cell) if known else row_number(cell, samples)
        if sample is None:
            raise InputError(f"{path}: line {line} names {unknown_sample(cell, files, samples, where, bool(known))}")
        before = lines.setdefault(sample, (name, line))
        if before[1] != line and (before[0] == name or not allow_overlap):
            accept = "" if before[0] == name else ", or accept a published split as it is with allow_overlap=True"
            raise InputError(
                f"{path} names {cell!r} twice, for {before[0]} on line {before[1]} and for {name} on line {line}; keep "
                f"one{accept}."
            )
        splits[name].append(sample)
    return {name: np.array(rows, np.int64) for name, rows in splits.items()}


def ids_of_files(files: tuple[str, ...], path: Path) -> dict[str, int]:
    """The sample of each file."""
    known = ids_by_name(files)
    if len(set(files)) < len(files):
        twice = next(name for name, count in Counter(files).items() if count > 1)
        raise InputError(
            f"{path} names files, but {twice!r} is the name of two samples; name samples by 'row', from 0."
        )
    return known


def row_number(cell: str, samples: int) -> int | None:
    """A row counted from 0."""
    text = cell.strip()
    return int(text) if text.isdecimal() and int(text) < samples else None


def unknown_sample(cell: str, files: tuple[str, ...], samples: int, where: str, by_file: bool) -> str:
    """What is wrong with a sample that is none."""
    if not by_file:
        return f"the row {cell!r}, and {where} has the rows 0 to {samples - 1}; correct it or drop the line."
    near = get_close_matches(cell, files, 1, 0.8) if len(files) < 10_000 else []
    hint = f"did you mean {near[0]!r}? Correct it" if near else "correct it"
    return f"the file {cell!r}, and {where} has no such sample; {hint} or drop the line."
