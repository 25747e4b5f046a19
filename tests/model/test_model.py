"""The model as an object: what it takes, what it gives, and that its file says all."""

import json
import os
import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

import gsmflow
from gsmflow.data import digits
from gsmflow.generators import Classes, Gaussian
from gsmflow.model import About, ZeroShotModel
from gsmflow.model import model as module
from gsmflow.model.about import checksum
from gsmflow.recognizers import build_recognizer
from gsmflow.scaling import Scaling
from gsmflow.settings import GaussianSettings, Settings

DATA = gsmflow.load("synthetic")
X = DATA.features


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None, [1.0]])
def test_the_constant_is_a_finite_number(model, value):
    with pytest.raises(gsmflow.InputError, match="must be a finite number"):
        model.constant = value


def test_only_files_are_written_over(model, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(gsmflow.InputError, match="no file that could be replaced"):
            model.save(path)
    assert (tmp_path / "pipe").is_fifo()


def test_names_ids_and_probabilities_agree(model):
    ids, names, p = model.predict_ids(X[:60]), model.predict(X[:60]), model.predict_proba(X[:60])
    assert names.tolist() == [model.class_names[k] for k in ids]
    assert p.shape == (60, 20)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert (p.argmax(1) == ids).all()
    top, values = model.top_k(X[:60], 3)
    assert (top[:, 0] == names).all()
    np.testing.assert_allclose(values, np.sort(p, 1)[:, ::-1][:, :3], atol=1e-7)
    assert (np.diff(values) <= 0).all()


def test_probabilities_follow_the_constant(model):
    scores = model.scores(model.tensor(X[:40])).double().numpy()
    model.constant = 2.5
    model.about = replace(model.about, temperature=1.0, tail=0.0)
    scores[:, DATA.seen] -= 2.5
    expected = np.exp(scores - scores.max(1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(X[:40]), expected / expected.sum(1, keepdims=True), atol=1e-6)
    model.constant = 1e6
    assert not np.isin(model.predict_ids(X[:40]), DATA.seen).any()


def test_evaluate_applies_the_constant_and_is_what_training_found(trained):
    found = gsmflow.evaluate(trained.model, trained.dataset)
    assert found.constant == trained.model.constant != 0
    assert found.headline() == trained.metrics.headline()
    predicted = trained.model.predict_ids(X[DATA.test_unseen])
    per_class = [np.mean(predicted[DATA.labels[DATA.test_unseen] == k] == k) for k in DATA.unseen]
    assert pytest.approx(100 * np.mean(per_class)) == found.U


@pytest.mark.parametrize(
    "given",
    [
        X[:4].tolist(),
        torch.tensor(X[:4]),
        X[:4].astype(np.float64),
        torch.tensor(X[:4]).double(),
        tuple(map(tuple, X[:4])),
    ],
    ids=["lists", "tensor", "float64", "double tensor", "tuples"],
)
def test_anything_with_numbers_will_do(model, given):
    assert (model.predict(given) == model.predict(X[:4])).all()


def test_one_row_and_none(model):
    assert model.predict(X[0]).tolist() == model.predict(X[:1]).tolist()
    assert model.predict_proba(X[0]).shape == (1, 20)
    assert model.predict(X[:0]).shape == (0,)
    assert model.predict_proba(X[:0]).shape == (0, 20)
    assert [part.shape for part in model.top_k(X[:0], 2)] == [(0, 2), (0, 2)]
    assert (model.predict(np.arange(64).reshape(2, 32)) == model.predict(np.arange(64.0).reshape(2, 32))).all()


def bad(kind: str) -> object:
    x = X[:3].astype(np.float64)
    if kind in ("nan", "infinite", "huge"):
        x[1, 2] = {"nan": np.nan, "infinite": -np.inf, "huge": 1e300}[kind]
    return {
        "complex": x.astype(complex),
        "complex tensor": torch.tensor(x) * 1j,
        "text": [["a"] * 32],
        "objects": np.full((2, 32), None),
        "masked": np.ma.masked_less(x, 0),
        "dimension": x[:, :5],
        "short row": x[0, :5],
        "deep": x[None],
        "number": 3.0,
        "ragged": [[1.0] * 32, [1.0] * 31],
        "empty": [],
    }.get(kind, x)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *((kind, "the first is row 1 ") for kind in ("nan", "infinite", "huge")),
        *((kind, "must be real numbers") for kind in ("complex", "complex tensor", "text", "objects")),
        ("masked", "must not be masked"),
        *((kind, "trained on features of 32 dimensions, these have 5") for kind in ("dimension", "short row")),
        *((kind, r"shape \(n, 32\)") for kind in ("deep", "number", "empty")),
        ("ragged", "rows that differ"),
    ],
)
@pytest.mark.parametrize("ask", ["predict", "predict_proba", "top_k", "explain"])
def test_what_is_no_table_of_numbers_is_refused(model, kind, said, ask):
    with pytest.raises(gsmflow.InputError, match=said):
        getattr(model, ask)(bad(kind))


@pytest.mark.parametrize("classes", [[-1], [20], ["nobody"], [0.5], [True], [None], "nobody"])
def test_there_is_no_such_class_to_generate(model, classes):
    with pytest.raises(gsmflow.InputError, match="no class"):
        model.generate(classes)


def test_generated_features_are_of_their_class(model):
    made = model.generate(["class 16"] * 200)
    assert made.shape == (200, 32)
    np.testing.assert_array_equal(made, model.generate([15] * 200))  # the same noise, unless it is given
    assert (model.predict(made) == "class 16").mean() > 0.8
    with pytest.raises(gsmflow.InputError, match="generates no features"):
        gsmflow.train(DATA, "eszsl", protocol="fixed").model.generate(["class 1"])


@pytest.mark.parametrize("k", [0, 21, -1])
def test_k_is_in_range(model, k):
    with pytest.raises(gsmflow.InputError, match="from 1 to the number of classes, 20"):
        model.top_k(X[:2], k)


def test_the_file_says_all_and_can_be_moved(model, tmp_path):
    model.save(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").rename(tmp_path / "b.safetensors")
    again = gsmflow.load_model(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.generate(["class 20"]), model.generate(["class 20"]))
    assert again.about == model.about
    assert repr(again) == repr(model)
    with safe_open(tmp_path / "b.safetensors", "pt") as file:
        texts = {name: json.loads(text) for name, text in file.metadata().items() if name != "checksum"}
    assert texts["class_names"] == list(DATA.class_names)
    assert texts["settings"]["generator"] == "gaussian"
    assert texts["settings"]["grid"] == []
    assert len(texts["settings"]["gaussian"]["ridges"]) == 1  # what was chosen, not what was tried
    assert texts["fingerprint"] == DATA.fingerprint()
    assert texts["provenance"]["layout"] == "synthetic"
    assert (texts["protocol"], texts["selected_on"]) == ("validated", "pseudo-unseen classes")
    assert texts["version"] == gsmflow.__version__
    assert texts["encoder"] is None


def test_a_run_folder_holds_such_a_file(trained, tmp_path):
    trained.save(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    model = gsmflow.load_model(tmp_path / "elsewhere.safetensors")
    np.testing.assert_array_equal(model.predict_proba(X), trained.model.predict_proba(X))


def damage(path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_bytes(b"hello, this is no model at all")
    else:
        from safetensors.torch import load_file, save_file

        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            texts = file.metadata()
        if kind == "newer":
            texts["gsmflow"] = "99"
        elif kind == "foreign":
            texts = {}
        elif kind == "no tensor":
            del tensors["generator.centres"]
        elif kind == "flipped":
            tensors["generator.centres"][0, 0] += 1
        elif kind == "names":
            texts["class_names"] = '["a", "b"]'
        elif kind == "metadata":
            texts["settings"] = "{"
        elif kind == "setting":
            texts["settings"] = '{"flow": {"depth": 3}}'
        elif kind == "generator":
            texts["settings"] = texts["settings"].replace('"gaussian",', '"residual-flow",', 1)
        if kind not in ("foreign", "flipped"):
            told = {name: text for name, text in texts.items() if name not in ("gsmflow", "checksum")}
            texts["checksum"] = checksum(tensors, told)
        save_file(tensors, path, texts)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("truncated", "not a readable safetensors file"),
        ("empty", "not a readable safetensors file"),
        ("text", "not a readable safetensors file"),
        ("newer", "upgrade gsmflow"),
        ("foreign", "does not say what it is"),
        ("no tensor", "tensors do not fit its settings"),
        ("flipped", "its checksum differs"),
        ("names", "2 class names for 20 classes"),
        ("metadata", "damaged metadata"),
        ("setting", "no setting 'settings.flow.depth'"),
        ("generator", "is called 'linear-flow' now"),
    ],
)
def test_a_bad_file_is_told_in_a_sentence(model, tmp_path, kind, said):
    path = tmp_path / "model.safetensors"
    model.save(path)
    damage(path, kind)
    with pytest.raises(gsmflow.InputError, match=said) as error:
        gsmflow.load_model(path)
    assert "\n" not in str(error.value)


def test_there_is_no_such_file(tmp_path):
    for path in (tmp_path / "nope", tmp_path):
        with pytest.raises(gsmflow.InputError, match="There is no model"):
            gsmflow.load_model(path)


@pytest.mark.parametrize("method", ["gaussian", "default", "eszsl", "prototype", "dap"])
def test_models_pickle(method):
    model = gsmflow.train(DATA, method, protocol="fixed").model
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X[:20]), model.predict_proba(X[:20]))


def test_an_explanation_names_what_differs():
    data = digits()
    model = gsmflow.train(data, "gaussian", protocol="fixed").model
    rows = data.test_unseen[:20]
    explained = model.explain(data.features[rows], most=4)
    names, probabilities = model.top_k(data.features[rows], 4)
    for place, one in enumerate(explained):
        assert [name for name, _, _ in one.nearest] == names[place].tolist()
        np.testing.assert_allclose([p for _, p, _ in one.nearest], probabilities[place], atol=1e-7)
        first, second = (data.class_names.index(name) for name, _, _ in one.nearest[:2])
        differing = {data.semantic_names[j] for j in np.flatnonzero(data.semantics[first] != data.semantics[second])}
        told = [*one.speaks_for, *one.speaks_against]
        assert told
        assert {name for name, _ in told} <= differing
        assert all(value > 0 for _, value in told)
        assert len(one.speaks_for) <= 4
        assert str(one).startswith(f"{names[place][0]} (")
    assert len(model.class_names) == 10  # explaining adds no class


def test_an_explanation_is_the_fall_of_the_score():
    """One entry replaced by the rival's: what is told is what a class described so loses."""
    data = digits()
    model = gsmflow.train(data, "gaussian", protocol="fixed").model
    x = data.features[data.test_unseen[:1]]
    one = model.explain(x, most=30)[0]
    first, second = (data.class_names.index(name) for name, _, _ in one.nearest[:2])
    name, value = one.speaks_for[0]
    j = data.semantic_names.index(name)
    changed = data.semantics[first].copy()
    changed[j] = data.semantics[second][j]
    model.add_classes({"as described": data.semantics[first], "changed": changed})
    scores = model.scores(model.tensor(x))[0, -2:]
    assert float(scores[0] - scores[1]) == pytest.approx(value, abs=1e-4)


def test_what_a_person_sees(model):
    assert {"predict", "top_k", "add_classes", "save", "class_names"} <= set(dir(model))
    assert len(dir(model)) < 30
    assert all(hasattr(model, name) for name in dir(model))
    for word in ("15 seen and 5 unseen classes", "32 dimensions", "gaussian", "likelihood", "constant"):
        assert word in repr(model)


def large(classes: int, dim: int = 16) -> ZeroShotModel:
    """A closed form that knows many classes, none of it learnt."""
    rng = np.random.default_rng(0)
    semantics = torch.tensor(rng.normal(size=(classes, 8)), dtype=torch.float32)
    known = Classes(semantics, torch.arange(classes - 5), torch.arange(classes - 5, classes))
    generator = Gaussian(dim, known, GaussianSettings(dims=dim, semantics=("l2",), kernels=("linear",)))
    generator.basis = torch.eye(dim)
    generator.centres = torch.tensor(rng.normal(size=(classes, dim)), dtype=torch.float32)
    settings = Settings(generator="gaussian")
    about = About(tuple(f"c{k}" for k in range(classes)), settings, "likelihood")
    return ZeroShotModel(Scaling(dim), generator, build_recognizer("likelihood", dim, known, generator), known, about)


def test_chunks_bound_the_memory_and_change_nothing(monkeypatch):
    model = large(3000)
    x = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    whole = model.top_k(x, 3)
    seen = []
    scores = model.recognizer.scores
    monkeypatch.setattr(module, "CHUNK_SCORES", 30_000)
    monkeypatch.setattr(model.recognizer, "scores", lambda view: (seen.append(len(view)), scores(view))[1])
    names, probabilities = model.top_k(x, 3)
    assert max(seen) == 10
    assert sum(seen) == 200
    assert (names == whole[0]).all()
    np.testing.assert_allclose(probabilities, whole[1], rtol=1e-5)


def test_rows_are_read_as_they_are_asked_for(tmp_path):
    """A file that is mapped is never copied whole."""
    model = large(50)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(200_000, 16)).astype(np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    tracemalloc.start()
    ids = model.predict_ids(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(ids) == 200_000
    assert peak < x.nbytes
