"""The files of a folder of one's own data: how they are called, what makes them, and how features are read."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..class_table import ClassTable
from ..folder_record import FolderRecord
from ..picture_files import picture_files
from ..tables import NumberTable, count_rows, read_table

__all__ = [
    "CLASSES_FILE",
    "FEATURE_FILES",
    "IMAGES",
    "LABEL_FILES",
    "SAMPLES_FILE",
    "SEMANTICS_FILES",
    "SHARDS",
    "SPLITS_FILE",
    "command_describe",
    "command_extract",
    "feature_files",
    "images_of",
    "no_features",
    "no_semantics",
    "read_features",
]

CLASSES_FILE, SAMPLES_FILE, SPLITS_FILE = "classes.csv", "samples.csv", "splits.csv"
IMAGES, SHARDS = "images", "features"
FEATURE_FILES = ("features.npy", "features.safetensors", "features.parquet", "features.csv")
LABEL_FILES = (SAMPLES_FILE, "labels.npy", "labels.csv", "labels.txt")
SEMANTICS_FILES = ("semantics.npy", "semantics.csv")
SHARD = re.compile(r"part-(\d{5,})\.(npy|parquet)")


def command_extract(folder: Path, record: FolderRecord) -> str:
    """What makes features out of the pictures."""
    model = record.encoder and (record.encoder.place or record.encoder.name)
    here = sorted(folder.glob("*.onnx"))
    model = model or (str(here[0]) if len(here) == 1 else "MODEL")
    images = record.images if record.images and Path(record.images).is_dir() else str(folder / IMAGES)
    return f"gsmflow extract {shlex.quote(images)} --model {shlex.quote(model)} --out {shlex.quote(str(folder))}"


def command_describe(folder: Path, record: FolderRecord) -> str:
    """What makes semantics out of the descriptions; with the encoder and the template that are recorded, if any are."""
    encoder = record.text_encoder
    if encoder and (not encoder.place or Path(encoder.place).exists()):
        return f"gsmflow describe {shlex.quote(str(folder))}"
    table = shlex.quote(str(folder / CLASSES_FILE))
    template = encoder.preprocessing.get("template", "{}") if encoder else "{}"
    said = f" --template {shlex.quote(str(template))}" if template != "{}" else ""
    return f"gsmflow describe {table} --model MODEL{said} --out {shlex.quote(str(folder))}"


def feature_files(folder: Path) -> list[Path]:
    """The file of features, or all shards in their order; none where there are none.

    Raises:
        InputError: if there are two sets, or a shard is missing.
    """
    found = [folder / name for name in FEATURE_FILES if (folder / name).exists()]
    shards = {
        path: int(match[1])
        for path in ((folder / SHARDS).iterdir() if (folder / SHARDS).is_dir() else ())
        if (match := SHARD.fullmatch(path.name))
    }
    sets = [path.name for path in found] + ([f"{SHARDS}/part-*"] if shards else [])
    if len(sets) > 1:
        raise InputError(f"{folder} holds several sets of features, {' and '.join(sets)}; keep one.")
    if not shards:
        return found
    ordered = sorted(shards, key=lambda path: shards[path])
    for place, path in enumerate(ordered):
        if shards[path] != place:
            wrong = (
                f"part-{place:05d} is missing" if shards[path] > place else f"part-{shards[path]:05d} is there twice"
            )
            raise InputError(
                f"{folder / SHARDS} holds {len(ordered)} parts up to {ordered[-1].name}, but {wrong}; put it right, or "
                "make the features again."
            )
    return ordered


def read_features(files: list[Path]) -> NumberTable:
    """The features of one file, or of all shards one after the other.

    Raises:
        InputError: if a file is damaged, or shards differ in width.
    """
    if len(files) == 1:
        return read_table(files[0])
    rows = [count_rows(path) for path in files]
    first = read_table(files[0])
    width = first.numbers.shape[1]
    numbers = np.empty((sum(rows), width), np.float32)  # filled part by part: never is there more than this and a part
    names: list[str] = []
    labels: list[np.ndarray] = []
    for path, end, count in zip(files, np.cumsum(rows), rows, strict=True):
        part = read_table(path)
        if part.numbers.shape[1] != width:
            raise InputError(
                f"{path} has {part.numbers.shape[1]} columns, {files[0].name} {width}; parts are of one encoder, so "
                "make the features again."
            )
        for what, ours, theirs in (("files", first.files, part.files), ("classes", first.labels, part.labels)):
            if (ours is None) != (theirs is None):
                raise InputError(f"{path} and {files[0].name} must both have a column of {what}, or neither.")
        numbers[end - count : end] = part.numbers
        names += part.files or ()
        labels += [] if part.labels is None else [part.labels]
    return NumberTable(
        numbers,
        None if first.files is None else tuple(names),
        np.concatenate(labels) if labels else None,
        first.notes,
        first.warnings,
    )


def no_features(folder: Path, record: FolderRecord) -> str:
    """One sentence about a folder without features, and what makes them."""
    images = images_of(folder, record)
    if images and next(picture_files(Path(images)), None):
        return f"{folder} holds pictures, but no features of them yet; make them: {command_extract(folder, record)}"
    return (
        f"{folder} holds no features: put pictures into {folder / IMAGES}/CLASS/ and run "
        f"{command_extract(folder, record)}, or add one of {', '.join(FEATURE_FILES)}."
    )


def no_semantics(folder: Path, record: FolderRecord, table: ClassTable | None) -> str:
    """One sentence about a folder without semantics, and what makes them."""
    if table is None:
        return (
            f"{folder} says nothing of its classes: write {folder / CLASSES_FILE}, a row a class with its name and a "
            "description or attributes (gsmflow describe copies one that lies elsewhere); begin it with: "
            f"gsmflow data init {shlex.quote(str(folder))}"
        )
    if any(table.descriptions):
        return (
            f"{folder} holds descriptions, but no semantics of them yet; make them: {command_describe(folder, record)}"
        )
    notes = f" (columns of texts, such as {', '.join(table.notes[:3])}, are notes)" if table.notes else ""
    return (
        f"{folder / CLASSES_FILE} has neither descriptions nor columns of numbers{notes}: add some, or take the "
        f"names for descriptions: {command_describe(folder, record)}"
    )


def images_of(folder: Path, record: FolderRecord) -> str:
    """The folder of the pictures: as recorded where it is there, else that within; empty where none is known."""
    if record.images and Path(record.images).is_dir():
        return record.images
    return os.path.abspath(folder / IMAGES) if (folder / IMAGES).is_dir() else record.images
