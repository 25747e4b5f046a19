"""Piles of unlabelled pictures as a fold has them, clean and spoiled in many ways: what adapting must survive."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data import TestSets
from ..model import ZeroShotModel

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["CLEAN", "Pile", "piles"]

CLEAN = ("clean", "20 a class")
"""Piles that adapting is for."""
FEW = (1, 2, 5, 10, 20)
"""Pictures a class of the piles that hold no more of any."""
RARE = 100
"""How many times fewer pictures a rare class has in an uneven pile."""


@dataclass(frozen=True, eq=False)
class Pile:
    """Unlabelled pictures, and the model that is to adapt to them.

    Attributes:
        kind: how it was made.
        model: of the fold, perhaps without some classes.
        tests: what it is judged on: all test samples of the classes that it knows.
        features: ``(n, D)``.
    """

    kind: str
    model: ZeroShotModel
    tests: TestSets
    features: Float[np.ndarray, "n d"]


def piles(model: ZeroShotModel, tests: TestSets, rng: np.random.Generator) -> Iterator[Pile]:
    """All kinds of piles of one fold."""
    x = np.concatenate([np.asarray(tests.seen_features), np.asarray(tests.unseen_features)])
    labels = np.concatenate([tests.seen_labels, tests.unseen_labels])
    seen, unseen = model.seen.cpu().numpy(), model.unseen.cpu().numpy()

    def of(kind: str, rows: Int[np.ndarray, " m"]) -> Iterator[Pile]:
        if len(rows):
            yield Pile(kind, model, tests, x[rows])

    def at_most(count: int, classes: Int[np.ndarray, " k"] | None = None) -> Int[np.ndarray, " m"]:
        parts = [rng.permutation(np.flatnonzero(labels == k))[:count] for k in np.unique(labels)]
        rows = np.concatenate(parts)
        return rows if classes is None else rows[np.isin(labels[rows], classes)]

    yield from of("clean", np.arange(len(x)))
    for count in FEW:
        yield from of(f"{count} a class", at_most(count))
    yield from of("ten pictures", rng.permutation(len(x))[:10])
    yield from of("one unseen class", at_most(len(x), rng.choice(unseen, 1)))
    yield from of("one seen class", at_most(len(x), rng.choice(seen, 1)))
    yield from of("seen classes alone", at_most(len(x), seen))
    yield from of("half of the unseen classes", at_most(len(x), np.r_[seen, half(unseen, rng)]))
    most = np.bincount(labels).max()
    big = rng.choice(unseen, 1)
    rest = at_most(1, np.setdiff1d(unseen, big))[: max(1, most // RARE)]
    yield from of("100 to 1, one large", np.concatenate([at_most(most, big), rest]))
    rare = half(np.unique(labels), rng)
    few = at_most(max(1, most // RARE), rare)
    yield from of("100 to 1, half rare", np.concatenate([at_most(most, np.setdiff1d(labels, rare)), few]))
    noise = x[rng.permutation(len(x))][:, rng.permutation(x.shape[1])]
    yield Pile("noise", model, tests, noise)
    yield Pile("half noise", model, tests, np.concatenate([x, noise]))
    yield from strangers(model, tests, x, labels, rng)


def strangers(
    model: ZeroShotModel,
    tests: TestSets,
    x: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    rng: np.random.Generator,
) -> Iterator[Pile]:
    """Piles with pictures of a third of the unseen classes, which the model does not know."""
    unseen = model.unseen.cpu().numpy()
    if len(unseen) < 2:
        return
    gone = np.sort(rng.permutation(unseen)[: max(1, len(unseen) // 3)])
    other = deepcopy(model)
    other.remove_classes([model.class_names[k] for k in gone])
    kept = np.setdiff1d(np.arange(len(model.class_names)), gone)
    known = ~np.isin(tests.unseen_labels, gone)
    left = TestSets(
        tests.seen_features,
        np.searchsorted(kept, tests.seen_labels),
        np.asarray(tests.unseen_features)[known],
        np.searchsorted(kept, tests.unseen_labels[known]),
    )
    yield Pile("strangers among them", other, left, x)
    yield Pile("strangers alone", other, left, x[np.isin(labels, gone)])


def half(classes: Int[np.ndarray, " k"], rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """Half of some classes, one at least."""
    return rng.permutation(classes)[: max(1, len(classes) // 2)]
