"""One entry a sample, in whatever shape and type it comes: as a vector of whole numbers or of text."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["is_number", "texts", "vector", "whole"]

MOST = 2**53
"""Up to here every whole number is a float of its own."""


def vector(values: Any, what: str) -> np.ndarray:
    """The entries of ``(N,)``, ``(N, 1)`` or ``(1, N)``.

    Args:
        values: an array, or what makes one.
        what: how messages call it, with the file that holds it.

    Raises:
        InputError: if it is of another shape, or masked.
    """
    if isinstance(values, np.ma.MaskedArray):  # the mask would be lost, and what it hides be taken for data
        raise InputError(f"{what} are a masked array; fill what is masked, or drop it.")
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        hot = array.ndim == 2 and array.dtype.kind in "biuf" and bool(((array != 0).sum(1) == 1).all())
        hint = "these look like one-hot rows: write their argmax(1)" if hot else "write one entry a sample"
        raise InputError(f"{what} have shape {array.shape}; {hint}.")
    return array.reshape(-1)


def whole(values: np.ndarray, what: str, counted_from: int = 0) -> np.ndarray:
    """Whole numbers of any type, true and false among them, as int64.

    Raises:
        InputError: if some are not whole; the first is told, its place counted from ``counted_from``.

    Example:
        >>> whole(np.array([3.0, 1.0]), "labels")
        array([3, 1])
    """
    if values.dtype.kind not in "biuf":
        raise InputError(f"{what} must be whole numbers; found {values.dtype}.")
    if values.dtype.kind in "uf":
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero(~((values == np.round(values)) & (np.abs(values) <= MOST)))
        if len(wrong):
            raise InputError(
                f"{what} must be whole numbers; {len(wrong)} of {len(values)} are not, the first is "
                f"{values[wrong[0]]:g} of sample {wrong[0] + counted_from} (counted from {counted_from})."
            )
    return values.astype(np.int64)


def texts(values: np.ndarray, what: str) -> np.ndarray:
    """Text, bytes or MATLAB cells as text without spaces around it.

    Raises:
        InputError: if an entry is empty, or neither text nor a number.
    """
    return np.array([as_text(cell, what) for cell in values.tolist()], dtype=str)


def as_text(cell: Any, what: str) -> str:
    """A name, also out of a MATLAB cell, or a number as text."""
    if isinstance(cell, np.ndarray) and cell.size == 1:
        cell = cell.item()
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if not isinstance(cell, str | int | float) or not str(cell).strip():
        raise InputError(f"{what} must hold a name or a number in each entry; found {cell!r}.")
    return str(cell).strip()


def is_number(text: str) -> bool:
    """Whether a text is a number, as tables write it.

    Example:
        >>> [is_number(text) for text in ("12", "-3.0", "v2", ".", "")]
        [True, True, False, False, False]
    """
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
