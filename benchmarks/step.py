"""How long does a training step take, how much memory, and where does the time go?

Dims 2048/1024, 5 blocks, batch 256, 40 seen classes. Peer: the published step with PyPI FrEIA 0.2 (see published.py).
Both start from the same weights and see the same batches; the losses of the first 20 steps are compared.
"""

from __future__ import annotations

import json

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.harness import THREADS, Row, alternate, arguments, finish, in_own_process, peak_mb
from benchmarks.published import Published
from gsmflow.generators import Classes, GSMFlow
from gsmflow.seeds import generator
from gsmflow.settings import FlowSettings, TrainingSettings
from gsmflow.training import build_optimizer, has_bfloat16


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


def problem(tiny: bool) -> tuple[GSMFlow, torch.Tensor, torch.Tensor]:
    """A fresh flow of the published size, with random features of 40 seen classes."""
    dim, settings = (16, FlowSettings(blocks=2, hidden=16, position_dim=8)) if tiny else (2048, FlowSettings())
    torch.manual_seed(0)
    semantics, x = torch.rand(50, 85), torch.rand(2000, dim)
    labels = torch.arange(2000) % 40
    model = GSMFlow(dim, Classes(semantics, torch.arange(40), torch.arange(40, 50)), settings)
    model.prepare(x, labels)
    return model, x, labels


def sides(tiny: bool, names: list[str]) -> dict:
    """The steppers asked for, all from the same weights, and the batches that all see."""
    settings = TrainingSettings(lr=3e-4, weight_decay=3e-6)
    auto = TrainingSettings(lr=3e-4, weight_decay=3e-6, precision="auto")
    _, x, labels = problem(tiny)
    make = {
        "published": lambda: Published(problem(tiny)[0], settings.lr, settings.weight_decay),
        "ours": lambda: Ours(problem(tiny)[0], settings),
        "ours, precision auto": lambda: Ours(problem(tiny)[0], auto),
    }

    def runner(stepper) -> tuple:
        losses: list[float] = []

        def run() -> None:
            rng = generator("cpu", 0, len(losses))
            rows = torch.randint(len(x), (256,), generator=rng)
            losses.append(stepper.step(x[rows], labels[rows], rng))

        return run, losses

    return {name: runner(make[name]()) for name in names}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--memory-of", help="take three steps of one side and print the peak memory")
    asked = parser.parse_args()
    torch.set_num_threads(THREADS)
    if asked.memory_of:
        ((run, _),) = sides(asked.tiny, [asked.memory_of]).values()
        for _ in range(3):
            run()
        print(json.dumps({"mb": peak_mb()}))
        return

    names = ["published", "ours", "ours, precision auto"]
    both = sides(asked.tiny, names)
    seconds = alternate({name: run for name, (run, _) in both.items()}, rounds=18, warm_up=2)
    expected = torch.tensor(both["published"][1])
    rows = []
    extra = ["--tiny"] if asked.tiny else []
    memory = {name: in_own_process("step", "--memory-of", name, *extra)["mb"] for name in names}
    for name in names[1:]:
        apart = (torch.tensor(both[name][1]) - expected).abs().max()
        ratio = seconds["published"] / seconds[name]
        goal = "2 times faster, losses equal to 1e-4"
        measured = f"{ratio:.2f} times, losses within {apart:.0e}"
        rows.append(Row(f"training step, {name}", "published step with FrEIA", goal, measured))
        measured = f"{memory[name]:.0f} MB against {memory['published']:.0f}"
        rows.append(Row(f"peak memory of the step, {name}", "the same", "no higher", measured))
    for name, (run, _) in both.items():
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
