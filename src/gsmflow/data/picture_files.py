"""Which pictures lie in a folder; none is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PICTURES", "class_of", "picture_files"]

PICTURES = frozenset(
    f".{kind}"
    for kind in "apng avif bmp gif jfif jp2 jpe jpeg jpg pbm pgm png pnm ppm tga tif tiff webp".split()  # noqa: SIM905
)
"""How files of pictures end."""


def picture_files(root: Path) -> Iterator[str]:
    """The pictures in a folder and its sub-folders, relative to it, with ``/``; hidden ones are passed over."""
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(place).relative_to(root)
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in PICTURES and not name.startswith("."):
                yield (inside / name).as_posix()


def class_of(file: str) -> str:
    """The first folder on the way to a picture; empty if it lies in none."""
    first, slash, _ = file.partition("/")
    return first if slash else ""
