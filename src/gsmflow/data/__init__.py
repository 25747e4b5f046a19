"""Data sets: reading, checking, and cutting pseudo-unseen classes out of them.

To add a file format, write a file with a ``read_…`` function and a line in `load_folder`.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .catalog import BENCHMARKS, find
from .dataset import Provenance, TestSets, TrainingSet, ZeroShotDataset
from .digits import digits
from .numpy_files import read_numpy
from .packed import read_packed
from .splits import pseudo_unseen
from .synthetic import synthetic
from .xlsa17 import read_xlsa17

__all__ = [
    "BENCHMARKS",
    "Provenance",
    "TestSets",
    "TrainingSet",
    "ZeroShotDataset",
    "digits",
    "find",
    "load",
    "load_folder",
    "pseudo_unseen",
    "read_numpy",
    "read_packed",
    "read_xlsa17",
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
        name: ``digits``, ``synthetic``, or a folder under ``root``, known or not; in any case of letters.
        root: folder that holds the data sets; default ``data``.
        features: which features file, without ``.mat``.
        semantics: which semantics file, without ``_splits.mat``.
        allow_overlap: accept a published file that has samples in two splits.

    Raises:
        InputError: if there is no such data set, its files are damaged, or the data contradict themselves.
    """
    if name.lower() in EMBEDDED:
        if features or semantics:
            raise InputError(f"{name} is embedded and has one set of features and semantics; drop the options.")
        return EMBEDDED[name.lower()]()
    root = Path("data" if root is None else root)
    folder = root / name
    if not folder.is_dir():
        alike = [path for path in folders(root) if path.name.lower() == name.lower()]
        if len(alike) != 1:
            raise InputError(missing(name, root))
        folder = alike[0]
    return load_folder(folder, features=features, semantics=semantics, allow_overlap=allow_overlap)


def load_folder(
    folder: str | Path, *, features: str | None = None, semantics: str | None = None, allow_overlap: bool = False
) -> ZeroShotDataset:
    """Load the data set that a folder holds; its files tell the layout.

    A folder with both layouts is read as xlsa17 if features or semantics are asked for, else as packed.

    Raises:
        InputError: if there is no such folder, or it holds no layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    is_packed = (folder / "data.mat").exists() and (folder / "label.mat").exists()
    is_xlsa17 = any(folder.glob("*_splits.mat"))
    name = folder.absolute().name  # "." has no name of its own
    if is_xlsa17 and (features or semantics or not is_packed):
        return read_xlsa17(folder, features=features, semantics=semantics, name=name, allow_overlap=allow_overlap)
    if is_packed:
        if features or semantics:
            raise InputError(f"{folder} holds packed files, with one set of features and semantics; drop the options.")
        return read_packed(folder, name=name, allow_overlap=allow_overlap)
    if (folder / "features.npy").exists():
        if features or semantics:
            raise InputError(f"{folder} holds .npy files, with one set of features and semantics; drop the options.")
        return read_numpy(folder, name=name, allow_overlap=allow_overlap)
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    raise InputError(
        f"{folder} holds no data set: expected <features>.mat with <semantics>_splits.mat, data.mat with label.mat, "
        f"or features.npy with its companions; found {there}."
    )


def folders(root: Path) -> list[Path]:
    """The folders in ``root`` that hold data files."""
    return sorted({path.parent for pattern in ("*/*.mat", "*/features.npy") for path in root.glob(pattern)})


def missing(name: str, root: Path) -> str:
    """One sentence about a data set that is not there."""
    there = ", ".join(path.name for path in folders(root)[:10])
    what = f"data sets there: {there}" if there else "no data set is there" if root.is_dir() else "no such folder"
    known = find(name)
    hint = f"get {known.name} from {known.source}" if known else "choose another --data-root"
    return f"There is no data set {name!r} in {root} ({what}); {hint}, or try the embedded 'digits'."
