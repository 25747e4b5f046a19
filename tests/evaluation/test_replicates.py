"""Statistics over replicates against numpy and SciPy's bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from gsmflow.evaluation.replicates import paired, summarize


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_a_summary_is_that_of_numpy_and_scipy(n):
    values = np.random.default_rng(n).normal(60, 5, n)
    found = summarize(values)
    assert (found.mean, found.count) == (pytest.approx(values.mean()), n)
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    peer = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=9_999).confidence_interval
    assert found.low == pytest.approx(peer.low, abs=0.05 * found.sd)
    assert found.high == pytest.approx(peer.high, abs=0.05 * found.sd)
    assert values.min() <= found.low <= found.mean <= found.high <= values.max()


def test_two_values_are_their_own_interval():
    assert summarize([3.0, 5.0]).low == 3.0
    assert summarize([3.0, 5.0]).high == 5.0


def test_more_confidence_is_wider():
    values = np.arange(10.0)
    assert summarize(values, confidence=0.5).low > summarize(values, confidence=0.99).low


def test_one_value_has_no_spread():
    found = summarize([7.0])
    assert (found.mean, found.count) == (7.0, 1)
    assert all(map(math.isnan, (found.sd, found.low, found.high)))


def test_the_same_values_the_same_interval():
    assert summarize([1.0, 2.0, 4.0]) == summarize([1.0, 2.0, 4.0])
    assert summarize([4.0, 4.0, 4.0]).low == summarize([4.0, 4.0, 4.0]).high == 4.0


def test_nothing_to_summarize():
    with pytest.raises(ValueError, match="no replicates"):
        summarize([])


def test_pairs_are_those_that_both_have():
    one = {0: 70.0, 1: 60.0, 2: 50.0, 7: 0.0}
    other = {2: 51.0, 1: 55.0, 0: 60.0, 8: 99.0}
    found = paired(one, other)
    assert found.difference.mean == pytest.approx((10 + 5 - 1) / 3)
    assert (found.wins, found.losses, found.difference.count) == (2, 1, 3)
    back = paired(other, one)
    assert back.difference.mean == -found.difference.mean
    assert (back.wins, back.losses) == (1, 2)


def test_pairing_removes_what_seeds_have_in_common():
    seeds = np.random.default_rng(0).normal(60, 20, 8)
    one, other = dict(enumerate(seeds + 1)), dict(enumerate(seeds))
    found = paired(one, other)
    assert found.difference.low == pytest.approx(1)
    assert summarize(list(one.values())).sd > 10 * found.difference.sd


def test_no_pairs():
    assert paired({0: 1.0}, {1: 1.0}) is None
    tie = paired({0: 1.0}, {0: 1.0})
    assert (tie.wins, tie.losses) == (0, 0)
