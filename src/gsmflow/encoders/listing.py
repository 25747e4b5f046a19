"""A list of pictures: a path a line, or a table of file and class."""

from __future__ import annotations

import posixpath
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePath

from ..data.csv_file import decoded, read_csv, separator, split
from ..errors import DataWarning, InputError

__all__ = ["read_listing"]


def read_listing(listing: Path, root: Path) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The files that a list names, relative to ``root``, and their classes where it tells them.

    Args:
        listing: a path a line; or CSV whose first line names the column ``file`` and perhaps ``class``.
        root: folder of the pictures.

    Raises:
        InputError: with the line, if a file is not there, lies outside of ``root`` or is named twice, or a class is
            empty; if the list is no text or is empty.

    Warns:
        DataWarning: if a table has other columns as well.
    """
    files: dict[str, int] = {}
    classes: list[str] = []
    for line, written, name in entries(listing):
        file = inside(written, root, f"{listing}, line {line}")
        if file in files:
            raise InputError(f"{listing}, line {line}: {written!r} stands on line {files[file]} already; drop one.")
        files[file] = line
        if name == "":
            raise InputError(f"{listing}, line {line}: the class of {written!r} is empty; name it.")
        if name is not None:
            classes.append(name)
    if not files:
        raise InputError(f"{listing} names no picture: write a path a line, relative to {root}.")
    return tuple(files), tuple(classes) or None


def entries(listing: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line, file and class of each row."""
    if not listing.is_file():
        raise InputError(f"The list {listing} is not there or is no file: say where it is.")
    with decoded(listing):
        text = listing.read_text(encoding="utf-8-sig")
    if "\0" in text:
        raise InputError(f"{listing} is no text: write a path a line.")
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if "file" in (cell.strip().lower() for cell in split(first, separator(first, "file"))):
        yield from table(listing)
    else:
        yield from ((number, line.rstrip("\r"), None) for number, line in enumerate(lines, 1) if line.strip())


def table(listing: Path) -> Iterator[tuple[int, str, str | None]]:
    """The same of a table."""
    found = read_csv(listing, key="file")
    file, name = found.needed("file", "the path of each picture"), found.column("class")
    others = [cell for place, cell in enumerate(found.header) if place not in (file, name)]
    if others:
        warnings.warn(
            f"{listing}: of its columns file and class are read; without effect: {', '.join(others)}.",
            DataWarning,
            stacklevel=5,
        )
    for line, cells in zip(found.lines, found.rows, strict=True):
        yield line, cells[file], None if name is None else cells[name].strip()


def inside(written: str, root: Path, where: str) -> str:
    """A path of the list relative to the folder of pictures.

    Raises:
        InputError: if it leads out of that folder, or no file is there.
    """
    if not is_there(root, written) and is_there(root, written.strip()):
        written = written.strip()
    path = PurePath(written)
    if path.is_absolute():
        homes = (folder for folder in (root, root.absolute(), root.resolve()) if path.is_relative_to(folder))
        path = next((path.relative_to(folder) for folder in homes), path)
    file = posixpath.normpath(path.as_posix())
    if path.is_absolute() or file == ".." or file.startswith("../"):
        raise InputError(f"{where}: {written!r} lies outside of {root}; name files inside of it.")
    if not is_there(root, file):
        hint = "; a table needs the header file,class" if "," in written else ""
        raise InputError(f"{where}: there is no file {written!r} in {root}{hint}.")
    return file


def is_there(root: Path, file: str) -> bool:
    """Whether this is a file."""
    return bool(file.strip()) and (root / file).is_file()
