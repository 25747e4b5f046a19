"""Statistics over replicates: how sure a mean is, and whether one method beats another on the same seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = ["Paired", "Summary", "paired", "summarize"]

Key = TypeVar("Key")
RESAMPLES = 9_999


@dataclass(frozen=True)
class Summary:
    """What replicates say.

    Attributes:
        mean: of the replicates.
        sd: their standard deviation (of a sample, n - 1); NaN for a single one.
        low: lower end of the bootstrap interval of the mean; NaN for a single one.
        high: upper end.
        count: number of replicates.
    """

    mean: float
    sd: float
    low: float
    high: float
    count: int


def summarize(values: Sequence[float], *, confidence: float = 0.95) -> Summary:
    """Mean, standard deviation and percentile bootstrap interval of the mean (Efron 1979), with a fixed seed.

    With few replicates the interval is too narrow: three values have ten different resamples.

    Raises:
        ValueError: if there are no values.
    """
    x = np.asarray(values, float)
    if not len(x):
        raise ValueError("There are no replicates to summarize.")
    if len(x) == 1:
        return Summary(float(x[0]), np.nan, np.nan, np.nan, 1)
    mean, sd = float(x.mean()), float(x.std(ddof=1))
    resamples = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    low, high = np.quantile(x[resamples].mean(1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Summary(mean, sd, float(low), float(high), len(x))


@dataclass(frozen=True)
class Paired:
    """One method less another, pair by pair.

    Attributes:
        difference: of the pairs.
        wins: pairs in which the first is greater.
        losses: pairs in which it is less.
    """

    difference: Summary
    wins: int
    losses: int


def paired(one: Mapping[Key, float], other: Mapping[Key, float]) -> Paired | None:
    """Compare two methods on what both have been run on; None where that is nothing.

    Args:
        one: a figure of the first by replicate, such as H by seed, or by seed and fold.
        other: the same of the second.
    """
    common = sorted(one.keys() & other.keys(), key=str)
    if not common:
        return None
    differences = [one[key] - other[key] for key in common]
    return Paired(summarize(differences), sum(d > 0 for d in differences), sum(d < 0 for d in differences))
