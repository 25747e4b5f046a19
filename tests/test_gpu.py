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

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

SMALL = Settings(
    flow=FlowSettings(blocks=2, hidden=32, position_dim=16),
    gaussian=GaussianSettings(dims=16, ridges=(0.1,), shrinks=(0.1,)),
    training=TrainingSettings(epochs=3, batch=64),
    softmax=SoftmaxSettings(samples=50, epochs=3, batch=128),
    selection=SelectionSettings(every=10),
)


@pytest.mark.parametrize("protocol", ["validated", "published"])
@pytest.mark.parametrize("generator", ["gsmflow", "gaussian", "residual-flow"])
def test_a_run_on_a_gpu(generator, protocol):
    settings = replace(SMALL, generator=generator, recognizer="auto")
    model, metrics = gsmflow.train(synthetic(), settings, protocol=protocol, device="cuda")
    assert model.seen.is_cuda
    assert 0 <= metrics["H"] <= 100
    _, again = gsmflow.train(synthetic(), settings, protocol=protocol, device="cuda")
    assert {**again, "seconds": 0, "peak_memory_mb": 0} == {**metrics, "seconds": 0, "peak_memory_mb": 0}
