"""Known benchmarks from their public archives: fetched once, looked into, and placed where `load` finds them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from ..errors import InputError
from ..files import as_json, read_json, sha256_of, write_atomically
from ..overrides import plain, validate
from .catalog import BENCHMARKS, Archive, Benchmark, find, folder_of
from .download import Teller, download, drop, writing
from .formats.mat import check_keys
from .unpack import FileRecord, NotTheArchive, unpack

__all__ = ["RECORD", "Fetched", "fetch"]

RECORD = "fetched.json"
"""Stands beside the files that were fetched."""
KEYS = {"res101.mat": ("features", "labels"), "att_splits.mat": ("att", "trainval_loc", "test_unseen_loc")}
"""Without these a file of the standard layout is none."""


@dataclass(frozen=True)
class Fetched:
    """What came, the content of ``fetched.json``: what comes later must be the same.

    Attributes:
        address: of the archive.
        bytes: of the archive.
        sha256: of the archive.
        files: taken out of it.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    address: str
    bytes: int
    sha256: str
    files: tuple[FileRecord, ...]


def fetch(
    names: Sequence[str],
    *,
    root: str | Path = "data",
    address: str | None = None,
    keep: bool = False,
    teller: Teller,
) -> dict[Path, Fetched]:
    """Fetch benchmarks into folders of their names under ``root``.

    The archive is downloaded once, into ``root``; one that stands there under its own name is taken as it is.

    Args:
        names: of known benchmarks.
        root: made if it is not there.
        address: where to fetch the archive from, instead of where it was published.
        keep: leave the archive in ``root``.
        teller: shows how far it is, such as `gsmflow.progress.Display`.

    Returns:
        What came, by folder; those that were complete before are not among it.

    Raises:
        InputError: if a name is unknown or has no archive, the archive cannot be had or is not the one expected, it
            differs from what was fetched before, or there is no room; nothing is left then but what was downloaded.
    """
    root = Path(root)
    wanted = {one.name: one for one in (known(name, root) for name in names)}
    lacking = [benchmark for benchmark in wanted.values() if not is_complete(benchmark, root, teller)]
    found: dict[Path, Fetched] = {}
    for archive in dict.fromkeys(benchmark.archive for benchmark in lacking if benchmark.archive):
        theirs, part = root / archive.file, root / f"{archive.file}.part"
        ours = not theirs.exists()
        if address and not ours:
            raise InputError(f"{theirs} is there already; delete it, or drop address=.")
        if ours:
            download(address or archive.address, part, teller)
        else:
            teller.say(f"{theirs} is there and is taken as it is")
        path = part if ours else theirs
        try:
            origin = (address or archive.address) if ours else theirs.resolve().as_uri()
            came = Fetched(origin, path.stat().st_size, sha256_of(path), ())
            check_archive(came, archive, root, path)
            for benchmark in (one for one in lacking if one.archive == archive):
                folder = folder_of(benchmark.name, root) or root / benchmark.name
                found[folder] = take(benchmark, archive, path, came, folder, teller)
        except NotTheArchive:
            if ours:
                drop(part)
                teller.say(f"{part} is taken away")
            raise
        if ours and keep:
            part.replace(theirs)
        if ours:
            drop(part)
    return found


def known(name: str, root: Path) -> Benchmark:
    """The benchmark of this name, if it can be fetched."""
    benchmark = find(name)
    if benchmark is None:
        names = ", ".join(one.name for one in BENCHMARKS if one.archive)
        raise InputError(f"There is no known data set {name!r} to fetch; choose among {names}.")
    if not benchmark.files:
        raise InputError(f"{benchmark.name} is embedded and needs no files; use it as it is.")
    if benchmark.archive is None:
        raise InputError(
            f"{benchmark.name} is in no archive that can be fetched; get {' and '.join(benchmark.files)} from "
            f"{benchmark.source} and put them into {root / benchmark.name}."
        )
    return benchmark


def is_complete(benchmark: Benchmark, root: Path, teller: Teller) -> bool:
    """Whether all files are there, which is told; they must be what was fetched, if they were."""
    folder = folder_of(benchmark.name, root) or root / benchmark.name
    if not all((folder / file).exists() for file in benchmark.files):
        return False
    record = read_record(folder)
    for file in record.files if record else ():
        if (folder / file.name).exists() and sha256_of(folder / file.name) != file.sha256:
            raise InputError(
                f"{folder / file.name} is not what was fetched: its SHA-256 is another than in {RECORD}; delete it "
                f"to fetch it again, or delete {RECORD} to keep it."
            )
    since = "as fetched" if record else "though not fetched by this command"
    teller.say(f"{benchmark.name} is complete in {folder}, {since}: left alone")
    return True


def check_archive(came: Fetched, archive: Archive, root: Path, path: Path) -> None:
    """The archive is the one published, and the one that came before from there."""
    if archive.sha256 not in (None, came.sha256):
        raise NotTheArchive(f"{path} is not the archive expected: its SHA-256 is {came.sha256}, not {archive.sha256}.")
    for place in sorted(root.glob(f"*/{RECORD}")):
        before = read_record(place.parent)
        if before and before.address == came.address and before.sha256 != came.sha256:
            raise NotTheArchive(
                f"{came.address} gives another archive than before: its SHA-256 is {came.sha256}, and "
                f"{before.sha256} in {place}; to accept the new one, delete that file."
            )


def take(benchmark: Benchmark, archive: Archive, path: Path, came: Fetched, folder: Path, teller: Teller) -> Fetched:
    """Unpack the files of one benchmark, look into them, and place them with their record."""
    made = not folder.exists()
    temporary = folder / f".{os.getpid()}.tmp"
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
        members = {file: f"{archive.folder}/{benchmark.name}/{file}" for file in benchmark.files}
        came = replace(came, files=unpack(path, members, temporary, teller))
        check_content(temporary, path)
        check_before(came, folder)
        write_atomically(temporary / RECORD, as_json(plain(came), indent=2))
        with writing(folder):
            place(temporary, folder, [RECORD, *benchmark.files])
        return came
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made:
            with suppress(OSError):  # not empty: all went well
                folder.rmdir()


def check_content(folder: Path, archive: Path) -> None:
    """The files hold what the layout needs."""
    for file, keys in KEYS.items():
        try:
            check_keys(folder / file, keys)
        except InputError as error:
            raise NotTheArchive(str(error).replace(str(folder), str(archive))) from error


def check_before(came: Fetched, folder: Path) -> None:
    """What stands in the folder, and what is recorded there, is what came."""
    before = read_record(folder)
    recorded = {file.name: file.sha256 for file in before.files} if before else {}
    for file in came.files:
        if recorded.get(file.name, file.sha256) != file.sha256:
            raise NotTheArchive(
                f"{file.name} of {folder.name} from {came.address} is another than before: its SHA-256 is "
                f"{file.sha256}, and {recorded[file.name]} in {folder / RECORD}; to accept the new one, take that "
                "file away."
            )
        if (folder / file.name).exists() and sha256_of(folder / file.name) != file.sha256:
            raise InputError(
                f"{folder / file.name} is there and is another than that of the archive; delete it or move it away."
            )


def place(temporary: Path, folder: Path, names: Sequence[str]) -> None:
    """Move files to where they belong, all or none; those that are there already are the same."""
    placed: list[Path] = []
    try:
        for name in names:
            if not (folder / name).exists():
                placed.append(folder / name)
                (temporary / name).replace(folder / name)
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise


def read_record(folder: Path) -> Fetched | None:
    """What was fetched into a folder; None if nothing was."""
    path = folder / RECORD
    return validate(Fetched, read_json(path), path) if path.exists() else None
