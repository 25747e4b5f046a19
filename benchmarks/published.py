"""The published step and synthesis as the field writes them: PyPI FrEIA, a context a sample, default Adam."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from FrEIA.modules import GLOWCouplingBlock
from torch import Tensor, nn

from gsmflow.generators import GSMFlow
from gsmflow.generators.flow.gsmflow import perturb


class Published(nn.Module):
    """FrEIA's blocks with the weights of one of our flows, trained as the authors' code does."""

    def __init__(self, ours: GSMFlow, lr: float, weight_decay: float):
        super().__init__()
        hidden = ours.settings.hidden
        position_dim = ours.settings.position_dim

        def subnet(dim_in: int, dim_out: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(dim_in, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, dim_out))

        self.ours, self.dim = [ours], ours.flow.dim  # in a list: not a part of this module
        self.position = type(ours.position)(ours.position.anchors, position_dim)
        self.position.load_state_dict(ours.position.state_dict())
        self.blocks = nn.ModuleList()
        for block in ours.flow.blocks:
            peer = GLOWCouplingBlock([(self.dim,)], [(position_dim,)], subnet, clamp=1.0, split_len=self.dim // 2)
            for theirs, own in ((peer.subnet1, block.subnet1), (peer.subnet2, block.subnet2)):
                first = torch.cat([own.of_features, own.of_condition], 1)
                theirs[0].load_state_dict({"weight": first, "bias": own.bias})
                theirs[2].load_state_dict(own.last.state_dict())
            self.blocks.append(peer)
        self.adam = torch.optim.Adam(self.parameters(), lr=lr, weight_decay=weight_decay)

    def step(self, x: Tensor, labels: Tensor, rng: torch.Generator) -> float:
        """One update; the loss before it."""
        (ours,) = self.ours
        self.adam.zero_grad()
        z, log_det = perturb(x, ours.settings.pi, 0.0, rng), x.new_zeros(len(x))
        g = self.position(ours.semantics[labels])
        for block in self.blocks:
            (z,), one = block((z,), (g,))
            log_det = log_det + one
        nll = z.square().mean() / 2 - log_det.mean() / self.dim
        nll.backward()
        centres = self.inverse(torch.zeros_like(ours.prototypes), self.position(ours.semantics[ours.seen]).detach())
        prototype = ours.settings.prototype * F.mse_loss(centres, ours.prototypes)
        prototype.backward()
        self.adam.step()
        return float(nll.detach() + prototype.detach())

    def inverse(self, z: Tensor, g: Tensor) -> Tensor:
        """From noise to features."""
        for block in reversed(self.blocks):
            (z,), _ = block((z,), (g,), rev=True)
        return z

    @torch.no_grad()
    def sample(self, classes: Tensor, rng: torch.Generator) -> Tensor:
        """A feature a class id; the context is computed for each sample."""
        (ours,) = self.ours
        z = torch.randn(len(classes), self.dim, generator=rng)
        return self.inverse(z, self.position(ours.semantics[classes]))
