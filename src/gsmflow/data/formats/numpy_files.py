"""The numpy layout: one ``.npy`` file an array; features are mapped from their file, however large it is.

``features.npy`` (N, D) and ``labels.npy`` (N,), class ids counted from 0; ``semantics.npy`` (K, S), row k of class k;
``trainval.npy``, sample indices counted from 0; if there are some, ``test_seen.npy``, ``test_unseen.npy``, of which a
missing one is an empty test, and ``class_names.txt`` and ``semantic_names.txt``, a name a line.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import InputError
from ..dataset import ARRAYS, Provenance, ZeroShotDataset
from ..rows import chunks
from .files import check_names, write_together

__all__ = ["holds", "read", "write"]

OPTIONAL = ("test_seen", "test_unseen")


def holds(folder: Path) -> bool:
    """Whether there is ``features.npy``."""
    return (folder / "features.npy").exists()


def read(
    folder: str | Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set.

    Args:
        folder: holds the files.
        features: refused: there is one set.
        semantics: refused: there is one set.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files are missing or damaged, the data contradict themselves, or a choice is asked for.
    """
    folder = Path(folder)
    if features or semantics:
        raise InputError(f"{folder} holds .npy files, with one set of features and semantics; drop the options.")
    keys = [key for key in ARRAYS if key not in OPTIONAL or os.path.lexists(folder / f"{key}.npy")]
    arrays = {key: read_array(folder / f"{key}.npy", mapped=key == "features") for key in keys}
    place = os.path.abspath(folder)
    return ZeroShotDataset(
        name or os.path.basename(place),
        **arrays,
        class_names=read_lines(folder / "class_names.txt"),
        semantic_names=read_lines(folder / "semantic_names.txt"),
        provenance=Provenance("numpy", files=tuple(f"{key}.npy" for key in keys), folder=place),
        allow_overlap=allow_overlap,
    )


def read_array(path: Path, *, mapped: bool) -> np.ndarray:
    """One array, read or mapped from its file."""
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not a readable .npy file ({reason}); it has {path.stat().st_size:,} bytes and may be cut off: "
            "write it again with numpy.save."
        ) from error


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a file that are not empty; none where there is no file."""
    if not path.exists():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a readable list of names ({error}); write it as UTF-8.") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def write(dataset: ZeroShotDataset, folder: str | Path) -> None:
    """Write ``dataset``, features chunk by chunk.

    Raises:
        InputError: if a name is none that a line can hold; if one of the files is there already, or the folder cannot
            be written.
    """
    folder = Path(folder)
    writers = {f"{key}.npy": partial(write_array, getattr(dataset, key)) for key in reversed(ARRAYS)}
    for key in ("semantic_names", "class_names"):
        names = getattr(dataset, key)
        check_names(dataset.name, names)
        if names or (folder / f"{key}.txt").exists():  # names that stand there are of other data: refused
            lines = "".join(f"{name}\n" for name in names)
            writers = {f"{key}.txt": partial(write_bytes, lines.encode()), **writers}
    write_together(folder, writers)  # features.npy, which tells the layout, comes last


def write_array(array: np.ndarray, file: BinaryIO) -> None:
    """As `numpy.save` does, without a copy of the whole."""
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for chunk in chunks(array):
        file.write(chunk.data)


def write_bytes(content: bytes, file: BinaryIO) -> None:
    """Write ``content``."""
    file.write(content)
