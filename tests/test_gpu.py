"""The same runs on a GPU, where there is one."""

from dataclasses import replace

import pytest
import torch

import gsmflow
from gsmflow.data import synthetic
from gsmflow.settings import (
    FlowSettings,
    GaussianSettings,
    SelectionSettings,
    Settings,
    SoftmaxSettings,
    TrainingSettings,
)
from tests.tiny import without_times

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

SMALL = Settings(
    scaling="minmax",
    flow=FlowSettings(blocks=2, hidden=32, position_dim=16),
    gaussian=GaussianSettings(dims=16, semantics=("l2",), ridges=(0.1,), shrinks=(0.1,), widens=(0.0, 0.5, 1.0)),
    training=TrainingSettings(epochs=3, batch=64),
    softmax=SoftmaxSettings(samples=50, epochs=3, batch=128),
    selection=SelectionSettings(every=10, after=0, folds=1),
    grid=(),
)


@pytest.mark.parametrize("protocol", ["validated", "published", "fixed"])
@pytest.mark.parametrize("generator", ["gsmflow", "gaussian", "linear-flow"])
def test_a_run_on_a_gpu(generator, protocol):
    settings = replace(SMALL, generator=generator, recognizer="auto")
    one, again = (gsmflow.train(synthetic(), settings, protocol=protocol, device="cuda") for _ in range(2))
    assert one.model.seen.is_cuda
    assert 0 <= one.metrics.H <= 100
    assert without_times(one.record) == without_times(again.record)


@pytest.mark.parametrize("generator", ["gsmflow", "gaussian", "linear-flow"])
def test_a_model_of_a_gpu_decides_alike_on_the_cpu(generator, tmp_path):
    settings = replace(SMALL, generator=generator, recognizer="likelihood")
    result = gsmflow.train(synthetic(), settings, protocol="fixed", device="cuda")
    features = synthetic().features
    here = gsmflow.load_model(result.save(tmp_path / "run"))
    assert here.device.type == "cpu"
    assert (here.predict_ids(features) == result.model.predict_ids(features)).mean() > 0.99
    there = gsmflow.load_model(tmp_path / "run", device="cuda")
    assert (there.predict_ids(features) == result.model.predict_ids(features)).all()
