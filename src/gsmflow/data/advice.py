"""``gsmflow data check`` on a folder of one's own data: what is there, and all that is still to be done, in order."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import InputError
from .catalog import folders
from .checks import SPLITS, list_some
from .class_table import ClassTable, ids_by_name, read_class_table
from .dataset import ZeroShotDataset
from .folder_record import FolderRecord, read_record
from .formats import folder as own
from .formats import formats_in
from .formats.folder_files import (
    CLASSES_FILE,
    IMAGES,
    LABEL_FILES,
    SHARDS,
    SPLITS_FILE,
    feature_files,
    images_of,
    no_features,
    read_features,
)
from .formats.folder_samples import Samples, class_ids, label_file, read_samples, read_splits
from .formats.folder_semantics import semantics_of
from .picture_files import class_of, picture_files
from .skeleton import names_to_fill_in
from .tables import NumberTable

__all__ = ["Advice", "Todo", "advise", "outlook"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class Todo:
    """One thing to do.

    Attributes:
        sentence: what is missing or wrong.
        command: what to type, where a command does it.
    """

    sentence: str
    command: str = ""

    @classmethod
    def of(cls, sentence: str) -> Todo:
        """A sentence that may end in a command.

        Example:
            >>> Todo.of("my has no semantics yet; make them: gsmflow describe my/classes.csv --out my").command
            'gsmflow describe my/classes.csv --out my'
        """
        match = re.fullmatch(r"(.*): (gsmflow .*)", sentence)
        return cls(f"{match[1]}:", match[2]) if match else cls(sentence)


@dataclass
class Advice:
    """What was found, and what is to be done.

    Attributes:
        found: what is there and right, by the name of its file.
        todo: what is missing or wrong, in the order in which it is done.
    """

    found: dict[str, str] = field(default_factory=dict)
    todo: list[Todo] = field(default_factory=list)

    def attempt(self, work: Callable[[], Found]) -> Found | None:
        """What the work gives; where it is refused, that is to be done, and nothing is given."""
        try:
            return work()
        except InputError as error:
            self.todo.append(Todo.of(str(error)))
            return None


def advise(folder: Path) -> Advice:
    """Look at each file of a folder of one's own data for itself.

    Args:
        folder: one that `gsmflow.load_folder` refuses.
    """
    advice = Advice()
    advice.attempt(lambda: own.check_strangers(folder))
    record = advice.attempt(lambda: read_record(folder)) or FolderRecord()
    table = advise_classes(advice, folder)
    files = advice.attempt(lambda: feature_files(folder))
    path = advice.attempt(lambda: label_file(folder))
    listed = advice.attempt(lambda: read_samples(path)) if path else None
    pictures = tuple(picture_files(Path(images_of(folder, record)))) if images_of(folder, record) else ()
    if not path:
        advise_pictures(advice, folder, record, table, pictures)
    labelled = any((folder / name).exists() for name in LABEL_FILES)
    samples = advise_features(advice, folder, record, files, listed, labelled)
    advise_semantics(advice, folder, record, table)
    if samples and table:
        advice.attempt(lambda: class_ids(samples, table.names, CLASSES_FILE))
    advise_splits(advice, folder, samples or listed, pictures)
    for other in folders(folder):
        layout = formats_in(other)[0].name
        check = f"gsmflow data check {shlex.quote(other.name)} --data-root {shlex.quote(str(folder))}"
        advice.found[other.name] = f"a data set of its own, in the format {layout}: {check}"
    if not advice.todo:
        advice.attempt(lambda: own.read(folder))
    return advice


def advise_classes(advice: Advice, folder: Path) -> ClassTable | None:
    """The table of classes."""
    path = folder / CLASSES_FILE
    if not path.exists():
        return None  # told with the semantics
    names = names_to_fill_in(folder)
    if names:
        found = f"{path} names no class yet; to write the {len(names)} names found in {folder} ({list_some([*names])})"
        advice.todo.append(Todo(f"{found} into it:", f"gsmflow data init {shlex.quote(str(folder))}"))
        return None
    table = advice.attempt(lambda: read_class_table(path))
    if table is None:
        return None
    kinds = [f"{count} {what}" for what, count in described(table) if count]
    notes = [f"notes: {', '.join(table.notes)}"] if table.notes else []
    advice.found[CLASSES_FILE] = "; ".join([f"{len(table.names)} classes", *kinds, *notes])
    without = [name for name, texts in zip(table.names, table.descriptions, strict=True) if not texts]
    if table.attributes is None and 0 < len(without) < len(table.names):
        advice.todo.append(
            Todo(f"{path}: {len(without)} classes have no description: {list_some(without)}; write one for each.")
        )
    return table


def described(table: ClassTable) -> list[tuple[str, int]]:
    """How many classes have a description, and how many attributes there are."""
    several = sum(len(texts) > 1 for texts in table.descriptions)
    return [
        ("with a description", sum(map(bool, table.descriptions))),
        ("with several", several),
        ("attributes", len(table.attribute_names)),
    ]


def advise_pictures(
    advice: Advice, folder: Path, record: FolderRecord, table: ClassTable | None, pictures: tuple[str, ...]
) -> None:
    """The pictures that features are to be made of: each lies in the folder of a known class."""
    if not pictures:
        return
    root = Path(images_of(folder, record))
    counts = Counter(map(class_of, pictures))
    loose = counts.pop("", 0)
    advice.found[IMAGES] = f"{sum(counts.values()):,} pictures of {len(counts)} classes"
    if loose:
        first = next(file for file in pictures if not class_of(file))
        advice.todo.append(
            Todo(
                f"{root}: {loose} pictures lie in no folder of a class, the first is {first!r}; move each into the "
                "folder of its class, or name classes in a list (gsmflow extract --list)."
            )
        )
    if table:
        ids = ids_by_name(table.names)
        unknown = [name for name in counts if name not in ids]
        if unknown:
            several = sum(counts[name] for name in unknown)
            advice.todo.append(
                Todo(
                    f"{root}: {several} pictures lie in folders of classes that {CLASSES_FILE} does not name: "
                    f"{list_some(unknown)}; add a row for each, or rename the folders."
                )
            )


def advise_features(
    advice: Advice,
    folder: Path,
    record: FolderRecord,
    files: list[Path] | None,
    listed: Samples | None,
    labelled: bool,
) -> Samples | None:
    """The features, and whose they are."""
    if files == []:
        advice.todo.append(Todo.of(no_features(folder, record)))
    if not files:
        return None
    x = advice.attempt(lambda: read_features(files))
    if x is None:
        return None
    rows, dim = x.numbers.shape
    name = files[0].name if files[0].parent == folder else f"{SHARDS}/"
    advice.found[name] = f"{rows:,} rows of {dim} numbers"
    if labelled and listed is None:
        return None
    return joined(advice, x, files[0], listed)


def joined(advice: Advice, x: NumberTable, path: Path, listed: Samples | None) -> Samples | None:
    """The samples, where they fit the features."""
    both = advice.attempt(lambda: own.join(x, path, listed))
    if both is None:
        return None
    advice.found[both[1].where.name if listed else f"{path.name} "] = f"{both[1].labels.size:,} labels"
    return both[1]


def advise_semantics(advice: Advice, folder: Path, record: FolderRecord, table: ClassTable | None) -> None:
    """What is known of the classes."""
    if table is None and (folder / CLASSES_FILE).exists():
        return  # it is damaged, which was told
    means = advice.attempt(lambda: semantics_of(folder, record, table))
    if means is not None:
        advice.found["semantics"] = f"{means.name}, {means.matrix.shape[1]} dimensions"


def advise_splits(advice: Advice, folder: Path, samples: Samples | None, pictures: tuple[str, ...]) -> None:
    """The splits, of samples where they are known, else of the pictures that will be."""
    path = folder / SPLITS_FILE
    if not path.exists():
        return
    if samples is not None:
        files, count, where = samples.files, samples.labels.size, samples.where.name
    elif pictures:
        files, count, where = pictures, len(pictures), IMAGES
    else:
        return
    splits = advice.attempt(lambda: read_splits(path, files, count, where=where))
    if splits is not None:
        advice.found[SPLITS_FILE] = ", ".join(f"{name} {len(splits[name]):,}" for name in SPLITS)


def outlook(data: ZeroShotDataset) -> Iterator[tuple[str, str]]:
    """What there is beside the arrays of a complete data set, and what will be done with it, in words."""
    yield "samples a class", samples_a_class(data)
    yield from pictures_of(data)
    yield from table_of(data)
    p = data.provenance
    for what, encoder in (("encoder", p.encoder), ("text encoder", p.text_encoder)):
        if encoder:
            yield what, str(encoder)
    seen = len(data.seen)
    yield (
        "validation",
        (
            f"on pseudo-unseen classes, taken out of the {seen} seen ones in turn"
            if seen >= 3
            else f"impossible: it needs 3 seen classes at least, and there are {seen}"
        ),
    )
    yield (
        "test of seen classes",
        (
            f"S, on {len(data.test_seen):,} samples{' held out of trainval' if p.holdout else ''}"
            if len(data.test_seen)
            else "none: no test samples"
        ),
    )
    yield "test of unseen classes", tested_unseen(data)


def tested_unseen(data: ZeroShotDataset) -> str:
    """What will be known of unseen classes."""
    if not len(data.unseen):
        return "none: every class has training samples"
    if len(data.test_unseen):
        return f"T1 and U, on {len(data.test_unseen):,} samples"
    if len(data.seen) < 3:
        return "none: no test samples, and no estimate either without validation"
    return "none: no test samples; training reports an ESTIMATE, from the pseudo-unseen classes"


def samples_a_class(data: ZeroShotDataset, most: int = 12) -> str:
    """How many samples each class has; the fewest and the most where there are many classes."""
    counts = np.bincount(data.labels, minlength=data.num_classes)
    there = [k for k in np.argsort(counts, kind="stable").tolist() if counts[k]]
    if len(there) <= most:
        return ", ".join(f"{data.class_names[k]}: {counts[k]}" for k in sorted(there))
    first, last = ([f"{data.class_names[k]}: {counts[k]}" for k in part] for part in (there[:4], there[-2:]))
    none = data.num_classes - len(there)
    return f"{', '.join(first)}, …, {', '.join(last)}" + (f"; {none} classes have none" if none else "")


def pictures_of(data: ZeroShotDataset) -> Iterator[tuple[str, str]]:
    """The pictures that samples are named after, and those that are no samples."""
    root = data.provenance.images
    if not root or not data.sample_names:
        return
    if not os.path.isdir(root):
        yield "pictures", f"{root} is not there; they are needed for the report alone"
        return
    missing = [name for name in data.sample_names if not os.path.exists(os.path.join(root, name))]
    text = f"{len(data.sample_names) - len(missing):,} in {root}"
    if missing:
        text += f"; {len(missing):,} are not there, the first is {missing[0]}"
    yield "pictures", text
    new = set(picture_files(Path(root))) - set(data.sample_names)
    if new:
        yield "no samples", f"{len(new):,} other pictures there, such as {min(new)}"


def table_of(data: ZeroShotDataset) -> Iterator[tuple[str, str]]:
    """What ``classes.csv`` says beside semantics."""
    path = Path(data.provenance.folder) / CLASSES_FILE
    if data.provenance.layout != "folder" or not path.exists():
        return
    table = read_class_table(path)
    without = [name for name, texts in zip(table.names, table.descriptions, strict=True) if not texts]
    if len(without) < len(table.names):
        text = f"{len(table.names) - len(without)} of {len(table.names)} classes"
        yield "descriptions", f"{text}; none of {list_some(without)}" if without else text
    if table.attribute_names:
        yield "attributes", list_some(list(table.attribute_names), 8)
    if table.notes:
        yield "columns of texts", list_some(list(table.notes), 8)
