"""The command line on data whose unseen classes nobody has a picture of: the normal case of one's own data."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gsmflow.data import Provenance
from gsmflow.data.formats import numpy_files
from gsmflow.errors import DataWarning
from tests.tiny import problem

pytestmark = pytest.mark.filterwarnings(f"ignore::{DataWarning.__module__}.{DataWarning.__name__}")
TRAIN = ("train", "mine", "--data-root", ".", "--recipe", "gaussian", "--selection.folds", 2, "--no-report")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a data set without any test."""
    whole = problem()
    data = replace(whole, name="mine", test_seen=[], test_unseen=[], provenance=Provenance())
    numpy_files.write(data, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_training_reports_an_estimate_that_is_marked_as_one(gsmflow, mine):
    result = gsmflow(*TRAIN, "--out", "r")
    assert result.code == 0, result.err
    assert "not measured, since there are no test samples: T1, U, H" in result.out
    assert "ESTIMATE on pseudo-unseen classes, 2 folds, 95 %: T1 " in result.out
    found = metrics(mine / "r")
    assert [name for name in ("T1", "U", "S", "H") if found[name] is None] == ["T1", "U", "H"]
    assert found["evidence"] == "none"
    assert "samples to learn from in a fold: a calibration constant is a rough guess there" in result.err
    assert any("rough guess" in sentence for sentence in found["warnings"])
    assert found["estimate"]["folds"] == 2
    h = found["estimate"]["H"]
    assert h["low"] <= h["mean"] <= h["high"]
    assert h["mean"] == pytest.approx(found["chosen"]["validation_H"], abs=1e-3)
    assert gsmflow("evaluate", "r").out.splitlines()[:3] == result.out.splitlines()[:3]


def test_no_test_learns_from_all(gsmflow, mine):
    result = gsmflow(*TRAIN, "--out", "r", "--no-test")
    assert result.code == 0, result.err
    found = metrics(mine / "r")
    assert [found[name] for name in ("T1", "U", "S", "H", "test_reads")] == [None, None, None, None, 0]
    assert "not measured, since there are no test samples: T1, U, S, H" in result.out


def test_without_validation_there_is_no_estimate(gsmflow, mine):
    result = gsmflow("train", "mine", "--data-root", ".", "--recipe", "gaussian", "--protocol", "fixed", "--out", "r")
    assert result.code == 0, result.err
    assert "no estimate either" in result.out
    assert metrics(mine / "r")["estimate"] is None
    assert "there is no estimate either" in (mine / "r" / "report.html").read_text()


def test_the_report_of_an_estimate_says_so(gsmflow, mine):
    assert gsmflow(*TRAIN[:-1], "--out", "r", "--no-test").code == 0
    page = (mine / "r" / "report.html").read_text()
    assert "Estimates, not measurements" in page
    assert "there are no test samples." in page
    assert gsmflow(*TRAIN, "--out", "again").code == 0
    assert gsmflow("report", "r", "again", "--out", "both.html").code == 0
    assert "estimate " in (mine / "both.html").read_text()


def test_a_comparison_compares_estimates(gsmflow, mine):
    options = ("--methods", "gaussian", "eszsl", "--seeds", 0, "--jobs", 1, "--override", "selection.folds=2")
    result = gsmflow("compare", "mine", "--data-root", ".", *options, "--out", "c")
    assert result.code == 0, result.err
    assert "published is left out" in result.err
    assert "ESTIMATES on pseudo-unseen classes" in result.out
    cells = json.loads((mine / "c" / "comparison.json").read_text())
    assert [cell["protocol"] for cell in cells] == ["validated", "validated"]
    assert all(cell["H"] is None and cell["estimate"]["H"]["mean"] > 0 for cell in cells)
    page = (mine / "c" / "comparison.md").read_text()
    assert "ESTIMATES on pseudo-unseen classes" in page
    assert (mine / "c" / "comparison.png").stat().st_size > 1000
    result = gsmflow("compare", "mine", "--data-root", ".", *options, "--out", "c", "--protocols", "published")
    assert result.code == 2
    assert "a test set is empty" in result.err


def test_a_reproduction_says_what_was_not_measured(gsmflow, mine):
    result = gsmflow(
        "reproduce", "gaussian", "--dataset", "mine", "--data-root", ".", "--override", "selection.folds=2"
    )
    assert result.code == 0, result.err
    assert "not measured" in result.out
    assert "ESTIMATES on pseudo-unseen classes" in result.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--holdout", "1.5"), "must lie between 0 and 1; found 1.5"),
        (("--holdout", "0"), "must lie between 0 and 1; found 0"),
        (("--holdout", "0.3", "--no-test"), "contradict each other"),
    ],
)
def test_what_cannot_be_held_out_is_refused(gsmflow, mine, options, sentence):
    result = gsmflow(*TRAIN, "--out", "r", *options)
    assert result.code == 2
    assert sentence in result.err
    assert not (mine / "r").exists()


@pytest.mark.parametrize("option", ["--no-test", "--holdout=0.3"])
def test_a_data_set_with_a_test_needs_none(gsmflow, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    result = gsmflow("train", "synthetic", "--recipe", "gaussian", "--out", "r", option)
    assert result.code == 2
    assert f"drop {option.partition('=')[0]}, which has no effect" in result.err


def test_the_share_that_was_held_out_is_recorded_and_found_again(gsmflow, mine):
    assert gsmflow(*TRAIN, "--out", "r", "--holdout", "0.5").code == 0
    assert "holdout: 0.5" in (mine / "r" / "config.yaml").read_text()
    before, after = metrics(mine / "r"), json.loads(gsmflow("evaluate", "r", "--json").out)
    assert np.isclose(before["S"], after["S"])
    assert before["fingerprint"] == after["fingerprint"]
