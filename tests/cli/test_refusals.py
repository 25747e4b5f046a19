"""Bad input of the command line: exit code 2, one sentence, and nothing that was there is changed."""

import errno
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.numpy import save_file

from tests.data.twins import make_truth, write_xlsa17
from tests.tiny import TRAIN, Stops


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_refused(result: SimpleNamespace, sentence: str) -> None:
    """Exit code 2 and one line on standard error."""
    assert result.code == 2, result
    assert result.out == ""
    assert re.fullmatch(r"gsmflow: [^\n]*[.?]\n", result.err), result.err
    assert "Traceback" not in result.err
    assert sentence in result.err


def test_a_folder_in_use_is_refused_and_left_alone(gsmflow, run):
    before = contents(run)
    assert_refused(gsmflow(*TRAIN, "--out", "run"), "run holds another run; choose another --out")
    assert_refused(gsmflow("train", "--resume", "run"), "The run in run is finished: see its metrics.json")
    assert contents(run) == before


BAD_COMMANDS = {
    "unknown command": (
        ("trian", "digits"),
        "there is no command 'trian'; choose one of train, evaluate, compare, reproduce, report, data.",
    ),
    "no data set": (("train",), "say which data set: gsmflow train DATASET"),
    "no such folder of data": (
        ("train", "AWA2", "--data-root", "nowhere"),
        "no data set 'AWA2' in nowhere (no such f",
    ),
    "no such data set": (("train", "x"), "no data set 'x' in data (data sets there: TWIN)"),
    "no such features": ((*TRAIN, "--features", "clip"), "holds no features 'clip'; there are res101: choose with"),
    "no such recipe": (("train", "TWIN", "--recipe", "x"), "There is no recipe 'x': choose one of "),
    "no such recipe file": (("train", "TWIN", "--recipe", "x.yaml"), "The recipe file x.yaml does not exist."),
    "no such device": ((*TRAIN, "--device", "abacus"), "There is no device 'abacus' here"),
    "unknown option": ((*TRAIN, "--flow.block", "3"), "--flow.block"),
    "zero epochs": ((*TRAIN, "--training.epochs", "0"), "training.epochs: Input should be greater than or equal to 1"),
    "zero batch": ((*TRAIN, "--training.batch", "0"), "training.batch: "),
    "no folds": ((*TRAIN, "--selection.folds", "0"), "selection.folds: "),
    "never judged": ((*TRAIN, "--selection.every", "0"), "selection.every: "),
    "negative seed": ((*TRAIN, "--seed", "-1"), "seed: "),
    "infinite learning rate": ((*TRAIN, "--training.lr", "inf"), "finite"),
    "diverging": ((*TRAIN, "--training.lr", "1e38", "--flow.blocks", "5"), "finite"),
    "diverging recognizer": ((*TRAIN, "--softmax.lr", "1e38"), "finite"),
    "no likelihoods": ((*TRAIN, "--generator", "gaussian", "--recognizer", "likelihood", "--resume", "x"), "--resume"),
    "quiet and verbose": ((*TRAIN, "--verbose"), "--quiet and --verbose contradict each other; give one of them."),
    "resume of nothing": (("train", "--resume", "nowhere"), "nowhere is no run folder: it holds no config.yaml."),
    "evaluate nothing": (("evaluate", "data"), "data is no run folder: it holds no config.yaml."),
    "check nothing": (("data", "check", "data/NONE"), "no data set 'NONE' in data (data sets there: TWIN)"),
    "check a folder of folders": (("data", "check", "data"), "data holds no data set: expected <features>.mat with"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_bad_input_is_one_sentence(gsmflow, place, arguments, sentence):
    assert_refused(gsmflow(*arguments), sentence)
    assert {path.name for path in place.iterdir()} <= {"data", "tiny.yaml", "runs"}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


DAMAGED = {
    "truncated model": (lambda run: truncate(run / "model.safetensors"), "model.safetensors is not a readable safe"),
    "no model": (lambda run: (run / "model.safetensors").unlink(), "holds no model.safetensors"),
    "config of other sizes": (
        lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 17"),
        "does not fit its co",
    ),
    "unknown key": (lambda run: edit(run / "config.yaml", "blocks: 1", "block: 1"), "no setting 'settings.flow.block'"),
    "truncated config": (lambda run: truncate(run / "config.yaml"), "config.yaml"),
    "config of bytes": (lambda run: (run / "config.yaml").write_bytes(b"\xff\x00"), "is not readable YAML"),
    "truncated metrics": (lambda run: truncate(run / "metrics.json"), "metrics.json is not valid JSON"),
    "metrics of another kind": (lambda run: (run / "metrics.json").write_text("[]"), "metrics.json"),
    "data gone": (lambda run: (run.parent / "data" / "TWIN" / "res101.mat").unlink(), "holds no features 'res101'"),
    "other features": (
        lambda run: write_xlsa17(run.parent / "data" / "TWIN", make_truth(), features=make_truth().features.T[:5]),
        "The model was trained on features of 7 dimensions, these have 5",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGED.values(), ids=DAMAGED)
def test_evaluate_a_damaged_run(gsmflow, run, damage, sentence):
    damage(run)
    assert_refused(gsmflow("evaluate", "run"), sentence)


@pytest.fixture
def half(gsmflow, place, monkeypatch):
    """A run interrupted in its first fold."""
    with monkeypatch.context() as patch:
        Stops(patch, 4)
        assert gsmflow(*TRAIN, "--out", "run").code == 143
    return place / "run"


UNRESUMABLE = {
    "truncated state": (lambda run: truncate(run / "state.safetensors"), "state.safetensors is not a readable safeten"),
    "state of another program": (lambda run: save_file({}, run / "state.safetensors"), "state.safetensors"),
    "config of other sizes": (lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 17"), "state.safetensors"),
    "that, and no history": (
        lambda run: (edit(run / "config.yaml", "hidden: 16", "hidden: 17"), (run / "history.jsonl").unlink()),
        "state.safetensors",
    ),
    "value out of range": (lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 0"), "settings.flow.hidden: "),
    "damaged history": (lambda run: (run / "history.jsonl").write_text("{\n" * 9), "history.jsonl"),
    "no config": (lambda run: (run / "config.yaml").unlink(), "run is no run folder: it holds no config.yaml."),
    "data changed": (
        lambda run: write_xlsa17(run.parent / "data" / "TWIN", make_truth(seed=1)),
        "The data of run have changed since the run began; start a new run.",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), UNRESUMABLE.values(), ids=UNRESUMABLE)
def test_resume_a_damaged_run(gsmflow, half, damage, sentence):
    damage(half)
    before = contents(half)
    assert_refused(gsmflow("train", "--resume", "run", "--no-report", "--quiet"), sentence)
    assert contents(half) == before


def test_resume_takes_no_other_option(gsmflow, half):
    assert_refused(gsmflow("train", "--resume", "run", "--seed", 1), "--resume reads everything from the run folder")


def test_full_disk(gsmflow, place, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_refused(gsmflow(*TRAIN, "--out", "run"), "Could not write run/config.yaml: No space left on device")
        assert not list(place.glob("run/*"))
        assert not list(place.glob("run/.*"))
    assert gsmflow(*TRAIN, "--out", "run").code == 0
