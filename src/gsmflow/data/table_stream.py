"""Tables of numbers that need not fit into memory: what `gsmflow.data.tables` reads whole, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .csv_file import decoded, records
from .sample_csv import column_names, gather, with_first
from .sample_parquet import is_list, next_to, parquet, texts_of
from .sample_table import Roles, damaged, role_hint
from .tables import SUFFIXES, as_matrix, read_npy

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Part", "TableStream", "open_table"]


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table.

    Attributes:
        numbers: ``(n, D)``, float32.
        files: n names of the samples, or None.
    """

    numbers: Float[np.ndarray, "n d"]
    files: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableStream:
    """A file whose head was read.

    Attributes:
        path: of the file.
        count: of its rows; of a CSV file that of its lines.
        dim: D.
        has_files: whether it names samples.
        read: all parts, each of so many rows at most. Raises `InputError` where a row is no row of numbers.
        notes: what was assumed, a sentence each.
    """

    path: Path
    count: int
    dim: int
    has_files: bool
    read: Callable[[int], Iterator[Part]]
    notes: tuple[str, ...] = ()


def open_table(path: Path) -> TableStream:
    """Read the head of one file, whose suffix tells what it is.

    Raises:
        InputError: if it is missing, damaged, empty or of another kind, holds no table of numbers, or needs a library
            that is not there.
    """
    opened = OPENERS.get(path.suffix.lower())
    if opened is None:
        raise InputError(f"{path} is no table that can be read: it must end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    stream = opened(path)
    if not stream.count:
        raise InputError(f"{path} holds no row.")
    return stream


def as_float32(numbers: Any) -> Float[np.ndarray, "n d"]:
    """Numbers as float32; those that are too large for it become infinite, which is told where they are used."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers, np.float32)


def npy_stream(path: Path) -> TableStream:
    """A file of numpy; where its rows lie one behind the other they are read, not mapped, and leave memory again."""
    stored = read_npy(path)
    matrix = as_matrix(stored, path)
    count, dim = matrix.shape
    offset = stored.offset if isinstance(stored, np.memmap) and stored.flags.c_contiguous else None

    def read(size: int) -> Iterator[Part]:
        for start in range(0, count, size):
            here = min(size, count - start)
            if offset is not None:
                with damaged(path, "npy"):
                    place = offset + start * dim * stored.itemsize
                    rows = np.fromfile(path, stored.dtype, here * dim, offset=place).reshape(here, dim)
            else:
                rows = matrix[start : start + here]
            yield Part(as_float32(rows))

    return TableStream(path, count, dim, False, read)


def safetensors_stream(path: Path) -> TableStream:
    """The one tensor of a file."""
    from safetensors import safe_open

    with damaged(path, "safetensors"), safe_open(path, "pt") as file:
        names = list(file.keys())
        if len(names) != 1:
            raise InputError(
                f"{path} holds {len(names)} tensors ({', '.join(sorted(names)[:5]) or 'none'}), where one is due; save "
                "the features alone."
            )
        shape = tuple(file.get_slice(names[0]).get_shape())
    if len(shape) < 2 or set(shape[2:]) - {1}:
        raise InputError(f"{path} must hold a table of numbers, a row a sample; found shape {shape}.")
    count, dim = shape[:2]

    def read(size: int) -> Iterator[Part]:
        for start in range(0, count, size):
            with damaged(path, "safetensors"), safe_open(path, "pt") as file:  # anew, so that what was read is let go
                rows = file.get_slice(names[0])[start : start + size].float().numpy()
            yield Part(rows.reshape(len(rows), dim))

    return TableStream(path, count, dim, False, read)


def parquet_stream(path: Path) -> TableStream:
    """Columns of numbers, or one column of lists of numbers.

    What is held does not grow with the rows, but with the columns: a few megabytes each. One column of lists is leaner.
    """
    library = parquet()
    from pyarrow import types

    def opened() -> Any:
        return library.ParquetFile(path, pre_buffer=False, buffer_size=2**16)  # else a whole row group is held

    with damaged(path, "parquet"), opened() as file:
        count, schema = file.metadata.num_rows, file.schema_arrow
    index = [name for name in schema.names if name.startswith("__index_level_")]
    roles = Roles.of([name for name in schema.names if name not in index], path)
    lists = [name for name in roles.numbers if is_list(schema.field(name).type)]
    if lists and len(roles.numbers) > 1:
        raise InputError(
            f"{path}: the column {lists[0]!r} holds lists, and beside it stands {next_to(lists[0], roles.numbers)!r}; "
            "features stand in one column of lists, or in columns of numbers."
        )
    for name in roles.numbers:
        kind = schema.field(name).type
        if not (is_list(kind) or types.is_integer(kind) or types.is_floating(kind)):
            raise InputError(f"{path}: the column {name!r} holds {kind}, where numbers are due; {role_hint(name)}.")
    wanted = [*roles.numbers, *([roles.file] if roles.file else [])]

    def read(size: int) -> Iterator[Part]:
        with damaged(path, "parquet"), opened() as file:
            for batch in file.iter_batches(size, columns=wanted):
                if lists:
                    numbers = from_lists(batch.column(lists[0]), path, lists[0])
                else:
                    numbers = np.empty((batch.num_rows, len(roles.numbers)), np.float32)
                    for place, name in enumerate(roles.numbers):
                        numbers[:, place] = as_float32(batch.column(name).to_numpy(zero_copy_only=False))
                yield Part(numbers, texts_of(batch, roles.file) if roles.file else None)

    dim = len(roles.numbers) if not lists else next((part.numbers.shape[1] for part in read(1)), 0)
    notes = (f"{path.name}: the index of pandas is left out",) if index else ()
    return TableStream(path, count, dim, bool(roles.file), read, (*notes, *unused(roles, path)))


def from_lists(column: Any, path: Path, name: str) -> Float[np.ndarray, "n d"]:
    """Lists of equal length as a matrix."""
    if column.null_count:
        raise InputError(f"{path}: some rows of {name!r} hold no list; drop them.")
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    least, most = int(lengths.min()), int(lengths.max())
    if least != most:
        raise InputError(f"{path}: the lists of {name!r} have {least} to {most} entries; they must agree in length.")
    return as_float32(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)


def csv_stream(path: Path) -> TableStream:
    """Columns of numbers, under their names or without any."""
    line, first = next(records(path), (0, []))
    if not first:
        raise InputError(f"{path} is empty; a row a sample is due.")
    names, notes = column_names(first, path)
    roles = Roles.of(names, path) if names else Roles(numbers=[str(place) for place in range(len(first))])
    every = names or roles.numbers

    has_index = len(every) > 1 and not every[0]

    def read(size: int) -> Iterator[Part]:
        rows = records(path)
        head = next(rows)
        if names is None:
            rows = with_first(*head, rows)
        done = 0
        while True:
            files, _, numbers = gather(islice(rows, size), every, roles, path)
            if not len(numbers):
                return
            if has_index and (numbers[:, 0] != np.arange(done, done + len(numbers))).any():
                raise InputError(f"{path}: column 1 has no name on line {line}; give it one.")
            done += len(numbers)
            yield Part(numbers[:, 1:] if has_index else numbers, tuple(files) if roles.file else None)

    start = next(read(2), None)
    if start is None:
        raise InputError(f"{path} names columns, but holds no row of numbers.")
    if has_index:
        notes = (*notes, f"{path.name}: the first column, which has no name and counts the rows, is left out")
    if "" in every[1:]:
        raise InputError(f"{path}: column {every.index('', 1) + 1} has no name on line {line}; give it one.")
    return TableStream(
        path,
        count_lines(path) - (names is not None),
        start.numbers.shape[1],
        bool(roles.file),
        read,
        (*notes, *unused(roles, path)),
    )


def count_lines(path: Path) -> int:
    """The lines of a file."""
    with decoded(path), path.open("rb") as file:
        blocks = iter(lambda: file.read(2**22), b"")
        ends, last = 0, b""
        for block in blocks:
            ends, last = ends + block.count(b"\n"), block[-1:]
    return ends + (last not in (b"", b"\n"))


def unused(roles: Roles, path: Path) -> tuple[str, ...]:
    """A sentence about the column of classes, if there is one."""
    return (f"{path.name}: the column {roles.label!r} is ignored",) if roles.label else ()


OPENERS: dict[str, Callable[[Path], TableStream]] = {
    ".npy": npy_stream,
    ".safetensors": safetensors_stream,
    ".parquet": parquet_stream,
    ".csv": csv_stream,
}
"""By suffix, the same as `gsmflow.data.tables.SUFFIXES`."""
