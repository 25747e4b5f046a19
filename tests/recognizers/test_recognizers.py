"""The table of recognizers, and those that ask the generator."""

from dataclasses import replace

import pytest
import torch

from gsmflow import recognizers
from gsmflow.errors import InputError
from gsmflow.generators import Classes, Sampler
from gsmflow.recognizers import (
    RECOGNIZERS,
    Direct,
    Recognizer,
    RecognizerKind,
    Softmax,
    build_recognizer,
    fit_recognizer,
    recognizers_for,
)
from gsmflow.settings import SoftmaxSettings
from tests.generators.cases import NAMES, classes_of, fit, make_problem, settings_for

SOFTMAX = SoftmaxSettings(samples=10, epochs=2, batch=64)
ABLE = {
    "linear-flow": ["softmax", "likelihood"],
    "gsmflow": ["softmax", "likelihood"],
    "gaussian": ["softmax", "likelihood"],
    "cvae": ["softmax"],
    "wgan": ["softmax"],
    "eszsl": ["compatibility"],
    "prototype": ["compatibility"],
    "dap": ["compatibility"],
    "cosine": ["compatibility"],
}


@pytest.fixture(scope="module")
def problem():
    return make_problem()


@pytest.mark.parametrize("name", NAMES)
def test_each_generator_has_its_recognizers(name):
    settings = settings_for(name)
    assert recognizers_for(replace(settings, recognizer="auto")) == ABLE[name]
    for kind, line in RECOGNIZERS.items():
        asked = replace(settings, recognizer=kind)
        if kind in ABLE[name]:
            assert recognizers_for(asked) == [kind]
        else:
            method = {"softmax": "sample", "likelihood": "log_prob", "compatibility": "scores"}[kind]
            assert line.method == method
            with pytest.raises(InputError, match=f"'{name}' has no {method}, which '{kind}' needs: choose recog"):
                recognizers_for(asked)


def test_an_unknown_recognizer_is_told(problem):
    sentence = "no recognizer 'oracle': choose one of softmax, likelihood, compatibility, or auto"
    settings = replace(settings_for("dap"), recognizer="oracle")
    with pytest.raises(InputError, match=sentence):
        recognizers_for(settings)
    with pytest.raises(InputError, match=sentence):
        build_recognizer("oracle", 6, problem.classes, torch.nn.Identity())
    with pytest.raises(InputError, match=sentence):
        next(fit_recognizer("oracle", torch.nn.Identity(), *problem.__dict__.values(), settings, seed=0))


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in NAMES for kind in ABLE[name]])
@pytest.mark.parametrize("unseen", [4, 0])
def test_every_pair_recognises(name, kind, unseen):
    problem = make_problem(unseen=unseen)
    settings = replace(settings_for(name), softmax=SOFTMAX)
    generator = fit(problem, settings)
    fitting = fit_recognizer(kind, generator, problem.x, problem.labels, problem.classes, settings, seed=0)
    found = list(fitting)
    assert len(found) == (2 if kind == "softmax" else 1)
    assert isinstance(found[-1], Softmax if kind == "softmax" else Direct)
    scores = found[-1].scores(found[-1].view(problem.x))
    assert scores.shape == (len(problem.x), 6 + unseen)
    assert scores.isfinite().all()
    loaded = build_recognizer(kind, 6, problem.classes, generator)
    loaded.load_state_dict(found[-1].state_dict())
    assert torch.equal(loaded.scores(loaded.view(problem.x)), scores)


@pytest.mark.parametrize("name", [name for name in NAMES if ABLE[name] != ["softmax"]])
def test_direct_follows_its_generator(name, problem):
    generator = fit(problem, settings_for(name))
    recognizer = build_recognizer(ABLE[name][-1], 6, problem.classes, generator)
    assert not list(recognizer.parameters()), "what belongs to the generator is not its own"
    assert not recognizer.state_dict()
    kept = torch.tensor([0, 4, 9])
    before = recognizer.scores(recognizer.view(problem.x))
    generator.keep(kept)
    recognizer.keep(kept, problem.classes.unseen)
    torch.testing.assert_close(recognizer.scores(recognizer.view(problem.x)), before[:, kept], rtol=1e-6, atol=1e-5)
    generator.extend(torch.rand(2, 6))
    recognizer.extend(2)
    found = recognizer.scores(recognizer.view(problem.x))
    fresh = build_recognizer(ABLE[name][-1], 6, classes_of(generator), generator)
    assert torch.equal(found, fresh.scores(fresh.view(problem.x)))
    assert found.shape[1] == 5
    assert recognizer.unseen_scores(problem.x) is None


class Nearest(Recognizer):
    """A recognizer in one class: the nearest of one synthesized feature a class."""

    def __init__(self, dim: int, classes: Classes):
        super().__init__()
        self.register_buffer("points", torch.zeros(len(classes.semantics), dim))

    def scores(self, x):
        return -torch.cdist(x, self.points)


def fit_nearest(generator, x, labels, classes, softmax, *, seed, start):
    nearest = Nearest(x.shape[1], classes)
    every = torch.arange(len(classes.semantics))
    nearest.points = generator.sample(every, rng=torch.Generator().manual_seed(seed))
    yield nearest


def test_a_recognizer_is_one_class_and_one_line(problem, monkeypatch):
    line = RecognizerKind(Sampler, lambda dim, classes, _: Nearest(dim, classes), fit_nearest, ("softmax",))
    monkeypatch.setitem(recognizers.RECOGNIZERS, "nearest", line)
    settings = replace(settings_for("gaussian"), recognizer="nearest")
    assert recognizers_for(settings) == ["nearest"]
    generator = fit(problem, settings)
    (found,) = fit_recognizer("nearest", generator, problem.x, problem.labels, problem.classes, settings, seed=0)
    assert found.scores(found.view(problem.x)).shape == (len(problem.x), 10)
    assert not build_recognizer("nearest", 6, problem.classes, generator).points.any()
