"""Writing several files as one: no reader meets half of one, and what fails leaves the old ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ...errors import InputError

__all__ = ["write_together"]


def write_together(folder: Path, writers: dict[str, Callable[[BinaryIO], None]]) -> None:
    """Write files under temporary names, and rename them once all are complete.

    Args:
        folder: made if it is not there.
        writers: what writes the file of each name; the last is renamed last.

    Raises:
        InputError: if the folder cannot be made or written.
    """
    temporary = {name: folder / f".{name}.{os.getpid()}.tmp" for name in writers}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, write in writers.items():
            with temporary[name].open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        for name, path in temporary.items():
            path.replace(folder / name)
    except OSError as error:
        raise InputError(
            f"Could not write {', '.join(writers)} into {folder}: {error.strerror or error}; make room or choose "
            "another folder."
        ) from error
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
