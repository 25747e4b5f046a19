"""Features as a user hands them over: arrays, lists, tensors, one row or many, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data.rows import Rows
from ..errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["as_rows", "checked_chunks"]


def as_rows(features: Any, dim: int) -> Any:
    """Features as something with ``(n, D)`` that can be sliced, nothing copied where it is so already.

    Args:
        features: array, list, tensor or `Rows`, ``(n, D)`` or one row ``(D,)``.
        dim: D.

    Raises:
        InputError: if they are no numbers, or of another shape.
    """
    if isinstance(features, Rows):
        rows = features
    elif isinstance(features, Tensor):
        rows = features.detach()
        if rows.is_complex():
            raise InputError(f"Features must be real numbers; found {rows.dtype}.")
    else:
        if isinstance(features, np.ma.MaskedArray):
            raise InputError("Features must not be masked: fill the masked entries, or drop their rows.")
        try:
            rows = np.asarray(features)
        except ValueError as error:
            raise InputError(f"Features must be a table: rows of {dim} numbers each; found rows that differ.") from error
        if rows.dtype.kind not in "fiub":
            raise InputError(f"Features must be real numbers; found {rows.dtype}.")
    if rows.ndim == 1 and (len(rows) or dim == 0):
        rows = rows[None]
    if rows.ndim != 2:
        raise InputError(f"Features must be of shape (n, {dim}), or one row of {dim} numbers; found {tuple(rows.shape)}.")
    if rows.shape[1] != dim:
        raise InputError(
            f"The model was trained on features of {dim} dimensions, these have {rows.shape[1]}: give the features it "
            "was trained on."
        )
    return rows


def checked_chunks(rows: Any, size: int, device: torch.device) -> Iterator[Float[Tensor, "n d"]]:
    """The rows as float32 tensors on a device, ``size`` of them at a time.

    Raises:
        InputError: if a value is not finite, as float32 at least.
    """
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told below
            tensor = part if isinstance(part, Tensor) else torch.from_numpy(np.array(part, np.float32))
        tensor = tensor.to(device, torch.float32)
        wrong = (~tensor.isfinite()).any(1).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"{len(wrong)} rows of features hold NaN, infinite or too large values, the first is row {start + row} "
                "(counted from 0); repair or drop them."
            )
        yield tensor
