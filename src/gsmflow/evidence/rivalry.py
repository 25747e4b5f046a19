"""Rivals measured: their own constants and that of calibration are chosen on pseudo-unseen classes of trainval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..data import TestSets, TrainingSet, ZeroShotDataset, pseudo_unseen
from ..errors import InputError
from ..evaluation.metrics import Metrics, best_constant, measure_recognizer
from ..model import ZeroShotModel
from .draws import draw_shots, without
from .given import Given, Rival, Trial
from .kinds import Evidence
from .space import Space, space_of_fold, space_of_model

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

__all__ = ["Settled", "Side", "choose", "reached", "sides"]

FOLDS = 3
"""Splits that constants are chosen on, as many as those of a model."""


@dataclass(frozen=True, eq=False)
class Side:
    """A problem as rivals take it: all of it, or a fold of pseudo-unseen classes.

    Attributes:
        training: labelled pictures of the seen classes.
        tests: what is tested on.
        space: where rivals work.
        x: ``(n, p)``, training features there.
        seen: ``(m, p)``, those of test_seen.
        unseen: ``(l, p)``, those of test_unseen.
    """

    training: TrainingSet
    tests: TestSets
    space: Space
    x: Float[Tensor, "n p"]
    seen: Float[Tensor, "m p"]
    unseen: Float[Tensor, "l p"]

    @classmethod
    def of(cls, data: ZeroShotDataset, space: Space) -> Side:
        """A data set in a space."""
        training, tests = data.training(), data.tests()
        looked = (space(rows) for rows in (training.features, tests.seen_features, tests.unseen_features))
        return cls(training, tests, space, *looked)


@dataclass(frozen=True)
class Settled:
    """What was chosen for a rival: its own constants, and that of calibration."""

    trial: Trial
    constant: float


class Found:
    """Scores that are there already, as a recognizer."""

    def scores(self, x: Tensor) -> Tensor:
        """Rows of scores are their own scores."""
        return x

    def unseen_scores(self, x: Tensor) -> Tensor | None:
        """None: `scores` has them."""
        return None


def sides(model: ZeroShotModel, dataset: ZeroShotDataset) -> tuple[Side, list[Side]]:
    """The whole problem in a model's space, and folds of pseudo-unseen classes in the space of its settings.

    Raises:
        InputError: if the model does not know a class, or no fold can be cut.
    """
    training, selection = dataset.training(), model.settings.selection
    share = len(training.unseen) / dataset.num_classes
    ratio = share if selection.ratio is None else selection.ratio
    whole = Side.of(dataset, space_of_model(model, training, dataset.class_names))
    cut = [
        pseudo_unseen(training, ratio=ratio, holdout=selection.holdout, seed=model.settings.seed, fold=fold)
        for fold in range(FOLDS)
    ]
    return whole, [Side.of(data, space_of_fold(model.settings, data.training())) for data in cut]


def drawn(side: Side, evidence: Evidence, *, seed: int, repeat: int) -> Bool[np.ndarray, " l"]:
    """Which samples of test_unseen are shots."""
    labels = side.tests.unseen_labels
    if evidence.kind != "shots":
        return np.zeros(len(labels), bool)
    return draw_shots(labels, evidence.shots, seed=seed, repeat=repeat)


def given_to_rivals(side: Side, taken: Bool[np.ndarray, " l"]) -> Given:
    """What rivals know of a problem, with some samples of test_unseen as shots; the others are the queries."""
    shots = torch.from_numpy(taken)
    labels = np.concatenate([side.training.labels, side.tests.unseen_labels[taken]])
    return Given(
        torch.cat([side.x, side.unseen[shots]]),
        torch.from_numpy(labels),
        torch.cat([side.seen, side.unseen[~shots]]),
        side.space.origin,
        side.space.means,
        torch.from_numpy(side.training.unseen),
        len(side.training.semantics),
    )


def measured(side: Side, taken: Bool[np.ndarray, " l"], scores: Float[Tensor, "q k"], constant: float) -> Metrics:
    """What scores of the queries reach."""
    tests, m = without(side.tests, taken), len(side.seen)
    table = scores.double().numpy()
    tests = TestSets(table[:m], tests.seen_labels, table[m:], tests.unseen_labels)
    return measure_recognizer(Found(), tests, side.training.seen, side.training.unseen, constant=constant)


def choose(rival: Rival, folds: Sequence[Side], evidence: Evidence, *, seed: int) -> Settled:
    """The constants of greatest mean T1 + H on folds with the same evidence drawn there, at the best calibration for H.

    Raises:
        InputError: if the rival needs predicted means, and there are none.
    """
    if evidence.kind in rival.means_for and folds[0].space.means is None:
        raise InputError(
            "This rival takes predicted means as class prototypes, and the model predicts none: give a model whose "
            "generator is linear-flow or gaussian."
        )
    draws = [drawn(fold, evidence, seed=seed, repeat=place) for place, fold in enumerate(folds)]
    told = [given_to_rivals(fold, taken) for fold, taken in zip(folds, draws, strict=True)]
    found = []
    for trial in rival.trials():
        on_folds = [
            measured(fold, taken, trial.scores(rival, given), 0.0)
            for fold, taken, given in zip(folds, draws, told, strict=True)
        ]
        constant, h = best_constant([metrics.curve for metrics in on_folds])
        found.append((float(np.mean([metrics.T1 for metrics in on_folds])) + h, Settled(trial, constant)))
    return max(found, key=lambda one: one[0])[1]


def reached(rival: Rival, settled: Settled, whole: Side, evidence: Evidence, *, seed: int, repeat: int) -> Metrics:
    """What a rival reaches on the tests with one draw of the evidence."""
    taken = drawn(whole, evidence, seed=seed, repeat=repeat)
    return measured(whole, taken, settled.trial.scores(rival, given_to_rivals(whole, taken)), settled.constant)
