"""What holds for every generator, whatever it is."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gsmflow import generators
from gsmflow.errors import InputError
from gsmflow.generators import (
    GENERATORS,
    ClosedForm,
    Density,
    Described,
    Extensible,
    GeneratorKind,
    Listed,
    Projected,
    Sampler,
    Scorer,
    Trained,
    adopt,
    build_generator,
)
from gsmflow.settings import Settings
from tests.generators.cases import CASES, NAMES, answers, build, classes_of, fit, make_problem, settings_for

every_generator = pytest.mark.parametrize("name", NAMES)
every_case = pytest.mark.parametrize("name", CASES)
TRAINED = ["linear-flow", "gsmflow", "cvae", "wgan"]
DENSITIES = ["linear-flow", "gsmflow", "gaussian"]
BASELINES = ["eszsl", "prototype", "dap", "cosine"]
MAPS = ["none", "l2", "sqrt", "spread"]


@pytest.fixture(scope="module")
def problem():
    return make_problem()


@every_generator
def test_what_each_can_do_is_told_by_its_class(name):
    kind = GENERATORS[name].kind
    able = {protocol for protocol in (Trained, Sampler, Density, Projected, Scorer) if issubclass(kind, protocol)}
    expected = {Scorer} if name in BASELINES else {Sampler}
    expected |= {Trained} if name in TRAINED else set()
    expected |= {Density} if name in DENSITIES else set()
    expected |= {Projected} if name in ("linear-flow", "gaussian") else set()
    assert able == expected
    assert issubclass(kind, Extensible)
    assert getattr(kind, "stands_on", None) == ("gaussian" if name == "linear-flow" else None)


@every_generator
def test_a_generator_is_trained_or_a_closed_form(name, problem):
    model = build(problem, settings_for(name))
    assert isinstance(model, Trained) != isinstance(model, ClosedForm)


@every_case
def test_shapes(name, problem):
    model, classes = fit(problem, settings_for(name)), torch.tensor([9, 0, 4])
    found = answers(model, problem.x[:7], classes)
    assert {what: tuple(value.shape) for what, value in found.items()} == {
        what: (3, 6) if what == "sample" else (7, 3) for what in found
    }
    for value in found.values():
        assert value.isfinite().all()
        assert not value.requires_grad
    every = answers(model, problem.x[:7], torch.arange(10))
    for what in found.keys() - {"sample"}:
        torch.testing.assert_close(found[what], every[what][:, classes], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("semantics", MAPS)
@pytest.mark.parametrize("name", TRAINED)
def test_gradients_reach_every_parameter(name, semantics, problem):
    settings = settings_for(name, semantics)
    model = build(problem, settings)
    model.prepare(problem.x, problem.labels)
    for step in (0, settings.wgan.critic_steps):
        terms = model.loss(problem.x, problem.labels, step=step, rng=torch.Generator().manual_seed(0))
        assert all(term.shape == () for term in terms.values())
        sum(terms.values()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any() or parameter_name == "critic.last.bias", parameter_name


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_integrate_to_one(name):
    """On a grid in the plane, over eight standard deviations of the samples of each class."""
    problem = make_problem(dim=2)
    model = fit(problem, settings_for(name), steps=40)
    for k in (0, 9):
        samples = model.sample(torch.full((2000,), k), rng=torch.Generator().manual_seed(0))
        centre, width = samples.mean(0), 8 * samples.std(0)
        axes = [torch.linspace(float(c - w), float(c + w), 401) for c, w in zip(centre, width, strict=True)]
        cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
        total = model.log_prob(torch.cartesian_prod(*axes), torch.tensor([k])).double().exp().sum() * cell
        assert total.item() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("name", [*BASELINES, "gaussian"])
def test_double_features_are_scored_in_double(name, problem):
    model = fit(problem, settings_for(name))
    exact, x, every = copy.deepcopy(model).double(), problem.x.double(), torch.arange(10)
    if name == "gaussian":
        found, expected = model.log_ratio(model.view(x), every), exact.log_ratio(exact.view(x), every)
        single = model.log_ratio(model.view(problem.x), every)
    else:
        found, expected, single = model.scores(x, every), exact.scores(x, every), model.scores(problem.x, every)
    assert torch.equal(found, expected)
    assert (found.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), found, rtol=1e-4, atol=1e-4)


def test_a_linear_flow_scores_in_double(problem):
    model, every = fit(problem, settings_for("linear-flow")), torch.arange(10)
    found = model.log_ratio(model.view(problem.x.double()), every)
    assert found.dtype == torch.float64
    torch.testing.assert_close(model.log_ratio(model.view(problem.x), every).double(), found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("semantics", MAPS)
@every_case
def test_a_file_holds_all_that_a_generator_is(name, semantics, problem, tmp_path):
    """After classes came and went, too, and loaded into one that is built from the classes there are now."""
    settings = settings_for(name, semantics)
    model = fit(problem, settings)
    kept = torch.tensor([0, 4, 9, 11])
    for change in (lambda: None, lambda: model.extend(torch.rand(2, 6)), lambda: model.keep(kept)):
        change()
        save_file(model.state_dict(), tmp_path / "model.safetensors")
        torch.manual_seed(1)
        loaded = build_generator(6, classes_of(model), settings)
        adopt(loaded, load_file(tmp_path / "model.safetensors"))
        every = torch.arange(len(classes_of(model).semantics))
        expected, found = answers(model, problem.x, every), answers(loaded, problem.x, every)
        assert all(torch.equal(found[what], expected[what]) for what in expected)
        model.extend(torch.full((1, 6), 0.3))
        loaded.extend(torch.full((1, 6), 0.3))
        added = torch.tensor([len(every)])
        expected, found = answers(model, problem.x, added), answers(loaded, problem.x, added)
        assert all(torch.equal(found[what], expected[what]) for what in expected)
        model.keep(every)


def test_a_model_without_seen_classes_is_loaded(problem):
    for name in CASES:
        settings = settings_for(name, "spread")
        model = fit(problem, settings)
        model.keep(problem.classes.unseen)
        loaded = build_generator(6, classes_of(model), settings)
        adopt(loaded, model.state_dict())
        expected, found = (answers(m, problem.x, torch.arange(4)) for m in (model, loaded))
        assert all(torch.equal(found[what], expected[what]) for what in expected)


def test_adopting_refuses_what_does_not_fit(problem):
    model = fit(problem, settings_for("gsmflow"))
    tensors = model.state_dict()
    parameter = "flow.blocks.0.subnet1.bias"
    for wrong in (
        {name: value for name, value in tensors.items() if name != "semantics"},
        tensors | {"more": torch.zeros(1)},
        tensors | {parameter: torch.zeros(3)},
    ):
        with pytest.raises(RuntimeError, match=r"semantics|more|subnet1\.bias"):
            adopt(build(problem, settings_for("gsmflow")), wrong)
    with pytest.raises(RuntimeError, match="kernel"):  # other settings: there is no kernel to load
        adopt(build(problem, Settings(generator="gaussian")), fit(problem, settings_for("gaussian")).state_dict())


@pytest.mark.parametrize("semantics", MAPS)
@every_case
def test_without_unseen_classes(name, semantics):
    problem = make_problem(unseen=0)
    assert len(problem.classes.unseen) == 0
    model = fit(problem, settings_for(name, semantics))
    assert all(value.isfinite().all() for value in answers(model, problem.x, torch.arange(6)).values())
    model.extend(torch.rand(2, 6))
    assert all(value.isfinite().all() for value in answers(model, problem.x, torch.arange(8)).values())


@pytest.mark.parametrize("semantics", MAPS)
@every_case
def test_a_row_of_zeros_gives_no_nan(name, semantics, problem):
    zeros = problem.classes.semantics.clone()
    zeros[[0, 1]] = 0.0
    problem = type(problem)(problem.x, problem.labels, replace(problem.classes, semantics=zeros))
    model = fit(problem, settings_for(name, semantics))
    model.extend(torch.zeros(1, 6))
    assert all(value.isfinite().all() for value in answers(model, problem.x, torch.arange(11)).values())


@every_case
def test_repr_is_readable(name, problem):
    text = repr(build(problem, settings_for(name)))
    assert "dim=6, seen=6, unseen=4" in text
    assert "SemanticMap(" in text
    assert len(text.splitlines()) < 60


def test_an_unknown_generator_is_told():
    with pytest.raises(InputError, match=r"no generator 'flowers': choose one of linear-flow, gsmflow, .*dap"):
        build(make_problem(), Settings(generator="flowers"))
    with pytest.raises(InputError, match="'residual-flow' is called 'linear-flow' now"):
        build(make_problem(), Settings(generator="residual-flow"))


class Means(Described):
    """A generator in one class: noise around the mean of all features."""

    def __init__(self, dim, classes):
        super().__init__(dim, classes)
        self.mean = nn.Parameter(torch.zeros(dim))

    def prepare(self, x, labels):
        pass

    def loss(self, x, labels, *, step=0, rng=None):
        return {"distance": (x - self.mean).square().mean()}

    @torch.no_grad()
    def sample(self, classes, *, rng=None):
        return self.mean + torch.randn(len(classes), self.dim, generator=rng)


def test_a_generator_is_one_class_and_one_line(problem, monkeypatch):
    monkeypatch.setitem(generators.GENERATORS, "means", GeneratorKind(Means, ()))
    model = fit(problem, settings_for("means"))
    assert isinstance(model, Means)
    assert issubclass(Means, Extensible)
    assert model.mean.detach().any()
    model.extend(torch.rand(1, 6))
    assert answers(model, problem.x, torch.arange(11))["sample"].shape == (11, 6)


def test_a_closed_form_must_say_its_candidates(problem):
    with pytest.raises(NotImplementedError):
        Listed(6, problem.classes, settings_for("dap").dap).fit(problem.x, problem.labels)
