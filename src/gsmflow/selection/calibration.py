"""Probabilities that can be believed, and when a picture is of none of the classes: both chosen on the folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..data import TestSets
from ..data.rows import take
from ..evaluation.calibration import Calibration, Scored, calibration_error, choose_softening, equal_weights, evenly
from ..generators import Extensible
from ..model import Rejection, ZeroShotModel
from .again import FoldModel
from .candidates import FEW
from .fit import Problem
from .folds import Folds

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

__all__ = ["UNCALIBRATED", "Softening", "calibrate", "measure_calibration", "softened", "thinned"]

USELESS = 0.9
"""Sum of both errors from which on a threshold tells hardly more than chance, of which it is 1."""
KEPT = 0.8
"""Share of the samples of a class that a thinned fold learns from."""
NO_THRESHOLD = "no threshold tells pictures of none of the classes from others there"
UNCALIBRATED = (
    "probabilities are not calibrated: the models of the folds would have to be trained once more for it, and are not "
    "made in seconds"
)


@dataclass(frozen=True)
class Softening:
    """What was chosen for the probabilities of a model.

    Attributes:
        temperature: of the scores.
        tail: how uncertain that is.
        rejection: when a picture is of none of the classes; None where no threshold tells more than
            chance, or classes cannot be taken from a model.
    """

    temperature: float = 1.0
    tail: float = 0.0
    rejection: Rejection | None = None

    def __str__(self) -> str:
        told = f"probabilities are calibrated on the folds: temperature {self.temperature:g}, tail {self.tail:g}"
        return f"{told}; {self.rejection or NO_THRESHOLD}"


def softened(model: ZeroShotModel, softening: Softening) -> ZeroShotModel:
    """The model, with what was chosen for its probabilities."""
    model.about = replace(model.about, **vars(softening))
    return model


def calibrate(
    models: Sequence[FoldModel], folds: Folds, whole: Problem, again: Callable[[Folds], Sequence[FoldModel]]
) -> Softening | None:
    """Choose temperature, tail and rejection on the models of folds; None where these have no unseen classes.

    Of few samples a class the mean is off by much, and a model that has one more may rightly be surer of itself: below
    ten samples the folds are learnt once more with fewer of them, and the logarithm of the temperature is taken to
    where it comes, in 1 / n, at the samples of the final model.

    Args:
        models: as chosen, with what they are judged on.
        folds: which they are of.
        whole: what the final model is fitted to.
        again: makes the models of other folds, in the same way.
    """
    able = [one for one in models if len(one.model.unseen)]
    if not able:
        return None
    temperature, tail = choose_softening([scored_on(one.model, tests_of(one)) for one in able])
    few, most = samples_a_class(folds.cut(0)), samples_a_class(whole)
    if 3 <= few < FEW:
        fewer = [scored_on(one.model, tests_of(one)) for one in again(thinned(folds))]
        less = samples_a_class(thinned(folds).cut(0))
        share = (1 / few - 1 / most) / (1 / less - 1 / few)
        temperature *= (temperature / choose_softening(fewer, (tail,))[0]) ** share
    temperature = float(f"{temperature:.4g}")
    for one in able:
        softened(one.model, Softening(temperature, tail))
    return Softening(temperature, tail, choose_rejection(able))


def samples_a_class(problem: Problem) -> float:
    """How many samples a seen class has to learn from: the median."""
    return float(np.median(np.bincount(problem.training.labels)[problem.training.seen]))


def thinned(folds: Folds) -> Folds:
    """The same folds with fewer samples to learn from: a fifth less of each class, at least one, and never all."""
    fewer = copy(folds)

    @cache
    def cut(fold: int) -> Problem:
        problem = folds.cut(fold)
        training, kept = problem.training, []
        for k in training.seen:
            rows = np.flatnonzero(training.labels == k)
            kept.append(rows[: max(1, min(len(rows) - 1, int(KEPT * len(rows))))])
        rows = np.sort(np.concatenate(kept))
        less = replace(training, features=take(training.features, rows), labels=training.labels[rows])
        return Problem.of(less, problem.tests, problem.labels.device)

    fewer.cut = cut
    return fewer


def tests_of(fold: FoldModel) -> TestSets:
    """What a fold is judged on."""
    assert fold.problem.tests
    return fold.problem.tests


def joined(tests: TestSets) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """All test samples, their class ids, and whether these are unseen."""
    features = np.concatenate([np.asarray(tests.seen_features[:]), np.asarray(tests.unseen_features[:])])
    is_unseen = np.arange(len(features)) >= len(tests.seen_labels)
    return features, np.concatenate([tests.seen_labels, tests.unseen_labels]), is_unseen


def scored_on(model: ZeroShotModel, tests: TestSets) -> Scored:
    """What a model says of test samples."""
    features, labels, is_unseen = joined(tests)
    kept = evenly(is_unseen)
    scores = torch.cat([scores.cpu() for _, scores in model.calibrated(features[kept])])
    return Scored.of(scores, labels[kept], is_unseen[kept])


def measure_calibration(model: ZeroShotModel, tests: TestSets) -> Calibration:
    """How far the probabilities of a model can be believed on test sets, of which no class is both seen and unseen."""
    about = model.about
    if not len(tests.seen_labels) or not len(tests.unseen_labels):
        return Calibration(about.temperature, about.tail, None)
    features, labels, is_unseen = joined(tests)
    confidence, correct = np.empty(len(labels)), np.empty(len(labels), bool)
    for place, scores in model.calibrated(features):
        best = model.probabilities(scores).max(1)
        confidence[place], correct[place] = best.values.cpu().numpy(), best.indices.cpu().numpy() == labels[place]
    error = calibration_error(confidence, correct, equal_weights(is_unseen))
    return Calibration(about.temperature, about.tail, 100 * error)


def choose_rejection(folds: Sequence[FoldModel]) -> Rejection | None:
    """The threshold of the greatest probability that errs least on the folds, both errors counting for as much.

    Half of the unseen classes of a fold are taken from its model, then the other half: their pictures are of none of
    the classes that it knows. Samples of seen and of unseen classes count for a half of the known ones.

    Args:
        folds: with models that have their temperature.
    """
    parts = [part for fold in folds for part in confidences(fold)]
    if not parts:
        return None
    known, weights, unknown = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(known)
    known, sums = known[order], np.r_[0.0, np.cumsum(weights[order])] / weights.sum()
    unknown = np.sort(unknown)
    tried = np.unique(np.concatenate([known, unknown]))
    rejected = sums[np.searchsorted(known, tried)]
    accepted = 1 - np.searchsorted(unknown, tried) / len(unknown)
    best = int(np.argmin(rejected + accepted))
    if rejected[best] + accepted[best] > USELESS:
        return None
    threshold = float((tried[best - 1] + tried[best]) / 2 if best else tried[0] / 2)  # between two samples
    return Rejection(float(f"{threshold:.4g}"), *(round(100 * float(v[best]), 2) for v in (rejected, accepted)))


def confidences(fold: FoldModel) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The greatest probability of known pictures, what each counts for, and that of unknown ones, for each half."""
    model, tests = fold.model, tests_of(fold)
    if not isinstance(model.generator, Extensible):
        return
    features, labels, is_unseen = joined(tests)
    kept = evenly(is_unseen)
    features, labels, is_unseen = features[kept], labels[kept], is_unseen[kept]
    for gone in np.array_split(model.unseen.cpu().numpy(), min(2, len(model.unseen))):
        other = deepcopy(model)
        other.remove_classes([model.class_names[k] for k in gone])
        found = other.top_k(features, 1)[1][:, 0].astype(np.float64)
        is_gone = np.isin(labels, gone)
        if is_gone.any() and not is_gone.all():
            yield found[~is_gone], equal_weights(is_unseen[~is_gone]), found[is_gone]
