"""Of few classes the simplest candidate wins that the best does not beat by more than its standard error."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch

from gsmflow.data import synthetic
from gsmflow.evaluation.metrics import Curve
from gsmflow.selection import Judged, choose, rank
from gsmflow.selection.candidates import winner
from gsmflow.selection.fit import Problem
from gsmflow.selection.folds import Folds
from gsmflow.selection.simplicity import cautious_winner, simplicity, smoothed
from gsmflow.settings import SelectionSettings, Settings

PLAIN = {"semantics": "l2", "kernel": "linear", "ridge": 1.0, "shrink": 0.3, "widen": 0.0}


def judged(h: float, fold: int = 0, *, grid: dict[str, str] | None = None, **choice) -> Judged:
    """A candidate whose H is a number at every constant."""
    curve = Curve(np.array([0.0, 1.0]), np.array([h, h]), np.array([h, h]))
    return Judged("fold", 0, choice, "likelihood", h, h, h, h, h, grid or {}, fold, curve=curve)


def on_folds(*h: float, **what) -> list[Judged]:
    return [judged(one, fold, **what) for fold, one in enumerate(h)]


SIMPLER_FIRST = {
    "ridge": ({"ridge": 3.0}, {"ridge": 1.0}),
    "shrink": ({"shrink": 0.6}, {"ridge": 3.0}),
    "widen": ({}, {"widen": 0.5, "shrink": 0.6}),
    "kernel": ({"widen": 1.0}, {"kernel": "rbf"}),
    "map": ({"widen": 1.0}, {"semantics": "spread"}),
    "scaling": ({"kernel": "rbf"}, {"kernel": "rbf", "grid": {"scaling": "l2"}}),
    "epoch": ({"semantics": "sqrt", "epoch": 0.0}, {"epoch": 1.0}),
    "method": ({"semantics": "sqrt", "epoch": 3.0}, {"grid": {"generator": "eszsl"}}),
}


@pytest.mark.parametrize("name", SIMPLER_FIRST)
def test_what_is_simpler(name):
    one, other = (simplicity(judged(1.0, **{**PLAIN, **change})) for change in SIMPLER_FIRST[name])
    assert one < other


def test_the_best_wins_only_beyond_its_paired_standard_error():
    """By hand: leads of 1, 2, 3 have the mean 2 and the error 1 / sqrt(3), those of -4, 2, 8 the error 6 / sqrt(3)."""
    simple = on_folds(50.0, 60.0, 70.0, semantics="l2", kernel="linear", ridge=1.0)
    for leads, wins in (((1, 2, 3), True), ((-4, 2, 8), False)):
        h = [one.H + lead for one, lead in zip(simple, leads, strict=True)]
        ranked = rank([*simple, *on_folds(*h, semantics="spread", kernel="rbf", ridge=0.1)])
        assert (np.std(leads, ddof=1) / sqrt(3) < 2) == wins
        assert choose(ranked, cautious=True).choice["semantics"] == ("spread" if wins else "l2")
        assert choose(ranked).choice["semantics"] == "spread"
        assert ranked[winner(ranked, cautious=True)].folds[0].choice == choose(ranked, cautious=True).choice


def test_one_fold_tells_no_error():
    ranked = rank([*on_folds(50.0, ridge=1.0), *on_folds(51.0, kernel="rbf", ridge=1.0)])
    assert cautious_winner(ranked) == 1


def test_a_lucky_candidate_is_pulled_to_its_neighbours():
    h = {0.1: 40.0, 0.3: 70.0, 1.0: 46.0, 3.0: 60.0}
    ranked = rank([one for ridge, value in h.items() for one in on_folds(value, value + 2, ridge=ridge)])
    expected = [(2 * 40 + 70) / 3, (2 * 70 + 40 + 46) / 4, (2 * 46 + 70 + 60) / 4, (2 * 60 + 46) / 3]
    np.testing.assert_allclose(smoothed(ranked)[:, 0], expected)
    np.testing.assert_allclose(smoothed(ranked)[:, 1], np.array(expected) + 2)


def test_what_differs_in_words_is_no_neighbour():
    ranked = rank([*on_folds(40.0, ridge=1.0, kernel="rbf"), *on_folds(60.0, ridge=3.0, kernel="linear")])
    np.testing.assert_allclose(smoothed(ranked), [[40.0], [60.0]])


@pytest.mark.parametrize(
    ("classes", "unseen", "folds", "expected"),
    [(20, 5, None, 8), (48, 10, None, 10), (55, 10, None, 3), (20, 5, 2, 2), (14, 1, None, 26), (41, 2, None, 20)],
)
def test_every_class_is_taken_for_unseen_twice_where_there_are_few(classes, unseen, folds, expected):
    data = synthetic(classes=classes, unseen=unseen, samples=5)
    settings = replace(Settings(), selection=SelectionSettings(folds=folds))
    made = Folds(Problem.of(data.training(), None, torch.device("cpu")), settings)
    assert made.count == expected
    assert made.are_few == (classes - unseen < 40)
    assert bool(made.note) == (folds is None and made.are_few)
    if made.note:
        assert f"{classes - unseen} seen classes are few" in made.note
        tests = [made.cut(fold).tests for fold in range(made.count)]
        taken = np.concatenate([np.unique(one.unseen_labels) for one in tests if one])
        assert np.bincount(taken, minlength=classes - unseen).min() >= 2
