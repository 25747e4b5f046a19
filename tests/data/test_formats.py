"""Each file format, read back from a tiny twin: what comes out is what went in, in the order of the classes."""

import sys
import tracemalloc

import numpy as np
import pytest

from gsmflow.data import load, load_folder
from gsmflow.data.formats import packed, xlsa17
from gsmflow.errors import DataWarning, InputError
from tests.data.twins import SAVE, make_truth, save_v5, write_packed, write_xlsa17, xlsa17_keys

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")

every_version = pytest.mark.parametrize("version", SAVE)


def assert_same(data, truth):
    np.testing.assert_array_equal(data.features, truth.features)
    np.testing.assert_array_equal(data.labels, truth.labels)
    np.testing.assert_array_equal(data.semantics, truth.semantics)
    for split in ("trainval", "test_seen", "test_unseen"):
        np.testing.assert_array_equal(getattr(data, split), getattr(truth, split))


def assert_same_samples(data, truth):
    """As above, for a format that keeps neither the order of samples nor those in no split."""
    np.testing.assert_array_equal(data.semantics, truth.semantics)
    for split in ("trainval", "test_seen", "test_unseen"):
        ours, theirs = getattr(data, split), getattr(truth, split)
        np.testing.assert_array_equal(data.features[ours], truth.features[theirs])
        np.testing.assert_array_equal(data.labels[ours], truth.labels[theirs])


@every_version
def test_xlsa17_gives_back_what_went_in(tmp_path, version):
    truth = make_truth()
    data = xlsa17.read(write_xlsa17(tmp_path / "TWIN", truth, version))
    assert_same(data, truth)
    assert data.class_names == truth.class_names  # in the order of the file, which is not sorted
    assert (data.name, data.seen.tolist(), data.unseen.tolist()) == ("TWIN", [0, 2, 3, 5], [1, 4])
    assert (data.features.dtype, data.labels.dtype, data.semantics.dtype) == (np.float32, np.int64, np.float32)
    assert data.features.flags.c_contiguous
    assert data.provenance.files == ("res101.mat", "att_splits.mat")
    assert data.provenance.notes == ()


def test_v5_and_v73_are_the_same_problem(tmp_path):
    folders = [write_xlsa17(tmp_path / version, make_truth(), version) for version in SAVE]
    one, other = map(xlsa17.read, folders)
    assert one.fingerprint() == other.fingerprint()
    assert one.class_names == other.class_names


@every_version
def test_packed_gives_back_what_went_in(tmp_path, version):
    truth = make_truth()
    data = packed.read(write_packed(tmp_path, truth, version))
    assert_same_samples(data, truth)
    assert data.class_names == tuple(f"class {k}" for k in range(1, 7))
    assert data.provenance.layout == "packed"


def test_only_the_seven_standard_variables_are_needed(tmp_path):
    optional = dict.fromkeys(("original_att", "allclasses_names", "train_loc", "val_loc", "image_files"))
    data = xlsa17.read(write_xlsa17(tmp_path, make_truth(), **optional))
    assert data.class_names == tuple(f"class {k}" for k in range(1, 7))
    data = packed.read(write_packed(tmp_path, make_truth(), attribute=None))
    assert_same_samples(data, make_truth())


@every_version
@pytest.mark.parametrize("empty", [None, np.zeros((0, 0)), np.zeros((0, 1))], ids=["missing", "0x0", "0x1"])
@pytest.mark.parametrize("splits", [("test_seen",), ("test_unseen",), ("test_seen", "test_unseen")])
def test_xlsa17_without_tests(tmp_path, version, empty, splits):
    truth = make_truth()
    folder = write_xlsa17(tmp_path, truth, version, **{f"{split}_loc": empty for split in splits})
    with pytest.warns(DataWarning, match="cannot be measured"):
        data = xlsa17.read(folder)
    for split in splits:
        setattr(truth, split, np.zeros(0, int))
    assert_same(data, truth)


def test_a_cell_of_no_letters_is_an_empty_name(tmp_path):
    names = np.empty((6, 1), dtype=object)
    names[:, 0] = ("", *"bcdef")
    data = xlsa17.read(write_xlsa17(tmp_path, make_truth(), allclasses_names=names))
    assert data.class_names == ("", *"bcdef")


def test_val_loc_is_never_read_since_it_overlaps_the_test(tmp_path):
    truth = make_truth()
    data = xlsa17.read(write_xlsa17(tmp_path, truth, val_loc=np.array([[10**6]]), train_loc=np.array([[-1.5]])))
    assert_same(data, truth)


@pytest.mark.parametrize("shape", ["row", "column", "flat"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_numbers_may_be_of_any_shape_and_type(tmp_path, shape, dtype):
    truth = make_truth()
    labels = (truth.labels + 1).astype(dtype).reshape({"row": (1, -1), "column": (-1, 1), "flat": (-1,)}[shape])
    assert_same(xlsa17.read(write_xlsa17(tmp_path, truth, labels=labels)), truth)


def test_features_the_other_way_round_are_turned_and_noted(tmp_path):
    truth = make_truth()
    data = xlsa17.read(write_xlsa17(tmp_path, truth, features=truth.features))
    assert_same(data, truth)
    assert data.provenance.notes == ("res101.mat holds features as (N, D), where the standard is (D, N)",)


def test_as_many_dimensions_as_samples_are_read_the_standard_way(tmp_path):
    truth = make_truth()
    truth.features = np.random.default_rng(1).normal(size=(33, 33)).astype(np.float32)
    assert_same(xlsa17.read(write_xlsa17(tmp_path, truth)), truth)


def test_sparse_features(tmp_path):
    from scipy.sparse import csc_array

    truth = make_truth()
    assert_same(xlsa17.read(write_xlsa17(tmp_path, truth, features=csc_array(truth.features.T, dtype=float))), truth)


@every_version
def test_class_names_in_a_matrix_of_letters_lose_their_padding(tmp_path, version):
    truth = make_truth()
    data = xlsa17.read(write_xlsa17(tmp_path, truth, version, allclasses_names=np.array(truth.class_names)))
    assert data.class_names == truth.class_names


def test_classes_without_any_sample_are_unseen_and_told(tmp_path):
    truth = make_truth()
    truth.semantics = np.r_[truth.semantics, [[0.1, 0.2, 0.3]]].astype(np.float32)
    truth.class_names = (*truth.class_names, "dodo")
    with pytest.warns(DataWarning, match="unseen classes have no test sample: dodo"):
        data = xlsa17.read(write_xlsa17(tmp_path, truth))
    assert data.unseen.tolist() == [1, 4, 6]
    assert data.warnings == ("1 unseen classes have no test sample: dodo",)


def test_other_file_names(tmp_path):
    truth = make_truth()
    write_xlsa17(tmp_path, truth)
    visual, splits = xlsa17_keys(truth)
    (tmp_path / "res101.mat").rename(tmp_path / "clip.mat")
    (tmp_path / "att_splits.mat").rename(tmp_path / "sent_splits.mat")
    data = xlsa17.read(tmp_path)
    assert (data.provenance.features, data.provenance.semantics) == ("clip", "sent")
    assert data.provenance.notes == (
        "features 'clip' are the only ones there; the default 'res101' is absent",
        "semantics 'sent' are the only ones there; the default 'att' is absent",
    )

    save_v5(tmp_path / "vgg.mat", visual)
    save_v5(tmp_path / "w2v_splits.mat", splits)
    with pytest.raises(InputError, match=r"no features 'res101'; there are clip, vgg: choose with features=\.$"):
        xlsa17.read(tmp_path)
    with pytest.raises(InputError, match=r"no semantics 'att'; there are sent, w2v: choose with semantics=\.$"):
        xlsa17.read(tmp_path, features="vgg")
    with pytest.raises(InputError, match="no features 'resnet'; there are clip, vgg"):
        xlsa17.read(tmp_path, features="resnet")
    data = xlsa17.read(tmp_path, features="vgg", semantics="w2v")
    assert data.provenance.files == ("vgg.mat", "w2v_splits.mat")
    assert data.provenance.notes == ()


def test_packed_with_gaps_between_the_ids(tmp_path):
    truth = make_truth()
    ids = np.array([2, 3, 5, 7, 11, 13])
    tests = {f"test_{kind}_idex": ids[truth.labels[getattr(truth, f"test_{kind}")]] for kind in ("seen", "unseen")}
    data = packed.read(write_packed(tmp_path, truth, **tests))
    assert_same_samples(data, truth)
    assert data.class_names == tuple(f"class {k}" for k in ids)


def test_packed_with_a_seen_class_that_is_not_tested(tmp_path):
    truth = make_truth()
    truth.test_seen = truth.test_seen[truth.labels[truth.test_seen] != 2]
    with pytest.warns(DataWarning):
        data = packed.read(write_packed(tmp_path, truth))
    assert_same_samples(data, truth)
    assert data.warnings == ("1 seen classes have no test sample: class 3",)


def test_packed_with_gaps_and_an_untested_class_cannot_be_told(tmp_path):
    truth = make_truth()
    truth.test_seen = truth.test_seen[truth.labels[truth.test_seen] != 2]
    ids = np.array([2, 3, 5, 7, 11, 13])
    tests = {f"test_{kind}_idex": ids[truth.labels[getattr(truth, f"test_{kind}")]] for kind in ("seen", "unseen")}
    with pytest.raises(InputError, match=r"test_seen_idex names 3 classes for 4 rows of seen_pro"):
        packed.read(write_packed(tmp_path, truth, **tests))


def test_the_files_tell_the_layout(tmp_path):
    folder, standard = write_packed(tmp_path / "P", make_truth()), write_xlsa17(tmp_path / "X", make_truth())
    assert load_folder(folder).provenance.layout == "packed"
    assert load_folder(str(standard)).provenance.layout == "xlsa17"
    both = write_xlsa17(folder, make_truth())
    assert load_folder(both).provenance.layout == "packed"
    assert load_folder(both, semantics="att").provenance.layout == "xlsa17"


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(write_packed(tmp_path / "HERE", make_truth()))
    assert load("", root=".").name == "HERE"


def test_names_match_in_any_case_of_letters(tmp_path):
    write_packed(tmp_path / "CUB", make_truth())
    assert load("cub", root=tmp_path).name == "CUB"
    assert load("Digits").name == "digits"


def test_missing_h5py_names_the_pip_line(tmp_path, monkeypatch):
    write_xlsa17(tmp_path, make_truth(), "v7.3")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"splits\.mat is a MATLAB v7\.3 file; .* pip install 'gsmflow\[mat73\]'\.$"):
        xlsa17.read(tmp_path)


def test_single_features_are_held_twice_at_most(tmp_path):
    truth = make_truth()
    truth.features = np.zeros((len(truth.labels), 50_000), np.float32)
    truth.features[:, 0] = np.arange(len(truth.labels))
    write_xlsa17(tmp_path, truth, features=truth.features.T)
    tracemalloc.start()
    xlsa17.read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * truth.features.nbytes
