"""Does the number of threads that `train` picks help, on an idle machine and on a busy one?

The same training runs with one thread, with as many as there are cores, and with what `gsmflow.devices.pick_threads`
says; on the busy machine every core is taken by another process meanwhile. The sides take turns.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.harness import Row, alternate, arguments, finish
from gsmflow import train
from gsmflow.data import synthetic
from gsmflow.devices import pick_threads
from gsmflow.recipes import load_recipe
from gsmflow.settings import GaussianSettings, Settings

SETTLE_S = 45
"""The load of a machine is told as a mean over a minute."""


def spin() -> None:
    while True:
        pass


@contextmanager
def busy(processes: int, settle: float):
    """Other processes that take all they can get."""
    others = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    time.sleep(settle)
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def measure(data, settings: Settings, rounds: int) -> str:
    picked = pick_threads(data.features.size)
    cores = os.cpu_count() or 1

    def with_threads(count: int):
        return lambda: train(data, settings, threads=count)

    sides = {f"{count}": with_threads(count) for count in sorted({1, cores, picked})}
    seconds = alternate(sides, rounds)
    times = ", ".join(f"{count} thread{'s' * (count != '1')} {s:.1f} s" for count, s in seconds.items())
    return f"picked {picked}: {seconds[str(picked)] / min(seconds.values()):.2f} times the best ({times})"


def main() -> None:
    asked = arguments(__doc__).parse_args()
    cores = os.cpu_count() or 1
    sizes = (
        {"classes": 8, "unseen": 2, "samples": 10, "dim": 16}
        if asked.tiny
        else {"classes": 200, "unseen": 50, "samples": 59, "dim": 1024}
    )
    settings = load_recipe("gaussian").settings
    if asked.tiny:
        settings = replace(settings, gaussian=GaussianSettings(8, ("l2",), ("rbf",), (0.1,), (0.1,), (0.5,)))
    data = synthetic(**sizes, semantic_dim=16, noise=3.0)
    rounds, settle = (1, 0.1) if asked.tiny else (3, SETTLE_S)
    rows = [
        Row(
            "threads that train picks, as the machine is",
            "one, all cores",
            "1.1 times the best",
            measure(data, settings, rounds),
        )
    ]
    with busy(cores, settle):
        rows.append(
            Row("the same, every core taken", "one, all cores", "1.1 times the best", measure(data, settings, rounds))
        )
    finish(rows, asked)


if __name__ == "__main__":
    main()
