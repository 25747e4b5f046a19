"""A flow that starts as the closed form and learns the shape of what that one leaves over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator as Rng
from torch import Tensor, nn

from ...settings import GaussianSettings, ResidualSettings
from ..base import Classes
from ..gaussian import Gaussian
from .flow import ConditionalFlow
from .gsmflow import perturb

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["ResidualFlow"]


class ResidualFlow(nn.Module):
    r"""Class-conditional density of whitened residuals; this project's, not the paper's.

    With :math:`m_k` and :math:`L_k` the mean and the Cholesky factor that the closed form gives class k, and P its
    principal directions,

    .. math:: u = L_k^{-1} (P^T x - m_k), \quad \log p(x | k) = \log p_f(u) - \log |L_k| + \log p_{outside}(x)

    where :math:`p_f` is a flow of small couplings. Semantics enter through :math:`m_k` alone, because couplings that
    are conditioned freely extrapolate badly from few classes. The last layers start at zero: at step 0 this *is* the
    closed form, and early stopping on pseudo-unseen classes decides how far to go from there.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        gaussian: constants of the closed form; the first of each list is taken.
        settings: sizes of the flow.
    """

    nothing: Tensor

    def __init__(
        self,
        dim: int,
        classes: Classes,
        gaussian: GaussianSettings = GaussianSettings(),  # noqa: B008
        settings: ResidualSettings = ResidualSettings(),  # noqa: B008
    ):
        super().__init__()
        self.settings = settings
        self.base = Gaussian(dim, classes, gaussian)
        dims = self.base.basis.shape[1]
        self.flow = ConditionalFlow(dims, 0, blocks=settings.blocks, hidden=settings.hidden)
        for name, parameter in self.flow.named_parameters():
            if ".last." in name:
                nn.init.zeros_(parameter)
            elif name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, a=0.2)
        self.register_buffer("nothing", torch.zeros(1, 0), persistent=False)  # the condition of the couplings

    def prepare(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> None:
        """Fit the closed form."""
        self.base.fit(x, labels)

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """``nll``: negative log-likelihood of perturbed residuals, in nats a dimension."""
        u = perturb(self.base.whiten(self.base.project(x)[0], labels), self.settings.pi, 0.0, rng)
        return {"nll": -self.flow.log_prob(u, self.nothing).mean() / self.flow.dim}

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        z = torch.randn(len(classes), self.flow.dim, generator=rng, device=classes.device)
        return self.base.colour(self.flow.inverse(z, self.nothing), classes, rng=rng)

    @torch.no_grad()
    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        y, outside = self.base.project(x)
        columns = []
        for k in classes:
            u = self.base.whiten(y, k.expand(len(x)))
            columns.append(self.flow.log_prob(u, self.nothing) + self.base.log_volume(k))
        return torch.stack(columns, 1) + outside[:, None]
