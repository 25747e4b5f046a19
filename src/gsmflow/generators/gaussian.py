"""The closed form: one Gaussian a class, its mean predicted from semantics. Seconds, and hard to beat.

Features are reduced by PCA; classes share one shrunk within-class covariance; the means of unseen classes come from
kernel ridge regression of the seen class means on their semantics. What would have been predicted for each seen
class had it been left out has a closed form too; the covariance of those errors can widen the unseen classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ..settings import GaussianSettings
from ..streams import chunks
from .base import Classes, class_sums

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Gaussian", "RidgeRegression", "Statistics", "kernel_features", "map_semantics"]


MOST_ROWS = 2**16
"""Rows that the principal directions are taken from: more say nothing new of a few hundred directions."""

PROJECTED_ROWS = 2**10
"""Rows that are projected in double precision at once."""

MOST_LANDMARKS = 1024
"""Seen classes that a kernel is spanned by; of more, as many, evenly chosen (Nystroem)."""


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
        some = x[torch.linspace(0, len(x) - 1, min(len(x), MOST_ROWS)).round().long()]
        mean = some.mean(0)
        basis = principal_directions(some - mean, min(dims, x.shape[1]))
        dims = basis.shape[1]

        rows = torch.searchsorted(seen, labels)
        counts = torch.bincount(rows, minlength=len(seen)).double()[:, None]
        sums, moments = torch.zeros(len(seen), dims).to(counts), torch.zeros(dims, dims).to(counts)
        total = kept = 0.0
        for place, part in chunks(x):
            centred = part - mean
            y = (centred @ basis).double()
            sums += class_sums(y, rows[place], len(seen))
            moments += y.T @ y
            total += float(centred.square().sum(dtype=torch.double))
            kept += float(y.square().sum())

        means = sums / counts
        within = (moments - means.T @ sums) / max(1, len(x) - len(seen))
        rest = x.shape[1] - dims
        floor = 1e-6 * total / (len(x) * x.shape[1])  # few samples leave nothing outside of the basis
        noise = max((total - kept) / len(x) / rest, floor) if rest else 0.0
        return cls(mean, basis, means, (within + within.T) / 2, noise)


def principal_directions(centred: Float[Tensor, "n d"], dims: int) -> Float[Tensor, "d p"]:
    """The ``dims`` leading directions of centred rows, orthonormal."""
    if centred.shape[1] <= 2 * dims:
        return torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, :dims]
    with torch.random.fork_rng(devices=[centred.device] if centred.is_cuda else []):
        torch.manual_seed(0)  # a randomized method with one fixed start: the same features, the same basis
        basis = torch.svd_lowrank(centred, q=min(dims + 32, *centred.shape), niter=4)[2][:, :dims]
        missing = dims - basis.shape[1]  # fewer samples than directions: any others will do
        if missing:
            others = torch.randn(len(basis), missing, device=centred.device)
            basis = torch.linalg.qr(torch.cat([basis, others], 1))[0]
    return basis


def map_semantics(semantics: Float[Tensor, "k s"], kind: str) -> Float[Tensor, "k s"]:
    """Semantics as rows of length 1: as they are (``l2``), as signed square roots (``sqrt``), or ``spread``.

    The last centres them over the classes and takes the square roots of their singular values, so that directions in
    which the classes differ little count for more. It may have fewer columns.
    """
    if kind == "sqrt":
        semantics = semantics.sign() * semantics.abs().sqrt()
    elif kind == "spread":
        u, s, _ = torch.linalg.svd(semantics - semantics.mean(0), full_matrices=False)
        semantics = (u * s.sqrt())[:, s > 1e-6 * s[0]]
    return F.normalize(semantics, dim=1)


def kernel_features(
    semantics: Float[Tensor, "k s"], seen: Int[Tensor, " k"], kind: str, landmarks: int = MOST_LANDMARKS
) -> Float[Tensor, "k p"]:
    """A row a class whose inner products are a kernel of semantics.

    ``linear`` is the semantics themselves. ``rbf`` is exp(-|a - b|^2 / w) with w the mean squared distance of seen
    classes, spanned by the seen classes or by ``landmarks`` of them (Williams & Seeger 2001).
    """
    if kind == "linear":
        return semantics
    some = semantics[seen[torch.linspace(0, len(seen) - 1, min(len(seen), landmarks)).round().long()]]
    width = torch.cdist(some, some).square().mean()
    values, vectors = torch.linalg.eigh(torch.exp(-torch.cdist(some, some).square() / width))
    good = values > 1e-10 * values[-1]
    return torch.exp(-torch.cdist(semantics, some).square() / width) @ (vectors[:, good] * values[good].rsqrt())


class RidgeRegression:
    r"""Ridge regression of the means of seen classes on a row of features a class, for any penalty.

    With :math:`F = U S V^T` the rows of the seen classes and :math:`Y` the centred means, the coefficients are
    :math:`V \frac{S}{S^2 + \lambda} U^T Y`; the error at row i of a fit without row i is
    :math:`r_i / (1 - h_i)` with the residual r and the leverage :math:`h_i = \sum_j U_{ij}^2 S_j^2 / (S_j^2 + \lambda)`
    (for the centre of all rows).

    Args:
        features: ``(k, p)``, a row a class.
        seen: ids of the classes whose means are known.
        means: ``(ks, d)``.
    """

    def __init__(self, features: Float[Tensor, "k p"], seen: Int[Tensor, " ks"], means: Float[Tensor, "ks d"]):
        self.features, self.of_seen = features, features[seen]
        self.u, self.s, self.vt = torch.linalg.svd(self.of_seen, full_matrices=False)
        self.centre, self.centred = means.mean(0), means - means.mean(0)

    def fit(self, ridge: float) -> tuple[Float[Tensor, "k d"], Float[Tensor, "ks d"]]:
        """Predicted means of all classes, and left-out errors of the seen ones.

        Args:
            ridge: lambda, in units of the mean squared length of the seen rows.
        """
        penalty = ridge * self.of_seen.square().sum(1).mean()
        coefficients = self.vt.T @ ((self.s / (self.s.square() + penalty))[:, None] * (self.u.T @ self.centred))
        leverage = self.u.square() @ (self.s.square() / (self.s.square() + penalty))
        errors = (self.centred - self.of_seen @ coefficients) / (1 - leverage)[:, None]
        return self.features @ coefficients + self.centre, errors


def only(choice: dict[str, Any]) -> dict[str, tuple[Any]]:
    """A choice that `Gaussian.candidates` gave, as settings that list it alone."""
    return {name if name == "semantics" else f"{name}s": (value,) for name, value in choice.items()}


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
    left_out: Tensor

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
        self.register_buffer("left_out", torch.zeros(len(classes.seen), dims), persistent=False)

    @property
    def count(self) -> int:
        """The number of `candidates`."""
        s = self.settings
        return len(s.semantics) * len(s.kernels) * len(s.ridges) * len(s.shrinks) * len(s.widens)

    def fit(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], **choice: Any) -> None:
        """Fit with the first of each listed setting, or with those of ``choice``."""
        settings = replace(self.settings, **only(choice))
        next(self._fitted(x, labels, settings))

    def candidates(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the listed settings in turn; yield each choice while it is in place."""
        yield from self._fitted(x, labels, self.settings)

    def _fitted(self, x: Tensor, labels: Tensor, settings: GaussianSettings) -> Iterator[dict[str, Any]]:
        found = Statistics.of(x, labels, self.seen, settings.dims)
        self.mean, self.basis = found.mean, found.basis
        self.noise = torch.tensor(found.noise, device=x.device)
        sphere = found.within.diagonal().mean() * torch.eye(len(found.within)).to(found.within)
        for mapped, kind in product(settings.semantics, settings.kernels):
            features = kernel_features(map_semantics(self.semantics.double(), mapped), self.seen, kind)
            regression = RidgeRegression(features, self.seen, found.class_means)
            for ridge in settings.ridges:
                centres, errors = regression.fit(ridge)
                self.left_out = (found.class_means - errors).float()
                centres[self.seen] = found.class_means
                self.centres = centres.float()
                for shrink, widen in product(settings.shrinks, settings.widens):
                    within = (1 - shrink) * found.within + shrink * sphere
                    wide = within + widen * (errors.T @ errors) / len(errors)
                    self.factors = torch.stack([torch.linalg.cholesky(c) for c in (within, wide)]).float()
                    yield {"semantics": mapped, "kernel": kind, "ridge": ridge, "shrink": shrink, "widen": widen}

    def twin(self) -> Gaussian:
        """Another module with the same tensors, any of which may be replaced."""
        other = copy(self)
        other._buffers = dict(self._buffers)
        return other

    def is_unseen(self, classes: Tensor) -> Tensor:
        """1 for an unseen class, else 0: which of the two covariances it has."""
        return torch.isin(classes, self.unseen).long()

    def by_spread(self, rows: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, "n p"]:
        """Multiply each row by the Cholesky factor of its class."""
        kinds = self.is_unseen(classes)[:, None]
        return torch.where(kinds == 0, rows @ self.factors[0].T, rows @ self.factors[1].T)

    def colour(
        self, u: Float[Tensor, "n p"], classes: Int[Tensor, " n"], *, rng: Rng | None = None
    ) -> Float[Tensor, "n d"]:
        """Standard normal rows with the means and the spread of their classes, and noise outside of the basis."""
        noise = torch.randn(len(u), len(self.mean), generator=rng, device=u.device).mul_(self.noise.sqrt())
        inside = self.centres[classes] + self.by_spread(u, classes) - noise @ self.basis
        return noise.addmm_(inside, self.basis.T).add_(self.mean)

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Coordinates in the basis: all that tells classes apart."""
        return (x - self.mean) @ self.basis

    def log_outside(self, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Log-density of what lies outside of the basis: noise, the same for all classes.

        In double precision, and from the rejected vector itself: its length divided by a small noise is so large that
        the difference of two float32 sums, or a float32 result, would be off by a hundred nats.
        """
        rest = len(self.mean) - self.basis.shape[1]
        if not rest:
            return x.new_zeros(len(x), dtype=torch.double)
        mean, basis, noise = self.mean.double(), self.basis.double(), self.noise.double()
        lost = []
        for part in x.split(PROJECTED_ROWS):
            centred = part.double() - mean
            lost.append((centred - (centred @ basis) @ basis.T).square().sum(1))
        return -0.5 * (torch.cat(lost) / noise + rest * torch.log(2 * math.pi * noise))

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        u = torch.randn(len(classes), self.basis.shape[1], generator=rng, device=self.basis.device)
        return self.colour(u, classes, rng=rng)

    @torch.no_grad()
    def log_ratio(self, y: Float[Tensor, "n p"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Log-density in nats, in the basis alone, of every row of a `view` under every class of ``classes``."""
        result = y.new_empty(len(y), len(classes))
        kinds = self.is_unseen(classes)
        for kind, factor in enumerate(self.factors):
            here = kinds == kind
            points = torch.cat([y, self.centres[classes[here]]]).T
            white = torch.linalg.solve_triangular(factor, points, upper=False).T
            distance = torch.cdist(white[: len(y)], white[len(y) :]).square()
            result[:, here] = -0.5 * (distance + y.shape[1] * math.log(2 * math.pi)) - factor.diagonal().log().sum()
        return result

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        return self.log_ratio(self.view(x), classes) + self.log_outside(x)[:, None]
