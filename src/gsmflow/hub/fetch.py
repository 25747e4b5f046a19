"""``pull``: a model from a hub, looked at before it is put where it was asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..experiment import load_model
from ..files import as_json, write_atomically
from ..model.about import FORMAT
from ..runs import RunFolder
from .client import MODEL, Say, amount, answers, check_content, check_repo, client, digest, listed, shown

__all__ = ["Pulled", "pull"]

PULLED = "pulled.json"
"""Written beside what was pulled: from where, at which revision, and the SHA-256 of each file."""


@dataclass(frozen=True)
class Pulled:
    """What was fetched.

    Attributes:
        repo: ``owner/name``.
        revision: the commit that it comes from.
        folder: where it lies now.
        files: names of its files.
    """

    repo: str
    revision: str
    folder: Path
    files: tuple[str, ...]


def pull(
    repo: str,
    out: str | Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    say: Say = lambda sentence: None,
    bars: bool = False,
) -> Pulled:
    """Fetch a model, its card and its metrics from one commit; a model that cannot be read is not placed.

    Args:
        repo: ``owner/name``.
        out: a new or empty folder.
        revision: branch, tag or commit; by default the newest.
        token: for what is not public; by default ``HF_TOKEN``, or that of ``hf auth login``.
        say: takes a sentence for the user.
        bars: show progress as bars on standard error, instead of a sentence every 15 seconds.

    Raises:
        InputError: if the folder holds anything, there is no such model, it is damaged or of another version, or the
            hub cannot be reached or refuses. The folder is as it was.
    """
    hub, folder = client(token), Path(os.path.realpath(out))
    check_repo(repo)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{out} is not an empty folder; choose another place.")
    with answers(hub, repo, f"pull {repo}"):
        info = hub.model_info(repo, revision=revision, files_metadata=True)
        files, commit = listed(info), str(info.sha)
        if MODEL not in files:
            raise InputError(f"{repo} holds no {MODEL} at {commit}: it is no model of gsmflow.")
        header = hub.parse_safetensors_file_metadata(repo, MODEL, revision=commit)
    check_form((header.metadata or {}).get("gsmflow"), repo)
    size = sum(one.size or 0 for one in files.values())
    with beside(folder, size) as place:
        say(f"pulling {', '.join(files)} ({amount(size)}) of {repo} at {commit}")
        progress = shown(say, bars, lambda: f"{amount(bytes_in(place))} of {amount(size)}")
        with answers(hub, repo, f"pull {repo}"), progress:
            for name in files:
                hub.hf_hub_download(repo, name, revision=commit, local_dir=place)
        for name, one in files.items():
            check_content(place / name, one, f"{name} of {repo} at {commit}")
        check_readable(place, repo)
        digests = {name: digest(place / name) for name in files}
        told = {"repo": repo, "revision": commit, "hub": hub.endpoint, "sha256": digests}
        write_atomically(place / PULLED, as_json(told, indent=2))
        move([place / PULLED, *(place / name for name in files)], folder)
    return Pulled(repo, commit, Path(out), tuple(files))


def check_form(form: str | None, repo: str) -> None:
    """Refuse a model file that this version cannot read, before it is fetched.

    Raises:
        InputError: if it is one.
    """
    if form is None:
        raise InputError(f"The {MODEL} of {repo} is no model of gsmflow.")
    if form != str(FORMAT):
        raise InputError(
            f"The {MODEL} of {repo} is of format {form[:20]!r}, this version reads {FORMAT}: upgrade gsmflow."
        )


def check_readable(place: Path, repo: str) -> None:
    """Refuse files that are not what they are called.

    Raises:
        InputError: if one is not.
    """
    folder = RunFolder(place)
    try:
        load_model(folder.model_file)
        if folder.is_finished:
            folder.read_metrics()
    except InputError as error:
        raise InputError(f"{repo} is refused: {str(error).replace(f'{place}{os.sep}', '')}") from error


@contextmanager
def beside(folder: Path, size: int) -> Iterator[Path]:
    """A folder on the same disk as another that is still to be made; it is gone afterwards.

    Raises:
        InputError: if it cannot be made, or the disk has no room for so many bytes.
    """
    parent = next(one for one in folder.parents if one.is_dir())
    free = shutil.disk_usage(parent).free
    if free < size:
        raise InputError(f"There is no room in {parent}: {amount(size)} are needed, {amount(free)} are free.")
    try:
        place = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=parent)
    except OSError as error:
        raise InputError(f"Could not write into {parent}: {error.strerror}; choose another place.") from error
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def move(files: list[Path], folder: Path) -> None:
    """Put files into a folder in this order: all of them, or none.

    Raises:
        InputError: if they cannot be put there.
    """
    is_new, placed = not folder.exists(), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.replace(folder / file.name)
            placed.append(folder / file.name)
    except BaseException as error:
        for path in placed:
            path.unlink(missing_ok=True)
        if is_new and folder.is_dir():
            folder.rmdir()
        if not isinstance(error, OSError):
            raise
        raise InputError(f"Could not write into {folder}: {error.strerror}; choose another place.") from error


def bytes_in(folder: Path) -> int:
    """Size of all files in a folder."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.stat().st_size if path.is_file() else 0
        except OSError:  # renamed meanwhile
            continue
    return size
