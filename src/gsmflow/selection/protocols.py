"""The protocols: how a model is chosen, and when test labels are read.

``validated``: every choice is made on pseudo-unseen classes cut out of trainval; the model is then trained on all of
trainval, and the test sets are read once. ``published``: what the field's released code does; each evaluation reads
the test sets and the best one is reported. ``fixed``: nothing is chosen.

To add a protocol, write a function like `validated` and a line in `PROTOCOLS`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import torch

from ..data import ZeroShotDataset
from ..errors import InputError
from ..evaluation.metrics import Metrics, measure_recognizer
from ..generators import ClosedForm, generator_kind
from ..model import About, ZeroShotModel
from ..overrides import assign, grid_points
from ..recognizers import recognizers_for
from ..runs import RankedEvent, Run
from ..settings import Settings
from .adapted import adapted
from .candidates import Choice, Chosen, Judged, Stage, choose, rank, winner
from .fit import Fit, Problem
from .folds import Folds, judged_steps

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
    for sentence in folds.reservations:
        run.display.say(f"warning: {sentence}")
    settings, before = with_closed_form(folds, settings, run)
    chosen = choose_on_folds(folds, settings, "fold", run)
    final = settled(settings, chosen)
    if before:
        chosen = replace(chosen, closed_form=before.choice, grid={**before.grid, **chosen.grid})
    return replace(finished(dataset, whole, final, chosen, run), reservations=folds.reservations)


def finished(dataset: ZeroShotDataset, whole: Problem, settings: Settings, chosen: Chosen, run: Run) -> Outcome:
    """Train on all of trainval what was chosen; only then read the tests, once."""
    fit = Fit(whole, settings, "final")
    steps = fit.make(run, chosen.choice)
    model = last(fit.models(run, chosen.recognizer, steps, settings=settings))
    model.constant = chosen.constant
    has_tests = bool(len(dataset.test_seen) or len(dataset.test_unseen))
    return Outcome(model, tested(model, dataset), chosen, test_reads=int(has_tests))


def tested(model: ZeroShotModel, dataset: ZeroShotDataset) -> Metrics:
    """The result of a final model at its constant."""
    return measure_recognizer(
        model, dataset.tests(), dataset.seen, dataset.unseen, constant=model.constant, to_tensor=model.tensor
    )


def settled(settings: Settings, chosen: Chosen) -> Settings:
    """Settings that hold what was chosen alone: those of the final model."""
    settings = assign(settings, chosen.grid)
    if issubclass(generator_kind(settings.generator).kind, ClosedForm):
        settings = with_choice(settings, settings.generator, chosen.choice)
    return replace(settings, recognizer=chosen.recognizer, grid=())


def with_choice(settings: Settings, closed_form: str, choice: Choice) -> Settings:
    """Settings that list one choice of a closed form alone."""
    kind, sections = generator_kind(closed_form)
    assert issubclass(kind, ClosedForm)
    return replace(settings, **{name: kind.only(getattr(settings, name), choice) for name in sections})


def with_closed_form(folds: Folds, settings: Settings, run: Run) -> tuple[Settings, Chosen | None]:
    """Where the generator stands on a closed form, fix the constants of that first, chosen on the same folds.

    A scaling of the features or a weight of text that the grid lists is chosen with them, and no longer in the grid.
    """
    base = stands_on(settings)
    if base is None:
        return settings, None
    sections = generator_kind(base).sections
    its_own = ("scaling", "text_weight", *sections)
    of_base = tuple(line for line in settings.grid if line.partition("=")[0].split(".")[0] in its_own)
    alone = replace(settings, generator=base, recognizer="likelihood", grid=of_base)
    chosen = choose_on_folds(folds, alone, "closed form", run)
    settings = replace(settings, grid=tuple(line for line in settings.grid if line not in of_base))
    return with_choice(assign(settings, chosen.grid), base, chosen.choice), chosen


def stands_on(settings: Settings) -> str | None:
    """The name of the closed form that the generator stands on, if it stands on one."""
    return getattr(generator_kind(settings.generator).kind, "stands_on", None)


def choose_on_folds(folds: Folds, settings: Settings, stage: Stage, run: Run) -> Chosen:
    """Judge all candidates on all folds, and choose."""
    judged = []
    prefix = "closed form, " if stage == "closed form" else ""
    for fold, tried in product(range(folds.count), grid_points(settings.grid, lambda key: not is_of_softmax(key))):
        words = [f"{prefix}fold {fold + 1} of {folds.count}", *(f"{key} {value}" for key, value in tried.items())]
        fit = Fit(folds.cut(fold), assign(settings, tried), ", ".join(words))
        judged += judge_fold(fit, folds.samples, tried, stage, fold, run)
    ranked = rank(judged, folds.samples_a_class)
    chosen = choose(ranked)
    h, by_fold = tuple(one.h for one in ranked), tuple(one.by_fold for one in ranked)
    run.log_ranking(RankedEvent(stage, h, by_fold, winner(ranked)))
    run.display.say(f"{prefix}chosen on pseudo-unseen classes: {chosen}; validation H {chosen.validation_H:.1f}")
    run.display.note_best("validation H", chosen.validation_H or 0.0, "")
    return chosen


def is_of_softmax(key: str) -> bool:
    """Whether a setting is of the recognizer, so that trying another value asks for no other generator."""
    return key.startswith("softmax.")


def judge_fold(fit: Fit, samples: int, tried: Mapping[str, str], stage: Stage, fold: int, run: Run) -> list[Judged]:
    """Let every candidate of one fit be judged, with each recognizer and each point of the grid that is its own."""
    settings = fit.settings
    of_softmax = grid_points(settings.grid, is_of_softmax)
    ways = [
        (kind, drawn) for kind in recognizers_for(settings) for drawn in (of_softmax if kind == "softmax" else [{}])
    ]

    def judge(place: int, choice: Choice) -> list[Judged]:
        found = []
        for kind, drawn in ways:
            model = last(fit.models(run, kind, place, tried=drawn, settings=assign(settings, drawn)))
            metrics = fit.test(model)
            if run.display.verbose or not isinstance(fit.generator, ClosedForm):
                run.display.mention(
                    f"{fit.phase}, {spelled({**choice, **drawn})}, {kind}, without a constant: {headline(metrics)}"
                )
            found.append(
                Judged.of(
                    metrics,
                    keep_curve=True,
                    stage=stage,
                    candidate=place,
                    choice=choice,
                    recognizer=kind,
                    grid={**tried, **drawn},
                    fold=fold,
                )
            )
        return found

    return fit.judge_candidates(run, judged_steps(settings, samples, len(fit.x)), judge)


def published(dataset: ZeroShotDataset, settings: Settings, run: Run, device: torch.device) -> Outcome:
    """Evaluate on the test sets while training, softmax epochs included, and keep the best H: selected on test."""
    settings = adapted(settings, dataset, run.display, chooses=False)
    whole = Problem.of(dataset.training(), dataset.tests(), device)
    if not len(dataset.test_seen) or not len(dataset.test_unseen):
        raise InputError("The published protocol selects on test, and a test set is empty: use the validated protocol.")
    before = None
    if stands_on(settings):
        settings, before = with_closed_form(Folds(whole, settings), settings, run)
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


def last(models: Iterator[ZeroShotModel]) -> ZeroShotModel:
    """The last of an iterator of models."""
    return deque(models, maxlen=1)[0]


def spelled(choice: Choice) -> str:
    """What was tried, in a line."""
    return ", ".join(f"{name} {value:.0f}" if name == "epoch" else f"{name} {value}" for name, value in choice.items())


def headline(metrics: Metrics) -> str:
    """T1, U, S, H in a line."""
    return "  ".join(f"{name} {getattr(metrics, name):.1f}" for name in ("T1", "U", "S", "H"))


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
