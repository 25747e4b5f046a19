"""How a model takes pictures into account, chosen on the folds: with labelled ones, clean piles and spoiled piles."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..data import TestSets
from ..evaluation.metrics import Metrics, measure_recognizer
from ..generators import Teachable
from ..model import Teaching, ZeroShotModel
from ..model.teaching import Pile as Looked
from ..model.teaching import believe, believe_all, doubt, responsibilities, rounds, seen_in, teachable
from ..recognizers import Direct
from .again import FoldModel
from .spoiled import CLEAN, piles

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["SIZES", "choose_teaching"]

SIZES = (0.1, 0.25, 0.5, 1.0, 2.0)
SHOTS = (1, 2, 5)
DRAWS = 2
ROUNDS = 5
TEMPERATURES = (1.0, 2.0, 4.0)
TYPICAL = 0.99
"""Share of the pictures of a fold that are taken for pictures of its classes."""
BEYOND = 1.1
"""How much farther than on the folds the median picture of a pile may lie."""
LEAST = (3.0, 5.0, 7.0, 10.0, 13.0)
EVEN = (0.5, 0.6, 0.7, 0.75, 0.8, 0.83, 0.86, 0.89, 0.92, 0.95)
APART = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds that are tried: pictures a class, and shares of what clean piles have."""
MARGIN = 1.02
"""How much clearer than a threshold a clean pile must be to count as believed, and a spoiled one to count as not."""
TIE = 0.05
"""Gains of H, in percent, that are taken for equal."""
BEARABLE = 0.25
"""Loss of H in percent, in the mean over the folds, that a kind of spoiled pile may bring."""


class Viewed:
    """A model over test samples that it has looked at already."""

    def __init__(self, model: ZeroShotModel):
        self.model = model

    def scores(self, x: Tensor) -> Tensor:
        """Scores over all classes."""
        return self.model.scores_of(x)

    def unseen_scores(self, x: Tensor) -> None:
        """None: those of `scores`."""


@torch.no_grad()
def looked_at(model: ZeroShotModel, tests: TestSets) -> TestSets:
    """Test sets as the model looks at them, whatever it has learnt."""
    seen, unseen = (
        np.asarray(model.view(model.tensor(np.asarray(x))).cpu()) for x in (tests.seen_features, tests.unseen_features)
    )
    return replace(tests, seen_features=seen, unseen_features=unseen)


def measured(model: ZeroShotModel, tests: TestSets) -> Metrics:
    """What a model reaches on test sets that it has looked at."""
    seen, unseen = model.seen.cpu().numpy(), model.unseen.cpu().numpy()
    to_tensor = lambda view: torch.as_tensor(view, device=model.device)  # noqa: E731
    return measure_recognizer(Viewed(model), tests, seen, unseen, constant=model.constant, to_tensor=to_tensor)


def teach(model: ZeroShotModel, teaching: Teaching) -> ZeroShotModel:
    """The model, with other constants of learning."""
    model.about = replace(model.about, teaching=teaching)
    return model


def choose_teaching(folds: Sequence[FoldModel], seed: int) -> Teaching | None:
    """Choose all constants of learning on the models of folds; None where these cannot learn.

    The size of the prior is chosen with labelled pictures of pseudo-unseen classes, by the mean of T1 and H over one,
    two and five of each; rounds, temperature and what follows with the whole pile of the fold; when a pile is believed,
    so that no kind of spoiled pile brings a loss in the mean. Test samples of the problem cannot be reached from here.

    Args:
        folds: models as chosen, with what they are judged on.
        seed: of the draws.
    """
    able = [f for f in folds if isinstance(f.model.generator, Teachable) and isinstance(f.model.recognizer, Direct)]
    able = [fold for fold in able if fold.problem.tests is not None and len(fold.model.unseen)]
    if not able:
        return None
    views = [looked_at(fold.model, tests_of(fold)) for fold in able]
    teaching = Teaching(size=choose_size(able, views, seed), chosen=True)
    teaching = with_distances(able, teaching)
    teaching = choose_rounds(able, views, teaching)
    return choose_belief(able, teaching, seed)


def tests_of(fold: FoldModel) -> TestSets:
    """What a fold is judged on."""
    assert fold.problem.tests
    return fold.problem.tests


def choose_size(folds: Sequence[FoldModel], views: Sequence[TestSets], seed: int) -> float:
    """The factor of the errors' covariance with which a few labelled pictures help most."""
    reached: dict[float, list[float]] = {size: [] for size in SIZES}
    for (number, (fold, tests)), shots, draw in product(enumerate(zip(folds, views, strict=True)), SHOTS, range(DRAWS)):
        rng = np.random.default_rng([seed, number, shots, draw])
        shown = drawn(tests.unseen_labels, shots, rng)
        if shown is None:
            continue
        x = torch.as_tensor(tests.unseen_features[shown], device=fold.model.device)
        ids = torch.as_tensor(tests.unseen_labels[shown], device=fold.model.device)
        weights = torch.nn.functional.one_hot(ids, len(fold.model.semantics)).double()
        every = torch.arange(len(fold.model.semantics), device=fold.model.device)
        sums = teachable(fold.model).gather(x, weights, every)
        rest = np.setdiff1d(np.arange(len(tests.unseen_labels)), shown)
        left = replace(tests, unseen_features=tests.unseen_features[rest], unseen_labels=tests.unseen_labels[rest])
        for size in SIZES:
            believe(teach(fold.model, Teaching(size=size)), sums, weights.sum(0))
            found = measured(fold.model, left)
            reached[size].append((found.T1 + found.H) / 2)
    for fold in folds:
        reset(fold.model)
    if not reached[SIZES[0]]:
        return Teaching.size
    return max(SIZES, key=lambda size: np.mean(reached[size]))


def drawn(labels: Float[np.ndarray, " n"], shots: int, rng: np.random.Generator) -> np.ndarray | None:
    """Rows of so many samples of each class; None where a class would keep none."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() <= shots:
        return None
    return np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:shots] for k in classes])


def reset(model: ZeroShotModel) -> None:
    """Let a model believe what it did after training."""
    believe_all(model)


def with_distances(folds: Sequence[FoldModel], teaching: Teaching) -> Teaching:
    """What is typical of pictures on the folds: how far they lie, what seen and unseen classes take of each other."""
    odd, far, leak, lost = [], [], [], []
    for fold in folds:
        model, tests = teach(fold.model, replace(teaching, odd=np.inf)), tests_of(fold)
        distances, taken = [], []
        for x in (tests.seen_features, tests.unseen_features):
            views = Looked.of(model, np.asarray(x)).views
            with torch.no_grad():
                weights = [responsibilities(model, view, 1.0) for view in views]
                distances.append(
                    torch.cat([teachable(model).distance(v, w.argmax(1)) for v, w in zip(views, weights, strict=True)])
                )
                taken.append(float(torch.cat([w[:, model.unseen].sum(1) for w in weights]).mean()))
        odd.append(max(float(one.double().quantile(TYPICAL)) for one in distances))
        far.append(float(torch.cat(distances).median()))
        leak.append(taken[0])
        lost.append(1 - taken[1])
    numbers = {"odd": max(odd), "far": BEYOND * max(far), "leak": np.mean(leak), "lost": np.mean(lost)}
    return replace(teaching, **{name: round(float(value), 4) for name, value in numbers.items()})


def choose_rounds(folds: Sequence[FoldModel], views: Sequence[TestSets], teaching: Teaching) -> Teaching:
    """Temperature, what follows, and the number of rounds, one after the other, by H on whole piles of the folds."""

    def reached(tried: Teaching) -> Float[np.ndarray, " r"]:
        found = []
        for fold, tests in zip(folds, views, strict=True):
            pile = Looked.of(teach(fold.model, replace(tried, rounds=ROUNDS)), both(tests_of(fold)))
            found.append([measured(fold.model, tests).H for _ in rounds(fold.model, pile)])
            reset(fold.model)
        return np.mean(found, 0)

    best, h = teaching, reached(teaching)
    options = [{"temperature": t} for t in TEMPERATURES[1:]] + [{"seen_follow": True}, {"follow": False}]
    for option in options:
        tried = replace(best, **option)
        here = reached(tried)
        if here.max() > h.max():
            best, h = tried, here
    return replace(best, rounds=int(h.argmax()) + 1)


def both(tests: TestSets) -> Float[np.ndarray, "n d"]:
    """The features of test_seen and test_unseen as one pile."""
    return np.concatenate([np.asarray(tests.seen_features), np.asarray(tests.unseen_features)])


@dataclass(frozen=True)
class Tried:
    """What adapting to one pile brought, and what was seen in the pile."""

    kind: str
    gain: float
    a_class: float
    evenness: float
    apart: float
    distance: float

    def numbers(self, scale: float) -> dict[str, float]:
        """What was seen, with all but the distance so many times as large."""
        return {
            "a_class": self.a_class * scale,
            "evenness": self.evenness * scale,
            "apart": self.apart * scale,
            "distance": self.distance,
        }


def choose_belief(folds: Sequence[FoldModel], teaching: Teaching, seed: int) -> Teaching:
    """When a pile is believed: so that clean ones bring most and no kind of spoiled ones a loss."""
    tried = [one for number, fold in enumerate(folds) for one in try_piles(fold, teaching, seed, number)]
    clean = [one for one in tried if one.kind in CLEAN]
    typical = {name: float(np.median([getattr(one, name) for one in clean])) for name in ("evenness", "apart")}
    feasible: list[tuple[float, Teaching]] = []
    for apart, even, least in product(APART, EVEN, LEAST):
        limits = replace(
            teaching,
            least=least,
            even=round(even * typical["evenness"], 4),
            apart=round(apart * typical["apart"], 4),
        )
        gained = float(np.mean([one.gain * (not doubt(limits, one.numbers(1 / MARGIN))) for one in clean]))
        lost = max(worst_loss(tried, limits, scale) for scale in (1.0, MARGIN))
        if gained > 0 and lost <= BEARABLE:
            feasible.append((gained, limits))
    if not feasible:
        return replace(teaching, least=None)
    most = max(gained for gained, _ in feasible)
    good = [limits for gained, limits in feasible if gained >= most - TIE]
    simple = [limits for limits in good if limits.apart == good[0].apart]
    return simple[len(simple) * 3 // 4]  # rather a pile that is declined in vain than one that does harm


def worst_loss(tried: Iterable[Tried], limits: Teaching, scale: float) -> float:
    """The greatest mean loss of H over the kinds of piles, where only those that are believed count."""
    losses: dict[str, list[float]] = {}
    for one in tried:
        losses.setdefault(one.kind, []).append(0.0 if doubt(limits, one.numbers(scale)) else -one.gain)
    return max(float(np.mean(values)) for values in losses.values())


def try_piles(fold: FoldModel, teaching: Teaching, seed: int, number: int) -> list[Tried]:
    """Adapt the model of a fold to piles of all kinds."""
    found = []
    for pile in piles(fold.model, tests_of(fold), np.random.default_rng([seed, number])):
        model = teach(pile.model, teaching)
        tests = looked_at(model, pile.tests)
        reset(model)
        before = measured(model, tests).H
        looked = Looked.of(model, pile.features)
        deque(rounds(model, looked), maxlen=0)
        numbers = seen_in(model, looked)
        gain = measured(model, tests).H - before
        numbers.pop("odd")
        found.append(Tried(pile.kind, gain, **numbers))
        reset(model)
    return found
