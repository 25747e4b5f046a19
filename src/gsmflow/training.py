"""The training loop. There is one, and this is it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from .seeds import derive, generator
from .settings import TrainingSettings
from .streams import Stream

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = [
    "Learner",
    "Step",
    "build_optimizer",
    "has_bfloat16",
    "load_optimizer_tensors",
    "minimize",
    "optimizer_tensors",
    "steps_per_epoch",
]


class Learner(Protocol):
    """What has a loss to minimize."""

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """The terms, scalars whose sum is minimized, on one batch."""
        ...


@dataclass(frozen=True)
class Step:
    """Where training stands: the number of steps done, and the loss terms of the last one (tensors, not synced)."""

    number: int
    terms: dict[str, Tensor]


def steps_per_epoch(samples: int, batch: int) -> int:
    """Full batches in one pass; a set smaller than a batch is one batch."""
    return max(1, samples // batch)


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Adam:
    """Adam in its fused form: on a CPU the default step costs more than forward and backward together."""
    return torch.optim.Adam(
        model.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, by flat names: ``state.flow.bias.exp_avg``.

    Parameters that it never stepped have none (a GAN's second player, at first). Its settings are not among them.

    Args:
        model: what it optimizes; its names are used.
        optimizer: as `build_optimizer` makes it.

    Returns:
        The tensors themselves, not copies: the next step changes them.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> optimizer = build_optimizer(model, TrainingSettings())
        >>> model(torch.ones(1, 2)).sum().backward()
        >>> optimizer.step()
        >>> sorted(optimizer_tensors(model, optimizer))[:3]
        ['state.bias.exp_avg', 'state.bias.exp_avg_sq', 'state.bias.step']
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    if not optimizer.state:  # asked for the state of a fresh one, torch makes a step to have some
        return {}
    options = StateDictOptions(flatten_optimizer_state_dict=True)
    values = get_optimizer_state_dict(model, optimizer, options=options)
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def load_optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore what `optimizer_tensors` gave, so that training goes on as if it had not stopped.

    Args:
        model: as it was then.
        optimizer: a fresh one; its settings, such as the learning rate, stay.
        tensors: by flat names, on any device.
    """
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    state: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        parameter, _, kind = name.removeprefix("state.").rpartition(".")
        state.setdefault(parameter, {})[kind] = value
    values = get_optimizer_state_dict(model, optimizer)
    values["state"] = cast(Any, state)
    set_optimizer_state_dict(model, optimizer, values, options=StateDictOptions(strict=False))


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16; one that only emulates it is a hundred times slower."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def minimize(
    model: Learner,
    x: Float[Tensor, "n d"] | Stream,
    labels: Int[Tensor, " n"],
    settings: TrainingSettings,
    *,
    optimizer: torch.optim.Optimizer,
    steps: int,
    seed: int,
    start: int = 0,
) -> Iterator[Step]:
    """Minimize ``model.loss`` in place; yield before the first step and after each one.

    Features stay where they lie; every epoch is a new permutation of full batches. All that is random in a step
    comes from ``seed`` and the step's number, so that training may stop and go on anywhere.

    Args:
        model: what is trained.
        x: all training features, scaled.
        labels: their class ids.
        settings: batch size and learning rate; ``epochs`` is not read, ``steps`` decides.
        optimizer: made by `build_optimizer` for the model; `load_optimizer_tensors` restores one.
        steps: the number of steps after which training ends.
        seed: the run's seed.
        start: the number of steps already done.
    """
    batch = min(settings.batch, len(x))
    epoch_steps = steps_per_epoch(len(x), batch)
    rng = torch.Generator(x.device)
    reduced = settings.precision == "auto" and has_bfloat16(x.device)
    order, order_epoch = torch.empty(0), -1

    yield Step(start, {})
    for number in range(start, steps):
        epoch, place = divmod(number, epoch_steps)
        if epoch != order_epoch:
            order = torch.randperm(len(x), generator=generator(x.device, seed, "order", epoch), device=x.device)
            order_epoch = epoch
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * settings.lr_gamma ** (epoch // settings.lr_step)

        rows = order[place * batch : (place + 1) * batch]
        rng.manual_seed(derive(seed, "step", number))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=reduced):
            terms = model.loss(x[rows], labels[rows], step=number, rng=rng)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        yield Step(number + 1, {name: term.detach() for name, term in terms.items()})
