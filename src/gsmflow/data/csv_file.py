"""CSV files as people and spreadsheets write them: separators, quotes, comments; lines are counted as editors do."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

__all__ = ["CsvTable", "decoded", "read_csv", "records", "shown"]

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class CsvTable:
    """A table of texts.

    Attributes:
        path: of the file.
        header: names of the columns, without spaces around them.
        rows: cells, as many a row as there are columns; rows without any text are left out.
        lines: the line of the file on which each row starts, counted from 1.
        header_line: that of the header.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    header_line: int = 1

    def column(self, *names: str) -> int | None:
        """The place of the first column that has one of these names, in any case of letters."""
        lowered = [cell.lower() for cell in self.header]
        return next((lowered.index(name) for name in names if name in lowered), None)

    def needed(self, name: str, why: str) -> int:
        """The place of a column that must be there.

        Raises:
            InputError: if it is not.
        """
        place = self.column(name)
        if place is None:
            found = ", ".join(self.header) or "none"
            raise InputError(
                f"{self.path} lacks the column {name!r}, {why}; its first line, which must name the columns, holds: "
                f"{found}."
            )
        return place


def read_csv(path: Path, *, key: str | None = None, comments: bool = False) -> CsvTable:
    """Read a whole table; its first line names the columns.

    Args:
        path: the file, in UTF-8, with or without a byte order mark.
        key: a column that must be there: the separator is the one that sets it apart.
        comments: pass over lines that start with ``#``.

    Raises:
        InputError: if it is missing, empty, not UTF-8 or no CSV; if a row has more cells than there are columns, or a
            column appears twice.
    """
    found = records(path, key=key, comments=comments)
    header_line, cells = next(found, (0, []))
    if not cells:
        raise InputError(f"{path} is empty; its first line must name the columns.")
    header = tuple(cell.strip() for cell in cells)
    while header and not header[-1]:  # of a spreadsheet that was once wider
        header = header[:-1]
    named = [cell.lower() for cell in header if cell]
    twice = next((cell for cell in header if named.count(cell.lower()) > 1), None)
    if twice:
        raise InputError(f"{path} has the column {twice!r} twice; delete one or give it another name.")
    rows, lines = [], []
    for line, cells in found:
        rows.append(fitted(cells, len(header), path, line))
        lines.append(line)
    return CsvTable(path, header, rows, lines, header_line)


def fitted(cells: list[str], columns: int, path: Path, line: int) -> list[str]:
    """As many cells as there are columns: missing ones at the end are empty."""
    if len(cells) == columns:
        return cells
    if any(cell.strip() for cell in cells[columns:]):
        raise InputError(
            f"{path}: line {line} has {len(cells)} cells, but there are {columns} columns; put a cell that holds the "
            "separator between double quotes."
        )
    return [*cells[:columns], *[""] * (columns - len(cells))]


def records(path: Path, *, key: str | None = None, comments: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row starts, and its cells, one after the other; rows without any text are left out.

    Raises:
        InputError: as `read_csv`, once the place is reached.
    """
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    mark = separator(first_line(path, comments), key)
    with decoded(path), path.open(encoding="utf-8-sig", newline="") as file:
        lines = Lines(file)
        reader = csv.reader(lines if comments else file, delimiter=mark, strict=True)
        start = 1
        try:
            for cells in reader:
                if any(map(str.strip, cells)):
                    yield lines.start if comments else start, cells
                start = reader.line_num + 1
                lines.begins = True
        except csv.Error as error:
            raise InputError(
                f"{path}: the row that starts on line {lines.start if comments else start} is no CSV ({error}); a cell "
                "that holds quotes, separators or line breaks stands between double quotes, and quotes within it are "
                "doubled."
            ) from error


def first_line(path: Path, comments: bool) -> str:
    """The first line that is neither empty nor a comment; empty if there is none."""
    with decoded(path), path.open(encoding="utf-8-sig", newline="") as file:
        return next((line for line in file if line.strip() and not (comments and line.startswith("#"))), "")


@contextmanager
def decoded(path: Path) -> Iterator[None]:
    """Tell in one sentence that a file is not UTF-8, or cannot be read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {not_utf8(path)}.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def not_utf8(path: Path) -> str:
    """Where a file is not UTF-8, what it may be instead, and what to do."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it starts as UTF-16 does; save it as 'CSV UTF-8', or convert it with iconv -f utf-16 -t utf-8"
    if content.startswith(b"PK"):
        return "it is a spreadsheet or another zip archive; open it and save the table as 'CSV UTF-8'"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"line {line} holds the byte 0x{content[error.start]:02x}, as latin-1 files do; save it as 'CSV UTF-8', or "
            "convert it with iconv -f latin1 -t utf-8"
        )
    return "it changes while it is read"


def shown(cell: str, most: int = 60) -> str:
    """A cell between quotes, for a sentence: a long one is cut off."""
    return repr(cell if len(cell) <= most else f"{cell[: most - 3]}...")


def separator(line: str, key: str | None) -> str:
    """What stands between the cells of the first line: what sets ``key`` apart, or what occurs most often.

    Example:
        >>> separator("name;about, in short", "name"), separator("0.5\\t0.25", None), separator("name", "name")
        (';', '\\t', ',')
    """
    cells = {mark: [cell.strip().lower() for cell in split(line, mark)] for mark in SEPARATORS}
    fitting = [mark for mark in SEPARATORS if key in cells[mark]] or list(SEPARATORS)
    return max(fitting, key=lambda mark: len(cells[mark]))


def split(line: str, mark: str) -> list[str]:
    """The cells of one line."""
    return next(csv.reader([line.rstrip("\r\n")], delimiter=mark), [])


class Lines:
    """The lines of a file without comments, which knows where a row starts.

    A line that starts with ``#`` within a quoted cell is no comment: ``begins`` is set where a row is.
    """

    def __init__(self, file: Iterable[str]):
        self.file, self.begins = enumerate(file, 1), True
        self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self.file)
        while self.begins and line.startswith("#"):
            number, line = next(self.file)
        if self.begins:
            self.start, self.begins = number, False
        return line
