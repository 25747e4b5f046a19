"""Predictions as files, written as they come: jsonl, csv and parquet for programs, a table for people.

jsonl is an object a line, as `Prediction.to_json` gives it. csv and parquet have a column ``file`` or ``row``, then
``class_1``, ``probability_1``, ``seen_1``, …, and ``rejected`` where that was asked for.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import InputError
from .prediction import Prediction, Predictions

if TYPE_CHECKING:
    import pyarrow

__all__ = ["TABLE_ROWS", "WRITERS", "check_table", "write_csv", "write_jsonl", "write_parquet", "write_table"]

TABLE_ROWS = 1000
"""Nobody reads a longer table."""
STAR = "* unseen: no picture of it was there to learn from"


def write_jsonl(batches: Iterable[Predictions], file: BinaryIO) -> None:
    """An object a line."""
    for batch in batches:
        file.write("".join(json_lines(batch)).encode())


def json_lines(batch: Predictions) -> Iterator[str]:
    """The lines of a batch: what `json.dumps` of each prediction would give, in a tenth of the time."""
    heads = [f'{{"class": {quoted(name)}, "probability": ' for name in batch.class_names]
    tails = [f', "seen": {json.dumps(seen)}}}' for seen in batch.seen.tolist()]
    key, wheres = ("row", batch.rows.tolist()) if batch.files is None else ("file", map(quoted, batch.files))
    ends = endings(batch)
    for where, ids, probabilities, end in zip(
        wheres, batch.ids.tolist(), batch.probabilities.tolist(), ends, strict=True
    ):
        top = ", ".join([f"{heads[k]}{p!r}{tails[k]}" for k, p in zip(ids, probabilities, strict=True)])
        yield f'{{"{key}": {where}, "top": [{top}]{end}}}\n'


def quoted(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def endings(batch: Predictions) -> list[str]:
    """What stands behind the classes of each prediction."""
    if batch.rejected is None:
        return [""] * len(batch)
    return [f', "rejected": {json.dumps(one)}' for one in batch.rejected.tolist()]


@dataclass(frozen=True, eq=False)
class Named:
    """A column of names that repeat: ``names[ids]``."""

    ids: np.ndarray
    names: tuple[str, ...]


def columns(batch: Predictions) -> dict[str, np.ndarray | Named | tuple[str, ...]]:
    """The columns of a batch."""
    table: dict[str, Any] = {"row": batch.rows} if batch.files is None else {"file": batch.files}
    for j in range(batch.ids.shape[1]):
        ids = batch.ids[:, j]
        table[f"class_{j + 1}"] = Named(ids, batch.class_names)
        table[f"probability_{j + 1}"] = batch.probabilities[:, j]
        table[f"seen_{j + 1}"] = batch.seen[ids]
    if batch.rejected is not None:
        table["rejected"] = batch.rejected
    return table


def write_csv(batches: Iterable[Predictions], file: BinaryIO) -> None:
    """A row a prediction, under a header."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    try:
        for number, batch in enumerate(batches):
            table = columns(batch)
            if not number:
                writer.writerow(table)
            writer.writerows(zip(*map(as_cells, table.values()), strict=True))
    finally:
        text.detach()


def as_cells(column: np.ndarray | Named | tuple[str, ...]) -> Iterable[Any]:
    """A column as a writer of csv takes it."""
    if isinstance(column, Named):
        return [column.names[k] for k in column.ids.tolist()]
    if isinstance(column, np.ndarray):
        cells = column.tolist()
        return [("false", "true")[one] for one in cells] if column.dtype.kind == "b" else cells
    return column


def write_parquet(batches: Iterable[Predictions], file: BinaryIO) -> None:
    """A row a prediction; columns of classes are dictionaries.

    Raises:
        InputError: if pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError("Parquet needs pyarrow that is not installed: pip install 'gsmflow[tables]'.") from error
    writer = None
    try:
        for batch in batches:
            table = pyarrow.table({name: as_arrow(column) for name, column in columns(batch).items()})
            writer = writer or parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


def as_arrow(column: np.ndarray | Named | tuple[str, ...]) -> pyarrow.Array:
    """A column of parquet."""
    import pyarrow

    if isinstance(column, Named):
        names = pyarrow.array(column.names, pyarrow.string())
        return pyarrow.DictionaryArray.from_arrays(column.ids.astype(np.int32), names)
    return pyarrow.array(column) if isinstance(column, np.ndarray) else pyarrow.array(column, pyarrow.string())


def write_table(batches: Iterable[Predictions], file: BinaryIO) -> None:
    """For people: the class, its probability, and the next ones; ``*`` marks one that was never seen.

    A terminal gets as many of the next classes as fit into its width, anything else all of them.

    Raises:
        InputError: if there are more than `TABLE_ROWS` predictions.
    """
    lines: list[tuple[str, ...]] = []
    where = "row"
    for prediction in chain.from_iterable(batches):
        where = "row" if prediction.file is None else "file"
        lines.append(table_line(prediction))
        check_table(len(lines))
    width = shutil.get_terminal_size().columns if file.isatty() else None
    file.write(as_table(where, lines, width).encode())


def check_table(count: int) -> None:
    """Raise `InputError` if nobody would read a table of so many predictions."""
    if count > TABLE_ROWS:
        raise InputError(
            f"A table shows {TABLE_ROWS:,} predictions at most, and these are more: choose format=jsonl or csv."
        )


def as_table(where: str, lines: Sequence[tuple[str, ...]], width: int | None) -> str:
    """Lines under a header; with a width no line is longer, on a terminal of 30 columns or more.

    Args:
        where: what the first column is called.
        lines: each as `table_line` gives it.
        width: of the terminal; None for all that there is.
    """
    first = [line[:3] for line in lines]
    nexts = [", ".join(line[3:]) for line in lines]
    if width is not None:
        room = max(width - len("  ") * 2 - len("probability"), 8)
        wheres = [cut(line[0], room // 2) for line in lines]
        room -= widest([where, *wheres])
        first = [(place, cut(line[1], room), line[2]) for place, line in zip(wheres, lines, strict=True)]
        room -= widest(["class", *(line[1] for line in first)])
        nexts = [fitting(line[3:], room - len("  ")) for line in lines]
    head, rows = (where, "class", "probability"), first
    if any(nexts):
        head, rows = (*head, "next"), [(*line, more) for line, more in zip(first, nexts, strict=True)]
    text = aligned([head, *rows])
    has_star = any(line[1].endswith("*") for line in first) or any("* " in more for more in nexts)
    return text + (f"{STAR}\n" if has_star else "")


def table_line(prediction: Prediction) -> tuple[str, ...]:
    """The cells of a prediction: where, class, probability, and each next class with its probability."""
    where = str(prediction.row) if prediction.file is None else shown(prediction.file)
    named = [f"{shown(guess.name)}{'' if guess.seen else '*'}" for guess in prediction.top]
    values = [rough(guess.probability) for guess in prediction.top]
    if prediction.rejected:
        named, values = ["(none)", *named], ["", *values]
    return where, named[0], values[0], *map(" ".join, zip(named[1:], values[1:], strict=True))


def rough(probability: float) -> str:
    """A probability of three decimals, never as 0 or 1.

    Example:
        >>> rough(0.25), rough(1e-9), rough(0.9999)
        ('0.250', '<0.001', '>0.999')
    """
    text = f"{probability:.3f}"
    return {"0.000": "<0.001", "1.000": ">0.999"}.get(text, text)


def fitting(parts: Sequence[str], room: int) -> str:
    """As many parts as there is room for, and ``…`` for the others.

    Example:
        >>> fitting(["fox 0.200", "ox 0.100"], 19), fitting(["fox 0.200", "ox 0.100"], 18)
        ('fox 0.200, ox 0.100', 'fox 0.200, …')
    """
    from rich.cells import cell_len

    for count in range(len(parts), -1, -1):
        text = ", ".join(parts if count == len(parts) else [*parts[:count], "…"])
        if cell_len(text) <= room:
            return text if room >= len("next") else ""
    return ""


def cut(text: str, width: int) -> str:
    """A text of at most so many columns: its middle is left out.

    Example:
        >>> cut("holiday/2024/IMG_0001.jpg", 15)
        'holiday…001.jpg'
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{set_cell_size(text, width - 1 - tail)}…{set_cell_size(text[::-1], tail)[::-1]}"


def widest(cells: Iterable[str]) -> int:
    """Columns that the longest takes."""
    from rich.cells import cell_len

    return max(map(cell_len, cells))


def shown(text: str) -> str:
    """A name in one line, whatever it holds."""
    return text if text.isprintable() else repr(text)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells under each other."""
    from rich.cells import set_cell_size

    widths = [widest(column) for column in zip(*lines, strict=True)]
    padded = ("  ".join(map(set_cell_size, line, widths)).rstrip() for line in lines)
    return "".join(f"{line}\n" for line in padded)


WRITERS: dict[str, Callable[[Iterable[Predictions], BinaryIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}
"""All formats by name. To add one, write its function and a line here."""
