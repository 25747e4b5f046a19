"""What a format writes, it reads back as the same problem; and a format is one file and one line."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gsmflow.data import (
    FORMATS,
    DataSource,
    Format,
    Provenance,
    ZeroShotDataset,
    in_split_order,
    load,
    load_folder,
    rows,
    synthetic,
)
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


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@every_format
def test_no_file_is_overwritten(tmp_path, layout):
    FORMATS[layout].write(make(), tmp_path / "whole")
    before = contents(tmp_path / "whole")
    other = in_split_order(replace(synthetic(), provenance=make().provenance))
    for name in before:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(before[name])
        with pytest.raises(
            InputError, match=rf" holds {re.escape(name)} already; move that elsewhere or choose another"
        ):
            FORMATS[layout].write(make(), folder)
        assert contents(folder) == {name: before[name]}
    with pytest.raises(InputError, match="already"):
        FORMATS[layout].write(other, tmp_path / "whole")
    assert contents(tmp_path / "whole") == before


def test_names_of_the_semantics_of_other_data_are_not_taken_over(tmp_path):
    (tmp_path / "semantic_names.txt").write_text("x\ny\nz\n")
    with pytest.raises(InputError, match=r"holds semantic_names\.txt already"):
        FORMATS["numpy"].write(make(semantic_names=()), tmp_path)


def test_a_link_to_a_place_that_is_not_there_now_is_kept(tmp_path):
    (tmp_path / "features.npy").symlink_to(tmp_path / "unmounted" / "features.npy")
    with pytest.raises(InputError, match=r"holds features\.npy already"):
        FORMATS["numpy"].write(make(), tmp_path)


@every_format
def test_a_folder_that_cannot_be_made_is_told(tmp_path, layout):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Could not write .* into .*file: .*; make room or choose another folder\.$"):
        FORMATS[layout].write(make(), tmp_path / "file")


def test_what_does_not_fit_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(mat, "MOST_BYTES", 400)  # labels fit, features do not
    with pytest.raises(InputError, match=r"features of 0\.0 GB does not fit into a \.mat file"):
        FORMATS["xlsa17"].write(make(), tmp_path)
    assert not list(tmp_path.iterdir())


@every_format
@pytest.mark.parametrize(("error", "raised"), [(OSError(28, "No space left"), InputError), (KeyboardInterrupt(),) * 2])
def test_what_stops_between_two_files_leaves_nothing(tmp_path, monkeypatch, layout, error, raised):
    """Half a data set would stand in the way of the next try."""
    replaced = Path.replace

    def replace_but_one(path, target):
        if len([there for there in tmp_path.iterdir() if not there.name.endswith(".tmp")]) == 1:
            raise error
        return replaced(path, target)

    monkeypatch.setattr(Path, "replace", replace_but_one)
    with pytest.raises(raised if isinstance(raised, type) else type(raised)):
        FORMATS[layout].write(make(), tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    FORMATS[layout].write(make(), tmp_path)
    assert load_folder(tmp_path).fingerprint() == make().fingerprint()


@pytest.mark.parametrize(
    ("features", "semantics", "files"),
    [
        ("openai/clip vit", "../att_splits", ["att_splits.mat", "openai-clip-vit.mat"]),
        ("vgg_fc7_splits_splits", "sent", ["sent_splits.mat", "vgg_fc7.mat"]),
        ("features", "semantics", ["att_splits.mat", "res101.mat"]),  # what stands there if nothing was said
        ("", "_splits", ["att_splits.mat", "res101.mat"]),
    ],
)
def test_xlsa17_files_are_named_after_features_and_semantics(tmp_path, features, semantics, files):
    data = make(provenance=Provenance(features=features, semantics=semantics))
    FORMATS["xlsa17"].write(data, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert load_folder(tmp_path).fingerprint() == data.fingerprint()


@pytest.mark.parametrize("layout", ["xlsa17", "numpy"])
def test_order_and_samples_in_no_split_are_kept(tmp_path, layout):
    data = ZeroShotDataset("TWIN", **vars(make_truth()))
    FORMATS[layout].write(data, tmp_path)
    assert load_folder(tmp_path).fingerprint() == data.fingerprint()


@pytest.mark.parametrize("layout", ["xlsa17", "numpy"])
def test_accepted_overlap_is_kept(tmp_path, layout):
    truth = make_truth()
    truth.test_seen = np.r_[truth.test_seen, truth.trainval[:2]]
    with pytest.warns(DataWarning, match="overlap accepted: 2 samples"):
        data = ZeroShotDataset("TWIN", **vars(truth), allow_overlap=True)
    FORMATS[layout].write(data, tmp_path)
    with pytest.raises(InputError, match="allow_overlap=True"):
        load_folder(tmp_path)
    with pytest.warns(DataWarning, match="overlap accepted: 2 samples"):
        source = DataSource.of(load_folder(tmp_path, allow_overlap=True))
    with pytest.warns(DataWarning, match="overlap accepted: 2 samples"):
        assert source.load().fingerprint() == data.fingerprint()
    with pytest.raises(InputError, match="packed files hold samples split after split"):
        FORMATS["packed"].write(data, tmp_path)


@every_format
@pytest.mark.parametrize("name", ["", " ", " fox", "fox ", "red\nfox", "fox\n", "red\u2028fox", "fo\0x", "\ud800"])
def test_a_name_that_no_file_keeps_is_refused(tmp_path, layout, name):
    with pytest.raises(InputError, match=r"^TWIN: the name '.*' does not survive in a file, .*; give another\.$"):
        FORMATS[layout].write(make(class_names=(name, *"bcdef")), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@every_format
def test_names_that_differ_by_spaces_within_stay_two(tmp_path, layout):
    data = make(class_names=("a b", "a  b", "a\u3000b", "[]", "😀", "é"))
    FORMATS[layout].write(data, tmp_path)
    assert load_folder(tmp_path).class_names == data.class_names


@pytest.mark.parametrize("missing", [("test_seen",), ("test_unseen",), ("test_seen", "test_unseen")])
def test_numpy_files_may_lack_tests(tmp_path, missing):
    data = make()
    FORMATS["numpy"].write(data, tmp_path)
    for split in missing:
        (tmp_path / f"{split}.npy").unlink()
    with pytest.warns(DataWarning, match="cannot be measured"):
        found, expected = load_folder(tmp_path), replace(data, **dict.fromkeys(missing, ()))
    assert found.fingerprint() == expected.fingerprint()
    assert not {f"{split}.npy" for split in missing} & set(found.provenance.files)


@pytest.mark.parametrize("key", ["features", "labels", "semantics", "trainval"])
def test_numpy_files_that_must_be_there(tmp_path, key):
    FORMATS["numpy"].write(make(), tmp_path)
    (tmp_path / f"{key}.npy").unlink()
    with pytest.raises(InputError, match=rf"{key}\.npy does not exist\.$|holds no data set"):
        load_folder(tmp_path)


def test_packed_files_refuse_what_they_cannot_hold(tmp_path):
    shuffled = ZeroShotDataset("TWIN", **vars(make_truth()))
    with pytest.raises(
        InputError,
        match=r"split after split and no others, .* xlsa17 or numpy files, .* gsmflow\.data.in_split_order makes",
    ):
        FORMATS["packed"].write(shuffled, tmp_path)
    with pytest.warns(DataWarning):
        untested = replace(make(), features=make().features[:20], labels=make().labels[:20], test_unseen=[])
    with pytest.raises(InputError, match=r"and 2 have none, the first is ant; write xlsa17 or numpy files"):
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
    assert load(str(tmp_path / "MINE")).fingerprint() == load(tmp_path / "MINE").fingerprint()
    found = load("mine", root=tmp_path)
    np.testing.assert_array_equal(found.features, synthetic().features)
    assert (found.name, found.unseen.tolist()) == ("MINE", [15, 16, 17, 18, 19])
    with pytest.raises(InputError, match=r"features\.npy with its companions, or table\.csv; found MINE\.$"):
        load_folder(tmp_path)
