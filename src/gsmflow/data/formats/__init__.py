"""File formats of data sets: what each is told by, how it is read and how it is written.

To add one, write a file with ``holds``, ``read`` and ``write``, and a line in `FORMATS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..dataset import ZeroShotDataset
from . import folder, numpy_files, packed, xlsa17

__all__ = ["FORMATS", "Format", "formats_in"]


class Holds(Protocol):
    """Whether a folder holds the files that tell the format; they may still be damaged."""

    def __call__(self, folder: Path, /) -> bool: ...


class Read(Protocol):
    """Read a folder; a format with one set of features and semantics refuses a choice among them.

    Raises `InputError` if files are missing or damaged, or the data contradict themselves.
    """

    def __call__(
        self,
        folder: Path,
        /,
        *,
        features: str | None = None,
        semantics: str | None = None,
        name: str | None = None,
        allow_overlap: bool = False,
    ) -> ZeroShotDataset: ...


class Write(Protocol):
    """Write files into a folder, made if it is missing, so that reading gives the same fingerprint and class names.

    Raises `InputError` if the format cannot hold the data set, one of the files is there already, or the folder cannot
    be written.
    """

    def __call__(self, dataset: ZeroShotDataset, folder: Path, /) -> None: ...


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        name: stands in `Provenance.layout` of what was read.
        holds: tells whether a folder is of this format.
        read: a folder.
        write: a data set into a folder.
        expects: the files that tell it, for the sentence about a folder that holds none.
        chooses: whether a folder may hold several features or semantics; where one is asked for, such a format goes
            first.
    """

    name: str
    holds: Holds
    read: Read
    write: Write
    expects: str = ""
    chooses: bool = False


def holds_numpy(place: Path) -> bool:
    """Whether a folder is in the numpy layout; one of one's own data may hold files of the same names."""
    return numpy_files.holds(place) and not folder.holds(place)


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("folder", folder.holds, folder.read, folder.write, "classes.csv with images or features", True),
        Format("packed", packed.holds, packed.read, packed.write, "data.mat with label.mat"),
        Format("xlsa17", xlsa17.holds, xlsa17.read, xlsa17.write, "<features>.mat with <semantics>_splits.mat", True),
        Format("numpy", holds_numpy, numpy_files.read, numpy_files.write, "features.npy with its companions"),
    )
}
"""All formats by name. Of those that a folder holds, the first is read."""


def formats_in(folder: Path) -> list[Format]:
    """The formats of the files in a folder, first the one that is read; none where there is no such folder."""
    return [one for one in FORMATS.values() if one.holds(folder)] if folder.is_dir() else []
