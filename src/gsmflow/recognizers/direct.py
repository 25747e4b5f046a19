"""What a generator says of every class decides: no sampling, nothing to fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..generators.base import Classes

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["Direct"]


class Direct(nn.Module):
    """The class of greatest score wins; the scores are a generator's ``log_prob`` or a baseline's compatibility.

    With ``log_prob`` and equal priors this is Bayes' rule.

    Args:
        classes: which classes there are.
        score: from ``(n, v)`` views of features and ``(k,)`` class ids to ``(n, k)`` scores: a method of the generator,
            which is used and not owned: its parameters are not this module's.
        view: from ``(n, D)`` scaled features to what ``score`` takes; by default the features themselves.
    """

    every: Tensor

    def __init__(
        self,
        classes: Classes,
        score: Callable[[Tensor, Tensor], Tensor],
        view: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        self.score, self.view = score, view or (lambda x: x)
        every = torch.arange(len(classes.semantics), device=classes.semantics.device)
        self.register_buffer("every", every, persistent=False)

    @torch.no_grad()
    def scores(self, x: Float[Tensor, "n v"]) -> Float[Tensor, "n k"]:
        """The generator's scores of every class."""
        return self.score(x, self.every)

    def unseen_scores(self, x: Float[Tensor, "n v"]) -> None:
        """Nothing of its own: unseen classes keep their scores when they are alone."""
