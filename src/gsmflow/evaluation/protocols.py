"""The two protocols: how a model is chosen, and when test labels are read.

``validated``: every choice is made on pseudo-unseen classes cut out of trainval; the model is then trained on all of
trainval, and the test sets are read once. ``published``: what the field's released code does; each evaluation reads
the test sets and the best one is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch

from ..data import TrainingSet, ZeroShotDataset, pseudo_unseen
from ..fitting import Fit
from ..model import ZeroShotModel
from ..runs import Run
from ..settings import Settings
from ..training import steps_per_epoch
from .metrics import Curve, Metrics, best_constant

__all__ = ["PROTOCOLS", "SELECTED_ON", "Outcome", "published", "validated"]

SELECTED_ON = {"validated": "pseudo-unseen classes", "published": "test"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a protocol ends with.

    Attributes:
        model: the final model, with the calibration constant that was chosen.
        metrics: its result on the test sets.
        chosen: what was chosen: epoch, calibration constant, and the figure that it was chosen by.
        test_reads: how often test labels were read.
    """

    model: ZeroShotModel
    metrics: Metrics
    chosen: dict[str, Any]
    test_reads: int


def judged_steps(settings: Settings, samples: int, fit_samples: int) -> list[int]:
    """The steps at which a candidate is judged, in a fit that may have fewer samples than the whole of trainval.

    ``selection.every`` and ``after`` count iterations on all of trainval; a fold has fewer in an epoch, and is judged
    after the same share of training. The last step is always judged.
    """
    whole = steps_per_epoch(samples, settings.training.batch)
    part = steps_per_epoch(fit_samples, settings.training.batch)
    every, after, last = settings.selection.every, settings.selection.after, whole * settings.training.epochs
    points = [step for step in range(every, last + 1, every) if step > after]
    return sorted({round(step * part / whole) for step in points} | {part * settings.training.epochs})


def validated(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Choose epoch and calibration constant on pseudo-unseen classes, train on all of trainval, read the tests once."""
    training = dataset.training()
    for fold in range(settings.selection.folds):
        judge_fold(training, settings, fold, run, device)
    chosen = choose([event["found"] for event in run.events("judged")])

    fit = Fit(training, settings, device, "final")
    steps = round(chosen["epoch"] * fit.epoch_steps)
    fit.run(run, steps, set(), lambda step: [])
    model = last(fit.models(run, steps))
    model.constant.fill_(chosen["constant"])
    return Outcome(model, fit.test(model, dataset.tests(), chosen["constant"]), chosen, test_reads=1)


def judge_fold(training: TrainingSet, settings: Settings, fold: int, run: Run, device: torch.device) -> None:
    """Train on one split into pseudo-seen and pseudo-unseen classes; log what each candidate reaches."""
    selection = settings.selection
    phase = f"fold {fold + 1} of {selection.folds}"
    if run.events("judged", phase=phase, last=True):
        return
    share = len(training.unseen) / (len(training.seen) + len(training.unseen))
    ratio = share if selection.ratio is None else selection.ratio
    pseudo = pseudo_unseen(training, ratio=ratio, holdout=selection.holdout, seed=settings.seed, fold=fold)
    fit = Fit(pseudo.training(), settings, device, phase)
    points = judged_steps(settings, len(training.labels), len(fit.x))

    def judge(step: int) -> list[dict[str, Any]]:
        metrics = fit.test(last(fit.models(run, step)), pseudo.tests())
        epoch = step / fit.epoch_steps
        run.display.say(f"{phase}, epoch {epoch:.0f}: {headline(metrics)}")
        found = {"candidate": points.index(step), "fold": fold, "epoch": epoch, **metrics.headline()}
        return [found | {"curve": metrics.curve.thin().to_json()}]

    fit.run(run, points[-1], set(points), judge)


def choose(judged: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The candidate and the calibration constant of greatest mean H over the folds."""
    candidates: dict[int, list[dict[str, Any]]] = {}
    for one in chain.from_iterable(judged):
        candidates.setdefault(one["candidate"], []).append(one)

    def judge(folds: list[dict[str, Any]]) -> dict[str, Any]:
        constant, h = best_constant([Curve.from_json(one["curve"]) for one in folds])
        epoch = sum(one["epoch"] for one in folds) / len(folds)
        return {"epoch": epoch, "constant": constant, "validation_H": h}

    return max(map(judge, candidates.values()), key=lambda choice: choice["validation_H"])


def published(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Evaluate on the test sets while training, softmax epochs included, and keep the best H: selected on test."""
    training, tests = dataset.training(), dataset.tests()
    fit = Fit(training, settings, device, "training")
    points = judged_steps(settings, len(training.labels), len(fit.x))

    def found() -> list[dict[str, Any]]:
        return [one for event in run.events("judged") for one in event["found"]]

    def judge(step: int) -> list[dict[str, Any]]:
        best_h, best_state, here = max((one["H"] for one in found()), default=-1.0), None, []
        for softmax_epoch, model in enumerate(fit.models(run, step), 1):
            metrics = fit.test(model, tests)
            here.append({"epoch": step / fit.epoch_steps, "softmax_epoch": softmax_epoch, **metrics.headline()})
            if metrics.H > best_h:
                best_h = metrics.H
                best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if best_state:
            run.save_best(best_state)
        run.display.say(f"epoch {step / fit.epoch_steps:.0f}: best H so far {best_h:.1f} (selected on test)")
        return here

    fit.run(run, points[-1], set(points), judge)
    best = max(found(), key=lambda one: one["H"])
    chosen = {
        "epoch": best["epoch"],
        "softmax_epoch": best["softmax_epoch"],
        "constant": 0.0,
        "test_H": best["H"],
    }
    model = ZeroShotModel.from_tensors(run.load_best(), settings).to(device)
    return Outcome(model, fit.test(model, tests), chosen, test_reads=len(found()) + 1)


def last(models: Iterator[ZeroShotModel]) -> ZeroShotModel:
    """The last of an iterator of models."""
    return deque(models, maxlen=1)[0]


def headline(metrics: Metrics) -> str:
    """T1, U, S, H in a line."""
    return "  ".join(f"{name} {getattr(metrics, name):.1f}" for name in ("T1", "U", "S", "H"))


PROTOCOLS: dict[str, Callable[[ZeroShotDataset, Settings, Run, torch.device], Outcome]] = {
    "validated": validated,
    "published": published,
}
