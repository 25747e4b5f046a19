"""The files of a run folder: each is read back as it was written, or told to be damaged."""

import json

import numpy as np
import pytest

from gsmflow import experiment
from gsmflow.data import synthetic
from gsmflow.errors import InputError
from gsmflow.evaluation.metrics import Curve
from gsmflow.runs import JudgedEvent, RankedEvent, RunFolder, TrainEvent
from gsmflow.runs.folder import MATRIX_CLASSES
from tests.tiny import GAUSSIAN

EVENTS = [
    TrainEvent("fold 1", 20, {"nll": 1.5, "prototype": 0.25}),
    JudgedEvent("fold 1", 20, True, "validation", 50.0, ({"candidate": 0, "H": 50.0, "choice": {"epoch": 1.0}},)),
    RankedEvent("fold", (50.0, 25.0), ((50.0,), (25.0,))),
]


def names(count: int) -> tuple[str, ...]:
    return tuple(f'class, "{k}"\n' for k in range(count))


@pytest.mark.parametrize("classes", [1, 7, MATRIX_CLASSES, MATRIX_CLASSES + 1])
def test_confusions_come_back(tmp_path, classes):
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(classes, size=(50, 2)), axis=0)
    confusions = np.column_stack([pairs, rng.integers(1, 9, len(pairs))])
    folder = RunFolder(tmp_path)
    folder.write_confusions(confusions, names(classes))
    np.testing.assert_array_equal(folder.read_confusions(names(classes)), confusions)
    with pytest.raises(InputError, match=r"confusion\.csv is missing or damaged"):
        folder.read_confusions(tuple(f"x{k}" for k in range(classes)))


def test_no_confusions_come_back_as_none(tmp_path):
    folder = RunFolder(tmp_path)
    for classes in (3, MATRIX_CLASSES + 1):
        folder.write_confusions(np.empty((0, 3), np.int64), names(classes))
        assert folder.read_confusions(names(classes)).shape == (0, 3)


@pytest.mark.parametrize("text", ["", "true,decided,count\na,b\n", "true,decided,count\na,a,-1\n", "x,a\na,1.5\n"])
def test_damaged_confusions(tmp_path, text):
    (tmp_path / "confusion.csv").write_text(text)
    with pytest.raises(InputError, match=r"confusion\.csv is missing or damaged"):
        RunFolder(tmp_path).read_confusions(("a",))


def test_a_run_of_more_classes_than_a_matrix_holds(tmp_path):
    """The whole way through; the file lists the pairs, and reads back as what the model decided."""
    data = synthetic(classes=MATRIX_CLASSES + 5, unseen=3, samples=3, dim=4)
    result = experiment.train(data, GAUSSIAN, protocol="fixed")
    folder = RunFolder(result.save(tmp_path / "run"))
    lines = (tmp_path / "run" / "confusion.csv").read_text().splitlines()
    assert lines[0] == "true,decided,count"
    assert len(lines) < 2 * MATRIX_CLASSES
    found = folder.read_confusions(data.class_names)
    np.testing.assert_array_equal(found, result.metrics.confusions)
    assert found[:, 2].sum() == len(data.test_seen) + len(data.test_unseen)
    hits = found[found[:, 0] == found[:, 1]]
    for k, often in hits[:, [0, 2]].tolist():
        assert result.metrics.accuracy[k] == 100 * often / np.sum(result.metrics.labels == k)


def test_history_comes_back(tmp_path):
    folder = RunFolder(tmp_path)
    for event in EVENTS:
        folder.add_event(event)
    assert folder.read_history() == EVENTS
    assert folder.read_history(2) == EVENTS[:2]
    folder.write_history(EVENTS[1:])
    assert folder.read_history() == EVENTS[1:]
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["judged", "ranked"]


@pytest.mark.parametrize(
    "line", ['{"event": "tra', "[]", "3", '{"event": "trained"}', '{"event": "train", "phase": "x"}', "[" * 100_000]
)
def test_a_damaged_history_is_told_in_one_sentence(tmp_path, line):
    (tmp_path / "history.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"history\.jsonl is missing or damaged \(.*\); start a new run\.$") as error:
        RunFolder(tmp_path).read_history()
    assert "\n" not in str(error.value)


def test_a_curve_comes_back(tmp_path):
    curve = Curve(np.array([-1.0, 0.5, 2.0]), np.array([0, 50, 100.0]), np.array([100, 50, 0.0]))
    for one in (curve, Curve(*np.empty((3, 0)))):
        RunFolder(tmp_path).write_curve(one)
        found = RunFolder(tmp_path).read_curve()
        for name in ("constants", "unseen", "seen"):
            np.testing.assert_array_equal(getattr(found, name), getattr(one, name))
    (tmp_path / "curve.csv").write_text("constants,unseen\n1,2\n")
    with pytest.raises(InputError, match=r"curve\.csv is missing or damaged"):
        RunFolder(tmp_path).read_curve()


def test_what_a_folder_says_of_itself(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert (folder.is_begun, folder.is_finished, str(folder)) == (False, False, str(tmp_path / "run"))
    assert repr(folder).endswith(": no run)")
    folder.make()
    folder.config_file.write_text("")
    assert repr(folder).endswith(": unfinished)")
    with pytest.raises(InputError, match=r"holds an unfinished run: continue it with gsmflow train --resume .*run"):
        folder.make()
    folder.metrics_file.write_text("")
    assert repr(folder).endswith(": finished)")
    with pytest.raises(InputError, match=r"holds a finished run; choose another place, or delete that folder\.$"):
        folder.make()
