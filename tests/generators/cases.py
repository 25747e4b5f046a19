"""Every generator on one small problem, fitted in a moment."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gsmflow.data import synthetic
from gsmflow.generators import GENERATORS, Classes, ClosedForm, Density, Sampler, Scorer, Trained, build_generator
from gsmflow.scaling import Scaling
from gsmflow.semantics import Words
from gsmflow.settings import (
    CVAESettings,
    DAPSettings,
    ESZSLSettings,
    FlowSettings,
    GaussianSettings,
    PrototypeSettings,
    Settings,
    TrainingSettings,
    WGANSettings,
)
from gsmflow.training import build_optimizer, minimize

SETTINGS = Settings(
    flow=FlowSettings(blocks=2, hidden=16, position_dim=8, prototype=1.0),
    gaussian=GaussianSettings(dims=4, semantics=("l2",), kernels=("rbf",), ridges=(0.1,), shrinks=(0.2,)),
    cvae=CVAESettings(hidden=16),
    wgan=WGANSettings(hidden=16, critic_steps=2),
    eszsl=ESZSLSettings(gammas=(0.1,), lambdas=(0.1,)),
    prototype=PrototypeSettings(ridges=(0.1,)),
    dap=DAPSettings(ridges=(0.1,)),
    training=TrainingSettings(batch=32, lr=1e-3),
)
NAMES = list(GENERATORS)
ON_WORDS = " on words"
CASES = [*NAMES, *(f"{name}{ON_WORDS}" for name in ("gaussian", "linear-flow"))]
"""Every generator, and those whose means can be predicted from words as well."""


@dataclass(frozen=True)
class Problem:
    """Features in [0, 1] of seen classes whose ids lie between those of unseen ones; semantics have as many dimensions,
    so that they can be taken for words in one space."""

    x: Tensor
    labels: Tensor
    classes: Classes

    def without(self, removed: Tensor) -> tuple["Problem", Tensor]:
        """The problem without some unseen classes; and the ids, as they were, of those left and then of those."""
        stay = torch.tensor([k for k in range(len(self.classes.semantics)) if k not in removed])
        seen, unseen = self.classes.seen, self.classes.unseen
        classes = Classes(
            self.classes.semantics[stay],
            torch.searchsorted(stay, seen),
            torch.searchsorted(stay, unseen[~torch.isin(unseen, removed)]),
            self.classes.words,
        )
        return Problem(self.x, torch.searchsorted(stay, self.labels), classes), torch.cat([stay, removed])


def make_problem(dim: int = 6, unseen: int = 4, semantic_dim: int = 6) -> Problem:
    training = synthetic(classes=10, unseen=4, samples=15, dim=dim, semantic_dim=semantic_dim, seed=3).training()
    x, ids = torch.tensor(training.features), torch.tensor([0, 2, 3, 5, 6, 8, 1, 4, 7, 9])
    semantics = torch.empty(10, semantic_dim)
    semantics[ids] = torch.tensor(training.semantics)
    x = (x - x.amin(0)) / (x.amax(0) - x.amin(0))
    words = Words(slice(0, None), Scaling(dim)) if dim == semantic_dim else None
    problem = Problem(x, ids[torch.tensor(training.labels)], Classes(semantics, ids[:6], ids[6:], words))
    return problem if unseen == 4 else problem.without(problem.classes.unseen[unseen:])[0]


def settings_for(name: str, semantics: str | None = None) -> Settings:
    """The settings of a case, and with this map of semantics where one is given."""
    name, on_words, _ = name.partition(ON_WORDS)
    priors = ("words",) if on_words else ("none",)
    settings = replace(SETTINGS, generator=name, gaussian=replace(SETTINGS.gaussian, priors=priors))
    if semantics is None:
        return settings
    for section in GENERATORS[name].sections:
        values = getattr(settings, section)
        if hasattr(values, "semantics"):
            kind = (semantics,) if isinstance(values.semantics, tuple) else semantics
            settings = replace(settings, **{section: replace(values, semantics=kind)})
    return settings


def build(problem: Problem, settings: Settings, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_generator(problem.x.shape[1], problem.classes, settings)


def fit(problem: Problem, settings: Settings, steps: int = 6) -> nn.Module:
    model = build(problem, settings)
    if isinstance(model, ClosedForm):
        model.fit(problem.x, problem.labels)
    elif isinstance(model, Trained):
        model.prepare(problem.x, problem.labels)
        optimizer = build_optimizer(model, settings.training)
        for _ in minimize(
            model, problem.x, problem.labels, settings.training, optimizer=optimizer, steps=steps, seed=0
        ):
            pass
    return model


def answers(model: nn.Module, x: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """All that a generator says of classes, a column or a row each."""
    found = {}
    if isinstance(model, Density):
        found["log_prob"] = model.log_prob(x, classes)
    if isinstance(model, Scorer):
        found["scores"] = model.scores(x, classes)
    if isinstance(model, Sampler):
        found["sample"] = model.sample(classes, rng=torch.Generator().manual_seed(5))
    return found


def classes_of(model: nn.Module) -> Classes:
    """The classes that a generator, or the closed form it stands on, knows now."""
    known = getattr(model, "base", model)
    return Classes(known.semantics, known.seen, known.unseen, known.words)
