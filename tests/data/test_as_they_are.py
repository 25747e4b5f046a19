"""Other people's files read as they are: what was assumed is noted, and messages count as the files do."""

import re

import numpy as np
import pytest

from gsmflow.data import FORMATS, Provenance, ZeroShotDataset, in_split_order, load_folder
from gsmflow.errors import DataWarning, InputError
from tests.data.twins import make_truth, write_packed, write_xlsa17

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")

TRUTH = make_truth()
CLASSES = np.array(TRUTH.class_names)
FULL = make_truth()  # every sample in a split
FULL.trainval = np.setdiff1d(np.arange(33), np.r_[FULL.test_seen, FULL.test_unseen])


def masks(truth) -> dict[str, np.ndarray]:
    return {split: np.isin(np.arange(33), getattr(truth, split)) for split in ("trainval", "test_seen", "test_unseen")}


def from_1(truth) -> dict[str, np.ndarray]:
    return {split: getattr(truth, split) + 1 for split in ("trainval", "test_seen", "test_unseen")}


def write_numpy(folder, truth=TRUTH, names=True, **changed):
    """The numpy layout, written by somebody else."""
    folder.mkdir(exist_ok=True)
    arrays = {key: value for key, value in vars(truth).items() if key != "class_names"}
    for key, array in (arrays | changed).items():
        np.save(folder / f"{key}.npy", array)
    if names:
        (folder / "class_names.txt").write_text("".join(f"{name}\n" for name in truth.class_names))
    return folder


def fingerprint(truth) -> str:
    return ZeroShotDataset("TWIN", **vars(truth)).fingerprint()


MASKS = (
    "trainval is a mask of all samples",
    "test_seen is a mask of all samples",
    "test_unseen is a mask of all samples",
)
LABELS_FROM_1 = "labels run from 1 to 6 for 6 classes: they count classes from 1"
SPLITS_FROM_1 = "splits run from 1 to 33 for 33 samples: they count samples from 1"
NUMPY = {
    "names": ({"labels": CLASSES[TRUTH.labels]}, ()),
    "names in a column": ({"labels": CLASSES[TRUTH.labels][:, None]}, ()),
    "numbers in text": ({"labels": TRUTH.labels.astype(str)}, ()),
    "floats": ({"labels": TRUTH.labels.astype(np.float32)}, ()),
    "a column": ({"labels": TRUTH.labels[:, None]}, ()),
    "a row": ({"labels": TRUTH.labels[None]}, ()),
    "from 1": ({"labels": TRUTH.labels + 1}, (LABELS_FROM_1,)),
    "masks": (masks(TRUTH), MASKS),
    "masks of numbers": ({key: mask.astype(np.uint8) for key, mask in masks(TRUTH).items()}, MASKS),
    "splits in columns": ({"trainval": TRUTH.trainval[:, None].astype(float)}, ()),
    "features turned": (
        {"features": TRUTH.features.T},
        ("features.npy holds features as (D, N), where the layout is (N, D)",),
    ),
    "semantics turned": (
        {"semantics": TRUTH.semantics.T},
        ("semantics.npy holds semantics as (S, K), where the layout is (K, S)",),
    ),
}


@pytest.mark.parametrize(("changed", "notes"), NUMPY.values(), ids=NUMPY)
def test_numpy_files_of_others(tmp_path, changed, notes):
    data = load_folder(write_numpy(tmp_path / "TWIN", **changed))
    assert data.fingerprint() == fingerprint(TRUTH)
    assert (data.class_names, data.provenance.notes, data.provenance.counted_from) == (TRUTH.class_names, notes, 0)


def test_numpy_files_that_count_from_1_throughout(tmp_path):
    data = load_folder(write_numpy(tmp_path, FULL, names=False, labels=FULL.labels + 1, **from_1(FULL)))
    assert data.fingerprint() == fingerprint(FULL)
    assert data.class_names == tuple(f"class {k}" for k in range(1, 7))
    assert (data.provenance.notes, data.provenance.counted_from) == ((LABELS_FROM_1, SPLITS_FROM_1), 1)


def test_classes_without_names_are_called_as_their_file_counts_them(tmp_path):
    assert load_folder(write_numpy(tmp_path / "a", names=False)).class_names == tuple(f"class {k}" for k in range(6))
    data = load_folder(write_numpy(tmp_path / "b", names=False, labels=TRUTH.labels + 1))
    assert data.class_names == tuple(f"class {k}" for k in range(1, 7))


def test_names_of_classes_without_a_list_of_them(tmp_path):
    order = np.argsort(CLASSES)
    data = load_folder(
        write_numpy(tmp_path, names=False, labels=CLASSES[TRUTH.labels], semantics=TRUTH.semantics[order])
    )
    assert data.class_names == tuple(CLASSES[order])
    np.testing.assert_array_equal(data.semantics[data.labels], TRUTH.semantics[TRUTH.labels])


CSV = {
    "plain": ("", ""),
    "names of columns": ("a,b,c,d,e,f,g\n", ""),
    "an index, as pandas writes it": (",0,1,2,3,4,5,6\n", "{row},"),
}


@pytest.mark.parametrize(("head", "start"), CSV.values(), ids=CSV)
def test_features_of_a_csv_file(tmp_path, head, start):
    folder = write_numpy(tmp_path / "TWIN")
    (folder / "features.npy").unlink()
    rows = (
        start.format(row=row) + ",".join(map(repr, values)) + "\n" for row, values in enumerate(TRUTH.features.tolist())
    )
    (folder / "features.csv").write_text(head + "".join(rows))
    data = load_folder(folder)
    assert data.provenance.layout == "numpy"
    assert data.fingerprint() == fingerprint(TRUTH)
    assert data.provenance.files[0] == "features.csv"
    write_numpy(folder)
    with pytest.raises(InputError, match=r"TWIN holds features\.npy and features\.csv; delete one\.$"):
        load_folder(folder)


LABELS = (TRUTH.labels + 1)[:, None]


def locs(splits) -> dict[str, np.ndarray]:
    return {f"{split}_loc": rows for split, rows in splits.items()}


def as_cells(names) -> np.ndarray:
    column = np.empty((len(names), 1), dtype=object)
    column[:, 0] = names
    return column


XLSA17 = {
    "masks, logical": (locs(masks(TRUTH)), MASKS),
    "masks, columns of doubles": ({key: rows[:, None] * 1.0 for key, rows in locs(masks(TRUTH)).items()}, MASKS),
    "names in cells": ({"labels": as_cells(CLASSES[TRUTH.labels])}, ()),
    "names in a matrix of letters": ({"labels": CLASSES[TRUTH.labels]}, ()),
    "labels from 0": ({"labels": LABELS - 1}, ("labels run from 0 to 5 for 6 classes: they count classes from 0",)),
    "att turned": (
        {"att": TRUTH.semantics * 1.0},
        ("att_splits.mat holds att as (K, S), where the standard is (S, K)",),
    ),
    "att turned, no names": (
        {"att": TRUTH.semantics * 1.0, "allclasses_names": None},
        ("att_splits.mat holds att as (K, S), where the standard is (S, K)",),
    ),
}


@pytest.mark.parametrize("version", ["v5", "v7.3"])
@pytest.mark.parametrize(("changed", "notes"), XLSA17.values(), ids=XLSA17)
def test_mat_files_of_others(tmp_path, changed, notes, version):
    data = load_folder(write_xlsa17(tmp_path, TRUTH, version, **changed))
    assert data.fingerprint() == fingerprint(TRUTH)
    assert (data.provenance.notes, data.provenance.counted_from) == (notes, 1)


def test_mat_files_that_count_from_0_throughout(tmp_path):
    splits = {f"{split}_loc": rows - 1 for split, rows in from_1(FULL).items()}
    data = load_folder(write_xlsa17(tmp_path, FULL, labels=LABELS - 1, allclasses_names=None, **splits))
    assert data.fingerprint() == fingerprint(FULL)
    assert data.class_names == tuple(f"class {k}" for k in range(6))
    assert data.provenance.counted_from == 0


FILES = tuple(f"{name}/{place}.png" for place, name in enumerate(CLASSES[TRUTH.labels]))


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_mat_files_that_name_their_pictures(tmp_path, version):
    data = load_folder(write_xlsa17(tmp_path, TRUTH, version, image_files=as_cells(FILES)))
    assert (data.sample_names, data.provenance.notes) == (FILES, ())
    data = load_folder(write_xlsa17(tmp_path, TRUTH, version, image_files=as_cells(FILES[:9])))
    assert (data.sample_names, data.provenance.notes) == (
        (),
        ("image_files of res101.mat are 9 for 33 samples, and left out",),
    )


@pytest.mark.parametrize("layout", ["numpy", "xlsa17"])
def test_names_of_samples_are_kept(tmp_path, layout):
    FORMATS[layout].write(ZeroShotDataset("TWIN", **vars(TRUTH), sample_names=FILES), tmp_path)
    assert load_folder(tmp_path).sample_names == FILES
    with pytest.raises(InputError, match=r"the name 'a\\nb' does not survive in a file"):
        FORMATS[layout].write(
            ZeroShotDataset("TWIN", **vars(TRUTH), sample_names=("a\nb", *FILES[1:])), tmp_path / "other"
        )


first = TRUTH.trainval[0]
NAMED = {
    "NaN": ({"features": np.where(np.arange(33)[:, None] == 4, np.nan, TRUTH.features)}, "row 4 (counted from 0; {4})"),
    "label": ({"labels": np.where(np.arange(33) == 4, 9, TRUTH.labels)}, "of sample 4 (both counted from 0; {4})"),
    "twice": (
        {"trainval": np.r_[TRUTH.trainval, first]},
        "1 entries of trainval repeat a sample, the first is sample {f} (",
    ),
    "in two splits": ({"test_seen": np.r_[TRUTH.test_seen, first]}, "the first is sample {f} (counted from 0; {name})"),
}


def test_a_mask_of_numbers_in_python_is_called_one():
    mask = np.isin(np.arange(33), TRUTH.trainval).astype(int)
    with pytest.raises(
        InputError, match=r"trainval is 0 or 1 for each sample; if it is a mask, give true and false\.$"
    ):
        ZeroShotDataset("TWIN", **(vars(TRUTH) | {"trainval": mask}))


@pytest.mark.parametrize(("changed", "sentence"), NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("base", [0, 1])
def test_samples_are_named_where_they_have_names(changed, sentence, base):
    sentence = sentence.replace("{4}", FILES[4]).replace("{f}", str(first)).replace("{name}", FILES[first])
    if base:
        sentence = re.sub(r"(row|sample) (\d+)", lambda found: f"{found[1]} {int(found[2]) + 1}", sentence)
        sentence = sentence.replace("from 0", "from 1")
    with pytest.raises(InputError, match=re.escape(sentence)):
        ZeroShotDataset("TWIN", **(vars(TRUTH) | changed), sample_names=FILES, provenance=Provenance(counted_from=base))


def test_a_class_without_numbers_is_named():
    broken = np.where(np.arange(6)[:, None] == 2, np.nan, TRUTH.semantics)
    with pytest.raises(InputError, match=r"the first is row 2 \(counted from 0; mole\)"):
        ZeroShotDataset("TWIN", **(vars(TRUTH) | {"semantics": broken}))


@pytest.mark.parametrize("layout", FORMATS)
def test_equal_rows_in_two_splits_are_told_in_each_format(tmp_path, layout, gsmflow, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    truth = make_truth()
    truth.features[truth.test_unseen[2]] = truth.features[truth.trainval[0]]
    with pytest.warns(DataWarning):
        data = in_split_order(ZeroShotDataset("TWIN", **vars(truth), sample_names=FILES))
    FORMATS[layout].write(data, tmp_path / "TWIN")
    with pytest.warns(
        DataWarning, match="1 feature rows of test_unseen stand in trainval as well, the first is sample"
    ):
        (warning,) = load_folder(tmp_path / "TWIN").warnings
    assert (data.sample_names[data.test_unseen[2]] in warning) == (layout != "packed")
    checked = gsmflow("data", "check", tmp_path / "TWIN")
    assert "1 feature rows of test_unseen stand in trainval as well" in checked.out


BAD_NUMPY = {
    "objects": (
        lambda folder: np.save(folder / "labels.npy", np.array(["ant"] * 33, object)),
        "labels.npy holds Python objects",
    ),
    "both ends": (
        lambda folder: np.save(folder / "labels.npy", np.where(np.arange(33) == 5, 6, TRUTH.labels)),
        "TWIN/labels.npy: labels hold 0 and 6 for 6 classes of semantics: counted from 0 the last class is 5, counted ",
    ),
    "102": (
        lambda folder: np.save(folder / "labels.npy", np.where(np.arange(33) == 5, 102, TRUTH.labels)),
        "the first is label 102 of sample 5 (both counted from 0)",
    ),
    "names without a list": (
        lambda folder: (
            (folder / "class_names.txt").unlink(),
            np.save(folder / "labels.npy", np.where(TRUTH.labels == 2, "ant", CLASSES[TRUTH.labels])),
        ),
        "labels name 5 classes, there are 6 rows of semantics, and class_names.txt, which would say whose they are, is",
    ),
    "semantics of no numbers": (
        lambda folder: np.save(folder / "semantics.npy", CLASSES[None]),
        "semantics.npy: semantics must be a matrix of numbers; found shape (1, 6) of <U5.",
    ),
    "a class in the table": (
        lambda folder: (
            (folder / "features.npy").unlink(),
            (folder / "features.csv").write_text("class,a\n" + "fox,1\n" * 33),
        ),
        "features.csv has a column of classes, and labels.npy stands beside it; delete one.",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), BAD_NUMPY.values(), ids=BAD_NUMPY)
def test_numpy_files_that_mean_nothing(tmp_path, damage, sentence):
    folder = write_numpy(tmp_path / "TWIN")
    damage(folder)
    with pytest.raises(InputError) as error:
        load_folder(folder)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_packed_files_say_which_label_is_none(tmp_path):
    write_packed(tmp_path, TRUTH, test_seen_idex=np.array([1.0, 2.5] * 4))
    with pytest.raises(InputError, match=r"test_seen_idex must be whole numbers; 4 of 8 are not, the first is 2\.5"):
        load_folder(tmp_path)
