"""Classes that are added later: the model that would have been trained with them, for every method that can."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gsmflow
from gsmflow.data import ZeroShotDataset
from gsmflow.overrides import override
from gsmflow.recipes import load_recipe

CUB = Path(os.environ.get("GSMFLOW_DATA", Path(__file__).parents[3] / "shared" / "data")) / "xlsa17"
FIXED = {"selection.ratio": 0.25, "selection.folds": 1}
SMALL = {
    "training.epochs": 1,
    "gaussian.dims": 64,
    "gaussian.ridges": [0.01, 0.1],
    "gaussian.shrinks": [0.3],
    "grid": [],
}
METHODS = {
    "default": ("default", {**SMALL, "gaussian.semantics": ["l2", "sqrt"]}),
    "spread": ("default", {**SMALL, "gaussian.semantics": ["spread"]}),
    "gsmflow": (
        "published",
        {
            **{"flow.hidden": 16, "flow.blocks": 2, "flow.position_dim": 8, "training.epochs": 1},
            **{"recognizer": "likelihood", "selection.every": 10**6, "selection.after": 0},
        },
    ),
    "eszsl": ("eszsl", {"eszsl.gammas": [0.1, 1.0]}),
    "prototype": ("prototype", {"prototype.ridges": [0.1, 1.0]}),
    "dap": ("dap", {"dap.ridges": [0.1, 1.0]}),
}


def settings_of(name: str) -> gsmflow.Settings:
    recipe, changes = METHODS[name]
    return override(load_recipe(recipe).settings, FIXED | changes)


def without(data: ZeroShotDataset, names: set[str]) -> ZeroShotDataset:
    """The data set without some of its unseen classes, whose ids are counted anew."""
    kept = np.array([name not in names for name in data.class_names])
    ids = np.cumsum(kept) - 1
    in_kept = kept[data.labels[data.test_unseen]]
    return ZeroShotDataset(
        data.name,
        data.features,
        np.where(kept[data.labels], ids[data.labels], 0),
        data.semantics[kept],
        tuple(name for name in data.class_names if name not in names),
        data.trainval,
        data.test_seen,
        data.test_unseen[in_kept],
        data.provenance,
        semantic_names=data.semantic_names,
    )


def assert_same(extended, whole, features) -> None:
    """Both models give every class the same probability, whatever its place."""
    assert set(extended.class_names) == set(whole.class_names)
    order = [extended.class_names.index(name) for name in whole.class_names]
    ours, theirs = extended.predict_proba(features)[:, order], whole.predict_proba(features)
    assert np.abs(ours - theirs).max() <= 1e-5
    assert (extended.predict(features) == whole.predict(features)).mean() > 0.999
    assert theirs.max(1).std() > 0  # the comparison is not of a constant


def check(data: ZeroShotDataset, name: str, counts: tuple[int, ...], tmp_path: Path) -> None:
    settings = settings_of(name)
    how = {"seed": 1, "threads": 1, "protocol": "fixed" if name == "gsmflow" else "validated"}  # its folds take long
    whole = gsmflow.train(data, settings, **how).model
    features = data.features[np.r_[data.test_seen, data.test_unseen]]
    unseen = [data.class_names[k] for k in data.unseen]
    for count in counts:
        later = unseen[-count:]
        model = gsmflow.train(without(data, set(later)), settings, **how).model
        model.add_classes({name: data.semantics[data.class_names.index(name)] for name in later})
        assert_same(model, whole, features)
        model.save(tmp_path / "model.safetensors")
        again = gsmflow.load_model(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.predict_proba(features[:50]), model.predict_proba(features[:50]))
        model.remove_classes(later)
        assert model.class_names == tuple(n for n in data.class_names if n not in later)


@pytest.mark.parametrize("name", METHODS)
def test_added_is_as_good_as_trained_with(name, tmp_path):
    check(gsmflow.load("synthetic"), name, (1, 3), tmp_path)


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
@pytest.mark.skipif(not (CUB / "CUB").is_dir(), reason="the real CUB files are not here")
@pytest.mark.parametrize("name", METHODS)
def test_added_is_as_good_as_trained_with_on_cub(name, tmp_path):
    data = gsmflow.load("CUB", root=CUB, features="resnet_fc1000", semantics="att")
    few = np.sort(np.random.default_rng(0).permutation(data.trainval)[:2500])  # the same for both models
    data = replace(data, trainval=few, test_seen=data.test_seen[::9], test_unseen=data.test_unseen[::9])
    assert len(data.unseen) == 50
    check(data, name, (1, 5, 50), tmp_path)


def test_removing_seen_and_unseen_classes_leaves_the_others_as_they_are():
    data = gsmflow.load("synthetic")
    for method in ("default", "eszsl", "prototype", "dap"):
        model = gsmflow.train(data, settings_of(method), seed=1).model
        before = dict(zip(model.class_names, model.predict_proba(data.features[:50]).T, strict=True))
        model.remove_classes(["class 3", "class 17"])
        assert len(model.class_names) == len(before) - 2
        after = np.stack([before[name] for name in model.class_names], 1)
        np.testing.assert_allclose(
            model.predict_proba(data.features[:50]), after / after.sum(1, keepdims=True), atol=1e-6
        )
        assert model.is_seen.sum() == 14


def test_a_softmax_says_that_it_must_be_fitted_again_and_can_forget():
    data = gsmflow.load("synthetic")
    recipe = override(load_recipe("gaussian").settings, {"recognizer": "softmax", "softmax.epochs": 2})
    model = gsmflow.train(data, recipe, protocol="fixed").model
    names = model.class_names
    with pytest.raises(gsmflow.InputError, match="fitted again"):
        model.add_classes({"okapi": data.semantics[0]})
    assert model.class_names == names
    before = model.predict_proba(data.features[:9])
    model.remove_classes("class 2")
    kept = [k for k, name in enumerate(names) if name != "class 2"]
    np.testing.assert_allclose(
        model.predict_proba(data.features[:9]), before[:, kept] / before[:, kept].sum(1, keepdims=True), atol=1e-5
    )


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ({"class 1": "one"}, "knows a class 'class 1' already"),
        ({"": "one"}, "needs a name"),
        ({3: "one"}, "needs a name"),
        ({"a": "short"}, "8 finite numbers"),
        ({"a": "nan"}, "NaN or infinite"),
        ({"a": "zero"}, "0 in every entry"),
        ({"a": "text"}, "must be 8 numbers"),
        ({"good": "one", "class 1": "one"}, "knows a class"),
    ],
)
def test_bad_classes_are_refused_and_nothing_changes(model, classes, said):
    one = np.arange(8.0)
    vectors = {"one": one, "short": one[:5], "nan": one * np.nan, "zero": 0 * one, "text": ["x"] * 8}
    before = model.class_names, model.semantics
    with pytest.raises(gsmflow.InputError, match=said):
        model.add_classes({name: vectors[kind] for name, kind in classes.items()})
    assert (model.class_names, model.semantics) == before


@pytest.mark.parametrize(("names", "said"), [(["nobody"], "no class 'nobody'"), (None, "at least one class")])
def test_what_cannot_be_removed(model, names, said):
    before = model.class_names
    with pytest.raises(gsmflow.InputError, match=said):
        model.remove_classes(list(before) if names is None else names)
    assert model.class_names == before
