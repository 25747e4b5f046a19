"""How long does the softmax recognizer take at AWA2 sizes?

Ten unseen classes x 50,000 synthesized and 23,520 real features, 2048-d, rectified and scaled as ResNet features are.
Peer: synthesize everything, then 30 epochs over all of it, with the same generator. Ours: two epochs at 25 times the
learning rate, the weights of the last 60 % of steps averaged, on half as many features that differ, 128 MiB of them at
once; these settings were chosen on such data with another seed and other noise.
Both fit a layer over all classes and one over the unseen ones (T1). Synthetic data; the generator is the closed form,
so that synthesis is cheap on both sides.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.harness import THREADS, Row, arguments, finish, in_own_process, peak_mb
from gsmflow.data import synthetic
from gsmflow.evaluation.metrics import measure_recognizer
from gsmflow.generators import Classes, Gaussian
from gsmflow.recognizers import fit_softmax
from gsmflow.recognizers.softmax import Softmax, Synthesized
from gsmflow.seeds import generator
from gsmflow.settings import GaussianSettings, SoftmaxSettings

AWA2 = SoftmaxSettings(samples=50_000, lr=1e-3, epochs=30, batch=1200)
FAST = replace(AWA2, lr=2.5e-2, epochs=2, average=0.6, distinct=25_000, pool_mb=128)


class Problem:
    """Features, classes and a fitted generator."""

    def __init__(self, tiny: bool):
        sizes = {"samples": 20, "dim": 16} if tiny else {"samples": 735, "dim": 2048}
        data = synthetic(classes=50, unseen=10, semantic_dim=85, noise=0.5 if tiny else 4.5, seed=1, **sizes)
        features = np.maximum(data.features, 0)
        self.data = replace(data, features=features / features[data.trainval].max(0))
        training = self.data.training()
        self.x, self.labels = torch.tensor(training.features), torch.tensor(training.labels)
        self.classes = Classes.of(training)
        only = GaussianSettings(8 if tiny else 256, ("l2",), ("rbf",), (0.1,), (0.1,), (0.5,))
        self.generator = Gaussian(training.dim, self.classes, only)
        self.generator.fit(self.x, self.labels)
        self.tiny = {"samples": 50, "batch": 100} if tiny else {}

    def measure(self, recognizer) -> str:
        """H and T1 on test samples, without a calibration constant."""
        found = measure_recognizer(recognizer, self.data.tests(), self.data.seen, self.data.unseen)
        return f"H {found.H_raw:.1f} (U {found.U_raw:.1f}, S {found.S_raw:.1f}), T1 {found.T1:.1f}"


def materialised(problem: Problem) -> Softmax:
    """All synthesized features at once, all epochs."""
    s, unseen = replace(AWA2, **problem.tiny), problem.classes.unseen
    fake = Synthesized(problem.generator, unseen, s.samples, problem.x.shape[1], generator("cpu", 0, "z"))
    fake_x, fake_labels = fake.synthesize()
    x, labels = torch.cat([problem.x, fake_x]), torch.cat([problem.labels, fake_labels])
    del fake_x
    torch.manual_seed(0)
    recognizer = Softmax(x.shape[1], problem.classes)
    for layer in (recognizer.all, recognizer.only_unseen):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    adam = torch.optim.Adam(recognizer.parameters(), lr=s.lr, betas=(0.5, 0.999))
    for _ in range(s.epochs):
        for rows in torch.randperm(len(x)).split(s.batch):
            batch_x, batch_y = x[rows], labels[rows]
            of_unseen = rows >= len(problem.x)
            places = torch.searchsorted(unseen, batch_y[of_unseen])
            adam.zero_grad()
            loss = F.cross_entropy(recognizer.all(batch_x), batch_y)
            loss = loss + F.cross_entropy(recognizer.only_unseen(batch_x)[of_unseen], places)
            loss.backward()
            adam.step()
    return recognizer


def ours(problem: Problem) -> Softmax:
    """The recognizer of the library."""
    settings = replace(FAST, **problem.tiny)
    *_, last = fit_softmax(problem.generator, problem.x, problem.labels, problem.classes, settings, seed=0)
    return last


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--memory", action="store_true", help="fit ours and print the peak memory above the data")
    asked = parser.parse_args()
    torch.set_num_threads(1 if asked.tiny else THREADS)
    problem = Problem(asked.tiny)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: what made the data is gone
    before = peak_mb()
    if asked.memory:
        ours(problem)
        print(json.dumps({"mb": peak_mb() - before}))
        return

    def timed(fit) -> tuple[float, str]:
        start = time.perf_counter()
        recognizer = fit(problem)
        return time.perf_counter() - start, problem.measure(recognizer)

    first, found = timed(ours)
    theirs, expected = timed(materialised)
    second, _ = timed(ours)  # before and after the peer: one run of that is minutes
    memory = in_own_process("softmax", "--memory", *(["--tiny"] if asked.tiny else []))["mb"]
    what, peer = "softmax recognizer, 10 x 50,000 + 23,520, 2048-d", "materialise, 30 epochs"
    measured = f"{(first + second) / 2 / theirs:.3f} of the time, {found} against {expected}"
    finish(
        [
            Row(what, peer, "a tenth of the time, H within 0.3", measured),
            Row("peak memory of that above the data", "", "at most 300 MB", f"{memory:.0f} MB"),
        ],
        asked,
    )


if __name__ == "__main__":
    main()
