"""What is asked about: pictures or features, in files and folders, some at a time, each with its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import EncoderRecord
from ..data.csv_file import records
from ..data.folder_record import read_record
from ..data.formats.folder_files import SAMPLES_FILE, feature_files
from ..data.picture_files import PICTURES
from ..data.table_stream import TableStream, open_table
from ..data.tables import SUFFIXES
from ..errors import InputError
from .journal import JOURNAL
from .pictures import encode_files, list_pictures

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from .base import ImageEncoder

__all__ = ["Bad", "Batch", "FeatureInputs", "PictureInputs", "find_inputs", "good_ones"]

MOST_ROWS, MOST_VALUES = 2**13, 2**23
"""Rows of features that are read at once, and values."""


@dataclass(frozen=True)
class Bad:
    """A picture that cannot be read, or a row that holds no features.

    Attributes:
        name: of the file, or which row of which file.
        reason: what is wrong with it.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Some features, and whose they are.

    Attributes:
        features: ``(n, D)``, float32, all finite.
        rows: ``(n,)``, places among all that is asked about, counted from 0.
        files: n names, where they have some.
        bad: what was met beside them.
    """

    features: Float[np.ndarray, "n d"]
    rows: Int[np.ndarray, " n"]
    files: tuple[str, ...] | None = None
    bad: tuple[Bad, ...] = ()


@dataclass(frozen=True)
class PictureInputs:
    """Pictures.

    Attributes:
        paths: of all files.
        names: what they are called.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    def batches(self, encoder: ImageEncoder, size: int = 64) -> Iterator[Batch]:
        """Their features, ``size`` pictures at a time."""
        start = 0
        for part in encode_files(encoder, self.paths, batch=size):
            count = len(part.paths) + len(part.bad)
            reasons = dict(part.bad)
            places = range(start, start + count)
            rows = np.array([k for k in places if self.paths[k] not in reasons], np.int64)
            bad = tuple(Bad(self.names[k], reasons[self.paths[k]]) for k in places if self.paths[k] in reasons)
            start += count
            yield only_finite(part.features, rows, tuple(self.names[k] for k in rows), bad, lambda k: self.names[k])


@dataclass(frozen=True)
class FeatureInputs:
    """Rows of features.

    Attributes:
        tables: their files.
        samples: names them, where there is such a file.
        encoder: what made them, where it is known.
        notes: what was assumed, a sentence each.
    """

    tables: tuple[TableStream, ...]
    samples: Path | None = None
    encoder: EncoderRecord | None = None
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of rows, a few more where CSV files hold empty lines."""
        return sum(table.count for table in self.tables)

    def check(self, dim: int, encoder: EncoderRecord | None = None) -> None:
        """See that a model can be asked about them.

        Args:
            dim: of the features that the model was trained on.
            encoder: what made those, where it is known.

        Raises:
            InputError: if they are of another dimension, or of another encoder.
        """
        for table in self.tables:
            if table.dim != dim:
                turned = " (are rows and columns exchanged?)" if table.count == dim else ""
                raise InputError(
                    f"{table.path} holds features of {table.dim} dimensions, the model was trained on {dim}{turned}: "
                    "give features of the same encoder."
                )
        if encoder and self.encoder and not encoder.is_same(self.encoder):
            raise InputError(
                f"The features of {self.tables[0].path.parent} are of another encoder than the model's: found "
                f"{self.encoder}, the model was trained on features of {encoder}; extract them again with that one."
            )

    def batches(self) -> Iterator[Batch]:
        """All rows, some at a time."""
        names = sample_names(self.samples) if self.samples else None
        start = 0
        for table in self.tables:
            first = start
            for part in table.read(max(1, min(MOST_ROWS, MOST_VALUES // max(1, table.dim)))):
                count = len(part.numbers)
                files = part.files if names is None else tuple(islice(names, count))
                if files is not None and len(files) < count:
                    raise InputError(
                        f"{self.samples} names {start + len(files)} samples, but there are more rows of features; make "
                        "both again."
                    )
                rows = np.arange(start, start + count)
                start += count
                yield only_finite(
                    part.numbers, rows, files, (), lambda k, table=table, first=first: row_of(table, k - first)
                )
        if names is not None and next(names, None) is not None:
            raise InputError(
                f"{self.samples} names more samples than there are rows of features, {start}; make both again."
            )


def row_of(table: TableStream, row: int) -> str:
    """How messages call a row."""
    return f"row {row} of {table.path} (counted from 0)"


def only_finite(
    features: Float[np.ndarray, "n d"],
    rows: Int[np.ndarray, " n"],
    files: tuple[str, ...] | None,
    bad: tuple[Bad, ...],
    name: Callable[[int], str],
) -> Batch:
    """A batch of those rows that a model can be asked about."""
    good = np.asarray(np.isfinite(features).all(axis=1))
    if good.all():
        return Batch(features, rows, files, bad)
    wrong = tuple(Bad(name(int(k)), "it holds NaN, infinite or too large values") for k in rows[~good])
    kept = None if files is None else tuple(compress(files, good))
    return Batch(features[good], rows[good], kept, bad + wrong)


def sample_names(path: Path) -> Iterator[str]:
    """The column ``file`` of ``samples.csv``."""
    rows = records(path)
    place = [cell.strip().lower() for cell in next(rows)[1]].index("file")
    for line, cells in rows:
        if len(cells) <= place:
            raise InputError(f"{path}: line {line} names no file; fill it in.")
        yield cells[place]


def names_files(path: Path) -> bool:
    """Whether there is a ``samples.csv`` with a column ``file``."""
    return path.is_file() and "file" in [cell.strip().lower() for cell in next(records(path), (0, []))[1]]


def find_inputs(inputs: Sequence[str | Path], listing: Path | None = None) -> PictureInputs | FeatureInputs:
    """Tell pictures from features, and open what is there.

    Args:
        inputs: pictures; folders of pictures, which are searched through; tables of features (``.npy``,
            ``.safetensors``, ``.parquet``, ``.csv``); folders that `gsmflow extract` wrote, or others that hold
            features.
        listing: chooses among the pictures of one folder, see `list_pictures`.

    Raises:
        InputError: if there is no such file or folder, it is a pipe or a device or holds neither, or pictures
            and features are mixed.
    """
    paths = [Path(one) for one in inputs]
    for path in paths:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
        if not (path.is_file() or path.is_dir()):  # a pipe would be waited for, a device never ends
            raise InputError(f"{path} is neither a file nor a folder, but a pipe or a device: save it as a file.")
        if path.suffix and path.suffix.lower() not in (*SUFFIXES, *PICTURES) and path.is_file():
            raise InputError(
                f"{path} does not end as pictures do (.png, .jpg, …), nor as tables of features do "
                f"({', '.join(SUFFIXES)}): convert it to one of these."
            )
    tables = [path for path in paths if is_features(path)]
    others = [path for path in paths if not is_features(path)]
    if listing is not None and (len(paths) > 1 or tables or not paths[0].is_dir()):
        raise InputError(
            f"The list {listing} chooses among the pictures of one folder: give that folder and nothing else, or drop "
            "listing=."
        )
    if tables and others:
        raise InputError(f"{others[0]} is of pictures and {tables[0]} of features: ask about one kind at a time.")
    return features_of(tables) if tables else pictures_of(others, listing)


def is_features(path: Path) -> bool:
    """Whether a file or folder holds features rather than pictures."""
    return bool(feature_files(path)) if path.is_dir() else path.suffix.lower() in SUFFIXES


def features_of(found: list[Path]) -> FeatureInputs:
    """The tables of several files and folders, one behind the other."""
    tables = tuple(open_table(file) for path in found for file in (feature_files(path) if path.is_dir() else [path]))
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    if len({table.has_files for table in tables}) > 1:
        one, other = (next(table.path for table in tables if table.has_files is has) for has in (True, False))
        raise InputError(f"{one} names its samples and {other} does not: ask about one of them at a time.")
    for path in found:
        if (path / JOURNAL).is_file() and not (path / SAMPLES_FILE).is_file():
            raise InputError(f"The extraction into {path} is not finished: run the same gsmflow extract once more.")
    folder = found[0]
    if len(found) > 1:
        return FeatureInputs(tables, notes=(*notes, "rows are counted on from one input to the next"))
    if not folder.is_dir():
        return FeatureInputs(tables, notes=notes)
    rows = sum(table.count for table in tables)
    notes = (f"{folder}: {rows:,} row{'s' * (rows != 1)} of features", *notes)
    samples = folder / SAMPLES_FILE
    named = samples if names_files(samples) and not tables[0].has_files else None
    return FeatureInputs(tables, named, read_record(folder).encoder, notes)


def pictures_of(found: list[Path], listing: Path | None) -> PictureInputs:
    """Pictures, those of one folder named as they lie in it, others as they are given."""
    paths: list[Path] = []
    names: list[str] = []
    for path in found:
        if path.is_dir():
            inside = list_pictures(path, listing)
            paths += inside.paths
            names += inside.files if len(found) == 1 else [as_text(path / file) for file in inside.files]
        else:
            paths.append(path)
            names.append(as_text(path))
    return PictureInputs(tuple(paths), tuple(names))


def as_text(path: Path) -> str:
    """A path as text that can be written, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def good_ones(batches: Iterable[Batch], tell: Callable[[str], None] | None = None) -> Iterator[Batch]:
    """The batches, when what is bad was told of.

    Args:
        batches: of pictures or features.
        tell: takes a line for each that is left out; without it nothing is left out.

    Raises:
        InputError: if something is bad and must not be left out; all bad pictures are named, or the first bad row.
    """
    bad: list[Bad] = []
    for batch in batches:
        for one in batch.bad:
            if tell:
                tell(f"left out: {one.name} ({one.reason})")
            elif batch.files is None:
                raise InputError(
                    f"There are no features in {one.name}: {one.reason}; repair or drop it, or leave such rows out "
                    "with skip_bad=True."
                )
            else:
                bad.append(one)
        if not bad:
            yield batch
    if bad:
        named = ", ".join(f"{one.name} ({one.reason})" for one in bad)
        what, it = ("input", "it") if len(bad) == 1 else ("inputs", "them")
        raise InputError(
            f"{len(bad)} {what} cannot be used: {named}; repair {it} or take {it} away, or leave {it} out with "
            "skip_bad=True."
        )
