"""What pushing and pulling have in common: reaching a hub, telling what it refuses, checking what came."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

__all__ = [
    "CARD",
    "METRICS",
    "MODEL",
    "Say",
    "amount",
    "answers",
    "check_content",
    "check_repo",
    "client",
    "digest",
    "listed",
    "read_token",
    "shown",
]

MODEL, CARD, METRICS = "model.safetensors", "README.md", "metrics.json"
LINE_EVERY_S = 15.0
NETWORK = ("httpx", "httpx2", "httpcore", "requests", "urllib3")
"""Libraries whose errors mean that there was no answer."""
MEANING = {
    401: "the token is not accepted; make one at {hub}/settings/tokens, and give it as HF_TOKEN or with token_file=",
    403: "the token may not do this; give one with write access, or choose a name of your own",
    409: "somebody changed it at the same time; do it again",
    413: "it is too large for this hub",
    429: "too many requests were made; wait a few minutes",
}
"""What a hub's answers mean, and what to do."""

Say = Callable[[str], None]


def client(token: str | None) -> HfApi:
    """The hub that ``HF_ENDPOINT`` names, with a token where there is one.

    Raises:
        InputError: if the library is missing.
    """
    try:
        from huggingface_hub import HfApi, get_token
    except ImportError as error:
        library = error.name or "a library"
        raise InputError(f"This needs {library} that is not installed: pip install 'gsmflow[hub]'.") from error
    from .. import __version__

    return HfApi(token=token or get_token(), library_name="gsmflow", library_version=__version__)


def read_token(path: Path) -> str:
    """The token that a file holds.

    Raises:
        InputError: if it cannot be read, or holds anything else. What it holds is not told.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise InputError(f"The token file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"The token file {path} holds no text; it must hold one token.") from error
    if len(words) != 1 or not (words[0].isascii() and words[0].isprintable()):
        raise InputError(f"The token file {path} must hold one token and nothing else; it holds {len(words)} words.")
    return words[0]


def check_repo(repo: str, *, needs_owner: bool = False) -> None:
    """Refuse what is no name of a repository.

    Raises:
        InputError: if it is none.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(
            f"{repo!r} is no name of a repository: write owner/name, of letters, digits, '-', '_' and '.'."
        ) from error
    if needs_owner and "/" not in repo:
        raise InputError(f"Say whose repository {repo!r} shall be: write owner/{repo}.")


def listed(info: ModelInfo) -> dict[str, RepoSibling]:
    """The files of a model that a hub lists, by name; no others."""
    there = {one.rfilename: one for one in info.siblings or []}
    return {name: there[name] for name in (CARD, METRICS, MODEL) if name in there}


def check_content(path: Path, file: RepoSibling | None, what: str) -> None:
    """Refuse a file that is not the one that the hub lists.

    Raises:
        InputError: if it is another, or none is listed.
    """
    if file is None:
        raise InputError(f"The hub left out {what}; does a .gitignore there name it?")
    if file.lfs:
        expected, found = file.lfs["sha256"], digest(path)
    else:
        expected, found = file.blob_id, digest(path, "sha1", f"blob {path.stat().st_size}\0".encode())  # as git does
    if expected != found:
        raise InputError(f"{what} is damaged: its digest is {found[:16]}, the hub lists {str(expected)[:16]}.")


def digest(path: Path, kind: str = "sha256", start: bytes = b"") -> str:
    """A digest over the content of a file."""
    found = hashlib.new(kind, start, usedforsecurity=kind != "sha1")
    with path.open("rb") as file:
        while block := file.read(2**22):
            found.update(block)
    return found.hexdigest()


@contextmanager
def shown(say: Say, bars: bool, line: Callable[[], str]) -> Iterator[None]:
    """The library's own bars, or else a line every 15 seconds."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if bars:
        yield
        return
    is_over = threading.Event()

    def tell() -> None:
        while not is_over.wait(LINE_EVERY_S):
            say(line())

    had_bars = not are_progress_bars_disabled()
    if had_bars:
        disable_progress_bars()
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()
        if had_bars:
            enable_progress_bars()


@contextmanager
def answers(hub: HfApi, repo: str, what: str) -> Iterator[None]:
    """Tell in one sentence what a hub refuses, or that it does not answer.

    Raises:
        InputError: whatever the library raises.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the library raises those of several others too
        raise InputError(f"Could not {what}: {reason(error, hub.endpoint, repo)}.") from error


def reason(error: Exception, hub: str, repo: str) -> str:
    """Why a hub could not be used, and what to do."""
    from huggingface_hub import errors

    if type(error) is ValueError:  # what the library itself found: it says more than the answer behind it
        return one_line(error)
    for one in causes(error):
        if isinstance(one, errors.SafetensorsParsingError):
            return f"its {MODEL} is damaged, or no such file"
        if isinstance(one, errors.OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set; unset it"
        if isinstance(one, errors.GatedRepoError):
            return f"{repo} wants its terms accepted first; do that at {hub}/{repo}, and give your token"
        if isinstance(one, errors.RevisionNotFoundError):
            return f"{repo} has no such revision; leave out revision= for the newest"
        if isinstance(one, errors.RepositoryNotFoundError):
            return (
                f"{hub} has no model {repo}, or shows it to others only; check the name, or give a token that may see "
                "it, as HF_TOKEN or with token_file="
            )
        if isinstance(one, errors.HfHubHTTPError):
            status = one.response.status_code
            told = " ".join((one.server_message or "").split())[:200].rstrip(".")
            return MEANING.get(status, f"{{hub}} answers {status} {told}".rstrip()).format(hub=hub)
        if isinstance(one, json.JSONDecodeError):
            return f"{hub} does not answer as a hub does; is HF_ENDPOINT right"
        if type(one).__module__.partition(".")[0] in NETWORK or isinstance(one, ConnectionError | TimeoutError):
            if "/xet-" in str(one):
                return f"{hub} does not speak Xet; set HF_HUB_DISABLE_XET=1"
            return f"{hub} does not answer ({one_line(one)[:160]}); is the network there, and HF_ENDPOINT right"
    return one_line(error)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it comes from."""
    one: BaseException | None = error
    while one:
        yield one
        one = one.__cause__ or one.__context__


def one_line(error: BaseException) -> str:
    """What an error says, in one line without an end."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")


def amount(size: float) -> str:
    """A number of bytes as it is read."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
