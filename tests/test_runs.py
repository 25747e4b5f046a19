"""The run folder: what is written, and that an interrupted run ends as if nothing had happened."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gsmflow import experiment
from gsmflow.errors import InputError
from gsmflow.progress import Display
from gsmflow.runs import DataSource, Interrupted, Run, as_json, read_config, read_metrics, write_atomically
from tests.tiny import GAUSSIAN, PROTOCOLS, TINY, Stops, go_on, problem, start

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
FINISHED = {"config.yaml", "history.jsonl", "model.safetensors", "metrics.json", "confusion.csv", "curve.csv"}
TIMES = ("seconds", "peak_memory_mb")


def result(folder: Path) -> dict:
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if name not in TIMES}


def history(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def assert_same_run(folder: Path, whole: Path) -> None:
    assert result(folder) == result(whole)
    assert history(folder) == history(whole)
    ours, theirs = load_file(folder / "model.safetensors"), load_file(whole / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    assert {path.name for path in folder.iterdir()} == FINISHED


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """For each protocol a run that was not interrupted, and how often it asked whether to stop."""
    made = {}
    for protocol in PROTOCOLS:
        with pytest.MonkeyPatch.context() as patch:
            stops = Stops(patch)
            folder = tmp_path_factory.mktemp("whole") / protocol
            start(folder, protocol=protocol)
            made[protocol] = folder, stops.count
    return made


@every_protocol
def test_files_of_a_finished_run(whole, protocol):
    folder, _ = whole[protocol]
    assert {path.name for path in folder.iterdir()} == FINISHED
    metrics = read_metrics(folder)
    assert {"dataset", "features", "semantics", "protocol", "generator", "recognizer", "seed"} <= metrics.keys()
    assert {"T1", "U", "S", "H"} <= metrics.keys()
    assert all(0 <= metrics[name] <= 100 for name in ("T1", "U", "S", "H"))
    assert metrics["H"] == pytest.approx(2 * metrics["U"] * metrics["S"] / (metrics["U"] + metrics["S"]), abs=1e-3)
    for path in folder.iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK")), f"{path.name} looks like a pickle"
    config = read_config(folder)
    assert (config.settings, config.protocol, config.recipe) == (TINY, protocol, "tiny")
    assert config.data.fingerprint == metrics["fingerprint"] == problem().fingerprint()
    rows = [line.split(",") for line in (folder / "confusion.csv").read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == rows[0][1:] == list(problem().class_names)
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == 6 * 2 + 2 * 12


@every_protocol
def test_the_saved_model_decides_as_the_one_trained(whole, protocol, tmp_path):
    model, record = start(tmp_path / "run", protocol=protocol)
    loaded = experiment.load_model(str(tmp_path / "run"))
    features = problem().features
    assert loaded.predict(features).tolist() == model.predict(features).tolist()
    assert float(loaded.constant) == record["constant"]
    assert loaded.predict(features).tolist() == experiment.load_model(whole[protocol][0]).predict(features).tolist()


@every_protocol
@pytest.mark.parametrize("share", [0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(whole, tmp_path, monkeypatch, protocol, share):
    """The places asked at cover training in every fold, fitting of the recognizer, and the final training."""
    untouched, asked = whole[protocol]
    with monkeypatch.context() as patch:
        Stops(patch, 1 + round(share * (asked - 1)))
        with pytest.raises(Interrupted):
            start(tmp_path / "run", protocol=protocol)
    assert not (tmp_path / "run" / "metrics.json").exists()
    go_on(tmp_path / "run", protocol=protocol)
    assert_same_run(tmp_path / "run", untouched)


@every_protocol
def test_a_run_interrupted_again_and_again(whole, tmp_path, monkeypatch, protocol):
    untouched, asked = whole[protocol]
    begin = start
    for _ in range(100):
        with monkeypatch.context() as patch:
            Stops(patch, asked // 3)
            try:
                begin(tmp_path / "run", protocol=protocol)
                break
            except Interrupted:
                begin = go_on
    assert_same_run(tmp_path / "run", untouched)


@every_protocol
def test_a_run_killed_between_two_saved_states(whole, tmp_path, monkeypatch, protocol):
    """State is saved after every step; then history goes on, and the process dies without a word."""
    with monkeypatch.context() as patch:
        patch.setattr(Run, "state_is_due", lambda run: True)
        Stops(patch, whole[protocol][1] // 2)
        with pytest.raises(Interrupted):
            start(tmp_path / "run", protocol=protocol)
    with (tmp_path / "run" / "history.jsonl").open("a") as file:
        file.write(json.dumps({"event": "train", "phase": "later", "step": 7}) + '\n{"event": "tra')
    go_on(tmp_path / "run", protocol=protocol)
    assert_same_run(tmp_path / "run", whole[protocol][0])


def test_a_closed_form_can_be_interrupted(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stops = Stops(patch)
        start(tmp_path / "whole", GAUSSIAN)
    for at in (1, stops.count // 2, stops.count):
        folder = tmp_path / str(at)
        with monkeypatch.context() as patch:
            Stops(patch, at)
            with pytest.raises(Interrupted):
                start(folder, GAUSSIAN)
        go_on(folder, GAUSSIAN)
        assert_same_run(folder, tmp_path / "whole")


@pytest.mark.parametrize("occupied", ["config.yaml", "notes.txt"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path, occupied):
    (tmp_path / occupied).write_text("mine")
    with pytest.raises(InputError, match=r"choose another --out, or continue an interrupted run with --resume"):
        start(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(occupied, "mine")]


def test_an_empty_folder_is_taken_and_parents_are_made(tmp_path):
    start(tmp_path, GAUSSIAN)
    assert (tmp_path / "metrics.json").exists()
    start(tmp_path / "a" / "b", GAUSSIAN)
    with pytest.raises(InputError, match="is not an empty folder"):
        start(tmp_path / "metrics.json")
    with pytest.raises(InputError, match="Could not make the folder"):
        start(tmp_path / "metrics.json" / "below")


def test_a_finished_run_is_not_resumed(whole):
    with pytest.raises(InputError, match=r"is finished: see its metrics\.json; there is nothing to resume\."):
        Run.resume(whole["validated"][0], Display(quiet=True))


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["Path.replace", "os.fsync"])
def test_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, place):
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")
    target = Path if place == "Path.replace" else __import__("os")
    monkeypatch.setattr(target, place.split(".")[1], full_disk)
    with pytest.raises(InputError, match=r"Could not write .*metrics\.json: No space left on device; make room"):
        write_atomically(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("metrics.json", b"old")]


def test_a_run_on_a_full_disk_can_be_resumed_when_there_is_room(whole, tmp_path, monkeypatch):
    replace_file = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda p, to: full_disk() if to.stem == "model" else replace_file(p, to))
        with pytest.raises(InputError, match=r"Could not write .*model\.safetensors"):
            start(tmp_path / "run")
    assert not list((tmp_path / "run").glob(".*"))
    go_on(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole["validated"][0])


def test_json_knows_no_nan():
    text = as_json({"a": float("nan"), "b": [float("inf"), (1, 2)], "c": torch.tensor([1.5]).numpy()})
    assert json.loads(text) == {"a": None, "b": [None, [1, 2]], "c": [1.5]}


def test_config_round_trip(whole, tmp_path):
    config = read_config(whole["published"][0])
    other = replace(config, data=DataSource("ünï", None, "f", "s", True, "0"), git=None)
    Run.create(tmp_path / "run", other, Display(quiet=True))
    assert read_config(tmp_path / "run") == other


@every_protocol
def test_warm_recognizers_survive_an_interruption(tmp_path, monkeypatch, protocol):
    settings = replace(TINY, softmax=replace(TINY.softmax, warm=True))
    with monkeypatch.context() as patch:
        stops = Stops(patch)
        start(tmp_path / "whole", settings, protocol)
    cold = tmp_path / "cold"
    start(cold, TINY, protocol)
    assert history(cold) != history(tmp_path / "whole")
    with monkeypatch.context() as patch:
        Stops(patch, round(0.6 * stops.count))
        with pytest.raises(Interrupted):
            start(tmp_path / "run", settings, protocol)
    go_on(tmp_path / "run", settings, protocol)
    assert_same_run(tmp_path / "run", tmp_path / "whole")
