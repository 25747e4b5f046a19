"""Models whose semantics are attributes and text, or lie in the space of the features: added, saved, explained."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import gsmflow
from gsmflow.data import ZeroShotDataset
from gsmflow.overrides import override
from gsmflow.recipes import load_recipe
from tests.model.test_classes import assert_same
from tests.one_space import ATTRIBUTES, aligned, with_attributes

GAUSSIAN = override(
    load_recipe("gaussian").settings,
    {
        **{"gaussian.dims": 6, "gaussian.ridges": (0.1,), "gaussian.shrinks": (0.3,), "gaussian.widens": (1.0,)},
        **{"gaussian.semantics": ("l2",), "gaussian.kernels": ("rbf",), "gaussian.priors": ("words",)},
    },
)
FLOW = override(GAUSSIAN, {"generator": "linear-flow", "training.epochs": 1})
SETTINGS = {
    "clip": load_recipe("clip").settings,
    "gaussian": GAUSSIAN,
    "linear-flow": FLOW,
    **{f"gaussian {kind}": replace(GAUSSIAN, scaling=kind) for kind in ("minmax", "l2", "sqrt-l2")},
    "prototype": override(
        load_recipe("prototype").settings, {"prototype.ridges": (0.1,), "prototype.semantics": ("none",)}
    ),
    "eszsl": override(load_recipe("eszsl").settings, {"eszsl.gammas": (0.1,), "eszsl.lambdas": (0.1,)}),
}
DATA = aligned(seen=12, unseen=5, dim=8, noise=2.0)
WEIGHTED = with_attributes(DATA)
every_method = pytest.mark.parametrize("name", SETTINGS)
both = pytest.mark.parametrize("data", [DATA, WEIGHTED], ids=["words", "attributes and words"])


def train(data: ZeroShotDataset, name: str) -> gsmflow.ZeroShotModel:
    """By the protocol fixed; with parts, text counts for two."""
    settings = SETTINGS[name]
    if data.semantic_parts and name != "clip":
        settings = replace(settings, text_weight=2.0)
    return gsmflow.train(data, settings, protocol="fixed", threads=1, device="cpu").model


def without_last(data: ZeroShotDataset, count: int) -> ZeroShotDataset:
    """The data without the last unseen classes."""
    left = data.num_classes - count
    test = data.test_unseen[data.labels[data.test_unseen] < left]
    names, labels = data.class_names[:left], np.minimum(data.labels, left - 1)
    return replace(data, semantics=data.semantics[:left], class_names=names, test_unseen=test, labels=labels)


@both
@every_method
def test_a_class_that_is_added_is_as_one_trained_with(name, data, tmp_path):
    whole, model = train(data, name), train(without_last(data, 2), name)
    added = data.class_names[-2:]
    model.add_classes(dict(zip(added, data.semantics[-2:], strict=True)))
    assert_same(model, whole, data.features)
    np.testing.assert_array_equal(model.class_semantics, data.semantics)  # as they were given, not as they are weighted
    model.save(tmp_path / "model.safetensors")
    again = gsmflow.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(data.features), model.predict_proba(data.features))
    again.remove_classes(list(added))
    assert_same(again, train(without_last(data, 2), name), data.features)


@both
@every_method
def test_the_file_says_how_semantics_are_taken(name, data, tmp_path):
    model = train(data, name)
    model.save(tmp_path / "model.safetensors")
    again = gsmflow.load_model(tmp_path / "model.safetensors")
    assert again.about == model.about
    assert again.about.one_space
    assert again.about.semantic_parts == data.semantic_parts
    assert again.state_dict().keys() == model.state_dict().keys()
    assert not any("weighting" in tensor or "words" in tensor for tensor in model.state_dict())
    for other in (again, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.add_classes({"new": data.semantics[:2].mean(0)})
        assert other.generator is not model.generator
    model.add_classes({"new": data.semantics[:2].mean(0)})
    for other in (again, copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(data.features), model.predict_proba(data.features))


@both
@every_method
def test_a_model_that_moves_takes_its_words_along(name, data):
    """Another kind of number stands for another device."""
    model = train(data, name).to(torch.float64)
    words = getattr(getattr(model.generator, "base", model.generator), "words", None)
    assert words.scaling is model.scaling
    assert words.scaling.offset.dtype == torch.float64


@pytest.mark.parametrize("name", ["clip", "gaussian", "linear-flow"])
def test_an_explanation_speaks_of_the_entries_that_were_given(name):
    """One entry replaced by the rival's: what is told is what a class described so loses."""
    model, row = train(WEIGHTED, name), WEIGHTED.test_unseen[:1]
    one = model.explain(WEIGHTED.features[row], most=100)[0]
    first, second = (WEIGHTED.class_names.index(name) for name, _, _ in one.nearest[:2])
    told = dict([*one.speaks_for, *((entry, -value) for entry, value in one.speaks_against)])
    assert any(value for value in told.values())
    entries = {int(entry.removeprefix("semantics ")) - 1 for entry in told}
    assert entries <= set(range(WEIGHTED.semantic_dim))
    if name == "clip":  # it looks at words alone
        assert min(entries) >= ATTRIBUTES
    entry, value = max(told.items(), key=lambda item: abs(item[1]))
    changed = WEIGHTED.semantics[first].copy()
    place = int(entry.removeprefix("semantics ")) - 1
    changed[place] = WEIGHTED.semantics[second][place]
    model.add_classes({"as described": WEIGHTED.semantics[first], "changed": changed})
    scores = model.scores(model.tensor(WEIGHTED.features[row]))[0, -2:]
    assert float(scores[0] - scores[1]) == pytest.approx(value, rel=1e-3, abs=1e-4)


def test_semantics_of_a_new_class_hold_all_parts():
    model = train(WEIGHTED, "gaussian")
    with pytest.raises(gsmflow.InputError, match="must be 13 finite numbers"):
        model.add_classes({"new": DATA.semantics[0]})


def test_a_model_in_one_space_generates():
    model = train(DATA, "gaussian")
    made = model.generate([model.class_names[-1]] * 50)
    assert (model.predict(made) == model.class_names[-1]).mean() > 0.5
