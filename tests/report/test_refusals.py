"""What the report refuses: one sentence, and nothing is written."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from tests.cli.test_refusals import assert_refused, contents, edit, truncate
from tests.tiny import TRAIN, Stops


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def without_ranking(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '"event": "ranked"' not in line) + "\n")


def without_judged(path: Path) -> None:
    """The candidate that each fold judged last is gone."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '"last": true' not in line) + "\n")


REFUSED = {
    "no run named": (lambda run: None, (), "say which run: gsmflow report RUN"),
    "no folder": (lambda run: None, ("x",), "The folder x does not exist"),
    "no run": (lambda run: None, ("data",), "data is no run folder: it holds no config.yaml."),
    "unfinished": (lambda run: (run / "metrics.json").unlink(), ("run",), "unfinished: continue it with gsmflow train"),
    "one of two": (lambda run: None, ("run", "data"), "data is no run folder"),
    "other version": (
        lambda run: edit(run / "metrics.json", '"AUSUC"', '"AUC"'),
        ("run",),
        "holds no 'AUSUC': the run is of another version of gsmflow",
    ),
    "other generator": (
        lambda run: edit(run / "metrics.json", '"generator": "gsmflow"', '"generator": "gan"'),
        ("run",),
        "was made with a generator 'gan', which this version lacks.",
    ),
    "unknown setting": (lambda run: edit(run / "config.yaml", "blocks: 1", "block: 1"), ("run",), "no setting"),
    "no versions": (
        lambda run: change(run / "metrics.json", versions=["1"]),
        ("run",),
        "metrics.json is damaged: versions is ['1']; run it again",
    ),
    "number in words": (
        lambda run: change(run / "metrics.json", H="much"),
        ("run",),
        "metrics.json is damaged: H is 'much'; run it again",
    ),
    "truncated metrics": (lambda run: truncate(run / "metrics.json"), ("run",), "metrics.json is not readable JSON"),
    "no model": (lambda run: (run / "model.safetensors").unlink(), ("run",), "no model run/model.safetensors"),
    "truncated model": (lambda run: truncate(run / "model.safetensors"), ("run",), "is not a readable safetensors"),
    "model of others": (
        lambda run: save_file({}, run / "model.safetensors"),
        ("run",),
        "model.safetensors does not say what it is: it was written by another program",
    ),
    "fewer classes": (
        lambda run: (run / "confusion.csv").write_text("t,a,b\na,1,0\nb,0,1\n"),
        ("run",),
        "confusion.csv is missing or damaged (its classes are not those of the model): run it again",
    ),
    "no square": (
        lambda run: (run / "confusion.csv").write_text((run / "confusion.csv").read_text().replace(",0\n", "\n")),
        ("run",),
        "confusion.csv is missing or damaged",
    ),
    "unknown class": (
        lambda run: (run / "confusion.csv").write_text("true,decided,count\nant,bee,1\n"),
        ("run",),
        "confusion.csv is missing or damaged ('bee'): run it again",
    ),
    "damaged confusion": (lambda run: truncate(run / "confusion.csv"), ("run",), "confusion.csv is missing or damaged"),
    "no confusion": (lambda run: (run / "confusion.csv").unlink(), ("run",), "confusion.csv is missing or damaged"),
    "damaged history": (lambda run: truncate(run / "history.jsonl"), ("run",), "history.jsonl is missing or damaged"),
    "no history": (lambda run: (run / "history.jsonl").unlink(), ("run",), "history.jsonl is missing or damaged"),
    "history of others": (
        lambda run: (run / "history.jsonl").write_text('{"event": "judged"}'),
        ("run",),
        "history.jsonl is missing or damaged (",
    ),
    "history without its end": (
        lambda run: without_ranking(run / "history.jsonl"),
        ("run",),
        "history.jsonl is missing or damaged (what was judged on folds and what was ranked are not the same): run it",
    ),
    "history without its middle": (
        lambda run: without_judged(run / "history.jsonl"),
        ("run",),
        "history.jsonl is missing or damaged (ranked were 2 candidates, judged 1): run it again",
    ),
    "another stage": (
        lambda run: edit(run / "history.jsonl", '"stage": "fold"', '"stage": "phase"'),
        ("run",),
        "history.jsonl is missing or damaged (there is no stage 'phase'): run it again",
    ),
    "a choice that is none": (
        lambda run: edit(run / "history.jsonl", '"choice": {', '"choice": [{"a": 1}], "grid": {'),
        ("run",),
        "history.jsonl is missing or damaged (choice and grid must be keys and values): run it again",
    ),
    "no curve": (lambda run: (run / "curve.csv").unlink(), ("run",), "curve.csv is missing or damaged"),
    "no page": (lambda run: None, ("run", "--out", "run/config.yaml"), "A report must be a file that ends in .html"),
    "data of several": (
        lambda run: shutil.copytree(run, run.parent / "b"),
        ("run", "b", "--data-root", "data"),
        "Several runs side by side need no data: drop --data-root",
    ),
    "page is a folder": (
        lambda run: (run / "p.html").mkdir(),
        ("run", "--out", "run/p.html"),
        "run/p.html is a folder",
    ),
    "files is a file": (
        lambda run: (run / "report-files").write_text(""),
        ("run",),
        "Could not make the folder run/report-files: File exists; choose another place.",
    ),
}


@pytest.mark.parametrize(("damage", "arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refusals(gsmflow, run, damage, arguments, sentence):
    damage(run)
    before = {path: path.is_file() and path.read_bytes() for path in run.parent.rglob("*")}
    assert_refused(gsmflow("report", *arguments), sentence)
    assert {path: path.is_file() and path.read_bytes() for path in run.parent.rglob("*")} == before


def test_an_interrupted_run_is_refused(gsmflow, place, monkeypatch):
    with monkeypatch.context() as patch:
        Stops(patch, 4)
        assert gsmflow(*TRAIN, "--out", "half").code == 143
    assert_refused(gsmflow("report", "half"), "The run in half is unfinished: continue it with gsmflow train --resume")


def test_full_disk(gsmflow, run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert_refused(gsmflow("report", "run"), "No space left on device")
    assert not (run / "report.html").exists()
    assert contents(run / "report-files") == {}
