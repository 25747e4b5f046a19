"""Labels and splits in whatever shape they come, as numbers counted from 0: pure functions over arrays.

What can mean one thing only is taken, with a note that says what was assumed; what can mean two is taken as the format
documents it; what can mean nothing is one sentence that names the mistake and counts as the file does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .vectors import is_number, texts, vector, whole

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = ["Labels", "Splits", "check_range", "columns_are_classes", "one_a_sample", "read_labels", "read_splits"]


@dataclass(frozen=True, eq=False)
class Labels:
    """The class of each sample.

    Attributes:
        ids: ``(N,)`` int64 class ids counted from 0, rows of the semantics.
        class_names: K names: those given, or those that the labels are written in, or none.
        counted_from: 1 or 0, where the labels count classes from.
        notes: what was assumed, a sentence each.
    """

    ids: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    counted_from: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Splits:
    """The samples of each split.

    Attributes:
        rows: int64 sample indices counted from 0, by the name of the split.
        counted_from: 1 or 0, where the splits count samples from.
        notes: what was assumed, a sentence each.
    """

    rows: dict[str, np.ndarray]
    counted_from: int
    notes: tuple[str, ...] = ()


def one_a_sample(values: Any, where: Any, class_names: Sequence[str] = (), *, counted_from: int = 0) -> np.ndarray:
    """A vector of labels: text where it is text, int64 where it is numbers, also whole floats and numbers in text.

    Args:
        values: ``(N,)``, ``(N, 1)`` or ``(1, N)``: numbers, text, bytes, or MATLAB cells of text.
        where: the file or folder, for messages.
        class_names: names of classes: numbers in text that are all among them stay text.
        counted_from: 1 or 0, where the format counts samples from, for messages.

    Raises:
        InputError: if they are of another shape or kind, or no whole numbers.

    Example:
        >>> one_a_sample([[2.0], [0.0]], "labels.npy"), one_a_sample(["fox", " ox"], "labels.npy")
        (array([2, 0]), array(['fox', 'ox'], dtype='<U3'))
    """
    flat, what = vector(values, f"{where}: labels"), f"{where}: labels"
    if flat.dtype.kind == "b":
        raise InputError(f"{what} are true and false; write the number or the name of a class for each sample.")
    if flat.dtype.kind not in "OSU":
        return whole(flat, what, counted_from)
    text = texts(flat, what)
    if all(map(is_number, text)) and not set(text.tolist()) <= set(class_names):
        return whole(text.astype(np.float64), what, counted_from)
    return text


def read_labels(
    labels: np.ndarray, classes: int, class_names: Sequence[str] = (), *, counted_from: int, where: Any, names_in: str
) -> Labels:
    """Class ids counted from 0.

    Numbers are counted as the format documents it, unless they can only be counted the other way: from 1 to K where it
    counts from 0, or from 0 to K - 1 where it counts from 1. Text is matched with the names of classes; where there
    are none, and as many names in the labels as classes, classes are in the order of their sorted names.

    Args:
        labels: ``(N,)``, from `one_a_sample`.
        classes: K, the rows of the semantics.
        class_names: K names of classes in the order of the semantics, or none.
        counted_from: 1 or 0, as the format documents it.
        where: the file or folder of the labels, for messages.
        names_in: what holds names of classes, for messages, such as ``class_names.txt``.

    Raises:
        InputError: if a label is out of range or names no class, or it cannot be told which class it names.

    Example:
        >>> found = read_labels(np.array([1, 3, 2]), 3, counted_from=0, where="TWIN", names_in="class_names.txt")
        >>> found.ids, found.notes
        (array([0, 2, 1]), ('labels run from 1 to 3 for 3 classes: they count classes from 1',))
    """
    names = tuple(class_names)
    if labels.dtype.kind == "U":
        return match_names(labels, classes, names, where, names_in)
    least, most = (int(labels.min()), int(labels.max())) if len(labels) else (counted_from, counted_from)
    if classes and (least, most) == (0, classes):
        raise InputError(
            f"{where}: labels hold 0 and {classes} for {classes} classes of semantics: counted from 0 the last class "
            f"is {classes - 1}, counted from 1 there is no class 0; correct the labels, or add a row of semantics."
        )
    if 1 < least <= most == classes and not counted_from:
        raise InputError(
            f"{where}: labels run from {least} to {most} for {classes} classes of semantics: if they count from 1, "
            f"subtract 1, since this layout counts from 0; else label {most} has no row of semantics."
        )
    base, notes = base_of(least, most, classes, counted_from), ()
    if base != counted_from:
        notes = (f"labels run from {least} to {most} for {classes} classes: they count classes from {base}",)
    elif base == 0 and 0 < least <= most < classes:
        notes = (f"labels run from {least} to {most} for {classes} classes: taken as counted from 0",)
    check_range(labels - base, classes, labels_from=base, samples_from=counted_from, where=where)
    return Labels(labels - base, names, base, notes)


def match_names(labels: np.ndarray, classes: int, names: tuple[str, ...], where: Any, names_in: str) -> Labels:
    """Ids of the classes that labels name."""
    found, places = np.unique(labels, return_inverse=True)
    notes: tuple[str, ...] = ()
    if not names:
        if len(found) != classes:
            raise InputError(
                f"{where}: labels name {len(found)} classes, there are {classes} rows of semantics, and {names_in}, "
                "which would say whose they are, is missing; write it, in the order of the rows."
            )
        names = tuple(found.tolist())
        notes = (f"labels are names and {names_in} is missing: semantics are taken to be in the order of sorted names",)
    ids = {name: k for k, name in enumerate(names)}
    unknown = [name for name in found.tolist() if name not in ids]
    if unknown:
        near = get_close_matches(unknown[0], names, 1)
        raise InputError(
            f"{where}: labels name {len(unknown)} classes that are not in {names_in}, the first is {unknown[0]!r}"
            f"{f' (is it {near[0]!r}?)' if near else ''}; write them alike."
        )
    return Labels(np.array([ids[name] for name in found.tolist()], np.int64)[places], names, 0, notes)


def check_range(
    ids: np.ndarray,
    classes: int,
    *,
    labels_from: int,
    samples_from: int,
    where: Any,
    sample_names: Sequence[str] = (),
) -> None:
    """Raise `InputError` if ids, counted from 0, are no rows of the semantics; the sentence counts as the files do."""
    wrong = np.flatnonzero((ids < 0) | (ids >= classes))
    if not len(wrong):
        return
    first = wrong[0]
    alike = labels_from == samples_from
    counted = "both" if alike else f"classes counted from {labels_from}, samples"
    named = f"; {sample_names[first]}" if sample_names else ""
    raise InputError(
        f"{where}: {len(wrong)} labels are out of range for {classes} classes of semantics, the first is label "
        f"{ids[first] + labels_from} of sample {first + samples_from} ({counted} counted from "
        f"{samples_from}{named}); check that labels and "
        "semantics belong together."
    )


def columns_are_classes(table: np.ndarray, labels: np.ndarray, class_names: Sequence[str] = ()) -> bool:
    """Whether the columns of a table of semantics are the classes, where the rows ought to be.

    So it is if the rows cannot be the classes, and the columns are as many as there are classes.

    Args:
        table: ``(K, S)``, or ``(S, K)``.
        labels: ``(N,)``, from `one_a_sample`; they count the classes where there are no names.
        class_names: K names of classes, or none.

    Example:
        >>> labels = np.array([0, 1, 2])
        >>> [columns_are_classes(np.ones(shape), labels) for shape in ((3, 2), (2, 3), (2, 9))]
        [False, True, False]
    """
    rows, columns = table.shape
    if class_names or not len(labels) or labels.dtype.kind == "U":
        classes = len(class_names) or len(np.unique(labels))
        return rows != classes == columns
    most, from_0 = int(labels.max()), int(labels.min()) == 0
    return rows < most + from_0 <= columns <= most + 1


def read_splits(splits: Mapping[str, Any], samples: int, *, counted_from: int, labels_from: int, where: Any) -> Splits:
    """Sample indices counted from 0, out of lists of indices and masks.

    A vector of 0 and 1, one a sample, is a mask if it cannot be a list of indices, since some are repeated. All lists
    count alike: as the format documents it, unless they fill the range of the other way, and labels count that way too
    or every sample is named.

    Args:
        splits: by name: indices or a mask, of shape ``(n,)``, ``(n, 1)`` or ``(1, n)``, of any type of whole numbers.
        samples: N.
        counted_from: 1 or 0, as the format documents it.
        labels_from: 1 or 0, as the labels count.
        where: the file or folder, for messages.

    Raises:
        InputError: if a split is no list of whole numbers, or a mask of another number of samples. Whether the indices
            are in range is for `gsmflow.data.checks`.

    Example:
        >>> found = read_splits({"trainval": [1, 0, 1], "test_seen": [1]}, 3, counted_from=0, labels_from=0, where="M")
        >>> found.rows["trainval"], found.rows["test_seen"], found.notes
        (array([0, 2]), array([1]), ('trainval is a mask of all samples',))
    """
    masks: dict[str, np.ndarray] = {}
    lists: dict[str, np.ndarray] = {}
    for name, split in splits.items():
        what = f"{where}: entries of {name}"
        flat = vector(split, what)
        if flat.dtype.kind in "OSU":
            raise InputError(f"{what} are text; list the numbers of its samples, or write a mask.")
        numbers = whole(flat, what, counted_from)
        if is_mask(flat, numbers, samples, f"{where}: {name}"):
            masks[name] = np.flatnonzero(numbers)
        else:
            lists[name] = numbers
    given = np.concatenate([np.zeros(0, np.int64), *lists.values()])
    least, most = (int(given.min()), int(given.max())) if len(given) else (counted_from, counted_from)
    base = base_of(least, most, samples, counted_from)
    if base != labels_from and len(np.unique(given)) < samples:
        base = counted_from  # one wrong index must not shift all others
    notes = [f"{name} is a mask of all samples" for name in masks]
    if base != counted_from:
        notes.append(f"splits run from {least} to {most} for {samples} samples: they count samples from {base}")
    rows = masks | {name: numbers - base for name, numbers in lists.items()}
    return Splits({name: rows[name] for name in splits}, base, tuple(notes))


def is_mask(given: np.ndarray, numbers: np.ndarray, samples: int, what: str) -> bool:
    """Whether a split is a mask of all samples, and no list of some."""
    if given.dtype.kind == "b":
        if len(given) != samples:
            raise InputError(f"{what} is a mask of {len(given)} entries for {samples} samples; they must agree.")
        return True
    values, counts = np.unique(numbers, return_counts=True)
    if not len(values) or counts.max() == 1 or not np.isin(values, (0, 1)).all():
        return False
    if len(values) == 2 and len(numbers) != samples:
        raise InputError(
            f"{what} holds nothing but 0 and 1, {len(numbers)} of them for {samples} samples; a mask has one a sample, "
            "a list names each of its samples once."
        )
    return len(numbers) == samples


def base_of(least: int, most: int, count: int, documented: int) -> int:
    """Where numbers count from: as documented, unless they fill exactly the range of the other way."""
    other = 1 - documented
    return other if (least, most) == (other, other + count - 1) else documented
