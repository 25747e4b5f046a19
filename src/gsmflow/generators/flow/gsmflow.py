"""GSMFlow: the conditional flow with its three remedies against generation shifts.

Chen et al., ACM MM 2021, https://arxiv.org/abs/2107.03163.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ...settings import FlowSettings
from ...streams import Stream
from ..base import Classes, Described, class_means
from ..posterior import update
from .flow import ConditionalFlow, standard_normal_log_prob
from .positioning import RelativePositioning, find_anchors

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["GSMFlow", "perturb"]


def perturb(x: Float[Tensor, "n d"], pi: float, dropout: float, rng: Rng | None = None) -> Float[Tensor, "n d"]:
    """Visual perturbation x + pi * m * N(0, I), against variance decay (GSMFlow, section 3.4).

    The mask m of width d is drawn once a batch; a dimension is left out with probability ``dropout``.
    """
    noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
    if dropout > 0:
        noise *= torch.rand(x.shape[1], generator=rng, device=x.device) > dropout
    return x.add(noise, alpha=pi)


BASE_VARIANCE = 0.3
"""Variance of a class's base mean that words do not tell, of 1 within the class: what it is of other models here."""


class BaseMeans(nn.Module):
    """The base means of the classes that pictures were seen of.

    Args:
        classes: ``(m,)``, sorted ids of those classes; all others have the mean 0.
        means: ``(m, D)``.
        settled: ``(m,)``, see `gsmflow.generators.posterior.Posterior`.
    """

    classes: Tensor
    means: Tensor
    settled: Tensor

    def __init__(self, classes: Int[Tensor, " m"], means: Float[Tensor, "m d"], settled: Float[Tensor, " m"]):
        super().__init__()
        for name, tensor in {"classes": classes, "means": means, "settled": settled}.items():
            self.register_buffer(name, tensor, persistent=False)


class GSMFlow(Described):
    """A conditional flow on relative class positions, trained on perturbed features and class prototypes.

    Chen et al., Mitigating Generation Shifts for Generalized Zero-Shot Learning, 2021, https://arxiv.org/abs/2107.03163.
    The anchors of the positions are those of training, whatever classes come or go.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: sizes and weights, and the map of the semantics.

    Example:
        >>> classes = Classes(torch.rand(5, 3), seen=torch.tensor([0, 1, 3]), unseen=torch.tensor([2, 4]))
        >>> model = GSMFlow(6, classes, FlowSettings(blocks=2, hidden=8, position_dim=4))
        >>> model.sample(torch.tensor([2, 2, 4])).shape, model.log_prob(torch.rand(7, 6), classes.unseen).shape
        (torch.Size([3, 6]), torch.Size([7, 2]))
    """

    per_seen = ("prototypes",)

    prototypes: Tensor

    def __init__(self, dim: int, classes: Classes, settings: FlowSettings = FlowSettings()):  # noqa: B008
        super().__init__(dim, classes, settings.semantics)
        self.settings = settings
        candidates = self.mapped if settings.anchors == "all" else self.mapped[classes.seen]
        if len(candidates):
            anchors = candidates[find_anchors(candidates)]
        else:  # all were given up; those of training will be loaded
            anchors = candidates.new_zeros(3, candidates.shape[1])
        self.position = RelativePositioning(anchors, settings.position_dim)
        self.flow = ConditionalFlow(
            dim, settings.position_dim, blocks=settings.blocks, hidden=settings.hidden, clamp=settings.clamp
        )
        self.posterior: BaseMeans | None = None
        self.register_buffer("prototypes", torch.zeros(len(classes.seen), dim), persistent=False)

    def prepare(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Take the class means of the training features, which the prototype term aims at."""
        self.prototypes = class_means(x, labels, self.seen)

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The terms whose sum is minimized (GSMFlow, equations 6 and 8).

        ``nll`` is the negative log-likelihood a dimension without its constant, mean(z^2)/2 - mean(log_det)/D;
        ``prototype`` pulls f^-1(0 | g_k) to the mean of each seen class k, with no gradient into the positioning.
        """
        g = self.position(self.mapped[self.seen])
        noisy = perturb(x, self.settings.pi, self.settings.dropout, rng)
        z, log_det = self.flow(noisy, g, torch.searchsorted(self.seen, labels))
        terms = {"nll": z.square().mean() / 2 - log_det.mean() / self.flow.dim}
        if self.settings.prototype > 0:
            centres = self.flow.inverse(torch.zeros_like(self.prototypes), g.detach())
            terms["prototype"] = self.settings.prototype * F.mse_loss(centres, self.prototypes)
        return terms

    @torch.no_grad()
    def gather(
        self, view: Float[Tensor, "n d"], weights: Float[Tensor, "n m"], classes: Int[Tensor, " m"]
    ) -> Float[Tensor, "m d"]:
        """Weighted sums for each of ``classes`` of what the flow maps features to as that class; in float64."""
        sums = torch.zeros(len(classes), self.dim, dtype=torch.double, device=view.device)
        for place, k in enumerate(classes.tolist()):
            some = weights[:, place] > 0
            if some.any():
                z, _ = self.flow(view[some], *self.alone(k, int(some.sum())))
                sums[place] = weights[some, place].double() @ z.double()
        return sums

    def alone(self, k: int, rows: int) -> tuple[Float[Tensor, "1 p"], Int[Tensor, " n"]]:
        """The condition of one class, and its place there for each row: so it does not depend on other classes."""
        g = self.position(self.semantic_map(self.semantics[k : k + 1]))
        return g, torch.zeros(rows, dtype=torch.long, device=g.device)

    @torch.no_grad()
    def distance(self, view: Float[Tensor, "n d"], classes: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Mean square of what the flow maps each row to as its class."""
        result = view.new_empty(len(view))
        for k in classes.unique().tolist():
            here = classes == k
            result[here] = self.flow(view[here], *self.alone(k, int(here.sum())))[0].square().mean(1)
        return result

    def believe(
        self, sums: Float[Tensor, "k d"], counts: Float[Tensor, " k"], size: float, *, follow: bool = True
    ) -> None:
        """Move the base means of classes, which are N(0, size * `BASE_VARIANCE` I) before any picture; see `update`.

        Covariances are those of the base, whatever is known of the means.
        """
        classes = counts.nonzero()[:, 0]
        self.posterior = None
        if len(classes):
            means, variances = torch.zeros_like(sums[classes]), torch.full_like(sums[classes], size * BASE_VARIANCE)
            means, shrunk = update(means, variances, sums[classes], counts[classes])
            self.posterior = BaseMeans(
                classes, means.float(), torch.isin(classes, self.unseen) * (1 - 1 / shrunk[:, 0])
            )

    def apart(self) -> float:
        """1: each class has a base of its own, and they are not compared."""
        return 1.0

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes`` (ids, seen or unseen)."""
        g = self.position(self.mapped)
        if self.posterior is None:
            return self.flow.sample(g, classes, rng=rng)
        z = torch.randn(len(classes), self.dim, generator=rng, device=g.device)
        means = torch.zeros(len(g), self.dim).to(z)
        means[self.posterior.classes] = self.posterior.means
        return self.flow.inverse(z + means[classes], g, classes)

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        columns = [self.log_prob_of(x, k) for k in classes.tolist()]
        return torch.stack(columns, dim=1) if columns else x.new_zeros(len(x), 0)

    def log_prob_of(self, x: Float[Tensor, "n d"], k: int) -> Float[Tensor, " n"]:
        """The log-density under one class, whose base mean pictures may have moved."""
        g, index = self.alone(k, len(x))
        if self.posterior is None or not (here := self.posterior.classes == k).any():
            return self.flow.log_prob(x, g, index)
        z, log_det = self.flow(x, g, index)
        return log_det + standard_normal_log_prob(z - self.posterior.means[here])

    def extra_repr(self) -> str:
        """The dimension, the numbers of classes and what is special in training."""
        s = self.settings
        return f"{super().extra_repr()}, anchors={s.anchors}, prototype={s.prototype}, pi={s.pi}, dropout={s.dropout}"
