"""The data object: read-only, honest about its halves, and with a fingerprint that changes when anything changes."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from itertools import combinations

import numpy as np
import pytest

from gsmflow.data import Provenance, ZeroShotDataset, load, pseudo_unseen, rows
from gsmflow.data.checks import duplicates
from gsmflow.data.rows import Rows
from gsmflow.data.summary import summarize
from gsmflow.errors import DataWarning, InputError
from tests.data.twins import make_truth

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")

ARRAYS = ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen")


def make(**changed) -> ZeroShotDataset:
    truth = vars(make_truth()) | {"name": "TWIN", "provenance": Provenance("synthetic", "f", "s")} | changed
    return ZeroShotDataset(**truth)


def test_properties():
    data = make()
    assert (data.dim, data.semantic_dim, data.num_classes) == (7, 3, 6)
    assert (data.seen.tolist(), data.unseen.tolist()) == ([0, 2, 3, 5], [1, 4])
    assert repr(data) == (
        "ZeroShotDataset(TWIN: 33 x 7 f, 6 x 3 s, classes 4 seen / 2 unseen, "
        "trainval 12 / test_seen 8 / test_unseen 10)"
    )


def test_nothing_can_be_changed():
    data = make()
    with pytest.raises(FrozenInstanceError):
        data.name = "other"  # type: ignore[misc]
    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, name)[0] = 0


def test_features_are_a_view_and_the_callers_array_stays_writable():
    features = make_truth().features
    data = make(features=features)
    assert np.shares_memory(data.features, features)
    assert features.flags.writeable


def test_other_number_types_are_converted():
    truth = make_truth()
    data = make(
        features=np.asfortranarray(truth.features, dtype=np.float64),
        labels=truth.labels.astype(np.uint8),
        trainval=truth.trainval.astype(np.int32),
    )
    assert data.fingerprint() == make().fingerprint()
    assert data.features.flags.c_contiguous


def test_the_halves():
    data = make()
    training, tests = data.training(), data.tests()
    np.testing.assert_array_equal(training.features, data.features[data.trainval])
    np.testing.assert_array_equal(training.labels, data.labels[data.trainval])
    np.testing.assert_array_equal(tests.seen_features, data.features[data.test_seen])
    np.testing.assert_array_equal(tests.unseen_labels, data.labels[data.test_unseen])
    assert (training.dim, training.semantic_dim) == (7, 3)


def test_no_test_sample_can_be_reached_from_training():
    data = make()
    training = data.training()
    assert {field.name for field in fields(training)} == {
        *("features", "labels", "semantics", "seen", "unseen", "class_names", "semantic_names"),
        *("semantic_parts", "one_space"),
    }
    for name in ("features", "labels"):
        assert not np.shares_memory(getattr(training, name), getattr(data, name))


@pytest.mark.parametrize("name", ARRAYS)
def test_fingerprint_changes_with_any_array(name):
    array = getattr(make_truth(), name)
    if name in ("features", "semantics"):
        array[-1, -1] += 0.25
    elif name == "labels":
        unseen = np.flatnonzero(array == 1)
        array[unseen[0]] = 4
    else:
        array = array[:-1]
    assert make(**{name: array}).fingerprint() != make().fingerprint()


def test_fingerprint_does_not_change_with_names_or_versions():
    """The second half pins it: run folders keep fingerprints for years."""
    assert make(name="other").fingerprint() == make().fingerprint()
    with pytest.warns(DataWarning, match="single training sample"):
        data = pinned()
    assert data.fingerprint() == "6c6ee2f74d5e80172cd8678c9bf3b306d00d0f5d635e2cab283f7cb8741c467d"


def pinned() -> ZeroShotDataset:
    return ZeroShotDataset(
        name="pinned",
        features=np.arange(8, dtype=np.float32).reshape(4, 2),
        labels=np.array([0, 0, 1, 1]),
        semantics=np.array([[0, 1], [1, 0]], dtype=np.float32),
        class_names=("a", "b"),
        trainval=np.array([0]),
        test_seen=np.array([1]),
        test_unseen=np.array([2, 3]),
        provenance=Provenance("synthetic", "f", "s"),
    )


@pytest.mark.parametrize("chunk", [1, 100, 2**24])
def test_fingerprint_of_rows_is_that_of_the_same_array(monkeypatch, chunk):
    monkeypatch.setattr(rows, "CHUNK_BYTES", chunk)
    features = make_truth().features
    data = make(features=Rows(features[::-1].astype(np.float64), np.arange(len(features))[::-1]))
    assert data.fingerprint() == make().fingerprint()
    assert summarize(data) == summarize(make())


def test_fingerprint_of_rows_that_were_taken(monkeypatch):
    expected = pseudo_unseen(make().training(), ratio=0.3).fingerprint()
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)
    cut = pseudo_unseen(make().training(), ratio=0.3)
    assert isinstance(cut.features, Rows)
    assert cut.fingerprint() == expected


def test_fingerprint_is_computed_once(monkeypatch):
    data = make()
    expected = data.fingerprint()
    monkeypatch.setattr("gsmflow.data.dataset.chunks", None)
    assert data.fingerprint() == expected


BAD = {
    "features of one axis": ({"features": np.ones(33)}, r"must be a 2-dimensional float array; found shape \(33,\)"),
    "labels as floats": ({"labels": np.ones(33)}, "labels must be a 1-dimensional integer array"),
    "labels too few": ({"labels": np.ones(32, int)}, "33 rows of features but 32 labels"),
    "names too few": ({"class_names": ("a", "b")}, "semantics of 6 classes but 2 class names"),
    "semantics without columns": ({"semantics": np.ones((6, 0))}, r"semantics are empty, of shape \(6, 0\)"),
    "splits as booleans in a table": ({"trainval": np.ones((2, 2), int)}, "trainval must be a list of sample indices"),
    "a mask of another length": (
        {"trainval": np.ones(32, bool)},
        r"trainval is a mask of shape \(32,\) for 33 ",
    ),
    "rows of different length": ({"semantics": [[1, 2], [1]]}, "semantics are no array of numbers: "),
    "features of no axis": ({"features": 1.0}, r"features must be a 2-dimensional float array; found shape \(\)"),
    "trainval empty": ({"trainval": ()}, "the split trainval is empty; there is nothing to learn from"),
    "names of semantics too few": ({"semantic_names": ("a", "b")}, "semantics of 3 dimensions but 2 semantic names"),
    "a name twice": ({"class_names": [*"abcde", "a"]}, "1 class names stand for more than one class: a; predictions"),
    "splits as floats": ({"test_seen": np.ones(3)}, "test_seen must be a list of sample indices; found float64"),
}


@pytest.mark.parametrize(("changed", "sentence"), BAD.values(), ids=BAD)
def test_bad_arrays(changed, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        make(**changed)
    assert str(error.value).startswith("TWIN: ")
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("name", ARRAYS)
def test_masked_arrays_are_refused(name):
    """`numpy.asarray` would drop the mask, and take for data what stands under it."""
    array = np.ma.masked_array(getattr(make_truth(), name))
    with pytest.raises(InputError, match=rf"^TWIN: {name} are a masked array; fill what is masked, or drop its samp"):
        make(**{name: array})


@pytest.mark.parametrize(("base", "label"), [(0, 6), (1, 7)])
def test_a_label_out_of_range_is_told_in_the_counting_of_the_file(base, label):
    labels = make_truth().labels
    labels[4] = 6
    sentence = rf"the first is label {label} of sample {4 + base} \(both counted from {base}\)"
    with pytest.raises(InputError, match=sentence):
        make(labels=labels, provenance=Provenance(counted_from=base))


def test_warnings():
    truth = make_truth()
    semantics = truth.semantics.copy()
    semantics[3] = semantics[0]
    semantics[2, 0] = -1
    test_seen = truth.test_seen[truth.labels[truth.test_seen] != 5]
    assert make().warnings == ()
    with pytest.warns(DataWarning) as told:
        data = make(semantics=semantics, test_seen=test_seen)
    assert [str(warning.message) for warning in told] == [f"TWIN: {sentence}" for sentence in data.warnings]
    assert data.warnings == (
        "1 seen classes have no test sample: cow",
        "1 classes have the same semantics as another class: they cannot be told apart (zebra = bat)",
        "1 entries of the semantics are -1, which often means unknown",
    )


def test_a_class_with_one_training_sample_is_told():
    truth = make_truth()
    of_cow = truth.trainval[truth.labels[truth.trainval] == 5]
    with pytest.warns(DataWarning):
        data = make(trainval=np.setdiff1d(truth.trainval, of_cow[1:]))
    assert data.warnings == (
        "1 seen classes have a single training sample, of which validation can hold none back: cow; get more samples "
        "of them, or take them out",
    )


def test_arrays_alone_make_a_data_set():
    truth = make_truth()
    data = ZeroShotDataset(
        "TWIN",
        truth.features.tolist(),
        truth.labels.tolist(),
        truth.semantics.tolist(),
        trainval=np.isin(np.arange(33), truth.trainval).tolist(),
        test_seen=truth.test_seen.tolist(),
        test_unseen=np.isin(np.arange(33), truth.test_unseen),
    )
    assert data.fingerprint() == make().fingerprint()
    assert data.class_names == tuple(f"class {k}" for k in range(6))  # counted as the labels are
    assert data.provenance == Provenance("arrays", "features", "semantics", (), (), "", 0)


def test_a_problem_may_have_no_test():
    with pytest.warns(DataWarning):
        data = make(test_seen=[], test_unseen=())
    assert data.warnings == (
        "no test samples of unseen classes: T1, U and H cannot be measured",
        "no test samples of seen classes: S and H cannot be measured",
    )
    assert (data.unseen.tolist(), data.test_seen.dtype, len(data.tests().unseen_features)) == ([1, 4], np.int64, 0)
    assert summarize(data)["test_seen"] == "no samples"


def test_all_classes_may_be_seen():
    truth = make_truth()
    with pytest.warns(DataWarning):
        data = make(trainval=np.setdiff1d(np.arange(33), truth.test_seen), test_unseen=[])
    assert data.warnings[0] == "all classes have training samples, none is unseen: T1, U and H cannot be measured"
    assert (len(data.unseen), len(data.training().unseen)) == (0, 0)


def test_test_unseen_may_lack_classes():
    truth = make_truth()
    with pytest.warns(DataWarning):
        data = make(test_unseen=truth.test_unseen[truth.labels[truth.test_unseen] == 1])
    assert data.warnings == ("1 unseen classes have no test sample: yak",)
    assert data.unseen.tolist() == [1, 4]


def test_names_of_semantics_go_along_and_are_not_part_of_the_fingerprint():
    data = make(semantic_names=["furry", "striped", "small"])
    assert data.training().semantic_names == ("furry", "striped", "small")
    assert pseudo_unseen(data.training(), ratio=0).semantic_names == ("furry", "striped", "small")
    assert data.fingerprint() == make().fingerprint()


def test_pseudo_unseen_problems_warn_of_nothing():
    truth = make_truth()
    features = truth.features.copy()
    features[truth.trainval] = 1
    assert pseudo_unseen(make(features=features).training(), ratio=0.3).warnings == ()


def test_duplicates_against_a_plain_search():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 2, size=(300, 9)).astype(np.float32)  # collides often, also in the entries hashed first
    first, second = np.arange(100), np.arange(100, 300)
    expected = [j for j in second if any((features[i] == features[j]).all() for i in first)]
    assert 0 < len(expected) < 200
    assert duplicates(features, first, second).tolist() == expected


def test_rows_that_differ_in_one_entry_are_no_duplicates():
    features = np.zeros((2, 4096), np.float32)
    features[1, 1000] = 1e-30
    assert duplicates(features, np.array([0]), np.array([1])).tolist() == []


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_embedded_data_are_sound(name):
    data = load(name)
    assert data.warnings == ()
    assert data.fingerprint() == load(name).fingerprint()
    for one, other in combinations((data.trainval, data.test_seen, data.test_unseen), 2):
        assert not np.intersect1d(one, other).size


def test_digits():
    from gsmflow.data.digits import ATTRIBUTES, STROKES

    data = load("digits")
    assert data.class_names == tuple("0123456789")
    assert data.semantic_names == ATTRIBUTES
    assert data.unseen.tolist() == [3, 6]
    assert STROKES.shape == (10, len(ATTRIBUTES)) == (10, data.semantic_dim)
    assert len(np.unique(STROKES, axis=0)) == 10
    assert STROKES.min() >= 0
    assert STROKES.max() <= 1
    assert (data.features.min(), data.features.max()) == (0, 16)
    seen_tested, trained = (np.bincount(data.labels[rows]) for rows in (data.test_seen, data.trainval))
    share = (seen_tested / (seen_tested + np.resize(trained, len(seen_tested))).clip(1))[data.seen]
    np.testing.assert_allclose(share, 0.2, atol=0.01)


def test_synthetic_truth():
    from gsmflow.data.synthetic import synthetic, synthetic_means

    data = synthetic(samples=2000, dim=5, noise=0.5, seed=3)
    means = synthetic_means(data.semantics, 5, seed=3)
    for k in range(data.num_classes):
        rows = data.features[data.labels == k]
        np.testing.assert_allclose(rows.mean(0), means[k], atol=6 * 0.5 / np.sqrt(2000))
        np.testing.assert_allclose(rows.std(0), 0.5, rtol=0.1)
    assert data.unseen.tolist() == [15, 16, 17, 18, 19]
    assert synthetic(seed=4).fingerprint() != synthetic(seed=3).fingerprint()
    near = synthetic_means(data.semantics + 1e-4, 5, seed=3)
    assert np.abs(near - means).max() < 1e-2  # smooth


def test_summary():
    data = replace(make(), provenance=Provenance("xlsa17", "f", "s", ("f.mat",)))
    summary = summarize(data)
    assert summary["layout"] == "xlsa17 (f.mat)"
    assert summary["classes"] == "6: 4 seen, 2 unseen"
    assert summary["test_unseen"] == "10 samples of 2 classes, 5 / 5 / 5 a class (least / median / most)"
    assert summary["in no split"] == "3 samples"
    assert data.fingerprint().startswith(summary["fingerprint"])


def test_the_package_imports_no_heavy_library():
    code = "import sys, gsmflow.data; print([m for m in ('torch', 'scipy', 'sklearn', 'h5py') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
