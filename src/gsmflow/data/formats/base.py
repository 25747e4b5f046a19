"""What a file format is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..dataset import ZeroShotDataset

__all__ = ["Format", "Read"]


class Read(Protocol):
    """Reads the data set that a folder holds."""

    def __call__(
        self,
        folder: Path,
        *,
        features: str | None = None,
        semantics: str | None = None,
        name: str | None = None,
        allow_overlap: bool = False,
    ) -> ZeroShotDataset:
        """Read one data set; see `gsmflow.load`."""
        ...


class Holds(Protocol):
    """Tells whether a folder holds a data set of the format."""

    def __call__(self, folder: Path) -> bool:
        """Whether it does."""
        ...


class Write(Protocol):
    """Writes a data set into a folder, so that it is read back the same."""

    def __call__(self, dataset: ZeroShotDataset, folder: Path) -> None:
        """Write it."""
        ...


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: of the layout.
        expects: which files make it, in words.
        holds: whether a folder holds a data set of it.
        read: read the data set of a folder.
        write: write a data set into a folder.
        several: whether a folder may hold several features or semantics, which are then asked for by name.
    """

    name: str
    expects: str
    holds: Holds
    read: Read
    write: Write
    several: bool = False
