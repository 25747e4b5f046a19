"""Where rivals work: the directions that a model looks at, with the means that it predicts for its classes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data import TrainingSet
from ..errors import InputError
from ..generators import ClosedForm, Trained
from ..generators.gaussian import Gaussian, principal_directions
from ..model import ZeroShotModel
from ..scaling import Scaling
from ..selection.fit import Fit, Problem
from ..settings import Settings
from ..streams import CHUNK

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Space", "closed_form", "space_of_fold", "space_of_model"]

DIMS, ROWS = 256, 2**14
"""Principal directions that are kept, and rows that they are taken from, where a model has none."""


@dataclass(frozen=True, eq=False)
class Space:
    """A map of raw features to few coordinates, and the predicted means there.

    It is a rotation of the scaled features that leaves out where classes hardly differ, and no shift: cosines of the
    features stay what they are, nearly.

    Attributes:
        scaling: of the features.
        basis: ``(D, p)``, orthonormal directions: principal ones, and that of the mean of all features.
        origin: ``(p,)``, coordinates of that mean.
        means: ``(K, p)``, of seen classes that of their samples, of unseen ones the predicted; None where the model
            predicts none.
    """

    scaling: Scaling
    basis: Float[Tensor, "d p"]
    origin: Float[Tensor, " p"]
    means: Float[Tensor, "k p"] | None

    @torch.no_grad()
    def __call__(self, rows: Any) -> Float[Tensor, "n p"]:
        """Coordinates of raw features, ``(n, D)``."""
        starts = range(0, max(1, len(rows)), CHUNK)
        parts = [torch.as_tensor(np.asarray(rows[start : start + CHUNK], np.float32)) for start in starts]
        return torch.cat([self.scaling(part) @ self.basis for part in parts])


def closed_form(generator: Any) -> Gaussian | None:
    """The Gaussians of a generator that are, or stand on, the closed form; None where there are none."""
    for candidate in (generator, getattr(generator, "base", None)):
        if isinstance(candidate, Gaussian):
            return candidate
    return None


def of_closed_form(scaling: Scaling, found: Gaussian, ids: Int[np.ndarray, " k"]) -> Space:
    """The view of a closed form, its classes put in the order ``ids``."""
    mean, principal = found.mean.cpu(), found.basis.cpu()
    basis = with_mean(principal, mean)
    means = (found.centres.cpu()[torch.from_numpy(ids)].float() @ principal.T + mean) @ basis
    return Space(scaling.cpu(), basis, mean @ basis, means)


def with_mean(principal: Float[Tensor, "d p"], mean: Float[Tensor, " d"]) -> Float[Tensor, "d q"]:
    """The principal directions and, where it is not among them, that of the mean."""
    rest = mean - principal @ (principal.T @ mean)
    length = rest.norm()
    return torch.cat([principal, (rest / length)[:, None]], 1) if length > 1e-5 * mean.norm() else principal


def of_features(scaling: Scaling, training: TrainingSet) -> Space:
    """Principal directions of scaled training features, where a model has none."""
    rows = np.linspace(0, len(training.features) - 1, min(len(training.features), ROWS)).round().astype(int)
    some = scaling.cpu()(torch.as_tensor(np.asarray(training.features[rows], np.float32)))
    mean = some.mean(0)
    basis = with_mean(principal_directions(some - mean, min(DIMS, some.shape[1])), mean)
    return Space(scaling, basis, mean @ basis, None)


def space_of_model(model: ZeroShotModel, training: TrainingSet, class_names: Sequence[str]) -> Space:
    """The space that a model works in.

    Args:
        model: it is not changed.
        training: what principal directions are taken from where it has none.
        class_names: the order of the means.

    Raises:
        InputError: if the model does not know a class.
    """
    scaling = deepcopy(model.scaling)
    found = closed_form(model.generator)
    if found is None:
        return of_features(scaling, training)
    known = {name: k for k, name in enumerate(model.class_names)}
    lacking = [name for name in class_names if name not in known]
    if lacking:
        raise InputError(
            f"The model does not know {len(lacking)} classes of the data set: {', '.join(lacking[:5])}; add them with "
            "add_classes, or give the data set that it was trained on."
        )
    return of_closed_form(scaling, found, np.array([known[name] for name in class_names]))


def space_of_fold(settings: Settings, training: TrainingSet) -> Space:
    """The space that the same settings give on other training data, such as those of a fold of pseudo-unseen classes.

    Args:
        settings: those of a final model, which hold what was chosen alone.
        training: of the fold.
    """
    fit = Fit(Problem.of(training, None, torch.device("cpu")), settings, "evidence")
    found = closed_form(fit.generator)
    if found is None:
        return of_features(fit.scaling, training)
    if isinstance(fit.generator, ClosedForm):
        fit.generator.fit(fit.x, fit.labels)
    elif isinstance(fit.generator, Trained):
        fit.generator.prepare(fit.x, fit.labels)
    return of_closed_form(fit.scaling, found, np.arange(len(training.class_names)))
