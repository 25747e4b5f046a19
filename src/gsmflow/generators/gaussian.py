"""The closed form: one Gaussian a class, its mean predicted from semantics. Seconds, and hard to beat.

Features are reduced by PCA; classes share one shrunk within-class covariance; the means of unseen classes come from
kernel ridge regression of the seen class means on their semantics. What would have been predicted for each seen
class had it been left out has a closed form too; the covariance of those errors can widen the unseen classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ..settings import GaussianSettings
from .base import Classes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Gaussian", "Statistics", "kernel_ridge", "semantic_kernel"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """All that the closed form needs to know of the training features.

    Attributes:
        mean: ``(D,)``, mean of all features.
        basis: ``(D, d)``, orthonormal principal directions.
        class_means: ``(Ks, d)``, means of the seen classes in the basis.
        within: ``(d, d)``, pooled within-class covariance in the basis.
        noise: variance a dimension outside of the basis.
    """

    mean: Tensor
    basis: Tensor
    class_means: Tensor
    within: Tensor
    noise: float

    @classmethod
    def of(cls, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], seen: Int[Tensor, " k"], dims: int) -> Statistics:
        """Measure features of seen classes, keeping ``dims`` principal directions at most."""
        dims = min(dims, x.shape[1], len(x) - 1)
        mean = x.mean(0)
        centred = x - mean
        if x.shape[1] <= 2 * dims:
            basis = torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, :dims]
        else:
            with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
                torch.manual_seed(0)  # a randomized method with one fixed start: the same features, the same basis
                basis = torch.svd_lowrank(centred, q=min(dims + 32, *x.shape), niter=4)[2][:, :dims]
        y = (centred @ basis).double()
        members = F.one_hot(torch.searchsorted(seen, labels), len(seen)).double()
        counts = members.sum(0)
        class_means = (members.T @ y) / counts[:, None]
        inner = y - members @ class_means
        within = inner.T @ inner / max(1, len(x) - len(seen))
        rest = x.shape[1] - dims
        lost = float(centred.square().sum() - y.square().sum()) / len(x)
        return cls(mean, basis, class_means, within, max(lost, 1e-12) / rest if rest else 0.0)


def semantic_kernel(a: Tensor, b: Tensor, kind: str, width: float = 1.0) -> Tensor:
    """Kernel between rows of L2-normalised semantics: ``linear``, or ``rbf`` with exp(-|a-b|^2 / width)."""
    return a @ b.T if kind == "linear" else torch.exp(-torch.cdist(a, b).square() / width)


def kernel_ridge(kernel: Tensor, targets: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    r"""Coefficients of kernel ridge regression on centred targets, and its leave-one-out errors.

    With :math:`G = (K + \lambda I)^{-1}`: coefficients :math:`\alpha = G\,(Y - \bar y)`, and the error at row i of a
    fit without row i is :math:`\alpha_i / G_{ii}` (for the centre of all rows).

    Args:
        kernel: ``(k, k)``, between the rows.
        targets: ``(k, d)``.
        ridge: lambda, in units of the mean diagonal of the kernel.
    """
    inverse = torch.linalg.inv(kernel + ridge * kernel.diagonal().mean() * torch.eye(len(kernel), dtype=kernel.dtype))
    alpha = inverse @ (targets - targets.mean(0))
    return alpha, alpha / inverse.diagonal()[:, None]


class Gaussian(nn.Module):
    """Gaussian classes with predicted means (DESIGN: closed form; cf. Verma & Rai 2017, GFZSL).

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: where a setting lists several values, `candidates` tries all, and `fit` takes the first.
    """

    semantics: Tensor
    seen: Tensor
    unseen: Tensor
    mean: Tensor
    basis: Tensor
    centres: Tensor
    factors: Tensor
    noise: Tensor

    def __init__(self, dim: int, classes: Classes, settings: GaussianSettings = GaussianSettings()):  # noqa: B008
        super().__init__()
        self.settings = settings
        dims = min(settings.dims, dim)
        shapes = {
            "mean": (dim,),
            "basis": (dim, dims),
            "centres": (len(classes.semantics), dims),
            "noise": (),
        }
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.register_buffer("unseen", classes.unseen)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("factors", torch.eye(dims).repeat(2, 1, 1))

    def fit(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], **choice: Any) -> None:
        """Fit with the first of each listed setting, or with those of ``choice``."""
        settings = replace(self.settings, **{f"{name}s": (value,) for name, value in choice.items()})
        next(self._fitted(x, labels, settings))

    def candidates(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the listed settings in turn; yield each choice while it is in place."""
        yield from self._fitted(x, labels, self.settings)

    def _fitted(self, x: Tensor, labels: Tensor, settings: GaussianSettings) -> Iterator[dict[str, Any]]:
        found = Statistics.of(x, labels, self.seen, settings.dims)
        self.mean, self.basis = found.mean, found.basis
        self.noise = torch.tensor(found.noise, device=x.device)
        semantics = F.normalize(self.semantics.double(), dim=1)
        seen, dims = semantics[self.seen], len(found.within)
        width = float(torch.cdist(seen, seen).square().mean())
        for kind, ridge in product(settings.kernels, settings.ridges):
            alpha, left_out = kernel_ridge(semantic_kernel(seen, seen, kind, width), found.class_means, ridge)
            centres = semantic_kernel(semantics, seen, kind, width) @ alpha + found.class_means.mean(0)
            centres[self.seen] = found.class_means
            self.centres = centres.float()
            for shrink, widen in product(settings.shrinks, settings.widens):
                sphere = torch.eye(dims).to(found.within) * found.within.diagonal().mean()
                within = (1 - shrink) * found.within + shrink * sphere
                error = widen * (left_out.T @ left_out) / len(left_out)
                self.factors = torch.stack([torch.linalg.cholesky(c) for c in (within, within + error)]).float()
                yield {"kernel": kind, "ridge": ridge, "shrink": shrink, "widen": widen}

    def _is_unseen(self, classes: Tensor) -> Tensor:
        return torch.isin(classes, self.unseen).long()

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        n, (dim, dims) = len(classes), self.basis.shape
        inner = torch.randn(n, dims, generator=rng, device=self.basis.device)
        outer = torch.randn(n, dim, generator=rng, device=self.basis.device) * self.noise.sqrt()
        kind = self._is_unseen(classes)
        spread = torch.where(kind[:, None] == 0, inner @ self.factors[0].T, inner @ self.factors[1].T)
        outer -= (outer @ self.basis) @ self.basis.T
        return self.mean + (self.centres[classes] + spread) @ self.basis.T + outer

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        centred = x - self.mean
        y = centred @ self.basis
        dim, dims = self.basis.shape
        rest, noise = dim - dims, float(self.noise)
        outside = 0.0
        if rest:
            lost = (centred.square().sum(1) - y.square().sum(1)).clamp(min=0)
            outside = -0.5 * (lost / noise + rest * math.log(2 * math.pi * noise))[:, None]
        kind = self._is_unseen(classes)
        result = x.new_empty(len(x), len(classes))
        for k, factor in enumerate(self.factors):
            here = kind == k
            white = torch.linalg.solve_triangular(factor, torch.cat([y, self.centres[classes[here]]]).T, upper=False).T
            distance = torch.cdist(white[: len(y)], white[len(y) :]).square()
            result[:, here] = -0.5 * (distance + dims * math.log(2 * math.pi)) - factor.diagonal().log().sum()
        return result + outside
