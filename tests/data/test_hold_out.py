"""A part of the seen samples as test_seen, where there is none."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from gsmflow import load
from gsmflow.data import DataSource, ZeroShotDataset, hold_out, synthetic
from gsmflow.data.formats import numpy_files
from gsmflow.errors import DataWarning, InputError

pytestmark = pytest.mark.filterwarnings(f"ignore::{DataWarning.__module__}.{DataWarning.__name__}")


def untested(counts: tuple[int, ...] = (1, 2, 3, 10)) -> ZeroShotDataset:
    """Seen classes of so many samples, and one unseen class; no test."""
    labels = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(len(counts) + 1, 3))
    return ZeroShotDataset("untested", rng.normal(size=(len(labels), 4)), labels, semantics, (), np.arange(len(labels)))


@pytest.fixture
def folder(tmp_path):
    numpy_files.write(untested(), tmp_path / "mine")
    return tmp_path


def test_at_least_one_of_each_class_of_three_or_more_and_never_all():
    found = hold_out(untested(), 0.2)
    assert np.bincount(found.labels[found.test_seen], minlength=4).tolist() == [0, 0, 1, 2]
    assert np.bincount(found.labels[found.trainval], minlength=4).tolist() == [1, 2, 2, 8]
    assert not np.intersect1d(found.trainval, found.test_seen).size
    assert np.bincount(hold_out(untested(), 0.99).labels[hold_out(untested(), 0.99).trainval]).tolist() == [1, 2, 1, 1]
    assert "3 samples held out" in found.provenance.notes[-1]


def test_it_is_the_same_part_each_time():
    np.testing.assert_array_equal(hold_out(untested(), 0.3).test_seen, hold_out(untested(), 0.3).test_seen)


def test_where_no_class_has_three_samples_nothing_is_held_out():
    data = untested((1, 2, 2))
    assert hold_out(data, 0.2) is data


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="between 0 and 1"):
        hold_out(untested(), share)


def test_a_data_set_with_test_seen_is_refused():
    with pytest.raises(InputError, match="drop holdout="):
        hold_out(synthetic(), 0.2)


def test_a_run_finds_the_same_part_again(folder):
    data = load("mine", root=folder, holdout=0.2)
    assert len(data.test_seen) == 3
    source = DataSource.of(data)
    assert source.holdout == 0.2
    assert source.load().fingerprint() == data.fingerprint()
    assert not len(replace(source, holdout=0.0, fingerprint="").load().test_seen)


def test_warnings_are_of_what_is_left(folder):
    def told(**options) -> str:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            load("mine", root=folder, **options)
        return "; ".join(str(one.message) for one in found)

    assert "no test samples of seen classes" in told()
    assert "no test samples of seen classes" not in told(holdout=0.2)
    assert "no test samples of unseen classes" in told(holdout=0.2)


def test_where_the_files_have_a_test_seen_the_library_leaves_it(tmp_path):
    numpy_files.write(synthetic(), tmp_path / "whole")
    assert load("whole", root=tmp_path, holdout=0.2).fingerprint() == synthetic().fingerprint()
