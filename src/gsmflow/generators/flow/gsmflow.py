"""GSMFlow: the conditional flow with its three remedies against generation shifts.

Chen et al., ACM MM 2021, https://arxiv.org/abs/2107.03163.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor

from ...settings import FlowSettings
from ...streams import Stream
from ..base import Classes, Described, class_means
from .flow import ConditionalFlow
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
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes`` (ids, seen or unseen)."""
        return self.flow.sample(self.position(self.mapped), classes, rng=rng)

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        index = torch.zeros(len(x), dtype=torch.long, device=x.device)
        columns = []
        for k in range(len(classes)):  # each alone, so that it does not depend on what others there are
            g = self.position(self.semantic_map(self.semantics[classes[k : k + 1]]))
            columns.append(self.flow.log_prob(x, g, index))
        return torch.stack(columns, dim=1) if columns else x.new_zeros(len(x), 0)

    def extra_repr(self) -> str:
        """The dimension, the numbers of classes and what is special in training."""
        s = self.settings
        return f"{super().extra_repr()}, anchors={s.anchors}, prototype={s.prototype}, pi={s.pi}, dropout={s.dropout}"
