"""How a model takes pictures in is chosen on folds, and piles that are spoiled do no harm."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

import gsmflow
from gsmflow.data import synthetic
from gsmflow.model import Teaching
from gsmflow.model.teaching import doubt
from gsmflow.runs import Run
from gsmflow.selection.again import FoldModel, fold_models, is_quick
from gsmflow.selection.candidates import Chosen
from gsmflow.selection.fit import Problem
from gsmflow.selection.folds import Folds
from gsmflow.selection.spoiled import CLEAN, piles
from gsmflow.selection.teaching import choose_teaching, drawn, try_piles
from gsmflow.settings import Settings
from tests.tiny import GAUSSIAN, TINY

DATA = synthetic(classes=60, unseen=20, dim=16, semantic_dim=12, samples=40)
SETTINGS = replace(GAUSSIAN, gaussian=replace(GAUSSIAN.gaussian, dims=16, ridges=(0.1,), kernels=("linear",)))


@pytest.fixture(scope="module")
def folds() -> list[FoldModel]:
    whole = Problem.of(DATA.training(), None, torch.device("cpu"))
    settings = replace(SETTINGS, gaussian=replace(SETTINGS.gaussian, widens=(0.5,)))
    return fold_models(Folds(whole, settings), settings, Chosen({}, "likelihood", constant=0.5), Run())


@pytest.fixture(scope="module")
def chosen(folds) -> Teaching:
    return choose_teaching(folds, 0)


def test_clean_piles_are_believed_and_pay(folds, chosen):
    assert chosen.chosen
    tried = [one for n, fold in enumerate(folds) for one in try_piles(fold, chosen, 1, n) if one.kind in CLEAN]
    assert len(tried) == 2 * len(folds)
    assert not any(doubt(chosen, one.numbers(1.0)) for one in tried)
    assert np.mean([one.gain for one in tried]) > 0


def test_spoiled_piles_bring_no_loss(folds, chosen):
    losses = {}
    for draw in range(2, 5):
        for number, fold in enumerate(folds):
            for one in try_piles(fold, chosen, draw, number):
                losses.setdefault(one.kind, []).append(0.0 if doubt(chosen, one.numbers(1.0)) else -one.gain)
    assert len(losses) > 12
    assert max(np.mean(values) for values in losses.values()) <= 0.5


def test_the_models_of_folds_are_left_as_they_were(folds):
    before = [fold.model.predict_proba(DATA.features[:50]) for fold in folds]
    choose_teaching(folds, 0)
    for fold, p in zip(folds, before, strict=True):
        assert (fold.model.predict_proba(DATA.features[:50]) == p).all()


def test_the_choice_is_the_same_each_time(folds, chosen):
    assert choose_teaching(folds, 0) == chosen


def test_piles_are_test_samples_of_the_fold(folds):
    fold = folds[0]
    known = {row.tobytes() for x in (fold.problem.tests.seen_features, fold.problem.tests.unseen_features) for row in x}
    kinds = {}
    for pile in piles(fold.model, fold.problem.tests, np.random.default_rng(0)):
        kinds[pile.kind] = pile
        if "noise" not in pile.kind:
            assert {row.tobytes() for row in pile.features} <= known
    assert len(kinds["ten pictures"].features) == 10
    strangers = kinds["strangers alone"]
    assert len(strangers.model.class_names) < len(fold.model.class_names)
    assert {row.tobytes() for row in strangers.features}.isdisjoint(
        row.tobytes() for row in strangers.tests.unseen_features
    )


def test_where_nothing_can_learn_nothing_is_chosen():
    assert choose_teaching([], 0) is None
    model = gsmflow.train(gsmflow.load("synthetic"), "eszsl").model
    problem = Problem.of(gsmflow.load("synthetic").training(), gsmflow.load("synthetic").tests(), torch.device("cpu"))
    assert choose_teaching([FoldModel(deepcopy(model), problem)], 0) is None


def test_shots_leave_a_class_one_sample_at_least():
    labels = np.array([0, 0, 1, 1, 1])
    assert drawn(labels, 2, np.random.default_rng(0)) is None
    assert np.bincount(labels[drawn(labels, 1, np.random.default_rng(0))]).tolist() == [1, 1]


def test_what_was_chosen_is_kept_in_the_model(tmp_path):
    result = gsmflow.train(gsmflow.load("synthetic"), SETTINGS, seed=0)
    assert result.model.about.teaching.chosen
    result.model.save(tmp_path / "m.safetensors")
    assert gsmflow.load_model(tmp_path / "m.safetensors").about.teaching == result.model.about.teaching
    assert not gsmflow.train(gsmflow.load("synthetic"), SETTINGS, protocol="fixed").model.about.teaching.chosen


def test_what_takes_hours_is_not_trained_again():
    assert is_quick(SETTINGS)
    assert is_quick(Settings())
    assert not is_quick(TINY)
