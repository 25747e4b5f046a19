"""``extract.json``: what is extracted into a folder and how far it is, so that it can go on after an interruption."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..data import EncoderRecord
from ..data.folder_record import read_record
from ..data.formats.folder_files import LABEL_FILES, SHARDS, feature_files
from ..errors import InputError
from ..files import as_json, read_json, write_atomically
from ..overrides import plain, validate
from .pictures import Pictures

__all__ = ["JOURNAL", "Journal", "Shard", "journal_of", "shard_path", "take_up", "write_journal"]

FORMAT = 1
JOURNAL = "extract.json"


@dataclass(frozen=True)
class Shard:
    """A finished file of features.

    Attributes:
        rows: that it holds.
        bad: pictures without a row, with the reason.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    rows: int
    bad: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Journal:
    """The content of ``extract.json``.

    Attributes:
        encoder: of the pictures.
        images: absolute path of their folder.
        pictures: how many there are.
        sha256: of their names and classes, in order.
        shard: pictures a shard.
        shards: those that are finished, by their number.
        format: of this file.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    encoder: EncoderRecord
    images: str
    pictures: int
    sha256: str
    shard: int
    shards: dict[int, Shard]
    format: int = FORMAT

    @property
    def count(self) -> int:
        """Shards that there are in the end."""
        return -(-self.pictures // self.shard)

    @property
    def bad(self) -> tuple[tuple[str, str], ...]:
        """All pictures without a row so far, with the reason."""
        return tuple(pair for _, shard in sorted(self.shards.items()) for pair in shard.bad)


def journal_of(encoder: EncoderRecord, pictures: Pictures, classes: Sequence[str], shard: int) -> Journal:
    """That of an extraction which has not begun."""
    digest = hashlib.sha256()
    for file, name in zip(pictures.files, classes, strict=True):
        digest.update(f"{file}\0{name}\0".encode())
    return Journal(encoder, os.path.abspath(pictures.root), len(pictures), digest.hexdigest(), shard, {})


def take_up(out: Path, new: Journal) -> Journal:
    """The journal of a folder, if it is of the same extraction; else ``new``, if nothing stands in its way.

    Raises:
        InputError: if the folder holds other features, or something that is no such folder.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise InputError(f"{out} is no folder: choose another out=.")
    if not (out / JOURNAL).exists():
        check_free(out)
        return new
    content = read_json(out / JOURNAL)
    if content.get("format") != FORMAT:
        raise InputError(
            f"{out / JOURNAL} is of format {content.get('format')!r}, this version reads {FORMAT}: upgrade gsmflow, or "
            "choose another out=."
        )
    old = validate(Journal, content, out / JOURNAL)
    differs = difference(old, new)
    if differs:
        raise InputError(
            f"{out} holds features of another extraction, {differs}: choose another out=, or take {SHARDS}/, "
            f"{LABEL_FILES[0]} and {JOURNAL} there away."
        )
    return old


def difference(old: Journal, new: Journal) -> str:
    """What is not the same in two extractions; empty if all is."""
    if not old.encoder.is_same(new.encoder):
        same = old.encoder.sha256 == new.encoder.sha256
        return "by the same encoder with another preprocessing" if same else f"by {old.encoder}, not {new.encoder}"
    if old.images != new.images:
        return f"of the pictures in {old.images}"
    if old.sha256 != new.sha256:
        return f"of {old.pictures:,} pictures, which are not these {new.pictures:,} in their order and classes"
    return ""


def check_free(out: Path) -> None:
    """Refuse a folder that holds features of which nobody knows how they were made."""
    if not out.exists():
        return
    found = feature_files(out) + [out / name for name in LABEL_FILES if (out / name).exists()]
    if found:
        by = read_record(out).encoder
        raise InputError(
            f"{out} holds {found[0].relative_to(out)} already{f', made by {by}' if by else ''}: choose another out=, "
            "or take its features and labels away."
        )


def write_journal(out: Path, journal: Journal) -> None:
    """Write ``extract.json`` atomically."""
    write_atomically(out / JOURNAL, as_json(plain(journal), indent=1))


def shard_path(out: Path, number: int) -> Path:
    """The file of a shard."""
    return out / SHARDS / f"part-{number:05d}.npy"


def is_whole(path: Path, rows: int, dim: int) -> bool:
    """Whether a file holds so many rows of features."""
    with suppress(OSError, ValueError, EOFError):
        return np.load(path, mmap_mode="r", allow_pickle=False).shape == (rows, dim)
    return False
