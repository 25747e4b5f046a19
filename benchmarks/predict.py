"""What does it cost to ask a model: rows a second and memory for a million rows, and for 21,841 classes.

Each is a process of its own; the features lie in a file, so that memory is what asking takes. The peer reads all
rows at once and holds all scores. ``gsmflow predict`` is measured from the command to the finished file, with all that
its process ever held.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Row, arguments, finish, in_own_process, peak_mb
from gsmflow.generators import Classes, Gaussian
from gsmflow.model import About, ZeroShotModel
from gsmflow.recognizers import build_recognizer
from gsmflow.scaling import Scaling
from gsmflow.settings import GaussianSettings, Settings


def closed_form(classes: int, dim: int, dims: int) -> ZeroShotModel:
    """A model of these sizes, none of it learnt: it costs what a learnt one costs."""
    rng = np.random.default_rng(0)
    known = Classes(
        torch.tensor(rng.normal(size=(classes, 32)), dtype=torch.float32),
        torch.arange(classes - 50),
        torch.arange(classes - 50, classes),
    )
    generator = Gaussian(dim, known, GaussianSettings(dims=dims, semantics=("l2",), kernels=("linear",)))
    generator.basis = torch.linalg.qr(torch.tensor(rng.normal(size=(dim, dims)), dtype=torch.float32))[0].contiguous()
    generator.centres = torch.tensor(rng.normal(size=(classes, dims)), dtype=torch.float32)
    about = About(tuple(f"class {k}" for k in range(classes)), Settings(generator="gaussian"), "likelihood")
    return ZeroShotModel(Scaling(dim), generator, build_recognizer("likelihood", dim, known, generator), known, about)


class Watch(threading.Thread):
    """The peak of this process's own memory, in MB: pages of a mapped file are the system's, to be dropped at will."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.is_over = 0.0, threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.01):
            self.peak = max(self.peak, own_mb())


def own_mb() -> float:
    """Anonymous memory of this process now, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def ask(path: str, classes: int, how: str) -> None:
    """Time and memory of one way to ask, as JSON."""
    torch.set_num_threads(1)
    x = np.load(path, mmap_mode="r")
    model = closed_form(classes, x.shape[1], min(256, x.shape[1]))
    before, start, watch = own_mb(), time.perf_counter(), Watch()
    watch.start()
    if how == "predict":
        model.predict_ids(x)
    elif how == "top_k":
        model.top_k(x, 5)
    else:
        model.predict_proba(np.array(x)).argmax(1)
    seconds = time.perf_counter() - start
    watch.is_over.set()
    watch.join()
    print(json.dumps({"seconds": seconds, "mb": max(watch.peak - before, 0.0)}))


def command(model: str, path: str, out: str) -> None:
    """Time and peak memory of the command line, as JSON."""
    from gsmflow.cli import main

    start = time.perf_counter()
    sys.argv = ["gsmflow", "predict", model, path, "--out", out, "--threads", "1", "--quiet"]
    main()
    print(json.dumps({"seconds": time.perf_counter() - start, "mb": peak_mb()}))


def commands(path: Path, count: int, classes: int, dim: int) -> list[Row]:
    """What ``gsmflow predict`` takes to write files of several formats."""
    model = path.with_name("model.safetensors")
    closed_form(classes, dim, min(256, dim)).save(model)
    rows = []
    for suffix in ("jsonl", "csv", "parquet"):
        out = path.with_name(f"guesses.{suffix}")
        found = in_own_process("predict", "--command", str(model), str(path), str(out))
        size = out.stat().st_size / 2**20
        measured = f"{count / found['seconds']:,.0f} rows a second, {found['mb']:.0f} MB in all, {size:.0f} MB written"
        rows.append(Row(f"gsmflow predict, {suffix}: {count:,} rows x {dim}, {classes:,} classes", "", "", measured))
        out.unlink()
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ask", nargs=3)
    parser.add_argument("--command", nargs=3)
    asked = parser.parse_args()
    if asked.command:
        command(*asked.command)
        return
    if asked.ask:
        ask(asked.ask[0], int(asked.ask[1]), asked.ask[2])
        return
    dim = 64 if asked.tiny else 512
    cases = ((1_000, 100), (100, 200)) if asked.tiny else ((1_000_000, 200), (10_000, 21_841))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        for count, classes in cases:
            mapped = np.lib.format.open_memmap(path, "w+", np.float32, (count, dim))
            for start in range(0, count, 10_000):
                part = mapped[start : start + 10_000]
                part[:] = np.random.default_rng(start).normal(size=part.shape)
            mapped.flush()
            for how in ("predict", "top_k"):
                found = in_own_process("predict", "--ask", str(path), str(classes), how)
                measured = f"{count / found['seconds']:,.0f} rows a second, {found['mb']:.0f} MB above the model"
                rows.append(Row(f"{how}: {count:,} rows x {dim}, {classes:,} classes", "", "0.7 GiB", measured))
            if count == cases[0][0]:
                rows += commands(path, count, classes, dim)
        few = min(100_000, cases[0][0])
        np.save(path, np.random.default_rng(0).normal(size=(few, dim)).astype(np.float32))
        found = in_own_process("predict", "--ask", str(path), str(cases[0][1]), "all at once")
        rows.append(Row(f"predict_proba: {few:,} rows, read at once", "", "", f"{found['mb']:.0f} MB above the model"))
    finish(rows, asked)


if __name__ == "__main__":
    main()
