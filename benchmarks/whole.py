"""How long does the default recipe take from command to metrics, against the published recipe? CUB, VGG fc7, 4096-d.

The published time is extrapolated: steps of training with FrEIA, and one evaluation (synthesis by FrEIA, one epoch of
the softmax times 30). Give the data with --data-root; without, synthetic features of the same sizes are used.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import THREADS, Row, alternate, arguments, finish
from benchmarks.published import Published
from gsmflow.data import load, synthetic
from gsmflow.generators import Classes, GSMFlow
from gsmflow.recipes import load_recipe
from gsmflow.recognizers import fit_softmax
from gsmflow.seeds import generator

FEW = ["--no-report", "--training.epochs", "1", "--gaussian.ridges", "0.1", "--gaussian.shrinks", "0.1"]
"""Fewer candidates, for sizes that take a moment."""


def command_line(root: Path, name: str, options: list[str]) -> tuple[float, float]:
    """Seconds that the command takes, and H."""
    command = [sys.executable, "-c", "from gsmflow.cli import main; main()", "train", name, "--data-root", str(root)]
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        subprocess.run([*command, *options, "--quiet", "--out", out], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        (metrics,) = Path(out).rglob("metrics.json")
        return seconds, json.loads(metrics.read_text())["H"]


def write(folder: Path, data) -> None:
    """The data set in the numpy layout."""
    folder.mkdir()
    for name in ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen"):
        np.save(folder / f"{name}.npy", getattr(data, name))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data-root", type=Path, help="folder that holds CUB with vgg_fc7.mat")
    asked = parser.parse_args()
    torch.set_num_threads(1 if asked.tiny else THREADS)
    real = asked.data_root and (asked.data_root / "CUB" / "vgg_fc7.mat").exists() and not asked.tiny
    if real:
        data = load("CUB", root=asked.data_root, features="vgg_fc7", semantics="sent")
        seconds, h = command_line(asked.data_root, "CUB", ["--features", "vgg_fc7", "--semantics", "sent"])
    else:
        sizes = {"samples": 10, "dim": 16, "classes": 8, "unseen": 2} if asked.tiny else {"samples": 59, "dim": 4096}
        data = synthetic(**({"classes": 200, "unseen": 50, "semantic_dim": 1024, "noise": 5.0} | sizes))
        with tempfile.TemporaryDirectory() as root:
            write(Path(root) / "CUB", data)
            seconds, h = command_line(Path(root), "CUB", FEW if asked.tiny else [])

    s = load_recipe("cub").settings
    training = data.training()
    x, labels = torch.tensor(training.features), torch.tensor(training.labels)
    ours = GSMFlow(data.dim, Classes.of(training), s.flow)
    ours.prepare(x, labels)
    published = Published(ours, s.training.lr, s.training.weight_decay)
    rng = generator("cpu", 0, "step")
    step = alternate({"step": lambda: published.step(x[:256], labels[:256], rng)}, 1 if asked.tiny else 9)["step"]

    start = time.perf_counter()
    classes = torch.tensor(data.unseen).repeat_interleave(2 if asked.tiny else 60)
    published.sample(classes, rng)
    synthesis = (time.perf_counter() - start) * s.softmax.samples / (len(classes) / len(data.unseen))
    start = time.perf_counter()
    next(fit_softmax(ours if asked.tiny else Flat(data.dim), x, labels, Classes.of(training), s.softmax, seed=0))
    softmax = (time.perf_counter() - start) * s.softmax.epochs
    steps = s.training.epochs * (len(x) // s.training.batch)
    evaluations = len([i for i in range(s.selection.every, steps + 1, s.selection.every) if i > s.selection.after])
    whole = steps * step + evaluations * (synthesis + softmax)
    measured = (
        f"{whole / seconds:.0f} times less: {seconds:.0f} s, H {h:.1f}, against {whole / 3600:.1f} h "
        f"({steps} steps of {step:.2f} s, {evaluations} evaluations of {synthesis + softmax:.0f} s)"
    )
    what = f"gsmflow train, default recipe, CUB vgg_fc7{'' if real else ' (synthetic, same sizes)'}"
    finish([Row(what, "published recipe, extrapolated", "100 times less", measured)], asked)


class Flat:
    """Noise for features: the softmax is timed, not what it learns."""

    def __init__(self, dim: int):
        self.dim = dim

    def sample(self, classes: torch.Tensor, *, rng: torch.Generator) -> torch.Tensor:
        """Normal rows."""
        return torch.randn(len(classes), self.dim, generator=rng)


if __name__ == "__main__":
    main()
