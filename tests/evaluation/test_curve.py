"""The seen-unseen curve against brute force over calibration constants."""

import json

import numpy as np
import pytest

from gsmflow.evaluation.metrics import Curve, Decisions, best_constant, measure, seen_unseen_curve

from .scores import SEEN, UNSEEN, draw_decisions, random_scores

SEEN_MASK = np.isin(np.arange(7), SEEN)


def make_problem(seed: int, integer: bool = False):
    """Labels and scores of test_seen and of test_unseen; integer scores are full of ties."""
    rng = np.random.default_rng(seed)
    labels = [rng.choice(ids, 25, p=rng.dirichlet(np.ones(len(ids)))) for ids in (SEEN, UNSEEN)]
    scores = [random_scores(25, seed=2 * seed + i, labels=y) for i, y in enumerate(labels)]
    return labels, [(2 * table).round() if integer else table for table in scores]


def make_curve(labels, scores) -> Curve:
    return seen_unseen_curve(*(draw_decisions(table, y) for table, y in zip(scores, labels, strict=True)))


def brute_force(labels, scores, constant: float) -> tuple[float, float]:
    """U and S by argmax at one constant."""
    s, u = (
        100 * np.mean([((table - constant * SEEN_MASK).argmax(1) == y)[y == k].mean() for k in np.unique(y)])
        for table, y in zip(scores, labels, strict=True)
    )
    return u, s


def hand_made(seen_margins, unseen_margins, seen_right=None, unseen_right=None) -> tuple[Decisions, Decisions]:
    """Samples of two seen classes (0, 1) and two unseen (2, 3), rightly ranked within their kind unless told."""

    def make(labels, margin, right, other_seen, other_unseen):
        wrong = np.array([False] * len(labels)) if right is None else ~np.array(right)
        seen = np.where(wrong, 1 - labels, labels) if other_seen is None else other_seen
        unseen = np.where(wrong, 5 - labels, labels) if other_unseen is None else other_unseen
        return Decisions(labels, seen, unseen, np.array(margin, float), unseen)

    zeros, twos = np.zeros(len(unseen_margins), int), np.full(len(seen_margins), 2)
    of_seen = make(np.arange(len(seen_margins)) % 2, seen_margins, seen_right, None, twos)
    of_unseen = make(2 + np.arange(len(unseen_margins)) % 2, unseen_margins, unseen_right, zeros, None)
    return of_seen, of_unseen


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_curve_equals_brute_force_at_its_constants(seed, integer):
    problem = make_problem(seed, integer)
    curve = make_curve(*problem)
    expected = np.array([brute_force(*problem, constant) for constant in curve.constants])
    np.testing.assert_allclose(np.stack([curve.unseen, curve.seen], 1), expected, atol=1e-9)
    assert (np.diff(curve.constants) > 0).all()
    assert curve.unseen[0] == 0
    assert curve.seen[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_curve_leaves_no_operating_point_out(seed):
    problem = make_problem(seed)
    curve = make_curve(*problem)
    points = np.stack([curve.unseen, curve.seen], 1)
    for constant in np.random.default_rng(seed).uniform(-6, 6, 300):
        assert np.abs(points - brute_force(*problem, constant)).max(1).min() < 1e-9


def test_area_of_a_hand_made_case():
    # U, S as the constant rises: 0, 100 | 50, 100 | 50, 50 | 100, 50 | 100, 0
    curve = seen_unseen_curve(*hand_made([1, 3], [0, 2]))
    assert curve.constants.tolist() == [-1, 0.5, 1.5, 2.5, 6]
    assert curve.unseen.tolist() == [0, 50, 50, 100, 100]
    assert curve.seen.tolist() == [100, 100, 50, 50, 0]
    assert curve.harmonic.tolist() == pytest.approx([0, 200 / 3, 50, 200 / 3, 0])
    assert curve.area == pytest.approx(75)


def test_area_of_a_perfect_a_useless_and_a_tied_ranking():
    assert seen_unseen_curve(*hand_made([3, 4], [1, 2])).area == pytest.approx(100)
    assert seen_unseen_curve(*hand_made([1, 2], [3, 4])).area == pytest.approx(0)
    assert seen_unseen_curve(*hand_made([1, 1], [1, 1])).area == pytest.approx(50)


def test_area_is_bounded_by_what_is_ranked_rightly_within_its_kind():
    curve = seen_unseen_curve(*hand_made([3, 4], [1, 2], seen_right=[True, False]))
    assert (curve.seen.max(), curve.unseen.max()) == (50, 100)
    assert curve.area == pytest.approx(50)
    curve = seen_unseen_curve(*hand_made([3, 4], [1, 2], unseen_right=[False, True]))
    assert (curve.seen.max(), curve.unseen.max()) == (100, 50)
    assert curve.area == pytest.approx(50)


def test_classes_weigh_the_same_however_many_samples():
    of_seen, of_unseen = hand_made([1, 5, 2], [0, 0])  # class 0 has two samples, class 1 one
    curve = seen_unseen_curve(of_seen, of_unseen)
    assert curve.seen.tolist() == [100, 100, 75, 50, 0]


@pytest.mark.parametrize("seed", range(6))
def test_best_constant_of_one_curve_is_the_best_there_is(seed):
    problem = make_problem(seed)
    constant, h = best_constant([make_curve(*problem)])

    def harmonic(c):
        u, s = brute_force(*problem, c)
        return 2 * u * s / (u + s) if u + s else 0

    assert harmonic(constant) == pytest.approx(h)
    assert h >= max(harmonic(c) for c in np.linspace(-6, 6, 400)) - 1e-9
    of_seen, of_unseen = (draw_decisions(table, y) for y, table in zip(*problem, strict=True))
    assert pytest.approx(h) == measure(of_seen, of_unseen, 7, constant).H


def test_best_constant_takes_the_middle_of_the_first_plateau():
    constants = np.arange(8.0)
    curve = Curve(constants, np.array([0, 0, 50, 50, 50, 0, 50, 0.0]), np.full(8, 50.0))
    assert best_constant([curve]) == (3.0, 50.0)
    flat = Curve(constants, np.full(8, 50.0), np.full(8, 50.0))
    assert best_constant([flat]) == (3.0, 50.0)


def test_best_constant_of_several_curves_maximizes_their_mean():
    constants = np.arange(4.0)
    first = Curve(constants, np.array([10, 80, 60, 10.0]), np.array([10, 80, 60, 10.0]))
    second = Curve(constants, np.array([10, 20, 70, 10.0]), np.array([10, 20, 70, 10.0]))
    assert best_constant([first]) == (1.0, 80.0)
    assert best_constant([first, second]) == (2.0, 65.0)


def test_best_constant_of_curves_on_unlike_constants():
    first = Curve(np.array([0, 1, 2.0]), np.array([0, 60, 100.0]), np.array([100, 60, 0.0]))
    second = Curve(np.array([4, 5, 6.0]), np.array([50, 60, 60.0]), np.array([60, 60, 0.0]))
    constant, h = best_constant([first, second])
    assert constant == 1.0, "beyond its ends a curve stays as it is"
    assert h == pytest.approx((60 + 2 * 50 * 60 / 110) / 2)


def test_curve_survives_json_and_thinning():
    curve = make_curve(*make_problem(0))
    again = Curve.from_json(json.loads(json.dumps(curve.to_json())))
    for name in ("constants", "unseen", "seen"):
        np.testing.assert_allclose(getattr(again, name), getattr(curve, name), atol=1e-6)
    thin = curve.thin(10)
    assert len(thin.constants) == 10
    assert (thin.constants[0], thin.constants[-1]) == (curve.constants[0], curve.constants[-1])
    places = np.searchsorted(curve.constants, thin.constants)
    np.testing.assert_array_equal(thin.unseen, curve.unseen[places])
    np.testing.assert_array_equal(thin.seen, curve.seen[places])
    assert len(curve.thin(10_000).constants) == len(curve.constants)
