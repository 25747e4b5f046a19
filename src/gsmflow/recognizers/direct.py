"""What a generator says of every class decides: no sampling, nothing to fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..generators.base import Classes, Density, Projected, Scorer
from .base import Recognizer

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Direct", "by_compatibility", "by_likelihood"]


class Direct(Recognizer):
    """The class of greatest score wins; the scores are a generator's ``log_prob`` or a baseline's compatibility.

    With ``log_prob`` and equal priors this is Bayes' rule.

    Args:
        classes: which classes there are.
        score: from ``(n, v)`` views of features and ``(k,)`` class ids to ``(n, k)`` scores: a method of the generator,
            which is used and not owned: its parameters are not this module's.
        view: from ``(n, D)`` scaled features to what ``score`` takes; by default the features themselves.
        is_linear: whether the score takes double precision, in which it does not depend on how many classes there are.
    """

    every: Tensor

    def __init__(
        self,
        classes: Classes,
        score: Callable[[Tensor, Tensor], Tensor],
        view: Callable[[Tensor], Tensor] | None = None,
        *,
        is_linear: bool = False,
    ):
        super().__init__()
        self.score, self.view_of, self.is_linear = score, view, is_linear
        every = torch.arange(len(classes.semantics), device=classes.semantics.device)
        self.register_buffer("every", every, persistent=False)

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """What the generator looks at."""
        return x if self.view_of is None else self.view_of(x)

    def widen(self, view: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
        """In double precision, where the score takes it and the device has it."""
        return view.double() if self.is_linear and view.device.type != "mps" else view

    @torch.no_grad()
    def scores(self, x: Float[Tensor, "n v"]) -> Float[Tensor, "n k"]:
        """The generator's scores of every class."""
        return self.score(x, self.every)

    def extend(self, count: int) -> None:
        """Score ``count`` more classes."""
        self.every = torch.arange(len(self.every) + count).to(self.every)

    def keep(self, classes: Int[Tensor, " k"], unseen: Int[Tensor, " ku"]) -> None:
        """Score as many classes as stay."""
        self.every = self.every[: len(classes)]

    def extra_repr(self) -> str:
        """The number of classes."""
        return f"classes={len(self.every)}"


def by_likelihood(dim: int, classes: Classes, generator: Density) -> Direct:
    """Bayes' rule, in the directions that tell classes apart where the generator knows them."""
    if isinstance(generator, Projected):
        return Direct(classes, generator.log_ratio, generator.view, is_linear=True)
    return Direct(classes, generator.log_prob)


def by_compatibility(dim: int, classes: Classes, generator: Scorer) -> Direct:
    """The scores of a baseline."""
    return Direct(classes, generator.scores, is_linear=True)
