"""What one would use instead of a generator: linear maps between features and semantics, in closed form.

Each gives a compatibility ``scores(x, classes)``, in the precision of ``x``. Ridge penalties are in units of the mean
diagonal of what they are added to, so that one list of candidates serves all data. Features are read once or twice, a
chunk at a time, whatever the number of candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..settings import DAPSettings, ESZSLSettings, PrototypeSettings
from ..streams import Stream, chunks
from .base import Classes, Listed, class_sums
from .regression import Regression, Ridge

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["DAP", "ESZSL", "Baseline", "Moments", "NearestPrototype", "ridge_map"]


def ridge_map(gram: Float[Tensor, "d d"], targets: Float[Tensor, "d s"], ridge: float) -> Float[Tensor, "d s"]:
    r""":math:`(G + \lambda \bar g I)^{-1} T` with the mean diagonal :math:`\bar g` of G."""
    factor = torch.linalg.cholesky(gram + ridge * gram.diagonal().mean() * torch.eye(len(gram)).to(gram))
    return torch.cholesky_solve(targets, factor)


def similarity(a: Float[Tensor, "n p"], b: Float[Tensor, "k p"], by_cosine: Tensor) -> Float[Tensor, "n k"]:
    """Cosine, or else the negative squared Euclidean distance."""
    if by_cosine:
        return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    return -torch.cdist(a, b).square()


@dataclass(frozen=True, eq=False)
class Moments:
    """All that the baselines need to know of the training features.

    Attributes:
        mean: ``(D,)``, mean of all features.
        counts: ``(Ks, 1)``, the number of features of each seen class.
        sums: ``(Ks, D)``, the sum of the centred features of each, in float64.
        gram: ``(D, D)``, products of centred features, summed in float64; empty where it was not asked for.
    """

    mean: Tensor
    counts: Tensor
    sums: Tensor
    gram: Tensor

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "n d"] | Stream,
        labels: Int[Tensor, " n"],
        seen: Int[Tensor, " k"],
        *,
        with_gram: bool = True,
    ) -> Moments:
        """Measure features of seen classes, a chunk at a time; all but their sums takes most of the time."""
        rows = torch.searchsorted(seen, labels)
        counts = torch.bincount(rows, minlength=len(seen)).double()[:, None]
        total = torch.zeros(x.shape[1]).to(counts)
        for _, part in chunks(x):
            total += part.sum(0, dtype=torch.double)
        mean = (total / len(x)).float()

        sums = torch.zeros(len(seen), x.shape[1]).to(counts)
        gram = torch.zeros(*(2 * [x.shape[1] if with_gram else 0])).to(counts)
        for place, part in chunks(x):
            centred = (part - mean).double()
            sums += class_sums(centred, rows[place], len(seen))
            if with_gram:
                gram.addmm_(centred.T, centred)
        return cls(mean, counts, sums, gram)


class Baseline(Listed):
    """A closed form that has ``scores`` instead of a density.

    Args:
        dim: dimension D of the features.
        classes: semantics of all classes, and which are seen.
        settings: lists of values; `candidates` tries all combinations, `fit` takes the first.
    """

    mean: Tensor

    def __init__(self, dim: int, classes: Classes, settings: Any):
        super().__init__(dim, classes, settings)
        self.register_buffer("mean", torch.zeros(dim))

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """How well each row goes with each of ``classes``."""
        raise NotImplementedError

    def mapped_as(self, x: Tensor, classes: Tensor) -> Float[Tensor, "k s"]:
        """The mapped semantics of ``classes``, in the precision of ``x``."""
        return self.semantic_map(self.semantics[classes].to(x))


class ESZSL(Baseline):
    r"""x V a with :math:`V = (X^T X + \gamma I)^{-1} X^T Y S (S^T S + \lambda I)^{-1}`.

    Romera-Paredes & Torr 2015, https://proceedings.mlr.press/v37/romera-paredes15.html. X are centred features, so that
    labels of 0 and 1 are as good as the paper's -1 and 1.

    Example:
        >>> classes = Classes(torch.eye(3), seen=torch.tensor([0, 1]), unseen=torch.tensor([2]))
        >>> model = ESZSL(2, classes)
        >>> model.fit(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]))
        >>> model.scores(torch.tensor([[2.0, 0.0]]), torch.tensor([0, 1])).argmax().item(), model.count()
        (0, 25)
    """

    settings: ESZSLSettings
    map: Tensor

    def __init__(self, dim: int, classes: Classes, settings: ESZSLSettings = ESZSLSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("map", torch.zeros(dim, classes.semantics.shape[1]))

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``semantics``, ``gammas`` and ``lambdas``."""
        found = Moments.of(x, labels, self.seen)
        self.mean = found.mean
        for mapped in self.settings.semantics:
            self.describe(mapped)
            seen = self.mapped[self.seen].double()
            for gamma in self.settings.gammas:
                left = ridge_map(found.gram, found.sums.T @ seen, gamma)
                for lambda_ in self.settings.lambdas:
                    self.map = ridge_map(seen.T @ seen, left.T, lambda_).T.float().contiguous()
                    yield {"semantics": mapped, "gamma": gamma, "lambda": lambda_}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """The bilinear compatibility of each row and each class."""
        return (x - self.mean.to(x)) @ self.map.to(x) @ self.mapped_as(x, classes).T


class DAP(Baseline):
    """Ridge regression from features to semantics, then the class of nearest semantics.

    After direct attribute prediction (Lampert et al. 2014, https://doi.org/10.1109/TPAMI.2013.140), with regression in
    place of a classifier an attribute, so that semantics need not be binary.
    """

    settings: DAPSettings
    map: Tensor
    centre: Tensor
    by_cosine: Tensor

    def __init__(self, dim: int, classes: Classes, settings: DAPSettings = DAPSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("by_cosine", torch.tensor(False))
        self.register_buffer("map", torch.zeros(dim, classes.semantics.shape[1]))
        self.register_buffer("centre", torch.zeros(classes.semantics.shape[1]))

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``semantics``, ``ridges`` and ``metrics``."""
        found = Moments.of(x, labels, self.seen)
        self.mean = found.mean
        for mapped in self.settings.semantics:
            self.describe(mapped)
            seen = self.mapped[self.seen]
            self.centre = ((found.counts * seen.double()).sum(0) / found.counts.sum()).float()
            moments = found.sums.T @ (seen - self.centre).double()
            for ridge in self.settings.ridges:
                self.map = ridge_map(found.gram, moments, ridge).float().contiguous()
                for metric in self.settings.metrics:
                    self.by_cosine.fill_(metric == "cosine")
                    yield {"semantics": mapped, "ridge": ridge, "metric": metric}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Similarity of the predicted semantics, less their mean, to those of each class."""
        predicted = (x - self.mean.to(x)) @ self.map.to(x)
        return similarity(predicted, self.mapped_as(x, classes) - self.centre.to(x), self.by_cosine)


class NearestPrototype(Baseline):
    """The class of nearest prototype: a seen class's mean, an unseen one's ridge prediction from its semantics."""

    per_class = ("prototypes",)

    settings: PrototypeSettings
    prototypes: Tensor
    by_cosine: Tensor

    def __init__(self, dim: int, classes: Classes, settings: PrototypeSettings = PrototypeSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("by_cosine", torch.tensor(False))
        self.register_buffer("prototypes", torch.zeros(len(classes.semantics), dim))
        self.regression = Regression.blank(dim)

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``semantics``, ``ridges`` and ``metrics``."""
        found = Moments.of(x, labels, self.seen, with_gram=False)
        self.mean, means = found.mean, found.sums / found.counts
        for mapped in self.settings.semantics:
            self.describe(mapped)
            features = self.mapped.double()
            ridges = Ridge(features[self.seen], means)
            for ridge in self.settings.ridges:
                self.regression, _ = ridges.fit(ridge)
                prototypes = self.regression(features)
                prototypes[self.seen] = means
                self.prototypes = prototypes.float()
                for metric in self.settings.metrics:
                    self.by_cosine.fill_(metric == "cosine")
                    yield {"semantics": mapped, "ridge": ridge, "metric": metric}

    def extend(self, semantics: Float[Tensor, "m s"]) -> None:
        """Append unseen classes, described as the others are: their prototypes are predicted as the others' were."""
        super().extend(semantics)
        added = self.mapped[len(self.prototypes) :].double()
        self.prototypes = torch.cat([self.prototypes, self.regression(added).float()])

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Similarity of each row to the prototype of each class."""
        return similarity(x - self.mean.to(x), self.prototypes[classes].to(x), self.by_cosine)
