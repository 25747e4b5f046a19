"""Whether the noise that GSMFlow adds to features drowns them: published recipes are made for one size of features."""

from __future__ import annotations

import numpy as np
import torch

from ..data import ZeroShotDataset
from ..data.rows import take
from ..scaling import Scaling
from ..settings import Settings

__all__ = ["noise_sentence", "spread_of"]

MOST_ROWS = 4096
"""Samples of trainval, evenly spread, that are looked at."""
REMEDY = "published-minmax"
"""A recipe that maps each dimension to [0, 1] first."""


def spread_of(data: ZeroShotDataset, settings: Settings) -> float:
    """The standard deviation of a dimension of trainval, root mean square over dimensions, after scaling."""
    rows = data.trainval[np.linspace(0, len(data.trainval) - 1, min(len(data.trainval), MOST_ROWS)).round().astype(int)]
    x = torch.as_tensor(np.asarray(take(data.features, rows)[:], dtype=np.float32))
    return float(Scaling.fit(x, settings.scaling)(x).double().var(0, correction=0).mean().sqrt())


def noise_sentence(data: ZeroShotDataset, settings: Settings) -> str | None:
    """What to say where the visual perturbation is larger than what it perturbs; None where nothing is to be said.

    Args:
        data: is looked at, trainval alone.
        settings: other generators than gsmflow add no such noise.
    """
    if settings.generator != "gsmflow" or not settings.flow.pi:
        return None
    spread = spread_of(data, settings)
    if settings.flow.pi <= spread:
        return None
    remedy = "a smaller --flow.pi" if settings.scaling == "minmax" else f"the recipe {REMEDY}, or --scaling minmax,"
    return (
        f"the method gsmflow adds noise of {settings.flow.pi:g} to each dimension of the features of {data.name}, "
        f"whose spread there is {spread:.2g} (scaling {settings.scaling}), so that noise is most of what it learns "
        f"from: {remedy} helps"
    )
