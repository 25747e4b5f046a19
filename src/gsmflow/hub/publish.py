"""``push``: a model with its card and metrics, as one commit on a hub."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from ..data import EncoderRecord
from ..errors import InputError
from ..experiment import load_model
from ..files import write_atomically
from ..model.about import About, read_model, write_model
from ..runs import RunFolder, model_card
from .client import CARD, METRICS, MODEL, Say, amount, answers, check_content, check_repo, client, listed, shown

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["Pushed", "push"]


@dataclass(frozen=True)
class Pushed:
    """What was published.

    Attributes:
        repo: ``owner/name``.
        revision: the commit that holds it.
        address: of its page.
        files: names of its files.
        is_private: whether only its owner sees it.
    """

    repo: str
    revision: str
    address: str
    files: tuple[str, ...]
    is_private: bool


def push(
    model: str | Path,
    repo: str,
    *,
    private: bool = False,
    token: str | None = None,
    message: str | None = None,
    say: Say = lambda sentence: None,
    bars: bool = False,
) -> Pushed:
    """Publish a model with its card and metrics, as one commit; what the hub holds afterwards is checked.

    Paths of this machine, which the model file holds as hints, are left out of what is published.

    Args:
        model: the folder of a finished run or of a pulled model; or a model file, which gets a card of its own.
        repo: ``owner/name``; made if it is not there.
        private: make it so that only its owner sees it.
        token: by default ``HF_TOKEN``, or that of ``hf auth login``.
        message: of the commit.
        say: takes a sentence for the user.
        bars: show progress as bars on standard error, instead of a sentence every 15 seconds.

    Raises:
        InputError: if there is no model, or the hub cannot be reached or refuses.
    """
    hub = client(token)
    check_repo(repo, needs_owner=True)
    if message is not None and not message.strip():
        raise InputError("A commit needs a message: leave out message= for the usual one.")
    if not hub.token:
        raise InputError(
            f"Pushing needs a token that may write: make one at {hub.endpoint}/settings/tokens, and give it as "
            "HF_TOKEN or with token_file=."
        )
    with tempfile.TemporaryDirectory() as place:
        files = gathered(Path(model), Path(place), say)
        with answers(hub, repo, f"push to {repo}"):
            is_private = made_repo(hub, repo, private, say)
            size = sum(path.stat().st_size for path in files.values())
            say(f"pushing {', '.join(files)} ({amount(size)}) to {repo}")
            with shown(say, bars, lambda: f"still pushing to {repo}"):
                revision = commit(hub, repo, files, message or "A model of gsmflow")
            there = listed(hub.model_info(repo, revision=revision, files_metadata=True))
        for name, path in files.items():
            check_content(path, there.get(name), f"{name} of {repo} at {revision}")
    return Pushed(repo, revision, f"{hub.endpoint}/{repo}", tuple(files), is_private)


def gathered(model: Path, place: Path, say: Say) -> dict[str, Path]:
    """The files to publish by name; those that have to be made lie in ``place``.

    Raises:
        InputError: if there is no model, or what lies beside it is not of it.
    """
    whole = load_model(model)
    folder = RunFolder(model if model.is_dir() else place)  # what lies beside a mere file need not be of it
    record = folder.read_metrics() if folder.is_finished else None
    if record is not None and record.get("fingerprint") != whole.about.fingerprint:
        raise InputError(f"{folder.metrics_file} is of other data than the model beside it; take one of them away.")
    card = model_card(whole, record).encode()
    if not folder.card_file.exists():
        write_atomically(place / CARD, card)
        card_file = place / CARD
    else:
        card_file = folder.card_file
        if read_card(card_file) != card.decode():
            say(f"{card_file} is not the card that gsmflow writes of this model; it is pushed as it is")
    model_file = folder.model_file if model.is_dir() else model
    files = {MODEL: without_places(model_file, place / MODEL, say), CARD: card_file}
    return files if record is None else files | {METRICS: folder.metrics_file}


def read_card(path: Path) -> str:
    """The text of a card.

    Raises:
        InputError: if it is none.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no readable text: write it in UTF-8, or take it away to have it made.") from error


def without_places(model: Path, other: Path, say: Say) -> Path:
    """A model file that names no folder of this machine: itself, or else a copy that is written to ``other``."""
    tensors, about = read_model(model)
    bare = bare_of_places(about)
    if bare == about:
        return model
    write_model(other, tensors, bare)
    say("paths of this machine are left out of what is pushed")
    return other


def bare_of_places(about: About) -> About:
    """The same without the folders that data, pictures and encoders lay in."""
    source = about.provenance
    if source:
        encoders = {"encoder": nowhere(source.encoder), "text_encoder": nowhere(source.text_encoder)}
        source = replace(source, folder="", images="", **encoders)
    encoder, text_encoder = nowhere(about.encoder), nowhere(about.text_encoder)
    return replace(about, provenance=source, encoder=encoder, text_encoder=text_encoder)


def nowhere(record: EncoderRecord | None) -> EncoderRecord | None:
    """A record of an encoder with the mere name of its file or folder."""
    if record is None or not record.place:
        return record
    name, place = (PureWindowsPath(path).name or path for path in (record.name, record.place))
    return replace(record, name=name, place=place)


def made_repo(hub: HfApi, repo: str, private: bool, say: Say) -> bool:
    """Make a repository if it is not there; return whether it is private.

    Raises:
        InputError: if it is there and public, where a private one is asked for.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = hub.model_info(repo)
    except RepositoryNotFoundError:
        hub.create_repo(repo, private=True if private else None, exist_ok=True)
        say(f"made the repository {repo}")
        info = hub.model_info(repo)
    if private and not info.private:
        raise InputError(
            f"{repo} is there and public, private=True has no effect on it: make it private on its page, or choose "
            "another name."
        )
    return bool(info.private)


def commit(hub: HfApi, repo: str, files: dict[str, Path], message: str) -> str:
    """Send all files as one commit; return its revision."""
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(name, path) for name, path in files.items()]
    return hub.create_commit(repo, operations, commit_message=message).oid
