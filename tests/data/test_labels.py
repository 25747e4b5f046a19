"""Labels and splits in whatever shape they come: what is taken, what is noted, what is refused."""

import numpy as np
import pytest

from gsmflow.data.labels import check_range, columns_are_classes, one_a_sample, read_labels, read_splits
from gsmflow.errors import InputError

NAMES = ("zebra", "ant", "mole")


def cells(*values) -> np.ndarray:
    """As scipy gives MATLAB cells."""
    column = np.empty((len(values), 1), dtype=object)
    for place, value in enumerate(values):
        column[place, 0] = np.array([value])
    return column


NUMBERS = {
    "a list": [2, 0, 1],
    "a column": [[2], [0], [1]],
    "a row": [[2, 0, 1]],
    "floats": [[2.0], [0.0], [1.0]],
    "bytes": np.array([2, 0, 1], np.uint8),
    "text": ["2", " 0", "1"],
    "text of floats": ["2.0", "0.0", "1.0"],
    "cells": cells(2, 0, 1),
    "cells of floats": cells(2.0, 0.0, 1.0),
}
TEXTS = {
    "text": ["mole", " zebra", "ant "],
    "a column": [["mole"], ["zebra"], ["ant"]],
    "bytes": np.array([b"mole", b"zebra", b"ant"]),
    "objects": np.array(["mole", "zebra", "ant"], dtype=object),
    "cells": cells("mole", "zebra", "ant"),
}


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_numbers(values):
    found = one_a_sample(values, "labels.npy", NAMES)
    assert (found.dtype, found.tolist()) == (np.int64, [2, 0, 1])


@pytest.mark.parametrize("values", TEXTS.values(), ids=TEXTS)
def test_texts(values):
    found = one_a_sample(values, "labels.npy")
    assert (found.dtype.kind, found.tolist()) == ("U", ["mole", "zebra", "ant"])
    labels = read(found, class_names=NAMES)
    assert (labels.ids.tolist(), labels.class_names, labels.notes) == ([2, 0, 1], NAMES, ())


def test_numbers_that_are_names_stay_names():
    names = ("10", "9", "8")
    assert read(one_a_sample(["8", "10", "9"], "x", names), class_names=names).ids.tolist() == [2, 0, 1]
    assert one_a_sample(["8", "10", "7"], "x", names).dtype == np.int64


def read(labels, classes=3, class_names=(), counted_from=0):
    labels = np.asarray(labels)
    return read_labels(labels, classes, class_names, counted_from=counted_from, where="M", names_in="class_names.txt")


COUNTED = {
    "as documented": ([0, 1, 2], 0, 0, ()),
    "as documented, the last without samples": ([0, 1, 0], 0, 0, ()),
    "from 1": ([1, 3, 1], 0, 1, ("labels run from 1 to 3 for 3 classes: they count classes from 1",)),
    "ambiguous": ([1, 2, 1], 0, 0, ("labels run from 1 to 2 for 3 classes: taken as counted from 0",)),
    "as MATLAB": ([1, 3, 1], 1, 1, ()),
    "as MATLAB, the first without samples": ([2, 3, 2], 1, 1, ()),
    "from 0 in MATLAB": ([0, 2, 1], 1, 0, ("labels run from 0 to 2 for 3 classes: they count classes from 0",)),
    "none": (np.zeros(0, int), 0, 0, ()),
}


@pytest.mark.parametrize(("given", "documented", "base", "notes"), COUNTED.values(), ids=COUNTED)
def test_where_labels_count_from(given, documented, base, notes):
    found = read(given, counted_from=documented)
    assert found.ids.tolist() == (np.asarray(given) - base).tolist()
    assert (found.counted_from, found.notes) == (base, notes)


def test_names_without_a_list_of_them_are_sorted_if_they_are_all():
    found = read(["mole", "zebra", "ant", "mole"])
    assert (found.ids.tolist(), found.class_names) == ([1, 2, 0, 1], ("ant", "mole", "zebra"))
    assert found.notes == (
        "labels are names and class_names.txt is missing: semantics are taken to be in the order of sorted names",
    )


BAD_LABELS = {
    "both ends": (
        [0, 3],
        {},
        "labels hold 0 and 3 for 3 classes of semantics: counted from 0 the last class is",
    ),
    "from 1, perhaps": (
        [2, 3],
        {},
        "labels run from 2 to 3 for 3 classes of semantics: if they count from 1, ",
    ),
    "beyond": (
        [0, 5, 1],
        {},
        "1 labels are out of range for 3 classes of semantics, the first is label 5 of sample",
    ),
    "beyond, in MATLAB": ([1, 5], {"counted_from": 1}, "is label 5 of sample 2 (both counted from 1); check"),
    "below": ([0, -1], {}, "the first is label -1 of sample 1 (both counted from 0)"),
    "0, in MATLAB": ([0, 1], {"counted_from": 1}, "the first is label 0 of sample 1 (both counted from 1)"),
    "unknown names": (
        ["zebra", "moles", "yak"],
        {"class_names": NAMES},
        "labels name 2 classes that are not in class_names.txt, the first is 'moles' (is it 'mole'?); write them alike",
    ),
    "an unknown name like none": (["yak"], {"class_names": NAMES}, "the first is 'yak'; write them alike."),
    "not all names": (
        ["zebra", "ant"],
        {},
        "labels name 2 classes, there are 3 rows of semantics, and class_name",
    ),
}


@pytest.mark.parametrize(("given", "options", "sentence"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_mean_no_class(given, options, sentence):
    with pytest.raises(InputError) as error:
        read(given, **options)
    assert str(error.value).startswith("M: ")
    assert sentence in str(error.value)


BAD_SHAPES = {
    "one-hot": (np.eye(3), "M: labels have shape (3, 3); these look like one-hot rows: write their argmax(1)."),
    "a table": (np.ones((3, 3)), "M: labels have shape (3, 3); write one entry a sample."),
    "three axes": (np.ones((3, 3, 1)), "M: labels have shape (3, 3, 1); write one entry a sample."),
    "fractions": (
        [0, 1.5, 2.5],
        "M: labels must be whole numbers; 2 of 3 are not, the first is 1.5 of sample 1 ",
    ),
    "NaN": ([0, np.nan], "1 of 2 are not, the first is nan of sample 1 (counted from 0)."),
    "infinite": ([np.inf], "the first is inf of sample 0"),
    "huge": ([1e300], "the first is 1e+300 of sample 0"),
    "huge, unsigned": (np.array([2**64 - 1], np.uint64), "the first is 1.84467e+19 of sample 0"),
    "fractions in text": (["0", "0.5"], "the first is 0.5 of sample 1"),
    "complex": ([1j], "M: labels must be whole numbers; found complex128."),
    "true and false": ([True, False], "M: labels are true and false; write the number or the name of a class for each"),
    "an empty name": (["ant", " "], "M: labels must hold a name or a number in each entry; found ' '."),
    "something else": (np.array([None], object), "M: labels must hold a name or a number in each entry; found None."),
    "masked": (np.ma.masked_array([1, 2], [0, 1]), "M: labels are a masked array; fill what is masked, or drop it."),
}


@pytest.mark.parametrize(("given", "sentence"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_what_is_no_label_a_sample(given, sentence):
    with pytest.raises(InputError) as error:
        one_a_sample(given, "M")
    assert sentence in str(error.value)


def test_labels_and_samples_may_be_counted_differently():
    with pytest.raises(InputError, match=r"label 4 of sample 1 \(classes counted from 1, samples counted from 0; b"):
        check_range(np.array([0, 3]), 3, labels_from=1, samples_from=0, where="M", sample_names=("a.png", "b.png"))


def split(given, samples=5, counted_from=0, labels_from=None, **others):
    labels_from = counted_from if labels_from is None else labels_from
    given = {"trainval": given, **others}
    return read_splits(given, samples, counted_from=counted_from, labels_from=labels_from, where="M")


MASK = ("trainval is a mask of all samples",)
SPLITS = {
    "indices": ([4, 1], 0, [4, 1], ()),
    "indices of MATLAB": ([[5.0], [1.0]], 1, [4, 0], ()),
    "a mask": ([True, False, True, False, False], 0, [0, 2], MASK),
    "a mask of MATLAB": (np.array([[1], [0], [1], [0], [0]], np.uint8), 1, [0, 2], MASK),
    "a mask of floats": ([[1.0, 0, 1, 0, 0]], 0, [0, 2], MASK),
    "a mask of all": ([1] * 5, 1, [0, 1, 2, 3, 4], MASK),
    "none": (np.zeros((0, 0)), 1, [], ()),
    "two indices": ([0, 1], 0, [0, 1], ()),
    "what repeats": ([1, 1], 1, [0, 0], ()),  # for the checks
}


@pytest.mark.parametrize(("given", "documented", "rows", "notes"), SPLITS.values(), ids=SPLITS)
def test_splits(given, documented, rows, notes):
    found = split(given, counted_from=documented)
    assert (found.rows["trainval"].tolist(), found.notes) == (rows, notes)
    assert found.counted_from == documented


def test_two_samples_and_two_numbers_are_indices():
    """A list of both samples, and no mask of the second."""
    assert split([0, 1], samples=2).rows["trainval"].tolist() == [0, 1]
    assert split([1, 1], samples=2).rows["trainval"].tolist() == [0, 1]


NOTE = ("splits run from 1 to 5 for 5 samples: they count samples from 1",)


def test_all_lists_count_alike():
    found = split([1, 2, 3], test_seen=[4, 5], test_unseen=[])
    assert {name: rows.tolist() for name, rows in found.rows.items()} == {
        "trainval": [0, 1, 2],
        "test_seen": [3, 4],
        "test_unseen": [],
    }
    assert (found.counted_from, found.notes) == (1, NOTE)
    assert split([0, 1, 2], counted_from=1, test_seen=[3, 4]).counted_from == 0


def test_one_wrong_index_does_not_shift_the_others():
    found = split([1, 2], test_seen=[5])
    assert (found.rows["test_seen"].tolist(), found.counted_from, found.notes) == ([5], 0, ())
    found = split([1, 2], test_seen=[5], labels_from=1)  # unless labels count that way as well
    assert (found.rows["test_seen"].tolist(), found.counted_from, found.notes) == ([4], 1, NOTE)


def test_masks_do_not_tell_where_lists_count_from():
    found = split([1, 1, 1, 0, 0], test_seen=[4, 5], labels_from=1)
    assert (found.rows["test_seen"].tolist(), found.counted_from) == ([4, 5], 0)


BAD_SPLITS = {
    "mask of others": ([True, False], "M: trainval is a mask of 2 entries for 5 samples; they must agree."),
    "0 and 1 of others": (
        [0, 1, 1, 0],
        "M: trainval holds nothing but 0 and 1, 4 of them for 5 samples; a mask has one a sample, a list names each",
    ),
    "fractions": ([0.5], "M: entries of trainval must be whole numbers; 1 of 1 are not, the first is 0.5"),
    "text": (["fox/1.png"], "M: entries of trainval are text; list the numbers of its samples, or write a mask."),
    "a table": (np.ones((2, 2)), "M: entries of trainval have shape (2, 2)"),
}


@pytest.mark.parametrize(("given", "sentence"), BAD_SPLITS.values(), ids=BAD_SPLITS)
def test_what_is_no_split(given, sentence):
    with pytest.raises(InputError) as error:
        split(given)
    assert sentence in str(error.value)


TABLES = {
    "rows are": ((3, 5), [0, 2], (), False),
    "columns are": ((2, 3), [0, 2], (), True),
    "columns are, counted from 1": ((2, 3), [1, 3], (), True),
    "either": ((3, 3), [0, 2], (), False),
    "neither": ((2, 2), [0, 2], (), False),
    "more columns than needed": ((2, 9), [0, 2], (), False),
    "named": ((5, 3), [0, 1], NAMES, True),
    "named rows": ((3, 5), [0, 4], NAMES, False),
    "labels name them": ((5, 3), ["a", "b", "c"], (), True),
    "no label": ((5, 3), [], (), False),
}


@pytest.mark.parametrize(("shape", "labels", "names", "expected"), TABLES.values(), ids=TABLES)
def test_which_way_round_semantics_are(shape, labels, names, expected):
    assert columns_are_classes(np.ones(shape), np.array(labels), names) is expected
