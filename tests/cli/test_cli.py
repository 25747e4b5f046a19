"""The command line: what it writes, what it prints, and how it is interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from gsmflow.cli import COMMANDS
from gsmflow.data import synthetic
from gsmflow.errors import InputError
from gsmflow.overrides import flat, plain
from gsmflow.recipes import load_recipe
from gsmflow.runs import RunFolder
from gsmflow.settings import Settings
from tests.data.twins import make_truth, write_packed
from tests.tiny import TRAIN, Stops, without_times

HEADLINE = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC")


def read_metrics(path: Path) -> dict:
    return RunFolder(path).read_metrics()


def numbers_of(table: str) -> list[str]:
    """The row of numbers of a printed result."""
    return next(found for line in table.splitlines() if len(found := re.findall(r"\d+\.\d", line)) == len(HEADLINE))


@pytest.mark.parametrize("protocol", ["validated", "published", "fixed"])
def test_train_then_evaluate(gsmflow, place, protocol):
    trained = gsmflow(*TRAIN, "--out", "runs/a", "--protocol", protocol, "--seed", 3)
    assert (trained.code, trained.err) == (0, "")
    assert trained.out.endswith("run folder: runs/a\n")
    metrics = read_metrics(place / "runs" / "a")
    assert (metrics["dataset"], metrics["features"], metrics["semantics"]) == ("TWIN", "res101", "att")
    assert (metrics["protocol"], metrics["seed"], metrics["generator"]) == (protocol, 3, "gsmflow")
    assert metrics["method"] == "tiny"
    assert f"selected on {metrics['selected_on']}" in trained.out
    expected = [f"{metrics[name]:.1f}" for name in HEADLINE]
    assert numbers_of(trained.out) == expected
    again = gsmflow("evaluate", "runs/a")
    assert (again.code, again.err) == (0, "")
    assert numbers_of(again.out) == expected


def test_overrides_land_in_the_config(gsmflow, place):
    overrides = ("--training.epochs", 1, "--flow.blocks", 2, "--softmax.lr", "0.5", "--scaling", "none")
    assert gsmflow(*TRAIN, "--out", "run", *overrides).code == 0
    config = yaml.safe_load((place / "run" / "config.yaml").read_text())
    settings = config["settings"]
    assert (settings["training"]["epochs"], settings["flow"]["blocks"]) == (1, 2)
    assert (settings["softmax"]["lr"], settings["scaling"]) == (0.5, "none")
    assert settings["flow"]["hidden"] == 16  # from the recipe
    assert settings["flow"]["clamp"] == 1.0  # from the defaults
    assert (config["recipe"], config["data"]["name"]) == ("tiny", "TWIN")
    assert config["data"]["root"] == str(place / "data")  # absolute: it holds wherever the run is read


GRID = """
generator: gaussian
recognizer: likelihood
gaussian: {dims: 4, semantics: [l2], kernels: [linear], ridges: [0.1], shrinks: [0.1], widens: [0.0]}
selection: {folds: 2}
grid: ["scaling=none,l2", "gaussian.dims=3,4"]
"""


def test_an_override_replaces_its_line_of_the_grid(gsmflow, place):
    (place / "grid.yaml").write_text(GRID)
    command = ("train", "TWIN", "--recipe", "grid.yaml", "--no-report", "--quiet")
    assert gsmflow(*command, "--out", "all").code == 0
    assert read_metrics(place / "all")["chosen"]["grid"].keys() == {"scaling", "gaussian.dims"}
    for value in ("minmax", "none", "l2"):
        assert gsmflow(*command, "--out", value, "--scaling", value).code == 0
        settings = yaml.safe_load((place / value / "config.yaml").read_text())["settings"]
        assert (settings["scaling"], settings["grid"]) == (value, ["gaussian.dims=3,4"])
        assert read_metrics(place / value)["chosen"]["grid"].keys() == {"gaussian.dims"}
        assert RunFolder(place / value).read_config().settings.scaling == value
    other = gsmflow(*command, "--out", "other", "--grid", "scaling=none,minmax", "--gaussian.dims", 3)
    assert other.code == 0, other.err
    settings = yaml.safe_load((place / "other" / "config.yaml").read_text())["settings"]
    assert (settings["gaussian"]["dims"], settings["grid"]) == (3, ["scaling=none,minmax"])


def test_progress_is_shown_unless_quiet(gsmflow, place):
    loud = gsmflow(*TRAIN[:-1], "--out", "a", "--protocol", "published")
    for line in (
        "ZeroShotDataset(TWIN: ",
        "recipe tiny (user), protocol published, seed 0",
        "SELECTED ON TEST",
        "H so far",
    ):
        assert line in loud.err
    assert loud.err.count("\n") >= 5
    quiet = gsmflow(*TRAIN, "--out", "b", "--protocol", "published")
    assert quiet.err == ""
    assert quiet.out == loud.out.replace("run folder: a", "run folder: b")  # the result alone


def test_verbose_prints_every_evaluation(gsmflow, place):
    train = ("train", "TWIN", "--recipe", "gaussian", "--selection.folds", 2, "--device", "cpu", "--no-report")
    few = gsmflow(*train, "--out", "a")
    all_ = gsmflow(*train, "--out", "b", "--verbose")
    judged = [
        one
        for line in (place / "b" / "history.jsonl").read_text().splitlines()
        for one in json.loads(line).get("found", [])
    ]
    choice = r"semantics l2, kernel \w+, ridge [\d.]+, shrink [\d.]+, widen [\d.]+"
    line = rf"fold \d of \d, {choice}, likelihood, without a constant: T1 [\d.]+  U .*"
    assert len(re.findall(f"^{line}$", all_.err, re.MULTILINE)) == len(judged) > 10
    assert not re.findall(f"^{line}$", few.err, re.MULTILINE)
    assert numbers_of(all_.out) == numbers_of(few.out)


@pytest.mark.parametrize("quiet", [True, False])
def test_json_is_all_that_stands_on_standard_output(gsmflow, place, quiet):
    trained = gsmflow(*TRAIN[:-1], *(["--quiet"] if quiet else []), "--out", "run", "--json")
    assert trained.code == 0
    assert (trained.err == "") == quiet
    assert json.loads(trained.out) == json.loads((place / "run" / "metrics.json").read_text()) | {"run": "run"}
    again = gsmflow("evaluate", "run", "--json")
    assert (again.code, again.err) == (0, "")
    assert json.loads(again.out) == json.loads(trained.out)


def test_resume_takes_what_is_shown(gsmflow, place, run, monkeypatch):
    with monkeypatch.context() as patch:
        Stops(patch, 5)
        stopped = gsmflow(*TRAIN, "--out", "half", "--json")
    assert (stopped.code, stopped.out, stopped.err) == (143, "", "")
    resumed = gsmflow("train", "--resume", "half", "--no-report", "--verbose", "--json")
    assert resumed.code == 0
    assert re.search(r"^fold 2 of 2, epoch \d, softmax, without a constant: T1 ", resumed.err, re.MULTILINE), (
        resumed.err
    )
    assert json.loads(resumed.out)["H"] == read_metrics(run)["H"]


def test_tracking(gsmflow, place, monkeypatch):
    pytest.importorskip("torch.utils.tensorboard", reason="TensorBoard is an extra")
    tracked = (*TRAIN, "--track", "tensorboard")
    with monkeypatch.context() as patch:
        Stops(patch, 5)
        assert gsmflow(*tracked, "--out", "run").code == 143
    before = set((place / "run" / "tensorboard").rglob("events.*"))
    assert before
    result = gsmflow("train", "--resume", "run", "--no-report", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert before < set((place / "run" / "tensorboard").rglob("events.*"))


def test_the_run_folder_has_a_name_of_its_own(gsmflow, place):
    result = gsmflow(*TRAIN)
    folder = Path(result.out.splitlines()[-1].removeprefix("run folder: "))
    assert re.fullmatch(r"runs/TWIN-\d{8}-\d{6}", folder.as_posix())
    assert (place / folder / "metrics.json").exists()


def test_interrupt_and_resume(gsmflow, place, run, monkeypatch):
    with monkeypatch.context() as patch:
        Stops(patch, 5)
        stopped = gsmflow(*TRAIN[:-1], "--out", "half")
    assert stopped.code == 143
    assert "Continue with: gsmflow train --resume half" in " ".join((stopped.out + stopped.err).split())
    unfinished = gsmflow("evaluate", "half")
    assert unfinished.code == 2
    assert "is unfinished: continue it with gsmflow train --resume half." in unfinished.err
    assert gsmflow("train", "--resume", "half", "--no-report", "--quiet").code == 0
    assert without_times(read_metrics(place / "half")) == without_times(read_metrics(run))
    assert (place / "half" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_a_run_is_resumed_from_another_folder(gsmflow, place, run, monkeypatch, tmp_path_factory):
    """The data are found where they were, though the command named them by a relative path."""
    with monkeypatch.context() as patch:
        Stops(patch, 5)
        assert gsmflow(*TRAIN, "--data-root", "data", "--out", "half").code == 143
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    resumed = gsmflow("train", "--resume", place / "half", "--no-report", "--quiet")
    assert (resumed.code, resumed.err) == (0, "")
    assert without_times(read_metrics(place / "half")) == without_times(read_metrics(run))
    assert (place / "half" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    again = gsmflow("evaluate", place / "half")
    assert (again.code, again.err) == (0, "")


SLOWLY = """
import time
from gsmflow import cli, runs
ask = runs.Run.stop_if_asked
runs.Run.stop_if_asked = lambda run: (time.sleep(0.02), ask(run))
cli.main()
"""


def test_a_real_signal_stops_a_run_that_can_be_resumed(gsmflow, place):
    long = ("--training.epochs", "200", "--selection.every", "9999", "--protocol", "published", "--out", "run")
    arguments = [sys.executable, "-c", SLOWLY, *TRAIN, *long]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        while not (place / "run" / "history.jsonl").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert b"Traceback" not in errors
    assert (place / "run" / "state.safetensors").exists()
    assert gsmflow("train", "--resume", "run", "--no-report", "--quiet").code == 0
    history = [json.loads(line) for line in (place / "run" / "history.jsonl").read_text().splitlines()]
    assert [event["step"] for event in history if event["event"] == "train"] == list(range(20, 601, 20))


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("-h",), *((name, "--help") for name in COMMANDS), ("data", "check", "--help")]
)
def test_help(gsmflow, arguments):
    result = gsmflow(*arguments)
    assert (result.code, result.err) == (0, "")
    assert "usage: " in result.out
    assert result.out.count("\n") > 5


def test_help_of_every_command_and_setting(gsmflow):
    overview, options = gsmflow("--help").out, gsmflow("train", "--help").out
    for name, command in COMMANDS.items():
        assert f"  {name}" in overview
        assert command.__doc__.splitlines()[0] in overview
    for option in ("--protocol", "--resume", "--data-root", "--flow.blocks", "--selection.folds", "--softmax.samples"):
        assert option in options


def test_help_shows_the_defaults_of_the_default_recipe(gsmflow):
    """What stands there is what `gsmflow train DATASET` uses, where no recipe is made for the data set."""
    text = " ".join(gsmflow("train", "--help").out.replace("│", " ").split())
    found = dict(re.findall(r"--([\w.-]+) [^()]*?.*?\(default: (.*?)\)", text))
    expected = flat(plain(load_recipe("default").settings))
    assert expected == flat(plain(Settings()))
    for key in ("generator", "recognizer", "scaling", "seed", "training.epochs", "training.lr", "selection.folds"):
        assert f"--{key} " in text
    assert re.search(r"--generator \S+ .{0,200}?\(default: linear-flow\)", text)
    assert re.search(r"--recognizer \S+ .{0,200}?\(default: likelihood\)", text)
    assert re.search(rf"--training\.epochs \S+ .{{0,99}}?\(default: {expected['training.epochs']}\)", text)
    assert re.search(rf"--selection\.folds \S+ .{{0,250}}?\(default: {expected['selection.folds']}\)", text)
    assert re.search(r"--grid .{0,300}?\(default: scaling=none,l2,sqrt-l2 linear_flow\.temperature=1,3\)", text)
    assert found["scaling"] == "none"


def test_version(gsmflow):
    result = gsmflow("--version")
    assert re.fullmatch(r"gsmflow \d+\.\d+\.\d+\S*\n", result.out)


def test_help_does_not_wait_for_torch():
    code = "import sys, gsmflow.cli as c; sys.argv = ['gsmflow', 'train', '--help']\ntry: c.main()\nfinally: "
    code += "assert not {'torch', 'scipy', 'sklearn', 'matplotlib'} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_data_list(gsmflow, place):
    write_packed(place / "data" / "FLO", make_truth())
    result = gsmflow("data", "list")
    assert (result.code, result.err) == (0, "")
    for name in ("digits", "synthetic", "AWA1", "AWA2", "APY", "CUB", "SUN", "FLO"):
        assert name in result.out
    present = [line for line in result.out.splitlines() if "packed" in line]
    assert len(present) == 1
    assert "FLO" in present[0]


def test_data_check(gsmflow, place):
    result = gsmflow("data", "check", "data/TWIN")
    assert (result.code, result.err) == (0, "")
    assert "all checks passed" in result.out
    assert "6: 4 seen, 2 unseen" in result.out
    assert "12 samples of 4 classes" in result.out
    assert gsmflow("data", "check", "digits").code == 0


def test_a_closed_pipe_is_no_error():
    """As in ``gsmflow data list | head -1``: the reader goes away before the last line is written."""
    arguments = [sys.executable, "-c", "from gsmflow.cli import main; main()", "data", "list"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)  # rich ends the process with 1 where it meets the closed pipe


def test_a_run_ends_with_its_report(gsmflow, place):
    command = [argument for argument in TRAIN if argument != "--no-report"]
    shown = gsmflow(*command, "--out", "run")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[-1] == "report: run/report.html"
    assert (place / "run" / "report.html").read_text().lstrip().startswith("<!DOCTYPE html>")
    assert gsmflow(*TRAIN, "--out", "other").code == 0
    assert not (place / "other" / "report.html").exists()


@pytest.mark.parametrize("error", [InputError("no room"), RuntimeError("no\nroom"), ValueError()])
def test_a_report_that_fails_leaves_the_run(gsmflow, place, monkeypatch, error):
    """One line and exit code 0: the run is finished, whatever befalls its report."""

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("gsmflow.report.write_report", fail)
    command = [argument for argument in TRAIN if argument != "--no-report"]
    shown = gsmflow(*command, "--out", "run", "--json")
    assert shown.code == 0
    reason = " ".join(str(error).split()) or "ValueError"
    assert shown.err == f"gsmflow: there is no report: {reason}\n"
    assert json.loads(shown.out)["run"] == "run"
    assert read_metrics(place / "run")["H"] == json.loads(shown.out)["H"]


def test_a_run_of_more_than_a_thousand_classes_ends_without_a_false_alarm(gsmflow, place):
    data = synthetic(classes=1005, unseen=3, samples=3, dim=4)
    (place / "data" / "many").mkdir()
    for name in ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen"):
        np.save(place / "data" / "many" / f"{name}.npy", getattr(data, name))
    (place / "grid.yaml").write_text(GRID)
    result = gsmflow("train", "many", "--recipe", "grid.yaml", "--protocol", "fixed", "--out", "run", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert "report: run/report.html" in result.out
    assert (place / "run" / "confusion.csv").read_text().startswith("true,decided,count\n")
    names = tuple(f"class {k}" for k in range(1005))
    assert RunFolder(place / "run").read_confusions(names)[:, 2].sum() == 1002 + 9


def test_the_demonstration(gsmflow, tmp_path, monkeypatch):
    """``gsmflow train digits`` as it stands in the README, recipe and all."""
    monkeypatch.chdir(tmp_path)
    result = gsmflow("train", "digits", "--no-report", "--quiet", "--out", "run", "--device", "cpu")
    assert (result.code, result.err) == (0, "")
    metrics = read_metrics(tmp_path / "run")
    assert (metrics["generator"], metrics["test_reads"], metrics["method"]) == ("linear-flow", 1, "default")
    assert metrics["T1"] > 85
    assert metrics["H"] > 80
    history = (tmp_path / "run" / "history.jsonl").read_bytes()
    assert len(history) < 600_000, "curves do not belong in the history"
    judged = [one for line in history.splitlines() for one in json.loads(line).get("found", [])]
    assert len(judged) > 500
    assert not any("curve" in one for one in judged)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
def test_a_full_disk_behind_the_output_is_one_sentence():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", "from gsmflow.cli import main; main()", "data", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("gsmflow: the output could not be written: No space left on device; ")


def test_a_request_to_end_leaves_by_the_usual_way(monkeypatch, gsmflow):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setitem(COMMANDS, "data", lambda arguments: os.kill(os.getpid(), signal.SIGTERM))
    assert gsmflow("data", "list").code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
