"""What was judged, how candidates are ranked over folds, and which one is chosen."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from gsmflow.evaluation.metrics import Curve
from gsmflow.files import as_json
from gsmflow.selection import Estimate, Judged, choose, rank
from gsmflow.selection.candidates import CURVE_POINTS, Chosen, curves_as_tensor, with_curves


def found(candidate: int, fold: int, unseen: float, epoch: float | None = None) -> Judged:
    """A candidate of which U = S = ``unseen`` at the constant 1, and H is 0 at the constant 0."""
    choice = {"ridge": candidate} if epoch is None else {"epoch": epoch}
    curve = Curve(np.array([0.0, 1.0]), np.array([0.0, unseen]), np.array([100.0, unseen]))
    return Judged("fold", candidate, choice, "softmax", 0.0, 0.0, 100.0, 0.0, 0.0, {}, fold, curve=curve)


def test_the_candidate_of_greatest_mean_h_is_chosen():
    judged = [found(0, 0, 90.0), found(1, 0, 60.0), found(0, 1, 10.0), found(1, 1, 60.0)]
    ranked = rank(judged)
    assert [one.h for one in ranked] == [50, 60]
    assert [one.by_fold for one in ranked] == [(90, 10), (60, 60)]
    assert [one.constant for one in ranked] == [1.0, 1.0]
    assert choose(ranked).to_json() == {
        "choice": {"ridge": 1},
        "recognizer": "softmax",
        "constant": 1.0,
        "grid": {},
        "validation_H": pytest.approx(60),
        "validation_H_by_fold": {"0": pytest.approx(60), "1": pytest.approx(60)},
    }


def test_of_few_samples_no_candidate_wins_that_lives_by_a_huge_constant():
    """The first has H 80 at the constant -100 alone, the second 70 near 0 and wherever else."""
    far = Curve(np.array([-101.0, -100.0, 0.0]), np.array([80.0, 80.0, 100.0]), np.array([80.0, 80.0, 0.0]))
    near = Curve(np.array([-1.0, 0.0, 1.0]), np.full(3, 70.0), np.full(3, 70.0))
    judged = [replace(found(place, 0, 0.0), curve=curve) for place, curve in enumerate([far, near])]
    assert choose(rank(judged)).choice == {"ridge": 0}
    assert choose(rank(judged, samples=50)).choice == {"ridge": 0}
    few = rank(judged, samples=2)
    assert [one.h for one in few] == [80, 70]
    assert (few[0].kept_h < 70, few[1].kept_h) == (True, 70)
    assert choose(few).choice == {"ridge": 1}
    assert choose(few).validation_H == 70


def test_of_equals_the_first_wins_and_epochs_of_folds_are_averaged():
    assert choose(rank([found(0, 0, 50.0, 2.0), found(0, 1, 50.0, 3.0)])).choice == {"epoch": 2.5}
    assert choose(rank([found(4, 0, 50.0), found(3, 0, 50.0)])).choice == {"ridge": 4}


def test_one_candidate_in_two_ways_is_two():
    judged = [
        replace(found(0, fold, 50.0 + 10 * place), recognizer=recognizer, grid=grid)
        for fold in (0, 1)
        for place, (recognizer, grid) in enumerate(
            [("softmax", {"softmax.lr": "1"}), ("softmax", {"softmax.lr": "2"}), ("likelihood", {})]
        )
    ]
    assert [one.h for one in rank(judged)] == [50, 60, 70]
    assert choose(rank(judged)).recognizer == "likelihood"
    assert choose(rank(judged[:2])).grid == {"softmax.lr": "2"}


def test_judged_come_back_from_history_and_state():
    curve = Curve(np.linspace(-1, 1, 5), np.linspace(0, 100, 5), np.linspace(100, 0, 5))
    long = Curve(*(np.linspace(0, 1, CURVE_POINTS) for _ in range(3)))
    none = replace(found(0, 0, 1.0), curve=None, recognizer_epoch=3, fold=None, grid={"softmax.lr": "0.1"})
    judged = [replace(found(0, 1, 1.0), curve=curve), replace(found(1, 0, 1.0), curve=long), none]
    table = curves_as_tensor(judged)
    assert (table.shape, table.dtype) == ((3, 3, CURVE_POINTS), torch.float64)
    texts = [json.loads(json.dumps(one.to_json())) for one in judged]
    assert all("curve" not in text for text in texts)
    again = with_curves([Judged.from_json(text) for text in texts], table)
    for one, other in zip(judged[:2], again, strict=False):
        assert (one.key, one.H, one.fold, one.stage) == (other.key, other.H, other.fold, other.stage)
        for name in ("constants", "unseen", "seen"):
            np.testing.assert_array_equal(getattr(one.curve, name), getattr(other.curve, name))
    back = Judged.from_json(texts[2])
    assert (back.curve, back.recognizer_epoch, back.fold, back.grid) == (None, 3, None, {"softmax.lr": "0.1"})


@pytest.mark.parametrize(
    "changed", [{"curve": {}}, {"Q": 1}, {"H": "much"}, {"H": None}, {"candidate": "first"}, {"stage": ...}]
)
def test_what_is_no_judged_is_refused(changed):
    content = found(0, 0, 1.0).to_json() | changed
    content = {name: value for name, value in content.items() if value is not ...}
    with pytest.raises(ValueError):
        Judged.from_json(content)


def test_best_h_is_at_the_best_constant_of_the_own_curve():
    assert found(0, 0, 40.0).best_h == 40
    assert replace(found(0, 0, 40.0), curve=None, H=12.0).best_h == 12


def test_what_was_chosen_in_a_line():
    chosen = Chosen({"ridge": 0.1}, "likelihood", 0.5, {"scaling": "l2"}, {"shrink": 0.30000001})
    assert str(chosen) == "shrink 0.3, ridge 0.1, scaling l2, by likelihood"
    assert chosen.to_json().keys() == {"choice", "recognizer", "constant", "grid", "closed_form"}


def test_the_estimate_is_that_of_the_winner_at_its_constant():
    judged = [replace(found(0, fold, u), T1=t1) for fold, (u, t1) in enumerate([(60.0, 70.0), (70.0, 80.0)])]
    estimate = choose(rank(judged)).estimate
    assert estimate.folds == 2
    assert (estimate.T1.mean, estimate.U.mean, estimate.S.mean, estimate.H.mean) == (75, 65, 65, 65)
    half = 12.7062 * np.std([70, 80], ddof=1) / np.sqrt(2)  # Student's t with one degree of freedom
    assert estimate.T1.low == pytest.approx(max(0, 75 - half), abs=1e-3)
    assert estimate.T1.high == pytest.approx(min(100, 75 + half), abs=1e-3)
    again = Estimate.from_json(json.loads(json.dumps(estimate.to_json())))
    assert (again.to_json(), str(again)) == (estimate.to_json(), str(estimate))


def test_one_fold_has_no_interval_and_the_estimate_comes_back_from_its_file():
    estimate = choose(rank([found(0, 0, 60.0)])).estimate
    assert str(estimate.H) == "60.0"
    assert np.isnan(estimate.H.low)
    again = Estimate.from_json(json.loads(as_json(estimate.to_json())))
    assert again.H.mean == 60
    assert np.isnan(again.H.high)


@pytest.mark.parametrize("content", [{}, {"T1": 3}, {"T1": {"mean": 1, "low": 0}, "folds": 3}, []])
def test_what_is_no_estimate_is_refused(content):
    with pytest.raises(ValueError, match="no estimate"):
        Estimate.from_json(content)
