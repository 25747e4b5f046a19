"""Which of two candidates is simpler, and who wins where luck would choose: of few classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from .candidates import Judged, Ranked

__all__ = ["cautious_winner", "simplicity", "smoothed"]

PLAIN = ("none", "l2", "linear", "euclidean")
"""Words of a choice for what is left as it is, or nearly so."""


def simplicity(one: Judged) -> tuple[float, ...]:
    """What candidates are sorted by, the simplest first.

    In this order: the default's own method, before one that competes with it; a flow left untrained, then trained for
    fewer epochs; the fewer of features and semantics mapped, of a kernel and of words as a prior; no widening; stronger
    shrinkage; stronger ridges.

    Example:
        >>> from gsmflow.selection import Judged
        >>> numbers = (50.0,) * 5
        >>> weak, strong = (Judged("fold", 0, {"ridge": r}, "likelihood", *numbers) for r in (0.1, 1.0))
        >>> simplicity(strong) < simplicity(weak)
        True
    """
    choice, grid = one.choice, one.grid
    mapped = [value not in PLAIN for value in choice.values() if isinstance(value, str)]
    mapped.append(grid.get("scaling", "none") != "none")
    ridges = [choice[name] for name in ("ridge", "gamma", "lambda") if name in choice]
    return (
        float("generator" in grid),
        float(choice.get("epoch", 0.0)),
        float(sum(mapped)),
        float(choice.get("widen", 0.0) > 0),
        -float(choice.get("shrink", 0.0)),
        -float(np.prod(ridges)),
    )


def cautious_winner(ranked: Sequence[Ranked]) -> int:
    """The place of the simplest candidate that the best does not beat by more than a standard error.

    The error is that of the mean over folds of the difference of the two, which is paired: folds differ more from each
    other than candidates do on one fold. What is compared is `smoothed`.
    """
    h = smoothed(ranked)
    lead = h[h.mean(1).argmax()] - h
    error = lead.std(1, ddof=1) / np.sqrt(h.shape[1]) if h.shape[1] > 1 else np.zeros(len(h))
    equal = np.flatnonzero(lead.mean(1) <= error + 1e-9)
    return min(map(int, equal), key=lambda place: simplicity(ranked[place].folds[0]))


def smoothed(ranked: Sequence[Ranked]) -> Float[np.ndarray, "n f"]:
    """H of each candidate on each fold, averaged with that of its neighbours; its own counts twice.

    Neighbours differ in one number, by one step among those that were tried: a candidate that is much better than all
    of them was lucky.
    """
    h = np.array([one.kept_by_fold for one in ranked])
    texts, numbers = zip(*(parts(one.folds[0]) for one in ranked), strict=True)
    tried: defaultdict[tuple[Any, ...], set[float]] = defaultdict(set)
    for text, values in zip(texts, numbers, strict=True):
        for name, value in values.items():
            tried[text, name].add(value)
    steps = {key: {value: at for at, value in enumerate(sorted(values))} for key, values in tried.items()}
    spots = [
        (text, tuple(steps[text, name][value] for name, value in values.items()))
        for text, values in zip(texts, numbers, strict=True)
    ]
    places = {spot: place for place, spot in enumerate(spots)}
    result = 2 * h
    for place, (text, at) in enumerate(spots):
        around = [(text, (*at[:i], at[i] + step, *at[i + 1 :])) for i in range(len(at)) for step in (-1, 1)]
        known = [h[places[spot]] for spot in around if spot in places]
        result[place] = (result[place] + sum(known)) / (2 + len(known))
    return result


def parts(one: Judged) -> tuple[tuple[Any, ...], Mapping[str, float]]:
    """What neighbours have in common, and the numbers in one of which they differ."""
    texts = [(name, value) for name, value in one.choice.items() if isinstance(value, str)]
    numbers = {name: value for name, value in one.choice.items() if not isinstance(value, str)}
    return (one.recognizer, *one.grid.items(), *texts, *numbers), numbers
