"""A problem whose classes are clear, and a model of it."""

import pytest

import gsmflow
from gsmflow.data import synthetic
from gsmflow.settings import GaussianSettings


@pytest.fixture(scope="session")
def data() -> gsmflow.ZeroShotDataset:
    return synthetic(classes=16, unseen=4, samples=15, dim=12, semantic_dim=6, noise=0.1)


@pytest.fixture(scope="session")
def model(data) -> gsmflow.ZeroShotModel:
    one = GaussianSettings(semantics=("l2",), kernels=("linear",), ridges=(0.1,), shrinks=(0.1,), widens=(1.0,))
    settings = gsmflow.Settings(generator="gaussian", grid=(), gaussian=one)
    return gsmflow.train(data, settings, seed=0, threads=1).model
