"""Bayes' rule for class means, against matrices that are inverted and against a normal of all pictures at once."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from gsmflow.generators import Classes, Gaussian, GSMFlow, LinearFlow, Teachable
from gsmflow.generators.posterior import EVENED, Axes, spacing, update
from gsmflow.settings import FlowSettings, GaussianSettings

DIM, SEEN, UNSEEN = 4, 12, 3


def spd(rng: np.random.Generator, size: int = DIM) -> np.ndarray:
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.3 * np.eye(size)


def fitted(widen: float = 0.5, kind: type = Gaussian) -> Gaussian | LinearFlow:
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(SEEN + UNSEEN, 5))
    means = semantics @ rng.normal(size=(5, 6)) + 0.4 * rng.normal(size=(SEEN + UNSEEN, 6))
    labels = np.repeat(np.arange(SEEN), 9)
    x = means[labels] + rng.normal(size=(len(labels), 6)) @ np.linalg.cholesky(spd(rng, 6)).T
    seen = torch.arange(SEEN)
    classes = Classes(torch.tensor(semantics).float(), seen, torch.arange(SEEN, SEEN + UNSEEN))
    settings = GaussianSettings(
        dims=DIM, semantics=("l2",), kernels=("linear",), ridges=(0.1,), shrinks=(0.2,), widens=(widen,)
    )
    model = kind(6, classes, settings)
    (model if kind is Gaussian else model.base).fit(torch.tensor(x).float(), torch.tensor(labels))
    return model


def test_the_axes_make_one_the_identity_and_the_other_diagonal():
    rng = np.random.default_rng(1)
    within, errors = torch.tensor(spd(rng)), torch.tensor(spd(rng))
    axes = Axes(within, errors, 0.0)
    t = axes.inward
    torch.testing.assert_close(t @ within @ t.T, torch.eye(DIM, dtype=torch.double))
    found = t @ errors @ t.T
    torch.testing.assert_close(found, torch.diag(found.diagonal()), atol=1e-9, rtol=0)
    real = found.diagonal()
    torch.testing.assert_close(axes.variances, (1 - EVENED) * real + EVENED * real.mean())
    torch.testing.assert_close(axes.outward @ t, torch.eye(DIM, dtype=torch.double))
    assert float(axes.scale) == pytest.approx(float(torch.linalg.slogdet(t)[1]))


def test_errors_without_full_rank_and_noise_alone_leave_variances_above_0():
    within = torch.tensor(spd(np.random.default_rng(2)))
    one = torch.outer(torch.arange(4.0), torch.arange(4.0)).double()
    for errors, noise in ((one, 0.0), (torch.zeros(4, 4).double(), 0.0), (one, 1e9)):
        assert (Axes(within, errors, noise).variances > 0).all()


def test_the_posterior_is_that_of_matrices():
    rng = np.random.default_rng(3)
    within, errors, m, x = spd(rng), spd(rng), rng.normal(size=DIM), rng.normal(size=(5, DIM))
    weights = rng.uniform(size=5)
    axes = Axes(torch.tensor(within), torch.tensor(errors), 0.0)
    prior = axes.outward.numpy() @ np.diag(axes.variances) @ axes.outward.numpy().T
    after = np.linalg.inv(np.linalg.inv(prior) + weights.sum() * np.linalg.inv(within))
    expected = after @ (np.linalg.inv(prior) @ m + np.linalg.inv(within) @ (weights @ x))
    t = axes(torch.tensor(np.stack([m, weights @ x])))
    mean, shrunk = update(t[:1], axes.variances[None], t[1:], torch.tensor([weights.sum()]))
    np.testing.assert_allclose((mean @ axes.outward.T)[0], expected, rtol=1e-9)
    spread = axes.outward @ torch.diag(axes.variances / shrunk[0]) @ axes.outward.T
    np.testing.assert_allclose(spread, after, rtol=1e-9)


def test_a_picture_has_the_density_that_a_normal_of_all_pictures_gives_it():
    rng = np.random.default_rng(4)
    within, errors, m = spd(rng), spd(rng), rng.normal(size=DIM)
    axes = Axes(torch.tensor(within), torch.tensor(errors), 0.0)
    prior = axes.outward.numpy() @ np.diag(axes.variances) @ axes.outward.numpy().T
    x = rng.normal(size=(4, DIM))  # three that are shown and one that is asked about
    joint = np.kron(np.ones((4, 4)), prior) + np.kron(np.eye(4), within)
    of = [multivariate_normal(np.tile(m, n), joint[: n * DIM, : n * DIM]).logpdf(x[:n].ravel()) for n in (4, 3)]
    t = axes(torch.tensor(np.vstack([m, x])))
    mean, shrunk = update(t[:1], axes.variances[None], t[1:4].sum(0, keepdim=True), torch.tensor([3.0]).double())
    spread = 1 + axes.variances / shrunk[0]
    found = -0.5 * ((t[4] - mean[0]).square() / spread + spread.log() + np.log(2 * np.pi)).sum() + axes.scale
    assert float(found) == pytest.approx(of[0] - of[1], rel=1e-9)


@pytest.mark.parametrize("count", [0.0, 0.3, 1.0, 7.0, 1e6])
def test_the_mean_goes_to_that_of_the_pictures_no_slower_than_the_least_variance_lets_it(count):
    rng = np.random.default_rng(5)
    m, x, variances = (torch.tensor(rng.normal(size=(3, DIM))) for _ in range(3))
    variances = variances.abs() + 0.01
    mean, _ = update(m, variances, count * x, torch.full((3,), count).double())
    far, near = (m - x).norm(dim=1), (mean - x).norm(dim=1)
    assert (near <= far / (1 + count * variances.min(1).values) + 1e-9).all()
    if not count:
        assert torch.equal(mean, m)


def test_classes_that_nothing_was_seen_of_are_as_they_were_bit_for_bit():
    model = fitted()
    y, every = torch.randn(20, DIM, generator=torch.Generator().manual_seed(0)), torch.arange(SEEN + UNSEEN)
    before = model.log_ratio(y, every)
    counts = torch.zeros(SEEN + UNSEEN).double()
    model.believe(torch.zeros(SEEN + UNSEEN, DIM).double(), counts, 1.0)
    assert model.posterior is None
    counts[[2, SEEN]] = 3.0
    model.believe(torch.ones(SEEN + UNSEEN, DIM).double(), counts, 1.0)
    after = model.log_ratio(y, every)
    same = counts == 0
    assert torch.equal(after[:, same], before[:, same])
    assert (after[:, ~same] != before[:, ~same]).all()


@pytest.mark.parametrize("kind", [Gaussian, LinearFlow])
@pytest.mark.parametrize("widen", [0.0, 0.5])
def test_a_picture_of_no_weight_changes_as_little(kind, widen):
    model = fitted(widen, kind)
    y, every = torch.randn(20, DIM, dtype=torch.double), torch.arange(SEEN + UNSEEN)
    before = model.log_ratio(y, every)
    counts = torch.full((SEEN + UNSEEN,), 1e-12).double()
    model.believe(torch.zeros(SEEN + UNSEEN, DIM).double(), counts, 1.0)
    torch.testing.assert_close(model.log_ratio(y, every), before, rtol=0, atol=1e-4)


def test_a_seen_class_goes_on_counting_its_pictures():
    model = fitted()
    sums, counts = torch.zeros(SEEN + UNSEEN, DIM).double(), torch.zeros(SEEN + UNSEEN).double()
    sums[0], counts[0] = 9 * torch.ones(DIM).double(), 9.0
    model.believe(sums, counts, 0.25)
    expected = (model.centres[0] + torch.ones(DIM)) / 2  # nine pictures in training and nine since
    torch.testing.assert_close(model.believed[0], expected, rtol=0, atol=1e-5)


def test_sums_in_one_place_draw_all_means_there():
    model = fitted()
    counts = torch.full((SEEN + UNSEEN,), 1e7).double()
    model.believe(counts[:, None] * torch.ones(SEEN + UNSEEN, DIM).double(), counts, 1.0)
    torch.testing.assert_close(model.believed, torch.ones(SEEN + UNSEEN, DIM), rtol=0, atol=1e-3)
    assert (model.posterior.settled[SEEN:] > 0.999).all()
    assert (model.posterior.settled[:SEEN] == 0).all()
    assert model.apart() < 0.01


def test_spacing_is_in_units_of_the_classes_that_are_known():
    axes = Axes(torch.eye(2).double(), torch.eye(2).double(), 0.0)
    known = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    assert spacing(axes, known, 3 * known) == pytest.approx(3)
    assert spacing(axes, known, known[:1]) == 1


def test_the_flow_moves_the_base_means_of_classes():
    classes = Classes(torch.rand(4, 3), torch.tensor([0, 1, 2]), torch.tensor([3]))
    model = GSMFlow(6, classes, FlowSettings(blocks=1, hidden=8, position_dim=4))
    x = torch.randn(5, 6) + 2
    assert isinstance(model, Teachable)
    before = model.log_prob(x, torch.arange(4))
    weights = torch.ones(5, 1)
    sums = torch.zeros(4, 6).double().index_add(0, torch.tensor([3]), model.gather(x, weights, torch.tensor([3])))
    model.believe(sums, torch.tensor([0.0, 0, 0, 5]), 1.0)
    after = model.log_prob(x, torch.arange(4))
    assert torch.equal(after[:, :3], before[:, :3])
    assert (after[:, 3] > before[:, 3]).all()
    z, _ = model.flow(x, *model.alone(3, 5))
    torch.testing.assert_close(model.posterior.means[0], z.sum(0) * 0.3 / (1 + 5 * 0.3))
    assert model.sample(torch.full((200,), 3)).mean() > 0.5
