"""The protocols: how a model is chosen, and when test labels are read.

``validated``: every choice is made on pseudo-unseen classes cut out of trainval; the model is then trained on all of
trainval, and the test sets are read once. ``published``: what the field's released code does; each evaluation reads
the test sets and the best one is reported. ``fixed``: nothing is chosen.

To add a protocol, write a function like `validated` and a line in `PROTOCOLS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..data import ZeroShotDataset
from ..errors import InputError
from ..evaluation.metrics import Metrics, measure_recognizer
from ..generators import ClosedForm, generator_kind
from ..model import About, Teaching, ZeroShotModel
from ..recognizers import recognizers_for
from ..runs import Run
from ..settings import Settings
from .adapted import adapted
from .again import fold_models, is_quick
from .calibration import UNCALIBRATED, Softening, calibrate, measure_calibration, softened
from .candidates import Choice, Chosen, Judged, Ranked, choose, winner
from .checks import stands_on
from .fit import Fit, Problem
from .folds import Folds, judged_steps
from .search import (
    judge_on_folds,
    judge_simpler,
    last,
    settled,
    spelled,
    told,
    with_closed_form,
)
from .teaching import choose_teaching

__all__ = ["PROTOCOLS", "Outcome", "Protocol", "fixed", "protocol_named", "published", "validated"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a protocol ends with.

    Attributes:
        model: the final model, with the calibration constant that was chosen.
        metrics: its result on the test sets.
        chosen: what was chosen, and the number that it was chosen by.
        test_reads: how often test labels were read; 0 where there are none.
        reservations: what speaks against believing the choice, a sentence each.
    """

    model: ZeroShotModel
    metrics: Metrics
    chosen: Chosen
    test_reads: int
    reservations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """A way to choose a model.

    Attributes:
        name: as ``--protocol`` takes it.
        title: over its tables.
        selected_on: which samples the choice was made on.
        mark: of its points in pictures, as matplotlib takes it.
        choose: from a data set, all settings, a run and a device to the outcome.
    """

    name: str
    title: str
    selected_on: str
    mark: str
    choose: Callable[[ZeroShotDataset, Settings, Run, torch.device], Outcome]


def validated(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Choose on pseudo-unseen classes, train on all of trainval with the choices made, read the tests once."""
    settings = adapted(settings, dataset, run.display, chooses=True)
    whole = Problem.of(dataset.training(), None, device)
    folds = Folds(whole, settings)
    if folds.note:
        run.display.say(folds.note)
    for sentence in folds.reservations:
        run.display.say(f"warning: {sentence}")
    asked = settings
    settings, before = with_closed_form(folds, settings, run)
    own = judge_on_folds(folds, settings, "fold", run)
    simpler = judge_simpler(folds, asked, run) if before else []
    best = [ranked[winner(ranked, cautious=folds.are_few)] for ranked in (own, simpler) if ranked]
    chosen = told(run, choose(best, cautious=folds.are_few))
    is_simpler = "generator" in chosen.grid
    if before:
        chosen = replace(chosen, verdict=verdict(best, chosen, settings.generator))
        run.display.say(str(chosen.verdict))
    final = settled(asked if is_simpler else settings, chosen)
    if before and not is_simpler:
        chosen = replace(chosen, closed_form=before.choice, grid={**before.grid, **chosen.grid})
    models = fold_models(folds, final, chosen, run) if is_quick(final) else []
    softening = calibrate(models, folds, whole, lambda fewer: fold_models(fewer, final, chosen, run, "fewer samples"))
    run.display.say(str(softening) if softening else UNCALIBRATED)
    teaching = choose_teaching(models, final.seed)
    if teaching:
        run.display.say(str(teaching))
    return replace(finished(dataset, whole, final, chosen, run, teaching, softening), reservations=folds.reservations)


def verdict(best: Sequence[Ranked], chosen: Chosen, generator: str) -> str:
    """Which method won on the folds, in words: of the best of the generator, and that of simpler methods if any."""
    flow, other = best[0].kept_h, best[-1].kept_h
    if "generator" in chosen.grid:
        return (
            f"the simpler {chosen.grid['generator']} won on the folds (H {other:.1f}, the {generator} {flow:.1f}): the "
            "final model is that"
        )
    beside = f" (H {flow:.1f}, simpler methods {other:.1f}" if len(best) > 1 else f" (H {flow:.1f}"
    beside += ", which is within the standard error)" if other > flow else ")"
    if not chosen.choice.get("epoch"):
        return f"the closed form itself won on the folds{beside}: the flow was not trained further"
    epochs = f"{chosen.choice['epoch']:.3g} epochs"
    return f"the {generator}, trained from the closed form for {epochs}, won on the folds{beside}"


def finished(
    dataset: ZeroShotDataset,
    whole: Problem,
    settings: Settings,
    chosen: Chosen,
    run: Run,
    teaching: Teaching | None = None,
    softening: Softening | None = None,
) -> Outcome:
    """Train on all of trainval what was chosen; only then read the tests, once."""
    fit = Fit(whole, settings, "final")
    steps = fit.make(run, chosen.choice)
    model = last(fit.models(run, chosen.recognizer, steps, settings=settings))
    model.constant = chosen.constant
    model.about = replace(softened(model, softening or Softening()).about, teaching=teaching or Teaching())
    has_tests = bool(len(dataset.test_seen) or len(dataset.test_unseen))
    return Outcome(model, tested(model, dataset), chosen, test_reads=int(has_tests))


def tested(model: ZeroShotModel, dataset: ZeroShotDataset) -> Metrics:
    """The result of a final model at its constant."""
    tests = dataset.tests()
    metrics = measure_recognizer(
        model, tests, dataset.seen, dataset.unseen, constant=model.constant, to_tensor=model.tensor
    )
    return replace(metrics, calibration=measure_calibration(model, tests))


def published(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Evaluate on the test sets while training, softmax epochs included, and keep the best H: selected on test."""
    settings = adapted(settings, dataset, run.display, chooses=False)
    whole = Problem.of(dataset.training(), dataset.tests(), device)
    if not len(dataset.test_seen) or not len(dataset.test_unseen):
        raise InputError("The published protocol selects on test, and a test set is empty: use the validated protocol.")
    before = None
    if stands_on(settings):
        settings, before = with_closed_form(Folds(whole, settings), settings, run)
        if settings.simpler:
            run.display.say(f"the published protocol tries no simpler methods: {', '.join(settings.simpler)}")
    if settings.grid:
        run.display.say(f"the published protocol tries no grid: {', '.join(settings.grid)} is left out")
        settings = replace(settings, grid=())
    fit = Fit(whole, settings, "training")
    kinds = recognizers_for(settings)

    best_h = max((event.h for event in run.judged(fit.phase)), default=-1.0)

    def judge(place: int, choice: Choice) -> list[Judged]:
        nonlocal best_h
        best_state, here = None, []
        for kind in kinds:
            for epoch, model in enumerate(fit.models(run, kind, place, settings=settings), 1):
                judged = Judged.of(
                    fit.test(model),
                    keep_curve=False,
                    stage="final",
                    candidate=place,
                    choice=choice,
                    recognizer=kind,
                    recognizer_epoch=epoch,
                )
                here.append(judged)
                if best_h < judged.H:
                    best_h = judged.H
                    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if best_state:
            run.save_best(best_state)
        if run.display.verbose or not isinstance(fit.generator, ClosedForm):
            run.display.say(f"{spelled(choice)}: best H so far {best_h:.1f} (selected on test)")
        return here

    found = fit.judge_candidates(run, judged_steps(settings, len(whole.training.labels), len(fit.x)), judge)
    best = max(found, key=lambda one: one.H)
    chosen = Chosen(best.choice, best.recognizer, recognizer_epoch=best.recognizer_epoch, test_H=best.H)
    final = settled(settings, chosen)
    if before:
        chosen = replace(chosen, closed_form=before.choice, grid=before.grid)
    about = About.of(whole.training, final, best.recognizer)
    model = ZeroShotModel.from_tensors(run.load_best(), about).to(device)
    return Outcome(model, tested(model, dataset), chosen, test_reads=len(found) + 1)


def fixed(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Choose nothing: the first of each listed value, all epochs, no constant; read the tests once.

    For problems with too few classes to take any for unseen.
    """
    settings = adapted(settings, dataset, run.display, chooses=False)
    whole = Problem.of(dataset.training(), None, device)
    recognizer, *_ = recognizers_for(settings)
    settings = replace(settings, grid=(), recognizer=recognizer)
    is_closed = issubclass(generator_kind(settings.generator).kind, ClosedForm)
    choice = {} if is_closed else {"epoch": float(settings.training.epochs)}
    return finished(dataset, whole, settings, Chosen(choice, recognizer), run)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "validated",
            "validated: chosen on pseudo-unseen classes, test sets read once",
            "pseudo-unseen classes",
            "o",
            validated,
        ),
        Protocol("published", "published: selected on test", "test", "s", published),
        Protocol("fixed", "fixed: nothing was chosen, test sets read once", "nothing", "^", fixed),
    )
}


def protocol_named(name: str) -> Protocol:
    """A protocol of the table.

    Raises:
        InputError: if there is none of this name.
    """
    if not isinstance(name, str) or name not in PROTOCOLS:
        raise InputError(f"There is no protocol {name!r}; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
