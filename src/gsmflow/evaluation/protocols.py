"""The two protocols: how a model is chosen, and when test labels are read.

``validated``: every choice is made on pseudo-unseen classes cut out of trainval; the model is then trained on all of
trainval, and the test sets are read once. ``published``: what the field's released code does; each evaluation reads
the test sets and the best one is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any

import torch

from ..data import TrainingSet, ZeroShotDataset, pseudo_unseen
from ..errors import InputError
from ..fitting import Fit
from ..generators.gaussian import only
from ..model import ZeroShotModel
from ..recipes import assign, grid_points
from ..recognizers import recognizers_for
from ..runs import Run
from ..settings import Settings
from ..training import steps_per_epoch
from .metrics import Curve, Metrics, best_constant

__all__ = ["PROTOCOLS", "SELECTED_ON", "Outcome", "published", "validated"]

CURVE_POINTS = 64
"""Points of the seen-unseen curve that are kept of each candidate."""

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

    ``selection.every`` and ``after`` count iterations on all of trainval, ``evaluations`` spreads them over training; a
    fold has fewer in an epoch, and is judged after the same share of training. The last step is always judged.
    """
    whole = steps_per_epoch(samples, settings.training.batch)
    part = steps_per_epoch(fit_samples, settings.training.batch)
    selection, last = settings.selection, whole * settings.training.epochs
    every = last / selection.evaluations if selection.evaluations else selection.every
    points = [round(place * every) for place in range(int(last / every) + 1)]
    points = [step for step in points if step > selection.after]
    return sorted({round(step * part / whole) for step in points} | {part * settings.training.epochs})


def validated(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Choose on pseudo-unseen classes, train on all of trainval with the choices made, read the tests once."""
    training = dataset.training()
    settings, before = with_closed_form(training, settings, run, device)
    chosen = choose_on_folds(training, settings, "", run, device)
    settings = assign(settings, chosen["grid"])
    chosen |= before | {"grid": before.get("grid", {}) | chosen["grid"]}

    fit = Fit(training, settings, device, "final")
    steps = fit.make(run, chosen["choice"])
    model = last(fit.models(run, chosen["recognizer"], steps))
    model.constant.fill_(chosen["constant"])
    return Outcome(model, fit.test(model, dataset.tests(), float(model.constant)), chosen, test_reads=1)


def with_closed_form(
    training: TrainingSet, settings: Settings, run: Run, device: torch.device
) -> tuple[Settings, dict[str, Any]]:
    """Where the flow stands on the closed form, fix the constants of that first, chosen on the same folds.

    A scaling of the features that the grid lists is chosen with them, and no longer in the grid.
    """
    if settings.generator != "residual-flow":
        return settings, {}
    of_base = tuple(line for line in settings.grid if line.startswith(("scaling", "gaussian.")))
    alone = replace(settings, generator="gaussian", recognizer="likelihood", grid=of_base)
    chosen = choose_on_folds(training, alone, "closed form, ", run, device)
    rest = tuple(line for line in settings.grid if line not in of_base)
    settings = assign(replace(settings, grid=rest), chosen["grid"])
    settings = replace(settings, gaussian=replace(settings.gaussian, **only(chosen["choice"])))
    return settings, {"closed_form": chosen["choice"], "grid": chosen["grid"]}


def choose_on_folds(
    training: TrainingSet, settings: Settings, stage: str, run: Run, device: torch.device
) -> dict[str, Any]:
    """Judge all candidates on all folds, and choose.

    Raises:
        InputError: if there are more folds than seen classes.
    """
    folds = settings.selection.folds
    if folds > len(training.seen):
        raise InputError(
            f"{folds} folds of pseudo-unseen classes need as many seen classes, and there are {len(training.seen)}: "
            f"lower --selection.folds to {len(training.seen)} or less."
        )
    judged = []
    for fold, tried in product(range(folds), grid_points(settings.grid, lambda key: not is_of_softmax(key))):
        name = ", ".join([f"{stage}fold {fold + 1} of {folds}", *(f"{key} {value}" for key, value in tried.items())])
        judged += judge_fold(training, assign(settings, tried), tried, fold, name, run, device)
    chosen = choose(judged)
    choice = ", ".join(
        f"{name} {value}" for name, value in {**chosen["choice"], **chosen["grid"], "by": chosen["recognizer"]}.items()
    )
    run.display.say(f"{stage}chosen on pseudo-unseen classes: {choice}; validation H {chosen['validation_H']:.1f}")
    run.display.note_best("validation H", chosen["validation_H"], "")
    return chosen


def is_of_softmax(key: str) -> bool:
    """Whether a setting is of the recognizer, so that trying another value asks for no other generator."""
    return key.startswith("softmax.")


def judge_fold(
    training: TrainingSet,
    settings: Settings,
    tried: dict[str, str],
    fold: int,
    phase: str,
    run: Run,
    device: torch.device,
) -> list[list[dict[str, Any]]]:
    """Fit on one split into pseudo-seen and pseudo-unseen classes; log and return what each candidate reaches."""
    selection = settings.selection
    if run.events("judged", phase=phase, last=True):
        return [event["found"] for event in run.events("judged", phase=phase)]
    share = len(training.unseen) / (len(training.seen) + len(training.unseen))
    ratio = share if selection.ratio is None else selection.ratio
    pseudo = pseudo_unseen(training, ratio=ratio, holdout=selection.holdout, seed=settings.seed, fold=fold)
    fit, tests = Fit(pseudo.training(), settings, device, phase), pseudo.tests()
    of_softmax = grid_points(settings.grid, is_of_softmax)
    ways = [
        (kind, drawn) for kind in recognizers_for(settings) for drawn in (of_softmax if kind == "softmax" else [{}])
    ]

    def judge(place: int, choice: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for kind, drawn in ways:
            model = last(fit.models(run, kind, place, settings=assign(settings, drawn)))
            metrics = fit.test(model, tests)
            if run.display.verbose or not fit.is_closed_form:
                run.display.mention(f"{phase}, {spelled(choice | drawn)}, {kind}: {headline(metrics)}")
            made = {"choice": choice, "recognizer": kind, "grid": tried | drawn}
            found.append({"candidate": place, **made, "fold": fold, **metrics.headline()})
            found[-1]["curve"] = metrics.curve.thin(CURVE_POINTS).to_json()
        return found

    fit.judge_candidates(run, judged_steps(settings, len(training.labels), len(fit.x)), judge)
    return [event["found"] for event in run.events("judged", phase=phase)]


def choose(judged: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The candidate, recognizer, grid point and calibration constant of greatest mean H over the folds."""
    candidates: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in chain.from_iterable(judged):
        candidates.setdefault((one["candidate"], one["recognizer"], *one["grid"].items()), []).append(one)

    def judge(folds: list[dict[str, Any]]) -> dict[str, Any]:
        curves = [Curve.from_json(one["curve"]) for one in folds]
        constant, h = best_constant(curves)
        choice = folds[0]["choice"]
        if "epoch" in choice:  # folds of unequal size stop at slightly unequal shares of an epoch
            choice = {"epoch": sum(one["choice"]["epoch"] for one in folds) / len(folds)}
        return {
            "choice": choice,
            "grid": folds[0]["grid"],
            "recognizer": folds[0]["recognizer"],
            "constant": constant,
            "validation_H": h,
            "validation_H_by_fold": {
                str(one["fold"]): float(c.harmonic_at(constant)) for one, c in zip(folds, curves, strict=True)
            },
        }

    return max(map(judge, candidates.values()), key=lambda choice: choice["validation_H"])


def published(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Evaluate on the test sets while training, softmax epochs included, and keep the best H: selected on test."""
    training, tests = dataset.training(), dataset.tests()
    settings, before = with_closed_form(training, settings, run, device)
    fit = Fit(training, settings, device, "training")
    kinds = recognizers_for(settings)

    def found() -> list[dict[str, Any]]:
        return [one for event in run.events("judged", phase=fit.phase) for one in event["found"]]

    def judge(place: int, choice: dict[str, Any]) -> list[dict[str, Any]]:
        best_h, best_state, here = run.best_h, None, []
        for kind in kinds:
            for epoch, model in enumerate(fit.models(run, kind, place), 1):
                metrics = fit.test(model, tests)
                here.append({"choice": choice, "recognizer": kind, "recognizer_epoch": epoch, **metrics.headline()})
                if best_h < metrics.H:
                    best_h = metrics.H
                    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if best_state:
            run.save_best(best_state, best_h)
        if run.display.verbose or not fit.is_closed_form:
            run.display.say(f"{spelled(choice)}: best H so far {best_h:.1f} (selected on test)")
        return here

    run.best_h = max((one["H"] for one in found()), default=-1.0)
    fit.judge_candidates(run, judged_steps(settings, len(training.labels), len(fit.x)), judge)
    best = max(found(), key=lambda one: one["H"])
    chosen = {name: best[name] for name in ("choice", "recognizer", "recognizer_epoch")}
    model = ZeroShotModel.from_tensors(run.load_best(), settings, best["recognizer"]).to(device)
    metrics = fit.test(model, tests)
    return Outcome(
        model, metrics, chosen | before | {"constant": 0.0, "test_H": best["H"]}, test_reads=len(found()) + 1
    )


def last(models: Iterator[ZeroShotModel]) -> ZeroShotModel:
    """The last of an iterator of models."""
    return deque(models, maxlen=1)[0]


def spelled(choice: dict[str, Any]) -> str:
    """What was tried, in a line."""
    return ", ".join(f"{name} {value:.0f}" if name == "epoch" else f"{name} {value}" for name, value in choice.items())


def headline(metrics: Metrics) -> str:
    """T1, U, S, H in a line."""
    return "  ".join(f"{name} {getattr(metrics, name):.1f}" for name in ("T1", "U", "S", "H"))


PROTOCOLS: dict[str, Callable[[ZeroShotDataset, Settings, Run, torch.device], Outcome]] = {
    "validated": validated,
    "published": published,
}
