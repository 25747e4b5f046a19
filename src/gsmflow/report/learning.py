"""How a run went, from its history: losses by step, and what each candidate reached where it was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..runs import JudgedEvent, RankedEvent, TrainEvent
from ..runs.history import Event
from ..selection import Judged

__all__ = ["Judging", "Line", "Losses", "judgings", "losses"]

Losses = dict[str, dict[str, list[tuple[int, float]]]]
"""Steps and values, by loss term and phase."""

TITLES = {
    "closed form": "The closed form that the flow starts at",
    "fold": "",
    "simpler": "Simpler methods on the same folds",
    "final": "",
}
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
        chosen: the line of the one that was chosen, and its place there.
    """

    title: str
    by_epoch: bool
    on_test: bool
    lines: tuple[Line, ...]
    chosen: tuple[int, int]

    @property
    def best(self) -> tuple[Line, int]:
        """The candidate that was chosen: its line and its place there."""
        line, at = self.chosen
        return self.lines[line], at


def losses(history: Sequence[Event]) -> Losses:
    """Steps and values of each loss term, by term and phase.

    Example:
        >>> losses([TrainEvent("final", 20, {"nll": 1.5})])
        {'nll': {'final': [(20, 1.5)]}}
    """
    terms: Losses = {}
    for event in history:
        if isinstance(event, TrainEvent):
            for term, value in event.losses.items():
                terms.setdefault(term, {}).setdefault(event.phase, []).append((event.step, value))
    return terms


def judgings(history: Sequence[Event]) -> list[Judging]:
    """What was judged in each stage of a run: the closed form that a flow starts at, if any, then the run's own.

    Raises:
        ValueError: if the history does not tell.
    """
    stages: dict[str, list[Judged]] = {}
    for event in history:
        for content in event.found if isinstance(event, JudgedEvent) else ():
            judged = Judged.from_json(content)
            if not isinstance(judged.choice, Mapping) or not isinstance(judged.grid, Mapping):
                raise ValueError("choice and grid must be keys and values")
            stages.setdefault(judged.stage, []).append(judged)
    ranked = {event.stage: event for event in history if isinstance(event, RankedEvent)}
    unknown = (stages.keys() | ranked.keys()) - TITLES.keys()
    if unknown:
        raise ValueError(f"there is no stage {min(unknown)!r}")
    if (stages.keys() - {"final"}) != ranked.keys():
        raise ValueError("what was judged on folds and what was ranked are not the same")
    return [stage(title, stages[name], ranked.get(name)) for name, title in TITLES.items() if name in stages]


def stage(title: str, found: Sequence[Judged], ranked: RankedEvent | None) -> Judging:
    """Group what was found into lines of candidates.

    Args:
        title: of the stage.
        found: all candidates.
        ranked: H of each over the folds; None where the test sets judged, and the best epoch of a recognizer counts.

    Raises:
        ValueError: if others were ranked than were found.
    """
    candidates: dict[tuple[Any, ...], list[Judged]] = {}
    for one in found:
        candidates.setdefault(one.key, []).append(one)
    if ranked and not len(candidates) == len(ranked.h) == len(ranked.by_fold):
        raise ValueError(f"ranked were {len(ranked.h)} candidates, judged {len(candidates)}")
    by_epoch = all("epoch" in one.choice for one in found)
    lines: dict[str, list[tuple[float, float, tuple[float, ...], Mapping[str, Any]]]] = {}
    chosen, greatest = ("", 0), -1.0  # of equals the first in order of judging was chosen, whatever its line
    for place, group in enumerate(candidates.values()):
        first = group[0]
        label = ", ".join([first.recognizer, *(f"{key} {value}" for key, value in first.grid.items())])
        points = lines.setdefault(label, [])
        x = sum(one.choice["epoch"] for one in group) / len(group) if by_epoch else len(points) + 1.0
        h, folds = (ranked.h[place], ranked.by_fold[place]) if ranked else (max(one.H for one in group), ())
        is_chosen = ranked and place == ranked.chosen
        if is_chosen or (h > greatest and (ranked is None or ranked.chosen is None)):
            chosen, greatest = (label, len(points)), h
        points.append((x, h, folds, first.choice))
    drawn = tuple(Line(label, *zip(*points, strict=True)) for label, points in lines.items())
    return Judging(title, by_epoch, ranked is None, drawn, (list(lines).index(chosen[0]), chosen[1]))
