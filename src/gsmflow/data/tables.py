"""Tables of numbers, a row a sample, as people and programs leave them: npy, safetensors, parquet, csv.

Parquet and csv files may name each sample in a column ``file``, and its class in a column ``class`` or ``label``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .sample_csv import csv_table
from .sample_parquet import parquet_rows, parquet_table
from .sample_table import NumberTable, damaged

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["SUFFIXES", "NumberTable", "count_rows", "read_npy", "read_numbers", "read_table"]

MAGIC = b"\x93NUMPY"
"""How a file of one array starts."""


def read_table(path: Path) -> NumberTable:
    """Read one file, whose suffix tells what it is.

    Raises:
        InputError: if it is missing, damaged or of another kind, holds no table of numbers, or needs a library that is
            not there.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path} is no table that can be read: it must end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    found = read(path)
    return replace(found, numbers=as_matrix(found.numbers, path))


def read_numbers(path: Path) -> Float[np.ndarray, "n d"]:
    """The numbers of a file that holds nothing else.

    Raises:
        InputError: as `read_table`; if it names samples or classes as well.
    """
    found = read_table(path)
    if found.files is not None or found.labels is not None:
        raise InputError(f"{path} has a column of files or classes, where nothing but numbers is due; delete it.")
    return found.numbers


def as_matrix(numbers: Any, path: Path) -> np.ndarray:
    """The numbers as a matrix: pooled features of a network may come with axes of length 1 behind."""
    if numbers.ndim > 2 and set(numbers.shape[2:]) == {1}:
        numbers = numbers.reshape(numbers.shape[:2])
    if numbers.ndim != 2 or numbers.dtype.kind not in "iuf":
        raise InputError(
            f"{path} must hold a table of numbers, a row a sample; found shape {numbers.shape} of {numbers.dtype}."
        )
    return numbers


def count_rows(path: Path) -> int:
    """The rows of an npy or parquet file, without reading them."""
    return parquet_rows(path) if path.suffix.lower() == ".parquet" else len(read_npy(path))


def read_npy(path: Path, *, mapped: bool = True) -> np.ndarray:
    """The array of a file, mapped from it or read.

    Raises:
        InputError: if it is missing, damaged, or holds Python objects.
    """
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    with damaged(path, "npy"):
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if start != MAGIC:
            raise ValueError("it is an archive, as of several arrays" if start[:2] == b"PK" else "it starts otherwise")
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)


def npy_table(path: Path) -> NumberTable:
    """A file of numpy."""
    return NumberTable(read_npy(path))


def safetensors_table(path: Path) -> NumberTable:
    """The one tensor of a file."""
    from ..files import read_tensors

    tensors, _ = read_tensors(path)
    if len(tensors) != 1:
        raise InputError(
            f"{path} holds {len(tensors)} tensors ({', '.join(sorted(tensors)[:5]) or 'none'}), where one is due; save "
            "the features alone, and labels in labels.npy."
        )
    (tensor,) = tensors.values()
    return NumberTable(tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy())


READERS: dict[str, Callable[[Path], NumberTable]] = {
    ".npy": npy_table,
    ".safetensors": safetensors_table,
    ".parquet": parquet_table,
    ".csv": csv_table,
}
SUFFIXES = tuple(READERS)
