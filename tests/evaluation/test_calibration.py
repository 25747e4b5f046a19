"""Softened scores: no decision changes, probabilities become right as often as they say, and the error is told."""

import numpy as np
import pytest
import torch

from gsmflow.evaluation.calibration import (
    Scored,
    calibration_error,
    choose_softening,
    equal_weights,
    evenly,
    soften,
)

SCORES = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 7)) * 5)


def sampled(temperature: float, tail: float, seed: int = 0, n: int = 4000) -> Scored:
    """Scores whose labels are drawn from what they are worth at a temperature and a tail."""
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(size=(n, 6)) * 6)
    p = soften(scores, temperature, tail).softmax(1).numpy()
    labels = (p.cumsum(1) < rng.random((n, 1))).sum(1).clip(0, 5)
    return Scored.of(scores, labels, np.arange(n) >= n // 2)


def test_nothing_changes_at_temperature_one():
    assert soften(SCORES, 1.0, 0.0) is SCORES


@pytest.mark.parametrize("tail", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("temperature", [0.3, 4.0])
def test_the_order_of_a_row_is_kept(temperature, tail):
    assert torch.equal(soften(SCORES, temperature, tail).argsort(1), SCORES.argsort(1))


def test_a_tail_is_the_mean_over_uncertain_temperatures():
    """exp(-r beta), beta of a Gamma distribution of mean 1 / T and variance a / T^2."""
    r, temperature, tail = np.array([0.0, 1.0, 5.0]), 2.0, 0.35
    beta = np.random.default_rng(0).gamma(1 / tail, tail / temperature, 400_000)
    weights = soften(torch.from_numpy(-r)[None], temperature, tail).exp()[0].numpy()
    np.testing.assert_allclose(weights, np.exp(-np.outer(r, beta)).mean(1), rtol=0.01)


def test_a_small_tail_is_nearly_a_softmax():
    near = soften(SCORES, 3.0, 1e-6).softmax(1)
    np.testing.assert_allclose(near, (SCORES / 3).softmax(1), atol=1e-4)


def test_the_error_against_one_made_by_hand():
    confidence = np.array([0.9, 0.6, 0.5, 0.8])
    correct = np.array([True, False, True, False])
    # sorted: 0.5 right, 0.6 wrong | 0.8 wrong, 0.9 right; weights 1, 1 | 1, 3
    error = calibration_error(confidence, correct, np.array([3.0, 1.0, 1.0, 1.0]), bins=2)
    assert error == pytest.approx((abs(1 - 1.1) + abs(3 - 0.8 - 2.7)) / 6)


def test_seen_and_unseen_count_for_a_half_each():
    is_unseen = np.array([True] * 3 + [False] * 7)
    weights = equal_weights(is_unseen)
    assert weights.sum() == pytest.approx(1)
    assert weights[is_unseen].sum() == pytest.approx(0.5)
    assert equal_weights(np.zeros(4, bool)).tolist() == [0.25] * 4
    assert len(equal_weights(np.empty(0, bool))) == 0


def test_a_choice_looks_at_a_bounded_number_of_rows():
    is_unseen = np.arange(10_000) >= 9_000
    kept = evenly(is_unseen)
    assert (np.sum(is_unseen[kept]), np.sum(~is_unseen[kept])) == (1000, 1500)
    assert len(np.unique(kept)) == len(kept)


@pytest.mark.parametrize(("temperature", "tail"), [(1.0, 0.0), (8.0, 0.0), (3.0, 0.35)])
def test_what_scores_are_worth_is_found(temperature, tail):
    found = choose_softening([sampled(temperature, tail, 1), sampled(temperature, tail, 2)])
    other = sampled(temperature, tail, 3)
    error = calibration_error(other.confidence(*found), other.correct, other.weights)
    assert error < 0.03
    assert temperature == 1 or calibration_error(other.confidence(1, 0), other.correct, other.weights) > 0.1


def test_scores_of_any_unit_are_softened():
    small = sampled(2.0, 0.0)
    small = Scored(small.lead * 1e-4, small.correct, small.weights)
    assert choose_softening([small], (0.0,))[0] == pytest.approx(2e-4, rel=0.3)


def test_scores_that_are_all_equal_do_no_harm():
    flat = Scored.of(torch.zeros(10, 3), np.arange(10) % 3, np.arange(10) > 4)
    assert np.isfinite(choose_softening([flat])).all()
