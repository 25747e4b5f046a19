"""The work of ``gsmflow describe``: semantics of one's own classes, out of their descriptions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.checks import list_some
from ..data.class_table import ClassTable, read_class_table
from ..data.folder_record import RECORD_FILE, read_record
from ..data.formats.folder_files import CLASSES_FILE, SEMANTICS_FILES
from ..data.formats.folder_semantics import TEXTS, digest_of, texts_of
from ..errors import InputError
from ..files import as_csv, as_json, as_npy, write_atomically
from ..overrides import plain
from ..progress import Display
from .base import TextEncoder, differences
from .texts import describe_classes

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["describe_table", "replace_together"]

SEMANTICS_FILE, NAMES_FILE = SEMANTICS_FILES


def describe_table(
    path: Path,
    out: Path,
    load: Callable[[], TextEncoder],
    *,
    batch: int = 64,
    overwrite: bool = False,
    display: Display,
) -> Float[np.ndarray, "k s"]:
    """Encode the descriptions of a table of classes, and write them into a folder of one's own data.

    Args:
        path: ``classes.csv``, as a person wrote it.
        out: folder that gets a copy of the table, ``semantics.npy``, ``semantics.csv`` and the encoder's record.
        load: gives the encoder, once all else is known to be right.
        batch: texts encoded at once.
        overwrite: let another table, or semantics of another encoder, be replaced in ``out``.
        display: shows how far it is.

    Returns:
        ``(K, S)`` float32: what was written.

    Raises:
        InputError: if the table is damaged or lacks descriptions; if ``out`` holds another table, or semantics that
            were made otherwise; if it cannot be written. Nothing is changed in ``out`` then.
    """
    table = read_class_table(path)
    content = path.read_bytes()
    texts = texts_told(table, path, display)
    check_table(content, path, out, overwrite)
    read_record(out)
    encoder = load()
    check_semantics(encoder, out, overwrite)
    total = sum(map(len, texts))
    display.begin(f"describe {len(texts)} classes", total)
    semantics = describe_classes(encoder, texts, batch=batch, show=lambda done: display.show(done, {}))
    record = replace(read_record(out), text_encoder=encoder.record)  # `extract` may have written meanwhile
    copy = {} if is_table_of(path, out) else {CLASSES_FILE: content}
    replace_together(
        out,
        copy
        | {
            SEMANTICS_FILE: as_npy(semantics),
            NAMES_FILE: as_csv(["name", TEXTS], zip(table.names, map(digest_of, texts), strict=True)),
            RECORD_FILE: as_json(plain(record), indent=2),
        },
    )
    return semantics


def texts_told(table: ClassTable, path: Path, display: Display) -> tuple[tuple[str, ...], ...]:
    """What is said of each class; their names, where nothing is said of any.

    Raises:
        InputError: if something is said of some classes, and nothing of others.
    """
    missing = [name for name, several in zip(table.names, table.descriptions, strict=True) if not several]
    if len(missing) == len(table.names):
        display.say(
            f"{path} holds no descriptions (a column called description): the names of the classes are taken for them, "
            "underscores as blanks."
        )
    elif missing:
        raise InputError(
            f"{path} has no description of {list_some([*map(repr, missing)])}: give each class one, or delete the "
            "column, so that all are described by their names."
        )
    return texts_of(table)


def is_table_of(path: Path, out: Path) -> bool:
    """Whether this very file is the table of the folder."""
    there = out / CLASSES_FILE
    return there.exists() and there.samefile(path)


def check_table(content: bytes, path: Path, out: Path, overwrite: bool) -> None:
    """Refuse to replace another table of classes, which may be the only copy.

    Raises:
        InputError: if the folder holds one.
    """
    there = out / CLASSES_FILE
    if overwrite or not there.is_file() or is_table_of(path, out) or there.read_bytes() == content:
        return
    raise InputError(
        f"{there} is another table than {path}: describe that one (gsmflow describe {there}), let this take its place "
        "with overwrite=True, or choose another folder with out=."
    )


def check_semantics(encoder: TextEncoder, out: Path, overwrite: bool) -> None:
    """Refuse to replace semantics that were made otherwise.

    Raises:
        InputError: if the folder holds some.
    """
    there = [name for name in (SEMANTICS_FILE, NAMES_FILE) if (out / name).exists()]
    before = read_record(out).text_encoder
    if overwrite or not there or (before and before.is_same(encoder.record)):
        return
    if before is None:
        by = "were not made by gsmflow describe"
    elif before.sha256 == encoder.record.sha256:
        by = f"were made in another way ({differences(before.preprocessing, encoder.record.preprocessing)})"
    else:
        by = f"were made by {before}, not by {encoder.record}"
    raise InputError(
        f"The semantics in {out} ({', '.join(there)}) {by}: let these take their place with overwrite=True, or choose "
        "another folder with out=."
    )


def replace_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write or replace several files as one: all are as given then, or all as they were.

    Args:
        folder: made if it is not there.
        contents: of the file of each name.

    Raises:
        InputError: if they cannot be written, or something stands there that is no file.
    """
    temporary = {name: folder / f".{name}.{os.getpid()}.tmp" for name in contents}
    before: dict[str, bytes | None] = {}
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        odd = next((name for name in contents if (folder / name).exists() and not (folder / name).is_file()), None)
        if odd is not None:
            raise InputError(f"{folder / odd} is no file that could be replaced; choose another folder with out=.")
        for name, content in contents.items():
            with temporary[name].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, path in temporary.items():
            before[name] = (folder / name).read_bytes() if (folder / name).exists() else None
            path.replace(folder / name)
    except BaseException as error:
        for path in temporary.values():  # first, since they take the room that putting back may need
            path.unlink(missing_ok=True) if path.parent.is_dir() else None
        for name, content in before.items():
            put_back(folder / name, content)
        if made:
            with suppress(OSError):
                folder.rmdir()
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"Could not write {', '.join(contents)} into {folder}: {error.strerror or error}; make room or choose "
            "another folder."
        ) from error


def put_back(path: Path, content: bytes | None) -> None:
    """Let a file be as it was: of this content, or not there."""
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content)
