"""The closed form against scikit-learn, torch.distributions and explicit refits."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from gsmflow.data import synthetic
from gsmflow.generators import Classes, Gaussian, ResidualFlow
from gsmflow.generators.gaussian import Statistics, kernel_ridge, semantic_kernel
from gsmflow.settings import GaussianSettings, ResidualSettings

SETTINGS = GaussianSettings(dims=5, kernels=("rbf",), ridges=(0.1,), shrinks=(0.2,), widens=(1.0,))


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


@pytest.mark.parametrize("kind", ["linear", "rbf"])
def test_kernel_ridge_is_that_of_scikit_learn(kind):
    rng = np.random.default_rng(0)
    a, b, targets = rng.normal(size=(12, 5)), rng.normal(size=(4, 5)), rng.normal(size=(12, 3))
    kernel = semantic_kernel(torch.tensor(a), torch.tensor(a), kind, 2.0)
    penalty = 0.3 * float(kernel.diagonal().mean())
    oracle = KernelRidge(alpha=penalty, kernel=kind, gamma=0.5).fit(a, targets - targets.mean(0))
    alpha, _ = kernel_ridge(kernel, torch.tensor(targets), 0.3)
    predicted = semantic_kernel(torch.tensor(b), torch.tensor(a), kind, 2.0) @ alpha
    np.testing.assert_allclose(predicted, oracle.predict(b), atol=1e-9)


def test_left_out_errors_are_those_of_a_fit_without_the_row():
    rng = np.random.default_rng(0)
    a, targets = rng.normal(size=(10, 4)), rng.normal(size=(10, 3))
    targets -= targets.mean(0)
    kernel = a @ a.T
    _, errors = kernel_ridge(torch.tensor(kernel), torch.tensor(targets), 0.2)
    penalty = 0.2 * kernel.diagonal().mean()
    for i in range(10):
        rest = np.delete(np.arange(10), i)
        coefficients = np.linalg.solve(kernel[np.ix_(rest, rest)] + penalty * np.eye(9), targets[rest])
        np.testing.assert_allclose(errors[i], targets[i] - kernel[i, rest] @ coefficients, atol=1e-9)


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
    settings = GaussianSettings(dims=5, kernels=("linear", "rbf"), ridges=(0.1, 1.0), shrinks=(0.1,), widens=(0.0, 0.5))
    gaussian, again = Gaussian(8, classes, settings), Gaussian(8, classes, settings)
    found = []
    for choice in gaussian.candidates(x, labels):
        again.fit(x, labels, **choice)
        assert torch.equal(again.log_prob(x[:3], classes.unseen), gaussian.log_prob(x[:3], classes.unseen))
        found.append(tuple(choice.items()))
    assert len(set(found)) == 8


def residual_flow(problem, *, train: bool) -> ResidualFlow:
    _, x, labels, classes = problem
    torch.manual_seed(0)
    flow = ResidualFlow(x.shape[1], classes, SETTINGS, ResidualSettings(blocks=2, hidden=8))
    flow.prepare(x, labels)
    if train:
        for parameter in flow.flow.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return flow


def test_an_untrained_residual_flow_is_the_closed_form(problem, fitted):
    _, x, _, _ = problem
    flow = residual_flow(problem, train=False)
    every = torch.arange(9)
    torch.testing.assert_close(flow.log_prob(x[:9], every), fitted.log_prob(x[:9], every), rtol=1e-4, atol=1e-3)


def test_whiten_undoes_colour(problem, fitted):
    u = torch.randn(18, 5, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(18) % 9
    torch.testing.assert_close(
        fitted.whiten(fitted.project(fitted.colour(u, classes))[0], classes), u, rtol=1e-3, atol=1e-4
    )


def test_the_residual_density_integrates_to_one(problem):
    """By importance sampling: the mean of p / q over samples of q is 1."""
    flow = residual_flow(problem, train=True)
    label = torch.tensor([7])
    x = flow.base.sample(label.expand(20000), rng=torch.Generator().manual_seed(0))
    wide = flow.base.mean + 1.5 * (x - flow.base.mean - flow.base.basis @ flow.base.centres[7])
    wide = wide + flow.base.basis @ flow.base.centres[7]
    log_q = flow.base.log_prob(x, label)[:, 0] - 8 * np.log(1.5)
    ratio = (flow.log_prob(wide, label)[:, 0] - log_q).double().exp()
    assert float(ratio.mean()) == pytest.approx(1.0, abs=4 * float(ratio.std()) / 20000**0.5)
    assert float(ratio.std()) < 10


def test_the_loss_of_a_residual_flow_reaches_every_coupling(problem):
    _, x, labels, _ = problem
    flow = residual_flow(problem, train=True)
    flow.loss(x, labels, rng=torch.Generator().manual_seed(0))["nll"].backward()
    silent = [
        name for name, p in flow.named_parameters() if p.numel() and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert silent == []


@pytest.mark.parametrize("dim", [6, 40, 700])
def test_fewer_samples_than_dimensions(dim):
    """The sizes follow from the settings alone, so that a saved model can be loaded and a flow stand on it."""
    training = synthetic(classes=5, unseen=2, samples=4, dim=dim).training()
    x, labels, classes = torch.tensor(training.features), torch.tensor(training.labels), Classes.of(training)
    settings = GaussianSettings(dims=32, shrinks=(0.1,))
    flow = ResidualFlow(dim, classes, settings, ResidualSettings(hidden=4, blocks=1))
    flow.prepare(x, labels)
    fresh = Gaussian(dim, classes, settings)
    fresh.load_state_dict(flow.base.state_dict())
    assert torch.allclose(fresh.basis.T @ fresh.basis, torch.eye(min(32, dim)), atol=1e-4)
    assert torch.allclose(flow.log_prob(x, classes.seen), fresh.log_prob(x, classes.seen), rtol=1e-4, atol=1e-2)
    assert torch.equal(fresh.log_prob(x, classes.seen).argmax(1), torch.searchsorted(classes.seen, labels))
    assert torch.isfinite(flow.loss(x, labels)["nll"])
