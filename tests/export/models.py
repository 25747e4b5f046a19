"""Small models of every kind, and features to ask them about."""

from dataclasses import replace

import numpy as np

from gsmflow.model import About, ZeroShotModel
from gsmflow.recognizers import fit_recognizer
from gsmflow.scaling import Scaling
from gsmflow.settings import SoftmaxSettings
from tests.generators.cases import ON_WORDS, fit, make_problem, settings_for

WIDE = 3.0
"""Raw features are so much wider than the scaled ones."""


def make(name: str, recognizer: str, kind: str = "minmax", dim: int = 6, **changes: object) -> ZeroShotModel:
    problem = make_problem(dim)
    settings = replace(settings_for(name), recognizer=recognizer, scaling=kind, **changes)
    settings = replace(settings, softmax=SoftmaxSettings(samples=20, epochs=2, batch=64, lr=0.1))
    raw = WIDE * problem.x + 1
    scaling = Scaling.fit(raw, kind)
    problem = replace(problem, x=scaling(raw))
    generator = fit(problem, settings)
    *_, fitted = fit_recognizer(recognizer, generator, problem.x, problem.labels, problem.classes, settings, seed=0)
    names = tuple(f"class {k}" for k in range(len(problem.classes.semantics)))
    one_space = name == "cosine" or ON_WORDS in name
    about = About(names, settings, recognizer, constant=0.3, one_space=one_space)
    return ZeroShotModel(scaling, generator, fitted, problem.classes, about).eval()


def rows(count: int, dim: int = 6) -> np.ndarray:
    return (1 + WIDE * np.random.default_rng(count).random((count, dim))).astype(np.float32)
