r"""Probabilities that are right as often as they say: the softening of scores, and the error that is left.

Scores that are too sure of themselves are divided by a temperature (Guo et al. 2017,
https://arxiv.org/abs/1706.04599). Where that is itself uncertain, the mean of :math:`\exp(-r \beta)` over a Gamma
distribution of inverse temperatures is a power of r, with a longer tail:

.. math:: p_k \propto (1 + a r_k / T)^{-1/a}, \quad r_k = \max_j s_j - s_k

for a = 0 the softmax of s / T. It falls with r whatever T and a, so that no decision changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

__all__ = [
    "Calibration",
    "Scored",
    "calibration_error",
    "choose_softening",
    "equal_weights",
    "evenly",
    "soften",
]

BINS = 15
"""Of equal count, by confidence."""
TAILS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
OCTAVES = 8
"""Temperatures are tried from so many octaves below the median lead of the best score to as many above."""
STEPS = 4
"""Of temperature that are tried in an octave."""
WEIGHT = 2.0
"""Of the calibration error beside the log-likelihood of being right: no confidence that is the same everywhere wins."""
MOST_ROWS = 1500
"""Of one fold and one kind of classes, spread evenly, that a choice looks at."""


@dataclass(frozen=True)
class Calibration:
    """How the scores of a model become probabilities, and how far these can be believed.

    Attributes:
        temperature: the scores less the constant are divided by it.
        tail: how uncertain that is; 0 is a softmax.
        ECE: expected calibration error on the test sets in percent, these weighted equally; None where one is empty.
    """

    temperature: float
    tail: float
    ECE: float | None

    def to_json(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it."""
        return {**vars(self), "ECE": None if self.ECE is None else round(self.ECE, 4)}


@dataclass(frozen=True, eq=False)
class Scored:
    """What a model says of samples that it was not trained on.

    Attributes:
        lead: ``(n, K)``, the best score of each row less each of its scores, in double precision.
        correct: ``(n,)``, whether the best class is the true one.
        weights: ``(n,)``, what each row counts for.
    """

    lead: Float[Tensor, "n k"]
    correct: Bool[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, scores: Float[Tensor, "n k"], labels: np.ndarray, is_unseen: Bool[np.ndarray, " n"]) -> Scored:
        """From scores less the constant; samples of seen classes count for as much as those of unseen ones."""
        scores = scores.cpu().double()
        best, decided = scores.max(1)
        return cls(best[:, None] - scores, decided.numpy() == labels, equal_weights(is_unseen))

    def confidence(self, temperature: float, tail: float) -> Float[np.ndarray, " n"]:
        """The greatest probability of each row."""
        return (1 / softened_lead(self.lead, temperature, tail).neg().exp().sum(1)).numpy()


def evenly(is_unseen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """At most `MOST_ROWS` rows of seen and as many of unseen classes, evenly spread: enough to choose by."""
    kinds = [np.flatnonzero(is_unseen == kind) for kind in (False, True)]
    return np.concatenate(
        [rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int)] for rows in kinds]
    )


def equal_weights(is_unseen: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weights by which the samples of seen and those of unseen classes count for a half each.

    Example:
        >>> equal_weights(np.array([False, False, True])).tolist()
        [0.25, 0.25, 0.5]
    """
    counts = np.bincount(is_unseen.astype(int), minlength=2)
    return (1 / (np.count_nonzero(counts) * counts[is_unseen.astype(int)])) if len(is_unseen) else np.empty(0)


def softened_lead(lead: Float[Tensor, "n k"], temperature: float, tail: float) -> Float[Tensor, "n k"]:
    """The lead of the best log-probability over each, from the lead of scores."""
    lead = lead / temperature
    return torch.log1p(tail * lead) / tail if tail else lead


def soften(scores: Float[Tensor, "n k"], temperature: float = 1.0, tail: float = 0.0) -> Float[Tensor, "n k"]:
    """Scores whose softmax are probabilities to be believed; see the formula above. The order of a row is kept.

    Args:
        scores: less the calibration constant of seen classes.
        temperature: at 1, without a tail, the scores are returned as they are.
        tail: 0 for a softmax.

    Example:
        >>> soften(torch.tensor([[0.0, -2.0]]), 2.0).tolist()
        [[0.0, -1.0]]
    """
    if not tail:
        return scores if temperature == 1 else scores / temperature
    return -softened_lead(scores.amax(1, keepdim=True) - scores, temperature, tail)


def calibration_error(
    confidence: Float[np.ndarray, " n"],
    correct: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    bins: int = BINS,
) -> float:
    """Expected calibration error, 0 to 1: mean distance of confidence and accuracy over bins of equal count.

    Args:
        confidence: the greatest probability of each row.
        correct: whether its class is the true one.
        weights: what each row counts for.
        bins: their number.

    Example:
        >>> calibration_error(np.full(4, 0.75), np.array([True, True, True, False]), np.ones(4), bins=1)
        0.0
    """
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float(weights[rows] @ (correct[rows] - confidence[rows]))) for rows in parts]
    return sum(gaps) / float(weights.sum())


def choose_softening(folds: Sequence[Scored], tails: Sequence[float] = TAILS) -> tuple[float, float]:
    """The temperature and the tail with which the samples of folds are right as often as they say.

    Least is the negative log-likelihood of the best class being right or not, plus `WEIGHT` times the calibration
    error, over all folds together.

    Args:
        folds: at least one; each with samples.
        tails: that are tried.

    Returns:
        Temperature and tail, to four digits.
    """
    correct = np.concatenate([one.correct for one in folds])
    weights = np.concatenate([one.weights for one in folds])
    second = np.concatenate([one.lead.topk(2, largest=False).values[:, 1].numpy() for one in folds])
    unit = float(np.median(second)) or float(second.mean()) or 1.0

    def cost(temperature: float, tail: float) -> float:
        confidence = np.concatenate([one.confidence(temperature, tail) for one in folds])
        error = calibration_error(confidence, correct, weights)
        surely = np.clip(confidence, 1e-9, 1 - 1e-9)
        loss = -np.where(correct, np.log(surely), np.log1p(-surely)) @ weights / weights.sum()
        return float(loss) + WEIGHT * error

    found = [(*best_power(lambda power: cost(unit * 2**power, tail), OCTAVES), tail) for tail in tails]  # noqa: B023
    _, power, tail = min(found)
    return float(f"{unit * 2**power:.4g}"), tail


def best_power(cost: Callable[[float], float], octaves: int) -> tuple[float, float]:
    """The least cost and where it lies, between ``-octaves`` and ``octaves``: whole steps first, then finer ones."""
    coarse = min((cost(power), float(power)) for power in range(-octaves, octaves + 1))
    finer = [coarse[1] + step / STEPS for step in range(-STEPS + 1, STEPS) if step]
    return min(coarse, *((cost(power), power) for power in finer))
