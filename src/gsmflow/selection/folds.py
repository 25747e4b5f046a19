"""On what, and when, candidates are judged: folds of pseudo-unseen classes, and steps of training."""

from __future__ import annotations

import math
from functools import cache, cached_property

import numpy as np

from ..data import pseudo_unseen
from ..data.splits import LEAST_SEEN, pseudo_unseen_count
from ..errors import InputError
from ..settings import SelectionSettings, Settings
from ..training import steps_per_epoch
from .candidates import FEW
from .fit import Problem

__all__ = ["Folds", "judged_steps", "share"]

FOLDS = 3
"""Folds where the settings do not say how many, and there are many seen classes."""
FEW_CLASSES = 40
"""Below so many seen classes each is pseudo-unseen twice: which ones are decides too much."""
LEAST_SHARE = 0.1
"""Of these few, so many are pseudo-unseen at least, so that the folds do not become too many."""
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
        self.classes = len(training.seen)
        if (selection.folds or 1) > self.classes >= LEAST_SEEN:  # of fewer `pseudo_unseen` tells
            raise InputError(
                f"{selection.folds} folds of pseudo-unseen classes need as many seen classes, and there are "
                f"{self.classes}: lower selection.folds to {self.classes} or less."
            )
        ratio = share(selection, self.classes, len(training.unseen))
        self.samples = len(training.labels)
        self.are_few = self.classes < FEW_CLASSES
        self.is_own_count = selection.folds is None and self.are_few
        self.count = selection.folds or FOLDS
        if self.is_own_count:
            self.count = max(FOLDS, math.ceil(2 * self.classes / pseudo_unseen_count(self.classes, ratio)))

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
    def note(self) -> str:
        """Why there are so many, where the settings leave it open and there are few classes; else nothing."""
        if not self.is_own_count:
            return ""
        return (
            f"{self.classes} seen classes are few, and luck would choose: {self.count} folds, so that each of them is "
            "pseudo-unseen twice at least; --selection.folds sets another number"
        )

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


def share(selection: SelectionSettings, seen: int, unseen: int) -> float:
    """Which share of the seen classes is taken for unseen."""
    if selection.ratio is not None:
        return selection.ratio
    ratio = unseen / (seen + unseen)
    return max(ratio, LEAST_SHARE) if seen < FEW_CLASSES else ratio


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
