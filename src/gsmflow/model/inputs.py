"""What a user hands over: features as arrays, lists or tensors, classes by name or id, semantics of a new class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data.rows import Rows
from ..errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["as_ids", "as_rows", "as_semantics", "checked_chunks"]


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
            raise InputError(
                f"Features must be a table: rows of {dim} numbers each; found rows that differ."
            ) from error
        if rows.dtype.kind not in "fiub":
            raise InputError(f"Features must be real numbers; found {rows.dtype}.")
    if rows.ndim == 1 and (len(rows) or dim == 0):
        rows = rows[None]
    if rows.ndim != 2:
        raise InputError(
            f"Features must be of shape (n, {dim}), or one row of {dim} numbers; found {tuple(rows.shape)}."
        )
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


def as_ids(classes: Any, names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """The ids of classes given by name or id, one or many.

    Args:
        classes: what was given.
        names: of all classes, in the order of ids.

    Raises:
        InputError: if there is no such class.
    """
    asked = np.atleast_1d(np.asarray(classes, dtype=object if len(np.shape(classes)) else None)).ravel()
    known = {name: k for k, name in enumerate(names)}
    found = []
    for one in asked.tolist():
        if isinstance(one, str) and one in known:
            found.append(known[one])
        elif isinstance(one, int | np.integer) and not isinstance(one, bool) and 0 <= one < len(known):
            found.append(int(one))
        else:
            raise InputError(
                f"There is no class {one!r} in this model: give names, such as {names[0]!r}, or ids from 0 to "
                f"{len(known) - 1}."
            )
    return np.array(found, np.int64)


def as_semantics(name: str, vector: Any, dim: int) -> Float[np.ndarray, " s"]:
    """The semantics of a class that is added.

    Raises:
        InputError: if they are no ``dim`` finite numbers, or all zero.
    """
    if isinstance(vector, np.ma.MaskedArray):
        raise InputError(f"The semantics of {name!r} must not be masked: fill the masked entries.")
    try:
        row = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"The semantics of {name!r} must be {dim} numbers: {reason}.") from error
    if row.shape != (dim,) or not np.isfinite(row).all():
        raise InputError(
            f"The semantics of {name!r} must be {dim} finite numbers, as those of the other classes are; found shape "
            f"{row.shape}{'' if np.isfinite(row).all() else ' with NaN or infinite values'}."
        )
    if dim > 1 and not row.any():
        raise InputError(f"The semantics of {name!r} are 0 in every entry: give it a description.")
    return row
