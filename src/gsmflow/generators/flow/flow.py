"""The conditional flow: a stack of coupling blocks with a standard normal base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Generator, Tensor, nn

from .coupling import ConditionalAffineCoupling

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["ConditionalFlow", "standard_normal_log_prob"]


def standard_normal_log_prob(z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Log-density of N(0, I) in nats."""
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))


class ConditionalFlow(nn.Module):
    r"""An invertible map z = f(x; g) whose inverse generates features from noise (GSMFlow, section 3,
    https://arxiv.org/abs/2107.03163).

    .. math:: \log p(x | g) = \log N(f(x; g); 0, I) + \log |\det \partial f / \partial x|

    In every method row i is conditioned on ``g[i]``, or, where ``index`` is given, on ``g[index[i]]``: the cheap way
    when many rows share few conditions.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> flow = ConditionalFlow(dim=6, dim_condition=3, blocks=2, hidden=16)
        >>> x, g = torch.randn(4, 6), torch.randn(4, 3)
        >>> z, log_det = flow(x, g)
        >>> torch.allclose(flow.inverse(z, g), x, atol=1e-5), flow.log_prob(x, g).shape
        (True, torch.Size([4]))

    Raises:
        ValueError: if ``dim`` is less than 2 (a coupling needs two halves) or ``blocks`` less than 1.
    """

    def __init__(self, dim: int, dim_condition: int, *, blocks: int = 5, hidden: int = 2048, clamp: float = 1.0):
        super().__init__()
        if dim < 2 or blocks < 1:
            raise ValueError(f"A flow needs at least 2 dimensions and 1 block; found dim={dim}, blocks={blocks}.")
        self.dim = dim
        self.blocks = nn.ModuleList(ConditionalAffineCoupling(dim, dim_condition, hidden, clamp) for _ in range(blocks))
        for parameter in self.parameters():  # biases too, as published
            nn.init.normal_(parameter, std=0.01)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The first ``dim // 2`` columns and the rest, as views."""
        return x[:, : self.dim // 2], x[:, self.dim // 2 :]

    def forward(
        self, x: Float[Tensor, "n d"], g: Float[Tensor, "k g"], index: Tensor | None = None
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
        """Features to noise: ``z`` and the log-determinant of each row."""
        x1, x2 = self.halves(x)
        log_det = x.new_zeros(len(x))
        for block in self.blocks:
            x1, x2, block_log_det = block(x1, x2, g, index)
            log_det = log_det + block_log_det
        return torch.cat([x1, x2], 1), log_det

    def inverse(
        self, z: Float[Tensor, "n d"], g: Float[Tensor, "k g"], index: Tensor | None = None
    ) -> Float[Tensor, "n d"]:
        """Noise to features."""
        z1, z2 = self.halves(z)
        for block in reversed(cast("Sequence[ConditionalAffineCoupling]", self.blocks)):
            z1, z2 = block.inverse(z1, z2, g, index)
        return torch.cat([z1, z2], 1)

    def log_prob(self, x: Tensor, g: Tensor, index: Tensor | None = None) -> Float[Tensor, " n"]:
        """Exact log-density of each row in nats."""
        z, log_det = self(x, g, index)
        return standard_normal_log_prob(z) + log_det

    def sample(
        self, g: Float[Tensor, "k g"], index: Tensor | None = None, *, rng: Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """One feature vector for each row of ``g``, or for each entry of ``index``."""
        rows = len(g if index is None else index)
        z = torch.randn(rows, self.dim, generator=rng, device=g.device, dtype=g.dtype)
        return self.inverse(z, g, index)

    def extra_repr(self) -> str:
        """The dimension of the features."""
        return f"dim={self.dim}"
