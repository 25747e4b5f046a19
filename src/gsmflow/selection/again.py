"""The models of the folds once more, with what was chosen: what the final model cannot be asked is asked of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..generators import ClosedForm, generator_kind
from ..model import ZeroShotModel
from ..runs import Run
from ..settings import Settings
from .candidates import Chosen
from .fit import Fit, Problem
from .folds import Folds

__all__ = ["FoldModel", "fold_models", "is_quick"]


@dataclass(frozen=True, eq=False)
class FoldModel:
    """The model of one fold with the chosen settings and constant, and what it was fitted to and may be judged on."""

    model: ZeroShotModel
    problem: Problem


def is_quick(settings: Settings) -> bool:
    """Whether a fold's model is made again in seconds: a closed form, or what stands on one."""
    kind = generator_kind(settings.generator).kind
    return issubclass(kind, ClosedForm) or getattr(kind, "stands_on", None) is not None


def fold_models(
    folds: Folds, settings: Settings, chosen: Chosen, run: Run, purpose: str = "as chosen"
) -> list[FoldModel]:
    """Fit the chosen settings on every fold, without looking at what it is judged on.

    Args:
        folds: pseudo-unseen splits.
        settings: those of the final model.
        chosen: what was chosen.
        run: is shown how far it is.
        purpose: told beside the number of a fold; other folds need another one.
    """
    found = []
    for fold in range(folds.count):
        problem = folds.cut(fold)
        fit = Fit(problem, settings, f"fold {fold + 1} of {folds.count}, {purpose}")
        steps = fit.make(run, chosen.choice)
        model = deque(fit.models(run, chosen.recognizer, steps, settings=settings), maxlen=1)[0].eval()
        model.constant = chosen.constant
        found.append(FoldModel(model, problem))
    return found
