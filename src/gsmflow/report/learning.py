"""How a run went, from its history: losses by step, and what each candidate reached where it was judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ..evaluation.metrics import Curve, best_constant

__all__ = ["Judging", "Line", "judgings", "losses"]

Event = dict[str, Any]
CLOSED_FORM = "closed form, "
"""What the phases in which a flow's closed form is chosen begin with."""


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
    choices: tuple[dict[str, Any], ...]


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
        >>> losses([{"event": "train", "phase": "final", "step": 20, "likelihood": 1.5}])
        {'likelihood': {'final': [(20, 1.5)]}}
    """
    terms: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for event in history:
        if event["event"] == "train":
            for term, value in event.items():
                if term not in ("event", "phase", "step") and value is not None:
                    terms.setdefault(term, {}).setdefault(event["phase"], []).append((event["step"], value))
    return terms


def judgings(history: Sequence[Event]) -> list[Judging]:
    """What was judged in each stage of a run: the closed form that a flow starts at, if any, then the run's own."""
    judged = [event for event in history if event["event"] == "judged" and event["found"]]
    first = [event for event in judged if event["phase"].startswith(CLOSED_FORM)]
    own = [event for event in judged if not event["phase"].startswith(CLOSED_FORM)]
    stages = {"The closed form that the flow starts at": first, "": own}
    return [stage(title, events) for title, events in stages.items() if events]


def stage(title: str, events: Sequence[Event]) -> Judging:
    """Group what was found into lines of candidates."""
    found = list(chain.from_iterable(event["found"] for event in events))
    on_test = any("curve" not in one for one in found)
    by_epoch = "epoch" in found[0]["choice"]
    candidates: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for one in found:
        grid = (f"{key} {value}" for key, value in one.get("grid", {}).items())
        place = one.get("candidate", json.dumps(one["choice"], sort_keys=True))
        candidates.setdefault((", ".join([one["recognizer"], *grid]), place), []).append(one)
    lines: dict[str, list[tuple[float, float, tuple[float, ...], dict[str, Any]]]] = {}
    for (label, _), group in candidates.items():
        points = lines.setdefault(label, [])
        h, folds = best_of_epochs(group) if on_test else over_folds(group)
        epochs = [one["choice"].get("epoch") for one in group]
        x = float(np.mean(epochs)) if by_epoch else len(points) + 1.0
        points.append((x, h, folds, group[0]["choice"]))
    return Judging(title, by_epoch, on_test, tuple(Line(label, *zip(*lines[label], strict=True)) for label in lines))


def over_folds(group: Sequence[Event]) -> tuple[float, tuple[float, ...]]:
    """H of one candidate as the validated protocol sees it: at the constant that is best for the mean over folds."""
    curves = [Curve.from_json(one["curve"]) for one in group]
    constant, h = best_constant(curves)
    return h, tuple(float(curve.harmonic_at(constant)) for curve in curves)


def best_of_epochs(group: Sequence[Event]) -> tuple[float, tuple[float, ...]]:
    """H of one candidate as the published protocol sees it: at the best epoch of its recognizer."""
    return max(one["H"] for one in group), ()
