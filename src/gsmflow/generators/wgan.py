"""f-CLSWGAN: a conditional Wasserstein GAN with gradient penalty and a classification loss.

Xian et al. 2018, https://arxiv.org/abs/1712.00981.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn
from torch.func import functional_call

from ..settings import TrainingSettings, WGANSettings
from ..streams import Stream
from ..training import build_optimizer, minimize, steps_per_epoch
from .base import Classes, Described

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["WGAN", "Critic"]

JUDGE = TrainingSettings(epochs=50, batch=100, lr=1e-3, betas=(0.5, 0.999))
"""How the classifier behind the classification loss is trained, as in the authors' code."""


class Critic(nn.Module):
    """D(x, a) = w . LeakyReLU(U x + V a + b) + c: how real features look for a class of semantics a."""

    def __init__(self, dim: int, semantic_dim: int, hidden: int):
        super().__init__()
        self.features = nn.Linear(dim, hidden)
        self.semantics = nn.Linear(semantic_dim, hidden, bias=False)
        self.last = nn.Linear(hidden, 1)

    def forward(self, x: Float[Tensor, "n d"], a: Float[Tensor, "n s"]) -> Float[Tensor, " n"]:
        """The critic's value of each row."""
        return self.last(F.leaky_relu(self.features(x) + self.semantics(a), 0.2))[:, 0]

    def slope(self, x: Float[Tensor, "n d"], a: Float[Tensor, "n s"]) -> Float[Tensor, "n d"]:
        """The gradient of D in x, written out, so that the penalty needs no second pass of autograd.

        The kinks of LeakyReLU pass no gradient on, so that the signs are constants here as they are to autograd.
        """
        with torch.no_grad():
            rises = self.features(x) + self.semantics(a) > 0
        return (torch.where(rises, 1.0, 0.2) * self.last.weight) @ self.features.weight


class Judge(nn.Module):
    """A softmax over seen classes on real features."""

    def __init__(self, dim: int, classes: int):
        super().__init__()
        self.linear = cast(nn.Linear, nn.utils.skip_init(nn.Linear, dim, classes))
        nn.init.zeros_(self.linear.weight)  # convex: no random start is needed
        nn.init.zeros_(self.linear.bias)

    def loss(self, x: Tensor, labels: Tensor, *, step: int = 0, rng: Rng | None = None) -> dict[str, Tensor]:
        """Cross-entropy of the true class, of which ``labels`` hold the places among the seen ones."""
        return {"nll": F.cross_entropy(self.linear(x), labels)}


class WGAN(Described):
    """Generator x = ReLU(W2 LeakyReLU(W1 [z, a])) against a critic, one hidden layer each (f-CLSWGAN, section 3,
    https://arxiv.org/abs/1712.00981).

    Features must not be negative (min-max scaling). The noise z has the dimension of the semantics. One step is one
    update: ``critic_steps`` of the critic, then one of the generator.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: sizes and weights, and the map of the semantics.

    Example:
        >>> classes = Classes(torch.rand(4, 3), seen=torch.tensor([0, 1]), unseen=torch.tensor([2, 3]))
        >>> WGAN(6, classes, WGANSettings(hidden=8)).sample(torch.tensor([2, 3, 3])).shape
        torch.Size([3, 6])
    """

    per_seen = ("judge_weight", "judge_bias")

    judge_weight: Tensor
    judge_bias: Tensor

    def __init__(self, dim: int, classes: Classes, settings: WGANSettings = WGANSettings()):  # noqa: B008
        super().__init__(dim, classes, settings.semantics)
        self.settings = settings
        self.noise_dim = self.semantic_map.dim
        self.critic = Critic(dim, self.noise_dim, settings.hidden)
        self.generator = nn.Sequential(
            nn.Linear(2 * self.noise_dim, settings.hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(settings.hidden, dim),
            nn.ReLU(),
        )
        for name, parameter in self.named_parameters():  # as in the authors' code
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02)
        self.register_buffer("judge_weight", torch.zeros(len(classes.seen), dim), persistent=False)
        self.register_buffer("judge_bias", torch.zeros(len(classes.seen)), persistent=False)

    def prepare(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Train the classifier of the classification loss on real features."""
        judge = Judge(x.shape[1], len(self.seen)).to(x.device)
        steps = JUDGE.epochs * steps_per_epoch(len(x), JUDGE.batch)
        places = torch.searchsorted(self.seen, labels)
        for _ in minimize(judge, x, places, JUDGE, optimizer=build_optimizer(judge, JUDGE), steps=steps, seed=0):
            pass
        self.judge_weight, self.judge_bias = judge.linear.weight.detach(), judge.linear.bias.detach()

    def fake(self, a: Float[Tensor, "n s"], rng: Rng | None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each row of semantics."""
        z = torch.randn(a.shape, generator=rng, device=a.device)
        return self.generator(torch.cat([z, a], 1))

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The terms of the update whose turn it is (f-CLSWGAN, equations 2 and 4).

        ``critic`` is E[D(fake)] - E[D(real)] and ``penalty`` keeps the slope of D near 1 between real and fake;
        ``generator`` is -E[D(fake)] and ``classification`` the cross-entropy of the class that was asked for.
        """
        a = self.mapped[labels]
        if step % (self.settings.critic_steps + 1) < self.settings.critic_steps:
            with torch.no_grad():
                fake = self.fake(a, rng)
            share = torch.rand(len(x), 1, generator=rng, device=x.device)
            slope = self.critic.slope(share * x + (1 - share) * fake, a)
            return {
                "critic": self.critic(fake, a).mean() - self.critic(x, a).mean(),
                "penalty": self.settings.penalty * (slope.norm(dim=1) - 1).square().mean(),
            }
        fake = self.fake(a, rng)
        frozen = {name: parameter.detach() for name, parameter in self.critic.named_parameters()}
        logits = F.linear(fake, self.judge_weight, self.judge_bias)
        classification = F.cross_entropy(logits, torch.searchsorted(self.seen, labels))
        return {
            "generator": -functional_call(self.critic, frozen, (fake, a)).mean(),
            "classification": self.settings.classification * classification,
        }

    @torch.no_grad()
    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        return self.fake(self.mapped[classes], rng)

    def extra_repr(self) -> str:
        """The dimensions, the numbers of classes and whose turn it is how often."""
        return f"{super().extra_repr()}, noise_dim={self.noise_dim}, critic_steps={self.settings.critic_steps}"
