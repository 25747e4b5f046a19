"""The published recognizer: one linear layer on real seen and synthesized unseen features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..errors import InputError
from ..generators.base import Classes, Sampler
from ..seeds import generator
from ..settings import SoftmaxSettings
from ..streams import Stream
from .base import Recognizer

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Shuffled", "Softmax", "Synthesized", "fit_softmax"]


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
    dropped: as many distinct features, each met as often, in memory that does not grow with their number. What is
    learned last then fits the last block; averaged weights do not (``SoftmaxSettings.average``).
    """

    def __init__(
        self,
        generator: Sampler,
        classes: Int[Tensor, " k"],
        samples: int,
        dim: int,
        rng: Rng,
        *,
        passes: float = 1,
        pool_bytes: float = math.inf,
    ):
        most = max(1, int(min(samples, pool_bytes / (4 * dim * max(1, len(classes))))))
        blocks = math.ceil(samples / most)
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


class Layer(nn.Linear):
    """A linear layer that starts at zero and may have no outputs; building it draws no random numbers."""

    def reset_parameters(self) -> None:
        """Start at zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Softmax(Recognizer):
    """Linear scores over all classes (GZSL), and over the unseen classes alone (T1).

    Args:
        dim: dimension of the features.
        classes: which classes there are, and which are unseen; there may be none of these.

    Example:
        >>> classes = Classes(torch.rand(5, 3), seen=torch.tensor([0, 1, 3]), unseen=torch.tensor([2, 4]))
        >>> Softmax(8, classes)
        Softmax(
          (all): Layer(in_features=8, out_features=5, bias=True)
          (only_unseen): Layer(in_features=8, out_features=2, bias=True)
        )
    """

    def __init__(self, dim: int, classes: Classes):
        super().__init__()
        self.all = Layer(dim, len(classes.semantics))
        self.only_unseen = Layer(dim, len(classes.unseen))

    def forward(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n ku"]]:
        """Logits over all classes and over the unseen ones, from one pass over the features."""
        weight = torch.cat([self.all.weight, self.only_unseen.weight])
        bias = torch.cat([self.all.bias, self.only_unseen.bias])
        logits, count = F.linear(x, weight, bias), len(self.all.bias)
        return logits[:, :count], logits[:, count:]

    @torch.no_grad()
    def scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Logits over all classes."""
        return self.all(x)

    @torch.no_grad()
    def unseen_scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n ku"]:
        """Logits over the unseen classes, in the order of ``Classes.unseen``."""
        return self.only_unseen(x)

    def extend(self, count: int) -> None:
        """Refuse: what a layer has not learnt it cannot score.

        Raises:
            InputError: always, unless ``count`` is 0.
        """
        if count:
            known = self.all.out_features
            raise InputError(
                f"the softmax learnt a layer for {known} classes and must be fitted again for {known + count}: train "
                "with recognizer=likelihood, or train again."
            )

    def keep(self, classes: Int[Tensor, " k"], unseen: Int[Tensor, " ku"]) -> None:
        """Drop the rows of all classes but these; ``unseen`` are the ids of all unseen ones so far."""
        self.all = self.chosen(self.all, classes)
        self.only_unseen = self.chosen(self.only_unseen, torch.isin(unseen, classes))

    def chosen(self, layer: Layer, rows: Tensor) -> Layer:
        """A layer of some outputs of another."""
        weight = layer.weight.detach()[rows]
        smaller = Layer(layer.in_features, len(weight)).to(weight)
        smaller.load_state_dict({"weight": weight, "bias": layer.bias.detach()[rows]})
        return smaller


def fit_softmax(
    synthesizer: Sampler,
    x: Float[Tensor, "n d"] | Stream,
    labels: Int[Tensor, " n"],
    classes: Classes,
    settings: SoftmaxSettings,
    *,
    seed: int,
    start: Mapping[str, Tensor] | None = None,
) -> Iterator[Softmax]:
    """Train both layers side by side; yield the recognizer after each epoch.

    The layer over all classes learns from real seen and synthesized unseen features, the one over the unseen classes
    from the synthesized ones in the same batch (GSMFlow, section 3.5,
    https://arxiv.org/abs/2107.03163, and the published code). Every batch holds real
    and synthesized features in the proportion of their numbers. Averaged weights (Polyak & Juditsky 1992,
    https://doi.org/10.1137/0330046) are yielded from where the average begins. Without unseen classes nothing is
    synthesized.

    Args:
        synthesizer: a trained generator.
        x: real features of seen classes, scaled as the generator's are.
        labels: their class ids.
        classes: which classes there are.
        settings: synthesized features a class, learning rate, epochs, batch size, averaging, memory.
        seed: the same seed gives the same recognizer.
        start: weights to start from, as ``state_dict`` gives them; by default Xavier-normal ones.
    """
    device, dim = x.device, x.shape[1]
    recognizer = Softmax(dim, classes).to(device)
    weights_rng = generator(device, seed, "weights")
    for layer in (recognizer.all, recognizer.only_unseen)[: 2 if len(classes.unseen) else 1]:
        nn.init.xavier_normal_(layer.weight, generator=weights_rng)
    if start:
        recognizer.load_state_dict(start)
    optimizer = torch.optim.Adam(recognizer.parameters(), lr=settings.lr, betas=(0.5, 0.999), fused=True)

    distinct = min(settings.distinct or settings.samples, settings.samples)
    real = Shuffled(x, labels, generator(device, seed, "real"))
    fake = Synthesized(
        synthesizer,
        classes.unseen,
        distinct,
        dim,
        generator(device, seed, "synthesized"),
        passes=settings.epochs * settings.samples / distinct,
        pool_bytes=settings.pool_mb * 2**20,
    )
    total = len(x) + settings.samples * len(classes.unseen)
    batch = min(settings.batch, total)
    epoch_steps = math.ceil(total / batch)
    last = settings.epochs * epoch_steps
    average_after = last - round(settings.average * last)
    averaged = AveragedModel(recognizer) if settings.average else None
    least_fake = min(1, len(classes.unseen))

    for epoch in range(settings.epochs):
        for step in range(epoch * epoch_steps, (epoch + 1) * epoch_steps):
            shares = [(step + i) * batch * len(x) // total for i in (0, 1)]
            real_rows = min(shares[1] - shares[0], batch - least_fake)
            batch_x, batch_y = real.take(real_rows)
            if least_fake:
                fake_x, fake_y = fake.take(batch - real_rows)
                batch_x, batch_y = torch.cat([batch_x, fake_x]), torch.cat([batch_y, fake_y])

            among_all, among_unseen = recognizer(batch_x)
            loss = F.cross_entropy(among_all, batch_y)
            if least_fake:
                places = torch.searchsorted(classes.unseen, batch_y[real_rows:])
                loss = loss + F.cross_entropy(among_unseen[real_rows:], places)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if averaged and step >= average_after:
                averaged.update_parameters(recognizer)
        if averaged and (epoch + 1) * epoch_steps > average_after:
            yield cast(Softmax, averaged.module)
        else:
            yield recognizer
