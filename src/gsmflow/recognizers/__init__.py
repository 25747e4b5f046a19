"""Recognizers: what decides the class of a feature vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..generators import GENERATORS, Classes
from ..settings import Settings
from ..streams import Stream
from .direct import Direct
from .softmax import Softmax, fit_softmax

__all__ = [
    "NEEDS",
    "RECOGNIZERS",
    "Direct",
    "Softmax",
    "build_recognizer",
    "fit_recognizer",
    "fit_softmax",
    "recognizers_for",
]


def by_likelihood(classes: Classes, generator: Any) -> Direct:
    """Bayes' rule, in the directions that tell classes apart where the generator knows them."""
    if hasattr(generator, "log_ratio"):
        return Direct(classes, generator.log_ratio, generator.view)
    return Direct(classes, generator.log_prob)


RECOGNIZERS: dict[str, Callable[[int, Classes, Any], nn.Module]] = {
    "softmax": lambda dim, classes, generator: Softmax(dim, classes),
    "likelihood": lambda dim, classes, generator: by_likelihood(classes, generator),
    "compatibility": lambda dim, classes, generator: Direct(classes, generator.scores),
}
"""To add a recognizer, write its file, a line here and one in `NEEDS`."""

NEEDS = {"softmax": "sample", "likelihood": "log_prob", "compatibility": "scores"}
"""The method of a generator without which a recognizer cannot work."""


def recognizers_for(settings: Settings) -> list[str]:
    """The recognizer asked for, or with ``auto`` all that the generator supports.

    Raises:
        InputError: if the generator does not support the one asked for.
    """
    kind, _ = GENERATORS[settings.generator]
    able = [name for name, needs in NEEDS.items() if hasattr(kind, needs)]
    if settings.recognizer == "auto":
        return able
    if settings.recognizer not in able:
        raise InputError(
            f"The generator {settings.generator!r} has no {NEEDS[settings.recognizer]}, which "
            f"{settings.recognizer!r} needs: choose --recognizer {' or '.join(able)}."
        )
    return [settings.recognizer]


def build_recognizer(kind: str, dim: int, classes: Classes, generator: nn.Module) -> nn.Module:
    """An unfitted recognizer, to load weights into."""
    return RECOGNIZERS[kind](dim, classes, generator)


def fit_recognizer(
    kind: str,
    generator: Any,
    x: Tensor | Stream,
    labels: Tensor,
    classes: Classes,
    settings: Settings,
    *,
    seed: int,
    start: Any = None,
) -> Iterator[nn.Module]:
    """Fit a recognizer on a trained generator; yield it after each of its epochs (one, where there are none)."""
    if kind == "softmax":
        yield from fit_softmax(generator, x, labels, classes, settings.softmax, seed=seed, start=start)
    else:
        yield build_recognizer(kind, x.shape[1], classes, generator)
