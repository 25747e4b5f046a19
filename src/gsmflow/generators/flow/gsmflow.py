"""GSMFlow (Chen et al., ACM MM 2021): the conditional flow with its three remedies against generation shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ...settings import FlowSettings
from ..base import Classes, class_means
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


class GSMFlow(nn.Module):
    """A conditional flow on relative class positions, trained on perturbed features and class prototypes.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: sizes and weights.
    """

    semantics: Tensor
    seen: Tensor
    prototypes: Tensor

    def __init__(self, dim: int, classes: Classes, settings: FlowSettings = FlowSettings()):  # noqa: B008
        super().__init__()
        self.settings = settings
        candidates = classes.semantics if settings.anchors == "all" else classes.semantics[classes.seen]
        self.position = RelativePositioning(candidates[find_anchors(candidates)], settings.position_dim)
        self.flow = ConditionalFlow(
            dim, settings.position_dim, blocks=settings.blocks, hidden=settings.hidden, clamp=settings.clamp
        )
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.register_buffer("prototypes", torch.zeros(len(classes.seen), dim), persistent=False)

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> None:
        """Take the class means of the training features, which the prototype term aims at."""
        self.prototypes = class_means(x, labels, self.seen)

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The terms whose sum is minimized (GSMFlow, equations 6 and 8).

        ``nll`` is the negative log-likelihood a dimension without its constant, mean(z^2)/2 - mean(log_det)/D;
        ``prototype`` pulls f^-1(0 | g_k) to the mean of each seen class k, with no gradient into the positioning.
        """
        g = self.position(self.semantics[self.seen])
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
        return self.flow.sample(self.position(self.semantics), classes, rng=rng)

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        g = self.position(self.semantics[classes])
        index = torch.zeros(len(x), dtype=torch.long, device=x.device)
        return torch.stack([self.flow.log_prob(x, g[k : k + 1], index) for k in range(len(classes))], dim=1)
