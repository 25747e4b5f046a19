"""The events of a run, one a line of ``history.jsonl``: the truth about how it went."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ..files import as_json

__all__ = ["Event", "JudgedEvent", "RankedEvent", "TrainEvent", "event_line", "read_event"]


@dataclass(frozen=True)
class TrainEvent:
    """Loss terms of one training step.

    Attributes:
        phase: name of the fit.
        step: number of steps done.
        losses: by term.
    """

    phase: str
    step: int
    losses: dict[str, float]


@dataclass(frozen=True)
class JudgedEvent:
    """Candidates that were judged.

    Attributes:
        phase: name of the fit.
        step: number of steps it had done.
        last: whether the fit has nothing more to judge.
        on: on which samples.
        h: the greatest H found, in percent; on pseudo-unseen classes at the best constant of a candidate's own curve,
            as no other fold is known yet.
        found: the candidates, as `gsmflow.selection.Judged.to_json` gives them.
    """

    phase: str
    step: int
    last: bool
    on: Literal["validation", "test"]
    h: float
    found: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class RankedEvent:
    """All candidates of one stage over all folds, in the order in which they were judged first; the best was chosen.

    Attributes:
        stage: which, as in `gsmflow.selection.Judged`.
        h: mean H of each over the folds, at the constant that is best for it, in percent.
        by_fold: H of each on each fold.
        chosen: the place of the one that won; None: the first of greatest ``h``.
    """

    stage: str
    h: tuple[float, ...]
    by_fold: tuple[tuple[float, ...], ...]
    chosen: int | None = None


Event = TrainEvent | JudgedEvent | RankedEvent
KINDS: dict[str, Any] = {"train": TrainEvent, "judged": JudgedEvent, "ranked": RankedEvent}


def event_line(event: Event) -> bytes:
    """An event as a line of JSON."""
    name = next(name for name, kind in KINDS.items() if isinstance(event, kind))
    return as_json({"event": name} | vars(event))


def read_event(line: str) -> Event:
    """The event of a line.

    Raises:
        ValueError: if it is none.
    """
    content = json.loads(line)
    name = content.pop("event", None) if isinstance(content, dict) else None
    if name not in KINDS:
        raise ValueError(f"there is no event {name!r}")
    return _adapter(name).validate_python(content)


@cache
def _adapter(name: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(KINDS[name])
