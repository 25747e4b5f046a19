"""Recognizers: what decides the class of a feature vector."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..generators.base import Classes
from .softmax import Softmax, fit_softmax

__all__ = ["RECOGNIZERS", "Softmax", "build_recognizer", "fit_softmax"]

RECOGNIZERS: dict[str, Callable[[int, Classes], nn.Module]] = {"softmax": Softmax}


def build_recognizer(kind: str, dim: int, classes: Classes) -> nn.Module:
    """An unfitted recognizer, to load weights into."""
    return RECOGNIZERS[kind](dim, classes)
