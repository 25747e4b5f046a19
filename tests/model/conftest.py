"""A model that takes a moment."""

from copy import deepcopy

import pytest

import gsmflow


@pytest.fixture(scope="session")
def trained() -> gsmflow.Result:
    return gsmflow.train(gsmflow.load("synthetic"), "gaussian", seed=0)


@pytest.fixture
def model(trained) -> gsmflow.ZeroShotModel:
    return deepcopy(trained.model)
