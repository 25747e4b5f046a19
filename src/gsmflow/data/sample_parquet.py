"""Numbers out of a parquet file: a column each, or one column of lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .sample_table import NumberTable, Roles, counting, damaged, role_hint

__all__ = ["parquet_rows", "parquet_table"]


def parquet_rows(path: Path) -> int:
    """The rows of a file, without reading them."""
    with damaged(path, "parquet"):
        return parquet().ParquetFile(path).metadata.num_rows


def parquet() -> Any:
    """The library that reads parquet."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError("To read parquet files: pip install 'gsmflow[tables]'.") from error
    return parquet


def parquet_table(path: Path) -> NumberTable:
    """Columns of numbers, or one column of lists of numbers."""
    library = parquet()
    import pyarrow as arrow

    with damaged(path, "parquet"):
        table = library.read_table(path)
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    notes = (f"{path.name}: the index of pandas is left out",) if index else ()
    roles = Roles.of([name for name in table.column_names if name not in index], path)
    files = texts_of(table, roles.file) if roles.file else None
    labels = np.array(table[roles.label].to_pylist()) if roles.label else None
    if labels is not None and labels.dtype == object:
        raise InputError(f"{path}: the column {roles.label!r} lacks the class of some rows; give each its own.")
    for name in roles.numbers:
        kind = table.schema.field(name).type
        if is_list(kind):
            if len(roles.numbers) > 1:
                raise InputError(
                    f"{path}: the column {name!r} holds lists, and beside it stands {next_to(name, roles.numbers)!r}; "
                    "features stand in one column of lists, or in columns of numbers."
                )
            return NumberTable(from_lists(table[name], path, name), files, labels, notes)
        if not (arrow.types.is_integer(kind) or arrow.types.is_floating(kind)):
            raise InputError(f"{path}: the column {name!r} holds {kind}, where numbers are due; {role_hint(name)}.")
    numbers = np.empty((table.num_rows, len(roles.numbers)), np.float32)
    for place, name in enumerate(roles.numbers):
        numbers[:, place] = table[name].to_numpy()
    return NumberTable(numbers, files, labels, notes, counting(roles.numbers, numbers, path))


def texts_of(table: Any, name: str) -> tuple[str, ...]:
    """A column as texts."""
    return tuple("" if cell is None else str(cell) for cell in table[name].to_pylist())


def is_list(kind: Any) -> bool:
    """Whether a column holds a list in each row."""
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def from_lists(column: Any, path: Path, name: str) -> np.ndarray:
    """Lists of equal length as a matrix."""
    rows = len(column)
    if column.null_count:
        raise InputError(f"{path}: {column.null_count} of {rows} rows of {name!r} hold no list; drop them.")
    flat = np.concatenate([np.zeros(0, np.float32), *(chunk.flatten().to_numpy(False) for chunk in column.chunks)])
    lengths = np.unique([len(row) for row in column]) if rows else np.zeros(1, int)
    if len(lengths) > 1:
        raise InputError(
            f"{path}: the lists of {name!r} have {lengths[0]} to {lengths[-1]} entries; they must agree in length."
        )
    return flat.astype(np.float32, copy=False).reshape(rows, -1)


def next_to(name: str, names: Sequence[str]) -> str:
    """Another one of the names."""
    return next(other for other in names if other != name)
