"""Recognizers: what decides the class of a feature vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..generators import Classes, Density, Sampler, Scorer, generator_kind
from ..settings import Settings
from ..streams import Stream
from .base import Recognizer, RecognizerKind
from .direct import Direct, by_compatibility, by_likelihood
from .softmax import Softmax, fit_softmax

__all__ = [
    "RECOGNIZERS",
    "Direct",
    "Recognizer",
    "RecognizerKind",
    "Softmax",
    "build_recognizer",
    "fit_recognizer",
    "fit_softmax",
    "recognizer_kind",
    "recognizers_for",
]

RECOGNIZERS = {
    "softmax": RecognizerKind(Sampler, lambda dim, classes, _: Softmax(dim, classes), fit_softmax, ("softmax",)),
    "likelihood": RecognizerKind(Density, by_likelihood),
    "compatibility": RecognizerKind(Scorer, by_compatibility),
}
"""All recognizers by name. To add one, write its file and a line here."""


def recognizer_kind(name: str) -> RecognizerKind:
    """The line of `RECOGNIZERS` of this name.

    Raises:
        InputError: if there is none.
    """
    if name not in RECOGNIZERS:
        raise InputError(f"There is no recognizer {name!r}: choose one of {', '.join(RECOGNIZERS)}, or auto.")
    return RECOGNIZERS[name]


def recognizers_for(settings: Settings) -> list[str]:
    """The recognizer asked for, or with ``auto`` all that the generator supports.

    Example:
        >>> recognizers_for(Settings(generator="gsmflow", recognizer="auto"))
        ['softmax', 'likelihood']

    Raises:
        InputError: if the generator does not support the one asked for, or there is no such one.
    """
    generator = generator_kind(settings.generator).kind
    able = [name for name, kind in RECOGNIZERS.items() if issubclass(generator, kind.needs)]
    if settings.recognizer == "auto":
        return able
    needed = recognizer_kind(settings.recognizer).method
    if settings.recognizer not in able:
        raise InputError(
            f"The generator {settings.generator!r} has no {needed}, which {settings.recognizer!r} needs: choose "
            f"recognizer={' or '.join(able)}."
        )
    return [settings.recognizer]


def build_recognizer(kind: str, dim: int, classes: Classes, generator: nn.Module) -> Recognizer:
    """An unfitted recognizer, to load weights into.

    Raises:
        InputError: if there is no recognizer of this kind.
    """
    return recognizer_kind(kind).build(dim, classes, generator)


def fit_recognizer(
    kind: str,
    generator: nn.Module,
    x: Tensor | Stream,
    labels: Tensor,
    classes: Classes,
    settings: Settings,
    *,
    seed: int,
    start: Any = None,
) -> Iterator[Recognizer]:
    """Fit a recognizer on a trained generator; yield it after each of its epochs (one, where there are none).

    Args:
        kind: its name in `RECOGNIZERS`.
        generator: trained; has what the kind needs.
        x: ``(n, D)``, features of seen classes, scaled as the generator's are.
        labels: ``(n,)``, their class ids.
        classes: which classes there are.
        settings: all settings, of which it takes its sections.
        seed: the same seed gives the same recognizer.
        start: what to start from, as a recognizer's ``state_dict`` gave it.

    Raises:
        InputError: if there is no recognizer of this kind.
    """
    found = recognizer_kind(kind)
    if found.fit is None:
        yield found.build(x.shape[1], classes, generator)
    else:
        sections = (getattr(settings, section) for section in found.sections)
        yield from found.fit(generator, x, labels, classes, *sections, seed=seed, start=start)
