"""A run in its folder: what is written, and that an interrupted run ends as if nothing had happened."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gsmflow import experiment
from gsmflow.data import DataSource
from gsmflow.errors import InputError
from gsmflow.experiment import load_model
from gsmflow.progress import Display
from gsmflow.runs import Interrupted, Run, RunFolder
from tests.tiny import (
    GAUSSIAN,
    LINEAR,
    PROTOCOLS,
    TINY,
    Stops,
    asked,
    full_disk,
    go_on,
    problem,
    start,
    without_times,
)

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
FINISHED = {
    *("config.yaml", "history.jsonl", "model.safetensors", "README.md"),
    *("metrics.json", "confusion.csv", "curve.csv"),
}
KINDS = {"trained": TINY, "closed form": GAUSSIAN, "flow on a closed form": LINEAR}
WHOLE = [(kind, protocol) for kind in KINDS for protocol in PROTOCOLS]
every_run = pytest.mark.parametrize(("kind", "protocol"), WHOLE, ids=[f"{kind}, {p}" for kind, p in WHOLE])


def history(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def assert_same_run(folder: Path, whole: Path) -> None:
    """All files are the same to the last byte, but for the time that the run took."""
    ours, theirs = (without_times(json.loads((one / "metrics.json").read_text())) for one in (folder, whole))
    assert ours == theirs
    for name in FINISHED - {"metrics.json", "config.yaml"}:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert {path.name for path in folder.iterdir()} == FINISHED


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """For each kind and protocol a run that was not interrupted, and how often it asked whether to stop."""
    made = {}

    def get(kind: str, protocol: str) -> tuple[Path, int]:
        if (kind, protocol) not in made:
            with pytest.MonkeyPatch.context() as patch:
                stops = Stops(patch)
                folder = tmp_path_factory.mktemp("whole") / protocol
                start(folder, KINDS[kind], protocol)
                made[kind, protocol] = folder, stops.count
        return made[kind, protocol]

    return get


@every_protocol
def test_files_of_a_finished_run(whole, protocol):
    path, _ = whole("trained", protocol)
    folder = RunFolder(path)
    assert {file.name for file in path.iterdir()} == FINISHED
    metrics = folder.read_metrics()
    assert {"dataset", "features", "semantics", "protocol", "method", "generator", "recognizer"} <= metrics.keys()
    assert {"T1", "U", "S", "H", "seed", "chosen", "versions"} <= metrics.keys()
    assert all(0 <= metrics[name] <= 100 for name in ("T1", "U", "S", "H"))
    assert metrics["H"] == pytest.approx(2 * metrics["U"] * metrics["S"] / (metrics["U"] + metrics["S"]), abs=1e-3)
    for file in path.iterdir():
        assert not file.read_bytes().startswith((b"\x80", b"PK")), f"{file.name} looks like a pickle"
    config = folder.read_config()
    assert (config.settings, config.protocol, config.recipe, config.method) == (TINY, protocol, "tiny", "tiny")
    assert config.data.fingerprint == metrics["fingerprint"] == problem().fingerprint()
    rows = [line.split(",") for line in (path / "confusion.csv").read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == rows[0][1:] == list(problem().class_names)
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == 6 * 2 + 2 * 12


@every_protocol
def test_the_saved_model_decides_as_the_one_trained(whole, protocol, tmp_path):
    result = start(tmp_path / "run", protocol=protocol)
    loaded = load_model(str(tmp_path / "run"))
    features = problem().features
    assert loaded.predict(features).tolist() == result.model.predict(features).tolist()
    assert loaded.constant == result.record["constant"] == result.metrics.constant
    assert loaded.about == result.model.about
    assert loaded.predict(features).tolist() == load_model(whole("trained", protocol)[0]).predict(features).tolist()


@every_run
@pytest.mark.parametrize("share", [0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(whole, tmp_path, monkeypatch, kind, protocol, share):
    """The places asked at cover training in every fold, fitting of the recognizer, and the final training."""
    untouched, count = whole(kind, protocol)
    with monkeypatch.context() as patch:
        Stops(patch, 1 + round(share * (count - 1)))
        with pytest.raises(Interrupted):
            start(tmp_path / "run", KINDS[kind], protocol)
    assert not (tmp_path / "run" / "metrics.json").exists()
    go_on(tmp_path / "run", KINDS[kind], protocol)
    assert_same_run(tmp_path / "run", untouched)


@every_protocol
@pytest.mark.parametrize("kind", ["trained", "flow on a closed form"])  # a closed form alone is judged in one go
def test_a_run_interrupted_again_and_again(whole, tmp_path, monkeypatch, kind, protocol):
    untouched, count = whole(kind, protocol)
    stopped = 0
    for _ in range(100):
        with monkeypatch.context() as patch:
            Stops(patch, count // 3)
            try:
                start(tmp_path / "run", KINDS[kind], protocol)
                break
            except Interrupted:
                stopped += 1
    assert stopped > 1
    assert_same_run(tmp_path / "run", untouched)


@every_protocol
def test_a_run_killed_between_two_saved_states(whole, tmp_path, monkeypatch, protocol):
    """State is saved after every step; then history goes on, and the process dies without a word."""
    untouched, count = whole("trained", protocol)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "state_is_due", lambda run: True)
        Stops(patch, count // 2)
        with pytest.raises(Interrupted):
            start(tmp_path / "run", protocol=protocol)
    with (tmp_path / "run" / "history.jsonl").open("a") as file:
        file.write(json.dumps({"event": "train", "phase": "later", "step": 7}) + '\n{"event": "tra')
    go_on(tmp_path / "run", protocol=protocol)
    assert_same_run(tmp_path / "run", untouched)


@pytest.mark.parametrize("kind", ["trained", "flow on a closed form"])
def test_the_state_names_its_tensors_in_words(whole, tmp_path, monkeypatch, kind):
    """No key holds what a dataclass or a dictionary looks like in Python: such keys change when a field is added."""
    settings = KINDS[kind]
    settings = replace(settings, softmax=replace(settings.softmax, warm=True))
    with monkeypatch.context() as patch:
        Stops(patch, round(0.3 * whole(kind, "validated")[1]))
        with pytest.raises(Interrupted):
            start(tmp_path / "run", settings)
    tensors, _ = RunFolder(tmp_path / "run").read_state()
    assert not [key for key in tensors if set("(){}'\"") & set(key) or "Settings" in key]
    kinds = {key.partition("|")[0] for key in tensors}
    assert kinds == ({"model", "optimizer", "kept", "warm"} if kind == "trained" else {"model", "kept"})


@pytest.mark.parametrize("occupied", ["config.yaml", "metrics.json", "notes.txt"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path, occupied):
    (tmp_path / occupied).write_text("mine")
    with pytest.raises(InputError, match=r"choose another place"):
        Run.create(tmp_path, asked(), Display(quiet=True))
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
        Run.resume(whole("trained", "validated")[0], Display(quiet=True))


def test_a_run_on_a_full_disk_can_be_resumed_when_there_is_room(whole, tmp_path, monkeypatch):
    replace_file = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda p, to: full_disk() if to.stem == "model" else replace_file(p, to))
        with pytest.raises(InputError, match=r"Could not write .*model\.safetensors"):
            start(tmp_path / "run")
    assert not list((tmp_path / "run").glob(".*"))
    go_on(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole("trained", "validated")[0])


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path):
    settings = replace(TINY, selection=replace(TINY.selection, folds=7))
    with pytest.raises(InputError, match="7 folds"):
        start(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_config_round_trip(whole, tmp_path):
    config = RunFolder(whole("trained", "published")[0]).read_config()
    other = replace(config, data=DataSource("ünï", None, "f", "s", True, "0"), git=None)
    Run.create(tmp_path / "run", other, Display(quiet=True))
    assert RunFolder(tmp_path / "run").read_config() == other


@every_protocol
def test_warm_recognizers_survive_an_interruption(whole, tmp_path, monkeypatch, protocol):
    settings = replace(TINY, softmax=replace(TINY.softmax, warm=True))
    with monkeypatch.context() as patch:
        stops = Stops(patch)
        start(tmp_path / "whole", settings, protocol)
    assert history(whole("trained", protocol)[0]) != history(tmp_path / "whole")
    with monkeypatch.context() as patch:
        Stops(patch, round(0.6 * stops.count))
        with pytest.raises(Interrupted):
            start(tmp_path / "run", settings, protocol)
    go_on(tmp_path / "run", settings, protocol)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_signal_before_the_first_step_is_taken(tmp_path, monkeypatch):
    """Whatever is done when a signal comes in, the run stops at the next step, and its state says where."""
    with monkeypatch.context() as patch:
        Stops(patch, 1)
        with pytest.raises(Interrupted):
            start(tmp_path / "run")
    tensors, about = RunFolder(tmp_path / "run").read_state()
    assert (about["phase"], about["step"], about["events"]) == ("fold 1 of 2", 0, 0)
    assert tensors


def test_experiment_writes_where_the_run_says(tmp_path):
    run = Run.create(tmp_path / "run", asked(GAUSSIAN), Display(quiet=True))
    result = experiment.train(problem(), GAUSSIAN, device="cpu", run=run)
    assert result.folder == tmp_path / "run"
    assert {path.name for path in result.folder.iterdir()} == FINISHED
