"""One sentence about each mistake in a folder of one's own data, and nothing of it on the command line but that."""

import numpy as np
import pytest

from gsmflow.data import load_folder
from gsmflow.errors import InputError
from tests.data.own import CLASSES, FEATURES, FILES, NAMES, SAMPLES_CSV, write_own
from tests.data.test_folder import NAMED, RECORD, TEXT, WORDS_ONLY

NAN = FEATURES.copy()
NAN[3, 2] = np.nan
LABELS = np.array(CLASSES)

MISTAKES: dict[str, tuple[dict, str]] = {
    "images alone": (
        {"classes__csv": None, "samples__csv": None, "features__npy": None, "images___fox___1__png": b""},
        "holds pictures, but no features of them yet; make them: gsmflow extract {0}/images --model MODEL --out {0}",
    ),
    "an ONNX file beside images": (
        {"features__npy": None, "samples__csv": None, "images___fox___1__png": b"", "lite__onnx": b""},
        "make them: gsmflow extract {0}/images --model {0}/lite.onnx --out {0}",
    ),
    "a table alone": (
        {"samples__csv": None, "features__npy": None},
        "no features: put pictures into {0}/images/CLASS/ and run gsmflow extract {0}/images --model MODEL",
    ),
    "descriptions without semantics": (
        {"classes__csv": WORDS_ONLY},
        "no semantics of them yet; make them: gsmflow describe {0}/classes.csv --model MODEL --out {0}",
    ),
    "with the encoder of last time": (
        {"classes__csv": WORDS_ONLY, "dataset__json": RECORD},
        "make them: gsmflow describe {0}",
    ),
    "names alone": (
        {"classes__csv": NAMED},
        "neither descriptions nor columns of numbers: add some, or take the names for descriptions: gsmflow",
    ),
    "words where numbers were meant": (
        {"classes__csv": "name,striped\nzebra,yes\nokapi,no\n"},
        "neither descriptions nor columns of numbers (columns of texts, such as striped, are notes): add some",
    ),
    "no table": (
        {"classes__csv": None, "dataset__json": RECORD},
        "says nothing of its classes: write {0}/classes.csv, a row a class with its name and a description or",
    ),
    "a class twice": ({"classes__csv": WORDS_ONLY + "dodo,x\n"}, "names the class 'dodo' twice, on lines 4 and 6"),
    "no labels": (
        {"samples__csv": None},
        "features.npy has no labels beside it: add samples.csv (file,class), or labels.npy, labels.csv, labels.txt; "
        "if gsmflow extract was interrupted",
    ),
    "labels twice": ({"labels__npy": LABELS}, "holds labels twice, in samples.csv and in labels.npy; keep one."),
    "labels in the features too": (
        {"features__npy": None, "features__csv": "class,a,b\n" + "zebra,1,2\n" * 6},
        "{0}/features.csv has a column of classes, and samples.csv is there as well; keep one of them.",
    ),
    "features twice": (
        {"features__csv": "a,b\n"},
        "holds several sets of features, features.npy and features.csv; keep one.",
    ),
    "features and shards": (
        {"features___part-00000__npy": FEATURES},
        "holds several sets of features, features.npy and features/part-*; keep one.",
    ),
    "a shard is missing": (
        {"features__npy": None, "features___part-00000__npy": FEATURES, "features___part-00002__npy": FEATURES},
        "holds 2 parts up to part-00002.npy, but part-00001 is missing; put it right, or make the features again.",
    ),
    "shards of two encoders": (
        {"features__npy": None, "features___part-00000__npy": FEATURES, "features___part-00001__npy": FEATURES[:, :3]},
        "part-00001.npy has 3 columns, part-00000.npy 5; parts are of one encoder, so make the features again.",
    ),
    "other samples than features": (
        {"samples__csv": SAMPLES_CSV + "x.png,dodo\n"},
        "{0}/features.npy holds 6 rows, but {0}/samples.csv 7 samples; they must agree, so make both again.",
    ),
    "other names in the features": (
        {"features__npy": None, "features__csv": "file,a,b\n" + "".join(f"{file},1,2\n" for file in FILES[::-1])},
        "names the sample 0 (counted from 0) 'dodo/5.png', and samples.csv 'zebra/0.png'; they must name the same",
    ),
    "an unknown class": (
        {"samples__csv": SAMPLES_CSV.replace("png,dodo", "png,dodu")},
        "{0}/samples.csv: 2 samples are of classes that classes.csv does not name: 'dodu' (2 samples, the first is "
        "'dodo/4.png' on line 6); did you mean 'dodo'? Write them alike, or add a row to classes.csv.",
    ),
    "two unknown classes": (
        {"samples__csv": SAMPLES_CSV.replace("png,dodo", "png,moa").replace("png,okapi", "png,elk")},
        "4 samples are of classes that classes.csv does not name: 'elk' (2 samples, the first is 'okapi/2.png' on line "
        "4), and 1 more such classes; write",
    ),
    "an unknown class in an array": (
        {"samples__csv": None, "labels__npy": np.array(["zebra"] * 5 + ["moa"])},
        "'moa' (1 samples, the first is in row 5 (counted from 0))",
    ),
    "a sample without a class": (
        {"samples__csv": "file,class\na,\n"},
        "line 2 has no class; fill it in or drop the row.",
    ),
    "a sample without a name": ({"samples__csv": "file,class\n,dodo\n"}, "line 2 names no file; fill it in or drop"),
    "a sample of two classes": (
        {"samples__csv": SAMPLES_CSV + f"{FILES[0]},dodo\n"},
        "'zebra/0.png' is of the class 'zebra' on line 2 and of 'dodo' on line 8; keep one of them.",
    ),
    "samples without a column of classes": (
        {"samples__csv": "file,klass\na,dodo\n"},
        "lacks the column 'class', the class of each sample; its first line, which must name the columns, holds: file,",
    ),
    "a label out of range": (
        {"samples__csv": None, "labels__npy": np.array([0, 0, 1, 1, 2, 9])},
        "1 labels are out of range for the 4 classes of classes.csv, the first is 9 of the sample in row 5 (counted",
    ),
    "a negative label": (
        {"samples__csv": None, "labels__txt": "0\n1\n-1\n0\n0\n0"},
        "the first is -1 of the sample on",
    ),
    "a label from nowhere": (
        {"samples__csv": None, "labels__npy": np.array([0, 0, 1, 1, 2, 4])},
        "holds the labels 0 and 4 for the 4 classes of classes.csv: counted from 0 the last is 3, counted from 1 there",
    ),
    "labels of two meanings": (
        {"samples__csv": None, "labels__npy": np.array([1, 1, 2, 2, 3, 3])},
        "holds the labels 1 to 3 for the 4 classes of classes.csv, and they may count from 0 or from 1; write names",
    ),
    "an empty line of labels": (
        {"samples__csv": None, "labels__txt": "a\n\nb"},
        "line 2 is empty, where the class of a",
    ),
    "NaN with the name of its sample": ({"features__npy": NAN}, "okapi/3.png"),
    "a class without its row of semantics": (
        {"classes__csv": WORDS_ONLY + "moa,big\n", "semantics__npy": TEXT, "semantics__csv": NAMED},
        "{0}/classes.csv names 1 class (moa) without semantics, since semantics.csv does not name it; run again: ",
    ),
    "semantics of nobody": (
        {"classes__csv": WORDS_ONLY, "semantics__npy": TEXT[:3]},
        "{0}/semantics.npy has 3 rows for the 4 classes of classes.csv, and semantics.csv, which would say whose",
    ),
    "names of semantics alone": (
        {"semantics__csv": NAMED},
        "names classes, but semantics.npy is missing; make both again",
    ),
    "semantics and names that disagree": (
        {"semantics__npy": TEXT[:3], "semantics__csv": NAMED},
        "{0}/semantics.npy has 3 rows, but semantics.csv names 4 classes; make both again with gsmflow describe.",
    ),
    "a name of semantics twice": (
        {"semantics__npy": TEXT, "semantics__csv": NAMED.replace("dodo", "zebra")},
        "{0}/semantics.csv names 'zebra' twice, on lines 2 and 4; keep one, and its row.",
    ),
    "a split of an unknown file": (
        {"splits__csv": f"file,split\n{FILES[0]},trainval\nzebra/1.jpg,test_seen\n"},
        "{0}/splits.csv: line 3 names the file 'zebra/1.jpg', and samples.csv has no such sample; did you mean "
        "'zebra/1.png'? Correct it or drop the line.",
    ),
    "a split of an unknown row": (
        {"splits__csv": "row,split\n0,trainval\n6,test_seen\n"},
        "line 3 names the row '6', and samples.csv has the rows 0 to 5; correct it or drop the line.",
    ),
    "an unknown split": (
        {"splits__csv": "row,split\n0,train\n"},
        "line 2 names the split 'train'; there are trainval, test_seen, test_unseen; did you mean 'trainval'?",
    ),
    "a sample twice in a split": (
        {"splits__csv": "row,split\n0,trainval\n1,trainval\n0,trainval\n"},
        "names '0' twice, for trainval on line 2 and for trainval on line 4; keep one.",
    ),
    "a split of files and rows": (
        {"splits__csv": "row,file,split\n"},
        "a column 'file' or a column 'row' (counted from 0)",
    ),
    "a split of files that have no names": (
        {"samples__csv": None, "labels__npy": LABELS, "splits__csv": "file,split\na,trainval\n"},
        "names files, but no file names the samples; name them in the column 'row', from 0.",
    ),
    "a split without splits": (
        {"splits__csv": "file\na\n"},
        "lacks the column 'split', which is trainval, test_seen or",
    ),
    "nothing to learn from": ({"splits__csv": "row,split\n0,test_seen\n"}, "trainval is empty"),
    "splits of another layout": (
        {"trainval__npy": LABELS, "dataset__json": RECORD},
        "holds trainval.npy, which have no effect beside dataset.json or classes.csv: name splits in splits.csv",
    ),
    "a newer folder": ({"dataset__json": '{"format": 2}'}, "is of format 2, this version reads 1: upgrade gsmflow."),
    "a damaged record": ({"dataset__json": "{"}, "{0}/dataset.json is not readable JSON"),
    "a truncated file of numpy": ({"features__npy": b"\x93NUMPY\x01\x00v"}, "is not a readable .npy file"),
    "latin-1 samples": (
        {"samples__csv": "file,class\nzebr\xe4.png,zebra\n".encode("latin-1")},
        "{0}/samples.csv is not UTF-8: line 2 holds the byte 0xe4",
    ),
    "names that are texts of numbers": ({"features__npy": np.array([["a", "b"]] * 6)}, "must hold a table of numbers"),
}


@pytest.mark.parametrize(("files", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(tmp_path, files, sentence):
    folder = write_own(tmp_path / "MY", **files)
    with pytest.raises(InputError) as caught:
        load_folder(folder)
    told = str(caught.value)
    assert sentence.format(folder) in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "case", ["an unknown class", "a label out of range", "a split of an unknown file", "a truncated file of numpy"]
)
def test_mistakes_on_the_command_line(gsmflow, tmp_path, case):
    files, sentence = MISTAKES[case]
    result = gsmflow("train", write_own(tmp_path / "MY", **files), "--out", tmp_path / "run")
    assert result.code == 2
    assert sentence.format(tmp_path / "MY") in result.err
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_space_in_its_name_is_quoted_in_commands(tmp_path):
    with pytest.raises(InputError, match=r"gsmflow describe '.*/my own/classes\.csv' --model MODEL --out '.*/my own'$"):
        load_folder(write_own(tmp_path / "my own", classes__csv=WORDS_ONLY))


def test_names_of_files_are_any(tmp_path):
    """With spaces, commas, letters of any kind, and line breaks."""
    files = ("zebra/ a b.png", "zebra/é,1.png", "okapi/猫.png", 'okapi/"x".png', "dodo/a\nb.png", "dodo/#.png")
    table = "file,class\n" + "".join(
        '"{}",{}\n'.format(file.replace('"', '""'), NAMES[k]) for file, k in zip(files, CLASSES, strict=True)
    )
    splits = "file,split\n" + "".join('"{}",trainval\n'.format(file.replace('"', '""')) for file in files)
    assert load_folder(write_own(tmp_path, samples__csv=table, splits__csv=splits)).sample_names == files
