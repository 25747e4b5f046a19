"""What a search of a closed form tries first, and what it tries in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..generators import Listed, generator_kind
from ..overrides import grid_points
from ..settings import Settings
from .candidates import Choice, Ranked

__all__ = ["FINALISTS", "Details"]

FINALISTS = 12
"""Regressions, of greatest H at the middle details, for which all details are tried."""

Point = Mapping[str, str]


@dataclass(frozen=True)
class Details:
    """The details of a closed form, such as shrinkage: what matters less than the rest of a choice.

    Attributes:
        middle: the values listed in the middle, of which one or the other is tried for every candidate.
        plain: the first listed of each other text, as of the maps of semantics.
        point: the first point of the grid.
    """

    middle: Mapping[str, tuple[Any, ...]]
    plain: Mapping[str, str]
    point: Point

    @classmethod
    def of(cls, settings: Settings) -> Details | None:
        """The details of the closed form that settings name; None where it has none."""
        kind, sections = generator_kind(settings.generator)
        if not issubclass(kind, Listed) or not kind.details:
            return None
        lists = {name: values for part in sections for name, values in kind.listed(getattr(settings, part)).items()}
        middle = {name: tuple(lists[name][(len(lists[name]) - 1) // 2 :][:1]) for name in kind.details}
        plain = {name: values[0] for name, values in lists.items() if isinstance(values[0], str) and name != "kernel"}
        return cls(middle, plain, grid_points(settings.grid)[0])

    def is_first(self, point: Point, choice: Choice) -> bool:
        """Whether a candidate is tried first: one of middle details, or of the plain search, which is done in full."""
        is_plain = point == self.point and all(choice.get(name, value) == value for name, value in self.plain.items())
        return is_plain or all(choice[name] in values for name, values in self.middle.items())

    def same(self, point: Point, choice: Choice) -> tuple[Any, ...]:
        """What a candidate is but for its details."""
        rest = [(name, value) for name, value in choice.items() if name not in self.middle]
        return (*point.items(), *rest)

    def finalists(self, ranked: Sequence[Ranked]) -> set[tuple[Any, ...]]:
        """The best `FINALISTS` but for their details, each by its best candidate."""
        best: dict[tuple[Any, ...], float] = {}
        for one in ranked:
            same = self.same(one.folds[0].grid, one.folds[0].choice)
            best[same] = max(best.get(same, 0.0), one.kept_h)
        return set(sorted(best, key=lambda same: -best[same])[:FINALISTS])
