"""One experiment from data to metrics: what the command line calls, and what a script may call."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Literal

import torch

from .data import ZeroShotDataset
from .errors import InputError
from .evaluation.metrics import Metrics
from .evaluation.protocols import PROTOCOLS, SELECTED_ON, Outcome
from .model import ZeroShotModel
from .recipes import assign, load_recipe
from .runs import Run, git_revision, read_config, read_metrics, read_model_tensors, versions
from .settings import Settings

__all__ = ["load_model", "pick_device", "pick_threads", "train"]

SMALL = 10**6  # feature values


def pick_device(name: str = "auto") -> torch.device:
    """The device asked for; ``auto`` takes CUDA, else MPS, else the CPU.

    Raises:
        InputError: if there is no such device here.
    """
    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"There is no device {name!r} here; choose --device auto or cpu.") from error


def pick_threads(dataset: ZeroShotDataset) -> int:
    """As many CPU threads as there are, but one for a small data set, where they would wait for each other."""
    return 1 if dataset.features.size < SMALL else torch.get_num_threads()


def train(
    dataset: ZeroShotDataset,
    settings: Settings | None = None,
    *,
    protocol: Literal["validated", "published"] = "validated",
    device: str = "auto",
    run: Run | None = None,
) -> tuple[ZeroShotModel, dict[str, Any]]:
    """Train and test one model.

    Args:
        dataset: what to learn from and to be tested on.
        settings: all settings; by default those of the recipe ``default``.
        protocol: ``validated`` chooses on pseudo-unseen classes and reads the tests once; ``published`` on the tests.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        run: where to write; by default nothing is written.

    Returns:
        The model, and the metrics as they stand in ``metrics.json``; accuracies in percent.

    Example:
        >>> import gsmflow
        >>> recipe = gsmflow.load_recipe("digits")
        >>> model, metrics = gsmflow.train(gsmflow.load("digits"), recipe.settings)  # doctest: +SKIP
        >>> model.predict(gsmflow.load("digits").features[:3])  # doctest: +SKIP
        array([0, 1, 2])
    """
    settings = settings or load_recipe("default").settings
    run = run or Run()
    start = time.perf_counter()
    outcome = PROTOCOLS[protocol](dataset, settings, run, pick_device(device))
    record = describe(dataset, settings, protocol, outcome)
    record |= {"seconds": round(time.perf_counter() - start, 1), "peak_memory_mb": peak_memory_mb()}
    curve = outcome.metrics.curve.thin().to_json()
    run.finish(outcome.model.state_dict(), record, outcome.metrics.confusions, dataset.class_names, curve)
    return outcome.model.eval(), record


def describe(dataset: ZeroShotDataset, settings: Settings, protocol: str, outcome: Outcome) -> dict[str, Any]:
    """The content of ``metrics.json``."""
    return {
        "dataset": dataset.name,
        "features": dataset.provenance.features,
        "semantics": dataset.provenance.semantics,
        "protocol": protocol,
        "selected_on": SELECTED_ON[protocol],
        "generator": settings.generator,
        "recognizer": outcome.chosen["recognizer"],
        "seed": settings.seed,
        **metrics_record(outcome.metrics, dataset),
        "chosen": outcome.chosen,
        "test_reads": outcome.test_reads,
        "notes": list(dataset.provenance.notes),
        "fingerprint": dataset.fingerprint(),
        "versions": versions(),
        "git": git_revision(),
    }


def metrics_record(metrics: Metrics, dataset: ZeroShotDataset) -> dict[str, Any]:
    """Metrics with class names; accuracies in percent, rounded to four decimals."""

    def by_name(values) -> dict[str, float]:
        pairs = zip(dataset.class_names, values.round(4).tolist(), strict=True)
        return {name: value for name, value in pairs if value == value}

    return {
        **{name: round(value, 4) for name, value in metrics.headline().items()},
        "constant": metrics.constant,
        "per_class": by_name(metrics.accuracy),
        "per_class_T1": by_name(metrics.accuracy_T1),
    }


def load_model(folder: str | Path, device: str = "cpu") -> ZeroShotModel:
    """The model of a finished run."""
    folder = Path(folder)
    metrics = read_metrics(folder)
    settings, recognizer = (
        assign(read_config(folder).settings, metrics["chosen"].get("grid", {})),
        metrics["recognizer"],
    )
    tensors = read_model_tensors(folder)
    try:
        return ZeroShotModel.from_tensors(tensors, settings, recognizer).to(pick_device(device))
    except (KeyError, RuntimeError) as error:
        message = " ".join(str(error).split())[:200]
        raise InputError(
            f"{folder / 'model.safetensors'} does not fit its config.yaml ({message}): the run was altered or is of "
            "another version."
        ) from error


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process so far, in MB (2**20 bytes); None on a system that does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
