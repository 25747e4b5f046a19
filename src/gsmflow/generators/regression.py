"""Kernel ridge regression of class means on semantics, with the errors of fits that leave one class out, and the words
that it may start from.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["MOST_LANDMARKS", "Kernel", "Prior", "Regression", "Ridge", "RidgeOnWords"]

MOST_LANDMARKS = 1024
"""Seen classes that a kernel is spanned by; of more, as many, evenly chosen (Nystroem)."""


class Kernel(nn.Module):
    """A row a class, ``(k, S)`` to ``(k, p)``, whose inner products are a kernel of semantics.

    ``linear`` is the semantics themselves. ``rbf`` is exp(-|a - b|^2 / w) with w the mean squared distance of seen
    classes, spanned by the seen classes or by as many of them as `fit` is told (Williams & Seeger 2001,
    https://papers.nips.cc/paper/1866-using-the-nystrom-method-to-speed-up-kernel-machines). In float64.

    Args:
        kind: ``linear`` or ``rbf``.
    """

    landmarks: Tensor
    projection: Tensor
    width: Tensor

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        if kind == "rbf":
            self.register_buffer("landmarks", torch.zeros(0, 0, dtype=torch.double))
            self.register_buffer("projection", torch.zeros(0, 0, dtype=torch.double))
            self.register_buffer("width", torch.ones((), dtype=torch.double))

    @classmethod
    def fit(cls, semantics: Float[Tensor, "ks s"], kind: str, landmarks: int = MOST_LANDMARKS) -> Kernel:
        """Span it by ``landmarks`` of the seen classes, whose semantics are given, mapped."""
        kernel = cls(kind).to(semantics.device)
        if kind == "rbf":
            some = semantics[torch.linspace(0, len(semantics) - 1, min(len(semantics), landmarks)).round().long()]
            width = torch.cdist(some, some).square().mean()
            kernel.landmarks, kernel.width = some, torch.where(width > 0, width, 1.0)
            values, vectors = torch.linalg.eigh(kernel.between(some))
            good = values > 1e-10 * values[-1]
            kernel.projection = (vectors[:, good] * values[good].rsqrt()).contiguous()
        return kernel

    def between(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k l"]:
        """The kernel of each class with each landmark."""
        return torch.exp(-torch.cdist(semantics, self.landmarks).square() / self.width)

    def forward(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k p"]:
        """The rows of any classes."""
        return semantics if self.kind == "linear" else self.between(semantics) @ self.projection

    def extra_repr(self) -> str:
        """Which kernel, spanned by how many classes."""
        return self.kind if self.kind == "linear" else f"{self.kind}, landmarks={len(self.landmarks)}"


class Regression(nn.Module):
    """A fitted regression, ``(k, p)`` to ``(k, d)``: f -> f W + c, in float64.

    Args:
        coefficients: ``(p, d)``, W.
        centre: ``(d,)``, c.
    """

    coefficients: Tensor
    centre: Tensor

    def __init__(self, coefficients: Float[Tensor, "p d"], centre: Float[Tensor, " d"]):
        super().__init__()
        self.register_buffer("coefficients", coefficients)
        self.register_buffer("centre", centre)

    @classmethod
    def blank(cls, dim: int) -> Regression:
        """One that nothing was fitted to, to load into."""
        return cls(torch.zeros(0, dim, dtype=torch.double), torch.zeros(dim, dtype=torch.double))

    def forward(self, features: Float[Tensor, "k p"]) -> Float[Tensor, "k d"]:
        """Predict the means of any classes."""
        return features @ self.coefficients + self.centre

    def extra_repr(self) -> str:
        """The numbers of rows and columns."""
        return "{} to {}".format(*self.coefficients.shape)


class Ridge:
    r"""Ridge regression of the means of seen classes on a row of features a class, for any penalty.

    With :math:`F = U S V^T` the rows of the seen classes and :math:`Y` the centred means, the coefficients are
    :math:`V \frac{S}{S^2 + \lambda} U^T Y`; the error at row i of a fit without row i is
    :math:`r_i / (1 - h_i)` with the residual r and the leverage :math:`h_i = \sum_j U_{ij}^2 S_j^2 / (S_j^2 + \lambda)`
    (for the centre of all rows).

    Args:
        features: ``(ks, p)``, a row a seen class.
        means: ``(ks, d)``.
    """

    def __init__(self, features: Float[Tensor, "ks p"], means: Float[Tensor, "ks d"]):
        self.features = features
        self.u, self.s, self.vt = torch.linalg.svd(features, full_matrices=False)
        self.centre, self.centred = means.mean(0), means - means.mean(0)
        size = features.square().sum(1).mean()
        self.unit = torch.where(size > 0, size, 1.0)

    def of(self, means: Float[Tensor, "ks d"]) -> Ridge:
        """The same rows with other means."""
        other = copy(self)
        other.centre, other.centred = means.mean(0), means - means.mean(0)
        return other

    def fit(self, ridge: float) -> tuple[Regression, Float[Tensor, "ks d"]]:
        """The fitted regression, and the left-out errors of the seen classes.

        Args:
            ridge: lambda, in units of the mean squared length of the rows.
        """
        penalty = ridge * self.unit
        coefficients = self.vt.T @ ((self.s / (self.s.square() + penalty))[:, None] * (self.u.T @ self.centred))
        leverage = self.u.square() @ (self.s.square() / (self.s.square() + penalty))
        errors = (self.centred - self.features @ coefficients) / (1 - leverage)[:, None]
        return Regression(coefficients, self.centre), errors


class Prior(nn.Module):
    """What the means of classes are taken for before any regression: nothing, or a share of their words.

    ``(k, d)`` words to ``(k, d)``, in float64.

    Args:
        kind: ``none`` or ``words``.
        share: alpha; nothing is kept of it where the kind is ``none``.
    """

    share: Tensor

    def __init__(self, kind: str, share: Tensor | None = None):
        super().__init__()
        self.kind = kind
        if kind == "words":
            self.register_buffer("share", torch.zeros((), dtype=torch.double) if share is None else share)

    def forward(self, words: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
        """The share of the words."""
        return self.share * words

    def extra_repr(self) -> str:
        """Which prior."""
        return self.kind if self.kind == "none" else f"{self.kind}, share={float(self.share):.3g}"


class RidgeOnWords:
    r"""Ridge regression of what a share of their words leaves of the means: :math:`m_k = \alpha w_k + f_k W + c`.

    :math:`\alpha` is the least-squares share of the centred words in the centred means of the seen classes. It is 0
    where such a share, found without a class, comes no nearer to its mean than the mean of all does, summed over the
    classes: dimensions may be equal by chance. An error at row i is that of a fit without row i, of :math:`\alpha` as
    well as of the regression (for the centres of all rows).

    Args:
        means: ridge regression of the means.
        words: ``(ks, d)``, of the seen classes.
    """

    def __init__(self, means: Ridge, words: Float[Tensor, "ks d"]):
        self.means, self.words = means, means.of(words)
        products = (self.words.centred * means.centred).sum(1)
        squares = self.words.centred.square().sum(1)
        share = quotient(products.sum(), squares.sum())
        without = quotient(products.sum() - products, squares.sum() - squares)
        gain = (2 * without * products - without.square() * squares).sum()  # |m|^2 - |m - alpha w|^2, over the classes
        helps = (share > 0) & (gain > 0)
        self.share, self.shares_without = share * helps, without * helps

    def fit(self, ridge: float) -> tuple[Regression, Float[Tensor, "ks d"]]:
        """The regression that is added to the share of the words, and the left-out errors of both together.

        Args:
            ridge: lambda, as `Ridge.fit` takes it.
        """
        of_means, errors = self.means.fit(ridge)
        of_words, lost = self.words.fit(ridge)
        regression = Regression(
            of_means.coefficients - self.share * of_words.coefficients, of_means.centre - self.share * of_words.centre
        )
        return regression, errors - self.shares_without[:, None] * lost


def quotient(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0."""
    return torch.where(b > 0, a / torch.where(b > 0, b, 1.0), 0.0)
