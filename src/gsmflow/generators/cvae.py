"""Conditional variational autoencoder: the generative half of f-VAEGAN (Xian et al. 2019).

Its first use in zero-shot learning is by Mishra et al. 2018, https://arxiv.org/abs/1709.00663.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ..settings import CVAESettings
from ..streams import Stream
from .base import Classes, Described

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["CVAE"]


class CVAE(Described):
    """Encoder q(z | x, a) and decoder p(x | z, a), one hidden layer each, as in f-VAEGAN (Xian et al. 2019, section 3,
    https://arxiv.org/abs/1903.10132).

    Features must lie in [0, 1] (min-max scaling): the decoder ends in a sigmoid, trained by binary cross-entropy. The
    latent z has the dimension of the semantics.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: hidden units, and the map of the semantics.

    Example:
        >>> classes = Classes(torch.rand(4, 3), seen=torch.tensor([0, 1]), unseen=torch.tensor([2, 3]))
        >>> CVAE(6, classes, CVAESettings(hidden=8)).sample(torch.tensor([2, 3, 3])).shape
        torch.Size([3, 6])
    """

    def __init__(self, dim: int, classes: Classes, settings: CVAESettings = CVAESettings()):  # noqa: B008
        super().__init__(dim, classes, settings.semantics)
        self.latent = self.semantic_map.dim
        self.encoder = nn.Sequential(
            nn.Linear(dim + self.latent, settings.hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(settings.hidden, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(2 * self.latent, settings.hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(settings.hidden, dim),
        )

    def prepare(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Nothing is to be prepared."""

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The negative evidence lower bound in nats a sample: ``reconstruction`` and ``kl`` from N(0, I)."""
        a = self.mapped[labels]
        mean, log_var = self.encoder(torch.cat([x, a], 1)).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=rng, device=x.device)
        logits = self.decoder(torch.cat([mean + (log_var / 2).exp() * noise, a], 1))
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (log_var.exp() + mean.square() - 1 - log_var).sum()
        return {"reconstruction": reconstruction / len(x), "kl": kl / len(x)}

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Decode one N(0, I) latent for each entry of ``classes``."""
        z = torch.randn(len(classes), self.latent, generator=rng, device=classes.device)
        return self.decoder(torch.cat([z, self.mapped[classes]], 1)).sigmoid()

    def extra_repr(self) -> str:
        """The dimensions and the numbers of classes."""
        return f"{super().extra_repr()}, latent={self.latent}"
