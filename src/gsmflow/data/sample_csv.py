"""Numbers out of a CSV file, with or without a line of names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import InputError
from .class_table import number
from .csv_file import records, shown
from .sample_table import CLASS, FILE, NumberTable, Roles, counting, role_hint

__all__ = ["csv_table"]


def csv_table(path: Path) -> NumberTable:
    """Columns of numbers, under their names or without any."""
    rows = records(path)
    line, first = next(rows, (0, []))
    if not first:
        raise InputError(f"{path} is empty; a row a sample is due.")
    names, notes = column_names(first, path)
    unnamed = names is None
    if names is None:
        names = [str(place) for place in range(len(first))]
        rows = with_first(line, first, rows)
    roles = Roles(numbers=names) if unnamed else Roles.of(names, path)
    files, labels, numbers = gather(rows, names, roles, path)
    if not len(numbers):
        raise InputError(f"{path} names columns, but holds no row of numbers.")
    columns = roles.numbers
    if not columns[0] and np.array_equal(numbers[:, 0], np.arange(len(numbers))) and len(columns) > 1:
        columns, numbers = columns[1:], np.ascontiguousarray(numbers[:, 1:])
        notes = (*notes, f"{path.name}: the first column, which has no name and counts the rows, is left out")
    if "" in columns:
        raise InputError(f"{path}: column {names.index('') + 1} has no name on line {line}; give it one.")
    counted = () if unnamed else counting(columns, numbers, path)
    return NumberTable(
        numbers,
        tuple(files) if roles.file else None,
        np.array(labels, str) if roles.label else None,
        notes,
        counted,
    )


def column_names(first: list[str], path: Path) -> tuple[list[str] | None, tuple[str, ...]]:
    """The names of the columns, or None if the first row is one of numbers already; and what was assumed."""
    cells = [cell.strip() for cell in first]
    values = [number(cell) for cell in cells]
    if all(value is not None for value in values):
        if values == list(range(len(values))) and len(values) > 1:
            return cells, (f"{path.name}: the first line, which counts the columns, is taken for their names",)
        return None, (f"{path.name} has no line of names: the first line is the first sample",)
    if any(value is not None and "." in cell for cell, value in zip(cells, values, strict=True)) and not any(
        cell.lower() in (*FILE, *CLASS) for cell in cells
    ):
        raise InputError(
            f"{path}: the first line holds texts and numbers ({', '.join(cells[:4])}, …); it must name the columns: "
            "file and class if they are there, then a name for each column of numbers."
        )
    twice = (
        next((cell for cell in cells if cell and cells.count(cell) > 1), None) if len(set(cells)) < len(cells) else None
    )
    if twice:
        raise InputError(f"{path} has the column {twice!r} twice; delete one or give it another name.")
    return cells, ()


def with_first(line: int, first: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """All rows, when one was taken already."""
    yield line, first
    yield from rows


def gather(
    rows: Iterator[tuple[int, list[str]]], names: list[str], roles: Roles, path: Path
) -> tuple[list[str], list[str], np.ndarray]:
    """Files, labels and numbers of all rows; never is there more of the text than one row."""
    file, label = (names.index(name) if name else None for name in (roles.file, roles.label))
    places = [place for place in range(len(names)) if place not in (file, label)]
    at_end = places == list(range(len(names) - len(places), len(names)))
    files: list[str] = []
    labels: list[str] = []
    numbers: list[np.ndarray] = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise InputError(
                f"{path}: line {line} has {len(cells)} cells, the first line {len(names)}; they must agree."
            )
        if file is not None:
            files.append(cells[file])
        if label is not None:
            labels.append(cells[label].strip())
        try:
            values = cells[-len(places) :] if at_end else [cells[place] for place in places]
            numbers.append(np.fromiter(map(float, values), np.float32, len(places)))
        except ValueError:
            raise InputError(not_a_number(cells, places, names, line, path)) from None
    return files, labels, np.stack(numbers) if numbers else np.zeros((0, len(places)), np.float32)


def not_a_number(cells: list[str], places: list[int], names: list[str], line: int, path: Path) -> str:
    """One sentence about the first cell of a row that is no number."""
    place = next(place for place in places if not is_float(cells[place]))
    cell, name = cells[place].strip(), names[place]
    if not cell:
        return f"{path}: line {line} lacks the number of the column {name!r}; fill it in or drop the row."
    hint = "write a decimal point" if is_float(cell.replace(",", ".")) else role_hint(name)
    return f"{path}: line {line} holds {shown(cell)} in the column {name!r}, where a number is due; {hint}."


def is_float(cell: str) -> bool:
    """Whether Python takes a text for a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
