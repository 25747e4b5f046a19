"""A folder of one's own data, in all the ways in which it can be written."""

import json
import mmap
from dataclasses import asdict

import numpy as np
import pytest

from gsmflow.data import DataSource, EncoderRecord, load, load_folder
from gsmflow.data.formats import formats_in
from gsmflow.errors import DataWarning, InputError
from tests.data.own import CLASSES, CLASSES_CSV, FEATURES, FILES, NAMES, draw, write_own
from tests.data.test_tables import pandas_like
from tests.data.twins import make_truth, write_packed, write_xlsa17

ATTRIBUTES = np.float32([[1, 1.4], [0.5, 1.5], [0, 1], [0, 2]])
TEXT = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
NAMED = "name\n" + "".join(f"{name}\n" for name in NAMES)
WORDS_ONLY = "name,description\n" + "".join(f"{name},about {name}\n" for name in NAMES)
ENCODER = EncoderRecord("onnx", "lite.onnx", 5, "ab" * 32, place="/far/lite.onnx")
TEXT_ENCODER = EncoderRecord("sentence-transformers", "MiniLM", 3, "cd" * 32)
RECORD = json.dumps({"format": 1, "encoder": asdict(ENCODER), "text_encoder": asdict(TEXT_ENCODER), "images": ""})


def is_mapped(array) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def check_same(data):
    np.testing.assert_array_equal(data.features, FEATURES)
    assert data.labels.tolist() == list(CLASSES)
    assert data.class_names == NAMES
    assert data.unseen.tolist() == [3]
    assert data.trainval.tolist() == list(range(6))


def test_features_samples_and_a_table_of_classes(tmp_path):
    data = load(str(write_own(tmp_path / "MY")))
    check_same(data)
    np.testing.assert_array_equal(data.semantics, ATTRIBUTES)
    assert (data.semantic_names, data.semantic_parts) == (("striped", "height"), ())
    assert data.sample_names == FILES
    p = data.provenance
    assert (p.layout, p.features, p.semantics, p.images) == ("folder", "features", "attributes", "")
    assert p.files == ("features.npy", "samples.csv", "classes.csv")
    assert p.folder == str(tmp_path / "MY")
    assert is_mapped(data.features)


def rows_csv(*columns: str) -> str:
    """Features as CSV, with these columns of texts before them."""
    told = {"file": FILES, "class": [NAMES[k] for k in CLASSES]}
    head = [*columns, *(f"f{k}" for k in range(5))]
    rows = [[*(told[column][row] for column in columns), *map(repr, x)] for row, x in enumerate(FEATURES.tolist())]
    return "\n".join(",".join(row) for row in [head, *rows])


FEATURE_KINDS = {
    "csv": {"features__csv": rows_csv()},
    "csv with files": {"features__csv": rows_csv("file")},
    "csv with classes": {"features__csv": rows_csv("class"), "samples__csv": None},
    "csv with all": {"features__csv": rows_csv("class", "file"), "samples__csv": None},
    "double precision": {"features__npy": FEATURES.astype(np.float64)},
    "the other way round": {"features__npy": FEATURES.T.copy()},
    "one shard": {"features___part-00000__npy": FEATURES},
    "shards": {
        "features___part-00000__npy": FEATURES[:4],
        "features___part-00001__npy": FEATURES[4:5].astype(np.float64),
        "features___part-00002__npy": FEATURES[5:],
        "features___progress__json": "{}",
    },
}


@pytest.mark.parametrize("files", FEATURE_KINDS.values(), ids=FEATURE_KINDS)
def test_features_of_every_kind(tmp_path, files):
    data = load_folder(write_own(tmp_path, **{"features__npy": None, **files}))
    check_same(data)
    given = "features__csv" in files and "samples__csv" in files and "file" not in files["features__csv"]
    assert data.sample_names == (() if given else FILES)


def test_features_in_parquet_and_safetensors(tmp_path):
    from safetensors.numpy import save_file

    write_own(tmp_path / "A", features__npy=None)
    save_file({"features": FEATURES}, tmp_path / "A" / "features.safetensors")
    check_same(load_folder(tmp_path / "A"))
    write_own(tmp_path / "B", features__npy=None, samples__csv=None)
    (tmp_path / "B" / "features").mkdir()
    for part, rows in enumerate((slice(0, 4), slice(4, 6))):
        columns = {"x": FEATURES[rows].tolist(), "file": FILES[rows], "class": [NAMES[k] for k in CLASSES[rows]]}
        pandas_like(tmp_path / "B" / "features" / f"part-{part:05d}.parquet", columns)
    data = load_folder(tmp_path / "B")
    check_same(data)
    assert data.sample_names == FILES
    assert data.provenance.files == ("features/part-00000.parquet to part-00001.parquet", "classes.csv")


NUMBERS = np.array(CLASSES)
LABEL_KINDS = {
    "names in npy": {"labels__npy": np.array([NAMES[k] for k in CLASSES])},
    "names in txt": {"labels__txt": "".join(f"{NAMES[k]}\n" for k in CLASSES)},
    "names in csv": {"labels__csv": "label\n" + "".join(f"{NAMES[k]}\n" for k in CLASSES)},
    "names in csv without a name of the column": {"labels__csv": "".join(f"{NAMES[k]}\n" for k in CLASSES)},
    "numbers from 0": {"labels__npy": NUMBERS},
    "numbers as floats in a column": {"labels__npy": NUMBERS[:, None].astype(np.float32)},
    "numbers in txt": {"labels__txt": "".join(f"{k}\n" for k in CLASSES) + "\n"},
    "numbers in samples.csv": {
        "samples__csv": "file,class\n" + "".join(f"{f},{k}.0\n" for f, k in zip(FILES, CLASSES, strict=True))
    },
    "without files": {"samples__csv": "class\n" + "".join(f"{NAMES[k]}\n" for k in CLASSES)},
    "another order of columns": {
        "samples__csv": "class;x;file\n" + "".join(f" {NAMES[k]} ;0;{f}\n" for f, k in zip(FILES, CLASSES, strict=True))
    },
}


@pytest.mark.parametrize("files", LABEL_KINDS.values(), ids=LABEL_KINDS)
def test_labels_of_every_kind(tmp_path, files):
    check_same(load_folder(write_own(tmp_path, **{"samples__csv": None, **files})))


def test_numbers_from_1_where_nothing_else_can_be_meant(tmp_path):
    labels = np.array([1, 1, 2, 3, 4, 4])
    data = load_folder(write_own(tmp_path, samples__csv=None, labels__npy=labels))
    assert data.labels.tolist() == (labels - 1).tolist()
    assert "labels.npy counts classes from 1, in the order of classes.csv" in data.provenance.notes


def test_classes_that_are_called_by_numbers_are_meant_by_their_names(tmp_path):
    classes = "name,striped,height\n3,1,2\n2,0,1\n1,1,3\n7,5,4\n"
    data = load_folder(write_own(tmp_path, samples__csv=None, labels__txt="3\n3\n2\n2\n1\n1", classes__csv=classes))
    assert data.labels.tolist() == list(CLASSES)


def test_words_alone(tmp_path):
    files = {"classes__csv": WORDS_ONLY, "semantics__npy": TEXT, "semantics__csv": NAMED, "dataset__json": RECORD}
    data = load_folder(write_own(tmp_path, **files))
    np.testing.assert_array_equal(data.semantics, TEXT)
    assert (data.semantic_names, data.semantic_parts) == ((), ())
    p = data.provenance
    assert (p.features, p.semantics) == ("lite.onnx", "text")
    assert (p.encoder, p.text_encoder) == (ENCODER, TEXT_ENCODER)


def test_rows_of_semantics_are_found_by_name(tmp_path):
    files = {"classes__csv": WORDS_ONLY, "semantics__npy": TEXT[::-1].copy()}
    named = "name\n" + "".join(f"{name}\n" for name in NAMES[::-1])
    data = load_folder(write_own(tmp_path, **files, semantics__csv=named))
    np.testing.assert_array_equal(data.semantics, TEXT)
    assert data.provenance.semantics == "semantics"  # nobody knows of what


def test_without_a_table_of_classes(tmp_path):
    files = {"classes__csv": None, "dataset__json": RECORD, "semantics__npy": TEXT, "semantics__csv": NAMED}
    data = load_folder(write_own(tmp_path, **files))
    check_same(data)
    np.testing.assert_array_equal(data.semantics, TEXT)


def test_semantics_without_names_are_in_the_order_of_the_classes(tmp_path):
    for place, table in (("A", TEXT), ("B", TEXT.T.copy())):
        data = load_folder(write_own(tmp_path / place, classes__csv=WORDS_ONLY, semantics__npy=table))
        np.testing.assert_array_equal(data.semantics, TEXT)
        assert any("semantics" in note for note in data.provenance.notes)


def test_attributes_and_words_and_each_alone(tmp_path):
    files = {"semantics__npy": TEXT, "semantics__csv": NAMED, "dataset__json": RECORD}
    write_own(tmp_path, **files)
    both = load_folder(tmp_path)
    np.testing.assert_array_equal(both.semantics, np.c_[ATTRIBUTES, TEXT])
    assert both.semantic_parts == (("attributes", 2), ("text", 3))
    assert both.semantic_names == ("striped", "height", "text 1", "text 2", "text 3")
    assert both.provenance.semantics == "attributes + text"
    alone = load_folder(tmp_path, semantics="attributes")
    np.testing.assert_array_equal(alone.semantics, ATTRIBUTES)
    assert (alone.semantic_parts, alone.provenance.text_encoder) == ((), None)
    words = load_folder(tmp_path, semantics="text")
    np.testing.assert_array_equal(words.semantics, TEXT)
    assert (words.semantic_parts, words.semantic_names, words.provenance.text_encoder) == ((), (), TEXT_ENCODER)
    for data in (both, alone, words):  # a run finds the same again
        assert DataSource.of(data).load().fingerprint() == data.fingerprint()


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"features": "res101"}, r"holds one set of features, 'lite\.onnx', and not 'res101'; drop features="),
        ({"semantics": "att"}, r"holds no semantics 'att'; there are attributes and text: change semantics="),
    ],
)
def test_a_choice_that_is_not_there(tmp_path, choice, sentence):
    write_own(tmp_path, semantics__npy=TEXT, semantics__csv=NAMED, dataset__json=RECORD)
    with pytest.raises(InputError, match=sentence):
        load_folder(tmp_path, **choice)


SPLIT_KINDS = {
    "by file": f"file,split\n{FILES[4]},test_unseen\n{FILES[3]},test_seen\n{FILES[5]},test_unseen\n"
    f"{FILES[2]},trainval\n{FILES[0]},trainval\n{FILES[1]},trainval\n",
    "by row": "row,split\n4,test_unseen\n3,test_seen\n5,test_unseen\n2,trainval\n0,trainval\n1,trainval\n",
}


@pytest.mark.parametrize("splits", SPLIT_KINDS.values(), ids=SPLIT_KINDS)
def test_splits_in_the_order_of_their_lines(tmp_path, splits):
    data = load_folder(write_own(tmp_path, splits__csv=splits))
    assert (data.trainval.tolist(), data.test_seen.tolist(), data.test_unseen.tolist()) == ([2, 0, 1], [3], [4, 5])


def test_samples_in_no_split_are_counted(tmp_path):
    write_own(tmp_path, splits__csv="row,split\n0,trainval\n1,trainval\n2,trainval\n3,trainval\n")
    with pytest.warns(DataWarning, match=r"2 of 6 samples are in no split, since splits\.csv does not name them"):
        assert len(load_folder(tmp_path).trainval) == 4


def test_samples_in_two_splits_are_refused_or_accepted(tmp_path):
    write_own(tmp_path, splits__csv="row,split\n0,trainval\n1,trainval\n0,test_seen\n2,trainval\n")
    sentence = r"splits\.csv names '0' twice, for trainval on line 2 and for test_seen on line 4; .* allow_overlap=True"
    with pytest.raises(InputError, match=sentence):
        load_folder(tmp_path)
    with pytest.warns(DataWarning):
        assert load_folder(tmp_path, allow_overlap=True).test_seen.tolist() == [0]


def test_names_in_another_spelling_of_their_letters(tmp_path):
    """As folders are called after they were copied from a Mac."""
    classes = "name,striped,height\ncaf\u00e9,1,2\nox,0,1\n"
    samples = "file,class\ncafe\u0301/1.png,cafe\u0301\nox/1.png,ox\n"
    data = load_folder(write_own(tmp_path, classes__csv=classes, samples__csv=samples, features__npy=FEATURES[:2]))
    assert data.labels.tolist() == [0, 1]
    assert data.class_names == ("caf\u00e9", "ox")


def test_where_the_pictures_are(tmp_path):
    record = {"format": 1, "encoder": None, "text_encoder": None, "images": str(tmp_path / "far")}
    write_own(tmp_path / "MY", dataset__json=json.dumps(record))
    assert load_folder(tmp_path / "MY").provenance.images == str(tmp_path / "far")  # a hint, though nothing is there
    draw(tmp_path / "MY" / "images")
    assert load_folder(tmp_path / "MY").provenance.images == str(tmp_path / "MY" / "images")
    draw(tmp_path / "far")
    assert load_folder(tmp_path / "MY").provenance.images == str(tmp_path / "far")


WARNINGS = {
    "descriptions without effect": (
        {},
        r"descriptions are there and are not used, attributes alone are; to use both: gsmflow describe .*classes\.csv",
    ),
    "semantics of classes that are gone": (
        {
            "classes__csv": WORDS_ONLY,
            "semantics__npy": np.r_[TEXT, TEXT[:1]],
            "semantics__csv": NAMED + "moa\n",
        },
        r"1 rows of semantics\.csv are of classes that classes\.csv does not name, such as moa; they are ignored",
    ),
    "an attribute that counts": (
        {"classes__csv": "name,id\nzebra,1\nokapi,2\ndodo,3\nyak,4\n"},
        r"the column 'id' of classes\.csv counts the classes and is taken as an attribute: delete it if it is none",
    ),
}


@pytest.mark.parametrize(("files", "sentence"), WARNINGS.values(), ids=WARNINGS)
def test_what_has_no_effect_or_looks_odd_is_told(tmp_path, files, sentence):
    write_own(tmp_path, **files)
    with pytest.warns(DataWarning, match=sentence):
        load_folder(tmp_path)
    with pytest.warns(DataWarning, match=sentence):
        load(tmp_path, holdout=0.5)


def test_which_folders_are_of_this_format(tmp_path):
    def named(folder):
        return [one.name for one in formats_in(folder)]

    assert named(write_own(tmp_path / "A")) == ["folder"]
    assert named(draw(tmp_path / "B" / "images").parent) == ["folder"]
    assert named(draw(tmp_path / "C")) == []
    both = write_xlsa17(tmp_path / "D", make_truth())
    (both / "classes.csv").write_text(CLASSES_CSV)
    draw(both / "images")
    assert named(both) == ["xlsa17"]
    (both / "dataset.json").write_text(RECORD)
    assert named(both) == ["folder", "xlsa17"]
    packed = write_packed(tmp_path / "E", make_truth())
    draw(packed / "images")
    assert named(packed) == ["packed"]


def test_features_in_one_file_take_no_memory(tmp_path):
    import tracemalloc

    rows = 2_000
    samples = "file,class\n" + "".join(f"{NAMES[k % 3]}/{k}.png,{NAMES[k % 3]}\n" for k in range(rows))
    x = np.ones((rows, 3_000), np.float32) * np.arange(rows, dtype=np.float32)[:, None]
    write_own(tmp_path, samples__csv=samples, features__npy=x)
    tracemalloc.start()
    load_folder(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
def test_features_are_asked_for_by_the_name_of_their_encoder_or_the_end_of_it(tmp_path):
    folder = write_own(tmp_path, dataset__json=RECORD.replace("lite.onnx", "animals/model"))
    assert load_folder(folder).provenance.features == "animals/model"
    for name in ("animals/model", "model"):
        assert load_folder(folder, features=name).provenance.features == "animals/model"
    with pytest.raises(InputError, match="and not 'animals'"):
        load_folder(folder, features="animals")
