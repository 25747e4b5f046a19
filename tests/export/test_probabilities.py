"""One module gives the probabilities of a model, in operators that ONNX knows."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import gsmflow
from gsmflow.export import Probabilities
from gsmflow.export.probabilities import FACTORED
from gsmflow.generators import GENERATORS
from gsmflow.model import ZeroShotModel
from gsmflow.recognizers import recognizers_for
from gsmflow.settings import DAPSettings, PrototypeSettings
from tests.export.models import make, rows
from tests.generators.cases import CASES, settings_for

PAIRS = [
    (name, recognizer)
    for name in CASES
    for recognizer in recognizers_for(replace(settings_for(name), recognizer="auto"))
]
NOT_EXPORTED = {("gsmflow", "likelihood")}


def assert_same(module: nn.Module, model: ZeroShotModel, x: np.ndarray) -> None:
    expected = model.predict_proba(x)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor(x)).numpy(), expected, atol=1e-5)
    assert len(model.class_names) < 2 or np.ptp(expected, axis=0).max() > 0.01  # rows do differ


@pytest.mark.parametrize(("name", "recognizer"), PAIRS)
def test_every_generator_is_exported_or_says_why_not(name, recognizer):
    model = make(name, recognizer)
    if (name, recognizer) in NOT_EXPORTED:
        with pytest.raises(gsmflow.InputError, match="runs a flow once for each class, which is not exported: train"):
            Probabilities(model)
    else:
        assert_same(Probabilities(model), model, rows(50))


@pytest.mark.parametrize("kind", ["none", "minmax", "l2", "sqrt-l2"])
@pytest.mark.parametrize("name", ["gaussian", "linear-flow"])
def test_every_scaling_is_exported(name, kind):
    model = make(name, "likelihood", kind)
    assert_same(Probabilities(model), model, rows(50))


@pytest.mark.parametrize(("name", "metric"), list(product(["dap", "prototype"], ["cosine", "euclidean"])))
def test_both_metrics_are_exported(name, metric):
    section = {"dap": DAPSettings, "prototype": PrototypeSettings}[name](ridges=(0.1,), metrics=(metric,))
    model = make(name, "compatibility", **{name: section})
    assert_same(Probabilities(model), model, rows(50))


@pytest.mark.parametrize("kept", [(0, 2, 3), (1, 4), (5,)])
def test_classes_that_came_and_went_are_followed(kept):
    model = make("linear-flow", "likelihood")
    names = [model.class_names[k] for k in kept]
    model.remove_classes([name for name in model.class_names if name not in names])
    assert_same(Probabilities(model), model, rows(20))
    model.add_classes({"new": np.linspace(0, 1, 6)})
    assert_same(Probabilities(model), model, rows(20))


def test_the_table_knows_generators_alone():
    assert set(FACTORED) <= {kind.kind for kind in GENERATORS.values()}
