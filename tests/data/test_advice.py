"""All that is still to be done in a folder, at once and in order; and what will be done with one that is complete."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from gsmflow.data import ZeroShotDataset, load, load_folder
from gsmflow.data.advice import advise, outlook
from gsmflow.data.skeleton import write_skeleton
from tests.data.own import CLASSES_CSV, FILES, SAMPLES_CSV, draw, write_own
from tests.data.test_folder import ENCODER, NAMED, RECORD, TEXT, WORDS_ONLY
from tests.data.twins import make_truth, write_xlsa17

PICTURES = {f"images___{file.replace('/', '___').replace('.', '__')}": b"" for file in FILES}
NOTHING_YET = {"features__npy": None, "samples__csv": None, "classes__csv": WORDS_ONLY, **PICTURES}


def test_pictures_and_descriptions(tmp_path):
    """As a person begins."""
    folder = write_own(tmp_path / "MY", **NOTHING_YET, splits__csv=f"file,split\n{FILES[0]},trainval\n")
    write_xlsa17(folder / "BIRDS", make_truth())
    advice = advise(folder)
    assert advice.found == {
        "classes.csv": "4 classes; 4 with a description",
        "images": "6 pictures of 3 classes",
        "splits.csv": "trainval 1, test_seen 0, test_unseen 0",
        "BIRDS": f"a data set of its own, in the format xlsa17: gsmflow data check BIRDS --data-root {folder}",
    }
    assert [todo.command for todo in advice.todo] == [
        f"gsmflow extract {folder}/images --model MODEL --out {folder}",
        f"gsmflow describe {folder}/classes.csv --model MODEL --out {folder}",
    ]


def test_a_template_to_be_filled_in(tmp_path):
    write_skeleton(tmp_path)
    draw(tmp_path / "images")
    todo = advise(tmp_path).todo[0]
    assert todo.sentence.endswith(
        f"names no class yet; to write the 3 names found in {tmp_path} (dodo, okapi, zebra) into it:"
    )
    assert todo.command == f"gsmflow data init {tmp_path}"


def test_everything_wrong_is_told_at_once(tmp_path):
    files = {
        **NOTHING_YET,
        "classes__csv": "name,description\nzebra,striped\nokapi,\ndodo,\n",
        "images___moa___1__png": b"",
        "images___loose__png": b"",
        "splits__csv": "file,split\nzebra/9.png,trainval\n",
        "dataset__json": '{"format": 3}',
    }
    told = [todo.sentence for todo in advise(write_own(tmp_path, **files)).todo]
    expected = [
        "is of format 3, this version reads 1",
        "2 classes have no description: okapi, dodo; write one for each.",
        "1 pictures lie in no folder of a class, the first is 'loose.png'; move each into the folder of its class",
        "1 pictures lie in folders of classes that classes.csv does not name: moa; add a row for each, or rename",
        "holds pictures, but no features of them yet; make them:",
        "holds descriptions, but no semantics of them yet; make them:",
        "line 2 names the file 'zebra/9.png', and images has no such sample",
    ]
    assert len(told) == len(expected)
    for sentence, part in zip(told, expected, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"classes__csv": None, "features__npy": None, "samples__csv": None}, ["no features", "says nothing of"]),
        (
            {"features__npy": b"cut", "classes__csv": CLASSES_CSV + "x\n"},
            ["'striped': the attribute", "not a readable"],
        ),
        ({"samples__csv": None, "classes__csv": WORDS_ONLY}, ["no labels beside it", "no semantics of them"]),
        (
            {"samples__csv": SAMPLES_CSV.replace("png,dodo", "png,moa")},
            ["2 samples are of classes that"],
        ),
        ({"samples__csv": "x", "labels__txt": "a"}, ["holds labels twice"]),
        (
            {"samples__csv": "x\n1\n", "splits__csv": "row,split\n9,trainval\n"},
            ["samples.csv lacks the column"],
        ),
        ({"semantics__csv": NAMED}, ["semantics.npy is missing"]),
        ({"trainval__npy": np.arange(2), "dataset__json": RECORD}, ["holds trainval.npy, which have no effect"]),
        ({"splits__csv": "row,split\n0,test_seen\n"}, ["the split trainval is empty"]),
    ],
)
def test_what_is_told(tmp_path, files, expected):
    told = [todo.sentence for todo in advise(write_own(tmp_path, **files)).todo]
    assert len(told) == len(expected), told
    for sentence, part in zip(told, expected, strict=True):
        assert part in sentence


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
def test_nothing_is_to_be_done_in_a_complete_folder(tmp_path):
    advice = advise(write_own(tmp_path))
    assert advice.todo == []
    assert advice.found == {
        "classes.csv": "4 classes; 4 with a description; 2 attributes; notes: seen by",
        "features.npy": "6 rows of 5 numbers",
        "samples.csv": "6 labels",
        "semantics": "attributes, 2 dimensions",
    }


def test_the_outlook_on_a_folder(tmp_path):
    record = {"format": 1, "encoder": asdict(ENCODER), "text_encoder": None, "images": ""}
    folder = write_own(
        tmp_path / "MY", dataset__json=json.dumps(record), classes__csv=CLASSES_CSV.replace("a bird", " ")
    )
    draw(folder / "images", (*FILES[:-1], "zebra/new.png"))
    told = dict(outlook(load(folder, holdout=0.2)))
    assert told == {
        "samples a class": "zebra: 2, okapi: 2, dodo: 2",
        "pictures": f"5 in {folder}/images; 1 are not there, the first is dodo/5.png",
        "no samples": "1 other pictures there, such as zebra/new.png",
        "descriptions": "3 of 4 classes; none of dodo",
        "attributes": "striped, height",
        "columns of texts": "seen by",
        "encoder": "lite.onnx (onnx, 5 dimensions, sha256 abababababab)",
        "validation": "on pseudo-unseen classes, taken out of the 3 seen ones in turn",
        "test of seen classes": "none: no test samples",
        "test of unseen classes": "none: no test samples; training reports an ESTIMATE, from the pseudo-unseen classes",
    }


def test_the_outlook_on_pictures_that_are_gone(tmp_path):
    record = {"format": 1, "encoder": None, "text_encoder": None, "images": "/gone"}
    told = dict(outlook(load_folder(write_own(tmp_path, dataset__json=json.dumps(record)))))
    assert told["pictures"] == "/gone is not there; they are needed for the report alone"


def test_the_outlook_on_a_benchmark():
    told = dict(outlook(ZeroShotDataset("TWIN", **vars(make_truth()))))
    assert told["test of seen classes"] == "S, on 8 samples"
    assert told["test of unseen classes"] == "T1 and U, on 10 samples"


def test_the_outlook_on_few_classes_and_on_many():
    few = ZeroShotDataset("FEW", np.eye(4), [0, 0, 1, 1], [[1, 0], [0, 1]], trainval=range(4))
    told = dict(outlook(few))
    assert told["validation"] == "impossible: it needs 3 seen classes at least, and there are 2"
    assert told["test of unseen classes"] == "none: every class has training samples"
    more = ZeroShotDataset("MORE", np.eye(4), [0, 0, 1, 1], np.eye(3), trainval=range(4))
    assert "no estimate either" in dict(outlook(more))["test of unseen classes"]
    labels = [*range(20), 3, 3]
    names = [f"c{k}" for k in range(21)]
    many = ZeroShotDataset("MANY", np.eye(22), labels, np.eye(21), names, trainval=range(22))
    assert dict(outlook(many))["samples a class"] == (
        "c0: 1, c1: 1, c2: 1, c4: 1, …, c19: 1, c3: 3; 1 classes have none"
    )


def test_held_out_samples_are_called_so(tmp_path):
    data = load(write_own(tmp_path, semantics__npy=TEXT, semantics__csv=NAMED), holdout=0.5)
    assert not len(data.test_seen)  # two samples a class: none is held out
    labels = [0, 0, 0, 1, 1, 1]
    classes = "name,a,b\nzebra,1,2\nokapi,2,1\nyak,0,1\n"
    other = write_own(tmp_path / "B", samples__csv=None, labels__txt="\n".join(map(str, labels)), classes__csv=classes)
    assert dict(outlook(load(other, holdout=0.3)))["test of seen classes"] == "S, on 2 samples held out of trainval"
