"""Writing several files as one: no reader meets half of one, nothing is overwritten, what fails leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ...errors import InputError

__all__ = ["check_names", "write_together"]


def write_together(folder: Path, writers: dict[str, Callable[[BinaryIO], None]]) -> None:
    """Write files under temporary names, and rename them once all are complete.

    Args:
        folder: made if it is not there.
        writers: what writes the file of each name; the last is renamed last.

    Raises:
        InputError: if one of the files is there, which may be the only copy of other data; if the folder cannot be
            made or written.
    """
    there = [name for name in writers if os.path.lexists(folder / name)]
    if there:
        raise InputError(f"{folder} holds {', '.join(there)} already; move that elsewhere or choose another folder.")
    temporary = {name: folder / f".{name}.{os.getpid()}.tmp" for name in writers}
    placed: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, write in writers.items():
            with temporary[name].open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        for name, path in temporary.items():
            path.replace(folder / name)
            placed.append(folder / name)
    except BaseException as error:
        for path in placed:  # half a data set would stand in the way of the next try
            with suppress(OSError):
                path.unlink()
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"Could not write {', '.join(writers)} into {folder}: {error.strerror or error}; make room or choose "
            "another folder."
        ) from error
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)


def check_names(dataset: str, names: tuple[str, ...]) -> None:
    """Raise `InputError` if a name would be read back as another: files keep one line of letters each."""
    for name in names:
        if name.replace("\0", "").encode("utf-8", "ignore").decode().strip().splitlines() != [name]:
            raise InputError(
                f"{dataset}: the name {name!r} does not survive in a file, since it is empty, has a line break, or "
                "starts or ends with a space; give another."
            )
