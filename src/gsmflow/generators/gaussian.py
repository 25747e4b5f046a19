"""The closed form: one Gaussian a class, its mean predicted from semantics. Seconds, and hard to beat.

Features are reduced by PCA; classes share one shrunk within-class covariance; the means of unseen classes come from
kernel ridge regression of the seen class means on their semantics. What would have been predicted for each seen
class had it been left out has a closed form too; the covariance of those errors can widen the unseen classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator as Rng
from torch import Tensor

from ..errors import InputError
from ..settings import GaussianSettings
from ..streams import Stream, chunks
from .base import Classes, Listed, class_sums
from .posterior import Axes, Posterior, spacing, update
from .regression import Kernel, Prior, Regression, Ridge, RidgeOnWords

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Gaussian", "Statistics"]

MOST_ROWS = 2**16
"""Rows that the principal directions are taken from: more say nothing new of a few hundred directions."""

PROJECTED_ROWS = 2**10
"""Rows that are projected in double precision at once."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """All that the closed form needs to know of the training features.

    Attributes:
        mean: ``(D,)``, mean of all features.
        basis: ``(D, d)``, orthonormal principal directions.
        class_means: ``(Ks, d)``, means of the seen classes in the basis.
        within: ``(d, d)``, pooled within-class covariance in the basis.
        counts: ``(Ks,)``, the number of features of each seen class.
        noise: variance a dimension outside of the basis.
    """

    mean: Tensor
    basis: Tensor
    class_means: Tensor
    within: Tensor
    counts: Tensor
    noise: float

    @classmethod
    def of(
        cls, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"], seen: Int[Tensor, " k"], dims: int
    ) -> Statistics:
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
        return cls(mean, basis, means, (within + within.T) / 2, counts[:, 0], noise)


def fill_in(gaussian: Gaussian, tensors: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Let the state of a version be loaded that kept no errors of its predictions."""
    for name in ("errors", "pictures", "unsure"):
        tensors.setdefault(prefix + name, torch.zeros_like(getattr(gaussian, name)))


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


class Gaussian(Listed):
    r"""Gaussian classes whose means are predicted from their semantics (cf. GFZSL, Verma & Rai 2017,
    https://arxiv.org/abs/1707.08040).

    .. math:: \log p(x | k) = \log N(P^T (x - \bar x); m_k, \Sigma_k) + \log p_{outside}(x)

    P are principal directions, :math:`m_k` is the mean of a seen class or the `Regression` of an unseen one,
    and :math:`\Sigma_k` one of two covariances: that within seen classes, or that widened by the left-out errors. Where
    words lie in the space of the features, the regression may be one of what a share of them leaves over.

    Args:
        dim: dimension D of the features.
        classes: semantics of all classes, and which are seen.
        settings: where a setting lists several values, `candidates` tries all, and `fit` takes the first.

    Raises:
        InputError: if the prior is to be words alone, and none lie in the space of the features.

    Example:
        >>> from gsmflow.data import synthetic
        >>> training = synthetic(classes=8, unseen=2, dim=6, semantic_dim=4).training()
        >>> model = Gaussian(6, Classes.of(training), GaussianSettings(dims=3))
        >>> model.fit(torch.tensor(training.features), torch.tensor(training.labels))
        >>> model
        Gaussian(
          dim=6, seen=6, unseen=2, dims=3
          (semantic_map): SemanticMap(l2, dim=4)
          (prior): Prior(none)
          (kernel): Kernel(linear)
          (regression): Regression(4 to 3)
        )
        >>> model.extend(torch.rand(1, 4))
        >>> model.sample(torch.tensor([8, 8, 0])).shape
        torch.Size([3, 6])
    """

    per_class = ("centres",)
    per_seen = ("left_out", "pictures")
    details = ("shrink", "widen")

    mean: Tensor
    basis: Tensor
    centres: Tensor
    factors: Tensor
    noise: Tensor
    left_out: Tensor
    errors: Tensor
    pictures: Tensor
    unsure: Tensor

    def __init__(self, dim: int, classes: Classes, settings: GaussianSettings = GaussianSettings()):  # noqa: B008
        super().__init__(dim, classes, settings)
        dims = min(settings.dims, dim)
        shapes = {
            "mean": (dim,),
            "basis": (dim, dims),
            "centres": (len(classes.semantics), dims),
            "noise": (),
            "errors": (dims, dims),
            "pictures": (len(classes.seen),),
            "unsure": (),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("factors", torch.eye(dims).repeat(2, 1, 1))
        self.register_buffer("left_out", torch.zeros(len(classes.seen), dims), persistent=False)
        self.priors = tuple(prior for prior in settings.priors if prior == "none" or self.words)
        if not self.priors:
            raise InputError("The prior 'words' needs words in the space of the features, and there are none: drop it.")
        self.posterior: Posterior | None = None
        self.frame: Axes | None = None
        self.register_load_state_dict_pre_hook(fill_in)
        self.prior = Prior(self.priors[0])
        self.kernel, self.regression = Kernel(settings.kernels[0]), Regression.blank(dims)

    def lists(self) -> dict[str, tuple[Any, ...]]:
        """The values that are tried; without words in the space of the features there is no prior to choose."""
        lists = super().lists() | {"prior": self.priors}
        return lists if self.words else {name: values for name, values in lists.items() if name != "prior"}

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the listed settings in turn; yield each choice while it is in place."""
        settings: GaussianSettings = self.settings
        found = Statistics.of(x, labels, self.seen, settings.dims)
        self.mean, self.basis = found.mean, found.basis.contiguous()  # a saved and loaded one gives the same bits
        self.noise = torch.tensor(found.noise, device=x.device)
        self.pictures, self.unsure = found.counts.float(), (1 / found.counts).mean().float()
        self.posterior, self.frame = None, None
        least = 1e-10 * float(found.class_means.square().mean())  # one sample a class says nothing of the spread
        spread = max(float(found.within.diagonal().mean()), least) or 1.0
        sphere = spread * torch.eye(len(found.within)).to(found.within)
        words = self.place_words(self.semantics) if "words" in self.priors else None
        for mapped, kind in product(settings.semantics, settings.kernels):
            self.describe(mapped)
            semantics = self.semantic_map(self.semantics.double())
            self.kernel = Kernel.fit(semantics[self.seen], kind)
            features = self.kernel(semantics)
            plain = Ridge(features[self.seen], found.class_means)
            fits = [
                plain if words is None or prior == "none" else RidgeOnWords(plain, words[self.seen])
                for prior in self.priors
            ]
            for (prior, ridges), ridge in product(zip(self.priors, fits, strict=True), settings.ridges):
                self.prior = Prior(prior, getattr(ridges, "share", None))
                same = {"semantics": mapped, "kernel": kind, "ridge": ridge}
                about = {"prior": prior} if self.words else {}
                wanted = [
                    choice
                    for shrink, widen in product(settings.shrinks, settings.widens)
                    if self.wanted(choice := {**same, "shrink": shrink, "widen": widen, **about})
                ]
                if not wanted:
                    continue
                self.regression, errors = ridges.fit(ridge)
                self.left_out = (found.class_means - errors).float()
                centres = self.predicted(features, words)
                centres[self.seen] = found.class_means
                self.centres = centres.float()
                between = errors.T @ errors / len(errors)
                self.errors = between.float()
                for choice in wanted:
                    within = (1 - choice["shrink"]) * found.within + choice["shrink"] * sphere
                    wide = within + choice["widen"] * between
                    self.factors = torch.stack([torch.linalg.cholesky(c) for c in (within, wide)]).float()
                    self.frame = None
                    yield choice

    def place_words(self, semantics: Float[Tensor, "m s"]) -> Float[Tensor, "m p"]:
        """Coordinates in the basis, in float64, of the words of classes."""
        assert self.words
        return (self.words(semantics.double()) - self.mean.double()) @ self.basis.double()

    def predicted(self, features: Float[Tensor, "m q"], words: Float[Tensor, "m p"] | None) -> Float[Tensor, "m p"]:
        """The means of classes, from their rows of the kernel and, where these are the prior, their words."""
        means = self.regression(features)
        return means if self.prior.kind == "none" else means + self.prior(words)

    def extend(self, semantics: Float[Tensor, "m s"]) -> None:
        """Append unseen classes, described as the others are: their means are predicted as the others' were."""
        super().extend(semantics)
        added = self.semantics[len(self.centres) :].double()
        words = None if self.prior.kind == "none" else self.place_words(added)
        means = self.predicted(self.kernel(self.semantic_map(added)), words)
        self.centres = torch.cat([self.centres, means.float()])

    def twin(self) -> Gaussian:
        """Another module with the same tensors, any of which may be replaced."""
        other = copy(self)
        other._buffers, other._modules = dict(self._buffers), dict(self._modules)
        return other

    @property
    def believed(self) -> Float[Tensor, "k p"]:
        """The means of all classes, with all pictures that were learnt from since."""
        return self.centres if self.posterior is None else self.posterior.centres(self.centres)

    def gather(
        self, view: Float[Tensor, "n p"], weights: Float[Tensor, "n m"], classes: Int[Tensor, " m"]
    ) -> Float[Tensor, "m p"]:
        """Weighted sums for each of ``classes`` of rows of a `view`; in float64."""
        return weights.double().T @ view.double()

    def axes(self) -> Axes:
        """The coordinates in which pictures are taken into account.

        Raises:
            InputError: if the model was trained by a version that kept no errors of its predictions.
        """
        if not self.unsure:
            raise InputError(
                "The model was trained by a version of gsmflow that kept no errors of its predictions, so that it "
                "cannot learn from pictures: train again."
            )
        if self.frame is None:
            within = self.factors[0].double() @ self.factors[0].double().T
            self.frame = Axes(within, self.errors.double(), float(self.unsure))
        return self.frame

    def distance(self, view: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Mean square a dimension of how far each row of a `view` lies from its class before any picture was seen of
        it, in units of the spread foreseen: W + E for an unseen class, W (1 + 1 / n_k) for a seen one.
        """
        axes = self.axes()
        spreads = 1 + self.foreseen(axes, torch.arange(len(self.centres)).to(classes), 1.0)
        t, weights = axes(view), 1 / spreads
        means = axes(self.centres)
        result = [
            ((t[rows] - means[classes[rows]]).square() * weights[classes[rows]]).mean(1)
            for rows in torch.arange(len(t)).to(classes).split(PROJECTED_ROWS)
        ]
        return torch.cat(result) if result else t.new_empty(0)

    def foreseen(self, axes: Axes, classes: Int[Tensor, " m"], size: float) -> Float[Tensor, "m p"]:
        """Variances of the means of classes in the axes, before any picture but those of training was seen of them."""
        is_seen = ~self.is_unseen(classes).bool()
        variances = (size * axes.variances).repeat(len(classes), 1)
        variances[is_seen] = 1 / self.pictures[torch.searchsorted(self.seen, classes[is_seen])].double()[:, None]
        return variances

    def believe(
        self, sums: Float[Tensor, "k p"], counts: Float[Tensor, " k"], size: float, *, follow: bool = True
    ) -> None:
        """Take pictures into account that were seen of classes since training, instead of all that were before.

        Args:
            sums: as `gather` gives them.
            counts: n_k; a class of none stays as it was, bit for bit.
            size: e, of the errors' covariance.
            follow: whether the covariances that classes are decided with follow.
        """
        classes = counts.nonzero()[:, 0]
        self.posterior = None
        if len(classes):
            self.posterior = self.after(classes, sums[classes], counts[classes], size, follow)

    def apart(self) -> float:
        """The median distance from an unseen class to the nearest other one, in units of that of seen classes."""
        return spacing(self.axes(), self.centres[self.seen], self.believed[self.unseen])

    def after(
        self,
        classes: Int[Tensor, " m"],
        sums: Float[Tensor, "m p"],
        counts: Float[Tensor, " m"],
        size: float,
        follow: bool,
    ) -> Posterior:
        """The posterior of classes that pictures were seen of; see `believe`.

        A predicted class is decided upon with a covariance that is W + c E before any picture, bit for bit; what is
        added to W shrinks in each direction as P_k does.
        """
        axes, is_seen = self.axes(), ~self.is_unseen(classes).bool()
        within, wide = (factor.double() @ factor.double().T for factor in self.factors)
        means, shrunk = update(axes(self.centres[classes]), self.foreseen(axes, classes, size), axes(sums), counts)
        extra = (axes.inward @ (wide - within) @ axes.inward.T).diagonal()
        spreads = 1 + torch.where(is_seen[:, None], 0.0, extra / (shrunk if follow else torch.ones_like(shrunk)))
        settled = torch.where(is_seen, 0.0, 1 - (1 / shrunk).mean(1))
        return Posterior(classes, means, spreads, settled, axes)

    def is_unseen(self, classes: Tensor) -> Tensor:
        """1 for an unseen class, else 0: which of the two covariances it has."""
        return torch.isin(classes, self.unseen).long()

    def by_spread(self, rows: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, "n p"]:
        """Multiply each row by the Cholesky factor of its class."""
        kinds = self.is_unseen(classes)[:, None]
        spread = torch.where(kinds == 0, rows @ self.factors[0].T, rows @ self.factors[1].T)
        if self.posterior is not None:
            taught = torch.isin(classes, self.posterior.classes)
            spread[taught] = self.posterior.colour(rows[taught], classes[taught])
        return spread

    def colour(
        self, u: Float[Tensor, "n p"], classes: Int[Tensor, " n"], *, rng: Rng | None = None
    ) -> Float[Tensor, "n d"]:
        """Standard normal rows with the means and the spread of their classes, and noise outside of the basis."""
        noise = torch.randn(len(u), len(self.mean), generator=rng, device=u.device).mul_(self.noise.sqrt())
        inside = self.believed[classes] + self.by_spread(u, classes) - noise @ self.basis
        return noise.addmm_(inside, self.basis.T).add_(self.mean)

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Coordinates in the basis: all that tells classes apart."""
        return (x - self.mean.to(x)) @ self.basis.to(x)

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
        """Log-density in nats, in the basis alone, of every row of a `view` under every class of ``classes``.

        In the precision of ``y``.
        """
        result = y.new_empty(len(y), len(classes))
        kinds = self.is_unseen(classes)
        if self.posterior is not None:
            taught = torch.isin(classes, self.posterior.classes)
            places = torch.searchsorted(self.posterior.classes, classes[taught])
            result[:, taught] = self.posterior.log_ratio(y, places)
            kinds = kinds.masked_fill(taught, len(self.factors))
        for kind, factor in enumerate(self.factors.to(y)):
            here = kinds == kind
            if not here.any():
                continue
            points = torch.cat([y, self.centres[classes[here]].to(y)]).T
            white = torch.linalg.solve_triangular(factor, points, upper=False).T
            distance = torch.cdist(white[: len(y)], white[len(y) :]).square()
            result[:, here] = -0.5 * (distance + y.shape[1] * math.log(2 * math.pi)) - factor.diagonal().log().sum()
        return result

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        return self.log_ratio(self.view(x), classes) + self.log_outside(x)[:, None]

    def extra_repr(self) -> str:
        """The numbers of dimensions and classes."""
        return f"{super().extra_repr()}, dims={self.basis.shape[1]}"
