"""Noise that drowns features is told, where a generator adds noise."""

from dataclasses import replace

import pytest

from gsmflow import experiment
from gsmflow.errors import DataWarning
from gsmflow.recipes import load_recipe
from gsmflow.selection.noise import noise_sentence, spread_of
from tests.tiny import GAUSSIAN, TINY, problem

DATA = problem()
SMALL = replace(DATA, features=DATA.features * 1e-3)
LOUD = replace(TINY, scaling="none", flow=replace(TINY.flow, pi=0.5))


def test_small_features_drown_and_scaled_ones_do_not():
    sentence = noise_sentence(SMALL, LOUD)
    assert sentence
    assert "noise of 0.5" in sentence
    assert "published-minmax" in sentence
    assert spread_of(SMALL, LOUD) == pytest.approx(1e-3 * spread_of(DATA, LOUD), rel=1e-4)
    assert noise_sentence(SMALL, load_recipe("published-minmax").settings) is None
    assert "--flow.pi" in (noise_sentence(SMALL, replace(LOUD, scaling="minmax")) or "")


def test_without_noise_nothing_is_said():
    assert noise_sentence(SMALL, replace(LOUD, flow=replace(LOUD.flow, pi=0.0))) is None
    assert noise_sentence(SMALL, replace(GAUSSIAN, scaling="none")) is None


def test_training_tells_it():
    with pytest.warns(DataWarning, match="most of what it learns from"):
        experiment.train(SMALL, LOUD, protocol="fixed", device="cpu")
