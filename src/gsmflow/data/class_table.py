"""``classes.csv``: the classes of one's own data, a row each, as a person writes it.

``name``; ``description``, ``description_2``, …; every other column of numbers is an attribute, one of texts a note.
Lines that start with ``#`` are comments.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .csv_file import CsvTable, read_csv, shown

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["ClassTable", "ids_by_name", "is_description", "is_special", "number", "read_class_table"]

DESCRIPTION = re.compile(r"description(_\d+)?", re.IGNORECASE)
MOST = float(np.finfo(np.float32).max)
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, eq=False)
class ClassTable:
    """What is known of the classes, in the order of the rows.

    Attributes:
        names: K names.
        descriptions: of each class, those that are not empty.
        attributes: ``(K, A)`` float32, or None if no column holds numbers.
        attribute_names: A names of columns.
        notes: names of the columns of texts that are no descriptions.
    """

    names: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...]
    attributes: Float[np.ndarray, "k a"] | None
    attribute_names: tuple[str, ...]
    notes: tuple[str, ...]


def read_class_table(path: Path) -> ClassTable:
    """Read ``classes.csv``.

    Raises:
        InputError: if it is missing, no CSV in UTF-8, or names no class; if a name is missing, given twice, or has
            spaces around it or line breaks; if a column mixes numbers and texts, lacks the number of a class, or holds
            NaN or infinity.
    """
    table = read_csv(path, key="name", comments=True)
    named = table.needed("name", "the names of the classes")
    if not table.rows:
        raise InputError(f"{path} names no class yet; add a row for each (a line that starts with # is a comment).")
    check_class_names(table, named)
    names = tuple(row[named] for row in table.rows)
    described = [place for place, column in enumerate(table.header) if is_description(column)]
    descriptions = tuple(tuple(text for k in described if (text := row[k].strip())) for row in table.rows)
    attributes, notes = {}, []
    for place, column in enumerate(table.header):
        cells = [row[place].strip() for row in table.rows]
        if place == named or place in described or not (column or any(cells)):
            continue
        if not column:
            raise InputError(f"{path}: column {place + 1} has no name in line {table.header_line}; give it one.")
        values = attribute(table, column, cells, names)
        if values is None:
            notes.append(column)
        else:
            attributes[column] = values
    matrix = np.array(list(attributes.values()), np.float32).T if attributes else None
    return ClassTable(names, descriptions, matrix, tuple(attributes), tuple(notes))


def is_description(column: str) -> bool:
    """Whether a column holds descriptions."""
    return DESCRIPTION.fullmatch(column) is not None


def is_special(column: str) -> bool:
    """Whether a column is neither an attribute nor a note."""
    return column.lower() == "name" or is_description(column)


def check_class_names(table: CsvTable, named: int) -> None:
    """Each class has one name, on one line, and another than all others."""
    lines: dict[str, int] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        name = row[named]
        if not name.strip():
            raise InputError(f"{table.path}: line {line} has no name; give the class one, or delete the line.")
        if name.strip().splitlines() != [name] or "\0" in name:
            raise InputError(
                f"{table.path}: the name {name!r} on line {line} starts or ends with a space or has a line break; take "
                "that away, so that it can be told from others."
            )
        before = lines.setdefault(name, line)
        if before != line:
            raise InputError(
                f"{table.path} names the class {name!r} twice, on lines {before} and {line}; delete one (several "
                "descriptions of a class stand in columns: description, description_2, …)."
            )


def ids_by_name(names: tuple[str, ...]) -> dict[str, int]:
    """The id of each class by its name, also with letters such as é in the other spelling that Unicode has for them.

    Folders are renamed so on their way from one system to another.

    Example:
        >>> ids_by_name(("caf\\u00e9",))["cafe\\u0301"]
        0
    """
    spelled = {
        unicodedata.normalize(form, name): k for form in ("NFC", "NFD") for k, name in reversed([*enumerate(names)])
    }
    return spelled | {name: k for k, name in enumerate(names)}


def number(cell: str) -> float | None:
    """The number that a cell holds, which may be NaN or infinite; None if it holds none.

    Example:
        >>> number("1e-3"), number(" -2 "), number("1_000"), number("one"), number("NaN")
        (0.001, -2.0, None, None, nan)
    """
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def attribute(table: CsvTable, column: str, cells: list[str], names: tuple[str, ...]) -> list[float] | None:
    """The numbers of a column, one a class; None if it holds texts."""
    where = f"{table.path}: column {column!r}"
    values = [number(cell) for cell in cells]
    texts = [k for k, value in enumerate(values) if value is None and cells[k]]
    numbers = [k for k, value in enumerate(values) if value is not None]
    finite = [k for k in numbers if abs(values[k] or 0.0) <= MOST]
    if texts and all(DECIMAL_COMMA.fullmatch(cells[k]) for k in texts):
        raise InputError(
            f"{where} holds numbers with a decimal comma, such as {shown(cells[texts[0]])} of {names[texts[0]]} on "
            f"line {table.lines[texts[0]]}; write a decimal point."
        )
    if not finite and (texts or not numbers):
        return None
    if texts:
        odd, other = (texts[0], numbers[0]) if len(texts) <= len(numbers) else (numbers[0], texts[0])
        raise InputError(
            f"{where} mixes numbers and texts: line {table.lines[odd]} ({names[odd]}) holds {shown(cells[odd])}, line "
            f"{table.lines[other]} ({names[other]}) {shown(cells[other])}; an attribute is a number in every row, a "
            "note in none."
        )
    empty = [k for k, cell in enumerate(cells) if not cell]
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise InputError(
            f"{where}: the attribute of the class {names[empty[0]]!r} (line {table.lines[empty[0]]}){more} is missing; "
            "every class needs a number there."
        )
    wrong = min(set(range(len(cells))).difference(finite), default=None)
    if wrong is not None:
        kind = (
            "is no number" if math.isnan(values[wrong] or 0.0) else "is infinite, or too large for a number of 32 bits"
        )
        raise InputError(
            f"{where}: {shown(cells[wrong])} of the class {names[wrong]!r} (line {table.lines[wrong]}) {kind}; write a "
            "finite number."
        )
    return [float(value) for value in values if value is not None]
