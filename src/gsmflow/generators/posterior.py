r"""Bayes' rule for class means: from what words predict, over one labelled picture, to a pile of unlabelled ones.

The mean of class k is :math:`N(m_k, eE)` before any picture, and a picture of it is :math:`N(\mu_k, W)`. After pictures
of weights r, n in all,

.. math:: P_k = ((eE)^{-1} + n W^{-1})^{-1}, \quad \mu_k = P_k ((eE)^{-1} m_k + W^{-1} \sum r x)

(the Gaussians of Verma & Rai 2017, https://arxiv.org/abs/1707.08040, with an error of prediction that is measured). E
has no full rank and is never inverted: in the directions in which W is the identity and E diagonal, with variances
:math:`l_j`, each coordinate goes its own way, :math:`\mu_j = (m_j + l_j \sum r x_j) / (1 + n l_j)`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Axes", "Posterior", "spacing", "update"]

EVENED = 0.3
"""Share of the variances of prediction errors that is spread evenly over all directions: few classes span few."""


def update(
    means: Float[Tensor, "k p"],
    variances: Float[Tensor, "k p"],
    sums: Float[Tensor, "k p"],
    counts: Float[Tensor, " k"],
) -> tuple[Float[Tensor, "k p"], Float[Tensor, "k p"]]:
    r"""The mean of each class after its pictures, and the factor :math:`1 + n l_j` by which its variance shrank.

    In coordinates in which a picture has variance 1 about the mean of its class.

    Args:
        means: before.
        variances: :math:`l_j` of the means, before.
        sums: of the weighted pictures.
        counts: n, the sum of their weights; where it is 0, the mean is what it was, bit for bit.

    Example:
        >>> update(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0, 4.0]]), torch.ones(1))
        (tensor([[2., 3.]]), tensor([[2., 4.]]))
    """
    shrunk = 1 + counts[:, None] * variances
    return torch.where(counts[:, None] > 0, (means + variances * sums) / shrunk, means), shrunk


def whitened(matrix: Float[Tensor, "p p"], factor: Float[Tensor, "p p"]) -> Float[Tensor, "p p"]:
    """L^-1 M L^-T for a symmetric M and a lower triangular L."""
    half = torch.linalg.solve_triangular(factor, matrix, upper=False)
    white = torch.linalg.solve_triangular(factor, half.T, upper=False)
    return (white + white.T) / 2


class Axes(nn.Module):
    """Coordinates in which the spread within classes is the identity and that of prediction errors is diagonal.

    Args:
        within: ``(p, p)``, W.
        errors: ``(p, p)``, second moment of the left-out errors of seen class means.
        noise: mean of 1 / n_k over the seen classes: their means are those of n_k pictures each, so that their errors
            hold the noise W * noise as well, which is no error of prediction.
        along: ``(p, p)``, a symmetric matrix that shall be diagonal instead of ``errors``, of which what is off the
            diagonal is left out then.

    Attributes:
        inward: ``(p, p)``, T: t = T y.
        outward: ``(p, p)``, its inverse.
        variances: ``(p,)``, l, greater than 0.
        scale: log |T|.
    """

    inward: Tensor
    outward: Tensor
    variances: Tensor
    scale: Tensor

    def __init__(
        self,
        within: Float[Tensor, "p p"],
        errors: Float[Tensor, "p p"],
        noise: float,
        along: Float[Tensor, "p p"] | None = None,
    ):
        super().__init__()
        factor = torch.linalg.cholesky(within)
        white = whitened(errors, factor)
        directions = torch.linalg.eigh(white if along is None else whitened(along, factor))[1]
        values = ((white @ directions) * directions).sum(0)
        least = torch.finfo(values.dtype).eps * max(1.0, float(values.max()))
        real = (values - noise).clamp(min=0)
        variances = ((1 - EVENED) * real + EVENED * real.mean()).clamp(min=least)
        inverse = torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False)
        self.register_buffer("inward", directions.T @ inverse, persistent=False)
        self.register_buffer("outward", factor @ directions, persistent=False)
        self.register_buffer("variances", variances, persistent=False)
        self.register_buffer("scale", -factor.diagonal().log().sum(), persistent=False)

    def forward(self, y: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """Coordinates of any rows, in the precision of the axes."""
        return y.to(self.inward) @ self.inward.T


def spacing(axes: Axes, known: Float[Tensor, "k p"], found: Float[Tensor, "m p"]) -> float:
    """The median distance from one of the classes found to the nearest other one, in units of that of classes known.

    Two classes that the pictures of one were shared out among lie nearer to each other than two of different pictures.
    1 where there are no two.
    """
    if min(len(known), len(found)) < 2:
        return 1.0
    near = []
    for means in (known, found):
        t = axes(means)
        between = torch.cdist(t, t) + torch.diag(torch.full((len(t),), torch.inf).to(t))
        near.append(float(between.min(1).values.median()))
    return near[1] / near[0] if near[0] else 1.0


class Posterior(nn.Module):
    """What is believed of the classes that pictures were seen of.

    Args:
        classes: ``(m,)``, sorted ids of those classes; all others are as they were.
        means: ``(m, p)``, in the axes.
        spreads: ``(m, p)``, variances of a picture there.
        settled: ``(m,)``, how much of what makes predicted classes differ from seen ones the pictures have cleared
            away: 0 to 1.
        axes: the coordinates.
    """

    classes: Tensor
    means: Tensor
    spreads: Tensor
    settled: Tensor

    def __init__(
        self,
        classes: Int[Tensor, " m"],
        means: Float[Tensor, "m p"],
        spreads: Float[Tensor, "m p"],
        settled: Float[Tensor, " m"],
        axes: Axes,
    ):
        super().__init__()
        for name, tensor in {"classes": classes, "means": means, "spreads": spreads, "settled": settled}.items():
            self.register_buffer(name, tensor, persistent=False)
        self.axes = axes

    def centres(self, before: Float[Tensor, "k p"]) -> Float[Tensor, "k p"]:
        """The means of all classes in the coordinates of ``before``, which holds them as they were."""
        after = before.clone()
        after[self.classes] = (self.means @ self.axes.outward.T).to(before)
        return after

    def colour(self, rows: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, "n p"]:
        """Standard normal rows with the spread of their classes, which are among these, about 0."""
        spreads = self.spreads[torch.searchsorted(self.classes, classes)]
        return ((rows * spreads.sqrt()).to(self.axes.outward) @ self.axes.outward.T).to(rows)

    def log_ratio(self, y: Float[Tensor, "n p"], places: Int[Tensor, " m"]) -> Float[Tensor, "n m"]:
        """Log-density in nats of rows under the classes at these places of ``classes``, in the precision of ``y``."""
        t, means, spreads = self.axes(y), self.means[places], self.spreads[places]
        weights = 1 / spreads
        distance = t.square() @ weights.T - 2 * t @ (means * weights).T + (means.square() * weights).sum(1)
        volume = spreads.log().sum(1) + t.shape[1] * math.log(2 * math.pi)
        return (self.axes.scale - 0.5 * (distance + volume)).to(y)
