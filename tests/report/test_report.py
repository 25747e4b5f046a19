"""The report: what stands on the page, what it says where something is missing, and what it refuses."""

import re
import shutil
import webbrowser

import numpy as np

import gsmflow as package
from gsmflow.data import digits, load
from gsmflow.model import ZeroShotModel
from gsmflow.report import write_report
from gsmflow.report.facts import read_facts
from gsmflow.report.probe import probe
from gsmflow.runs import RunFolder
from tests.cli.test_refusals import contents
from tests.data.twins import make_truth, write_xlsa17
from tests.report.pages import Page
from tests.tiny import TRAIN

SECTIONS = ["Result", "Training and choice", "Seen-unseen curve", "Classes, worst first", "Confusion"]
OF_DATA = ["Map of unseen classes", "Generation shifts"]
LAST = ["Settings and provenance"]


def read_metrics(folder):
    return RunFolder(folder).read_metrics()


def test_the_page_of_a_run(gsmflow, run):
    result = gsmflow("report", "run")
    assert (result.code, result.out, result.err) == (0, "report: run/report.html\n", "")
    page, metrics = Page(run / "report.html"), read_metrics(run)
    for section in SECTIONS + OF_DATA + LAST:
        assert section in page.headings()
    for name in ("T1", "U", "S", "H", "AUSUC"):
        assert name in page.texts["dt"]
        assert f"{metrics[name]:.1f}" in page.texts["dd"]
    assert sum(bool(re.fullmatch(r"\d+\.\d to \d+\.\d", text)) for text in page.texts["dd"]) == 5 + 4  # estimates
    text = page.text()
    assert "Selected on pseudo-unseen classes; the test sets were read once." in text
    assert "Selected on test." not in text
    for value in ("TWIN", "res101", "att", "tiny", metrics["fingerprint"], metrics["versions"]["torch"]):
        assert value in text
    assert page.texts["pre"] == [(run / "config.yaml").read_text()]


def values(page):
    """The generation shifts of a page, by name."""
    return dict(
        re.findall(r'<tr><th scope="row">([a-z ]+)</th><td class="number">([^<]+)</td><td class="r', page.source)
    )


def test_the_shifts_are_labelled_as_diagnostics(shown):
    label = "On test features of unseen classes: diagnostics, computed after the run was final; they chose nothing."
    assert shown.page.texts["p"].count(label) == 2
    found = values(shown.page)
    assert list(found) == ["semantic consistency", "variance", "distance", "structure", "hubness", "calibration"]
    assert found["structure"] == found["hubness"] == "none"  # two unseen classes
    assert found["distance"] == "none"  # five samples a class
    assert 1 <= float(found["semantic consistency"].removeprefix("rank ")) <= 2


def test_the_shifts_are_those_of_the_features(shown, workshop):
    """Variance and calibration, computed again by their definitions."""
    found = probe(read_facts(shown.run, "run"), load("TWIN", root=workshop / "data"))
    g, ratios = found.generated, []
    for k in (1, 4):
        made, real = (x[of == k].astype(float) for x, of in ((g.features, g.labels), (g.real, g.real_labels)))
        assert (len(made), len(real)) == (100, 5)
        scatter = [((x - x.mean(0)) ** 2).sum() / (len(x) - 1) for x in (made, real)]
        ratios.append(scatter[0] / scatter[1])
    assert values(shown.page)["variance"] == f"{sum(ratios) / 2:.2f}"
    apart, is_right = 0.0, found.predicted == found.labels
    for low in np.arange(10) / 10:
        inside = (found.confidence >= low) & ((found.confidence < low + 0.1) | (low == 0.9))
        apart += abs((found.confidence[inside] - is_right[inside]).sum()) / len(is_right)
    assert values(shown.page)["calibration"] == f"{100 * apart:.1f} %"


def test_the_page_needs_nothing_but_itself(shown):
    run, page = shown.run, shown.page
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


def test_everyone_can_read_it(shown):
    page = shown.page
    assert len(re.findall(r'<svg [^>]*role="img"', page.source)) == page.tags["svg"]
    assert len(re.findall(r'<svg [^>]*aria-label="[^"]{20,}"', page.source)) == page.tags["svg"]
    assert '<html lang="en">' in page.source
    assert "@media print" in page.source
    assert "@media (prefers-color-scheme: dark)" in page.source
    assert re.findall(r"<th(?! scope=)", page.source.replace("<thead", "")) == []


def test_the_same_run_gives_the_same_page(shown, tmp_path, monkeypatch):
    before = (shown.run / "report.html").read_bytes(), contents(shown.run / "report-files")
    monkeypatch.chdir(shown.run.parent)
    page = write_report(["run"], tmp_path / "report.html")
    assert (page.read_bytes(), contents(tmp_path / "report-files")) == before


EVIL = ("<script>alert(1)</script>", 'b"&<i>', "$x^{", "a_b", "_{{ 7 * 7 }}", "\x01\x1b[0m")


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


def test_selected_on_test_is_said_loudly(gsmflow, bring, place):
    bring("run", *TRAIN, "--protocol", "published")
    gsmflow("report", "run")
    page = Page(place / "run" / "report.html")
    assert '<p class="loud"><strong>Selected on test.</strong>' in page.source
    assert f"The best of {read_metrics(place / 'run')['test_reads']} evaluations on the TEST sets" in page.text()
    assert "H on TEST (%)" in page.texts["text"]
    assert "Selected on pseudo-unseen" not in page.text()


def test_without_the_data(gsmflow, run):
    (run.parent / "data").rename(run.parent / "moved")
    result = gsmflow("report", "run")
    assert (result.code, result.out) == (0, "report: run/report.html\n")
    page = Page(run / "report.html")
    assert page.headings() == SECTIONS + LAST
    for said in (page.text(), result.err):
        assert "Left out for want of the data: the interval of AUSUC, the map of features and the generation sh" in said
        assert str(run.parent / "data") in said
        assert "gsmflow report run --data-root DIR" in said
    assert "no interval without the data" in page.texts["dd"]
    assert gsmflow("report", "run", "--data-root", "moved").err == ""
    found = Page(run / "report.html")
    assert "Left out" not in found.text()
    assert "no interval without the data" not in found.texts["dd"]
    assert set(OF_DATA) <= set(found.headings())


def test_other_data_are_not_taken_for_those_of_the_run(gsmflow, run):
    write_xlsa17(run.parent / "data" / "TWIN", make_truth(seed=1))
    there = run.parent / "data"
    assert f"TWIN in {there} holds other data than " in gsmflow("report", "run").err
    assert not set(OF_DATA) & set(Page(run / "report.html").headings())


def test_decisions_that_differ_from_those_of_the_run_are_told(gsmflow, run):
    lines = (run / "confusion.csv").read_text().splitlines()
    name, *counts = lines[1].split(",")
    place = next(i for i, count in enumerate(counts) if count != "0")
    counts[place], counts[place - 1] = str(int(counts[place]) - 1), str(int(counts[place - 1]) + 1)
    (run / "confusion.csv").write_text("\n".join([lines[0], ",".join([name, *counts]), *lines[2:]]) + "\n")
    samples = read_facts(run, "run").samples.sum()
    assert f"1 of {samples} test samples are now decided otherwise than in conf" in gsmflow("report", "run").err


def test_a_model_that_generates_nothing(gsmflow, bring, place):
    bring("run", "train", "TWIN", "--recipe", "eszsl", "--selection.folds", 1, "--quiet", "--no-report")
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
    train = (
        "train",
        "digits",
        "--recipe",
        "gaussian",
        "--selection.folds",
        1,
        "--quiet",
        "--no-report",
        "--out",
        "run",
    )
    assert gsmflow(*train).code == 0
    assert gsmflow("report", "run").err == ""
    page = Page(place / "run" / "report.html")
    assert "Digits" in page.headings()
    data = digits()
    predicted = package.load_model(place / "run").predict_ids(data.features)
    tests = np.r_[data.test_seen, data.test_unseen]
    wrong = int((predicted[tests] != data.labels[tests]).sum())
    assert f"decided wrongly ({wrong} of {len(tests)})" in page.texts["text"]
    shown = [text for text in page.texts["text"] if "→" in text]
    assert len(shown) == min(20, wrong)
    assert set(shown) <= {f"{t}→{p}" for t, p in zip(data.labels[tests], predicted[tests], strict=True) if t != p}
    for heading in ("3, generated", "3, real", "6, generated", "6, real"):
        assert heading in page.texts["text"]
    assert {"digits-decided.png", "digits-generated.png"} <= contents(place / "run" / "report-files").keys()


def test_several_runs_side_by_side(gsmflow, bring, run):
    bring("b", *TRAIN, "--seed", 1, "--flow.blocks", 2, "--protocol", "published")
    assert gsmflow("report", "run", "b", "run").out == "report: report.html\n"
    page = Page(run.parent / "report.html")
    assert page.headings() == ["Result", "Side by side", "What differs", "run", "b"]
    rows = dict(re.findall(r"<tr><th scope=\"row\"><code>(.*?)</code></th>(.*?)</tr>", page.source))
    assert rows == {
        "protocol": "<td>validated</td><td>published</td>",
        "settings.seed": "<td>0</td><td>1</td>",
        "settings.flow.blocks": "<td>1</td><td>2</td>",
    }
    for place, folder in enumerate((run, run.parent / "b"), 1):
        metrics = read_metrics(folder)
        assert f"{folder.name} ({place}): AUSUC {metrics['AUSUC']:.1f}" in page.texts["text"]
        for name in ("T1", "U", "S", "H", "AUSUC"):
            assert any(cell.startswith(f"{metrics[name]:.1f}") for cell in page.texts["td"])
    assert "stands in the report of each run alone: gsmflow report RUN." in page.text()
    assert "Selected on test: b. Do not compare it with validated runs." in page.text()
    assert max(page.ids.values()) == 1
    assert len(contents(run.parent / "report-files")) == page.tags["svg"]


def test_settings_that_had_no_say_do_not_differ(bring, run):
    bring("b", "train", "TWIN", "--recipe", "gaussian", "--selection.folds", 1, "--quiet", "--no-report")
    config = run.parent / "b" / "config.yaml"
    assert "batch: 64" in config.read_text() or "batch: 256" in config.read_text()
    keys = Page(write_report([run, run.parent / "b"])).texts["code"]
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


def test_write_report_from_python(run):
    assert write_report([run]) == run / "report.html"
