"""Generators: what learns p(features given semantics)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..settings import Settings
from .base import Classes, Generator
from .baselines import DAP, ESZSL, NearestPrototype
from .cvae import CVAE
from .flow import GSMFlow, ResidualFlow
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
    "ResidualFlow",
    "build_generator",
]

GENERATORS: dict[str, Callable[[int, Classes, Settings], nn.Module]] = {
    "gsmflow": lambda dim, classes, settings: GSMFlow(dim, classes, settings.flow),
    "gaussian": lambda dim, classes, settings: Gaussian(dim, classes, settings.gaussian),
    "residual-flow": lambda dim, classes, settings: ResidualFlow(dim, classes, settings.gaussian, settings.residual),
    "cvae": lambda dim, classes, settings: CVAE(dim, classes, settings.cvae),
    "wgan": lambda dim, classes, settings: WGAN(dim, classes, settings.wgan),
    "eszsl": lambda dim, classes, settings: ESZSL(dim, classes, settings.eszsl),
    "prototype": lambda dim, classes, settings: NearestPrototype(dim, classes, settings.prototype),
    "dap": lambda dim, classes, settings: DAP(dim, classes, settings.dap),
}
"""To add a generator, write its file and a line here."""


def build_generator(dim: int, classes: Classes, settings: Settings) -> nn.Module:
    """An untrained generator of the kind that ``settings.generator`` names, for features of ``dim`` dimensions."""
    return GENERATORS[settings.generator](dim, classes, settings)
