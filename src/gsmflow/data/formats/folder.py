"""A folder of one's own data, which a person can write: tables and lists, and features of whatever kind.

``classes.csv`` names the classes; features stand in ``features.npy``, ``.safetensors``, ``.parquet`` or ``.csv``, or in
shards ``features/part-NNNNN``; ``samples.csv`` (``file,class``) or ``labels`` as npy, csv or txt say whose they are.
Attributes of ``classes.csv`` are semantics, and so are ``semantics.npy`` with ``semantics.csv``, which names the class
of each row. ``splits.csv`` is optional: without it, everything is trainval. ``dataset.json`` records the encoders.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataWarning, InputError
from ..checks import SPLITS
from ..class_table import read_class_table
from ..dataset import Provenance, ZeroShotDataset, frames_to_caller
from ..folder_record import RECORD_FILE, read_record
from ..tables import NumberTable
from . import numpy_files, packed, xlsa17
from .folder_files import (
    CLASSES_FILE,
    IMAGES,
    LABEL_FILES,
    SEMANTICS_FILES,
    SHARDS,
    SPLITS_FILE,
    feature_files,
    images_of,
    no_features,
    read_features,
)
from .folder_samples import Samples, class_ids, label_file, read_samples, read_splits
from .folder_semantics import TEXT, semantics_of
from .folder_writing import write

__all__ = ["check_strangers", "holds", "join", "left_out", "read", "write"]


def holds(folder: Path) -> bool:
    """Whether there is ``dataset.json``; or ``classes.csv`` or ``images``, and no data set in another layout."""
    if (folder / RECORD_FILE).exists():
        return True
    if xlsa17.holds(folder) or packed.holds(folder) or (folder / "trainval.npy").exists():
        return False
    return (folder / CLASSES_FILE).exists() or ((folder / IMAGES).is_dir() and not numpy_files.holds(folder))


def read(
    folder: str | Path,
    *,
    features: str | None = None,
    semantics: str | None = None,
    name: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Read one data set.

    Args:
        folder: holds the files.
        features: refused, if it is not the name of those that are there: there is one set.
        semantics: ``attributes`` or ``text``, where the folder holds both; default: both, one after the other.
        name: of the data set; default the folder's.
        allow_overlap: accept samples in two splits.

    Raises:
        InputError: if something is missing, with what makes it; if files are damaged, or the data contradict
            themselves.
    """
    folder = Path(folder)
    check_strangers(folder)
    record = read_record(folder)
    table = read_class_table(folder / CLASSES_FILE) if (folder / CLASSES_FILE).exists() else None
    files = feature_files(folder)
    if not files:
        raise InputError(no_features(folder, record))
    x_name = record.encoder.name if record.encoder else files[0].stem if len(files) == 1 else SHARDS
    if features not in (None, x_name, x_name.rpartition("/")[2]):  # the last part was once all that was recorded
        raise InputError(f"{folder} holds one set of features, {x_name!r}, and not {features!r}; drop features=.")
    means = semantics_of(folder, record, table, semantics)
    path = label_file(folder)
    x, samples, turned = join(read_features(files), files[0], read_samples(path) if path else None)
    labels, counted = class_ids(samples, means.class_names, means.names_in)
    splits: dict[str, Any] = {"trainval": np.arange(len(labels))}
    told = [*x.warnings, *means.warnings]
    if (folder / SPLITS_FILE).exists():
        splits = read_splits(
            folder / SPLITS_FILE, samples.files, len(labels), where=samples.where.name, allow_overlap=allow_overlap
        )
        told += left_out(splits, len(labels))
    place = os.path.abspath(folder)
    data = ZeroShotDataset(
        name or os.path.basename(place),
        x.numbers,
        labels,
        means.matrix,
        means.class_names,
        **splits,
        provenance=Provenance(
            "folder",
            x_name,
            means.name,
            files_read(folder, files, samples),
            (*x.notes, *turned, *counted, *means.notes),
            place,
            encoder=record.encoder,
            text_encoder=record.text_encoder if TEXT in means.name else None,
            images=images_of(folder, record),
        ),
        allow_overlap=allow_overlap,
        semantic_names=means.names,
        semantic_parts=means.parts,
        sample_names=samples.files,
    )
    for sentence in told:
        warnings.warn(f"{data.name}: {sentence}", DataWarning, stacklevel=frames_to_caller())
    return data


def check_strangers(folder: Path) -> None:
    """Refuse files of the numpy layout, which would be passed over.

    Raises:
        InputError: if one is there.
    """
    strangers = [f"{name}.npy" for name in SPLITS] + ["class_names.txt", "semantic_names.txt"]
    there = [name for name in strangers if (folder / name).exists()]
    if there:
        raise InputError(
            f"{folder} holds {', '.join(there)}, which have no effect beside {RECORD_FILE} or {CLASSES_FILE}: name "
            f"splits in {SPLITS_FILE} and classes in {CLASSES_FILE}, or move {RECORD_FILE} and {CLASSES_FILE} away."
        )


def join(table: NumberTable, path: Path, listed: Samples | None) -> tuple[NumberTable, Samples, tuple[str, ...]]:
    """Features with their samples, and what was assumed.

    Raises:
        InputError: if there are no labels or two sets, or they are not as many as the features.
    """
    if listed is None and table.labels is None:
        raise InputError(
            f"{path} has no labels beside it: add samples.csv (file,class), or {', '.join(LABEL_FILES[1:])}; if "
            "gsmflow extract was interrupted, run it again."
        )
    if listed is not None and table.labels is not None:
        raise InputError(f"{path} has a column of classes, and {listed.where.name} is there as well; keep one of them.")
    if listed is None:
        assert table.labels is not None
        return table, Samples(path, table.files or (), table.labels), ()
    rows, count = table.numbers.shape, listed.labels.size
    if rows[0] != count == rows[1]:
        notes = (f"{path.name} holds features as (D, N), where (N, D) is expected",)
        return replace(table, numbers=table.numbers.T), listed, notes
    if rows[0] != count:
        raise InputError(
            f"{path} holds {rows[0]} rows, but {listed.where} {count} samples; they must agree, so make both again."
        )
    if table.files and listed.files:
        odd = next((k for k, (ours, theirs) in enumerate(zip(table.files, listed.files)) if ours != theirs), None)  # noqa: B905
        if odd is not None:
            raise InputError(
                f"{path} names the sample {odd} (counted from 0) {table.files[odd]!r}, and {listed.where.name} "
                f"{listed.files[odd]!r}; they must name the same in the same order."
            )
    return table, replace(listed, files=listed.files or table.files or ()), ()


def left_out(splits: dict[str, np.ndarray], samples: int) -> list[str]:
    """A sentence about samples that no split names."""
    named = np.zeros(samples, bool)
    for rows in splits.values():
        named[rows] = True
    unused = int(samples - named.sum())
    return [f"{unused} of {samples} samples are in no split, since {SPLITS_FILE} does not name them"] if unused else []


def files_read(folder: Path, features: list[Path], samples: Samples) -> tuple[str, ...]:
    """The names of the files read."""
    first = str(features[0].relative_to(folder))
    shown = first if len(features) == 1 else f"{first} to {features[-1].name}"
    named = (CLASSES_FILE, *SEMANTICS_FILES, SPLITS_FILE, RECORD_FILE)
    there = tuple(name for name in named if (folder / name).exists())
    listed = () if samples.where in features else (samples.where.name,)
    return (shown, *listed, *there)
