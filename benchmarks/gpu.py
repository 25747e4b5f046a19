"""How long do a step and the whole published recipe take on a GPU? AWA2 sizes: 23,520 x 2048, 40 seen classes.

Peer: the published step with PyPI FrEIA 0.2 on the same GPU (see published.py). Our steps are those of the training
loop, while any host synchronisation in it is an error. Without a GPU nothing is measured, and the rows say so.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

import torch

import gsmflow
from benchmarks.harness import Row, arguments, finish
from benchmarks.published import Published
from benchmarks.step import LR, WEIGHT_DECAY, problem
from gsmflow.data import synthetic
from gsmflow.recipes import load_recipe
from gsmflow.seeds import generator
from gsmflow.settings import TrainingSettings
from gsmflow.training import build_optimizer, minimize


def our_steps(x: torch.Tensor, labels: torch.Tensor, steps: int) -> Iterator[object]:
    """The training loop as a run takes it."""
    model, _, _ = problem(tiny=False)
    model.to(x.device)
    settings = TrainingSettings(lr=LR, weight_decay=WEIGHT_DECAY, precision="auto")
    return minimize(model, x, labels, settings, optimizer=build_optimizer(model, settings), steps=steps, seed=0)


def milliseconds(steps: Iterator[object], count: int) -> float:
    """Time of one of ``count`` steps; the host waits for the device after the last one alone."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in itertools.islice(steps, count):
        pass
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / count * 1e3


def measure_step() -> str:
    """Time of both steps, and whether ours synchronises with the host."""
    _, x, labels = problem(tiny=False)
    x, labels = x.repeat(12, 1)[:23_520].cuda(), labels.repeat(12)[:23_520].cuda()
    model, _, _ = problem(tiny=False)
    published = Published(model.cuda(), LR, WEIGHT_DECAY).cuda()
    rng = generator("cuda", 0)
    theirs = (published.step(x[:256], labels[:256], rng) for _ in itertools.count())
    ours = our_steps(x, labels, 10_000)
    rounds = [(milliseconds(ours, 50), milliseconds(theirs, 20)) for _ in range(8)]
    one, other = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in itertools.islice(ours, 20):
            pass
        found = "no host synchronisation"
    except RuntimeError as error:
        found = f"a host synchronisation ({error})"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{one:.2f} ms against {other:.2f} ({other / one:.2f} times), {found}"


def measure_run() -> str:
    """Time of the published recipe, all its steps and evaluations."""
    data = synthetic(classes=50, unseen=10, semantic_dim=85, noise=4.5, samples=735, dim=2048)
    start = time.perf_counter()
    gsmflow.train(data, load_recipe("awa2").settings, protocol="published", device="cuda")
    return f"{time.perf_counter() - start:.0f} s"


def main() -> None:
    asked = arguments(__doc__).parse_args()
    step = run = "not measured"
    if torch.cuda.is_available() and not asked.tiny:
        name = torch.cuda.get_device_name()
        step, run = (f"{found}, {name}" for found in (measure_step(), measure_run()))
    finish(
        [
            Row("GPU, AWA2 sizes: step", "published step with FrEIA", "1.5 ms, no host synchronisation", step),
            Row("GPU, AWA2 sizes, published recipe: whole run", "", "90 s", run),
        ],
        asked,
    )


if __name__ == "__main__":
    main()
