"""Recognizers: what decides the class of a feature vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from ..generators.base import Classes
from ..settings import Settings
from .direct import Direct
from .softmax import Softmax, fit_softmax

__all__ = ["NEEDS", "RECOGNIZERS", "Direct", "Softmax", "build_recognizer", "fit_recognizer", "fit_softmax"]

RECOGNIZERS: dict[str, Callable[[int, Classes, Any], nn.Module]] = {
    "softmax": lambda dim, classes, generator: Softmax(dim, classes),
    "likelihood": lambda dim, classes, generator: Direct(classes, generator.log_prob),
    "compatibility": lambda dim, classes, generator: Direct(classes, generator.scores),
}
"""To add a recognizer, write its file, a line here and one in `NEEDS`."""

NEEDS = {"softmax": "sample", "likelihood": "log_prob", "compatibility": "scores"}
"""The method of a generator without which a recognizer cannot work."""


def build_recognizer(kind: str, dim: int, classes: Classes, generator: nn.Module) -> nn.Module:
    """An unfitted recognizer, to load weights into."""
    return RECOGNIZERS[kind](dim, classes, generator)


def fit_recognizer(
    kind: str, generator: Any, x: Tensor, labels: Tensor, classes: Classes, settings: Settings, *, seed: int
) -> Iterator[nn.Module]:
    """Fit a recognizer on a trained generator; yield it after each of its epochs (one, where there are none)."""
    if kind == "softmax":
        yield from fit_softmax(generator, x, labels, classes, settings.softmax, seed=seed)
    else:
        yield build_recognizer(kind, x.shape[1], classes, generator)
