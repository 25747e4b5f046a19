"""The report of runs where something is lacking, or there is very much of it: it says so, and nothing crashes."""

import re
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import gsmflow
from gsmflow.data import ZeroShotDataset, synthetic
from gsmflow.errors import DataWarning
from gsmflow.report import write_report
from gsmflow.report.drawings import binned
from gsmflow.report.facts import class_rows, read_facts
from gsmflow.runs import folder as files
from tests.report.pages import Page
from tests.tiny import GAUSSIAN, problem

pytestmark = pytest.mark.filterwarnings(f"ignore::{DataWarning.__module__}.{DataWarning.__name__}")
WHOLE = problem()
OF_BASELINE = replace(GAUSSIAN, generator="eszsl", recognizer="compatibility")


def part(test_seen=(), test_unseen=(), classes=WHOLE.num_classes) -> ZeroShotDataset:
    """The problem with other test sets, or without its last classes."""
    rows = np.flatnonzero(WHOLE.labels < classes)
    features, labels = WHOLE.features[rows], WHOLE.labels[rows]
    return ZeroShotDataset(
        "odd",
        *(features, labels, WHOLE.semantics[:classes], WHOLE.class_names[:classes]),
        *(WHOLE.trainval, test_seen, test_unseen),
    )


ODD = {
    "no test_unseen": (
        lambda: (part(WHOLE.test_seen), GAUSSIAN, "validated"),
        {"S"},
        [
            "There is no seen-unseen curve, no H and no AUSUC: there are no test samples of unseen classes.",
            "There is no map and no generation shifts: no unseen class has a test sample.",
        ],
        ["Classes, worst first", "Confusion"],
    ),
    "no test_seen": (
        lambda: (part((), WHOLE.test_unseen), GAUSSIAN, "validated"),
        {"T1", "U"},
        ["There is no seen-unseen curve, no H and no AUSUC: there are no test samples of seen classes."],
        ["Classes, worst first", "Confusion", "Map of unseen classes", "Generation shifts"],
    ),
    "no tests": (
        lambda: (part(), GAUSSIAN, "validated"),
        set(),
        [
            "There is no seen-unseen curve, no H and no AUSUC: there are no test samples of seen and of unseen "
            "classes.",
            "Nothing is told of single classes: there are no test samples.",
            "There is no map and no generation shifts: no unseen class has a test sample.",
        ],
        [],
    ),
    "no unseen classes": (
        lambda: (part(WHOLE.test_seen, (), 6), GAUSSIAN, "fixed"),
        {"S"},
        [
            "There is no seen-unseen curve, no H and no AUSUC: there are no unseen classes.",
            "There is no map and no generation shifts: there are no unseen classes.",
        ],
        ["Classes, worst first", "Confusion"],
    ),
    "nothing chosen": (
        lambda: (WHOLE, GAUSSIAN, "fixed"),
        {"T1", "U", "S", "H", "AUSUC"},
        [],
        ["Seen-unseen curve", "Classes, worst first", "Confusion", "Map of unseen classes", "Generation shifts"],
    ),
    "nothing generated": (
        lambda: (WHOLE, OF_BASELINE, "validated"),
        {"T1", "U", "S", "H", "AUSUC"},
        ["There is no map and no generation shifts: this model generates no features."],
        ["Seen-unseen curve", "Classes, worst first", "Confusion"],
    ),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The run of each kind, and its data."""
    made: dict[str, tuple[Path, ZeroShotDataset]] = {}

    def get(kind: str) -> tuple[Path, ZeroShotDataset]:
        if kind not in made:
            data, settings, protocol = ODD[kind][0]()
            folder = tmp_path_factory.mktemp("odd") / kind.replace(" ", "-")
            made[kind] = gsmflow.train(data, settings, protocol=protocol).save(folder), data
        return made[kind]

    return get


@pytest.mark.parametrize("kind", ODD)
def test_the_page_of_an_odd_run(odd, tmp_path, kind):
    (folder, data), (_, measured, sentences, sections) = odd(kind), ODD[kind]
    said = []
    page = Page(write_report([folder], tmp_path / "page.html", dataset=data, say=said.append))
    assert said == sentences
    assert [text for text in page.texts["p"] if text in sentences] == sentences
    first, last = ["Result", "Training and choice"], ["Settings and provenance"]
    assert page.headings() == [*first, *sections, *last]
    results = re.findall(r"<div[^>]*><dt>(\w+)</dt><dd[^>]*>([^<]+?)\s*</dd>\s*<dd[^>]*>([^<]+)</dd>", page.source)
    assert [name for name, _, _ in results] == (["T1", "U", "S", "H", "AUSUC"] if measured else [])
    validated = "Nothing was chosen" not in page.text()
    assert ("Estimates, not measurements" in page.text()) == validated
    for name, value, interval in results:
        if name in measured:
            assert re.fullmatch(r"\d+\.\d", value)
            assert re.fullmatch(r"\d+\.\d to \d+\.\d", interval)
        else:
            assert (value, interval) == ("not measured", "no test samples")
    assert "None" not in page.text()
    assert not re.search(r"\bnan\b", page.source)
    files = {path.stem for path in (tmp_path / "page-files").iterdir()}
    assert page.tags["svg"] == len(files)
    assert ("curve" in files) == ("Seen-unseen curve" in sections)
    assert ("confusion" in files) == ("Confusion" in sections)


@pytest.mark.parametrize("kind", ["nothing chosen", "no unseen classes"])
def test_where_nothing_was_chosen_nothing_is_drawn_of_it(odd, tmp_path, kind):
    folder, data = odd(kind)
    page = Page(write_report([folder], tmp_path / "page.html", dataset=data))
    assert "Nothing was chosen; the test sets were read once." in page.text()
    assert "Nothing was chosen: the model is the first that its settings name." in page.texts["p"]
    assert "Selected on" not in page.text()
    assert not [path for path in (tmp_path / "page-files").iterdir() if path.name.startswith("judged")]


def test_a_model_of_steps_where_nothing_was_chosen(tmp_path):
    from tests.tiny import TINY

    folder = gsmflow.train(WHOLE, replace(TINY, recognizer="softmax"), protocol="fixed").save(tmp_path / "run")
    page = Page(write_report([folder], dataset=WHOLE))
    assert "Nothing was chosen: the model is the first that its settings name." in page.texts["p"]
    assert {path.name for path in (folder / "report-files").iterdir()} >= {"losses.png", "curve.png"}
    assert "closed form" not in page.text()


def test_odd_runs_side_by_side(odd, tmp_path):
    said = []
    runs = [odd(kind)[0] for kind in ODD]
    page = Page(write_report(runs, tmp_path / "page.html", say=said.append))
    lacking = {
        "no-test_unseen": "there are no test samples of unseen classes.",
        "no-test_seen": "there are no test samples of seen classes.",
        "no-tests": "there are no test samples of seen and of unseen classes.",
        "no-unseen-classes": "there are no unseen classes.",
    }
    assert said == [f"{name} has no seen-unseen curve, no H and no AUSUC: {why}" for name, why in lacking.items()]
    assert page.headings() == ["Result", "Side by side", "What differs", *(run.name for run in runs)]
    curves = [text for text in page.texts["text"] if "AUSUC" in text]
    assert [text.split(":")[0] for text in curves] == ["nothing-chosen (5)", "nothing-generated (6)"]
    assert page.texts["p"].count("Nothing is told of single classes: there are no test samples.") == 1
    assert sum("not measured" in cell for cell in page.texts["td"]) == 4 + 3 + 5 + 4
    alone = Page(write_report(runs[:3], tmp_path / "page.html"))
    assert alone.headings() == ["Result", "What differs", *(run.name for run in runs[:3])]


def test_what_differs_is_told_in_words(odd, tmp_path):
    folder, data = odd("nothing chosen")
    settings = replace(
        GAUSSIAN,
        gaussian=replace(GAUSSIAN.gaussian, ridges=(0.5,)),
        selection=replace(GAUSSIAN.selection, ratio=0.3),
        grid=("scaling=none,l2", "gaussian.dims=3,4"),
    )
    other = gsmflow.train(data, settings, protocol="fixed", seed=3).save(tmp_path / "other")
    third = gsmflow.train(data, GAUSSIAN, protocol="fixed").save(tmp_path / "third")
    page = Page(write_report([folder, other, third], tmp_path / "page.html"))
    rows = dict(re.findall(r"<tr><th scope=\"row\"><code>(.*?)</code></th>(.*?)</tr>", page.source))
    assert rows == {
        "settings.seed": "<td>0</td><td>3</td><td>0</td>",
        "settings.gaussian.ridges": "<td>0.1, 1.0</td><td>0.5</td><td>0.1, 1.0</td>",
        "settings.selection.ratio": "<td>none</td><td>0.3</td><td>none</td>",
        "settings.grid": "<td>none</td><td>scaling=none,l2; gaussian.dims=3,4</td><td>none</td>",
    }


def test_data_that_are_not_those_of_the_run(odd, tmp_path):
    said = []
    write_report([odd("nothing chosen")[0]], tmp_path / "page.html", dataset=problem(seed=1), say=said.append)
    (sentence,) = said
    assert "The data set synthetic that was given is not the one that the run was made on" in sentence


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """More classes than confusion.csv has a matrix of."""
    data = synthetic(classes=1_203, unseen=3, samples=6, dim=8)
    result = gsmflow.train(data, GAUSSIAN, protocol="fixed")
    return result, result.save(tmp_path_factory.mktemp("many") / "run")


def test_a_run_of_more_classes_than_a_matrix_holds(many, tmp_path):
    result, folder = many
    said = []
    page = Page(write_report([folder], tmp_path / "page.html", dataset=result.dataset, say=said.append))
    assert said == []
    assert (folder / "confusion.csv").read_text().startswith("true,decided,count\n")
    assert {"Classes, worst first", "Confusion", "Map of unseen classes"} <= set(page.headings())
    assert "1200 seen, 3 unseen" in page.texts["td"]
    assert page.texts["summary"][0] == "the other 1188 classes"
    assert any("A square stands for 4 x 4 classes." in text for text in page.texts["figcaption"])
    rows = class_rows(read_facts(folder, "run"))
    for row in rows:
        k = result.dataset.class_names.index(row.name)
        inside = result.metrics.labels == k
        assert (row.samples, row.row) == (inside.sum(), k + 1)
        assert row.right == (result.metrics.predicted[inside] == k).sum()
    accuracies = [row.accuracy for row in rows]
    assert accuracies == sorted(accuracies)
    assert np.mean([row.accuracy for row in rows if row.is_unseen]) == pytest.approx(result.metrics.U)
    assert np.mean([row.accuracy for row in rows if not row.is_unseen]) == pytest.approx(result.metrics.S)


def test_pairs_and_matrix_give_the_same_page(odd, tmp_path, monkeypatch):
    """One run with its confusions written both ways."""
    folder, data = odd("nothing chosen")
    copy = shutil.copytree(folder, tmp_path / folder.name)
    facts = read_facts(folder, "run")
    monkeypatch.setattr(files, "MATRIX_CLASSES", 3)
    files.RunFolder(copy).write_confusions(facts.confusions, facts.class_names)
    assert (copy / "confusion.csv").read_text().startswith("true,decided,count\n")
    pages = [write_report([run], tmp_path / "page.html", dataset=data).read_text() for run in (folder, copy)]
    assert pages[0].replace(str(folder), str(copy)) == pages[1]


def test_classes_that_share_a_square_are_added_up():
    confusions = np.array([[0, 0, 5], [0, 3, 1], [1, 2, 2], [3, 1, 4], [4, 4, 7]])
    assert binned(confusions, np.arange(5) // 2).tolist() == [[5, 3, 0], [4, 0, 0], [0, 0, 7]]


def test_of_very_many_unseen_classes_the_page_says_which_are_looked_at(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("gsmflow.report.probe"), "MOST_CLASSES", 1)
    folder, data = odd("nothing chosen")
    page = Page(write_report([folder], tmp_path / "page.html", dataset=data))
    told = "Of 2 unseen classes with test samples 1 are looked at, evenly spread."
    assert page.texts["p"].count(told) == 2
