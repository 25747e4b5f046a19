"""What rivals are given, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..generators.base import class_sums
from .kinds import Kind

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["NEIGHBOURS", "Given", "Rival", "Trial", "class_means", "cosines", "nearest", "pooled_within"]

NEIGHBOURS = 3
"""Queries that a picture is joined to."""
ROWS = 2**11
"""Pictures that are compared with all queries at once."""


@dataclass(frozen=True, eq=False)
class Given:
    """All that a rival knows: what the model knows, in the space that the model works in.

    Attributes:
        x: ``(n, p)``, labelled pictures: those of training, then the shots.
        labels: ``(n,)``, their class ids.
        queries: ``(q, p)``, what is to be decided, seen and unseen mixed; the unlabelled pile.
        origin: ``(p,)``, the mean of all training pictures.
        means: ``(K, p)``, the predicted means of unseen classes and those of the samples of seen ones; None where the
            model predicts none.
        unseen: ``(Ku,)``, sorted ids of the unseen classes.
        classes: K.
    """

    x: Float[Tensor, "n p"]
    labels: Int[Tensor, " n"]
    queries: Float[Tensor, "q p"]
    origin: Float[Tensor, " p"]
    means: Float[Tensor, "k p"] | None
    unseen: Int[Tensor, " ku"]
    classes: int

    @cached_property
    def graph(self) -> tuple[Float[Tensor, "q q"], Float[Tensor, "n q"]]:
        """Sparse cosines of queries with their nearest queries, both ways, and of labelled pictures with theirs."""
        q, x = F.normalize(self.queries, dim=1), F.normalize(self.x, dim=1)
        near = nearest(q, q, itself=True)
        return (near + near.T).coalesce(), nearest(x, q)

    @cached_property
    def centred(self) -> Given:
        """The same with the mean of all training pictures at the origin."""
        means = None if self.means is None else self.means - self.origin
        return replace(
            self, x=self.x - self.origin, queries=self.queries - self.origin, origin=0 * self.origin, means=means
        )

    @property
    def predicted(self) -> Float[Tensor, "k p"]:
        """The means, of a rival that is never called without them."""
        assert self.means is not None
        return self.means

    @property
    def counts(self) -> Float[Tensor, " k"]:
        """Labelled pictures of each class."""
        return torch.bincount(self.labels, minlength=self.classes).to(self.x)


@dataclass(frozen=True)
class Rival:
    """A line of the table of rivals.

    Attributes:
        scores: from what is given, and constants of its own by name, to ``(q, K)`` scores of the queries; the greatest
            wins.
        values: what is tried for each of its constants, on pseudo-unseen classes.
        centred: whether features are centred; of both the choice is made with the constants.
        kinds: evidence that it can use.
        means_for: evidence with which it takes class prototypes: the model's predicted means.
        sees_queries: whether it looks at all queries at once, few-shot as well.
        source: where it comes from.
    """

    scores: Callable[..., Tensor]
    values: Mapping[str, tuple[float, ...]]
    centred: tuple[bool, ...]
    kinds: tuple[Kind, ...]
    means_for: tuple[Kind, ...]
    sees_queries: bool
    source: str

    def trials(self) -> Iterator[Trial]:
        """All that is tried, one after the other."""
        for centred, *values in product(self.centred, *self.values.values()):
            yield Trial(bool(centred), dict(zip(self.values, values, strict=True)))


@dataclass(frozen=True)
class Trial:
    """One choice of a rival's constants.

    Attributes:
        centred: whether features are centred.
        constants: by name.
    """

    centred: bool
    constants: Mapping[str, float]

    def scores(self, rival: Rival, given: Given) -> Float[Tensor, "q k"]:
        """What the rival says with these constants."""
        return rival.scores(given.centred if self.centred else given, **self.constants)

    def __str__(self) -> str:
        words = [f"{name} {value:g}" for name, value in self.constants.items()]
        return ", ".join([*words, "features centred" if self.centred else "features not centred"])


def class_means(given: Given) -> Float[Tensor, "k p"]:
    """Mean of the labelled pictures of each class; zero for a class without any."""
    sums = class_sums(given.x, given.labels, given.classes)
    return sums / given.counts.clamp(min=1)[:, None]


def pooled_within(given: Given, means: Float[Tensor, "k p"]) -> Float[Tensor, "p p"]:
    """Covariance of labelled pictures around their class means, in double precision."""
    rest = (given.x - means[given.labels]).double()
    free = max(1, len(rest) - len(given.labels.unique()))
    return rest.T @ rest / free


def nearest(rows: Float[Tensor, "n p"], q: Float[Tensor, "q p"], *, itself: bool = False) -> Float[Tensor, "n q"]:
    """Cosines of every row with its 3 most similar of the pile, sparse; where it is of the pile, without itself."""
    extra = int(itself)
    found = [(part @ q.T).topk(min(NEIGHBOURS + extra, len(q)), dim=1) for part in rows.split(ROWS)]
    values, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    indices, values = indices[:, extra:], values[:, extra:]
    places = torch.stack([torch.arange(len(rows))[:, None].expand_as(indices).flatten(), indices.flatten()])
    return torch.sparse_coo_tensor(places, values.flatten(), (len(rows), len(q)), check_invariants=False)


def cosines(x: Float[Tensor, "n p"], y: Float[Tensor, "m p"]) -> Float[Tensor, "n m"]:
    """Cosine of every row of ``x`` with every row of ``y``."""
    return F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
