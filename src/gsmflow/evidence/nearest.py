"""Rivals that ask what is nearest: class means, single pictures, predicted means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..generators.base import class_sums
from .given import Given, class_means, cosines, pooled_within

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["by_class_means", "by_cosine", "by_nearest_shots"]


def by_class_means(given: Given, shrink: float) -> Float[Tensor, "q k"]:
    r"""The nearest class mean, without any words (linear discriminant analysis).

    .. math:: -\tfrac{1}{2} (x - \bar x_k)^T \Sigma^{-1} (x - \bar x_k), \quad
              \Sigma = (1 - s) W + s \, \operatorname{tr}(W) / p \, I

    W is the covariance within classes, pooled over training pictures and shots. s = 1 is the Euclidean distance.
    """
    means = class_means(given)
    within = pooled_within(given, means)
    sphere = within.trace() / len(within) * torch.eye(len(within)).to(within)
    factor = torch.linalg.cholesky((1 - shrink) * within + shrink * sphere + 1e-9 * sphere)
    points = torch.cat([given.queries, means]).double().T
    white = torch.linalg.solve_triangular(factor, points, upper=False).T
    return -0.5 * torch.cdist(white[: len(given.queries)], white[len(given.queries) :]).square()


def by_nearest_shots(given: Given) -> Float[Tensor, "q k"]:
    """The class of the most similar labelled picture: the greatest cosine with one of each class."""
    found = cosines(given.queries, given.x)
    best = found.new_full((len(found), given.classes), -1.0)
    return best.scatter_reduce_(1, given.labels.expand(len(found), -1), found, "amax")


def by_cosine(given: Given, weight: float) -> Float[Tensor, "q k"]:
    r"""The most similar of predicted means, each averaged with the shots of its class.

    .. math:: \cos(x, \; w m_k + \sum_i x_i)

    The predicted mean counts for w pictures. A seen class has the mean of its samples.
    """
    shots = torch.isin(given.labels, given.unseen)
    sums = class_sums(given.x[shots], given.labels[shots], given.classes)
    return cosines(given.queries, weight * given.predicted + sums)
