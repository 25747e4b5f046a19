"""The closed form against scikit-learn, torch.distributions and explicit refits."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.kernel_ridge import KernelRidge

import gsmflow
from gsmflow import streams
from gsmflow.data import synthetic
from gsmflow.generators import Classes, Gaussian, LinearFlow, adopt
from gsmflow.generators import gaussian as module
from gsmflow.generators.gaussian import Statistics
from gsmflow.generators.regression import MOST_LANDMARKS, Kernel, Ridge, RidgeOnWords
from gsmflow.scaling import Scaling
from gsmflow.semantics import SemanticMap, Words
from gsmflow.settings import GaussianSettings, LinearFlowSettings
from tests.one_space import aligned

SETTINGS = GaussianSettings(dims=5, semantics=("l2",), kernels=("rbf",), ridges=(0.1,), shrinks=(0.2,), widens=(1.0,))


@pytest.fixture(scope="module")
def problem():
    training = synthetic(classes=9, unseen=3, samples=30, dim=8, semantic_dim=4, seed=1).training()
    return training, torch.tensor(training.features), torch.tensor(training.labels), Classes.of(training)


@pytest.fixture
def fitted(problem):
    _, x, labels, classes = problem
    gaussian = Gaussian(x.shape[1], classes, SETTINGS)
    gaussian.fit(x, labels)
    return gaussian


def covariance(gaussian: Gaussian, kind: int) -> torch.Tensor:
    basis, factor = gaussian.basis.double(), gaussian.factors[kind].double()
    outside = torch.eye(len(basis)) - basis @ basis.T
    return basis @ factor @ factor.T @ basis.T + gaussian.noise.double() * outside


def test_statistics_are_those_of_numpy(problem):
    _, x, labels, classes = problem
    found = Statistics.of(x, labels, classes.seen, dims=8)
    y = (x - x.mean(0)) @ found.basis
    inner = np.concatenate([y[labels == k] - y[labels == k].mean(0) for k in classes.seen])
    assert torch.allclose(found.basis.T @ found.basis, torch.eye(8), atol=1e-5)
    np.testing.assert_allclose(found.within, inner.T @ inner / (len(x) - len(classes.seen)), atol=1e-5)
    np.testing.assert_allclose(found.class_means[2], y[labels == classes.seen[2]].mean(0), atol=1e-5)
    assert found.noise == 0.0


def test_noise_is_the_variance_left_outside_of_the_basis(problem):
    _, x, labels, classes = problem
    found = Statistics.of(x, labels, classes.seen, dims=5)
    values = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))
    assert found.noise == pytest.approx(values[:3].mean(), rel=1e-3)


def test_a_tall_basis_spans_the_leading_directions():
    x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 0.1, 200)
    labels = torch.arange(60) % 3
    found = Statistics.of(x, labels, torch.arange(3), dims=10)
    leading = np.linalg.svd((x - x.mean(0)).numpy(), full_matrices=False)[2][:10]
    assert np.linalg.svd(leading @ found.basis.numpy())[1].min() > 0.99


def test_statistics_do_not_depend_on_the_chunks(problem, monkeypatch):
    _, x, labels, classes = problem
    whole = Statistics.of(x, labels, classes.seen, dims=5)
    monkeypatch.setattr(streams, "CHUNK", 7)
    parts = Statistics.of(x, labels, classes.seen, dims=5)
    assert parts.noise == pytest.approx(whole.noise, rel=1e-4)
    torch.testing.assert_close(parts.class_means, whole.class_means, rtol=0, atol=1e-6)
    torch.testing.assert_close(parts.within, whole.within, rtol=0, atol=1e-6)


def test_few_rows_give_the_directions_of_many(monkeypatch):
    x = torch.randn(4000, 30, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 0.1, 30)
    labels = torch.arange(4000) % 4
    whole = Statistics.of(x, labels, torch.arange(4), dims=16).basis
    monkeypatch.setattr(module, "MOST_ROWS", 1000)
    some = Statistics.of(x, labels, torch.arange(4), dims=16)
    assert torch.linalg.svdvals(whole.T @ some.basis)[:12].min() > 0.97
    inner = (x - some.mean) @ some.basis
    torch.testing.assert_close(some.class_means[1], inner[labels == 1].double().mean(0), rtol=0, atol=1e-5)


def as_semantics(*shape: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("kind", ["linear", "rbf"])
def test_regression_is_the_kernel_ridge_of_scikit_learn(kind):
    semantics, targets = as_semantics(16, 5), as_semantics(12, 3)
    known = semantics[4:]
    kernel = Kernel.fit(known, kind)
    regression, _ = Ridge(kernel(known), targets).fit(0.3)
    gamma = 1 / float(torch.cdist(known, known).square().mean())
    penalty = 0.3 * (float(known.square().sum(1).mean()) if kind == "linear" else 1.0)
    oracle = KernelRidge(alpha=penalty, kernel=kind, gamma=gamma).fit(known, targets - targets.mean(0))
    expected = oracle.predict(semantics) + targets.mean(0).numpy()
    np.testing.assert_allclose(regression(kernel(semantics)), expected, atol=1e-7)


@pytest.mark.parametrize("kind", ["linear", "rbf"])
def test_left_out_errors_are_those_of_a_fit_without_the_row(kind):
    semantics = as_semantics(10, 4)
    features = Kernel.fit(semantics, kind)(semantics)
    targets = as_semantics(10, 3) - as_semantics(10, 3).mean(0)
    _, errors = Ridge(features, targets).fit(0.2)
    penalty = 0.2 * features.square().sum(1).mean()
    for i in range(10):
        rest = torch.tensor([j for j in range(10) if j != i])
        gram = features[rest].T @ features[rest] + penalty * torch.eye(features.shape[1])
        coefficients = torch.linalg.solve(gram, features[rest].T @ targets[rest])
        np.testing.assert_allclose(errors[i], targets[i] - features[i] @ coefficients, atol=1e-7)


def words_and_means(helps: float = 0.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of a kernel, words and means of ten classes; the means hold so much of the words."""
    rng = np.random.default_rng(3)
    words, rest = (torch.tensor(rng.normal(size=(10, 3))) for _ in range(2))
    return as_semantics(10, 4), words + 2, helps * words + 0.3 * rest + 1


def test_left_out_errors_on_words_are_those_of_a_fit_without_the_row():
    """Of the share of the words as well as of the regression, for the centres of all rows."""
    features, words, means = words_and_means()
    found = RidgeOnWords(Ridge(features, means), words)
    regression, errors = found.fit(0.2)
    w, m = words - words.mean(0), means - means.mean(0)
    assert float(found.share) == pytest.approx(float((w * m).sum() / (w * w).sum()))
    assert float(found.share) == pytest.approx(0.5, abs=0.2)
    penalty = 0.2 * features.square().sum(1).mean()
    for i in range(10):
        rest = torch.tensor([j for j in range(10) if j != i])
        share = (w[rest] * m[rest]).sum() / (w[rest] * w[rest]).sum()
        gram = features[rest].T @ features[rest] + penalty * torch.eye(4)
        coefficients = torch.linalg.solve(gram, features[rest].T @ (m - share * w)[rest])
        expected = m[i] - share * w[i] - features[i] @ coefficients
        np.testing.assert_allclose(errors[i], expected, atol=1e-9)
    plain, _ = Ridge(features, means - found.share * words).fit(0.2)
    torch.testing.assert_close(regression(features), plain(features))


@pytest.mark.parametrize("helps", [0.0, -0.5])
def test_words_that_come_no_nearer_to_means_are_taken_for_nothing(helps):
    features, words, means = words_and_means(helps)
    plain = Ridge(features, means)
    found = RidgeOnWords(plain, words)
    assert found.share == 0
    (ours, errors), (theirs, expected) = found.fit(0.2), plain.fit(0.2)
    assert torch.equal(ours(features), theirs(features))
    assert torch.equal(errors, expected)


@pytest.mark.parametrize("scaling", ["none", "minmax", "l2", "sqrt-l2"])
def test_means_on_words_are_a_share_of_the_scaled_words_and_a_regression(scaling):
    training = aligned(seen=12, bent=0.3).training()
    scale = Scaling.fit(torch.tensor(training.features), scaling)
    classes = replace(Classes.of(training), words=Words.among((), scale))
    settings = replace(SETTINGS, dims=20, priors=("words",))
    gaussian = Gaussian(32, classes, settings)
    gaussian.fit(scale(torch.tensor(training.features)), torch.tensor(training.labels))
    assert gaussian.prior.share > 0.1
    words = gaussian.view(scale(classes.semantics)).double()
    features = gaussian.kernel(gaussian.semantic_map(classes.semantics.double()))
    seen, unseen = classes.seen, classes.unseen
    rest, _ = Ridge(features[seen], gaussian.centres[seen].double() - gaussian.prior.share * words[seen]).fit(0.1)
    expected = gaussian.prior.share * words[unseen] + rest(features[unseen])
    torch.testing.assert_close(gaussian.centres[unseen].double(), expected, rtol=1e-4, atol=1e-4)


def test_candidates_on_words_are_as_many_again_and_fit_repeats_each():
    training = aligned(seen=12).training()
    x, labels = torch.tensor(training.features), torch.tensor(training.labels)
    classes = replace(Classes.of(training), words=Words.among((), Scaling(32)))
    settings = replace(SETTINGS, semantics=("l2", "spread"), ridges=(0.1, 1.0), priors=("none", "words"))
    gaussian, found = Gaussian(32, classes, settings), []
    for choice in gaussian.candidates(x, labels):
        again = Gaussian(32, classes, Gaussian.only(settings, choice))
        again.fit(x, labels)
        assert (again.count(), again.prior.kind) == (1, choice["prior"])
        assert torch.equal(again.log_prob(x[:3], classes.unseen), gaussian.log_prob(x[:3], classes.unseen))
        found.append((choice["semantics"], choice["prior"], choice["ridge"]))
    assert found == list(product(("l2", "spread"), ("none", "words"), (0.1, 1.0)))
    assert gaussian.count() == 8
    without = replace(classes, words=None)
    assert Gaussian(32, without, settings).count() == 4
    with pytest.raises(gsmflow.InputError, match="needs words in the space of the features"):
        Gaussian(32, without, replace(settings, priors=("words",)))


def test_landmarks_come_near_the_whole_kernel():
    semantics = as_semantics(300, 2).tanh()
    kernels = [Kernel.fit(semantics[:280], "rbf", landmarks=count) for count in (1024, 100)]
    assert [len(kernel.landmarks) for kernel in kernels] == [280, 100]
    assert len(Kernel.fit(as_semantics(1100, 3), "rbf").landmarks) == MOST_LANDMARKS == 1024
    whole, few = (kernel(semantics) for kernel in kernels)
    assert few.shape[1] <= 100
    assert (whole @ whole.T - few @ few.T).abs().max() < 0.02


def test_one_seen_class_or_equal_ones_give_no_nan():
    for known in (torch.ones(1, 3), torch.ones(4, 3), torch.zeros(2, 3)):
        for kind in ("linear", "rbf"):
            kernel = Kernel.fit(known.double(), kind)
            regression, errors = Ridge(kernel(known.double()), torch.rand(len(known), 2).double()).fit(0.1)
            assert regression(kernel(torch.rand(3, 3).double())).isfinite().all()
            assert errors.isfinite().all()


def test_log_prob_is_that_of_a_normal_in_all_dimensions(problem, fitted):
    _, x, _, classes = problem
    found = fitted.log_prob(x[:7], torch.arange(9))
    for k in range(9):
        mean = fitted.mean.double() + fitted.basis.double() @ fitted.centres[k].double()
        normal = torch.distributions.MultivariateNormal(mean, covariance(fitted, int(k in classes.unseen)))
        np.testing.assert_allclose(found[:, k], normal.log_prob(x[:7].double()), rtol=2e-4, atol=2e-3)


def test_unseen_classes_are_wider(fitted):
    assert torch.linalg.eigvalsh(covariance(fitted, 1) - covariance(fitted, 0)).min() > -1e-5
    assert covariance(fitted, 1).trace() > covariance(fitted, 0).trace()


def test_samples_have_the_moments_of_their_class(fitted):
    x = fitted.sample(torch.full((40000,), 8), rng=torch.Generator().manual_seed(0)).double()
    mean = fitted.mean.double() + fitted.basis.double() @ fitted.centres[8].double()
    np.testing.assert_allclose(x.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(torch.cov(x.T), covariance(fitted, 1), atol=0.03)


def test_candidates_are_all_combinations_and_fit_repeats_each(problem):
    _, x, labels, classes = problem
    settings = GaussianSettings(
        dims=5,
        semantics=("l2", "spread"),
        kernels=("linear", "rbf"),
        ridges=(0.1, 1.0),
        shrinks=(0.1,),
        widens=(0.0, 0.5),
    )
    gaussian, found = Gaussian(8, classes, settings), []
    for choice in gaussian.candidates(x, labels):
        again = Gaussian(8, classes, Gaussian.only(settings, choice))
        assert again.count() == 1
        again.fit(x, labels)
        assert torch.equal(again.log_prob(x[:3], classes.unseen), gaussian.log_prob(x[:3], classes.unseen))
        found.append(tuple(choice.values()))
    assert found == list(product(("l2", "spread"), ("linear", "rbf"), (0.1, 1.0), (0.1,), (0.0, 0.5)))
    assert gaussian.count() == 16


def linear_flow(problem, *, train: bool) -> LinearFlow:
    _, x, labels, classes = problem
    flow = LinearFlow(x.shape[1], classes, SETTINGS, LinearFlowSettings(temperature=2.0, decay=0.5))
    flow.prepare(x, labels)
    if train:
        torch.nn.init.normal_(flow.change, std=0.3, generator=torch.Generator().manual_seed(0))
    return flow


def test_an_untrained_linear_flow_is_the_closed_form(problem, fitted):
    _, x, _, _ = problem
    flow = linear_flow(problem, train=False)
    every = torch.arange(9)
    torch.testing.assert_close(flow.log_prob(x[:9], every), fitted.log_prob(x[:9], every), rtol=1e-4, atol=1e-3)


def test_the_likelihood_of_an_unseen_class_is_that_of_the_linear_map(problem):
    _, x, _, classes = problem
    flow = linear_flow(problem, train=True)
    y = flow.view(x[:9])
    found = flow.log_ratio(y, classes.unseen)
    volume = torch.linalg.slogdet(torch.autograd.functional.jacobian(lambda one: flow.whiten(one[None])[0], y[0]))[1]
    for place, k in enumerate(classes.unseen):
        z = flow.whiten(y - flow.base.centres[k]).detach()
        expected = torch.distributions.Normal(0, 1).log_prob(z).sum(1) + volume
        torch.testing.assert_close(found[:, place], expected, rtol=1e-4, atol=1e-3)


def test_a_linear_flow_leaves_seen_classes_alone(problem, fitted):
    _, x, _, classes = problem
    found = linear_flow(problem, train=True).log_prob(x[:9], classes.seen)
    torch.testing.assert_close(found, fitted.log_prob(x[:9], classes.seen), rtol=1e-4, atol=1e-3)


def test_samples_of_a_linear_flow_have_its_density(problem):
    _, _, _, classes = problem
    flow = linear_flow(problem, train=True)
    x = flow.sample(classes.unseen[:1].expand(40000), rng=torch.Generator().manual_seed(0))
    z = flow.whiten(flow.view(x) - flow.base.centres[classes.unseen[0]]).detach()
    np.testing.assert_allclose(z.mean(0), np.zeros(5), atol=0.03)
    np.testing.assert_allclose(torch.cov(z.T), np.eye(5), atol=0.04)


def test_the_loss_is_the_cross_entropy_under_left_out_means(problem):
    _, x, labels, classes = problem
    flow = linear_flow(problem, train=True)
    terms = flow.loss(x, labels)
    inverse = (torch.eye(5) + flow.change.detach()) @ torch.linalg.inv(flow.base.factors[1])
    z, rivals = flow.view(x) @ inverse.T, flow.base.left_out @ inverse.T
    logits = -(z[:, None] - rivals).square().sum(2) / 4
    expected = F.cross_entropy(logits, torch.searchsorted(classes.seen, labels))
    torch.testing.assert_close(terms["classes"], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms["decay"], 0.5 * flow.change.square().sum())
    sum(terms.values()).backward()
    assert flow.change.grad.abs().min() > 0


def test_left_out_means_are_those_of_a_fit_without_the_class(problem):
    _, x, labels, classes = problem
    flow = linear_flow(problem, train=False)
    means = torch.stack([flow.view(x[labels == k]).double().mean(0) for k in classes.seen])
    semantics = SemanticMap(4, "l2")(classes.semantics[classes.seen].double())
    features = Kernel.fit(semantics, "rbf")(semantics)
    rest = features[1:]
    penalty = 0.1 * features.square().sum(1).mean()
    centre = means.mean(0)
    gram = rest.T @ rest + penalty * torch.eye(features.shape[1])
    expected = features[0] @ torch.linalg.solve(gram, rest.T @ (means[1:] - centre)) + centre
    torch.testing.assert_close(flow.base.left_out[0].double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dim", [6, 40, 700])
def test_fewer_samples_than_dimensions(dim):
    """The sizes follow from the settings alone, so that a saved model can be loaded and a flow stand on it."""
    training = synthetic(classes=5, unseen=2, samples=4, dim=dim).training()
    x, labels, classes = torch.tensor(training.features), torch.tensor(training.labels), Classes.of(training)
    settings = GaussianSettings(dims=32, shrinks=(0.1,))
    flow = LinearFlow(dim, classes, settings)
    flow.prepare(x, labels)
    fresh = Gaussian(dim, classes, settings)
    adopt(fresh, flow.base.state_dict())
    assert torch.allclose(fresh.basis.T @ fresh.basis, torch.eye(min(32, dim)), atol=1e-4)
    for model in (flow, fresh):  # x lies within the basis, so that what is left of it is rounding divided by the noise
        expected, tolerance = reference(fresh, x, classes.seen)
        assert ((model.log_prob(x, classes.seen) - expected).abs() <= tolerance).all()
    assert torch.equal(fresh.log_prob(x, classes.seen).argmax(1), torch.searchsorted(classes.seen, labels))
    assert all(torch.isfinite(term) for term in flow.loss(x, labels).values())


def reference(gaussian: Gaussian, x: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-densities of seen classes by numpy in float64, and how far float32 whitening may be from them.

    With u the unit roundoff, p directions, D features and L the Cholesky factor, a whitened point is off by no more
    than (D + p) u cond(L) |L^-1| (|x| + |centre|), a squared distance by twice the distance times that, and by u times
    the squared lengths of both points where the distance comes from a matrix product. Outside of the basis all is
    float64.
    """
    mean, basis, factor, rows = (t.double().numpy() for t in (gaussian.mean, gaussian.basis, gaussian.factors[0], x))
    centres, noise = gaussian.centres[classes].double().numpy(), float(gaussian.noise)
    centred = rows - mean
    outside = ((centred - centred @ basis @ basis.T) ** 2).sum(1)
    rest, p = len(mean) - basis.shape[1], basis.shape[1]
    white_x, white_c = (np.linalg.solve(factor, points.T).T for points in (centred @ basis, centres))
    distance = np.linalg.norm(white_x[:, None] - white_c, axis=2)
    expected = -0.5 * (distance**2 + p * np.log(2 * np.pi)) - np.log(np.diag(factor)).sum()
    if rest:
        expected = expected - 0.5 * (outside / noise + rest * np.log(2 * np.pi * noise))[:, None]
    unit = np.finfo(np.float32).eps / 2
    lengths = np.linalg.norm(rows, axis=1).max() + np.linalg.norm(mean) + np.linalg.norm(centres, axis=1).max()
    inverse = np.linalg.norm(np.linalg.inv(factor), 2)
    off = (len(mean) + p) * unit * np.linalg.cond(factor) * inverse * lengths
    whole = (white_x**2).sum(1)[:, None] + (white_c**2).sum(1)
    tolerance = off * (distance + off) + p * unit * (whole + np.abs(expected).max() / p)
    return torch.tensor(expected), torch.tensor(tolerance)
