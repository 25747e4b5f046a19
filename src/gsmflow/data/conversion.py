"""A data set from one format into another, and what is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .class_table import read_class_table
from .dataset import Provenance, ZeroShotDataset
from .formats import FORMATS, formats_in
from .formats.folder_files import CLASSES_FILE
from .splits import in_split_order

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["convert", "format_named", "lost"]


def format_named(name: str) -> str:
    """The name itself, if it is that of a format.

    Raises:
        InputError: if it is not.
    """
    if name not in FORMATS:
        raise InputError(f"There is no format {name!r}: choose one of {', '.join(FORMATS)}.")
    return name


def convert(dataset: ZeroShotDataset, target: str | Path, to: str) -> tuple[str, ...]:
    """Write a data set in another format, and read it back: it is the same problem, or nothing is said to be done.

    Args:
        dataset: what was read.
        target: folder to write, which may hold no data set yet.
        to: a name in `FORMATS`.

    Returns:
        What is lost or changed, a sentence each.

    Raises:
        InputError: if there is no such format, the folder holds a data set, the format cannot hold this one, or files
            cannot be written.
    """
    target, form = Path(target), FORMATS[format_named(to)]
    held = formats_in(target)
    if held:
        raise InputError(f"{target} holds a data set already, in the format {held[0].name}; choose another folder.")
    told = []
    if to == "packed":
        dataset, told = ordered(dataset)
    form.write(dataset, target)
    found = form.read(target, allow_overlap=dataset.allow_overlap)
    if (found.fingerprint(), found.class_names) != (dataset.fingerprint(), dataset.class_names):
        raise InputError(f"{target} reads otherwise than {dataset.name} does: this should not happen; do not use it.")
    return (*told, *lost(dataset, found, to))


def ordered(dataset: ZeroShotDataset) -> tuple[ZeroShotDataset, list[str]]:
    """Samples split after split, and a sentence if they stood otherwise."""
    splits = np.concatenate([dataset.trainval, dataset.test_seen, dataset.test_unseen])
    if np.array_equal(splits, np.arange(len(dataset.features))):
        return dataset, []
    left = len(dataset.features) - len(np.unique(splits))
    out = f", and {left} that are in no split are left out" if left else ""
    return in_split_order(dataset), [f"samples are put in order, split after split{out}: the fingerprint changes"]


def lost(dataset: ZeroShotDataset, found: ZeroShotDataset, to: str) -> Iterator[str]:
    """What was in a data set, and is not in what was written of it, a sentence each."""
    p, q, nameless = dataset.provenance, found.provenance, Provenance()
    places = f"; their pictures are in {p.images}" if p.images else ""
    parts = " and ".join(f"{width} {name}" for name, width in dataset.semantic_parts)
    for name, what in (
        ("semantic_names", f"names of the {dataset.semantic_dim} dimensions of the semantics"),
        ("sample_names", f"names of the {len(dataset.features)} samples{places}"),
        ("semantic_parts", f"which semantics are what ({parts})"),
        ("one_space", "whether semantics lie in the space of the features"),
    ):
        if getattr(dataset, name) not in ((), None, getattr(found, name)):
            yield f"{to} does not keep {what}"
    for what, encoder, kept in (
        ("pictures", p.encoder, q.encoder),
        ("words", p.text_encoder, q.text_encoder),
    ):
        if encoder and encoder != kept:
            yield f"{to} does not keep the record of the encoder of {what}, {encoder}"
    for name in ("features", "semantics"):
        called = getattr(p, name)
        if called not in (getattr(nameless, name), getattr(q, name)):
            yield f"{to} does not keep the name of the {name}, {called}"
    table = Path(p.folder) / CLASSES_FILE
    if p.layout == "folder" and table.exists():
        known = read_class_table(table)
        texts = ["descriptions"] * any(known.descriptions) + [f"notes ({', '.join(known.notes)})"] * bool(known.notes)
        if texts:
            yield f"{' and '.join(texts)} of classes are not carried over: they stay in {table}"
