"""CVAE and WGAN against autograd, torch.distributions and scikit-learn; that both learn."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss
from torch.distributions import Normal, kl_divergence

from gsmflow.data import synthetic
from gsmflow.generators import CVAE, WGAN, Classes
from gsmflow.generators.base import class_means
from gsmflow.generators.wgan import Critic
from gsmflow.scaling import Scaling
from gsmflow.settings import CVAESettings, WGANSettings
from gsmflow.settings import TrainingSettings as Training
from gsmflow.training import build_optimizer, minimize

CVAE_TINY, WGAN_TINY = CVAESettings(hidden=32), WGANSettings(hidden=64, critic_steps=2)
both = pytest.mark.parametrize("kind", [CVAE, WGAN])


@pytest.fixture(scope="module")
def problem():
    """Six seen classes, scaled as both need it; samples that training did not see; the classes."""
    data = synthetic(classes=8, unseen=2, samples=300, dim=10, semantic_dim=4, noise=0.1)
    training, tests = data.training(), data.tests()
    scaling = Scaling.fit(torch.tensor(training.features), "minmax")
    x, held_out = scaling(torch.tensor(training.features)), scaling(torch.tensor(tests.seen_features))
    return x, torch.tensor(training.labels), held_out, torch.tensor(tests.seen_labels), Classes.of(training)


def build(kind: type, problem: tuple, *, prepare: bool = False, seed: int = 0) -> CVAE | WGAN:
    x, labels, _, _, classes = problem
    torch.manual_seed(seed)
    model = kind(x.shape[1], classes, CVAE_TINY if kind is CVAE else WGAN_TINY)
    if kind is WGAN and prepare:
        model.prepare(x, labels)
    return model


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradients(term: torch.Tensor, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    names, parameters = zip(*module.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(term, parameters, materialize_grads=True), strict=True))


def test_the_evidence_bound_is_that_of_the_distributions(problem):
    x, labels, _, _, _ = problem
    cvae = build(CVAE, problem)
    terms = cvae.loss(x, labels, rng=rng())

    a = cvae.semantics[labels]
    mean, log_var = cvae.encoder(torch.cat([x, a], 1)).split(4, dim=1)
    posterior = Normal(mean, log_var.exp().sqrt())
    z = posterior.mean + posterior.stddev * torch.randn(mean.shape, generator=rng())
    decoded = torch.sigmoid(cvae.decoder(torch.cat([z, a], 1)))
    reconstruction = F.binary_cross_entropy(decoded, x, reduction="none").sum(1).mean()
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(terms, {"reconstruction": reconstruction, "kl": kl})

    found, expected = gradients(sum(terms.values()), cvae), gradients(reconstruction + kl, cvae)
    torch.testing.assert_close(found, expected)
    assert all(gradient.abs().sum() > 0 for gradient in found.values())


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return Critic(10, 4, 16)


def test_the_critic_is_one_layer_on_features_and_semantics_together(critic):
    x, a = torch.randn(5, 10, generator=rng(1)), torch.randn(5, 4, generator=rng(2))
    weight = torch.cat([critic.features.weight, critic.semantics.weight], 1)
    hidden = F.leaky_relu(F.linear(torch.cat([x, a], 1), weight, critic.features.bias), 0.2)
    torch.testing.assert_close(critic(x, a), (hidden @ critic.last.weight[0]) + critic.last.bias)


def test_the_slope_and_its_gradients_are_those_of_autograd(critic):
    x, a = torch.randn(50, 10, generator=rng(1), requires_grad=True), torch.randn(50, 4, generator=rng(2))
    (expected,) = torch.autograd.grad(critic(x, a).sum(), x, create_graph=True)
    found = critic.slope(x, a)
    torch.testing.assert_close(found, expected)
    penalties = [(slope.norm(dim=1) - 1).square().mean() for slope in (found, expected)]
    found, expected = (gradients(penalty, critic) for penalty in penalties)
    torch.testing.assert_close(found, expected)
    assert {name for name, gradient in found.items() if gradient.any()} == {"features.weight", "last.weight"}


def draw(wgan: WGAN, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Semantics, what the generator makes of them, and the place between real and fake, as one step draws them."""
    stream, a = rng(), wgan.semantics[labels]
    z = torch.randn(a.shape, generator=stream)
    return a, wgan.generator(torch.cat([z, a], 1)), torch.rand(len(a), 1, generator=stream)


def test_the_loss_of_the_critic(problem):
    """With the gradient penalty by double backward, as everybody else writes it."""
    x, labels, _, _, _ = problem
    wgan = build(WGAN, problem)
    a, fake, share = draw(wgan, labels)
    between = (share * x + (1 - share) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(wgan.critic(between, a).sum(), between, create_graph=True)
    expected = {
        "critic": wgan.critic(fake.detach(), a).mean() - wgan.critic(x, a).mean(),
        "penalty": 10 * ((slope.square().sum(1).sqrt() - 1) ** 2).mean(),
    }
    found = wgan.loss(x, labels, step=0, rng=rng())
    torch.testing.assert_close(found, expected)
    for name in expected:
        torch.testing.assert_close(gradients(found[name], wgan.critic), gradients(expected[name], wgan.critic))


def test_the_loss_of_the_generator(problem):
    x, labels, _, _, classes = problem
    wgan = build(WGAN, problem, prepare=True)
    a, fake, _ = draw(wgan, labels)
    terms = wgan.loss(x, labels, step=2, rng=rng())
    logits = (fake @ wgan.judge_weight.T + wgan.judge_bias).detach()
    judged = log_loss(labels.numpy(), logits.double().softmax(1).numpy(), labels=classes.seen.numpy())
    assert terms["classification"].item() == pytest.approx(0.01 * judged, rel=1e-5)
    torch.testing.assert_close(terms["generator"], -wgan.critic(fake, a).mean())
    expected = gradients(-wgan.critic(fake, a).mean(), wgan.generator)
    torch.testing.assert_close(gradients(terms["generator"], wgan.generator), expected)


def test_a_step_moves_one_player(problem):
    """Two steps of the critic, one of the generator; momentum does not move the one who waits."""
    x, labels, _, _, _ = problem
    wgan, settings = build(WGAN, problem), Training(batch=64, lr=1e-3)
    optimizer = build_optimizer(wgan, settings)
    before, turns = None, []
    for step in minimize(wgan, x, labels, settings, optimizer=optimizer, steps=7, seed=0):
        now = {name: parameter.detach().clone() for name, parameter in wgan.named_parameters()}
        if before is not None:
            turns.append({name for name in now if not torch.equal(now[name], before[name])})
            assert {name for name, parameter in wgan.named_parameters() if parameter.grad is not None} >= turns[-1]
            assert set(step.terms) == (
                {"generator", "classification"} if step.number % 3 == 0 else {"critic", "penalty"}
            )
        before = now
    # nothing that the critic learns depends on its last bias
    critic = {name for name in before if name.startswith("critic.")} - {"critic.last.bias"}
    generator = {name for name in before if name.startswith("generator.")}
    assert turns == [critic, critic, generator] * 2 + [critic]


@pytest.mark.parametrize("step", range(6))
def test_gradients_reach_one_player(problem, step):
    x, labels, _, _, _ = problem
    wgan = build(WGAN, problem)
    sum(wgan.loss(x, labels, step=step, rng=rng()).values()).backward()
    reached = {name.split(".")[0] for name, parameter in wgan.named_parameters() if parameter.grad is not None}
    assert reached == ({"generator"} if step % 3 == 2 else {"critic"})


@pytest.mark.parametrize(("kind", "step"), [(CVAE, 0), (WGAN, 0), (WGAN, 2)])
def test_the_loss_follows_from_the_random_stream(problem, kind, step):
    x, labels, _, _, _ = problem
    model = build(kind, problem)
    first, same, other = (model.loss(x, labels, step=step, rng=rng(seed)) for seed in (1, 1, 2))
    assert first == same
    assert first != other


@both
def test_samples(problem, kind):
    model, stream = build(kind, problem), rng()
    for parameter in model.parameters():  # large, so that without the last function they would leave the range
        torch.nn.init.normal_(parameter, std=0.4, generator=stream)
    classes = torch.arange(800) % 8
    first, same, other = (model.sample(classes, rng=rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (800, 10)
    assert not first.requires_grad
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1 or kind is WGAN
    assert first.std(0).mean() > 0.1


@both
def test_learning(problem, kind):
    """Sampled means come near to those of real samples, each nearest to that of its own class."""
    x, labels, held_out, held_out_labels, classes = problem
    model, asked = build(kind, problem, prepare=True), classes.seen.repeat(200)
    if kind is WGAN:  # its own start is meant for thousands of hidden units; so few would take far longer from there
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, std=0.2 * name.endswith("weight"))
    real = class_means(held_out, held_out_labels, classes.seen)

    def distances() -> torch.Tensor:
        return torch.cdist(class_means(model.sample(asked, rng=rng()), asked, classes.seen), real)

    before, settings = distances(), Training(batch=64, lr=3e-3, betas=(0.5, 0.999))
    optimizer = build_optimizer(model, settings)
    for _ in minimize(model, x, labels, settings, optimizer=optimizer, steps=400 if kind is CVAE else 1200, seed=0):
        pass
    after = distances()
    assert torch.equal(after.argmin(1), torch.arange(len(real)))
    assert after.diagonal().mean() < before.diagonal().mean() / 3


@both
def test_a_loaded_state_gives_the_same_samples(problem, kind):
    """The classifier of the WGAN is no part of it: only training needs that."""
    model, fresh = build(kind, problem, prepare=True), build(kind, problem, seed=1)
    classes = torch.arange(8)
    assert not torch.equal(fresh.sample(classes, rng=rng()), model.sample(classes, rng=rng()))
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.sample(classes, rng=rng()), model.sample(classes, rng=rng()))


def test_the_judge_of_a_wgan(problem):
    _, _, held_out, held_out_labels, classes = problem
    wgan, again = (build(WGAN, problem, prepare=True, seed=seed) for seed in (0, 1))
    assert torch.equal(wgan.judge_weight, again.judge_weight)
    assert torch.equal(wgan.judge_bias, again.judge_bias)
    assert not wgan.judge_weight.requires_grad
    assert not wgan.judge_bias.requires_grad
    found = classes.seen[(held_out @ wgan.judge_weight.T + wgan.judge_bias).argmax(1)]
    assert float((found == held_out_labels).float().mean()) > 0.9
