"""Bayes' rule on exact likelihoods: no sampling, nothing to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..generators.base import Classes

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Likelihood"]


class Likelihood(nn.Module):
    """Scores are log p(x | class), which with equal priors rank as the posterior does.

    Args:
        classes: which classes there are.
        generator: has ``log_prob``. It is used, not owned: its parameters are not this module's.
    """

    every: Tensor
    unseen: Tensor

    def __init__(self, classes: Classes, generator: Any):
        super().__init__()
        self.log_prob = generator.log_prob
        every = torch.arange(len(classes.semantics), device=classes.semantics.device)
        self.register_buffer("every", every, persistent=False)
        self.register_buffer("unseen", classes.unseen, persistent=False)

    def scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Log-density in nats under every class."""
        return self.log_prob(x, self.every)

    def unseen_scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n ku"]:
        """Log-density in nats under every unseen class."""
        return self.log_prob(x, self.unseen)
