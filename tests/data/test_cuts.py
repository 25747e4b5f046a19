"""Small sets cut out of large ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsmflow.data import cut, load_folder, synthetic
from gsmflow.errors import DataWarning, InputError
from tests.data.test_class_splits import uneven

pytestmark = pytest.mark.filterwarnings(f"ignore::{DataWarning.__module__}.{DataWarning.__name__}")


@given(classes=st.integers(3, 20), samples=st.integers(2, 50), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_what_a_cut_is(classes, samples, seed):
    data = synthetic()  # 15 seen classes and 5 unseen ones of 40 samples each
    found = cut(data, classes, samples, seed=seed)
    assert found.num_classes == classes
    assert len(found.unseen) == max(1, round(classes / 4)) == len(np.unique(found.labels[found.test_unseen]))
    assert (np.bincount(found.labels) == min(samples, 40)).all()
    for k in found.seen:
        tested = np.sum(found.labels[found.test_seen] == k)
        assert tested == max(1, round(0.2 * min(samples, 40)))
    for split in ("trainval", "test_seen", "test_unseen"):  # samples, classes and semantics are those of the whole
        rows = getattr(found, split)
        for x, k in zip(found.features[rows], found.labels[rows], strict=True):
            (row,) = np.flatnonzero((data.features == x).all(1))
            assert row in getattr(data, split)
            assert data.class_names[data.labels[row]] == found.class_names[k]
            np.testing.assert_array_equal(data.semantics[data.labels[row]], found.semantics[k])


def test_a_class_with_fewer_samples_keeps_what_it_has():
    found = cut(uneven(), samples=4)
    assert found.num_classes == 6
    assert np.bincount(found.labels).tolist() == [4, 4, 4, 2, 4, 1]


def test_the_same_seed_cuts_the_same():
    assert cut(synthetic(), 8, 5).fingerprint() == cut(synthetic(), 8, 5).fingerprint()
    assert cut(synthetic(), 8, 5).fingerprint() != cut(synthetic(), 8, 5, seed=1).fingerprint()


def test_without_tests_a_cut_has_none():
    nothing = np.zeros(0, np.int64)
    found = cut(replace(synthetic(), test_seen=nothing, test_unseen=nothing), 4, 1)
    assert (len(found.seen), len(found.unseen), len(found.features)) == (4, 0, 4)


def test_it_says_what_it_is():
    assert (
        cut(synthetic(), 8, 5).provenance.notes[-1].startswith("cut out of synthetic (fingerprint 9577a46f75c2b0c4): 8")
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [((2,), "classes= must lie between 3 and 20"), ((21,), "found 21"), ((5, 1), "samples= must be at least 2")],
)
def test_what_is_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        cut(synthetic(), *arguments)


def test_convert_cuts(gsmflow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("--to", "numpy", "--classes", 8, "--samples", 5)
    result = gsmflow("data", "convert", "synthetic", "small", *options)
    assert result.code == 0, result.err
    assert "cut out of synthetic" in result.out
    assert load_folder("small").fingerprint() == cut(synthetic(), 8, 5).fingerprint()
    refused = gsmflow("data", "convert", "synthetic", "none", "--to", "numpy", "--classes", 1)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--classes must lie between 3 and 20" in refused.err
    assert "--seed has no effect" in gsmflow("data", "convert", "synthetic", "none", "--to", "numpy", "--seed", 1).err
