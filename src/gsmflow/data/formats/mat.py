"""Variables of .mat files: reading MATLAB v5 and v7.3 alike, writing v5."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import InputError
from ..vectors import whole

__all__ = ["cells", "check_keys", "indices", "matrix", "names", "numbers", "read_mat", "save_mat"]

MOST_BYTES = 2**32 - 2**16
"""A variable of a MATLAB v5 file counts its bytes in 32 bits, its header among them."""


def read_mat(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the variables named, and only those, as MATLAB shows them.

    Args:
        path: a .mat file.
        required: variables that must be there.
        optional: variables that may be missing.

    Raises:
        InputError: if the file is missing, damaged, or lacks a required variable; if it is v7.3 and h5py is missing.
    """
    content, present = variables(path, [*required, *optional])
    lacks(path, required, present)
    return content


def check_keys(path: Path, required: tuple[str, ...]) -> None:
    """Look into a file without reading its arrays.

    Raises:
        InputError: as `read_mat`.
    """
    _, present = variables(path, [])
    lacks(path, required, present)


def lacks(path: Path, required: tuple[str, ...], present: list[str]) -> None:
    """Raise `InputError` if a variable is not there."""
    for key in required:
        if key not in present:
            raise InputError(f"{path} lacks the key {key!r}; it has {', '.join(sorted(present)) or 'no key'}.")


def variables(path: Path, wanted: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The variables wanted, and the names of all."""
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    try:
        with path.open("rb") as file:
            start = file.read(128)
        is_hdf5 = start.startswith((b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3"))
        return (read_hdf5 if is_hdf5 else read_v5)(path, wanted)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged file can fail anywhere inside of the reader
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} is not a readable .mat file ({reason}); it has {path.stat().st_size:,} bytes and may be cut off: "
            "fetch it again."
        ) from error


def read_v5(path: Path, wanted: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The variables wanted, and the names of all."""
    from scipy.io import loadmat, whosmat

    found = loadmat(path, variable_names=wanted)
    content = {key: found[key] for key in wanted if key in found}
    for key, value in content.items():
        if hasattr(value, "toarray"):  # MATLAB sparse
            content[key] = value.toarray()
    return content, [name for name, _, _ in whosmat(path)]


def read_hdf5(path: Path, wanted: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The variables wanted, and the names of all, of a MATLAB v7.3 file."""
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path} is a MATLAB v7.3 file; to read it: pip install 'gsmflow[mat73]'.") from error

    with h5py.File(path) as file:
        present = [key for key in map(str, file) if not key.startswith("#")]
        return {key: hdf5_value(file, file[key]) for key in wanted if key in file}, present


def hdf5_value(file: Any, item: Any) -> np.ndarray:
    """One variable: axes come in reverse order, cell arrays as references, text as numbers, empty arrays as a shape."""
    if item.attrs.get("MATLAB_empty"):
        return np.empty(tuple(int(n) for n in item[()]))
    array = item[()].T
    if item.attrs.get("MATLAB_class") == b"char":
        return np.array(["".join(map(chr, row)) for row in array])
    if array.dtype != object:
        return array
    cells = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        cells[place] = hdf5_value(file, file[array[place]])
    return cells


def matrix(array: np.ndarray, what: str, path: Path) -> np.ndarray:
    """The array itself, if it is a table of real numbers."""
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {what} must be a matrix of numbers; found shape {array.shape} of {array.dtype}.")
    return array


def indices(array: np.ndarray, what: str, path: Path) -> np.ndarray:
    """1-based MATLAB numbers of any shape and type as a 0-based int64 vector."""
    return whole(np.ravel(array), f"{path}: {what}", counted_from=1) - 1


def names(cells: np.ndarray | None) -> tuple[str, ...]:
    """Names out of a cell array; none where there is no such array."""
    if cells is None:
        return ()
    found = [np.ravel(cell) for cell in cells.ravel()]  # a cell of no letters is an array without entries
    return tuple(str(cell[0]).strip() if cell.size else "" for cell in found)


def numbers(indices: np.ndarray) -> np.ndarray:
    """A 0-based vector as the column of 1-based numbers that MATLAB knows."""
    return (indices + 1).astype(np.float64)[:, None]


def cells(names: tuple[str, ...]) -> np.ndarray:
    """Names as a column of cells."""
    column = np.empty((len(names), 1), dtype=object)
    column[:, 0] = names
    return column


def save_mat(content: dict[str, np.ndarray], file: BinaryIO) -> None:
    """Write a MATLAB v5 file.

    Raises:
        InputError: if a variable has more than the 4 GB that it can hold.
    """
    from scipy.io import savemat

    for key, value in content.items():
        if value.nbytes > MOST_BYTES:
            raise InputError(
                f"{key} of {value.nbytes / 2**30:.1f} GB does not fit into a .mat file, which holds 4 GB at most a "
                "variable; write the numpy layout."
            )
    savemat(file, content)
