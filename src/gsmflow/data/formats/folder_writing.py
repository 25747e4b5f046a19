"""Writing a folder of one's own data, so that it is read back as it was."""

from __future__ import annotations

import os
import warnings
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import DataWarning, InputError
from ...files import as_csv, as_json
from ...overrides import plain
from ..class_table import is_special
from ..dataset import ZeroShotDataset, frames_to_caller
from ..folder_record import RECORD_FILE, FolderRecord
from .files import check_names, write_together
from .folder_files import (
    CLASSES_FILE,
    FEATURE_FILES,
    LABEL_FILES,
    SAMPLES_FILE,
    SEMANTICS_FILES,
    SHARDS,
    SPLITS_FILE,
)
from .folder_semantics import ATTRIBUTES, TEXT, text_names
from .numpy_files import write_array, write_bytes

__all__ = ["write"]


def write(dataset: ZeroShotDataset, folder: str | Path) -> None:
    """Write ``dataset``, features chunk by chunk; attributes go into ``classes.csv`` where their dimensions have names.

    Raises:
        InputError: if a name is none that a table can hold, or the semantics are put together from other parts than
            attributes and text; if one of the files is there already, or the folder cannot be written.
    """
    folder = Path(folder)
    check_names(dataset.name, dataset.class_names)
    check_names(dataset.name, dataset.semantic_names)
    check_empty(folder)
    widths = split_parts(dataset)
    attributes, text = np.split(dataset.semantics, [widths[0]], axis=1)
    header = attribute_names(dataset, widths)
    classes = [
        [name, *map("{:.9g}".format, row)] for name, row in zip(dataset.class_names, attributes.tolist(), strict=True)
    ]
    p = dataset.provenance
    record = FolderRecord(encoder=p.encoder, text_encoder=p.text_encoder, images=p.images)
    contents = {
        CLASSES_FILE: as_csv(["name", *header], classes),
        SAMPLES_FILE: samples_csv(dataset),
        SPLITS_FILE: splits_csv(dataset),
    }
    if widths[1]:
        contents[SEMANTICS_FILES[1]] = as_csv(["name"], [[name] for name in dataset.class_names])
    writers = {name: partial(write_bytes, content) for name, content in contents.items()}
    if widths[1]:
        writers[SEMANTICS_FILES[0]] = partial(write_array, text)
    writers["features.npy"] = partial(write_array, dataset.features)
    writers[RECORD_FILE] = partial(write_bytes, as_json(plain(record), indent=2))
    write_together(folder, writers)


def check_empty(folder: Path) -> None:
    """Refuse a folder with other files of a data set, which would be read together with those written."""
    names = (CLASSES_FILE, *FEATURE_FILES, SHARDS, *LABEL_FILES, *SEMANTICS_FILES, SPLITS_FILE, RECORD_FILE)
    there = [name for name in names if os.path.lexists(folder / name)]
    if there:
        raise InputError(f"{folder} holds {', '.join(there)} already; move that elsewhere or choose another folder.")


def split_parts(dataset: ZeroShotDataset) -> tuple[int, int]:
    """How many dimensions are attributes, and how many others come behind.

    Raises:
        InputError: if there are other parts.
    """
    if dataset.semantic_parts:
        names = tuple(name for name, _ in dataset.semantic_parts)
        if names != (ATTRIBUTES, TEXT):
            raise InputError(
                f"{dataset.name}: semantics of the parts {', '.join(names)} do not fit into a folder, which holds "
                f"{ATTRIBUTES} and {TEXT}; write another format."
            )
        return dataset.semantic_parts[0][1], dataset.semantic_parts[1][1]
    return (dataset.semantic_dim, 0) if dataset.semantic_names else (0, dataset.semantic_dim)


def attribute_names(dataset: ZeroShotDataset, widths: tuple[int, int]) -> tuple[str, ...]:
    """Names of the columns of attributes.

    Raises:
        InputError: if a name stands for something else in ``classes.csv``, or for two attributes.
    """
    names = dataset.semantic_names or tuple(f"attribute {k + 1}" for k in range(widths[0]))
    names, texts = names[: widths[0]], names[widths[0] :]
    lowered = [name.lower() for name in names]
    wrong = next((name for name in names if is_special(name) or lowered.count(name.lower()) > 1), None)
    if wrong is not None:
        raise InputError(
            f"{dataset.name}: the semantic name {wrong!r} cannot be that of a column of {CLASSES_FILE}, where it means "
            "something else or stands twice; give another."
        )
    if texts and texts != text_names(len(texts)):
        warnings.warn(
            f"{dataset.name}: names of the {len(texts)} dimensions of {TEXT} are not kept, {TEXT} 1 to {len(texts)} "
            "take their place",
            DataWarning,
            stacklevel=frames_to_caller(),
        )
    return names


def samples_csv(dataset: ZeroShotDataset) -> bytes:
    """The class of each sample, and its name if it has one."""
    classes = [dataset.class_names[k] for k in dataset.labels.tolist()]
    if not dataset.sample_names:
        return as_csv(["class"], [[name] for name in classes])
    wrong = next((name for name in dataset.sample_names if not name.strip() or not encodes(name)), None)
    if wrong is not None:
        raise InputError(f"{dataset.name}: the sample name {wrong!r} does not survive in a file; give another.")
    classes_of = dict(zip(dataset.sample_names, classes, strict=True))
    odd = next((name for name, own in zip(dataset.sample_names, classes, strict=True) if classes_of[name] != own), None)
    if odd is not None:
        raise InputError(f"{dataset.name}: the sample name {odd!r} stands for samples of two classes; give others.")
    return as_csv(["file", "class"], [[*row] for row in zip(dataset.sample_names, classes, strict=True)])


def encodes(name: str) -> bool:
    """Whether UTF-8 can hold a name, and a table gives it back."""
    return "\0" not in name and name.encode("utf-8", "ignore").decode() == name


def splits_csv(dataset: ZeroShotDataset) -> bytes:
    """The samples of each split, by name where each has its own, else by row."""
    names = dataset.sample_names
    by_name = len(set(names)) == len(names) > 0
    rows = [
        [names[row] if by_name else str(row), split]
        for split in ("trainval", "test_seen", "test_unseen")
        for row in getattr(dataset, split).tolist()
    ]
    return as_csv(["file" if by_name else "row", "split"], rows)
