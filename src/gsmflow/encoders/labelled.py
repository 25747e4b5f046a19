"""Pictures or features whose classes are told by name: what a model learns from after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.class_table import read_class_table
from ..data.folder_record import RECORD_FILE, FolderRecord, read_record
from ..data.formats.folder import join
from ..data.formats.folder_files import CLASSES_FILE, IMAGES, LABEL_FILES, feature_files, read_features
from ..data.formats.folder_samples import Samples, class_ids, label_file, read_samples
from ..data.table_stream import Part, TableStream
from ..data.tables import NumberTable, read_table
from ..errors import InputError
from .inputs import FeatureInputs, PictureInputs, find_inputs, is_features
from .pictures import Pictures, list_pictures

__all__ = ["Labelled", "find_labelled"]


@dataclass(frozen=True)
class Labelled:
    """Pictures or features, and what they show.

    Attributes:
        inputs: they themselves.
        classes: name of the class of each.
        table: that describes classes and lies with them, where one does.
    """

    inputs: PictureInputs | FeatureInputs
    classes: tuple[str, ...]
    table: Path | None = None


def find_labelled(path: Path, listing: Path | None = None, table: Path | None = None) -> Labelled:
    """Tell labelled pictures from labelled features, and list them with their classes.

    Args:
        path: folder with a folder of pictures for each class; folder of one's own data, with features and
            ``samples.csv``; or a table of features (``.csv``, ``.parquet``) with a column ``class``.
        listing: chooses among the pictures of a folder, and may tell their classes, see `list_pictures`.
        table: describes classes; default: ``classes.csv`` in the folder or beside the file, if it is there.

    Raises:
        InputError: if there is no such file or folder, it holds neither pictures nor features, or their classes are not
            told.
    """
    if not path.is_dir():
        find_inputs([path])  # says what is wrong with it
    beside = (path if path.is_dir() else path.parent) / CLASSES_FILE
    known = table or (beside if beside.is_file() else None)
    if table is not None and not table.is_file():
        raise InputError(f"There is no table of classes {table}.")
    if not is_features(path):
        return Labelled(*labelled_pictures(path, listing), known)
    if listing is not None:
        raise InputError(f"The list {listing} chooses among pictures, and {path} holds features: drop listing=.")
    return Labelled(*labelled_features(path, beside), known)


def labelled_pictures(path: Path, listing: Path | None) -> tuple[PictureInputs, tuple[str, ...]]:
    """The pictures of a folder, and the class of each.

    Raises:
        InputError: if it is one picture, or one lies in no folder of a class.
    """
    if path.is_file():
        raise InputError(
            f"{path} does not say its class: give a folder that holds a folder of pictures for each class."
        )
    own_data = any((path / name).is_file() for name in (CLASSES_FILE, RECORD_FILE))
    root = path / IMAGES if own_data and (path / IMAGES).is_dir() and listing is None else path
    pictures = list_pictures(root, listing)
    if pictures.classes is None:
        raise InputError(
            f"{unclassed(pictures)} in {root} lies in no folder that names its class: put it into one, or give a list "
            "with the columns file and class as listing=."
        )
    return PictureInputs(pictures.paths, pictures.files), pictures.classes


def unclassed(pictures: Pictures) -> str:
    """The first picture that lies in no folder."""
    return next(file for file in pictures.files if "/" not in file)


def labelled_features(path: Path, classes: Path) -> tuple[FeatureInputs, tuple[str, ...]]:
    """The features of a file or folder, and the class of each row.

    Raises:
        InputError: if they are damaged, or no file tells the classes, or tells those of more or fewer rows.
    """
    files = feature_files(path) if path.is_dir() else [path]
    record = read_record(path) if path.is_dir() else FolderRecord()
    listed = label_file(path) if path.is_dir() else None
    table = read_features(files) if path.is_dir() else read_table(path)
    if table.labels is None and listed is None:
        where = (
            f"add samples.csv (file,class) or {', '.join(LABEL_FILES[1:])}" if path.is_dir() else "add a column class"
        )
        also = "" if path.is_dir() or path.suffix in (".csv", ".parquet") else ", in a table as .csv or .parquet"
        raise InputError(f"{path} does not say which class each row of features is of: {where}{also}.")
    table, samples, turned = join(table, files[0], read_samples(listed) if listed else None)
    names, counted = class_names(samples, classes)
    notes = (*table.notes, *table.warnings, *turned, *counted)
    return FeatureInputs((in_memory(files[0], table, samples),), None, record.encoder, notes), names


def class_names(samples: Samples, classes: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The name of each sample's class, and what was assumed: numbers that are no names count the rows of a table.

    Raises:
        InputError: if they are numbers, and there is no table; else as `class_ids` does.
    """
    given = samples.labels
    if given.dtype.kind == "U":
        names = tuple(str(name) for name in given.ravel().tolist())
        if not (all(name.isdecimal() for name in names) and classes.is_file()):
            return names, ()
    if not classes.is_file():
        raise InputError(
            f"{samples.where} tells classes by number: name them, or put a {CLASSES_FILE} there whose rows they count."
        )
    known = read_class_table(classes).names
    ids, notes = class_ids(samples, known, CLASSES_FILE)
    return tuple(known[k] for k in ids), notes


def in_memory(path: Path, table: NumberTable, samples: Samples) -> TableStream:
    """A table that was read, as one that is read some rows at a time."""
    numbers, files = table.numbers, samples.files or None

    def read(size: int) -> Iterator[Part]:
        for start in range(0, len(numbers), size):
            rows = slice(start, start + size)
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told where it is used
                part = np.asarray(numbers[rows], np.float32)
            yield Part(part, None if files is None else files[rows])

    return TableStream(path, len(numbers), numbers.shape[1], files is not None, read)
