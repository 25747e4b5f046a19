"""What a recognizer is, and what the table of them holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..generators.base import Classes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Recognizer", "RecognizerKind"]


class Recognizer(nn.Module):
    """What decides the class of scaled features: the one of greatest score."""

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """What the scores are computed from: the features as they are, or less where less tells classes apart."""
        return x

    def widen(self, view: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
        """A `view` in the precision that final decisions are made in, where the scores follow it."""
        return view

    def scores(self, x: Float[Tensor, "n v"]) -> Float[Tensor, "n k"]:
        """Scores of every class, from a `view`."""
        raise NotImplementedError

    def unseen_scores(self, x: Float[Tensor, "n v"]) -> Float[Tensor, "n ku"] | None:
        """Scores of the unseen classes when they are alone; None where they are those of `scores`."""
        return None

    def extend(self, count: int) -> None:
        """Follow a generator that ``count`` classes were appended to.

        Raises:
            InputError: if it cannot without being fitted again.
        """
        raise NotImplementedError

    def keep(self, classes: Int[Tensor, " k"], unseen: Int[Tensor, " ku"]) -> None:
        """Follow a generator that dropped all classes but these sorted ids.

        Args:
            classes: ids that stay, as they were.
            unseen: ids of all unseen classes, as they were.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class RecognizerKind:
    """A line of the table of recognizers.

    Attributes:
        needs: the protocol that a generator must satisfy; it has one method.
        build: from the dimension of the features, the classes and a generator to a recognizer; an unfitted one, to load
            weights into, where it has a ``fit``.
        fit: called as ``fit(generator, x, labels, classes, *sections, seed=, start=)``, gives the recognizer after each
            of its epochs; None if it is as good as built.
        sections: the sections of the settings that ``fit`` takes.
    """

    needs: type
    build: Callable[[int, Classes, Any], Recognizer]
    fit: Callable[..., Iterator[Recognizer]] | None = None
    sections: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """The method without which a generator cannot be recognised with."""
        return next(name for name in vars(self.needs) if not name.startswith("_"))
