"""How a run went, from its history: losses by step, and what each candidate reached where it was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..runs import JudgedEvent, RankedEvent, TrainEvent
from ..runs.history import Event
from ..selection import Judged

__all__ = ["Judging", "Line", "judgings", "losses"]

TITLES = {"closed form": "The closed form that the flow starts at", "fold": "", "final": ""}
"""Stages of a run in their order, and how each is called where there are several."""


@dataclass(frozen=True)
class Line:
    """H of candidates that differ in one thing only.

    Attributes:
        label: what they share: recognizer and point of the grid.
        x: epochs, or numbers of candidates counted from 1.
        h: mean H over folds of each, in percent.
        folds: H on each fold of each.
        choices: what each candidate is.
    """

    label: str
    x: tuple[float, ...]
    h: tuple[float, ...]
    folds: tuple[tuple[float, ...], ...]
    choices: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Judging:
    """All candidates of one stage of a run.

    Attributes:
        title: such as ``closed form, chosen first``.
        by_epoch: whether candidates are epochs, not settings of a closed form.
        on_test: whether the test sets judged.
        lines: the candidates.
    """

    title: str
    by_epoch: bool
    on_test: bool
    lines: tuple[Line, ...]

    @property
    def best(self) -> tuple[Line, int]:
        """The candidate of greatest H: its line and its place there."""
        return max(((line, i) for line in self.lines for i in range(len(line.h))), key=lambda at: at[0].h[at[1]])


def losses(history: Sequence[Event]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Steps and values of each loss term, by term and phase.

    Example:
        >>> losses([TrainEvent("final", 20, {"likelihood": 1.5})])
        {'likelihood': {'final': [(20, 1.5)]}}
    """
    terms: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for event in history:
        if isinstance(event, TrainEvent):
            for term, value in event.losses.items():
                terms.setdefault(term, {}).setdefault(event.phase, []).append((event.step, value))
    return terms


def judgings(history: Sequence[Event]) -> list[Judging]:
    """What was judged in each stage of a run: the closed form that a flow starts at, if any, then the run's own.

    Raises:
        InputError: if the history does not tell.
    """
    stages: dict[str, list[Judged]] = {}
    try:
        for event in history:
            for content in event.found if isinstance(event, JudgedEvent) else ():
                judged = Judged.from_json(content)
                stages.setdefault(judged.stage, []).append(judged)
        ranked = {event.stage: event for event in history if isinstance(event, RankedEvent)}
        return [stage(TITLES[name], stages[name], ranked.get(name)) for name in TITLES if name in stages]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"history.jsonl is damaged ({error}): run it again in another folder.") from error


def stage(title: str, found: Sequence[Judged], ranked: RankedEvent | None) -> Judging:
    """Group what was found into lines of candidates.

    Args:
        title: of the stage.
        found: all candidates.
        ranked: H of each over the folds; None where the test sets judged, and the best epoch of a recognizer counts.
    """
    candidates: dict[tuple[Any, ...], list[Judged]] = {}
    for one in found:
        candidates.setdefault(one.key, []).append(one)
    by_epoch = "epoch" in found[0].choice
    lines: dict[str, list[tuple[float, float, tuple[float, ...], Mapping[str, Any]]]] = {}
    for place, group in enumerate(candidates.values()):
        first = group[0]
        label = ", ".join([first.recognizer, *(f"{key} {value}" for key, value in first.grid.items())])
        points = lines.setdefault(label, [])
        x = sum(one.choice["epoch"] for one in group) / len(group) if by_epoch else len(points) + 1.0
        h, folds = (ranked.h[place], ranked.by_fold[place]) if ranked else (max(one.H for one in group), ())
        points.append((x, h, folds, first.choice))
    return Judging(
        title, by_epoch, ranked is None, tuple(Line(label, *zip(*lines[label], strict=True)) for label in lines)
    )
