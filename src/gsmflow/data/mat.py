"""Reading variables of .mat files, MATLAB v5 and v7.3 alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["indices", "names", "read_mat"]


def read_mat(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read the variables named, as MATLAB shows them.

    Args:
        path: a .mat file.
        required: variables that must be there.
        optional: variables that may be missing.

    Raises:
        InputError: if the file is missing, damaged, or lacks a required variable; if it is v7.3 and h5py is missing.
    """
    import scipy.io

    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    wanted = [*required, *optional]
    try:
        with path.open("rb") as file:
            hdf5 = file.read(8) == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in file.read(116)
        if hdf5:
            content, present = _read_hdf5(path, wanted)
        else:
            content = scipy.io.loadmat(path, variable_names=wanted)
            present = [name for name, _, _ in scipy.io.whosmat(path)]
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail anywhere inside of the reader
        raise InputError(
            f"{path} is not a readable .mat file ({' '.join(str(error).split()) or type(error).__name__}); it has "
            f"{path.stat().st_size:,} bytes: is it truncated?"
        ) from error
    for key in required:
        if key not in content:
            raise InputError(f"{path} lacks the key {key!r}; it has {', '.join(sorted(present)) or 'no key'}.")
    return {key: content[key] for key in wanted if key in content}


def _read_hdf5(path: Path, wanted: list[str]) -> tuple[dict[str, Any], list[str]]:
    """MATLAB v7.3 is HDF5 with axes in reverse order and cell arrays as references."""
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path} is a MATLAB v7.3 file; to read it: pip install 'gsmflow[mat73]'.") from error

    def value(file: Any, item: Any) -> np.ndarray:
        array = item[()].T
        if array.dtype != object:
            return array
        cells = np.empty(array.shape, dtype=object)
        for place in np.ndindex(array.shape):
            cell = file[array[place]]
            codes = cell[()].T
            is_text = cell.attrs.get("MATLAB_class") == b"char"
            cells[place] = np.array(["".join(map(chr, codes.ravel()))]) if is_text else codes
        return cells

    with h5py.File(path) as file:
        present = [key for key in file if not key.startswith("#")]
        return {key: value(file, file[key]) for key in wanted if key in file}, present


def indices(array: np.ndarray, what: str, path: Path) -> np.ndarray:
    """1-based MATLAB numbers of any shape and type as a 0-based int64 vector."""
    flat = np.asarray(array).ravel()
    if flat.dtype.kind not in "iuf" or (flat.dtype.kind == "f" and not (flat == np.round(flat)).all()):
        raise InputError(f"{path}: {what} must hold whole numbers counted from 1; found {flat.dtype} values.")
    return flat.astype(np.int64) - 1


def names(cells: np.ndarray | None, count: int) -> tuple[str, ...]:
    """Class names out of a cell array; ``class 1``, ``class 2``, … where there is none."""
    if cells is None:
        return tuple(f"class {k + 1}" for k in range(count))
    found = [cell.ravel()[0] if isinstance(cell, np.ndarray) and cell.size else cell for cell in cells.ravel()]
    return tuple(str(name) for name in found)
