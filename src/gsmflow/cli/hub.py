"""``gsmflow push`` and ``gsmflow pull``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro import cli
from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from ..progress import Display

__all__ = ["pull", "push"]


@dataclass(frozen=True)
class PushArguments:
    """Publish a model on a hub: the model file, its card README.md, and metrics.json.

    The hub is Hugging Face's, or that of HF_ENDPOINT; the token is HF_TOKEN, or that of hf auth login.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    repo: Annotated[Positional[str], arg(metavar="OWNER/NAME")]
    """where to; made if it is not there"""
    private: bool = False
    """make it so that only its owner sees it"""
    token_file: Annotated[Path | None, arg(metavar="FILE")] = None
    """holds the token, instead of HF_TOKEN"""
    message: Annotated[str | None, arg(metavar="TEXT")] = None
    """of the commit"""
    quiet: bool = False
    """print the result only"""


@dataclass(frozen=True)
class PullArguments:
    """Fetch a model from a hub, with its card and metrics; nothing else is fetched, and no code.

    The hub is Hugging Face's, or that of HF_ENDPOINT; what is not public needs a token, as push does.
    """

    repo: Annotated[Positional[str], arg(metavar="OWNER/NAME")]
    """where from"""
    out: Annotated[Path, arg(metavar="DIR")]
    """a new or empty folder"""
    revision: Annotated[str | None, arg(metavar="REVISION")] = None
    """branch, tag or commit; default: the newest"""
    token_file: Annotated[Path | None, arg(metavar="FILE")] = None
    """holds the token, instead of HF_TOKEN"""
    quiet: bool = False
    """print the result only"""


def push(arguments: list[str]) -> None:
    """Publish a model on a hub."""
    asked = cli(PushArguments, args=arguments, prog="gsmflow push")
    from .. import hub

    display = display_of(asked)
    done = hub.push(
        asked.model,
        asked.repo,
        private=asked.private,
        token=hub.read_token(asked.token_file) if asked.token_file else None,
        message=asked.message,
        say=display.say,
        bars=display.live is not None,
    )
    seen = "private" if done.is_private else "public"
    print(f"pushed: {done.address} ({seen}) at {done.revision}")


def display_of(asked: PushArguments | PullArguments) -> Display:
    """Where sentences go; the library of the hub is as quiet as we are."""
    from ..progress import Display

    if asked.quiet:
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return Display(quiet=asked.quiet)


def pull(arguments: list[str]) -> None:
    """Fetch a model from a hub."""
    asked = cli(PullArguments, args=arguments, prog="gsmflow pull")
    from .. import hub

    display = display_of(asked)
    done = hub.pull(
        asked.repo,
        asked.out,
        revision=asked.revision,
        token=hub.read_token(asked.token_file) if asked.token_file else None,
        say=display.say,
        bars=display.live is not None,
    )
    print(f"pulled: {done.repo} at {done.revision} into {asked.out}")
