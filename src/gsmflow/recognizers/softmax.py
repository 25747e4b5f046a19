"""The published recognizer: one linear layer on real seen and synthesized unseen features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ..generators.base import Classes, Generator
from ..seeds import generator
from ..settings import SoftmaxSettings
from ..streams import Stream

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Shuffled", "Softmax", "Synthesized", "fit_softmax"]

POOL_BYTES = 128 * 2**20
"""Synthesized features held at once. More than these are synthesized block after block."""

WINDOW = 100
"""Steps whose mean loss is compared with that of as many before."""


class Shuffled:
    """An endless shuffled stream of the rows of a set: every pass is a new permutation."""

    def __init__(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"], rng: Rng):
        self.x, self.labels, self.rng = x, labels, rng
        self.order = labels.new_empty(0)

    def take(self, count: int) -> tuple[Tensor, Tensor]:
        """The next ``count`` rows and their labels."""
        while len(self.order) < count:
            shuffle = torch.randperm(len(self.x), generator=self.rng, device=self.x.device)
            self.order = torch.cat([self.order, shuffle])
        rows, self.order = self.order[:count], self.order[count:]
        return self.x[rows], self.labels[rows]


class Synthesized:
    """An endless shuffled stream of ``samples`` synthesized features a class, of which few are held at once.

    While all fit into ``pool_bytes`` they are synthesized once and every pass shuffles them. More are split into
    equal blocks, each of which is synthesized, passed over ``passes`` times (less the odd rows of its last pass), and
    dropped: as many distinct features, each met as often, in memory that does not grow with their number.
    """

    def __init__(
        self,
        generator: Generator,
        classes: Int[Tensor, " k"],
        samples: int,
        dim: int,
        rng: Rng,
        *,
        passes: int = 1,
        pool_bytes: int = POOL_BYTES,
    ):
        pool = max(1, pool_bytes // (4 * dim * len(classes)))
        blocks = math.ceil(samples / pool)
        self.block_samples = math.ceil(samples / blocks)
        self.passes = passes if blocks > 1 else math.inf
        self.generator, self.classes, self.dim, self.rng = generator, classes, dim, rng
        self.block, self.left = None, 0.0

    def take(self, count: int) -> tuple[Tensor, Tensor]:
        """The next ``count`` synthesized features and their class ids."""
        if self.block is None or self.left < count:
            self.block = None  # before the next one is made: never two at once
            self.block = Shuffled(*self.synthesize(), self.rng)
            self.left = self.passes * len(self.block.x)
        self.left -= count
        return self.block.take(count)

    def synthesize(self, chunk: int = 4096) -> tuple[Tensor, Tensor]:
        """One block of features, ``block_samples`` a class, generated a chunk at a time."""
        labels = self.classes.repeat_interleave(self.block_samples)
        x = torch.empty(len(labels), self.dim, device=labels.device)
        for rows, part in zip(x.split(chunk), labels.split(chunk), strict=True):
            rows.copy_(self.generator.sample(part, rng=self.rng))
        return x, labels


class Plateau:
    """Tells when a loss has stopped falling: when its mean over `WINDOW` steps is hardly below that of those before.

    Args:
        tolerance: the least share of the mean that it must fall by; 0: it is never said to have stopped.
    """

    def __init__(self, tolerance: float):
        self.tolerance = tolerance
        self.losses: list[Tensor] = []
        self.before = math.inf

    def reached(self, loss: Tensor) -> bool:
        """Take note of one more step; the device is asked for the mean once a window."""
        if not self.tolerance:
            return False
        self.losses.append(loss)
        if len(self.losses) < WINDOW:
            return False
        mean, self.losses = float(torch.stack(self.losses).mean()), []
        before, self.before = self.before, mean
        return before - mean < self.tolerance * before < math.inf


class Softmax(nn.Module):
    """Linear scores over all classes (GZSL), and over the unseen classes alone (T1).

    Args:
        dim: dimension of the features.
        classes: which classes there are, and which are unseen.
    """

    def __init__(self, dim: int, classes: Classes):
        super().__init__()
        self.all = nn.Linear(dim, len(classes.semantics))
        self.only_unseen = nn.Linear(dim, len(classes.unseen))

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The features as they are."""
        return x

    @torch.no_grad()
    def scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Logits over all classes."""
        return self.all(x)

    @torch.no_grad()
    def unseen_scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n ku"]:
        """Logits over the unseen classes, in the order of ``Classes.unseen``."""
        return self.only_unseen(x)


def fit_softmax(
    synthesizer: Generator,
    x: Float[Tensor, "n d"] | Stream,
    labels: Int[Tensor, " n"],
    classes: Classes,
    settings: SoftmaxSettings,
    *,
    seed: int,
    start: Mapping[str, Tensor] | None = None,
) -> Iterator[Softmax]:
    """Train both layers side by side; yield the recognizer after each epoch, and where it ends before.

    The layer over all classes learns from real seen and synthesized unseen features, the one over the unseen classes
    from the synthesized ones in the same batch (GSMFlow, section 3.5, and the published code). Every batch holds real
    and synthesized features in the proportion of their numbers.

    Args:
        synthesizer: a trained generator.
        x: real features of seen classes, scaled as the generator's are.
        labels: their class ids.
        classes: which classes there are.
        settings: synthesized features a class, learning rate, epochs, batch size.
        seed: the same seed gives the same recognizer.
        start: weights to start from, as ``state_dict`` gives them; by default Xavier-normal ones.
    """
    device, dim = x.device, x.shape[1]
    recognizer = Softmax(dim, classes).to(device)
    weights_rng = generator(device, seed, "weights")
    for layer in (recognizer.all, recognizer.only_unseen):
        nn.init.xavier_normal_(layer.weight, generator=weights_rng)
        nn.init.zeros_(layer.bias)
    if start:
        recognizer.load_state_dict(start)
    optimizer = torch.optim.Adam(recognizer.parameters(), lr=settings.lr, betas=(0.5, 0.999), fused=True)

    real = Shuffled(x, labels, generator(device, seed, "real"))
    fake = Synthesized(
        synthesizer,
        classes.unseen,
        settings.samples,
        dim,
        generator(device, seed, "synthesized"),
        passes=settings.epochs,
    )
    total = len(x) + settings.samples * len(classes.unseen)
    batch = min(settings.batch, total)
    epoch_steps = math.ceil(total / batch)
    plateau = Plateau(settings.tolerance)

    for epoch in range(settings.epochs):
        for step in range(epoch * epoch_steps, (epoch + 1) * epoch_steps):
            shares = [(step + i) * batch * len(x) // total for i in (0, 1)]
            real_rows = min(shares[1] - shares[0], batch - 1)
            real_x, real_y = real.take(real_rows)
            fake_x, fake_y = fake.take(batch - real_rows)

            among_all = recognizer.all(torch.cat([real_x, fake_x]))
            among_unseen = recognizer.only_unseen(fake_x)
            loss = F.cross_entropy(among_all, torch.cat([real_y, fake_y]))
            loss = loss + F.cross_entropy(among_unseen, torch.searchsorted(classes.unseen, fake_y))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if plateau.reached(loss.detach()):
                yield recognizer
                return
        yield recognizer
