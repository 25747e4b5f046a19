"""What the benchmarks share: alternating runs, peak memory of a process, tables."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

THREADS = 2


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    peer: str
    goal: str
    measured: str


def alternate(sides: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median seconds of each side; the sides take turns, so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm_up + rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB; what getrusage tells begins at the peak of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def in_own_process(name: str, *arguments: str) -> dict:
    """Run one of these benchmarks by itself and read the JSON of its last line: memory is measured so."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that all scripts have."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--tiny", action="store_true", help="sizes that take a moment, to see that it still runs")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    return parser


def finish(rows: list[Row], asked: argparse.Namespace) -> None:
    """Print the rows, and write them where asked."""
    for row in rows:
        print(f"{row.what} | {row.peer} | {row.goal} | {row.measured}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))
