"""Taking a few files out of a zip archive of strangers: those asked for, of the size declared, and no others."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from ..errors import InputError
from .download import MB, Teller, check_room, writing

__all__ = ["FileRecord", "NotTheArchive", "unpack"]

CHUNK = 2**20
MOST_BYTES = 2**34
MOST_RATIO = 200
"""Of what is unpacked to what is packed; matrices of features come to less than 20."""
SMALL = 2**24


class NotTheArchive(InputError):
    """An archive that can be of no use, however often it is unpacked."""


@dataclass(frozen=True)
class FileRecord:
    """What is known of a file.

    Attributes:
        name: in its folder.
        bytes: how many.
        sha256: of its content.
    """

    name: str
    bytes: int
    sha256: str


def unpack(archive: Path, members: Mapping[str, str], folder: Path, teller: Teller) -> tuple[FileRecord, ...]:
    """Write members of an archive into a folder.

    Args:
        archive: a zip file.
        members: the path in the archive, by the name that the file gets.
        folder: is there, and holds none of them.
        teller: shows megabytes.

    Raises:
        NotTheArchive: if it is no zip archive, is damaged, lacks a member, holds what points out of its folder or
            unpacks to far more than it should.
        InputError: if there is no room.
    """
    try:
        with ZipFile(archive) as content:
            entries = content.infolist()
            for entry in entries:
                check_place(entry, archive)
            chosen = {name: find(entries, member, archive) for name, member in members.items()}
            check_room(folder, sum(entry.file_size for entry in chosen.values()), " and ".join(chosen))
            return tuple(extract(content, entry, folder / name, teller) for name, entry in chosen.items())
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged archive can fail anywhere inside of the reader
        raise damaged(archive, error) from error


def check_place(entry: ZipInfo, archive: Path) -> None:
    """Raise `InputError` if an entry would leave the folder: none of the real archive does."""
    parts = entry.filename.replace("\\", "/").split("/")
    outside = not parts[0] or ".." in parts or ":" in parts[0]
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    if outside or is_link:
        what = "is a link" if is_link else "points out of its folder"
        raise NotTheArchive(f"{archive} is not the archive expected: its entry {entry.filename!r} {what}.")


def find(entries: list[ZipInfo], member: str, archive: Path) -> ZipInfo:
    """The one entry of this path, of a size that can be."""
    found = [entry for entry in entries if entry.filename == member]
    if len(found) != 1:
        there = sorted({"/".join(entry.filename.split("/")[:3]) for entry in entries})
        how = f"{len(found)} entries" if found else "no entry"
        raise NotTheArchive(f"{archive} holds {how} {member!r}; it holds {', '.join(there[:8]) or 'nothing'}.")
    entry = found[0]
    if entry.file_size > MOST_BYTES or entry.file_size > max(MOST_RATIO * entry.compress_size, SMALL):
        raise NotTheArchive(
            f"{archive} is not the archive expected: {member} would unpack from {entry.compress_size:,} to "
            f"{entry.file_size:,} bytes."
        )
    return entry


def extract(content: ZipFile, entry: ZipInfo, path: Path, teller: Teller) -> FileRecord:
    """Write one member; the checksum in the archive is compared at its end."""
    digest, done = hashlib.sha256(), 0
    teller.begin(f"unpack {path.name} (MB)", entry.file_size // MB)
    with writing(path):
        file = path.open("xb")
    with file, content.open(entry) as source:
        while chunk := source.read(CHUNK):
            done += len(chunk)
            if done > entry.file_size:
                raise BadZipFile(f"{entry.filename} is longer than declared")
            digest.update(chunk)
            with writing(path):
                file.write(chunk)
            teller.show(done // MB, {})
        if done != entry.file_size:
            raise BadZipFile(f"{entry.filename} ends after {done:,} of {entry.file_size:,} bytes")
        with writing(path):
            file.flush()
            os.fsync(file.fileno())
    return FileRecord(path.name, done, digest.hexdigest())


def damaged(archive: Path, error: Exception) -> NotTheArchive:
    """One sentence about an archive that cannot be read."""
    with archive.open("rb") as file:
        start = file.read(4)
    reason = " ".join(str(error).split()) or type(error).__name__
    if not start.startswith(b"PK"):
        return NotTheArchive(f"{archive} is no zip archive: it starts with {start!r}; check its address.")
    return NotTheArchive(f"{archive} is a damaged zip archive ({reason}), of {archive.stat().st_size:,} bytes.")
