"""The axes of a comparison: which classes are unseen, and what evidence there is of them."""

import json
import math
import os
import signal
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest

from gsmflow.comparison import work
from gsmflow.data import DataSource, redrawn, synthetic
from gsmflow.errors import InputError
from gsmflow.evidence import RIVALS, EvidenceRecord
from gsmflow.model import ZeroShotModel
from gsmflow.runs import RunFolder
from tests.comparison.test_comparison import cells

COMPARE = ("compare", "synthetic", "--methods", "prototype", "eszsl", "--protocols", "validated", "--out", "c")
OPTIONS = ("--jobs", 1, "--device", "cpu", "--override", "selection.folds=2")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Measures:
    """In place of `gsmflow.evidence.measure`: what was asked, and numbers that tell it; some cannot."""

    def __init__(self, patch):
        self.asked = []
        patch.setattr(work, "measure", self)

    def __call__(self, model, dataset, evidence, method=None, *, seed):
        self.asked.append((method, str(evidence), seed, dataset.provenance.class_split))
        assert model.about.fingerprint == dataset.fingerprint()
        if evidence.shots > 20:
            raise InputError(f"too few: shots={evidence.shots} are more than there are.")
        if model.settings.generator == "eszsl":
            raise InputError("The generator eszsl has no means that could learn.")
        t1 = 50.0 + evidence.shots + seed + 10 * dataset.provenance.class_split
        numbers: dict[str, Any] = {name: t1 for name in ("T1", "U", "S", "H")} | {
            f"{name}_sd": 1.0 for name in ("T1", "U", "S", "H")
        }
        sentence = "" if method or evidence.shots else "It did not adapt."
        return EvidenceRecord(method or "it", evidence, **numbers, repeats=5, seconds=0.5, sentence=sentence)


@pytest.fixture
def measures(monkeypatch):
    return Measures(monkeypatch)


def test_class_splits_are_runs_on_other_unseen_classes(gsmflow, here):
    result = gsmflow(*COMPARE, "--seeds", 0, 1, "--class-splits", 3, *OPTIONS)
    assert result.code == 0, result.err
    found = cells(here / "c")
    kinds = [(cell["method"], cell["seed"], cell["class_split"]) for cell in found]
    assert sorted(kinds) == sorted(product(("prototype", "eszsl"), (0, 1), (0, 1, 2)))
    for cell in found:
        folder = RunFolder(here / "c" / cell["run"])
        split = cell["class_split"]
        assert folder.path.name.endswith(f"-{cell['seed']}" + (f"-split{split}" if split else ""))
        metrics = folder.read_metrics()
        assert metrics["class_split"] == split
        assert metrics["fingerprint"] == redrawn(synthetic(), split).fingerprint()
        assert folder.read_config().data == DataSource.of(redrawn(synthetic(), split))
    page = (here / "c" / "comparison.md").read_text()
    assert "## inductive, validated: " in page
    assert ", over 3 class splits" in page
    assert "| class splits |" in page
    before = {path: path.stat().st_mtime_ns for path in (here / "c" / "cells").rglob("metrics.json")}
    assert "12 cells, 12 finished before" in gsmflow(*COMPARE, "--seeds", 0, 1, "--class-splits", 3, *OPTIONS).err
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())

    def by_split(method):
        return np.array(
            [
                np.mean([c["H"] for c in found if (c["method"], c["class_split"]) == (method, split)])
                for split in range(3)
            ]
        )

    h = by_split("prototype")
    assert f"| {h.mean():.1f}±{h.std(ddof=1):.1f} |" in page
    assert f"{(by_split('eszsl') - h).mean():+.1f} (" in page
    row = next(line for line in page.splitlines() if line.startswith("| prototype |"))
    assert row.split(" | ")[-2] == "3"


def test_class_splits_in_several_processes_give_the_same_numbers(gsmflow, here):
    options = ("--seeds", 0, "--class-splits", 2, *OPTIONS)
    one_method = (*COMPARE[:3], *COMPARE[4:])
    assert gsmflow(*one_method, *options).code == 0
    result = gsmflow(*one_method[:-1], "many", *options[:-6], "--jobs", 2, *options[-4:])
    assert result.code == 0, result.err
    for one, other in zip(cells(here / "c"), cells(here / "many"), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_one_run_serves_all_evidence_and_what_is_measured_is_kept(gsmflow, here, measures):
    evidence = ("--evidence", "none", "unlabelled", "shots=1", "shots=2", "shots=99")
    result = gsmflow(*COMPARE, "--seeds", 0, 1, *evidence, *OPTIONS)
    assert result.code == 0, result.err
    assert len(list((here / "c" / "cells").iterdir())) == 4
    found = cells(here / "c")
    count = Counter(cell["evidence"] for cell in found)
    rivals = {kind: sum(kind in rival.kinds for rival in RIVALS.values()) for kind in ("unlabelled", "shots")}
    assert count["none"] == 4
    assert count["unlabelled"] == 2 * (2 + rivals["unlabelled"])
    assert count["shots=1"] == count["shots=2"] == count["shots=99"] == 2 * (2 + rivals["shots"])
    one = next(c for c in found if (c["method"], c["evidence"], c["seed"]) == ("prototype", "shots=2", 1))
    assert (one["T1"], one["H"], one["repeats"], one["U_raw"], one["estimate"]) == (53.0, 53.0, 5, None, None)
    rival = next(c for c in found if c["is_rival"])
    assert rival["run"].startswith("cells/prototype-")  # what the first method has learnt
    assert (here / "c" / one["run"] / "evidence-shots-2.json").exists()
    assert (here / "c" / "shots.png").read_bytes().startswith(b"\x89PNG")

    done = len(measures.asked)
    assert "4 cells, 4 finished before" in gsmflow(*COMPARE, "--seeds", 0, 1, *evidence, *OPTIONS).err
    assert len(measures.asked) == done
    assert gsmflow(*COMPARE, "--seeds", 0, 1, *evidence, "shots=3", *OPTIONS).code == 0
    assert {kind for _, kind, *_ in measures.asked[done:]} == {"shots=3"}


def test_tables_never_mix_evidence(gsmflow, here, measures):
    evidence = ("--evidence", "shots=99", "shots=1", "unlabelled", "none", "--rivals", "transclip")
    result = gsmflow(*COMPARE, "--seeds", 0, 1, *evidence, *OPTIONS)
    page = (here / "c" / "comparison.md").read_text()
    titles = [line.split(",")[0] for line in page.splitlines() if line.startswith("## ")]
    few = "## few-shot with 1 labelled picture a class", "## few-shot with 99 labelled pictures a class"
    assert titles == ["## inductive", "## transductive", *few]
    inductive, transductive, one_shot, many_shots = page.split("\n## ")[1:]
    assert "transclip" not in inductive
    assert "| transclip | 50.5±0.7 |" in transductive
    assert "| prototype | 51.5±0.7 |" in one_shot
    assert "transclip: all test pictures are seen at once beside the labelled ones" in one_shot
    assert "| eszsl | cannot | cannot |" in one_shot
    assert "eszsl: The generator eszsl has no means that could learn." in one_shot
    assert "prototype: It did not adapt." in transductive
    assert "| prototype | too few | too few |" in many_shots
    assert "less prototype" not in many_shots
    assert "few-shot with 1 labelled picture a class, validated" in result.out
    assert not (here / "c" / "shots.png").exists()  # one number of shots is no line


def test_evidence_alone_has_its_tables(gsmflow, here, measures):
    result = gsmflow(*COMPARE, "--seeds", 0, "--evidence", "shots=1", "--rivals", *OPTIONS)
    assert result.code == 0, result.err
    assert [(cell["method"], cell["evidence"]) for cell in cells(here / "c")] == [
        ("prototype", "shots=1"),
        ("eszsl", "shots=1"),
    ]
    assert not (here / "c" / "comparison.png").exists()
    assert "inductive" not in result.out


def test_an_interrupted_measurement_goes_on(gsmflow, here, measures, monkeypatch):
    asked = (*COMPARE, "--seeds", 0, "--evidence", "shots=1", "shots=2", "--rivals", *OPTIONS)
    with monkeypatch.context() as patch:

        def stopped(model, dataset, evidence, method=None, *, seed):
            if evidence.shots == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return measures(model, dataset, evidence, method, seed=seed)

        patch.setattr(work, "measure", stopped)
        result = gsmflow(*asked)
    assert result.code == 143
    assert "Interrupted. The same command goes on from what is in c." in result.err
    assert [kind for _, kind, *_ in measures.asked] == ["shots=1"]
    assert gsmflow(*asked).code == 0
    assert [kind for _, kind, *_ in measures.asked] == ["shots=1", "shots=2", "shots=1", "shots=2"]


def test_a_model_that_is_another_is_measured_again(gsmflow, here, measures):
    assert gsmflow(*COMPARE, "--seeds", 0, "--evidence", "shots=1", "--rivals", *OPTIONS).code == 0
    path = next((here / "c" / "cells").glob("prototype*")) / "evidence-shots-1.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "model": "0" * 64}))
    done = len(measures.asked)
    assert gsmflow(*COMPARE, "--seeds", 0, "--evidence", "shots=1", "--rivals", *OPTIONS).code == 0
    assert len(measures.asked) == done + 1
    path.write_text(json.dumps({**json.loads(path.read_text()), "measured": {"model": 3}}))
    result = gsmflow(*COMPARE, "--seeds", 0, "--evidence", "shots=1", "--rivals", *OPTIONS)
    assert (result.code, "evidence-shots-1.json does not hold what gsmflow measured" in result.err) == (2, True)


def cannot(model, features, labels):
    """In place of `ZeroShotModel.learn`: rivals do without."""
    raise InputError("The model does not learn.")


def test_rivals_measure_on_what_the_first_method_learnt(gsmflow, here, monkeypatch):
    monkeypatch.setattr(ZeroShotModel, "learn", cannot, raising=False)
    methods = ("--methods", "gaussian", "--override", "selection.folds=2", "gaussian.dims=8")
    options = ("--evidence", "shots=5", "--rivals", "class-means", "nearest-shots", "--jobs", 1, "--seeds", 0)
    result = gsmflow("compare", "synthetic", *methods, *options, "--protocols", "validated", "--out", "c")
    assert result.code == 0, result.err
    found = {cell["method"]: cell for cell in cells(here / "c")}
    assert found["class-means"]["T1"] > 95
    assert math.isfinite(found["nearest-shots"]["H"])


REFUSED = {
    "no class split": (("--class-splits", 0), "--class-splits must be at least 1, the official one; found 0."),
    "too many class splits": (("--class-splits", 99999), "synthetic has 15503 class splits beside the official one"),
    "no evidence": (("--evidence",), "--evidence names none"),
    "no such evidence": (("--evidence", "words"), "There is no evidence 'words'"),
    "no such rival": (("--evidence", "shots=1", "--rivals", "svm"), "There is no rival 'svm': choose one of class-m"),
    "rivals without evidence": (("--rivals", "transclip"), "--rivals is given without: add --evidence unlabelled"),
    "published": (
        ("--evidence", "none", "unlabelled", "--protocols", "validated", "published"),
        "The protocol published has chosen on the very samples that --evidence unlabelled would take: leave it out.",
    ),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence(gsmflow, arguments, sentence):
    asked = COMPARE if "--protocols" not in arguments else (*COMPARE[:5], *COMPARE[7:])
    result = gsmflow(*asked, *arguments, "--quiet")
    assert result.code == 2
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_the_published_protocol_is_left_out_where_there_is_evidence(gsmflow, here, measures):
    asked = (*COMPARE[:5], *COMPARE[7:])
    result = gsmflow(*asked, "--seeds", 0, "--evidence", "unlabelled", "--rivals", *OPTIONS)
    assert "the protocol published is left out: it chooses on what unlabelled is taken from" in result.err
    assert {cell["protocol"] for cell in cells(here / "c")} == {"validated"}
