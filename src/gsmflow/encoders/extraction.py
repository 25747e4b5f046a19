"""The work of ``gsmflow extract``: features of pictures, in shards, so that it goes on where it was interrupted."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.folder_record import read_record, write_record
from ..data.formats.files import check_names
from ..data.formats.folder_files import SAMPLES_FILE, SHARDS
from ..errors import DataWarning, InputError
from ..files import as_csv, as_npy, write_atomically
from ..progress import Display
from .base import ImageEncoder
from .journal import Journal, Shard, is_whole, journal_of, shard_path, take_up, write_journal
from .pictures import Encoded, Pictures, encode_files, pixels_of

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Extraction", "extract_features"]

SHARD = 1024
"""Pictures a shard: so many are encoded once more after an interruption, at the most."""
FEW = 5


@dataclass(frozen=True)
class Extraction:
    """What came of it.

    Attributes:
        folder: that holds it.
        rows: pictures that have features.
        dim: of the features.
        classes: that they are of.
        bad: pictures that were left out, with the reason.
        lost: classes of which no picture is left.
        encoded: pictures that were encoded now, not before an interruption.
        seconds: that this took.
    """

    folder: Path
    rows: int
    dim: int
    classes: int
    bad: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]
    encoded: int
    seconds: float


def extract_features(
    pictures: Pictures,
    encoder: ImageEncoder,
    out: Path,
    *,
    batch: int = 64,
    workers: int | None = None,
    skip_bad: bool = False,
    shard: int = SHARD,
    display: Display | None = None,
) -> Extraction:
    """Write features of pictures, their files and classes, and what made them, as a folder of one's own data.

    Called once more with the same it goes on where it stopped. What `describe` wrote into the folder stays.

    Args:
        pictures: with classes.
        encoder: of pictures.
        out: folder, made if it is not there.
        batch: pictures that are encoded at a time.
        workers: threads that decode; default: one a CPU core.
        skip_bad: leave out pictures that cannot be read.
        shard: pictures a file.
        display: shows how far it is.

    Raises:
        InputError: if a picture has no class; if ``out`` holds other features, or cannot be written; if pictures cannot
            be read: all others are done before, so that the next call has to do with these alone.
    """
    display = display or Display(quiet=True)
    classes = check_classes(pictures)
    journal = take_up(out, journal_of(encoder.record, pictures, classes, shard))
    due = unfinished(out, journal, pictures, encoder)
    start, before = time.perf_counter(), len(pictures) - sum(len(part) for part in due.values())
    if before:
        display.say(f"{out}: {before:,} of {len(pictures):,} pictures {'are' if before > 1 else 'is'} done already")
    paths = [pictures.root / file for part in due.values() for file in part]
    parts = encode_files(encoder, paths, batch=batch, workers=workers)
    if due:
        make_folder(out)
        (out / SAMPLES_FILE).unlink(missing_ok=True)  # until it stands there again, this is no data set
        write_journal(out, journal)
        parts = shown(parts, display, before, len(pictures))
        shards = together(parts, pictures.root, list(due.values()))
        for number, (features, bad) in zip(due, shards, strict=True):
            write_atomically(shard_path(out, number), as_npy(stacked(features, encoder.record.dim)))
            journal = replace(journal, shards={**journal.shards, number: Shard(len(features), bad)})
            write_journal(out, journal)
    seconds = time.perf_counter() - start
    good = settle(pictures, classes, journal, skip_bad=skip_bad)
    record = replace(read_record(out), encoder=encoder.record, images=journal.images)
    write_record(out, record)
    write_atomically(out / SAMPLES_FILE, as_csv(("file", "class"), good))
    left = {name for _, name in good}
    return Extraction(
        folder=out,
        rows=len(good),
        dim=encoder.record.dim,
        classes=len(left),
        bad=journal.bad,
        lost=tuple(name for name in dict.fromkeys(classes) if name not in left),
        encoded=len(pictures) - before,
        seconds=seconds,
    )


def check_classes(pictures: Pictures) -> tuple[str, ...]:
    """The class of each picture.

    Raises:
        InputError: if one has none, or a name does not survive in a table.

    Warns:
        DataWarning: if there is one class only.
    """
    if pictures.classes is None:
        homeless = [file for file in pictures.files if "/" not in file]
        raise InputError(
            f"{len(homeless):,} of {len(pictures):,} pictures lie in {pictures.root} itself, which tells no class, the "
            f"first is {homeless[0]!r}: put each into the folder of its class, or give a list with a header file,class."
        )
    check_names(str(pictures.root), tuple(dict.fromkeys(pictures.classes)))
    broken = next((file for file in pictures.files if "\n" in file or "\r" in file), None)
    if broken is not None:
        raise InputError(f"The name of {broken!r} in {pictures.root} has a line break: rename the file.")
    if len(set(pictures.classes)) == 1:
        warnings.warn(
            f"All {len(pictures):,} pictures are of one class, {pictures.classes[0]!r}: is {pictures.root} the folder "
            "that holds a folder for each class?",
            DataWarning,
            stacklevel=3,
        )
    return pictures.classes


def unfinished(out: Path, journal: Journal, pictures: Pictures, encoder: ImageEncoder) -> dict[int, tuple[str, ...]]:
    """The pictures of each shard that is not there, is damaged, or lacks pictures that can be read by now."""
    due = {}
    for number in range(journal.count):
        shard = journal.shards.get(number)
        if shard is None or not is_whole(shard_path(out, number), shard.rows, journal.encoder.dim):
            is_done = False
        else:
            is_done = all(isinstance(pixels_of(encoder, pictures.root / file), str) for file, _ in shard.bad)
        if not is_done:
            due[number] = pictures.files[number * journal.shard : (number + 1) * journal.shard]
    return due


def make_folder(out: Path) -> None:
    """Make the folder, and drop what a process that was killed left half-written."""
    try:
        (out / SHARDS).mkdir(parents=True, exist_ok=True)
        for stale in (out / SHARDS).glob(".part-*.tmp"):
            stale.unlink()
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}): choose another out=.") from error


def shown(parts: Iterator[Encoded], display: Display, before: int, total: int) -> Iterator[Encoded]:
    """The parts, while the display tells how far they are."""
    display.begin("extract", total)
    start, done, told = time.perf_counter(), 0, 0
    for part in parts:
        done += len(part.paths) + len(part.bad)
        for path, reason in part.bad[: max(0, FEW - told)]:
            display.say(f"{path} cannot be read: {reason}")
            told += 1
        rate = done / (time.perf_counter() - start)
        numbers = {"images a second": round(rate, 1)}
        if not display.live:  # a bar tells the time left by itself
            numbers["minutes left"] = round((total - before - done) / rate / 60, 1)
        display.show(before + done, numbers)
        yield part


def together(
    parts: Iterator[Encoded], root: Path, shards: Sequence[Sequence[str]]
) -> Iterator[tuple[list[Float[np.ndarray, " d"]], tuple[tuple[str, str], ...]]]:
    """Features and bad pictures of each shard, out of parts of another length."""
    outcome = (pair for part in parts for pair in by_path(part).items())
    reasons_or_rows: dict[Path, Float[np.ndarray, " d"] | str] = {}
    for files in shards:
        paths = {root / file: file for file in files}
        while not paths.keys() <= reasons_or_rows.keys():
            path, found = next(outcome)
            reasons_or_rows[path] = found
        found = {file: reasons_or_rows.pop(path) for path, file in paths.items()}
        bad = tuple((file, reason) for file, reason in found.items() if isinstance(reason, str))
        yield [row for row in found.values() if not isinstance(row, str)], bad


def by_path(part: Encoded) -> dict[Path, Float[np.ndarray, " d"] | str]:
    """The row of each picture, or why there is none."""
    rows = {
        path: row if np.isfinite(row).all() else "the encoder gives NaN or infinite numbers for it"
        for path, row in zip(part.paths, part.features, strict=True)
    }
    return {**rows, **dict(part.bad)}


def stacked(rows: Sequence[Float[np.ndarray, " d"]], dim: int) -> Float[np.ndarray, "n d"]:
    """Rows as a float32 matrix, also of none."""
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, dim), np.float32)


def settle(pictures: Pictures, classes: Sequence[str], journal: Journal, *, skip_bad: bool) -> list[tuple[str, str]]:
    """Files and classes of the rows.

    Raises:
        InputError: if pictures are bad and not to be left out, or all are.
    """
    reasons = dict(journal.bad)
    if len(reasons) == len(pictures) or (reasons and not skip_bad):
        few = ", ".join(f"{file} ({reason})" for file, reason in list(reasons.items())[:FEW])
        others = f", and {len(reasons) - FEW:,} more" if len(reasons) > FEW else ""
        hint = (
            "give other pictures, or another encoder with model="
            if len(reasons) == len(pictures)
            else "repair them and run the same once more, or leave them out with skip_bad=True (all others are done "
            "and kept)"
        )
        raise InputError(
            f"{len(reasons):,} of {len(pictures):,} pictures in {pictures.root} have no features: {few}{others}; "
            f"{hint}."
        )
    return [(file, name) for file, name in zip(pictures.files, classes, strict=True) if file not in reasons]
