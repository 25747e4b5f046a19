"""Generators: what learns p(features given semantics), and the baselines beside them."""

from __future__ import annotations

from torch import nn

from ..settings import Settings
from .base import Classes, Generator
from .baselines import DAP, ESZSL, NearestPrototype
from .cvae import CVAE
from .flow import GSMFlow, LinearFlow
from .gaussian import Gaussian
from .wgan import WGAN

__all__ = [
    "CVAE",
    "DAP",
    "ESZSL",
    "GENERATORS",
    "WGAN",
    "Classes",
    "GSMFlow",
    "Gaussian",
    "Generator",
    "NearestPrototype",
    "LinearFlow",
    "build_generator",
]

GENERATORS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "gsmflow": (GSMFlow, ("flow",)),
    "linear-flow": (LinearFlow, ("gaussian", "linear_flow")),
    "gaussian": (Gaussian, ("gaussian",)),
    "cvae": (CVAE, ("cvae",)),
    "wgan": (WGAN, ("wgan",)),
    "eszsl": (ESZSL, ("eszsl",)),
    "prototype": (NearestPrototype, ("prototype",)),
    "dap": (DAP, ("dap",)),
}
"""The class of each kind and the sections of the settings that it takes. To add one, write its file and a line here."""


def build_generator(dim: int, classes: Classes, settings: Settings) -> nn.Module:
    """An untrained generator of the kind that ``settings.generator`` names, for features of ``dim`` dimensions."""
    kind, sections = GENERATORS[settings.generator]
    return kind(dim, classes, *(getattr(settings, section) for section in sections))
