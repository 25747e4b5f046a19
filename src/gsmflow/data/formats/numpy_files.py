"""The numpy layout: one ``.npy`` file an array; features are mapped from their file, however large it is.

``features.npy`` (N, D) and ``labels.npy`` (N,), class ids counted from 0; ``semantics.npy`` (K, S), row k of class k;
``trainval.npy``, ``test_seen.npy``, ``test_unseen.npy``, sample indices counted from 0; if there is one,
``class_names.txt``, a name a line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ..dataset import Provenance, ZeroShotDataset
from .base import Format

__all__ = ["NUMPY", "read_numpy"]

ARRAYS = ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen")


def read_numpy(
    folder: Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set.

    Args:
        folder: holds the files.
        features: there is one set.
        semantics: there is one set.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if files are missing or damaged, or the data contradict themselves.
    """
    arrays = {key: read_array(folder / f"{key}.npy", mapped=key == "features") for key in ARRAYS}
    listed = folder / "class_names.txt"
    names = tuple(f"class {k + 1}" for k in range(len(arrays["semantics"])))
    if listed.exists():
        names = tuple(line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip())
    return ZeroShotDataset(
        name or folder.name,
        **arrays,
        class_names=names,
        provenance=Provenance(
            "numpy",
            "features",
            "semantics",
            tuple(f"{key}.npy" for key in ARRAYS),
            folder=str(folder.absolute()),
        ),
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


def holds_numpy(folder: Path) -> bool:
    """Whether there are features."""
    return (folder / "features.npy").exists()


def write_numpy(dataset: ZeroShotDataset, folder: Path) -> None:
    """Write one ``.npy`` file an array."""
    raise NotImplementedError


NUMPY = Format("numpy", "features.npy with its companions", holds_numpy, read_numpy, write_numpy)
