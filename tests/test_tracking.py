"""Trackers: they are told what the history says, and a run does not depend on them."""

import io
import json
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from gsmflow import experiment
from gsmflow.errors import InputError
from gsmflow.progress import Display
from gsmflow.runs import Interrupted, Run, RunFolder
from gsmflow.tracking import Tracker, hyper_parameters
from tests.runs.test_run import assert_same_run, history
from tests.tiny import GAUSSIAN, PROTOCOLS, TINY, Stops, asked, go_on, problem, start

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


class Recorder(Tracker):
    """Writes down all it is told."""

    def __init__(self):
        self.told = []

    def start(self, config):
        self.told.append(("start", config))

    def scalars(self, phase, step, values):
        self.told.append(("scalars", phase, step, values))

    def picture(self, name, figure):
        self.told.append(("picture", name, figure.axes[0].get_xlabel()))

    def finish(self, metrics):
        self.told.append(("finish", metrics))


def follow(folder: Path, protocol: str = "validated", track: str | None = None, tracker: Tracker | None = None) -> str:
    """Train as `start` does, followed by a tracker; return what the display said."""
    said = io.StringIO()
    display = Display(console=Console(file=said, width=200))
    config = asked(TINY, protocol, track)
    experiment.carry_out(config, problem(), Run.create(folder, config, display, tracker))
    return said.getvalue()


def told(folder: Path) -> list[dict]:
    """The events that a tracker is told of: all but the rankings."""
    return [event for event in history(folder) if event["event"] != "ranked"]


@every_protocol
def test_a_tracker_is_told_what_the_history_says(tmp_path, protocol):
    recorder = Recorder()
    follow(tmp_path / "run", protocol, tracker=recorder)
    (first, content), *scalars, picture, (last, metrics) = recorder.told
    assert (first, last) == ("start", "finish")
    assert (content["protocol"], content["settings"]["flow"]["hidden"]) == (protocol, 16)
    assert picture == ("picture", "seen-unseen curve", "U (%), unseen classes")
    assert metrics["H"] == json.loads((tmp_path / "run" / "metrics.json").read_text())["H"]
    events = told(tmp_path / "run")
    assert [one[1:3] for one in scalars] == [(event["phase"], event["step"]) for event in events]
    for (*_, values), event in zip(scalars, events, strict=True):
        if event["event"] == "train":
            assert values == {f"loss/{name}": event["losses"][name] for name in ("nll", "prototype")}
    where = "validation" if protocol == "validated" else "test"
    for phase in {event["phase"] for event in events if event["event"] == "judged"}:
        judged = [values for _, of, _, values in scalars if of == phase and f"{where}/H" in values]
        reached = [values[f"{where}/H"] for values in judged]
        assert [values[f"{where}/best_H"] for values in judged] == [max(reached[: i + 1]) for i in range(len(reached))]


@pytest.mark.parametrize("method", ["start", "scalars", "picture", "finish"])
def test_a_tracker_that_fails_does_not_lose_the_run(tmp_path, method):
    class Broken(Recorder):
        pass

    def fail(*_):
        raise OSError("the disk\nis full")

    setattr(Broken, method, fail)
    said = follow(tmp_path / "run", tracker=Broken())
    assert said.count("warning: tracking failed (the disk is full); the run goes on without it") == 1
    start(tmp_path / "alone")
    assert_same_run(tmp_path / "run", tmp_path / "alone")


def test_a_run_of_an_older_config_is_not_tracked(tmp_path):
    start(tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("track:")))
    assert RunFolder(tmp_path / "run").read_config().track is None


def test_a_missing_tensorboard_names_the_pip_line(tmp_path, monkeypatch):
    for name in ("tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"^track=tensorboard needs .*: pip install 'gsmflow\[tensorboard\]'\.$"):
        follow(tmp_path / "run", track="tensorboard")
    assert not (tmp_path / "run").exists()


def test_hyper_parameters_are_numbers_and_texts():
    flat = hyper_parameters({"data": {"name": "d"}, "protocol": "p", "settings": {"a": {"b": 1, "c": (2,)}, "e": None}})
    assert flat == {"data": "d", "protocol": "p", "a.b": 1, "a.c": "(2,)", "e": "None"}


def read_back(folder: Path):
    """What TensorBoard finds in a folder of event files."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def assert_shows_the_history(folder: Path) -> None:
    events = told(folder)
    phases = {path.name for path in (folder / "tensorboard").iterdir() if path.is_dir()}
    assert phases == {event["phase"] for event in events}
    for phase in phases:
        found = read_back(folder / "tensorboard" / phase)
        here = [event for event in events if event["phase"] == phase]
        for tag in found.Tags()["scalars"]:
            name = tag.removeprefix("loss/")
            shown = [(point.step, point.value) for point in found.Scalars(tag)]
            if tag.startswith("loss/"):
                logged = [(event["step"], event["losses"][name]) for event in here if event["event"] == "train"]
                assert shown == [(step, pytest.approx(value)) for step, value in logged]
            else:
                assert [step for step, _ in shown] == [e["step"] for e in here if e["event"] == "judged"]
        assert any(tag.startswith("loss/") for tag in found.Tags()["scalars"]) == any(
            e["event"] == "train" for e in here
        )


@pytest.fixture
def tensorboard():
    return pytest.importorskip("torch.utils.tensorboard", reason="TensorBoard is an extra")


@every_protocol
def test_event_files(tensorboard, tmp_path, protocol):
    follow(tmp_path / "run", protocol, "tensorboard")
    assert_shows_the_history(tmp_path / "run")
    found = read_back(tmp_path / "run" / "tensorboard")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for name in ("T1", "U", "S", "H"):
        assert found.Scalars(f"result/{name}")[0].value == pytest.approx(metrics[name])
    assert found.Images("seen-unseen curve")[0].encoded_image_string.startswith(b"\x89PNG")
    assert b"fingerprint" in found.Tensors("config/text_summary")[0].tensor_proto.string_val[0]
    settings = found.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    assert b"flow.hidden" in settings
    start(tmp_path / "alone", protocol=protocol)
    assert history(tmp_path / "run") == history(tmp_path / "alone")


@every_protocol
@pytest.mark.parametrize("killed", [False, True])
def test_a_resumed_run_goes_on_in_its_event_files(tensorboard, tmp_path, monkeypatch, protocol, killed):
    """A killed run has told more than its last saved state knows: that is shown once all the same."""
    with monkeypatch.context() as patch:
        stops = Stops(patch)
        start(tmp_path / "whole", protocol=protocol)
    with monkeypatch.context() as patch:
        Stops(patch, stops.count // 2)
        if killed:
            patch.setattr(Run, "state_is_due", lambda run: len(run.history) == 2)
            patch.setattr("gsmflow.selection.fit.Interrupted", KeyboardInterrupt)
        with pytest.raises(Interrupted):
            follow(tmp_path / "run", protocol, "tensorboard")
    time.sleep(1.1)  # event files are ordered by the second
    go_on(tmp_path / "run", protocol=protocol)
    assert_shows_the_history(tmp_path / "run")
    assert history(tmp_path / "run") == history(tmp_path / "whole")


def test_a_tracked_run_that_learnt_nothing_leaves_nothing(tensorboard, tmp_path):
    Run.create(tmp_path / "run", asked(track="tensorboard"), Display(quiet=True))
    RunFolder(tmp_path / "run").discard_if_empty()
    assert not (tmp_path / "run").exists()


def test_closed_forms_are_tracked(tensorboard, tmp_path):
    config = asked(GAUSSIAN, track="tensorboard")
    experiment.carry_out(config, problem(), Run.create(tmp_path / "run", config, Display(quiet=True)))
    assert_shows_the_history(tmp_path / "run")
