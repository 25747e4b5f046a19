"""Bad input of the command line: exit code 2, one sentence, and nothing that was there is changed."""

import errno
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.numpy import save_file

from gsmflow.model.about import read_model, write_model
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
    for command in (TRAIN, (*TRAIN, "--seed", 1)):
        refused = gsmflow(*command, "--out", "run")
        assert_refused(refused, "run holds a finished run; choose another place, or delete that folder.")
        assert "resume" not in refused.err  # it could not be resumed
    assert_refused(gsmflow("train", "--resume", "run"), "The run in run is finished: see its metrics.json")
    assert contents(run) == before
    assert gsmflow(*TRAIN, "--out", "another").code == 0  # the advice works, both ways
    shutil.rmtree(run)
    assert gsmflow(*TRAIN, "--out", "run").code == 0
    assert (run / "model.safetensors").read_bytes() == before["model.safetensors"]


BAD_COMMANDS = {
    "unknown command": (
        ("trian", "digits"),
        "there is no command 'trian'; did you mean 'train'? There are extract, describe, data, train, predict, "
        "classes, learn, adapt, forget, evaluate, report, compare, reproduce, export, push, pull.",
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
    "no such device": (("train", "TWIN", "--quiet", "--device", "abacus"), "There is no device 'abacus' here"),
    "an option twice": (
        (*TRAIN, "--seed", "1", "--seed", "2"),
        "--seed is given twice; drop one of the two, or give all its values after one of them.",
    ),
    "unknown option": ((*TRAIN, "--flow.block", "3"), "--flow.block"),
    "zero epochs": ((*TRAIN, "--training.epochs", "0"), "training.epochs: Input should be greater than or equal to 1"),
    "zero batch": ((*TRAIN, "--training.batch", "0"), "training.batch: "),
    "no folds": ((*TRAIN, "--selection.folds", "0"), "selection.folds: "),
    "never judged": ((*TRAIN, "--selection.every", "0"), "selection.every: "),
    "negative seed": ((*TRAIN, "--seed", "-1"), "seed: "),
    "infinite learning rate": ((*TRAIN, "--training.lr", "inf"), "finite"),
    "diverging": ((*TRAIN, "--training.lr", "1e38", "--flow.blocks", "5"), "finite"),
    "diverging recognizer": ((*TRAIN, "--softmax.lr", "1e38"), "finite"),
    "something beside resume": ((*TRAIN, "--recognizer", "likelihood", "--resume", "x"), "--resume reads everything"),
    "no likelihoods": (
        (*TRAIN, "--generator", "cvae", "--recognizer", "likelihood"),
        "The generator 'cvae' has no log_prob, which 'likelihood' needs: choose --recognizer softmax.",
    ),
    "no such generator": ((*TRAIN, "--generator", "vae"), "There is no generator 'vae': choose one of linear-flow, "),
    "no such recognizer": ((*TRAIN, "--recognizer", "nose"), "There is no recognizer 'nose': choose one of softmax, "),
    "no such protocol": ((*TRAIN, "--protocol", "best"), "There is no protocol 'best'; choose one of validated, publi"),
    "old generator": ((*TRAIN, "--generator", "residual-flow"), "'residual-flow' is called 'linear-flow' now."),
    "old method": (("train", "TWIN", "--recipe", "gsmflow-published"), "'gsmflow-published' is called 'gsmflow' now."),
    "old option": (
        (*TRAIN, "--residual.decay", "1"),
        "the option '--residual.decay' is called '--linear-flow.decay' now.",
    ),
    "old option, glued": ((*TRAIN, "--residual.temperature=3"), "is called '--linear-flow.temperature"),
    "an option without effect": (
        ("train", "TWIN", "--softmax.lr", "0.1", "--quiet"),
        "The command line sets --softmax.lr, which has no effect: generator linear-flow, recognizer likelihood take "
        "the sections eszsl, gaussian, linear_flow, prototype, selection, training.",
    ),
    "that of another generator": ((*TRAIN, "--gaussian.dims", "3"), "sets --gaussian.dims, which has no effect: gen"),
    "a grid without effect": ((*TRAIN, "--grid", "wgan.penalty=1,2"), "The grid tries wgan.penalty, which has no eff"),
    "a grid of what is the same for all": ((*TRAIN, "--grid", "seed=1,2"), "The grid cannot try seed: it is the same"),
    "a value and a grid of it": (
        (*TRAIN, "--scaling", "l2", "--grid", "scaling=none,l2"),
        "scaling is given a value and listed in the grid as well; drop one of the two.",
    ),
    "two ways to evaluate": ((*TRAIN, "--selection.evaluations", "3"), "selection.every 2 and selection.evaluations 3"),
    "no threads": ((*TRAIN, "--threads", "0"), "threads must be at least 1 and at most 64; found 0."),
    "quiet and verbose": ((*TRAIN, "--verbose"), "--quiet and --verbose contradict each other; give one of them."),
    "resume of nothing": (("train", "--resume", "nowhere"), "nowhere is no run folder: it holds no config.yaml."),
    "evaluate nothing": (("evaluate", "data"), "data is no run folder: it holds no config.yaml."),
    "check nothing": (("data", "check", "data/NONE"), "no data set 'NONE' in data (data sets there: TWIN)"),
    "check a folder of folders": (
        ("data", "check", "data"),
        "data holds no data set: expected classes.csv with images or",
    ),
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


def resize(run: Path) -> None:
    tensors, about = read_model(run / "model.safetensors")
    flow = replace(about.settings.flow, hidden=17)
    write_model(run / "model.safetensors", tensors, replace(about, settings=replace(about.settings, flow=flow)))


DAMAGED = {
    "truncated model": (lambda run: truncate(run / "model.safetensors"), "model.safetensors is not a readable safe"),
    "no model": (lambda run: (run / "model.safetensors").unlink(), "There is no model run/model.safetensors"),
    "model of other sizes": (
        resize,
        "model.safetensors is damaged: its tensors do not fit its settings",
    ),
    "unknown key": (lambda run: edit(run / "config.yaml", "blocks: 1", "block: 1"), "no setting 'settings.flow.block'"),
    "truncated config": (lambda run: truncate(run / "config.yaml"), "config.yaml"),
    "config of bytes": (lambda run: (run / "config.yaml").write_bytes(b"\xff\x00"), "is not readable YAML"),
    "truncated metrics": (lambda run: truncate(run / "metrics.json"), "metrics.json is not readable JSON: "),
    "metrics of another kind": (lambda run: (run / "metrics.json").write_text("[]"), "metrics.json"),
    "data gone": (lambda run: (run.parent / "data" / "TWIN" / "res101.mat").unlink(), "holds no features 'res101'"),
    "other features": (
        lambda run: write_xlsa17(run.parent / "data" / "TWIN", make_truth(), features=make_truth().features.T[:5]),
        "The model was trained on features of 7 dimensions, those of TWIN have 5.",
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


@pytest.mark.parametrize("seed", [0, 1])
def test_the_folder_of_an_unfinished_run_is_refused_and_left_alone(gsmflow, half, seed):
    """Also by the same command: what goes on with a run is --resume alone."""
    before = contents(half)
    refused = gsmflow(*TRAIN, "--out", "run", "--seed", seed)
    assert_refused(refused, "run holds an unfinished run: continue it with gsmflow train --resume run, or choose an")
    assert contents(half) == before
    assert gsmflow("train", "--resume", "run", "--no-report", "--quiet").code == 0


UNRESUMABLE = {
    "truncated state": (lambda run: truncate(run / "state.safetensors"), "state.safetensors is not a readable safeten"),
    "state of another program": (lambda run: save_file({}, run / "state.safetensors"), "state.safetensors"),
    "config of other sizes": (lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 17"), "state.safetensors"),
    "that, and no history": (
        lambda run: (edit(run / "config.yaml", "hidden: 16", "hidden: 17"), (run / "history.jsonl").unlink()),
        "history.jsonl is missing or damaged",
    ),
    "value out of range": (lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 0"), "settings.flow.hidden: "),
    "damaged history": (lambda run: (run / "history.jsonl").write_text("{\n" * 9), "history.jsonl"),
    "no config": (lambda run: (run / "config.yaml").unlink(), "run is no run folder: it holds no config.yaml."),
    "data changed": (
        lambda run: write_xlsa17(run.parent / "data" / "TWIN", make_truth(seed=1)),
        "TWIN in {root} holds other data than those recorded: the fingerprints differ",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), UNRESUMABLE.values(), ids=UNRESUMABLE)
def test_resume_a_damaged_run(gsmflow, half, damage, sentence):
    damage(half)
    before = contents(half)
    sentence = sentence.format(root=half.parent / "data")
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


def test_other_data_of_the_same_kind_are_evaluated_and_told(gsmflow, run):
    write_xlsa17(run.parent / "data" / "TWIN", make_truth(seed=1))
    result = gsmflow("evaluate", "run")
    assert (result.code, result.err) == (0, "gsmflow: these are not the data that the run was made on.\n")


def test_a_config_that_was_altered_does_not_alter_the_model(gsmflow, run):
    """The model file says all of itself."""
    before = gsmflow("evaluate", "run")
    edit(run / "config.yaml", "hidden: 16", "hidden: 17")
    assert gsmflow("evaluate", "run") == before


@pytest.mark.parametrize("arguments", [("train", ""), ("predict", "run", ""), ("train", "digits", "--out", "")])
def test_an_empty_argument_is_not_the_current_folder(gsmflow, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = gsmflow(*arguments)
    assert (result.code, result.out) == (2, "")
    assert f"an argument is empty (behind {arguments[-2]})" in result.err or len(arguments) == 2
    assert "variable of the shell that is not set" in result.err


@pytest.mark.parametrize(
    "arguments",
    [("train", "x" * 300), ("predict", "x" * 300, "a.npy"), ("data", "check", "x" * 300), ("report", "x" * 300)],
)
def test_a_path_that_no_disk_holds_is_one_sentence(gsmflow, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = gsmflow(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("gsmflow: ")
    assert result.err.count("\n") == 1
