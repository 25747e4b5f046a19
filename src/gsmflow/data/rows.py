"""Rows of a large matrix, read when asked for, so that no copy of it is made and a file need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["COPIED_BYTES", "Rows", "chunks", "entries", "take"]

COPIED_BYTES = 2**30
"""Matrices up to this size are copied in memory, larger ones are read through `Rows`."""

CHUNK_BYTES = 2**24


class Rows:
    """Some rows of a matrix; indexing reads those asked for, as float32.

    Args:
        matrix: ``(N, D)``, in memory or mapped from a file.
        rows: ``(n,)``, which rows.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, matrix: np.ndarray, rows: np.ndarray):
        self.matrix, self.rows = matrix, rows

    @property
    def shape(self) -> tuple[int, int]:
        """``(n, D)``."""
        return len(self.rows), self.matrix.shape[1]

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.rows) * self.matrix.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.matrix[self.rows[index]], np.float32)


def take(features: Any, rows: np.ndarray) -> Any:
    """These rows of a matrix or of `Rows`: a copy of few, a view that reads them later of many."""
    if isinstance(features, Rows):
        return Rows(features.matrix, features.rows[rows])
    return features[rows] if features.nbytes <= COPIED_BYTES else Rows(features, rows)


def chunks(array: Any) -> Iterator[np.ndarray]:
    """Successive rows of an array or of `Rows`, in C order, a few megabytes at a time; together they are all of it."""
    row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:]))
    count = max(1, CHUNK_BYTES // max(1, row_bytes))
    for start in range(0, len(array), count):
        yield np.ascontiguousarray(array[start : start + count])


def entries(features: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """``(n, m)``: these rows and columns of a matrix or of `Rows`, without reading the others."""
    if isinstance(features, Rows):
        return np.asarray(features.matrix[np.ix_(features.rows[rows], columns)], np.float32)
    return features[np.ix_(rows, columns)]
