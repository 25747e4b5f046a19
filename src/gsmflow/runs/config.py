"""What was asked of a run, and with which versions: all that it needs to be made again."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Literal

from ..data import DataSource
from ..settings import Settings

__all__ = ["RunConfig", "config_here", "git_revision", "versions"]


@dataclass(frozen=True)
class RunConfig:
    """The content of ``config.yaml``.

    Attributes:
        data: where the data came from, and their fingerprint.
        protocol: name of the protocol.
        method: as asked for: ``default``, ``gsmflow``, or a recipe; ``settings`` where they were given as such.
        recipe: name of the recipe that the settings started from.
        settings: all settings as they were used.
        device: where it was computed.
        threads: CPU threads; the same number gives the same numbers.
        versions: of what the numbers depend on.
        git: revision of the source tree, if it runs from one.
        track: what else follows the run.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    data: DataSource
    protocol: str
    method: str
    recipe: str
    settings: Settings
    device: str
    threads: int
    versions: dict[str, str]
    git: str | None
    track: Literal["tensorboard"] | None = None


def config_here(
    data: DataSource,
    protocol: str,
    method: str,
    recipe: str,
    settings: Settings,
    device: str,
    threads: int,
    track: Literal["tensorboard"] | None = None,
) -> RunConfig:
    """The configuration of a run made here and now."""
    return RunConfig(data, protocol, method, recipe, settings, device, threads, versions(), git_revision(), track)


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    packages = ("gsmflow", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def git_revision() -> str | None:
    """The revision of the source tree that gsmflow runs from, with ``-dirty``; None where it is installed otherwise."""
    here = Path(__file__)

    def git(*command: str) -> str:
        run = subprocess.run(
            ["git", "-C", here.parent, *command], capture_output=True, text=True, check=True, timeout=5
        )
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # else it is another project's revision
        return git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return None
