"""Candidates judged on all folds: those of a generator, of the closed form that it stands on, of simpler methods."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from ..evaluation.metrics import Metrics
from ..generators import ClosedForm, generator_kind
from ..model import ZeroShotModel
from ..overrides import assign, grid_points
from ..recognizers import recognizers_for
from ..runs import RankedEvent, Run
from ..settings import Settings
from .candidates import Choice, Chosen, Judged, Ranked, Stage, choose, rank, winner
from .checks import stands_on
from .details import Details
from .fit import Fit
from .folds import Folds, judged_steps

__all__ = [
    "headline",
    "judge_on_folds",
    "judge_simpler",
    "last",
    "settled",
    "spelled",
    "told",
    "with_choice",
    "with_closed_form",
]

PREFIXES: Mapping[Stage, str] = {"closed form": "closed form, ", "simpler": ""}

Point = Mapping[str, str]
"""A point of the grid, by dotted key."""
Wanted = Callable[[Point, Choice], bool]
"""Whether a candidate is to be judged."""


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
    chosen = choose(judge_on_folds(folds, alone, "closed form", run), cautious=folds.are_few)
    told(run, chosen, "closed form, ")
    settings = replace(settings, grid=tuple(line for line in settings.grid if line not in of_base))
    return with_choice(assign(settings, chosen.grid), base, chosen.choice), chosen


def judge_simpler(folds: Folds, settings: Settings, run: Run) -> list[Ranked]:
    """Judge the simpler methods that the settings name on the same folds; their generator stands in their grid.

    Args:
        folds: pseudo-unseen splits.
        settings: as they were asked for, before anything was chosen.
        run: is told what was judged.
    """
    judged: list[Judged] = []
    for name in settings.simpler:
        weights = tuple(line for line in settings.grid if line.startswith("text_weight="))
        alone = replace(settings, recognizer="auto", grid=(f"generator={name}", *weights))
        judged += judge_points(folds, alone, "simpler", run)
    return ranking(folds, judged, "simpler", run) if judged else []


def judge_on_folds(folds: Folds, settings: Settings, stage: Stage, run: Run) -> list[Ranked]:
    """Judge all candidates on all folds, and rank them.

    Where a closed form has `Details`, these are at their middle value at first, and all are tried for the finalists
    alone: what the best covariance is says little of which regression is best. For the plainest regressions all are
    tried whatever comes of it, so that a plain search is always a part of this one.
    """
    details = Details.of(settings)
    if not details:
        return ranking(folds, judge_points(folds, settings, stage, run), stage, run)
    judged = judge_points(folds, settings, stage, run, details.is_first)
    best = details.finalists(rank(judged, folds.samples_a_class))

    def is_second(point: Point, choice: Choice) -> bool:
        return details.same(point, choice) in best and not details.is_first(point, choice)

    judged += judge_points(folds, settings, stage, run, is_second, "in detail")
    return ranking(folds, judged, stage, run)


def judge_points(
    folds: Folds,
    settings: Settings,
    stage: Stage,
    run: Run,
    wanted: Wanted = lambda point, choice: True,
    suffix: str = "",
) -> list[Judged]:
    """Judge the candidates that are wanted of all points of the grid on all folds.

    Args:
        folds: pseudo-unseen splits.
        settings: all settings; their grid is tried.
        stage: what the candidates are of.
        run: is told what was judged.
        wanted: whether to judge a candidate; only a closed form has such that are not.
        suffix: to the names of the fits, where there are several of one point.
    """
    judged = []
    for fold, point in product(range(folds.count), grid_points(settings.grid, lambda key: not is_of_softmax(key))):
        words = [f"{PREFIXES.get(stage, '')}fold {fold + 1} of {folds.count}", *(f"{k} {v}" for k, v in point.items())]
        fit = Fit(folds.cut(fold), assign(settings, point), ", ".join([*words, *filter(None, [suffix])]))
        judged += judge_fold(fit, folds.samples, point, stage, fold, run, wanted)
    return judged


def ranking(folds: Folds, judged: Sequence[Judged], stage: Stage, run: Run) -> list[Ranked]:
    """Rank what was judged, and log it."""
    ranked = rank(judged, folds.samples_a_class)
    h, by_fold = tuple(one.h for one in ranked), tuple(one.by_fold for one in ranked)
    run.log_ranking(RankedEvent(stage, h, by_fold, winner(ranked, cautious=folds.are_few)))
    return ranked


def told(run: Run, chosen: Chosen, prefix: str = "") -> Chosen:
    """What was chosen, once it is shown."""
    run.display.say(f"{prefix}chosen on pseudo-unseen classes: {chosen}; validation H {chosen.validation_H:.1f}")
    run.display.note_best("validation H", chosen.validation_H or 0.0, "")
    return chosen


def is_of_softmax(key: str) -> bool:
    """Whether a setting is of the recognizer, so that trying another value asks for no other generator."""
    return key.startswith("softmax.")


def judge_fold(fit: Fit, samples: int, tried: Point, stage: Stage, fold: int, run: Run, wanted: Wanted) -> list[Judged]:
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

    return fit.judge_candidates(
        run, judged_steps(settings, samples, len(fit.x)), judge, lambda choice: wanted(tried, choice)
    )


def last(models: Iterator[ZeroShotModel]) -> ZeroShotModel:
    """The last of an iterator of models."""
    return deque(models, maxlen=1)[0]


def spelled(choice: Choice) -> str:
    """What was tried, in a line."""
    return ", ".join(f"{name} {value:.0f}" if name == "epoch" else f"{name} {value}" for name, value in choice.items())


def headline(metrics: Metrics) -> str:
    """T1, U, S, H in a line."""
    return "  ".join(f"{name} {getattr(metrics, name):.1f}" for name in ("T1", "U", "S", "H"))
