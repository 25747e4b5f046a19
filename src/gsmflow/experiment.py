"""One experiment from data to result: what the command line calls, and what a script may call."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .data import DataSource, TestSets, ZeroShotDataset
from .devices import check_threads, pick_device, pick_threads, using_threads
from .errors import InputError
from .evaluation.metrics import Metrics, measure_recognizer
from .model import ZeroShotModel
from .progress import Display
from .recipes import Recipe, load_method, method_name
from .runs import Run, RunConfig, RunFolder, config_here, model_card
from .runs.history import Event
from .selection import Outcome, check_settings, protocol_named
from .selection.calibration import measure_calibration
from .settings import Settings

__all__ = ["Result", "evaluate", "execute", "load_model", "metrics_record", "train"]


@dataclass(frozen=True, eq=False)
class Result:
    """What a run ends with.

    Attributes:
        model: the final model.
        metrics: what it reached on the test sets, in percent.
        record: the content of ``metrics.json``: metrics, what was chosen and by what, provenance, versions, cost.
        config: all that was asked.
        history: losses and what was judged.
        dataset: what it was trained on.
        folder: where the run lies; None: in memory alone.

    Example:
        >>> import gsmflow
        >>> result = gsmflow.train(gsmflow.load("synthetic"), "eszsl")
        >>> result.record["chosen"]["recognizer"], result.metrics.S > 70
        ('compatibility', True)
    """

    model: ZeroShotModel
    metrics: Metrics
    record: dict[str, Any]
    config: RunConfig
    history: tuple[Event, ...]
    dataset: ZeroShotDataset
    folder: Path | None = None

    def save(self, folder: str | Path) -> Path:
        """Write the run folder, as ``gsmflow train --out`` does.

        Raises:
            InputError: if the folder holds anything, or cannot be written.
        """
        there = RunFolder(folder)
        there.make()
        there.write_config(self.config)
        there.write_history(self.history)
        run = Run()
        run.folder = there
        self.model.save(there.model_file)
        there.write_card(model_card(self.model, self.record))
        run.finish(self.record, self.metrics, self.model.class_names)
        return there.path

    def report(self, out: str | Path | None = None) -> Path:
        """Write what there is to say as one page of HTML, by default into the run folder, else ``report.html``.

        Raises:
            InputError: if it cannot be written.
        """
        from .report import write_report  # the one door that opens upwards: who has a result wants to see it

        if self.folder:
            return write_report([self.folder], out, dataset=self.dataset)
        with tempfile.TemporaryDirectory() as place:
            folder = self.save(Path(place) / f"{self.record['dataset']}-{self.record['method']}")
            return write_report([folder], out or "report.html", dataset=self.dataset)

    def __repr__(self) -> str:
        r = self.record
        numbers = ", ".join(f"{name} {value:.1f}" for name, value in self.metrics.headline().items())
        return (
            f"Result({r['method']} on {r['dataset']} ({r['features']}, {r['semantics']}), selected on "
            f"{r['selected_on']}, seed {r['seed']}: {numbers}; {r['seconds']:.0f} s)"
        )


def train(
    dataset: ZeroShotDataset,
    method: str | Recipe | Settings = "default",
    *,
    protocol: str = "validated",
    seed: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    run: Run | None = None,
) -> Result:
    """Train, choose and test one model.

    Args:
        dataset: what to learn from and to be tested on.
        method: ``default`` (what wins on pseudo-unseen classes), ``gsmflow`` (the paper's), a recipe's name or file, a
            `Recipe`, or all `Settings`.
        protocol: ``validated`` chooses on pseudo-unseen classes and reads the tests once; ``published`` on the tests;
            ``fixed`` chooses nothing.
        seed: instead of that of the settings.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: CPU threads; by default as many as help, see `gsmflow.devices.pick_threads`.
        run: where to write; by default nothing is written.

    Raises:
        InputError: if there is no such method or protocol, or the settings cannot work, on these data.

    Example:
        >>> import gsmflow
        >>> result = gsmflow.train(gsmflow.load("synthetic"), "gaussian", seed=0)
        >>> result.metrics.H > 50, result.model.predict(result.dataset.features[:1]).tolist()
        (True, ['class 1'])
    """
    if not isinstance(dataset, ZeroShotDataset):
        raise InputError(
            f"A data set is what gsmflow.load gives, or a ZeroShotDataset; found {type(dataset).__name__}."
        )
    name, recipe = named_recipe(method, dataset.name)
    settings = recipe.settings if seed is None else replace(recipe.settings, seed=seed)
    chosen_threads = pick_threads(dataset.features.size) if threads is None else threads
    config = config_here(
        DataSource.of(dataset), protocol, name, recipe.name, settings, str(pick_device(device)), chosen_threads
    )
    return carry_out(config, dataset, run or Run())


def named_recipe(method: str | Recipe | Settings, dataset: str) -> tuple[str, Recipe]:
    """The recipe of a method on a data set, and how the method is called."""
    if isinstance(method, Path):
        method = str(method)
    if not isinstance(method, str | Recipe | Settings):
        raise InputError(f"A method is a name, a Recipe or Settings; found {method!r}.")
    if isinstance(method, Settings):
        return "settings", Recipe("settings as given", name="settings", settings=method)
    if isinstance(method, Recipe):
        return method.name, method
    return method_name(method), load_method(method, dataset)


def carry_out(config: RunConfig, dataset: ZeroShotDataset, run: Run) -> Result:
    """Do what a configuration asks for, on a data set, and write it where the run says.

    Raises:
        InputError: if the configuration cannot work on these data.
        Interrupted: if the run was asked to stop.
    """
    check_threads(config.threads)
    protocol = protocol_named(config.protocol)
    check_settings(config.settings)
    start = time.perf_counter()
    with using_threads(config.threads):
        try:
            outcome = protocol.choose(dataset, config.settings, run, pick_device(config.device))
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
            raise InputError(
                f"The generator {config.settings.generator!r} has no solution on {dataset.name}: are features or "
                "semantics constant, or very large? Look at gsmflow data check, or scale them."
            ) from error
    model = outcome.model.eval()
    source = dataset.provenance
    model.about = replace(
        model.about,
        dataset=dataset.name,
        provenance=source,
        fingerprint=dataset.fingerprint(),
        protocol=protocol.name,
        selected_on=protocol.selected_on,
        encoder=source.encoder,
        text_encoder=source.text_encoder,
    )
    record = describe(config, dataset, outcome)
    record |= {"seconds": round(time.perf_counter() - start, 1), "peak_memory_mb": peak_memory_mb()}
    if run.folder:
        model.save(run.folder.model_file)
        run.folder.write_card(model_card(model, record))
    run.finish(record, outcome.metrics, model.class_names)
    folder = run.folder.path if run.folder else None
    return Result(model, outcome.metrics, record, config, tuple(run.history), dataset, folder)


def execute(folder: Path, config: RunConfig, dataset: ZeroShotDataset, display: Display) -> Result:
    """Begin the run of a folder, or go on with it where it was interrupted; SIGINT and SIGTERM save its state.

    Raises:
        InputError: if the folder holds something else, or the configuration cannot work; a folder that was made for it
            is gone again.
        Interrupted: if the run was asked to stop; the same call goes on.
    """
    is_begun = RunFolder(folder).is_begun
    run = Run.resume(folder, display) if is_begun else Run.create(folder, config, display)
    try:
        with run.interruptible():
            return carry_out(config, dataset, run)
    except Exception:
        if run.folder:
            run.folder.discard_if_empty()
        raise


def evaluate(model: ZeroShotModel, dataset: ZeroShotDataset) -> Metrics:
    """Measure a model on the test sets of a data set, at the model's calibration constant.

    The model decides among all of its classes, those that were added to it later among them; classes are matched by
    name.

    Example:
        >>> import gsmflow
        >>> data = gsmflow.load("synthetic")
        >>> gsmflow.evaluate(gsmflow.train(data, "gaussian").model, data).H > 50
        True

    Raises:
        InputError: if the features have another dimension than the model was trained on, the model does not know a
            class, or was trained on one that is unseen in the data set.
    """
    if dataset.dim != model.dim:
        raise InputError(
            f"The model was trained on features of {model.dim} dimensions, those of {dataset.name} have {dataset.dim}."
        )
    known = {name: k for k, name in enumerate(model.class_names)}
    tests = dataset.tests()
    tested = np.unique(np.concatenate([tests.seen_labels, tests.unseen_labels]))
    lacking = [dataset.class_names[k] for k in tested if dataset.class_names[k] not in known]
    if lacking:
        raise InputError(
            f"The model does not know {len(lacking)} classes of {dataset.name}: {', '.join(lacking[:5])}; add them "
            "with add_classes, or give the data set that it was trained on."
        )
    ids = np.array([known.get(name, -1) for name in dataset.class_names])
    for labels, is_seen in ((tests.seen_labels, True), (tests.unseen_labels, False)):
        wrong = [model.class_names[k] for k in np.unique(ids[labels]) if model.is_seen[k] != is_seen]
        if wrong:
            there, here = ("seen", "unseen") if is_seen else ("unseen", "seen")
            raise InputError(
                f"{len(wrong)} classes are {there} in {dataset.name} and {here} for the model: {', '.join(wrong[:5])}."
            )
    tests = TestSets(tests.seen_features, ids[tests.seen_labels], tests.unseen_features, ids[tests.unseen_labels])
    seen, unseen = model.seen.cpu().numpy(), model.unseen.cpu().numpy()
    metrics = measure_recognizer(model, tests, seen, unseen, constant=model.constant, to_tensor=model.tensor)
    return replace(metrics, calibration=measure_calibration(model, tests))


def load_model(path: str | Path, device: str = "cpu") -> ZeroShotModel:
    """Read a model that `ZeroShotModel.save` wrote, or that of a finished run.

    Args:
        path: a model file, or the folder of a run.
        device: where it shall compute.

    Example:
        >>> import gsmflow, tempfile
        >>> model = gsmflow.train(gsmflow.load("synthetic"), "prototype").model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.safetensors")
        ...     gsmflow.load_model(f"{folder}/model.safetensors").class_names == model.class_names
        True

    Raises:
        InputError: if there is none, or its file is damaged or of another version.
    """
    path = Path(path)
    if path.is_dir():
        folder = RunFolder(path)
        if folder.is_begun and not folder.is_finished:
            folder.read_metrics()  # says how to finish it
        path = folder.model_file
    if not path.exists():
        raise InputError(f"There is no model {path}: give a file that model.save wrote, or the folder of a run.")
    return ZeroShotModel.load(path, pick_device(device))


def describe(config: RunConfig, dataset: ZeroShotDataset, outcome: Outcome) -> dict[str, Any]:
    """The content of ``metrics.json``."""
    estimate = outcome.chosen.estimate
    return {
        "dataset": dataset.name,
        "features": dataset.provenance.features,
        "semantics": dataset.provenance.semantics,
        "class_split": dataset.provenance.class_split,
        "protocol": config.protocol,
        "selected_on": protocol_named(config.protocol).selected_on,
        "method": config.method,
        "generator": outcome.model.settings.generator,
        "recognizer": outcome.chosen.recognizer,
        "evidence": "none",
        "seed": config.settings.seed,
        **metrics_record(outcome.metrics, dataset.class_names),
        "estimate": estimate.to_json() if estimate else None,
        "rejection": vars(rejection) if (rejection := outcome.model.about.rejection) else None,
        "classes": {"seen": len(dataset.seen), "unseen": len(dataset.unseen)},
        "chosen": outcome.chosen.to_json(),
        "test_reads": outcome.test_reads,
        "notes": list(dataset.provenance.notes),
        "warnings": [*dataset.warnings, *outcome.reservations],
        "fingerprint": dataset.fingerprint(),
        "versions": config.versions,
        "git": config.git,
    }


def metrics_record(metrics: Metrics, class_names: Sequence[str]) -> dict[str, Any]:
    """Metrics with class names; accuracies in percent, rounded to four decimals; NaN where nothing was measured."""

    def by_name(values: np.ndarray) -> dict[str, float]:
        pairs = zip(class_names, values.round(4).tolist(), strict=True)
        return {name: value for name, value in pairs if value == value}

    return {
        **{name: round(value, 4) for name, value in metrics.headline().items()},
        "constant": metrics.constant,
        "calibration": metrics.calibration.to_json() if metrics.calibration else None,
        "per_class": by_name(metrics.accuracy),
        "per_class_T1": by_name(metrics.accuracy_T1),
    }


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process so far, in MB (2**20 bytes); None on a system that does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
