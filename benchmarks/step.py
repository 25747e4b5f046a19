"""How long does a training step take, how much memory, and where does the time go?

Dims 2048/1024, 5 blocks, batch 256, 40 seen classes. Peer: the published step with PyPI FrEIA 0.2 (see published.py).
All start from the same weights and see the same batches. The losses of the first 20 steps are compared with those of
the same steps in float64, where ours and the peer's are equal (a test shows it): what is left is rounding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.harness import THREADS, Row, alternate, arguments, finish, in_own_process, peak_mb
from benchmarks.published import Published
from gsmflow.generators import Classes, GSMFlow
from gsmflow.seeds import generator
from gsmflow.settings import FlowSettings, TrainingSettings
from gsmflow.training import build_optimizer, has_bfloat16

LR, WEIGHT_DECAY = 3e-4, 3e-6
AUTO = "ours, precision auto"


class Ours:
    """Our step, as the training loop takes it."""

    def __init__(self, model: GSMFlow, settings: TrainingSettings):
        self.model, self.adam = model, build_optimizer(model, settings)
        self.reduced = settings.precision == "auto" and has_bfloat16(torch.device("cpu"))

    def step(self, x: torch.Tensor, labels: torch.Tensor, rng: torch.Generator) -> float:
        """One update; the loss before it."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            terms = self.model.loss(x, labels, rng=rng)
        self.adam.zero_grad(set_to_none=True)
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        self.adam.step()
        return float(total.detach())


def problem(tiny: bool, dtype: torch.dtype = torch.float32) -> tuple[GSMFlow, torch.Tensor, torch.Tensor]:
    """A fresh flow of the published size, with random features of 40 seen classes.

    Noise is drawn and added zero times: that takes as long, and a step in float64 sees the same features.
    """
    dim, settings = (16, FlowSettings(blocks=2, hidden=16, position_dim=8)) if tiny else (2048, FlowSettings())
    settings = replace(settings, pi=0.0)
    torch.manual_seed(0)
    semantics, x = torch.rand(50, 85), torch.rand(2000, dim)
    labels = torch.arange(2000) % 40
    model = GSMFlow(dim, Classes(semantics, torch.arange(40), torch.arange(40, 50)), settings)
    model.prepare(x, labels)
    return model.to(dtype), x.to(dtype), labels


def stepper(side: str, tiny: bool) -> tuple[Callable[[], None], list[float]]:
    """What takes the next step of one side, and the list that its losses go to; all start and go on alike."""
    dtype = torch.float64 if side.endswith("float64") else torch.float32
    model, x, labels = problem(tiny, dtype)
    if side.startswith("published"):
        taker = Published(model, LR, WEIGHT_DECAY).to(dtype)
    else:
        precision = "auto" if side == AUTO else "float32"
        taker = Ours(model, TrainingSettings(lr=LR, weight_decay=WEIGHT_DECAY, precision=precision))
    losses: list[float] = []

    def run() -> None:
        rng = generator("cpu", 0, len(losses))
        rows = torch.randint(len(x), (256,), generator=rng)
        losses.append(taker.step(x[rows], labels[rows], rng))

    return run, losses


def first_losses(side: str, tiny: bool, steps: int = 20) -> np.ndarray:
    """Losses of the first steps of one side."""
    run, losses = stepper(side, tiny)
    for _ in range(steps):
        run()
    return np.array(losses)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--memory-of", help="take three steps of one side and print the peak memory")
    asked = parser.parse_args()
    torch.set_num_threads(1 if asked.tiny else THREADS)
    if asked.memory_of:
        run, _ = stepper(asked.memory_of, asked.tiny)
        for _ in range(3):
            run()
        print(json.dumps({"mb": peak_mb()}))
        return

    names = ["published", "ours", AUTO]
    steppers = {name: stepper(name, asked.tiny) for name in names}
    rounds = 1 if asked.tiny else 18
    seconds = alternate({name: run for name, (run, _) in steppers.items()}, rounds, warm_up=2)
    exact = first_losses("ours, float64", asked.tiny, rounds + 2)
    apart = {name: abs(np.array(losses) - exact).max() for name, (_, losses) in steppers.items()}
    extra = ["--tiny"] if asked.tiny else []
    memory = {name: in_own_process("step", "--memory-of", name, *extra)["mb"] for name in names}
    rows = []
    for name in names[1:]:
        goal = "2 times faster, losses equal to 1e-4"
        measured = (
            f"{seconds['published'] / seconds[name]:.2f} times, losses within {apart[name]:.0e} of those of float64 "
            f"(published: {apart['published']:.0e})"
        )
        rows.append(Row(f"training step, {name}", "published step with FrEIA", goal, measured))
        measured = f"{memory[name]:.0f} MB against {memory['published']:.0f}"
        rows.append(Row(f"peak memory of the step, {name}", "the same", "no higher", measured))
    for name, (run, _) in steppers.items():
        with profile(activities=[ProfilerActivity.CPU]) as found:
            run()
        parts = sorted(found.key_averages(), key=lambda part: -part.self_cpu_time_total)
        whole = sum(part.self_cpu_time_total for part in parts)
        shares = ", ".join(
            f"{part.key.removeprefix('aten::')} {part.self_cpu_time_total / whole:.0%}" for part in parts[:6]
        )
        rows.append(Row(f"where the time of a step goes: {name}", "", "", shares))
    finish(rows, asked)


if __name__ == "__main__":
    main()
