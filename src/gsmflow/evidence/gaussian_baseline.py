"""The Gaussian baseline: class means with one covariance, mixed with words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..generators.base import class_sums
from .given import Given, cosines

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["by_gaussian_baseline"]

TEMPERATURE = 100.0
"""Of cosines, as CLIP has it."""


def by_gaussian_baseline(given: Given, alpha: float) -> Float[Tensor, "q k"]:
    r"""Gaussian discriminant analysis beside prototypes (Wang et al., ICLR 2024, https://arxiv.org/abs/2402.04087).

    .. math:: 100 \cos(x, t_k) + \alpha (w_k^T x + b_k), \quad
              w_k = \hat\Sigma^{-1} \mu_k, \quad b_k = -\tfrac{1}{2} \mu_k^T \hat\Sigma^{-1} \mu_k

    with the prototypes t and the means :math:`\mu` of labelled pictures, all rows of length 1, equal priors, and
    :math:`\hat\Sigma^{-1} = p \, ((n - 1) \Sigma + \operatorname{tr}(\Sigma) I)^{-1}` (Kubokawa & Srivastava 2008) of
    n pictures. In generalized zero-shot learning these are those of training and the shots.

    Args:
        given: what is known; the prototypes are the predicted means.
        alpha: what the Gaussians count for; chosen on validation among the values of the paper.
    """
    x, q = F.normalize(given.x, dim=1).double(), F.normalize(given.queries, dim=1).double()
    means = class_sums(x, given.labels, given.classes) / given.counts.clamp(min=1)[:, None]
    covariance = (x - means[given.labels]).T.cov()
    eye = torch.eye(len(covariance)).to(covariance)
    factor = torch.linalg.cholesky((len(x) - 1) * covariance + covariance.trace() * eye)
    w = len(eye) * torch.cholesky_solve(means.T, factor).T
    b = -0.5 * (w * means).sum(1)
    return TEMPERATURE * cosines(q, given.predicted.double()) + alpha * (q @ w.T + b)
