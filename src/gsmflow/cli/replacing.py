"""A model is changed and its file replaced: what the commands that do so share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..model import ZeroShotModel

__all__ = ["file_of", "left_as_it_was", "replaced", "source_of", "state_of", "target_of", "told"]


@contextmanager
def replaced(path: Path, target: Path, model: ZeroShotModel, before: tuple[int, ...]) -> Iterator[None]:
    """Guard the file of a model while it is replaced, and write its card anew, unless somebody has edited that.

    Args:
        path: of the run or the model, as it was given.
        target: the file that is written within.
        model: as it was read, whose card is known.
        before: the state of the file then.

    Raises:
        InputError: if somebody else has written that file meanwhile: what was added there would be lost.
    """
    from ..runs import RunFolder, model_card

    folder = RunFolder(target.parent)
    is_in_place = target == source_of(path)
    if is_in_place and state_of(path) != before:
        raise InputError(f"{target} was changed by another program meanwhile, and is left as that wrote it: try again.")
    if not is_in_place or target.name != folder.model_file.name:
        yield
        return
    record = folder.read_metrics() if folder.is_finished else None
    there = folder.card_file.read_bytes() if folder.card_file.is_file() else b""
    is_ours = there == model_card(model, record).encode()
    yield
    if is_ours:
        folder.write_card(model_card(model, record))
    elif CARD in there:
        card = (path if path.is_dir() else path.parent) / folder.card_file.name
        print(f"{card} was edited and is left as it is: it tells of the classes before.", file=sys.stderr)


def source_of(path: Path) -> Path:
    """The file that a model is read from, where it really lies: a link to it stays one."""
    return (path / "model.safetensors" if path.is_dir() else path).resolve()


def state_of(path: Path) -> tuple[int, ...]:
    """What differs once a file was written anew; nothing where there is none, which is told by who reads it."""
    try:
        found = source_of(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def target_of(path: Path, out: Path | None) -> Path:
    """The file to write.

    Raises:
        InputError: if it would take the place of another file.
    """
    source = source_of(path)
    if out is None:
        return source
    if os.path.lexists(out) and not (out.exists() and out.samefile(source)):
        raise InputError(f"{out} is there already; choose another file, or delete that one.")
    return source if out.exists() else out


def file_of(path: Path, asked: Path | None) -> Path:
    """The file that is written, as messages call it."""
    return asked or (path / "model.safetensors" if path.is_dir() else path)


def told(model: ZeroShotModel, path: Path, asked: Path | None) -> str:
    """How many classes the model that was written has."""
    seen, count = int(model.is_seen.sum()), len(model.class_names)
    counts = f"{file_of(path, asked)} has {count} class{'es' * (count != 1)} now, {seen} seen and {count - seen} unseen"
    return f"{counts}{left_as_it_was(path, asked)}"


def left_as_it_was(path: Path, asked: Path | None) -> str:
    """What beside the model was not written: something where it is that of a run, and nothing else."""
    from ..runs import RunFolder

    folder = RunFolder(source_of(path).parent)
    if source_of(file_of(path, asked)) != folder.model_file or not folder.is_finished:
        return ""
    return f" (metrics and report in {path if path.is_dir() else path.parent} tell of the model as it was trained)"


CARD = b"library_name: gsmflow"
"""Stands in cards that gsmflow writes, and in no other README.md."""
