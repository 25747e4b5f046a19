"""What a script may call: train, evaluate, load a model; and what a result can do."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import gsmflow
from gsmflow import experiment
from gsmflow.data import Provenance, ZeroShotDataset
from gsmflow.errors import InputError
from gsmflow.recipes import Recipe, load_method, load_recipe
from gsmflow.runs import Interrupted, RunFolder
from gsmflow.selection import PROTOCOLS
from gsmflow.settings import Settings, SoftmaxSettings
from tests.tiny import GAUSSIAN, LINEAR, TINY, Stops, problem, start, without_times

FIGURES = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC")
every_kind = pytest.mark.parametrize("settings", [TINY, GAUSSIAN, LINEAR], ids=["trained", "closed form", "on closed"])


@pytest.fixture
def asked(monkeypatch):
    """The configuration that a call of `train` leads to, without the run."""
    monkeypatch.setattr(experiment, "carry_out", lambda config, dataset, run: config)
    return experiment.train


def test_the_default_is_the_same_however_it_is_asked_for(asked):
    data = problem()
    ways = [asked(data), asked(data, "default"), asked(data, Settings()), asked(data, load_recipe("default"))]
    assert {config.settings.generator for config in ways} == {"linear-flow"}
    assert all(config.settings == Settings() == load_recipe("default").settings for config in ways)
    assert [config.method for config in ways] == ["default", "default", "settings", "default"]
    assert {config.protocol for config in ways} == {"validated"}


def test_methods_of_a_data_set(asked):
    digits = replace(problem(), name="digits")
    assert asked(digits).recipe == "digits"
    assert asked(digits, "gsmflow").recipe == "digits-published"
    assert asked(problem(), "gsmflow").recipe == "published"
    assert asked(problem(), "gsmflow").settings.generator == "gsmflow"
    mine = Recipe("mine", name="mine", settings=TINY)
    assert (asked(digits, mine).method, asked(digits, mine).settings) == ("mine", TINY)


def test_a_seed_replaces_that_of_the_settings(asked):
    assert asked(problem(), replace(TINY, seed=5)).settings.seed == 5
    assert asked(problem(), replace(TINY, seed=5), seed=0).settings == TINY


REFUSED = {
    "method": ({"method": "cup"}, "There is no recipe 'cup': choose one of"),
    "old method": ({"method": "gsmflow-published"}, "The method 'gsmflow-published' is called 'gsmflow' now."),
    "protocol": ({"protocol": "honest"}, "There is no protocol 'honest'; choose one of validated, published, fixed."),
    "device": ({"device": "abacus"}, "There is no device 'abacus' here; choose auto or cpu."),
    "generator": ({"method": Settings(generator="vae")}, "There is no generator 'vae': choose one of"),
    "old generator": (
        {"method": Settings(generator="residual-flow")},
        "the generator 'residual-flow' is called 'linear-flow' now.",
    ),
    "recognizer": (
        {"method": replace(GAUSSIAN, recognizer="compatibility")},
        "The generator 'gaussian' has no scores, which 'compatibility' needs: choose",
    ),
    "no such recognizer": ({"method": replace(GAUSSIAN, recognizer="nose")}, "There is no recognizer 'nose'"),
    "range": ({"method": replace(TINY, softmax=SoftmaxSettings(epochs=0))}, "softmax.epochs: Input should be greater"),
    "negative seed": ({"method": TINY, "seed": -1}, "seed: Input should be greater than or equal to 0 (found -1)."),
    "grid of the seed": ({"method": replace(TINY, grid=("seed=0,1",))}, "The grid cannot try seed: it is the same"),
    "grid without effect": (
        {"method": replace(GAUSSIAN, grid=("softmax.lr=0.1,0.2",))},
        "The grid tries softmax.lr, which has no effect: generator gaussian, recognizer likelihood take",
    ),
    "grid out of range": ({"method": replace(TINY, grid=("softmax.lr=0.1,-1",))}, "softmax.lr: Input should be great"),
    "unknown in the grid": ({"method": replace(TINY, grid=("softmax.x=1",))}, "there is no setting 'softmax.x'"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_done(monkeypatch, arguments, sentence):
    for name, protocol in PROTOCOLS.items():
        monkeypatch.setitem(PROTOCOLS, name, replace(protocol, choose=lambda *_: pytest.fail("it began")))
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        gsmflow.train(problem(), **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@every_kind
def test_a_saved_result_is_the_folder_that_a_run_makes(tmp_path, settings, protocol):
    result = gsmflow.train(problem(), Recipe("tiny", name="tiny", settings=settings), protocol=protocol)
    assert result.save(tmp_path / "saved") == tmp_path / "saved"
    start(tmp_path / "made", settings, protocol)
    saved, made = RunFolder(tmp_path / "saved"), RunFolder(tmp_path / "made")
    assert {path.name for path in saved.path.iterdir()} == {path.name for path in made.path.iterdir()}
    for name in ("model.safetensors", "history.jsonl", "confusion.csv", "curve.csv", "config.yaml"):
        assert (saved.path / name).read_bytes() == (made.path / name).read_bytes(), name
    assert without_times(saved.read_metrics()) == without_times(made.read_metrics())


def test_a_result_is_saved_once_and_nowhere_else(tmp_path):
    result = gsmflow.train(problem(), GAUSSIAN)
    result.save(tmp_path / "a")
    with pytest.raises(InputError, match=r"a holds a finished run; choose another place, or delete that folder\."):
        result.save(str(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"b is not an empty folder; choose another place\."):
        result.save(tmp_path / "b")


def test_what_a_result_says_of_itself():
    result = gsmflow.train(problem(), GAUSSIAN, seed=4)
    words = ", ".join(f"{name} {getattr(result.metrics, name):.1f}" for name in FIGURES)
    expected = (
        rf"Result\(settings on synthetic \(noise-0\.3, normal\), selected on pseudo-unseen classes, seed 4: "
        rf"{re.escape(words)}; \d+ s\)"
    )
    assert re.fullmatch(expected, repr(result)), repr(result)
    assert repr(result.metrics) == f"Metrics({words})"
    assert {name: result.record[name] for name in FIGURES} == {
        name: round(value, 4) for name, value in result.metrics.headline().items()
    }
    assert (result.folder, result.dataset.name, result.config.settings.seed) == (None, "synthetic", 4)
    assert {type(event).__name__ for event in result.history} == {"JudgedEvent", "RankedEvent"}


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gsmflow.train(problem(), TINY)
    assert not list(tmp_path.iterdir())


def test_a_result_has_a_report(tmp_path, monkeypatch):
    """Written from its folder, or from one that is made for it and gone afterwards; the data are at hand."""
    found = []

    def write_report(folders, out, *, dataset):
        (folder,) = folders
        found.append((RunFolder(folder).read_metrics()["H"], Path(folder), out, dataset.name))
        return out

    monkeypatch.setattr("gsmflow.report.write_report", write_report)
    monkeypatch.chdir(tmp_path)
    result = gsmflow.train(problem(), GAUSSIAN)
    assert (result.report(tmp_path / "page.html"), result.report()) == (tmp_path / "page.html", "report.html")
    start(tmp_path / "run", GAUSSIAN).report()
    (h, one, *_), (_, _, *second), (_, *third) = found
    assert h == result.record["H"]
    assert (one.name, one.exists()) == ("synthetic-settings", False)
    assert second == ["report.html", "synthetic"]
    assert third == [tmp_path / "run", None, "synthetic"]


@every_kind
def test_evaluate_is_what_the_run_found(settings):
    result = gsmflow.train(problem(), settings)
    found = gsmflow.evaluate(result.model, problem())
    assert found.headline() == result.metrics.headline()
    assert found.constant == result.metrics.constant
    np.testing.assert_array_equal(found.confusions, result.metrics.confusions)


def test_evaluate_matches_classes_by_name():
    data = problem()
    result = gsmflow.train(data, GAUSSIAN)
    order = np.random.default_rng(0).permutation(8)
    shuffled = replace(
        data,
        labels=np.argsort(order)[data.labels],
        semantics=data.semantics[order],
        class_names=tuple(data.class_names[k] for k in order),
    )
    assert gsmflow.evaluate(result.model, shuffled).headline() == pytest.approx(result.metrics.headline())
    with pytest.raises(InputError, match=r"does not know 1 classes of synthetic: okapi; add them with add_classes"):
        gsmflow.evaluate(result.model, replace(data, class_names=(*data.class_names[:-1], "okapi")))
    swapped = (*data.class_names[:4], "class 7", "class 8", "class 5", "class 6")
    with pytest.raises(InputError, match=r"2 classes are seen in synthetic and unseen for the model: class 7, class 8"):
        gsmflow.evaluate(result.model, replace(data, class_names=swapped))
    with pytest.raises(InputError, match=r"features of 6 dimensions, those of synthetic have 5"):
        gsmflow.evaluate(result.model, replace(data, features=data.features[:, :5]))


def test_a_model_is_loaded_from_its_file_or_its_run(tmp_path):
    result = start(tmp_path / "run", GAUSSIAN)
    ids = result.model.predict_ids(problem().features).tolist()
    for path in (tmp_path / "run", str(tmp_path / "run" / "model.safetensors")):
        assert gsmflow.load_model(path).predict_ids(problem().features).tolist() == ids
    moved = (tmp_path / "run" / "model.safetensors").rename(tmp_path / "mine.safetensors")
    loaded = gsmflow.load_model(moved)
    assert loaded.predict_ids(problem().features).tolist() == ids
    assert (loaded.about.dataset, loaded.about.protocol) == ("synthetic", "validated")
    assert loaded.about.fingerprint == problem().fingerprint()


@pytest.mark.parametrize("name", ["nope", "nope.safetensors", "empty"])
def test_a_model_that_is_not_there_is_told_of_as_such(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(
        InputError, match=rf"There is no model {name}.*: give a file that model\.save wrote, or"
    ) as error:
        gsmflow.load_model(name)
    assert "resume" not in str(error.value)


def test_the_model_of_an_unfinished_run_is_not_there_yet(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        Stops(patch, 4)
        with pytest.raises(Interrupted):
            start(tmp_path / "run")
    with pytest.raises(InputError, match=r"is unfinished: continue it with gsmflow train --resume .*run\.$"):
        gsmflow.load_model(tmp_path / "run")


def less(data: ZeroShotDataset, *splits: str) -> ZeroShotDataset:
    """The data set without the samples of some test splits."""
    return replace(data, **{split: np.empty(0, np.int64) for split in splits})


def all_seen() -> ZeroShotDataset:
    """Six seen classes and no other."""
    data = problem()
    rows = data.labels < 6
    return ZeroShotDataset(
        "seen", data.features[rows], data.labels[rows], data.semantics[:6],
        trainval=data.trainval, test_seen=data.test_seen, provenance=Provenance(),
    )  # fmt: skip


LACKING = {
    "no test_unseen": (lambda: less(problem(), "test_unseen"), {"S", "S_raw"}),
    "no test_seen": (lambda: less(problem(), "test_seen"), {"T1", "U", "U_raw"}),
    "no test set": (lambda: less(problem(), "test_seen", "test_unseen"), set()),
    "no unseen class": (all_seen, {"S", "S_raw"}),
}


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
@pytest.mark.parametrize(("data", "measured"), LACKING.values(), ids=LACKING)
@pytest.mark.parametrize("protocol", ["validated", "fixed"])
@every_kind
def test_what_no_sample_tells_is_null(tmp_path, data, measured, protocol, settings):
    data = data()
    result = gsmflow.train(data, settings, protocol=protocol)
    record = RunFolder(result.save(tmp_path / "run")).read_metrics()
    assert {name for name in FIGURES if record[name] is not None} == measured
    assert all(0 <= record[name] <= 100 for name in measured)
    assert len(record["per_class"]) == len(np.unique(data.labels[np.r_[data.test_seen, data.test_unseen]]))
    assert RunFolder(tmp_path / "run").read_confusions(data.class_names)[:, 2].sum() == len(result.metrics.labels)
    assert gsmflow.load_model(tmp_path / "run").predict(data.features).tolist()


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
@pytest.mark.parametrize("split", ["test_seen", "test_unseen"])
def test_selecting_on_a_test_set_that_is_empty_is_refused(split):
    with pytest.raises(InputError, match="selects on test, and a test set is empty: use the validated protocol"):
        gsmflow.train(less(problem(), split), GAUSSIAN, protocol="published")


def test_data_given_as_arrays_are_trained_on_and_known_again(tmp_path):
    data = replace(problem(), name="mine", provenance=Provenance())
    folder = gsmflow.train(data, GAUSSIAN).save(tmp_path / "run")
    source = RunFolder(folder).read_config().data
    assert (source.name, source.root, source.fingerprint) == ("mine", None, data.fingerprint())
    with pytest.raises(InputError, match="'mine' was given as arrays in Python and cannot be loaded again"):
        source.load()


def test_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    gsmflow.train(problem(), TINY)
    assert torch.equal(torch.rand(1), expected)


def test_parts_of_a_method(asked):
    method = "default-without-scaling"
    assert asked(problem(), method).settings == load_method(method, "synthetic").settings
    assert asked(problem(), method).settings.grid == ("linear_flow.temperature=1,3",)
