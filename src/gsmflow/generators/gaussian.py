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
from .base import Classes, class_means

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
        dims = min(dims, x.shape[1])
        mean = x.mean(0)
        centred = x - mean
        if x.shape[1] <= 2 * dims:
            basis = torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, :dims]
        else:
            with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
                torch.manual_seed(0)  # a randomized method with one fixed start: the same features, the same basis
                basis = torch.svd_lowrank(centred, q=min(dims + 32, *x.shape), niter=4)[2][:, :dims]
                missing = dims - basis.shape[1]  # fewer samples than directions: any others will do
                if missing:
                    others = torch.randn(len(basis), missing, device=x.device)
                    basis = torch.linalg.qr(torch.cat([basis, others], 1))[0]
        y = (centred @ basis).double()
        means = class_means(y, labels, seen)
        inner = y - means[torch.searchsorted(seen, labels)]
        within = inner.T @ inner / max(1, len(x) - len(seen))
        rest = x.shape[1] - dims
        lost = max(float(centred.square().sum() - y.square().sum()), 0.0) / len(x)
        floor = 1e-6 * float(centred.square().mean())  # few samples leave nothing outside of the basis
        return cls(mean, basis, means, within, max(lost / rest, floor) if rest else 0.0)


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
    inverse = torch.linalg.inv(kernel + ridge * kernel.diagonal().mean() * torch.eye(len(kernel)).to(kernel))
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

    @property
    def count(self) -> int:
        """The number of `candidates`."""
        s = self.settings
        return len(s.kernels) * len(s.ridges) * len(s.shrinks) * len(s.widens)

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
        seen, sphere = semantics[self.seen], torch.eye(len(found.within)).to(found.within)
        width = float(torch.cdist(seen, seen).square().mean())
        for kind, ridge in product(settings.kernels, settings.ridges):
            alpha, errors = kernel_ridge(semantic_kernel(seen, seen, kind, width), found.class_means, ridge)
            centres = semantic_kernel(semantics, seen, kind, width) @ alpha + found.class_means.mean(0)
            centres[self.seen] = found.class_means
            self.centres = centres.float()
            for shrink, widen in product(settings.shrinks, settings.widens):
                within = (1 - shrink) * found.within + shrink * found.within.diagonal().mean() * sphere
                error = widen * (errors.T @ errors) / len(errors)
                self.factors = torch.stack([torch.linalg.cholesky(c) for c in (within, within + error)]).float()
                yield {"kernel": kind, "ridge": ridge, "shrink": shrink, "widen": widen}

    def is_unseen(self, classes: Tensor) -> Tensor:
        """1 for an unseen class, else 0: which of the two covariances it has."""
        return torch.isin(classes, self.unseen).long()

    def by_spread(self, rows: Float[Tensor, "n p"], classes: Int[Tensor, " n"], solve: bool) -> Float[Tensor, "n p"]:
        """Multiply each row by the Cholesky factor of its class, or with ``solve`` by the inverse of that."""
        result = torch.empty_like(rows)
        kinds = self.is_unseen(classes)
        for kind, factor in enumerate(self.factors):
            part = rows[kinds == kind]
            result[kinds == kind] = (
                torch.linalg.solve_triangular(factor, part.T, upper=False).T if solve else part @ factor.T
            )
        return result

    def whiten(self, y: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, "n p"]:
        """Residuals of projected features from the means of their classes, in units of their spread."""
        return self.by_spread(y - self.centres[classes], classes, solve=True)

    def colour(
        self, u: Float[Tensor, "n p"], classes: Int[Tensor, " n"], *, rng: Rng | None = None
    ) -> Float[Tensor, "n d"]:
        """The inverse of `whiten`, with fresh noise in the directions outside of the basis."""
        inside = self.centres[classes] + self.by_spread(u, classes, solve=False)
        outside = torch.randn(len(u), len(self.mean), generator=rng, device=u.device) * self.noise.sqrt()
        outside -= (outside @ self.basis) @ self.basis.T
        return self.mean + inside @ self.basis.T + outside

    def log_volume(self, label: Tensor) -> Tensor:
        """Log-determinant of `whiten` for one class."""
        return -self.factors[self.is_unseen(label)].diagonal().log().sum()

    def project(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n p"], Float[Tensor, " n"]]:
        """Coordinates in the basis, and the log-density of what lies outside: noise, the same for all classes.

        The second is in double precision: it can be so large that a float32 sum would swallow the differences between
        classes.
        """
        centred = x - self.mean
        y = centred @ self.basis
        rest = len(self.mean) - self.basis.shape[1]
        if not rest:
            return y, x.new_zeros(len(x), dtype=torch.double)
        lost = (centred.square().sum(1) - y.square().sum(1)).clamp(min=0)
        noise = self.noise.double()
        return y, -0.5 * (lost.double() / noise + rest * torch.log(2 * math.pi * noise))

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        u = torch.randn(len(classes), self.basis.shape[1], generator=rng, device=self.basis.device)
        return self.colour(u, classes, rng=rng)

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        y, outside = self.project(x)
        result = x.new_empty(len(x), len(classes))
        kinds = self.is_unseen(classes)
        for kind, factor in enumerate(self.factors):
            here = kinds == kind
            points = torch.cat([y, self.centres[classes[here]]]).T
            white = torch.linalg.solve_triangular(factor, points, upper=False).T
            distance = torch.cdist(white[: len(y)], white[len(y) :]).square()
            result[:, here] = -0.5 * (distance + y.shape[1] * math.log(2 * math.pi)) - factor.diagonal().log().sum()
        return result + outside[:, None]
