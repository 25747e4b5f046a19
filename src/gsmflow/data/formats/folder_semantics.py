"""The semantics of a folder of one's own data: attributes of ``classes.csv``, rows of ``semantics.npy``, or both."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..checks import list_some
from ..class_table import ClassTable, ids_by_name
from ..csv_file import read_csv
from ..folder_record import FolderRecord
from ..tables import read_numbers
from .folder_files import CLASSES_FILE, SEMANTICS_FILES, command_describe, no_semantics

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["ATTRIBUTES", "TEXT", "TEXTS", "Semantics", "digest_of", "semantics_of", "text_names", "texts_of"]

ATTRIBUTES, TEXT, BOTH = "attributes", "text", "attributes + text"
TEXTS = "texts"
"""Column of ``semantics.csv`` that tells by a digest which texts a row was made of, where `describe` made it."""


@dataclass(frozen=True, eq=False)
class Semantics:
    """The semantics that a folder holds, as they are asked for.

    Attributes:
        matrix: ``(K, S)`` float32.
        class_names: K names.
        names: S names of dimensions, or none.
        parts: name and width of what they are put together from, or none.
        name: of them all.
        names_in: file that names the classes.
        notes: what was assumed, a sentence each.
        warnings: what has no effect, a sentence each.
    """

    matrix: Float[np.ndarray, "k s"]
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    parts: tuple[tuple[str, int], ...]
    name: str
    names_in: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TextRows:
    """What ``semantics.npy`` and ``semantics.csv`` hold.

    Attributes:
        names: the class of each row; none where ``semantics.csv`` is missing.
        matrix: ``(K, S)``.
        digests: of the texts that each row was made of; none where that is not known.
    """

    names: tuple[str, ...]
    matrix: Float[np.ndarray, "k s"]
    digests: tuple[str, ...] = ()


def texts_of(table: ClassTable) -> tuple[tuple[str, ...], ...]:
    """What is said of each class; their names, underscores as blanks, where nothing is said of any."""
    if any(table.descriptions):
        return table.descriptions
    return tuple((name.replace("_", " "),) for name in table.names)


def digest_of(texts: Sequence[str]) -> str:
    """What tells whether the texts of a class are still those that were encoded.

    Example:
        >>> digest_of(("a horse", "striped")), digest_of(("a horse striped",))
        ('3eb89bad733447e4', '561744f32e16fadb')
    """
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def semantics_of(folder: Path, record: FolderRecord, table: ClassTable | None, asked: str | None = None) -> Semantics:
    """Put the semantics together, in the order of ``classes.csv``, or of ``semantics.csv`` where that is missing.

    Raises:
        InputError: if there are none, with what makes them; if those asked for are not there; if a class lacks its row,
            or has one that was made of other descriptions than it has now.
    """
    text = read_text(folder)
    class_names = table.names if table else text.names if text else ()
    if (table is None or table.attributes is None) and (text is None or not class_names):
        raise InputError(no_semantics(folder, record, table))
    parts: dict[str, np.ndarray] = {}
    notes: list[str] = []
    told: list[str] = []
    if table is not None and table.attributes is not None:
        parts[ATTRIBUTES] = table.attributes
        told += counters(table)
    if text is not None:
        text_name = TEXT if record.text_encoder or parts else "semantics"
        parts[text_name], assumed, ignored = rows_by_name(folder, record, text, class_names)
        notes += assumed
        told += ignored
    whole = BOTH if len(parts) == 2 else next(iter(parts))
    if asked not in (None, whole, *parts):
        raise InputError(f"{folder} holds no semantics {asked!r}; there are {' and '.join(parts)}: change semantics=.")
    if asked in parts:
        parts = {asked: parts[asked]}
    if table is not None and text is not None and asked != ATTRIBUTES:
        check_texts(folder, record, text, table)
    if TEXT not in parts and asked is None and table and any(table.descriptions) and text is None:
        told.append(
            f"descriptions are there and are not used, attributes alone are; to use both: "
            f"{command_describe(folder, record)}"
        )
    names = (
        [n for part, matrix in parts.items() for n in dimension_names(part, matrix, table)]
        if ATTRIBUTES in parts
        else []
    )
    widths = tuple((part, matrix.shape[1]) for part, matrix in parts.items())
    return Semantics(
        np.concatenate(list(parts.values()), 1, dtype=np.float32, casting="same_kind"),
        class_names,
        tuple(names),
        widths if len(parts) > 1 else (),
        asked or whole,
        CLASSES_FILE if table else SEMANTICS_FILES[1],
        tuple(notes),
        tuple(told),
    )


def dimension_names(part: str, matrix: np.ndarray, table: ClassTable | None) -> tuple[str, ...]:
    """A name of each dimension of a part."""
    if part == ATTRIBUTES:
        assert table
        return table.attribute_names
    return text_names(matrix.shape[1])


def text_names(width: int) -> tuple[str, ...]:
    """Names of the dimensions of a text embedding, which mean nothing."""
    return tuple(f"{TEXT} {k + 1}" for k in range(width))


def rows_by_name(
    folder: Path, record: FolderRecord, text: TextRows, class_names: tuple[str, ...]
) -> tuple[np.ndarray, list[str], list[str]]:
    """A row a class, what was assumed, and what has no effect."""
    names, matrix = text.names, text.matrix
    path, named = (folder / name for name in SEMANTICS_FILES)
    again = f"run again: {command_describe(folder, record)}"
    if not names:
        rows, columns = matrix.shape
        if rows != len(class_names) == columns:
            return matrix.T, [f"{path.name} holds semantics as (S, K), where (K, S) is expected"], []
        if rows != len(class_names):
            raise InputError(
                f"{path} has {rows} rows for the {len(class_names)} classes of {CLASSES_FILE}, and {named.name}, which "
                f"would say whose they are, is missing; {again}"
            )
        return matrix, [f"{named.name} is missing: rows of {path.name} are in the order of {CLASSES_FILE}"], []
    ids = ids_by_name(names)
    lacking = [name for name in class_names if name not in ids]
    if lacking:
        several = len(lacking) > 1
        raise InputError(
            f"{folder / CLASSES_FILE} names {count_classes(lacking)} without semantics, since {named.name} does not "
            f"name {'them' if several else 'it'}; {again}"
        )
    rows = [ids[name] for name in class_names]
    extra = sorted(set(range(len(names))) - set(rows))
    told = (
        f"{len(extra)} rows of {named.name} are of classes that {CLASSES_FILE} does not name, such as "
        f"{names[extra[0]]}; they are ignored"
        if extra
        else ""
    )
    return matrix[rows], [], [told] if told else []


def check_texts(folder: Path, record: FolderRecord, text: TextRows, table: ClassTable) -> None:
    """Refuse semantics of descriptions that are others by now.

    Raises:
        InputError: if those of a class are.
    """
    if not text.digests:
        return
    ids = ids_by_name(text.names)
    known = [text.digests[ids[name]] for name in table.names]
    changed = [
        name
        for name, texts, before in zip(table.names, texts_of(table), known, strict=True)
        if before and before != digest_of(texts)
    ]
    if changed:
        raise InputError(
            f"{folder / CLASSES_FILE}: the descriptions of {count_classes(changed)} were changed after gsmflow "
            f"describe: run it again: {command_describe(folder, record)}"
        )


def count_classes(names: list[str]) -> str:
    """How many classes, and the first few of them.

    Example:
        >>> count_classes(["panda", "candy"])
        '2 classes (panda, candy)'
    """
    return f"{len(names)} class{'es' if len(names) > 1 else ''} ({list_some(names)})"


def counters(table: ClassTable) -> list[str]:
    """A sentence about each attribute that counts the classes, and is hardly one."""
    assert table.attributes is not None
    first, steps = table.attributes[0], np.diff(table.attributes, axis=0)
    if len(table.names) < 3:
        return []
    counting = np.isin(first, (0, 1)) & (steps == 1).all(0)
    return [
        f"the column {table.attribute_names[k]!r} of {CLASSES_FILE} counts the classes and is taken as an attribute: "
        "delete it if it is none"
        for k in np.flatnonzero(counting).tolist()
    ]


def read_text(folder: Path) -> TextRows | None:
    """The rows of ``semantics.npy``, and what ``semantics.csv`` tells of them; None if neither is there.

    Raises:
        InputError: if a file is damaged, or the two disagree.
    """
    path, named = (folder / name for name in SEMANTICS_FILES)
    if not path.exists() and not named.exists():
        return None
    if not path.exists():
        raise InputError(
            f"{named} names classes, but {path.name} is missing; make both again with gsmflow describe, or write "
            f"numbers as columns of {CLASSES_FILE}."
        )
    semantics = read_numbers(path)
    if not named.exists():
        return TextRows((), semantics)
    table = read_csv(named, key="name")
    place = table.needed("name", "the class of each row of semantics.npy")
    names = tuple(row[place] for row in table.rows)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        lines = [table.lines[row] for row, name in enumerate(names) if name == twice]
        raise InputError(f"{named} names {twice!r} twice, on lines {lines[0]} and {lines[1]}; keep one, and its row.")
    if len(names) != len(semantics):
        raise InputError(
            f"{path} has {len(semantics)} rows, but {named.name} names {len(names)} classes; make both again with "
            "gsmflow describe."
        )
    texts = table.column(TEXTS)
    digests = tuple(row[texts].strip() for row in table.rows) if texts is not None else ()
    return TextRows(names, semantics, digests)
