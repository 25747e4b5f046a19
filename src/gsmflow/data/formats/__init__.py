"""File formats: one file each, and one table.

To add a format, write a file that ends in a `Format`, and a line in `FORMATS`.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ..dataset import ZeroShotDataset
from .base import Format
from .numpy_files import NUMPY
from .packed import PACKED
from .xlsa17 import XLSA17

__all__ = ["FORMATS", "Format", "load_folder"]

FORMATS: dict[str, Format] = {form.name: form for form in (PACKED, XLSA17, NUMPY)}
"""By name of the layout; of several that one folder holds the first is read."""


def load_folder(
    folder: str | Path, *, features: str | None = None, semantics: str | None = None, allow_overlap: bool = False
) -> ZeroShotDataset:
    """Load the data set that a folder holds; its files tell the format.

    Of several formats the first in `FORMATS` is read, or the first that has several features or semantics where one of
    them is asked for.

    Raises:
        InputError: if there is no such folder, it holds no data set, or the files are damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    held = [form for form in FORMATS.values() if form.holds(folder)]
    if not held:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        expected = ", or ".join(form.expects for form in FORMATS.values())
        raise InputError(f"{folder} holds no data set: expected {expected}; found {there}.")
    form = next((form for form in held if form.several), held[0]) if features or semantics else held[0]
    if (features or semantics) and not form.several:
        raise InputError(
            f"{folder} holds {form.expects}, with one set of features and semantics; drop the options --features and "
            "--semantics."
        )
    name = folder.absolute().name  # "." has no name of its own
    return form.read(folder, features=features, semantics=semantics, name=name, allow_overlap=allow_overlap)
