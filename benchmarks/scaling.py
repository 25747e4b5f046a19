"""How do time and memory grow with samples, classes and dimension?

One closed-form run under the validated protocol (one fold, one candidate), from mapped .npy files to metrics, a process
each. Memory is what the process holds of its own (RssAnon): pages of mapped files are the system's to take back.
The exponent is that of the last step, the greatest size against the one before, where fixed costs weigh least.
"""

from __future__ import annotations

import json
import math
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, arguments, finish, in_own_process

STEPS = {
    "samples": [(10_000, 50, 256), (100_000, 50, 256), (1_000_000, 50, 256)],
    "classes": [(100_000, 50, 256), (100_000, 500, 256), (100_000, 5_000, 256), (100_000, 20_000, 256)],
    "dimension": [(20_000, 50, 256), (20_000, 50, 1024), (20_000, 50, 4096)],
}
TINY = {"samples": [(200, 10, 8), (400, 10, 8)], "classes": [(400, 10, 8), (400, 20, 8)]}
LARGEST = (1_000_000, 50, 2048)


def write(folder: Path, samples: int, classes: int, dim: int) -> None:
    """Gaussian classes around a linear function of normal semantics, a chunk at a time."""
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(classes, 32)).astype(np.float32)
    means = semantics @ rng.normal(size=(32, dim)).astype(np.float32) / 6
    labels = np.arange(samples) % classes
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, (samples, dim))
    for start in range(0, samples, 20_000):
        part = labels[start : start + 20_000]
        features[start : start + 20_000] = means[part] + rng.standard_normal((len(part), dim), dtype=np.float32)
    del features
    is_unseen = labels >= classes - classes // 5
    is_test = np.arange(samples) // classes % 5 == 0
    splits = {
        "trainval": np.flatnonzero(~is_unseen & ~is_test),
        "test_seen": np.flatnonzero(~is_unseen & is_test)[:50_000],
        "test_unseen": np.flatnonzero(is_unseen)[:50_000],
    }
    for name, array in ({"labels": labels, "semantics": semantics} | splits).items():
        np.save(folder / f"{name}.npy", array)


def own_memory_mb() -> float:
    """Memory that this process holds and no file backs, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def measure(folder: Path) -> dict[str, float]:
    """Train on the data set in a folder; seconds, and the peak of `own_memory_mb`."""
    import gsmflow
    from gsmflow.data import load_folder
    from gsmflow.settings import GaussianSettings, SelectionSettings, Settings

    only = GaussianSettings(semantics=("l2",), kernels=("rbf",), ridges=(0.1,), shrinks=(0.1,), widens=(0.5,))
    settings = Settings("gaussian", "likelihood", gaussian=only, selection=SelectionSettings(folds=1), grid=())
    peak, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.05):
            peak = max(peak, own_memory_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    metrics = gsmflow.train(load_folder(folder), settings, device="cpu").metrics
    seconds = time.perf_counter() - start
    over.set()
    thread.join()
    return {"seconds": seconds, "mb": peak, "H": metrics.H}


def run(size: tuple[int, int, int]) -> dict[str, float]:
    """Write a data set of one size and measure in another process."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), *size)
        return in_own_process("scaling", "--measure", folder)


def draw(found: dict[str, list[tuple[int, dict[str, float]]]], path: Path) -> None:
    """Time and memory against each size, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = pyplot.subplots(1, len(found), figsize=(4 * len(found), 3.4), layout="constrained")
    for ax, (name, points) in zip(np.atleast_1d(axes), found.items(), strict=True):
        sizes = [size for size, _ in points]
        ax.loglog(sizes, [one["seconds"] for _, one in points], "o-", color="#0072B2", label="seconds")
        ax.loglog(sizes, [one["mb"] / 1000 for _, one in points], "s--", color="#D55E00", label="GB of memory")
        ax.set(xlabel=name)
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter(NullFormatter())
        ax.grid(alpha=0.3, which="both")
    np.atleast_1d(axes)[0].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--measure", type=Path, help="measure the data set in this folder")
    parser.add_argument("--picture", type=Path, help="draw to this file")
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    rows, found = [], {}
    for place, (name, sizes) in enumerate((TINY if asked.tiny else STEPS).items()):
        points = [(size[place], run(size)) for size in sizes]
        found[name] = points
        (before, one), (last, other) = points[-2:]
        exponents = [math.log(other[key] / one[key]) / math.log(last / before) for key in ("seconds", "mb")]
        told = ", ".join(f"{size:,}: {values['seconds']:.1f} s {values['mb']:.0f} MB" for size, values in points)
        measured = f"{told}; exponents {exponents[0]:.2f} and {exponents[1]:.2f}"
        rows.append(Row(f"growth with {name}", "", "exponent at most 1.1" if place < 2 else "", measured))
    if not asked.tiny:
        largest = run(LARGEST)
        measured = f"{largest['seconds']:.0f} s, {largest['mb'] / 1024:.1f} GiB"
        rows.append(Row("1,000,000 samples x 2048, mapped", "", "within 24 GiB", measured))
    if asked.picture:
        draw(found, asked.picture)
    finish(rows, asked)


if __name__ == "__main__":
    main()
