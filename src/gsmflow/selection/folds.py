"""On what, and when, candidates are judged: folds of pseudo-unseen classes, and steps of training."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np

from ..data import pseudo_unseen
from ..data.splits import LEAST_SEEN
from ..errors import InputError
from ..settings import Settings
from ..training import steps_per_epoch
from .candidates import FEW
from .fit import Problem

__all__ = ["Folds", "judged_steps"]

EVALUATIONS = 8
"""Evaluations spread over training where the settings do not say when to evaluate."""


class Folds:
    """The splits of trainval into pseudo-seen and pseudo-unseen classes, each cut and uploaded once.

    Args:
        whole: the whole of trainval.
        settings: seed and ``selection``.

    Raises:
        InputError: if there are more folds than seen classes, or they cannot be cut.
    """

    def __init__(self, whole: Problem, settings: Settings):
        training, selection = whole.training, settings.selection
        if selection.folds > len(training.seen) >= LEAST_SEEN:  # of fewer `pseudo_unseen` tells
            raise InputError(
                f"{selection.folds} folds of pseudo-unseen classes need as many seen classes, and there are "
                f"{len(training.seen)}: lower selection.folds to {len(training.seen)} or less."
            )
        share = len(training.unseen) / (len(training.seen) + len(training.unseen))
        ratio = share if selection.ratio is None else selection.ratio
        self.samples, self.count = len(training.labels), selection.folds

        @cache
        def cut(fold: int) -> Problem:
            pseudo = pseudo_unseen(training, ratio=ratio, holdout=selection.holdout, seed=settings.seed, fold=fold)
            return Problem.of(pseudo.training(), pseudo.tests(), whole.labels.device)

        self.cut = cut

    @cached_property
    def samples_a_class(self) -> float:
        """How many samples a seen class has to learn from in the first fold: the median."""
        return float(np.median(np.bincount(self.cut(0).training.labels, minlength=1)[self.cut(0).training.seen]))

    @property
    def reservations(self) -> tuple[str, ...]:
        """What speaks against believing the folds, a sentence each."""
        if self.samples_a_class >= FEW:
            return ()
        return (
            f"seen classes have {self.samples_a_class:g} samples to learn from in a fold: a calibration constant is a "
            "rough guess there, and U, S and H may lie outside of the intervals of their estimates; T1 does not depend "
            "on it",
        )


def judged_steps(settings: Settings, samples: int, fit_samples: int) -> list[int]:
    """The steps at which a candidate is judged, in a fit that may have fewer samples than the whole of trainval.

    ``selection.every`` and ``after`` count iterations on all of trainval, ``evaluations`` spreads them over training; a
    fold has fewer in an epoch, and is judged after the same share of training. The last step is always judged.
    """
    whole = steps_per_epoch(samples, settings.training.batch)
    part = steps_per_epoch(fit_samples, settings.training.batch)
    selection, last = settings.selection, whole * settings.training.epochs
    every = selection.every or last / (selection.evaluations or EVALUATIONS)
    points = [round(place * every) for place in range(int(last / every) + 1)]
    points = [step for step in points if step > selection.after]
    return sorted({round(step * part / whole) for step in points} | {part * settings.training.epochs})
