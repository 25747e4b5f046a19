"""Comparisons: what is run, what is kept, what is written, and how they are interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from gsmflow.data import EncoderRecord, Provenance
from gsmflow.data.formats import folder
from gsmflow.runs import RunFolder
from tests.one_space import aligned
from tests.tiny import Stops, without_times

FIELDS = (
    *("dataset", "features", "semantics", "generator", "recognizer", "protocol", "selected_on", "seed", "chosen"),
    *("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC", "seconds", "test_reads"),
)
PEERS = ("tiny.yaml", "eszsl", "prototype")
COMPARE = ("compare", "TWIN", "--methods", *PEERS, "--seeds", 0, 1, "--out", "c", "--jobs", 1, "--device", "cpu")
FOLDS = ("--override", "selection.folds=2")


@pytest.fixture(scope="module")
def once():
    """What the first test that asks for a comparison finds: its folder, and what it printed."""
    return {}


@pytest.fixture
def compared(gsmflow, place, once):
    """A comparison in the folder ``c``: one, of which each test has a copy."""
    if once:
        shutil.copytree(once["folder"], place / "c")
    else:
        result = gsmflow(*COMPARE, *FOLDS)
        assert result.code == 0, result.err
        once |= {"result": result, "folder": shutil.copytree(place / "c", place.with_name(f"{place.name}-compared"))}
    return once["result"]


def read_metrics(path: Path) -> dict:
    return RunFolder(path).read_metrics()


def cells(folder) -> list[dict]:
    return json.loads((folder / "comparison.json").read_text())


def test_what_is_written(compared, place):
    found = cells(place / "c")
    assert len(found) == 12
    assert all(cell.keys() >= set(FIELDS) for cell in found)
    kinds = {(cell["method"], cell["protocol"], cell["seed"]) for cell in found}
    assert kinds == {(g, p, s) for g in ("tiny", *PEERS[1:]) for p in ("validated", "published") for s in (0, 1)}
    for cell in found:
        metrics = read_metrics(place / "c" / cell["run"])
        assert all(metrics[name] == cell[name] for name in FIELDS)
        assert (cell["run"], cell["asked"]) == (f"cells/{Path(cell['run']).name}", metrics["recognizer"])
        assert cell["selected_on"] == ("test" if cell["protocol"] == "published" else "pseudo-unseen classes")
        assert (cell["test_reads"] == 1) == (cell["protocol"] == "validated")
    page = (place / "c" / "comparison.md").read_text()
    assert "published: selected on test" in page
    assert page.count("| tiny |") == 3  # both protocols, and their difference
    assert page.count("| eszsl |") == 5  # and the pairs
    assert (place / "c" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "selected on test" in compared.out
    assert "[12/12]" in compared.err


def test_the_table_holds_the_means(compared, place):
    values = [cell["H"] for cell in cells(place / "c") if (cell["method"], cell["protocol"]) == ("tiny", "validated")]
    assert f"{sum(values) / 2:.1f}±" in (place / "c" / "comparison.md").read_text()


def test_finished_cells_are_not_run_again_and_new_ones_are_added(compared, gsmflow, place):
    before = {path: path.stat().st_mtime_ns for path in (place / "c" / "cells").rglob("metrics.json")}
    more = gsmflow(*COMPARE[:8], 2, *COMPARE[8:], *FOLDS)
    assert more.code == 0
    assert "18 cells, 12 finished before" in more.err
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(cells(place / "c")) == 18


def test_other_settings_are_refused_and_nothing_is_lost(compared, gsmflow, place):
    before = (place / "c" / "comparison.json").read_bytes()
    result = gsmflow(*COMPARE, "--override", "selection.folds=1")
    assert result.code == 2
    assert "was run with settings.selection.folds 2, and now 1 is asked for: choose another place" in result.err
    assert (place / "c" / "comparison.json").read_bytes() == before


def test_a_cell_is_the_run_that_train_makes(gsmflow, place):
    options = ("--seeds", 1, "--protocols", "validated", "--out", "c", "--jobs", 1, "--device", "cpu")
    assert gsmflow("compare", "TWIN", "--methods", "tiny.yaml", *options, *FOLDS).code == 0
    options = ("--recipe", "tiny.yaml", "--selection.folds", 2, "--seed", 1, "--threads", 1, "--no-report")
    assert gsmflow("train", "TWIN", *options, "--device", "cpu", "--out", "run").code == 0
    alone, cell = RunFolder(place / "run"), RunFolder(place / "c" / "cells" / "tiny-softmax-validated-1")
    one, other = without_times(alone.read_metrics()), without_times(cell.read_metrics())
    assert (one.pop("method"), other.pop("method")) == ("tiny", "tiny")
    assert one == other
    assert alone.model_file.read_bytes() == cell.model_file.read_bytes()
    assert alone.read_config().settings == cell.read_config().settings


def test_an_interrupted_comparison_goes_on(compared, gsmflow, place, monkeypatch):
    with monkeypatch.context() as patch:
        Stops(patch, 30)
        stopped = gsmflow(*COMPARE[:-5], "half", *COMPARE[-4:], *FOLDS)
    assert stopped.code == 143
    assert "Interrupted. The same command goes on from what is in half." in stopped.err
    assert not (place / "half" / "comparison.json").exists()
    assert gsmflow(*COMPARE[:-5], "half", *COMPARE[-4:], *FOLDS).code == 0
    for one, other in zip(cells(place / "c"), cells(place / "half"), strict=True):
        del one["seconds"], other["seconds"]
        assert one == other


def test_several_processes_give_the_same_numbers(compared, gsmflow, place):
    result = gsmflow(*COMPARE[:-5], "many", "--jobs", 2, *COMPARE[-2:], *FOLDS)
    assert result.code == 0, result.err
    for one, other in zip(cells(place / "c"), cells(place / "many"), strict=True):
        del one["seconds"], other["seconds"]
        assert one == other


def test_a_signal_stops_all_processes_and_the_comparison_goes_on(gsmflow, place):
    long = ("--override", "training.epochs=500", "selection.every=99999", "selection.folds=1")
    options = ("compare", "TWIN", "--methods", "tiny.yaml", "--protocols", "published", "--out", "c")
    arguments = [
        sys.executable,
        "-c",
        "from gsmflow.cli import main; main()",
        *options,
        "--jobs",
        "2",
        "--seeds",
        "0",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*arguments, *long], stderr=subprocess.PIPE, env=environment) as process:
        while len(list(place.glob("c/cells/*/history.jsonl"))) < 2 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert b"Traceback" not in errors
    states = sorted(place.glob("c/cells/*/state.safetensors"))
    assert [path.parent.name for path in states] == ["tiny-softmax-published-0", "tiny-softmax-published-1"]
    assert gsmflow(*options, "--jobs", 1, "--seeds", 0, 1, *long).code == 0
    assert len(cells(place / "c")) == 2


def test_a_cell_that_fails_is_told_and_the_others_are_kept(gsmflow, place):
    recipe = (place / "tiny.yaml").read_text()
    (place / "wild.yaml").write_text(recipe.replace("lr: 3.0e-3", "lr: 1.0e+30"))
    options = ("--seeds", 0, "--protocols", "validated", "--out", "c", "--jobs", 1)
    result = gsmflow("compare", "TWIN", "--methods", "wild.yaml", "prototype", *options)
    assert result.code == 2
    assert "gsmflow: wild-softmax-validated-0: Training diverged" in result.err
    assert [cell["method"] for cell in cells(place / "c")] == ["prototype"]


def test_recognizers_are_those_that_a_generator_supports(gsmflow, place):
    options = ("--seeds", 0, "--protocols", "validated", "--out", "c", "--jobs", 1)
    methods = ("--methods", "tiny.yaml", "gaussian", "--recognizers", "likelihood", "softmax", "compatibility")
    result = gsmflow("compare", "TWIN", *methods, *options, "--override", "gaussian.dims=4", "selection.folds=1")
    assert result.code == 0, result.err
    kinds = [(cell["method"], cell["recognizer"]) for cell in cells(place / "c")]
    assert kinds == [(g, r) for g in ("tiny", "gaussian") for r in ("likelihood", "softmax")]
    assert "gaussian (softmax)" in (place / "c" / "comparison.md").read_text()


REFUSED = {
    "no log_prob": (
        ("--methods", "cvae", "--recognizers", "likelihood"),
        "The generator 'cvae' has no log_prob, which 'likelihood' needs: choose --recognizer softmax.",
    ),
    "no such recipe": (("--methods", "vae"), "There is no recipe 'vae': choose one of "),
    "two of one name": (("--methods", "tiny.yaml", "data/../tiny.yaml"), "Two methods are called 'tiny': rename"),
    "no methods": (("--methods",), "--methods names none"),
    "old option": (("--generators", "gaussian"), "the option '--generators' is called '--methods' now."),
    "old option, glued": (("--generators=gaussian",), "the option '--generators' is called '--methods' now."),
    "old method": (("--methods", "gsmflow-published"), "The method 'gsmflow-published' is called 'gsmflow' now."),
    "old setting": (("--override", "residual.decay=1"), "'residual.decay' is called 'linear_flow.decay' now."),
    "no such protocol": (("--protocols", "best"), "There is no protocol 'best'; choose one of validated, published, f"),
    "a value and a grid of it": (
        ("--methods", "default", "--override", "scaling=l2", "grid=[scaling=none]"),
        "scaling is given a value and listed in the grid as well; drop one of the two.",
    ),
    "no seeds": (("--seeds",), "--seeds names none"),
    "a negative seed": (("--seeds", "-1"), "--seeds must not be negative; found -1."),
    "no jobs": (("--jobs", 0), "--jobs must be at least 1; found 0."),
    "no such setting": (
        ("--override", "training.epoch=2"),
        "no setting 'training.epoch'; the nearest known one is 'trai",
    ),
    "no value": (("--override", "training.epochs"), "'training.epochs' is not of the form section.name=value"),
    "out of range": (
        ("--override", "training.epochs=0"),
        "training.epochs: Input should be greater than or equal to 1",
    ),
    "too many folds": (
        ("--methods", "prototype", "--override", "selection.folds=9", "--jobs", 1, "--seeds", 0),
        "9 folds of pseudo-unseen classes need as many seen classes, and there are 4: lower --selection.folds to 4 or",
    ),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence(gsmflow, place, arguments, sentence):
    result = gsmflow("compare", "TWIN", "--out", "c", *arguments, "--quiet")
    assert result.code == 2
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_reproduce(gsmflow, place):
    result = gsmflow("reproduce", "tiny.yaml", "--dataset", "TWIN", "--replicates", 2, "--out", "c", "--jobs", 1)
    assert result.code == 0, result.err
    assert "No result is known of the recipe tiny that could be checked." in result.out
    assert "seeds 0, 1" in result.out
    (place / "known.yaml").write_text(
        "known: {H: 50.0, of: somebody}\ndataset: TWIN\n" + (place / "tiny.yaml").read_text()
    )
    result = gsmflow("reproduce", "known.yaml", "--out", "d", "--jobs", 1)
    h = read_metrics(next((place / "d" / "cells").iterdir()))["H"]
    assert f"{h - 50:+.1f}" in result.out
    assert "known: somebody" in result.out
    assert gsmflow("reproduce", "gaussian").err.startswith("gsmflow: The recipe gaussian is for any data set")


def test_ablation_runs_a_recipe_less_each_of_its_parts(gsmflow, place):
    with (place / "tiny.yaml").open("a") as file:
        file.write("without: {prototypes: {flow.prototype: 0}, perturbation: {flow.pi: 0}}\n")
    options = ("--protocols", "validated", "--seeds", 0, "--out", "a", "--jobs", 1, "--device", "cpu")
    result = gsmflow("compare", "TWIN", "--methods", "tiny.yaml", "--ablate", *options)
    assert result.code == 0, result.err
    names = [cell["method"] for cell in cells(place / "a")]
    assert names == ["tiny", "tiny-without-prototypes", "tiny-without-perturbation"]
    config = RunFolder(place / "a" / cells(place / "a")[1]["run"]).read_config()
    assert (config.settings.flow.prototype, config.settings.flow.pi) == (0, 0.02)


def test_clip_is_compared_where_images_and_words_lie_in_one_space(gsmflow, tmp_path, monkeypatch):
    record = EncoderRecord("huggingface", "tiny", 8, "0" * 64)
    source = Provenance(encoder=record, text_encoder=record)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(import_module("gsmflow.cli.compare"), "METHODS", ("prototype",))
    monkeypatch.setattr(import_module("gsmflow.cli.compare"), "BOTH", ("validated",))
    folder.write(aligned(seen=8, unseen=3, dim=8, provenance=source), tmp_path / "near")
    options = ("--seeds", 0, "--jobs", 1, "--override", "selection.folds=2", "--out", "c")
    result = gsmflow("compare", "near", "--data-root", ".", *options)
    assert result.code == 0, result.err
    assert "clip, their cosine, is compared as well" in result.err
    assert [cell["method"] for cell in cells(tmp_path / "c")] == ["prototype", "clip"]
