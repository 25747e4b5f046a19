"""What a format writes, it reads back as the same problem; and a format is one file and one line."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from gsmflow.data import FORMATS, Format, ZeroShotDataset, in_split_order, load, load_folder, rows, synthetic
from gsmflow.data.formats import formats_in, mat
from gsmflow.data.rows import Rows
from gsmflow.errors import DataWarning, InputError
from tests.data.twins import make_truth

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")

every_format = pytest.mark.parametrize("layout", FORMATS)


def make(**changed) -> ZeroShotDataset:
    names = ("zebra", "ant", "Fuchs, rot", "bät", "yak", "猫")
    truth = {**vars(make_truth()), "class_names": names, "semantic_names": tuple("abc")}
    return in_split_order(ZeroShotDataset("TWIN", **{**truth, **changed}))


@every_format
def test_what_is_written_is_read_back(tmp_path, layout):
    data = make()
    FORMATS[layout].write(data, tmp_path / "new" / "TWIN")
    found = load("TWIN", root=tmp_path / "new")
    assert found.fingerprint() == data.fingerprint()
    assert found.class_names == data.class_names
    assert found.provenance.layout == layout
    assert found.provenance.folder == str(tmp_path / "new" / "TWIN")
    assert [one.name for one in formats_in(tmp_path / "new" / "TWIN")] == [layout]
    assert not [path for path in (tmp_path / "new" / "TWIN").iterdir() if path.name.endswith(".tmp")]


@every_format
@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_embedded_data_are_written_and_read_back(tmp_path, layout, name):
    data = in_split_order(load(name))
    FORMATS[layout].write(data, tmp_path)
    assert load_folder(tmp_path).fingerprint() == data.fingerprint()


@every_format
def test_problems_without_a_test_are_written_and_read_back(tmp_path, layout):
    truth = make_truth()
    seen_only = np.isin(truth.labels, (0, 2, 3, 5))
    with pytest.warns(DataWarning):
        data = ZeroShotDataset(
            "TWIN",
            truth.features[seen_only],
            np.searchsorted((0, 2, 3, 5), truth.labels[seen_only]),
            truth.semantics[[0, 2, 3, 5]],
            trainval=np.ones(seen_only.sum(), bool),
        )
    FORMATS[layout].write(data, tmp_path)
    with pytest.warns(DataWarning):
        assert load_folder(tmp_path).fingerprint() == data.fingerprint()


@every_format
def test_rows_are_written(tmp_path, layout, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_BYTES", 100)
    data = make()
    many = replace(data, features=Rows(data.features, np.arange(len(data.features))))
    FORMATS[layout].write(many, tmp_path)
    assert load_folder(tmp_path).fingerprint() == data.fingerprint()


@every_format
def test_writing_again_leaves_nothing_of_the_first(tmp_path, layout):
    FORMATS[layout].write(make(), tmp_path)
    other = in_split_order(replace(synthetic(), provenance=make().provenance))
    FORMATS[layout].write(other, tmp_path)
    found = load_folder(tmp_path)
    assert found.fingerprint() == other.fingerprint()
    assert found.class_names == other.class_names


@every_format
def test_a_folder_that_cannot_be_made_is_told(tmp_path, layout):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Could not write .* into .*file: .*; make room or choose another folder\.$"):
        FORMATS[layout].write(make(), tmp_path / "file")


def test_what_fails_half_way_leaves_the_old_files(tmp_path, monkeypatch):
    FORMATS["xlsa17"].write(make(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(mat, "MOST_BYTES", 400)  # labels fit, features do not
    with pytest.raises(InputError, match=r"features of 0\.0 GB does not fit into a \.mat file"):
        FORMATS["xlsa17"].write(make(labels=make_truth().labels), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_xlsa17_files_are_named_after_features_and_semantics(tmp_path):
    provenance = replace(make().provenance, features="openai/clip vit", semantics="../att_splits")
    FORMATS["xlsa17"].write(make(provenance=provenance), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["att_splits.mat", "openai-clip-vit.mat"]
    load_folder(tmp_path)


def test_packed_files_refuse_what_they_cannot_hold(tmp_path):
    shuffled = ZeroShotDataset("TWIN", **vars(make_truth()))
    with pytest.raises(InputError, match=r"split after split and no others, .* gsmflow\.data.in_split_order makes"):
        FORMATS["packed"].write(shuffled, tmp_path)
    with pytest.warns(DataWarning):
        untested = replace(make(), features=make().features[:20], labels=make().labels[:20], test_unseen=[])
    with pytest.raises(InputError, match=r"and 2 have none, the first is ant; take them out"):
        FORMATS["packed"].write(untested, tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_of_semantics_come_back_from_numpy_files(tmp_path):
    FORMATS["numpy"].write(make(), tmp_path)
    assert load_folder(tmp_path).semantic_names == ("a", "b", "c")


def test_split_order_keeps_the_problem():
    data = ZeroShotDataset("TWIN", **vars(make_truth()))
    ordered = in_split_order(data)
    assert len(ordered.features) == 30
    for name, array in vars(data.tests()).items():
        np.testing.assert_array_equal(array, getattr(ordered.tests(), name))
    with pytest.warns(DataWarning):
        overlapping = replace(data, test_seen=np.r_[data.test_seen, data.trainval[:1]], allow_overlap=True)
    with pytest.raises(InputError, match="some samples are in two splits"):
        in_split_order(overlapping)


def read_table(folder, *, features=None, semantics=None, name=None, allow_overlap=False):
    """A table of one line a sample: label, split, then numbers; the class means are the semantics."""
    with (folder / "table.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    labels = np.array([int(line[0]) for line in lines])
    values = np.array([line[2:] for line in lines], float)
    splits = {split: [line[1] == split for line in lines] for split in ("trainval", "test_seen", "test_unseen")}
    means = [values[labels == k].mean(0) for k in range(labels.max() + 1)]
    return ZeroShotDataset(name or folder.name, values, labels, means, **splits, allow_overlap=allow_overlap)


def write_table(dataset, folder):
    split = dict.fromkeys(range(len(dataset.features)), "")
    for name in ("trainval", "test_seen", "test_unseen"):
        split |= dict.fromkeys(getattr(dataset, name).tolist(), name)
    with (folder / "table.csv").open("w", newline="") as file:
        for row, (label, values) in enumerate(zip(dataset.labels, dataset.features.tolist(), strict=True)):
            csv.writer(file).writerow([label, split[row], *values])


def test_a_format_is_one_file_and_one_line(tmp_path, monkeypatch):
    holds = lambda folder: (folder / "table.csv").exists()  # noqa: E731
    monkeypatch.setitem(FORMATS, "table", Format("table", holds, read_table, write_table, "table.csv"))
    (tmp_path / "MINE").mkdir()
    FORMATS["table"].write(synthetic(), tmp_path / "MINE")
    found = load("mine", root=tmp_path)
    np.testing.assert_array_equal(found.features, synthetic().features)
    assert (found.name, found.unseen.tolist()) == ("MINE", [15, 16, 17, 18, 19])
    with pytest.raises(InputError, match=r"features\.npy with its companions, or table\.csv; found MINE\.$"):
        load_folder(tmp_path)
