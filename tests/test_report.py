"""The report: what stands on the page, what it says where something is missing, and what it refuses."""

import errno
import os
import re
import shutil
import webbrowser
from dataclasses import replace

import numpy as np
import pytest

from gsmflow import experiment
from gsmflow.data import digits
from gsmflow.evaluation.metrics import Decisions, seen_unseen_curve
from gsmflow.model import ZeroShotModel
from gsmflow.report import write_report
from gsmflow.report.facts import bootstrap, class_rows, matrix_order, read_facts
from gsmflow.report.learning import judgings, losses
from gsmflow.report.probe import ausuc_interval
from gsmflow.runs import read_metrics
from tests.data.twins import make_truth, write_xlsa17
from tests.pages import Page
from tests.test_cli_refusals import assert_refused, contents, edit, truncate
from tests.tiny import TRAIN, Stops

SECTIONS = ["Result", "Training and choice", "Seen-unseen curve", "Classes, worst first", "Confusion"]
OF_DATA = ["Map of unseen classes"]
LAST = ["Settings and provenance"]


def test_the_page_of_a_run(gsmflow, run):
    result = gsmflow("report", "run")
    assert (result.code, result.out, result.err) == (0, "report: run/report.html\n", "")
    page, metrics = Page(run / "report.html"), read_metrics(run)
    for section in SECTIONS + OF_DATA + LAST:
        assert section in page.headings()
    for name in ("T1", "U", "S", "H", "AUSUC"):
        assert name in page.texts["dt"]
        assert f"{metrics[name]:.1f}" in page.texts["dd"]
    assert sum(bool(re.fullmatch(r"\d+\.\d to \d+\.\d", text)) for text in page.texts["dd"]) == 5
    text = page.text()
    assert "Selected on pseudo-unseen classes; the test sets were read once." in text
    assert "Selected on test." not in text
    for value in ("TWIN", "res101", "att", "tiny", metrics["fingerprint"], metrics["versions"]["torch"]):
        assert value in text
    assert page.texts["pre"] == [(run / "config.yaml").read_text()]


def test_the_page_needs_nothing_but_itself(gsmflow, run):
    gsmflow("report", "run")
    page = Page(run / "report.html")
    assert page.tags["script"] == 0
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page.source)
    for link in page.links:
        assert link.startswith(("#", "data:", "report-files/")), link
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= page.ids.keys()
    assert set(re.findall(r"url\(#([^)]+)\)", page.source)) <= page.ids.keys()
    assert max(page.ids.values()) == 1
    files = {link for link in page.links if link.startswith("report-files/")}
    assert {path.name for path in (run / "report-files").iterdir()} == {link.split("/")[1] for link in files}
    assert len(files) == page.tags["svg"] == page.tags["figure"] >= 6
    for path in (run / "report-files").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_everyone_can_read_it(gsmflow, run):
    gsmflow("report", "run")
    page = Page(run / "report.html")
    assert len(re.findall(r'<svg [^>]*role="img"', page.source)) == page.tags["svg"]
    assert len(re.findall(r'<svg [^>]*aria-label="[^"]{20,}"', page.source)) == page.tags["svg"]
    assert '<html lang="en">' in page.source
    assert "@media print" in page.source
    assert "@media (prefers-color-scheme: dark)" in page.source
    assert re.findall(r"<th(?! scope=)", page.source.replace("<thead", "")) == []


def test_the_same_run_gives_the_same_page(gsmflow, run):
    gsmflow("report", "run")
    before = (run / "report.html").read_bytes(), contents(run / "report-files")
    gsmflow("report", "run")
    assert ((run / "report.html").read_bytes(), contents(run / "report-files")) == before


EVIL = ("<script>alert(1)</script>", 'b"&<i>', "$x^{", "a_b", "{{ 7 * 7 }}", "\x01\x1b[0m")


def test_names_are_escaped_everywhere(gsmflow, place):
    truth = make_truth()
    truth.class_names = EVIL
    write_xlsa17(place / "data" / "TWIN", truth)
    folder = 'r"&<u>'
    assert gsmflow(*TRAIN, "--out", folder).code == 0
    shutil.copytree(place / folder, place / "other")
    assert gsmflow("report", folder).code == 0
    assert gsmflow("report", folder, "other").code == 0
    for path in (place / folder / "report.html", place / "report.html"):
        page = Page(path)
        assert page.tags["script"] == page.tags["i"] - page.source.count('<i style="width:') == page.tags["u"] == 0
        assert folder in page.texts["title"][0]
        assert "<script>alert(1)</script>" in page.texts["text"]  # in the pictures
        assert any(cell.startswith("<script>alert(1)</script>") for cell in page.texts["th"])
        for name in EVIL[1:5]:
            assert name in page.texts["text"]
            assert name in page.text()
        assert "\x01" not in re.sub(r"<table.*?</table>", "", page.source, flags=re.S)


def test_selected_on_test_is_said_loudly(gsmflow, place):
    assert gsmflow(*TRAIN, "--out", "run", "--protocol", "published").code == 0
    gsmflow("report", "run")
    page = Page(place / "run" / "report.html")
    assert '<p class="loud"><strong>Selected on test.</strong>' in page.source
    assert f"The best of {read_metrics(place / 'run')['test_reads']} evaluations on the TEST sets" in page.text()
    assert "H on TEST" in page.texts["text"]
    assert "Selected on pseudo-unseen" not in page.text()


def test_without_the_data(gsmflow, run):
    (run.parent / "data").rename(run.parent / "moved")
    result = gsmflow("report", "run")
    assert (result.code, result.out) == (0, "report: run/report.html\n")
    page = Page(run / "report.html")
    assert page.headings() == SECTIONS + LAST
    for said in (page.text(), result.err):
        assert "Left out for want of the data: the interval of AUSUC, the map of features and the generation sh" in said
        assert "There is no data set 'TWIN' in data" in said
        assert "gsmflow report run --data-root DIR" in said
    assert "no interval without the data" in page.texts["dd"]
    assert gsmflow("report", "run", "--data-root", "moved").err == ""
    found = Page(run / "report.html")
    assert "Left out" not in found.text()
    assert "no interval without the data" not in found.texts["dd"]
    assert set(OF_DATA) <= set(found.headings())


def test_other_data_are_not_taken_for_those_of_the_run(gsmflow, run):
    write_xlsa17(run.parent / "data" / "TWIN", make_truth(seed=1))
    assert "TWIN in data holds other data than those that the run was made on" in gsmflow("report", "run").err
    assert not set(OF_DATA) & set(Page(run / "report.html").headings())


def test_decisions_that_differ_from_those_of_the_run_are_told(gsmflow, run):
    lines = (run / "confusion.csv").read_text().splitlines()
    name, *counts = lines[1].split(",")
    place = next(i for i, count in enumerate(counts) if count != "0")
    counts[place], counts[place - 1] = str(int(counts[place]) - 1), str(int(counts[place - 1]) + 1)
    (run / "confusion.csv").write_text("\n".join([lines[0], ",".join([name, *counts]), *lines[2:]]) + "\n")
    samples = read_facts(run, "run").confusion.sum()
    assert f"1 of {samples} test samples are now decided otherwise than in conf" in gsmflow("report", "run").err


def test_a_model_that_generates_nothing(gsmflow, place):
    train = ("train", "TWIN", "--recipe", "eszsl", "--selection.folds", 1, "--quiet", "--out", "run")
    assert gsmflow(*train).code == 0
    assert "this model generates no features." in gsmflow("report", "run").err
    page = Page(place / "run" / "report.html")
    assert "There is no map and no generation shifts: this model generates no features." in page.text()
    assert page.headings() == SECTIONS + LAST
    assert "The generator is a closed form, fitted in one go: there is no loss by step." in page.text()


def test_a_model_that_generates_nonsense(gsmflow, run, monkeypatch):
    monkeypatch.setattr(ZeroShotModel, "generate", lambda model, ids, rng=None: np.full((len(ids), 7), np.nan))
    assert "what the model generates is not finite." in gsmflow("report", "run").err
    assert not set(OF_DATA) & set(Page(run / "report.html").headings())


def test_digits_are_shown_as_images(gsmflow, place):
    train = ("train", "digits", "--recipe", "gaussian", "--selection.folds", 1, "--quiet", "--out", "run")
    assert gsmflow(*train).code == 0
    assert gsmflow("report", "run").err == ""
    page = Page(place / "run" / "report.html")
    assert "Digits" in page.headings()
    data = digits()
    predicted = experiment.load_model(place / "run").predict(data.features)
    tests = np.r_[data.test_seen, data.test_unseen]
    wrong = int((predicted[tests] != data.labels[tests]).sum())
    assert f"decided wrongly ({wrong} of {len(tests)})" in page.texts["text"]
    shown = [text for text in page.texts["text"] if "→" in text]
    assert len(shown) == min(20, wrong)
    assert set(shown) <= {f"{t}→{p}" for t, p in zip(data.labels[tests], predicted[tests], strict=True) if t != p}
    for heading in ("3, generated", "3, real", "6, generated", "6, real"):
        assert heading in page.texts["text"]
    assert {"digits-decided.png", "digits-generated.png"} <= contents(place / "run" / "report-files").keys()


def test_several_runs_side_by_side(gsmflow, run):
    assert gsmflow(*TRAIN, "--out", "b", "--seed", 1, "--flow.blocks", 2, "--protocol", "published").code == 0
    assert gsmflow("report", "run", "b", "run").out == "report: report.html\n"
    page = Page(run.parent / "report.html")
    assert page.headings() == ["Result", "Side by side", "What differs", "run", "b"]
    rows = dict(re.findall(r"<tr><th scope=\"row\"><code>(.*?)</code></th>(.*?)</tr>", page.source))
    assert rows == {
        "protocol": "<td>validated</td><td>published</td>",
        "settings.seed": "<td>0</td><td>1</td>",
        "settings.flow.blocks": "<td>1</td><td>2</td>",
    }
    for folder in (run, run.parent / "b"):
        metrics = read_metrics(folder)
        assert f"{folder.name}: AUSUC {metrics['AUSUC']:.1f}" in page.texts["text"]
        for name in ("T1", "U", "S", "H", "AUSUC"):
            assert any(cell.startswith(f"{metrics[name]:.1f}") for cell in page.texts["td"])
    assert "Selected on test: b. Do not compare it with validated runs." in page.text()
    assert max(page.ids.values()) == 1
    assert len(contents(run.parent / "report-files")) == page.tags["svg"]


def test_settings_that_had_no_say_do_not_differ(gsmflow, run):
    recipe = ("--recipe", "gaussian", "--selection.folds", 1, "--training.batch", 9, "--quiet")
    assert gsmflow("train", "TWIN", *recipe, "--out", "b").code == 0
    gsmflow("report", "run", "b")
    keys = Page(run.parent / "report.html").texts["code"]
    assert "settings.generator" in keys
    assert not [key for key in keys if key.startswith(("settings.flow", "settings.training", "settings.gaussian"))]


def test_runs_of_one_name_are_told_apart(gsmflow, run):
    shutil.copytree(run, run.parent / "x" / "run")
    gsmflow("report", "run", "x/run")
    assert Page(run.parent / "report.html").headings()[-2:] == ["run", "x/run"]


def test_where_it_is_written(gsmflow, run, monkeypatch):
    shown = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    assert gsmflow("report", "run", "--out", "new/a b.html", "--open").code == 0
    page = Page(run.parent / "new" / "a b.html")
    assert shown == [(run.parent / "new" / "a b.html").as_uri()]
    assert (run.parent / "new" / "a b-files" / "curve.png").exists()
    assert "a%20b-files/curve.png" in page.links
    assert not (run / "report.html").exists()


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


def test_write_report_from_python(run):
    assert write_report([run]) == run / "report.html"


def test_what_was_chosen_is_the_best_of_what_is_drawn(gsmflow, run):
    facts = read_facts(run, "run")
    (judging,) = judgings(facts.history)
    line, at = judging.best
    chosen = facts.metrics["chosen"]
    assert line.h[at] == pytest.approx(chosen["validation_H"])
    assert line.folds[at] == pytest.approx(tuple(chosen["validation_H_by_fold"].values()))
    assert (line.x[at], line.label) == (pytest.approx(chosen["choice"]["epoch"]), chosen["recognizer"])
    assert (judging.by_epoch, judging.on_test) == (True, False)
    assert gsmflow(*TRAIN, "--out", "b", "--protocol", "published").code == 0
    (judging,) = judgings(read_facts(run.parent / "b", "b").history)
    line, at = judging.best
    assert line.h[at] == read_metrics(run.parent / "b")["chosen"]["test_H"]
    assert judging.on_test


def test_a_flow_on_a_closed_form_has_two_stages(gsmflow, place):
    train = ("train", "TWIN", "--recipe", "default", "--training.epochs", 1, "--selection.folds", 2, "--quiet")
    assert gsmflow(*train, "--out", "run").code == 0
    first, own = judgings(read_facts(place / "run", "run").history)
    assert (first.by_epoch, own.by_epoch) == (False, True)
    assert first.title == "The closed form that the flow starts at"
    count = sum(len(line.h) for line in first.lines)
    assert count == len({str(sorted(choice.items())) for line in first.lines for choice in line.choices})
    assert own.best[0].h[own.best[1]] == pytest.approx(read_metrics(place / "run")["chosen"]["validation_H"])


def test_losses_are_those_of_the_history(run):
    facts = read_facts(run, "run")
    terms = losses(facts.history)
    assert set(terms) == {"nll", "prototype"}
    events = [event for event in facts.history if event["event"] == "train"]
    assert sum(len(points) for points in terms["nll"].values()) == len(events)
    assert terms["nll"]["final"][-1] == (events[-1]["step"], events[-1]["nll"])


def samples_of(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, decided = np.nonzero(confusion)
    counts = confusion[true, decided]
    return np.repeat(true, counts), np.repeat(decided, counts)


def test_intervals_are_those_of_resampled_samples():
    """Counts drawn from binomials give what resampling the test samples themselves within classes gives."""
    confusion = np.array([[20, 5, 5], [2, 30, 8], [10, 0, 15]])
    true, decided = samples_of(confusion)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(3_000):
        rows = np.concatenate([rng.choice(np.flatnonzero(true == k), np.sum(true == k)) for k in range(3)])
        accuracy = [100 * np.mean(decided[rows][true[rows] == k] == k) for k in range(3)]
        u, s = accuracy[2], (accuracy[0] + accuracy[1]) / 2
        drawn.append((u, s, 2 * u * s / (u + s)))
    expected = np.quantile(drawn, [0.025, 0.975], axis=0).T
    found = bootstrap(confusion, np.array([2]), np.array([np.nan, np.nan, 60.0]), resamples=5_000)
    np.testing.assert_allclose([found[name] for name in ("U", "S", "H")], expected, atol=1.5)
    np.testing.assert_allclose(found["T1"], expected[0], atol=1.5)


def test_intervals_of_the_certain_and_the_empty():
    confusion = np.array([[7, 0, 0], [0, 0, 0], [0, 0, 4]])
    found = bootstrap(confusion, np.array([2]), np.array([np.nan, np.nan, 100.0]))
    assert set(found.values()) == {(100.0, 100.0)}


def decisions(n: int, seed: int) -> Decisions:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1] if seed == 0 else [2, 3], n // 2)
    right = rng.uniform(size=n) < 0.7
    seen, unseen = np.zeros(n, int), np.full(n, 2)
    (seen if seed == 0 else unseen)[right] = labels[right]
    return Decisions(labels, seen, unseen, rng.normal(1 if seed == 0 else -1, 1.5, n), unseen)


def test_the_interval_of_ausuc_holds_it_and_shrinks():
    widths = []
    for n in (40, 1_000):
        of_seen, of_unseen = decisions(n, 0), decisions(n, 1)
        low, high = ausuc_interval(of_seen, of_unseen)
        assert low < seen_unseen_curve(of_seen, of_unseen).area < high
        assert (low, high) == ausuc_interval(of_seen, of_unseen)
        widths.append(high - low)
    assert widths[1] < widths[0] / 3  # five times as many samples in each class's root


def test_classes_stand_worst_first(run):
    facts = read_facts(run, "run")
    confusion = np.zeros((6, 6), int)
    confusion[0, [0, 1, 2, 3, 4]] = [1, 4, 2, 3, 1]
    confusion[1, 1] = 3
    confusion[2, [2, 5]] = [1, 1]
    confusion[3, [0, 3]] = [9, 1]
    changed = {"confusion": confusion, "class_names": tuple("abcdef"), "unseen": np.array([1, 4])}
    rows = class_rows(replace(facts, **changed))
    assert [row.name for row in rows] == ["a", "d", "c", "b", "e", "f"]
    a = rows[0]
    assert (a.taken_for, a.samples, a.right) == ((("b", 4), ("d", 3), ("c", 2)), 11, 1)
    accuracies = [row.accuracy for row in rows]
    assert accuracies == [*sorted(accuracies[:4]), None, None]
    assert {row.name for row in rows if row.is_unseen} == {"b", "e"}
    assert {row.name: row.row for row in rows} == {"a": 1, "c": 2, "d": 3, "f": 4, "b": 5, "e": 6}
    assert matrix_order(facts).tolist() == [0, 2, 3, 5, 1, 4]
