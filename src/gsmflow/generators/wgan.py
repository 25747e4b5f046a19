"""f-CLSWGAN: a conditional Wasserstein GAN with gradient penalty and a classification loss (Xian et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn
from torch.func import functional_call

from ..settings import WGANSettings
from .base import Classes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["WGAN"]


class WGAN(nn.Module):
    """Generator and critic in turns, inside of the one training loop.

    A step trains either the critic or, every ``critic_steps + 1``-th, the generator; the parameters of the other get
    no gradient, and Adam leaves them alone. Noise has the dimension of the semantics. Features must not be negative
    (min-max scaling): the generator ends in a ReLU.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: sizes and weights.
    """

    semantics: Tensor
    seen: Tensor

    def __init__(self, dim: int, classes: Classes, settings: WGANSettings = WGANSettings()):  # noqa: B008
        super().__init__()
        self.settings = settings
        self.noise = classes.semantics.shape[1]
        self.generator = mlp(2 * self.noise, settings.hidden, dim)
        self.critic = mlp(dim + self.noise, settings.hidden, 1)
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.judge = nn.Linear(dim, len(classes.seen)).requires_grad_(False)

    def prepare(self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> None:
        """Fit the softmax over seen classes that judges generated features, on the real ones (their section 3.2)."""
        judge = nn.Linear(x.shape[1], len(self.seen), device=x.device)
        nn.init.zeros_(judge.weight)
        nn.init.zeros_(judge.bias)
        optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
        targets = torch.searchsorted(self.seen, labels)
        for _ in range(self.settings.judge_steps):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(judge(x), targets).backward()
            optimizer.step()
        self.judge.load_state_dict(judge.state_dict())

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The terms of whichever turn it is: the critic's (their equation 1) or the generator's (equation 3)."""
        a = self.semantics[labels]
        if (step + 1) % (self.settings.critic_steps + 1):
            with torch.no_grad():
                fake = self.generate(a, rng)
            return self.critic_loss(x, fake, a, rng)
        fake = self.generate(a, rng)
        frozen = {name: p.detach() for name, p in self.critic.named_parameters()}
        verdict = functional_call(self.critic, frozen, (torch.cat([fake, a], 1),))
        known = F.cross_entropy(self.judge(fake), torch.searchsorted(self.seen, labels))
        return {"generator": -verdict.mean(), "classification": self.settings.classification * known}

    def critic_loss(self, x: Tensor, fake: Tensor, a: Tensor, rng: Rng | None) -> dict[str, Tensor]:
        """Wasserstein distance with the gradient penalty of Gulrajani et al. 2017."""
        mix = torch.rand(len(x), 1, generator=rng, device=x.device)
        between = (mix * x + (1 - mix) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(torch.cat([between, a], 1)).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        distance = self.critic(torch.cat([fake, a], 1)).mean() - self.critic(torch.cat([x, a], 1)).mean()
        return {"critic": distance, "penalty": self.settings.penalty * penalty}

    def generate(self, a: Float[Tensor, "n s"], rng: Rng | None) -> Float[Tensor, "n d"]:
        """One feature vector for each row of semantics."""
        z = torch.randn(len(a), self.noise, generator=rng, device=a.device)
        return self.generator(torch.cat([z, a], 1)).relu()

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        return self.generate(self.semantics[classes], rng)


def mlp(dim_in: int, hidden: int, dim_out: int) -> nn.Sequential:
    """Linear - LeakyReLU(0.2) - Linear, weights N(0, 0.02^2) and biases zero, as published."""
    net = nn.Sequential(nn.Linear(dim_in, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, dim_out))
    for name, parameter in net.named_parameters():
        nn.init.normal_(parameter, std=0.02) if name.endswith("weight") else nn.init.zeros_(parameter)
    return net
