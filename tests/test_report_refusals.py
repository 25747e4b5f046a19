"""What the report refuses: one sentence, and nothing is written."""

import errno
import os
import shutil

import pytest

from tests.test_cli_refusals import assert_refused, contents, edit, truncate
from tests.tiny import TRAIN, Stops

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
    "other sizes": (lambda run: edit(run / "config.yaml", "hidden: 16", "hidden: 17"), ("run",), "does not fit its co"),
    "unknown setting": (lambda run: edit(run / "config.yaml", "blocks: 1", "block: 1"), ("run",), "no setting"),
    "no model": (lambda run: (run / "model.safetensors").unlink(), ("run",), "holds no model.safetensors"),
    "truncated model": (lambda run: truncate(run / "model.safetensors"), ("run",), "is not a readable safetensors"),
    "fewer classes": (
        lambda run: (run / "confusion.csv").write_text("t,a,b\na,1,0\nb,0,1\n"),
        ("run",),
        "does not fit the 2 classes of confusion.csv",
    ),
    "no square": (lambda run: (run / "confusion.csv").write_text("t,a\na,1\nb,0\n"), ("run",), "no square table"),
    "damaged confusion": (lambda run: truncate(run / "confusion.csv"), ("run",), "confusion.csv is missing or damaged"),
    "damaged history": (lambda run: truncate(run / "history.jsonl"), ("run",), "history.jsonl is missing or damaged"),
    "history of others": (lambda run: (run / "history.jsonl").write_text('{"event": "judged"}'), ("run",), "line 1 la"),
    "no curve": (lambda run: (run / "curve.csv").unlink(), ("run",), "curve.csv is missing or damaged"),
    "no page": (lambda run: None, ("run", "--out", "run/config.yaml"), "--out must be a file that ends in .html"),
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
        "Could not make the folder run/report-files: File exists; choose another --out.",
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
