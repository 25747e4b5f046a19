"""Every bad input ends in one sentence that says what was found, where, and what to do."""

import re

import numpy as np
import pytest

from gsmflow.data import FORMATS, ZeroShotDataset, load, load_folder
from gsmflow.errors import DataWarning, InputError
from tests.data.twins import make_truth, write_packed, write_xlsa17

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")

TRUTH = make_truth()


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert "Traceback" not in text
    return text


def with_entry(array: np.ndarray, place, value) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


def column(rows: np.ndarray) -> np.ndarray:
    return rows[:, None] + 1


FEATURES, ATT, LABELS = TRUTH.features.T.astype(float), TRUTH.semantics.T.astype(float), column(TRUTH.labels)
TRAINVAL, SEEN, UNSEEN = column(TRUTH.trainval), column(TRUTH.test_seen), column(TRUTH.test_unseen)

XLSA17 = {
    "features lack": ({"features": None}, "res101.mat lacks the key 'features'; it has image_files, labels."),
    "att lacks": ({"att": None}, "att_splits.mat lacks the key 'att'; it has allclasses_names, original_att, "),
    "trainval_loc lacks": ({"trainval_loc": None}, "lacks the key 'trainval_loc'"),
    "NaN in features": (
        {"features": with_entry(with_entry(FEATURES, (2, 4), np.nan), (3, 9), np.inf)},
        "2 of 33 rows of features hold 1 NaN and 1 infinite values, the first is row 5 (counted from 1)",
    ),
    "NaN in semantics": ({"att": with_entry(ATT, (0, 2), np.nan)}, "1 of 6 rows of semantics hold 1 NaN"),
    "labels hold 0 and the number of classes": (
        {"labels": with_entry(LABELS, 7, 0)},
        "labels hold 0 and 6 for 6 classes of semantics: counted from 0 the last class is 5, counted from 1",
    ),
    "labels beyond the classes": ({"labels": with_entry(LABELS, 7, 9)}, "the first is label 9 of sample 8 (both"),
    "labels are fractions": (
        {"labels": LABELS + 0.5},
        "33 of 33 are not, the first is 1.5 of sample 1 (counted from 1).",
    ),
    "labels are NaN": ({"labels": with_entry(LABELS.astype(float), 4, np.nan)}, "the first is nan of sample 5 (count"),
    "labels are two texts": ({"labels": np.array(["a", "b"])}, "features of shape (7, 33) do not fit 2 labels; exp"),
    "one label too few": ({"labels": LABELS[1:]}, "features of shape (7, 33) do not fit 32 labels; expected (D, N)."),
    "features of three axes": (
        {"features": np.ones((2, 3, 4))},
        "features must be a matrix of numbers; found shape (2",
    ),
    "features are text": ({"features": np.array(["a", "b"])}, "features must be a matrix of numbers"),
    "one dimension": ({"features": FEATURES[:1]}, "need 2 dimensions at least, one for each half of a flow; found 1."),
    "semantics of fewer classes": (
        {"att": ATT[:, :5]},
        "att of shape (3, 5) holds 5 classes, a column each, but allclasses_names 6.",
    ),
    "semantics of fewer classes, no names": (
        {"att": ATT[:, :5], "allclasses_names": None},
        "5 labels are out of range for 5 classes of semantics",
    ),
    "zero row": ({"att": ATT * (np.arange(6) != 2)}, "semantics of 1 classes are zero in every entry: mole; give"),
    "empty split": ({"trainval_loc": np.zeros((0, 1))}, "the split trainval is empty; there is nothing to learn from"),
    "split beyond the samples": (
        {"test_seen_loc": with_entry(SEEN, 0, 34)},
        "test_seen names sample 34 (counted from ",
    ),
    "split counts from 0": ({"trainval_loc": with_entry(TRAINVAL, 0, 0)}, "trainval names sample 0 (counted from 1)"),
    "sample twice": ({"trainval_loc": np.r_[TRAINVAL, TRAINVAL[:2]]}, "2 entries of trainval repeat a sample"),
    "sample in two splits": (
        {"test_seen_loc": np.r_[SEEN, TRAINVAL[3:5]]},
        f"2 samples are both in trainval and in test_seen, the first is sample {TRAINVAL[3, 0]} (counted from 1)",
    ),
    "class both seen and unseen": (
        {"test_unseen_loc": UNSEEN[1:], "trainval_loc": np.r_[TRAINVAL, UNSEEN[:1]]},
        "1 classes are both seen (in trainval) and unseen (in test_unseen): ",
    ),
    "seen class without training": (
        {"trainval_loc": TRAINVAL[TRUTH.labels[TRUTH.trainval] != 3]},
        "1 classes of test_seen have no training sample: bat",
    ),
    "names twice": (
        {"allclasses_names": np.array(["ant", "ant", "bat", "cow", "cow", "cow"])},
        "2 class names stand for more than one class: ant, cow; predictions name classes, so give each its own.",
    ),
}

PACKED = {
    "key lacks": ({"seen_pro": None}, "data.mat lacks the key 'seen_pro'; it has attribute, test_seen_fea, "),
    "labels lack": ({"train_idx": None}, "label.mat lacks the key 'train_idx'"),
    "dimensions differ": ({"test_seen_fea": np.ones((8, 5))}, "test_seen_fea has 5 columns, train_fea 7; they must"),
    "semantics differ": ({"unseen_pro": np.ones((2, 9))}, "unseen_pro has 9 columns, seen_pro 3; they must agree."),
    "rows differ": (
        {"test_unseen_fea": np.ones((9, 7))},
        "test_unseen_fea has 9 rows, but label.mat 10 labels for it.",
    ),
    "unseen class missing": (
        {"unseen_pro": np.eye(3)},
        "test_unseen_idex of label.mat names 2 classes, unseen_pro of data.mat has 3 rows",
    ),
    "class both seen and unseen": (
        {"test_unseen_idex": np.where(TRUTH.labels[TRUTH.test_unseen] == 4, 6, 2)},
        "1 classes are both seen (in trainval) and unseen (in test_unseen): class 6; take them out",
    ),
    "train_idx holds class ids": (
        {"train_idx": TRUTH.labels[TRUTH.trainval] + 1},
        "train_idx runs from 1 to 6, out of range for 4 seen classes",
    ),
}


@pytest.mark.parametrize("version", ["v5", "v7.3"])
@pytest.mark.parametrize(("changed", "sentence"), XLSA17.values(), ids=XLSA17)
def test_xlsa17(tmp_path, changed, sentence, version):
    write_xlsa17(tmp_path / "TWIN", TRUTH, version, **changed)
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        load("TWIN", root=tmp_path)
    assert "TWIN" in one_sentence(error)


@pytest.mark.parametrize(("changed", "sentence"), PACKED.values(), ids=PACKED)
def test_packed(tmp_path, changed, sentence):
    write_packed(tmp_path / "TWIN", TRUTH, **changed)
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        load("TWIN", root=tmp_path)
    assert "TWIN" in one_sentence(error)


def test_overlap_can_be_accepted_and_is_said(tmp_path):
    changed, _ = XLSA17["sample in two splits"]
    write_xlsa17(tmp_path / "TWIN", TRUTH, **changed)
    with pytest.raises(InputError, match=r"allow_overlap=True\.$"):
        load("TWIN", root=tmp_path)
    with pytest.warns(DataWarning, match="^TWIN: overlap accepted: 2 samples are in two splits$"):
        data = load("TWIN", root=tmp_path, allow_overlap=True)
    assert data.warnings == ("overlap accepted: 2 samples are in two splits",)


def test_equal_rows_in_two_splits_are_counted_and_no_error(tmp_path):
    first, unseen = TRUTH.trainval[0], TRUTH.test_unseen[2]
    features = with_entry(FEATURES, (slice(None), unseen), FEATURES[:, first])
    write_xlsa17(tmp_path / "TWIN", TRUTH, features=features)
    sentence = f"1 feature rows of test_unseen stand in trainval as well, the first is sample {unseen + 1} (counted "
    with pytest.warns(DataWarning, match=re.escape(sentence)) as told:
        data = load("TWIN", root=tmp_path)
    assert len(told) == len(data.warnings) == 1
    assert told[0].filename == __file__  # the line that asked for the data


NUMPY = {
    "label beyond": (
        "labels",
        with_entry(TRUTH.labels, 3, 102),
        "label 102 of sample 3 (both counted from 0)",
    ),
    "negative index": ("trainval", with_entry(TRUTH.trainval, 2, -4), "trainval names sample -4 (counted from 0), but"),
    "index beyond": ("test_seen", with_entry(TRUTH.test_seen, 0, 33), "sample 33 (counted from 0), but there are 33"),
    "NaN": ("features", with_entry(TRUTH.features, (4, 1), np.nan), "the first is row 4 (counted from 0)"),
}


@pytest.mark.parametrize(("key", "array", "sentence"), NUMPY.values(), ids=NUMPY)
def test_numpy_files_count_from_0(tmp_path, key, array, sentence):
    FORMATS["numpy"].write(ZeroShotDataset("TWIN", **vars(TRUTH)), tmp_path / "TWIN")
    np.save(tmp_path / "TWIN" / f"{key}.npy", array)
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        load("TWIN", root=tmp_path)
    one_sentence(error)


@pytest.mark.parametrize("version", ["v5", "v7.3"])
@pytest.mark.parametrize("size", [0, 60, 700, 0.5])
def test_truncated_file(tmp_path, version, size):
    folder = write_xlsa17(tmp_path, TRUTH, version)
    path = folder / "res101.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[: size if isinstance(size, int) else int(size * len(whole))])
    with pytest.raises(InputError, match=r"res101\.mat ") as error:
        load_folder(folder)
    assert f"{path.stat().st_size:,} bytes" in one_sentence(error)


@pytest.mark.parametrize("content", [b"hello", b"<html>404</html>" * 100, b"PK\x03\x04" + bytes(500)])
def test_not_a_mat_file(tmp_path, content):
    folder = write_xlsa17(tmp_path, TRUTH)
    (folder / "att_splits.mat").write_bytes(content)
    with pytest.raises(InputError, match=r"att_splits\.mat is not a readable \.mat file") as error:
        load_folder(folder)
    one_sentence(error)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"no data set 'x' in .*none \(no such folder\); choose another root="):
        load("x", root=tmp_path / "none")
    with pytest.raises(InputError, match=r"\(no data set is there\); get it with gsmflow data fetch APY") as error:
        load("apy", root=tmp_path)
    assert "embedded 'digits'" in one_sentence(error)
    write_packed(tmp_path / "MINE", TRUTH)
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError, match=r"\(data sets there: MINE\); get FLO from https://github\.com/uqzhichen"):
        load("FLO", root=tmp_path)
    with pytest.raises(InputError, match=r"The folder .*nowhere does not exist\."):
        load_folder(tmp_path / "nowhere")


def test_folder_of_other_files(tmp_path):
    with pytest.raises(InputError, match=r"companions; found nothing"):
        load_folder(tmp_path)
    (tmp_path / "notes.npy").touch()
    with pytest.raises(InputError, match=r"found notes\.npy\."):
        load_folder(tmp_path)
    (tmp_path / "att_splits.mat").touch()
    with pytest.raises(InputError, match=r"no features 'res101'; there are none: add features\."):
        load_folder(tmp_path)


def test_embedded_data_have_no_choice_of_features():
    with pytest.raises(InputError, match="digits is embedded"):
        load("digits", features="res101")


def test_packed_files_have_no_choice_of_features(tmp_path):
    write_packed(tmp_path, TRUTH)
    with pytest.raises(InputError, match="holds packed files"):
        load_folder(tmp_path, features="res101")


def test_numpy_files_have_no_choice_of_features(tmp_path):
    FORMATS["numpy"].write(ZeroShotDataset("TWIN", **vars(TRUTH)), tmp_path)
    with pytest.raises(InputError, match=r"holds \.npy files"):
        load_folder(tmp_path, semantics="att")
