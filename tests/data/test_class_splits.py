"""Unseen classes drawn anew."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsmflow.data import DataSource, ZeroShotDataset, digits, redrawn, synthetic
from gsmflow.errors import DataWarning, InputError

pytestmark = pytest.mark.filterwarnings(f"ignore::{DataWarning.__module__}.{DataWarning.__name__}")


def uneven(share: float = 0.25) -> ZeroShotDataset:
    """Six classes of 1 to 12 samples, two of them unseen, one class without any, and two samples in no split."""
    counts = (12, 8, 4, 2, 9, 1)
    labels = np.repeat(np.arange(6), counts)
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(labels == k) for k in range(6)]
    tested = np.concatenate([own[: round(share * len(own))] for own in rows[:4]])
    trained = np.setdiff1d(np.concatenate(rows[:4]), tested)[2:]
    unseen = np.concatenate(rows[4:])
    x, semantics = rng.normal(size=(len(labels), 4)), rng.normal(size=(7, 3))
    return ZeroShotDataset("uneven", x, labels, semantics, (), trained, tested, unseen)


def test_number_0_is_the_official_one():
    data = synthetic()
    assert redrawn(data, 0) is data


@given(number=st.integers(1, 14))
@settings(deadline=None)
def test_what_a_class_split_is(number):
    data = uneven()
    found = redrawn(data, number)
    assert len(np.unique(found.labels[found.test_unseen])) == 2
    assert set(found.unseen) == {6, *found.labels[found.test_unseen]}  # the class without samples stays unseen
    stays = np.setdiff1d(data.seen, found.unseen)
    for split in ("trainval", "test_seen"):
        before, now = getattr(data, split), getattr(found, split)
        np.testing.assert_array_equal(
            before[np.isin(data.labels[before], stays)], now[np.isin(data.labels[now], stays)]
        )
    used = np.concatenate([data.trainval, data.test_seen, data.test_unseen])
    now = np.concatenate([found.trainval, found.test_seen, found.test_unseen])
    np.testing.assert_array_equal(np.sort(used), np.sort(now))
    for k in np.intersect1d(found.seen, data.unseen):
        tested, trained = (np.sum(found.labels[rows] == k) for rows in (found.test_seen, found.trainval))
        assert (tested, trained) == {4: (2, 7), 5: (0, 1)}[k]
    np.testing.assert_array_equal(data.features, found.features)


def test_each_number_is_another_choice_the_same_each_time():
    data = digits()
    choices = [tuple(redrawn(data, number).unseen) for number in range(20)]
    assert len(set(choices)) == 20
    assert choices == [tuple(redrawn(digits(), number).unseen) for number in range(20)]
    assert len({redrawn(data, number).fingerprint() for number in range(5)}) == 5


def test_all_choices_are_found_and_no_more():
    data, most = uneven(), math.comb(6, 2) - 1
    assert len({tuple(redrawn(data, number).unseen) for number in range(most + 1)}) == most + 1
    with pytest.raises(InputError, match=rf"uneven has {most} class splits beside the official one \(2 unseen"):
        redrawn(data, most + 1)


def test_where_nothing_is_tested_of_seen_classes_nothing_is_later():
    data = uneven()
    untested = replace(data, test_seen=np.zeros(0, np.int64))
    assert not len(redrawn(untested, 3).test_seen)


def test_a_run_finds_the_class_split_again():
    found = redrawn(synthetic(), 2)
    source = DataSource.of(found)
    assert source.class_split == found.provenance.class_split == 2
    assert source.load().fingerprint() == found.fingerprint() != synthetic().fingerprint()
    assert "class split 2: 5 unseen classes drawn anew" in source.load().provenance.notes[-1]
    with pytest.raises(InputError, match="holds other data than those recorded"):
        replace(source, class_split=3).load()


def test_what_is_refused():
    with pytest.raises(InputError, match="counted from 0"):
        redrawn(synthetic(), -1)
    with pytest.raises(InputError, match="were drawn anew already"):
        redrawn(redrawn(synthetic(), 1), 2)
    with pytest.raises(InputError, match="no test samples of unseen classes"):
        redrawn(replace(uneven(), test_unseen=np.zeros(0, np.int64)), 1)
