"""TransCLIP: a mixture of Gaussians over the pile, held by words and by neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..generators.base import class_sums
from .given import NEIGHBOURS, Given, cosines

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["by_transclip"]

ROUNDS, INNER, CONFIDENT = 10, 5, 8
SCALE = 50.0
"""The authors' code divides the log-density by it, where the paper divides by the number of queries."""
WORDS_ALONE, WORDS_WITH_SHOTS = 1.0, 0.5
"""Lambda: what the words count for."""


def by_transclip(given: Given, gamma: float, temperature: float) -> Float[Tensor, "q k"]:
    r"""TransCLIP (Zanella, Gérin, Ben Ayed, NeurIPS 2024, https://arxiv.org/abs/2406.01837); log-assignments.

    It maximises, over assignments z of the pile Q, means and one diagonal covariance,

    .. math:: \frac{1}{|Q|} \sum_{i \in Q} z_i^T \log p_i + \sum_{i, j} w_{ij} z_i^T z_j
              - \sum_{i \in Q} KL_\lambda(z_i \| \hat y_i) + \frac{\gamma}{|S|} \sum_{i \in S} z_i^T \log p_i

    by blocks: :math:`z_i \propto \hat y_i^\lambda \exp(\log p_i + \sum_j w_{ij} z_j)`, five times; means of S and Q
    weighted by z, made of length 1; variances likewise. :math:`\hat y` is the softmax of the cosines to the
    prototypes times a temperature, which CLIP brings along (100) and other prototypes do not; w are the cosines to the
    3 nearest of the pile, averaged both ways. As the paper sets them: ten rounds, :math:`\lambda` 1 without and 0.5
    with shots, variances from 1 / p, means from the shots, or from the 8 pictures of the pile that are surest. Scales
    as in the authors' code. All rows are of length 1. In generalized zero-shot learning the training pictures of seen
    classes are in S; each class counts the same there, as if it had as many pictures as an unseen one has shots.

    Args:
        given: what is known; the prototypes are the predicted means.
        gamma: what shots count for; the paper chooses among four values on validation.
        temperature: cosines are multiplied by it.
    """
    q, k = F.normalize(given.queries, dim=1), given.classes
    prior = (temperature * cosines(q, given.predicted)).log_softmax(1)
    has_shots = bool((given.counts[given.unseen] > 0).all())
    words = WORDS_WITH_SHOTS if has_shots else WORDS_ALONE
    s = F.normalize(given.x, dim=1)
    alike = max(1.0, float(given.counts[given.unseen].min())) / given.counts[given.labels]
    weights = gamma * SCALE * alike / alike.sum()
    fixed_sums, fixed_mass = class_sums(s * weights[:, None], given.labels, k), given.counts.new_zeros(k)
    fixed_mass.index_add_(0, given.labels, weights)

    z = prior.exp()
    means = F.normalize(starting_means(given, s, q, z), dim=1)
    variances = torch.full((q.shape[1],), 1 / q.shape[1])
    both, pulling = given.graph
    of_labelled = pulling.T @ (F.one_hot(given.labels, k) * alike[:, None])
    for turn in range(ROUNDS + 1):
        density = log_density(q, means, variances)
        for _ in range(INNER):
            smooth = (both @ z + of_labelled) / (2 * NEIGHBOURS)
            logits = words * prior + density / SCALE + smooth
            z = logits.softmax(1)
        if turn == ROUNDS:
            return logits.log_softmax(1).double()
        mass = z.sum(0) / len(q) + fixed_mass
        means = F.normalize((z.T @ q / len(q) + fixed_sums) / mass.clamp(min=1e-12)[:, None], dim=1)
        square = moments(q, z / len(q), means) + moments_of_labelled(s, given.labels, weights, means)
        variances = (square / (1 + weights.sum())).clamp(min=1e-8)
    raise AssertionError


def starting_means(given: Given, s: Tensor, q: Tensor, z: Tensor) -> Float[Tensor, "k p"]:
    """Means of labelled pictures, and where a class has none, of the surest of the pile."""
    best = z.topk(min(CONFIDENT, len(q)), dim=0)
    sure = (best.values[:, :, None] * q[best.indices]).mean(0)
    labelled = class_sums(s, given.labels, given.classes)
    return torch.where((given.counts > 0)[:, None], labelled, sure)


def log_density(q: Float[Tensor, "q p"], means: Float[Tensor, "k p"], variances: Tensor) -> Float[Tensor, "q k"]:
    """Exponents of Gaussians of one diagonal covariance; its determinant is the same for all classes."""
    root = variances.sqrt()
    return -0.5 * torch.cdist(q / root, means / root).square()


def moments(q: Tensor, z: Tensor, means: Tensor) -> Float[Tensor, " p"]:
    """Sum over pictures and classes of z (q - mean)^2, by dimension."""
    return z.sum(1) @ q.square() - 2 * (means * (z.T @ q)).sum(0) + z.sum(0) @ means.square()


def moments_of_labelled(s: Tensor, labels: Tensor, weights: Tensor, means: Tensor) -> Float[Tensor, " p"]:
    """The same of pictures whose class is known."""
    return weights @ (s - means[labels]).square()
