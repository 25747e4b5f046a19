"""Fetching one large file over HTTP: what came is kept and gone on with, nothing is taken for whole that is not."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import InputError
from ..files import as_json, read_json, write_atomically
from ..overrides import plain, validate

__all__ = ["MB", "Part", "Teller", "check_room", "download", "drop", "writing"]

MB = 2**20
CHUNK = 2**20
TIMEOUT_S = 30.0
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each further try; they begin again once more of the file is there than before."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may change in a moment."""


class Teller(Protocol):
    """What shows how far the work is, as `gsmflow.progress.Display` does."""

    def begin(self, title: str, total: int) -> None:
        """Start a task of ``total`` steps."""

    def show(self, done: int, numbers: dict[str, float], /) -> None:
        """Show how far the task is."""

    def say(self, line: str) -> None:
        """One line that stays."""


@dataclass(frozen=True)
class Part:
    """What is known of a file that is partly there; stands beside it.

    Attributes:
        address: where it comes from.
        validator: the server's mark of this version of the file, by which it is known again; empty if it gave none.
        total: bytes of the whole file, if the server told.
        complete: whether all of it is there.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    address: str
    validator: str = ""
    total: int | None = None
    complete: bool = False


class Cut(Exception):
    """The connection ended before the file did."""


def download(address: str, part: Path, teller: Teller) -> None:
    """Fetch a file, or the rest of one that is partly there.

    Whatever ends it, Ctrl-C too, leaves what came, and the next call goes on from there: if the server can, and the
    file is still the same.

    Args:
        address: begins with http:// or https://.
        part: where it grows; `drop` takes it away.
        teller: shows megabytes, and says why it starts anew or waits.

    Raises:
        InputError: if it cannot be had, or there is no room for it.
    """
    host = host_of(address)
    most, failures = size_of(part), 0
    while True:
        try:
            return fetch_rest(address, part, teller)
        except InputError:
            raise
        except HTTPError as error:
            error.close()
            if error.code not in PASSING:
                raise InputError(
                    f"{address} answers {error.code} {one_line(error.reason)}; give another place of the file with "
                    "address=."
                ) from error
            reason = f"the server answers {error.code} {one_line(error.reason)}"
        except (InvalidURL, ValueError) as error:
            raise InputError(f"The address {address!r} is none: {error}.") from error
        except (Cut, HTTPException, URLError, OSError) as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise InputError(f"{host} cannot prove who it is: {error}.") from error
            reason = one_line(getattr(error, "reason", error) or type(error).__name__)
        if size_of(part) > most:
            most, failures = size_of(part), 0
        if failures == len(WAITS_S):
            raise InputError(
                f"{address} could not be fetched in {failures + 1} tries ({reason}); {size_of(part):,} bytes are kept "
                f"in {part}: try again later, or give another place of the file with address=."
            )
        teller.say(f"{reason}; trying again in {WAITS_S[failures]:g} s")
        time.sleep(WAITS_S[failures])
        failures += 1


def one_line(reason: object) -> str:
    """What a server says, on one line and with nothing that a terminal would take for an order.

    Example:
        >>> one_line("not\\n here\\x1b[2J")
        'not here?[2J'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(reason).split()))


def host_of(address: str) -> str:
    """The host of an address; nothing else than HTTP is spoken, files of this machine least of all."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InputError(f"The address {address!r} is none: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"The address {address!r} must begin with http:// or https://.")
    return parts.netloc


def fetch_rest(address: str, part: Path, teller: Teller) -> None:
    """One try."""
    have, known = size_of(part), read_note(part)
    if known and known.address == address and known.complete:
        return
    if have and not (known and known.address == address and known.validator):
        teller.say(f"{part} cannot be gone on with, since {why_not(known, address)}: starting anew")
        have, known = 0, None
    headers = {"User-Agent": "gsmflow", "Accept-Encoding": "identity"}
    if have and known:
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    with answer(Request(address, headers=headers), part) as response:
        now = Part(address, validator(response), total_of(response))
        if have and known and not goes_on(response, have, known, now):
            same = now.validator == known.validator
            teller.say(f"the {'server cannot go on in the middle' if same else 'file has changed'}: starting anew")
            have = 0
        if response.status == 206 and not have:  # the middle of another file
            drop(part)
            raise Cut("the rest of the file does not fit what is there")
        receive(response, part, have, now, teller)


def answer(request: Request, part: Path) -> HTTPResponse:
    """The response; a part that the server finds too long is dropped, to start anew with the next try."""
    try:
        return urlopen(request, timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        drop(part)
        raise Cut("what is there is no part of the file") from error


def receive(response: HTTPResponse, part: Path, have: int, now: Part, teller: Teller) -> None:
    """Write what comes behind the bytes that are there."""
    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    if now.total is not None:
        check_room(part.parent, now.total - have, part.name)
    with writing(part):
        file = part.open("ab" if have else "wb")
    with file:
        write_atomically(note_of(part), as_json(plain(now), indent=2))
        teller.begin(f"fetch {part.name.removesuffix('.part')} (MB)", (now.total or 0) // MB)
        began, before = time.monotonic(), have
        while chunk := response.read(CHUNK):
            with writing(part):
                file.write(chunk)
            have += len(chunk)
            speed = (have - before) / MB / max(time.monotonic() - began, 1e-3)
            teller.show(have // MB, {"MB/s": speed})
        with writing(part):
            file.flush()
            os.fsync(file.fileno())
    if now.total is not None and have != now.total:
        raise Cut(f"the connection was cut after {have:,} of {now.total:,} bytes")
    write_atomically(note_of(part), as_json(plain(replace(now, total=have, complete=True)), indent=2))


def goes_on(response: HTTPResponse, have: int, known: Part, now: Part) -> bool:
    """Whether the answer is the rest of the very file that is partly there."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = now.validator == known.validator and now.total == known.total
    return response.status == 206 and same and found is not None and int(found[1]) == have


def validator(response: HTTPResponse) -> str:
    """The server's mark of a version of a file: a strong ETag, or else its date."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def total_of(response: HTTPResponse) -> int | None:
    """The bytes of the whole file, if the server tells."""
    told = response.headers.get("Content-Length", "")
    if response.status == 206:
        told = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(told) if told.isdecimal() else None


def why_not(known: Part | None, address: str) -> str:
    """Why a part is of no use."""
    if not known:
        return "what it is a part of is not known"
    return "the server gave no mark to know the file by" if known.address == address else "it comes from elsewhere"


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raise `InputError` if a disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{what} needs {needed / 1e9:.2f} GB more, and {folder} has {free / 1e9:.2f} GB free; make room or choose "
            "another root=."
        )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell in one sentence that a file could not be written: no other error of the work within."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Could not write {path}: {error.strerror or error}; make room or choose another root=, and fetch again."
        ) from error


def size_of(path: Path) -> int:
    """The bytes of a file; none where there is none."""
    return path.stat().st_size if path.is_file() else 0


def note_of(part: Path) -> Path:
    """Where it stands what is known of a part."""
    return part.with_name(f"{part.name}.json")


def read_note(part: Path) -> Part | None:
    """What is known of a part; None where that is not known, or damaged: then it cannot be gone on with."""
    with suppress(InputError):
        return validate(Part, read_json(note_of(part)), note_of(part))
    return None


def drop(part: Path) -> None:
    """Take a part away."""
    for path in (part, note_of(part)):
        path.unlink(missing_ok=True)
