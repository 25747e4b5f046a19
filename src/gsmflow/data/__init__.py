"""Data sets: reading, checking, and cutting pseudo-unseen classes out of them.

To add a file format, write a file with a ``read_…`` function and a line in `load_folder`.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .catalog import find_benchmark
from .dataset import Provenance, TestSets, TrainingSet, ZeroShotDataset
from .digits import digits
from .packed import read_packed
from .splits import pseudo_unseen
from .synthetic import synthetic
from .xlsa17 import read_xlsa17

__all__ = [
    "Provenance",
    "TestSets",
    "TrainingSet",
    "ZeroShotDataset",
    "digits",
    "load",
    "load_folder",
    "pseudo_unseen",
    "synthetic",
]

EMBEDDED = {"digits": digits, "synthetic": synthetic}


def load(
    name: str,
    *,
    root: str | Path | None = None,
    features: str | None = None,
    semantics: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Load a data set by name.

    Args:
        name: ``digits``, ``synthetic``, or a folder under ``root``, known or not.
        root: folder that holds the data sets; default ``data``.
        features: which features file, without ``.mat``.
        semantics: which semantics file, without ``_splits.mat``.
        allow_overlap: accept a published file that has samples in two splits.

    Raises:
        InputError: if there is no such data set, its files are damaged, or the data contradict themselves.
    """
    if name in EMBEDDED:
        if features or semantics:
            raise InputError(f"{name} is embedded and has one set of features and semantics; drop the options.")
        return EMBEDDED[name]()
    root = Path("data" if root is None else root)
    folder = root / name
    if not folder.is_dir():
        raise InputError(missing(name, root))
    return load_folder(folder, features=features, semantics=semantics, allow_overlap=allow_overlap)


def load_folder(
    folder: Path, *, features: str | None = None, semantics: str | None = None, allow_overlap: bool = False
) -> ZeroShotDataset:
    """Load the data set that a folder holds; its files tell the layout.

    A folder with both layouts is read as xlsa17 if features or semantics are asked for, else as packed.

    Raises:
        InputError: if the folder holds neither layout.
    """
    is_packed = (folder / "data.mat").exists() and (folder / "label.mat").exists()
    is_xlsa17 = any(folder.glob("*_splits.mat"))
    if is_xlsa17 and (features or semantics or not is_packed):
        return read_xlsa17(folder, features=features, semantics=semantics, allow_overlap=allow_overlap)
    if is_packed:
        if features or semantics:
            raise InputError(f"{folder} holds packed files, with one set of features and semantics; drop the options.")
        return read_packed(folder, allow_overlap=allow_overlap)
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    raise InputError(
        f"{folder} holds no data set: expected <features>.mat with <semantics>_splits.mat, or data.mat with label.mat; "
        f"found {there}."
    )


def missing(name: str, root: Path) -> str:
    """One sentence about a data set that is not there."""
    there = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    what = f"it holds {', '.join(there)}" if there else "it holds no folder" if root.is_dir() else "nor that folder"
    known = find_benchmark(name)
    hint = f"get {name} from {known.source}" if known and known.files else "choose another --data-root"
    return f"There is no data set {name!r} in {root} ({what}); {hint}, or try the embedded 'digits'."
