"""Generators: what learns p(features given semantics), and the baselines beside them."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from ..errors import InputError
from ..overrides import RENAMED_VALUES
from ..settings import Settings
from .base import (
    Classes,
    ClosedForm,
    Density,
    Described,
    Extensible,
    Listed,
    Projected,
    Sampler,
    Scorer,
    Teachable,
    Trained,
    adopt,
)
from .baselines import DAP, ESZSL, NearestPrototype
from .cosine import Cosine
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
    "ClosedForm",
    "Cosine",
    "Density",
    "Described",
    "Extensible",
    "GSMFlow",
    "Gaussian",
    "GeneratorKind",
    "LinearFlow",
    "Listed",
    "NearestPrototype",
    "Projected",
    "Sampler",
    "Scorer",
    "Teachable",
    "Trained",
    "adopt",
    "build_generator",
    "generator_kind",
]


class GeneratorKind(NamedTuple):
    """A generator's class, built by ``kind(dim, classes, *sections)``, and the sections of the settings it takes."""

    kind: type[nn.Module]
    sections: tuple[str, ...]


GENERATORS = {
    "linear-flow": GeneratorKind(LinearFlow, ("gaussian", "linear_flow")),
    "gsmflow": GeneratorKind(GSMFlow, ("flow",)),
    "gaussian": GeneratorKind(Gaussian, ("gaussian",)),
    "cvae": GeneratorKind(CVAE, ("cvae",)),
    "wgan": GeneratorKind(WGAN, ("wgan",)),
    "eszsl": GeneratorKind(ESZSL, ("eszsl",)),
    "prototype": GeneratorKind(NearestPrototype, ("prototype",)),
    "dap": GeneratorKind(DAP, ("dap",)),
    "cosine": GeneratorKind(Cosine, ("cosine",)),
}
"""All generators by name. To add one, write its file and a line here."""


def generator_kind(name: str) -> GeneratorKind:
    """The line of `GENERATORS` of this name.

    Raises:
        InputError: if there is none.
    """
    renamed = RENAMED_VALUES["generator"]
    if name in renamed:
        raise InputError(f"The generator {name!r} is called {renamed[name]!r} now.")
    if name not in GENERATORS:
        raise InputError(f"There is no generator {name!r}: choose one of {', '.join(GENERATORS)}.")
    return GENERATORS[name]


def build_generator(dim: int, classes: Classes, settings: Settings) -> nn.Module:
    """An untrained generator of the kind that ``settings.generator`` names, for features of ``dim`` dimensions.

    Its parameters are drawn from torch's global random state.

    Example:
        >>> import torch
        >>> classes = Classes(torch.rand(4, 3), seen=torch.tensor([0, 1, 3]), unseen=torch.tensor([2]))
        >>> model = build_generator(6, classes, Settings(generator="dap"))
        >>> model
        DAP(
          dim=6, seen=3, unseen=1
          (semantic_map): SemanticMap(l2, dim=3)
        )
        >>> isinstance(model, Scorer), isinstance(model, Sampler)
        (True, False)

    Raises:
        InputError: if there is no such generator.
    """
    kind, sections = generator_kind(settings.generator)
    return kind(dim, classes, *(getattr(settings, section) for section in sections))
