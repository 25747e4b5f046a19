"""What one would use instead of a generator: linear maps between features and semantics, in closed form.

Each gives a compatibility ``scores(x, classes)``. Semantics are L2-normalised; ridge penalties are in units of the mean
diagonal of what they are added to, so that one list of candidates serves all data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..settings import DAPSettings, ESZSLSettings, PrototypeSettings
from .base import Classes, class_means
from .gaussian import RidgeRegression

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["DAP", "ESZSL", "Compatibility", "NearestPrototype", "ridge_map"]


def ridge_map(gram: Float[Tensor, "d d"], targets: Float[Tensor, "d s"], ridge: float) -> Float[Tensor, "d s"]:
    r""":math:`(G + \lambda \bar g I)^{-1} T` with the mean diagonal :math:`\bar g` of G."""
    factor = torch.linalg.cholesky(gram + ridge * gram.diagonal().mean() * torch.eye(len(gram)).to(gram))
    return torch.cholesky_solve(targets, factor)


def similarity(a: Float[Tensor, "n p"], b: Float[Tensor, "k p"], by_cosine: Tensor) -> Float[Tensor, "n k"]:
    """Cosine, or else the negative squared Euclidean distance."""
    if by_cosine:
        return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    return -torch.cdist(a, b).square()


class Compatibility(nn.Module):
    """A baseline: `fit` and `candidates` as a closed form has them, `scores` instead of a density.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: lists of values; `candidates` tries all combinations, `fit` takes the first.
    """

    semantics: Tensor
    seen: Tensor
    mean: Tensor

    def __init__(self, dim: int, classes: Classes, settings: Any):
        super().__init__()
        self.settings = settings
        self.register_buffer("semantics", F.normalize(classes.semantics, dim=1))
        self.register_buffer("seen", classes.seen)
        self.register_buffer("mean", torch.zeros(dim))

    @property
    def count(self) -> int:
        """The number of `candidates`."""
        return math.prod(map(len, astuple(self.settings)))

    def fit(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], **choice: Any) -> None:
        """Fit with the first of each listed setting, or with those of ``choice``."""
        settings = replace(self.settings, **{f"{name}s": (value,) for name, value in choice.items()})
        next(self.fitted(x[:], labels, settings))

    def candidates(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the listed settings in turn; yield each choice while it is in place."""
        yield from self.fitted(x[:], labels, self.settings)

    def fitted(self, x: Tensor, labels: Tensor, settings: Any) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the lists in ``settings``."""
        raise NotImplementedError

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """How well each row goes with each of ``classes``."""
        raise NotImplementedError


class ESZSL(Compatibility):
    r"""x V a with :math:`V = (X^T X + \gamma I)^{-1} X^T Y S (S^T S + \lambda I)^{-1}` (Romera-Paredes & Torr 2015).

    X are centred features, so that labels of 0 and 1 are as good as the paper's -1 and 1.
    """

    settings: ESZSLSettings

    def __init__(self, dim: int, classes: Classes, settings: ESZSLSettings = ESZSLSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("map", torch.zeros(dim, classes.semantics.shape[1]))

    def fitted(self, x: Tensor, labels: Tensor, settings: ESZSLSettings) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``gammas`` and ``lambdas``."""
        self.mean = x.mean(0)
        features, semantics = (x - self.mean).double(), self.semantics.double()
        gram, seen = features.T @ features, semantics[self.seen]
        for gamma in settings.gammas:
            left = ridge_map(gram, features.T @ semantics[labels], gamma)
            for lambda_ in settings.lambdas:
                self.map = ridge_map(seen.T @ seen, left.T, lambda_).T.float().contiguous()
                yield {"gamma": gamma, "lambda": lambda_}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """The bilinear compatibility of each row and each class."""
        return (x - self.mean) @ self.map @ self.semantics[classes].T


class DAP(Compatibility):
    """Ridge regression from features to semantics, then the class of nearest semantics.

    After direct attribute prediction (Lampert et al. 2014), with regression in place of a classifier an attribute, so
    that semantics need not be binary.
    """

    settings: DAPSettings
    by_cosine: Tensor

    def __init__(self, dim: int, classes: Classes, settings: DAPSettings = DAPSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("by_cosine", torch.tensor(False))
        self.register_buffer("map", torch.zeros(dim, classes.semantics.shape[1]))
        self.register_buffer("centre", torch.zeros(classes.semantics.shape[1]))

    def fitted(self, x: Tensor, labels: Tensor, settings: DAPSettings) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``ridges`` and ``metrics``."""
        self.mean, self.centre = x.mean(0), self.semantics[labels].mean(0)
        features, targets = (x - self.mean).double(), (self.semantics[labels] - self.centre).double()
        gram, moments = features.T @ features, features.T @ targets
        for ridge in settings.ridges:
            self.map = ridge_map(gram, moments, ridge).float().contiguous()
            for metric in settings.metrics:
                self.by_cosine.fill_(metric == "cosine")
                yield {"ridge": ridge, "metric": metric}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Similarity of the predicted semantics, less their mean, to those of each class."""
        return similarity((x - self.mean) @ self.map, self.semantics[classes] - self.centre, self.by_cosine)


class NearestPrototype(Compatibility):
    """The class of nearest prototype: a seen class's mean, an unseen one's ridge prediction from its semantics."""

    settings: PrototypeSettings
    by_cosine: Tensor

    def __init__(self, dim: int, classes: Classes, settings: PrototypeSettings = PrototypeSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        self.register_buffer("by_cosine", torch.tensor(False))
        self.register_buffer("prototypes", torch.zeros(len(classes.semantics), dim))

    def fitted(self, x: Tensor, labels: Tensor, settings: PrototypeSettings) -> Iterator[dict[str, Any]]:
        """Fit with every combination of ``ridges`` and ``metrics``."""
        self.mean = x.mean(0)
        means = class_means((x - self.mean).double(), labels, self.seen)
        regression = RidgeRegression(self.semantics.double(), self.seen, means)
        for ridge in settings.ridges:
            prototypes, _ = regression.fit(ridge)
            prototypes[self.seen] = means
            self.prototypes = prototypes.float()
            for metric in settings.metrics:
                self.by_cosine.fill_(metric == "cosine")
                yield {"ridge": ridge, "metric": metric}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Similarity of each row to the prototype of each class."""
        return similarity(x - self.mean, self.prototypes[classes], self.by_cosine)
