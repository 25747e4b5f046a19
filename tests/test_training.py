"""The loop against the published step written naively, and what stopping and resuming must not change."""

import copy
from dataclasses import replace
from itertools import chain

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from gsmflow.generators import WGAN, Classes, GSMFlow
from gsmflow.seeds import derive, generator
from gsmflow.settings import FlowSettings, TrainingSettings, WGANSettings
from gsmflow.training import (
    build_optimizer,
    has_bfloat16,
    load_optimizer_tensors,
    minimize,
    optimizer_tensors,
    steps_per_epoch,
)

SETTINGS = TrainingSettings(batch=8, lr=3e-3, weight_decay=1e-3, lr_step=1, lr_gamma=0.5)
FLOW = FlowSettings(blocks=3, hidden=24, position_dim=10, prototype=3.0, pi=0.1)


def make_problem() -> tuple[GSMFlow, torch.Tensor, torch.Tensor]:
    """A fresh GSMFlow, prepared, with 35 features of 6 dimensions in 4 classes."""
    torch.manual_seed(0)
    x, labels = torch.rand(35, 6), torch.arange(35) % 4 * 2
    classes = Classes(torch.randn(8, 5), torch.tensor([0, 2, 4, 6]), torch.tensor([1, 3, 5, 7]))
    model = GSMFlow(6, classes, FLOW)
    model.prepare(x, labels)
    return model, x, labels


def run(steps: int, seed: int = 7, settings: TrainingSettings = SETTINGS) -> tuple[GSMFlow, list[float]]:
    """Train a fresh model; give it with the loss of each step."""
    model, x, labels = make_problem()
    optimizer = build_optimizer(model, settings)
    done = list(minimize(model, x, labels, settings, optimizer=optimizer, steps=steps, seed=seed))
    return model, [sum(step.terms.values()).item() for step in done[1:]]


class Recorder(nn.Module):
    """A model of one weight that keeps what it is shown: the rows (features are their own numbers) and noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.rows, self.labels, self.steps, self.noise = [], [], [], []

    def loss(self, x, labels, *, step, rng):
        self.rows.append(x[:, 0].long().tolist())
        self.labels.append(labels.tolist())
        self.steps.append(step)
        self.noise.append(torch.rand((), generator=rng).item())
        return {"first": self.weight.square(), "second": 2 * self.weight}


def record(n: int, settings: TrainingSettings, steps: int, start: int = 0, seed: int = 0):
    """Train a `Recorder` on ``n`` rows; give it, the steps yielded and the learning rate of each."""
    model = Recorder()
    optimizer = build_optimizer(model, settings)
    x, labels = torch.arange(n, dtype=torch.float32)[:, None], 100 + torch.arange(n)
    loop = minimize(model, x, labels, settings, optimizer=optimizer, steps=steps, seed=seed, start=start)
    yielded, rates = zip(*((step, optimizer.param_groups[0]["lr"]) for step in loop), strict=True)
    return model, yielded, rates[1:]


def test_same_losses_as_the_published_step():
    """Condition a sample by concatenation, a backward pass a term, unfused Adam, StepLR."""
    model, x, labels = make_problem()
    model = copy.deepcopy(model)
    adam = torch.optim.Adam(
        model.parameters(), lr=SETTINGS.lr, weight_decay=SETTINGS.weight_decay, fused=False, foreach=False
    )
    schedule = torch.optim.lr_scheduler.StepLR(adam, SETTINGS.lr_step, SETTINGS.lr_gamma)
    means = torch.stack([x[labels == k].mean(0) for k in model.seen])

    def subnet(net, half, g):
        first = torch.cat([net.of_features, net.of_condition], 1)
        return net.last(F.leaky_relu(F.linear(torch.cat([half, g], 1), first, net.bias), 0.2))

    def halve(a):
        return a[:, : a.shape[1] // 2], a[:, a.shape[1] // 2 :]

    def forward(v, g):
        v1, v2 = v[:, :3], v[:, 3:]
        total = 0
        for block in model.flow.blocks:
            s, t = halve(subnet(block.subnet2, v2, g))
            v1, total = v1 * torch.exp(0.636 * torch.atan(s)) + t, total + 0.636 * torch.atan(s).sum(1)
            s, t = halve(subnet(block.subnet1, v1, g))
            v2, total = v2 * torch.exp(0.636 * torch.atan(s)) + t, total + 0.636 * torch.atan(s).sum(1)
        return torch.cat([v1, v2], 1), total

    def backward(v, g):
        v1, v2 = v[:, :3], v[:, 3:]
        for block in reversed(model.flow.blocks):
            s, t = halve(subnet(block.subnet1, v1, g))
            v2 = (v2 - t) / torch.exp(0.636 * torch.atan(s))
            s, t = halve(subnet(block.subnet2, v2, g))
            v1 = (v1 - t) / torch.exp(0.636 * torch.atan(s))
        return torch.cat([v1, v2], 1)

    expected = []
    for epoch in range(3):
        order = torch.randperm(35, generator=generator("cpu", 7, "order", epoch))
        for place in range(4):
            rows = order[8 * place : 8 * place + 8]
            rng = torch.Generator().manual_seed(derive(7, "step", 4 * epoch + place))
            noisy = x[rows] + FLOW.pi * torch.randn(8, 6, generator=rng)
            adam.zero_grad()
            z, log_det = forward(noisy, model.position(model.semantics[labels[rows]]))
            nll = (z**2).mean() / 2 - log_det.mean() / 6
            nll.backward()
            centres = backward(torch.zeros(4, 6), model.position(model.semantics[model.seen]).detach())
            prototype = 3 * ((centres - means) ** 2).mean()
            prototype.backward()
            adam.step()
            expected.append((nll + prototype).item())
        schedule.step()

    trained, found = run(steps=12)
    assert expected[0] - expected[-1] > 0.05, "nothing was learnt"
    assert found == pytest.approx(expected, abs=1e-4)
    for ours, theirs in zip(trained.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_same_seed_same_parameters():
    first, again, other = run(5)[0], run(5)[0], run(5, seed=8)[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("stop", [1, 4, 6])
def test_stopping_and_resuming_changes_no_bit(stop):
    whole, _ = run(10)

    model, x, labels = make_problem()
    optimizer = build_optimizer(model, SETTINGS)
    for _ in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=stop, seed=7):
        pass
    weights, moments = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())

    model, x, labels = make_problem()
    model.load_state_dict(weights)
    optimizer = build_optimizer(model, SETTINGS)
    optimizer.load_state_dict(moments)
    torch.rand(3)  # the global state must not matter
    for _ in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=10, seed=7, start=stop):
        pass
    for (name, a), b in zip(whole.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("stop", [0, 1, 4, 6])
def test_resuming_from_a_file_of_tensors_changes_no_bit(stop, tmp_path):
    whole, _ = run(10)
    model, x, labels = make_problem()
    optimizer = build_optimizer(model, SETTINGS)
    for _ in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=stop, seed=7):
        pass
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    save_file(optimizer_tensors(model, optimizer), tmp_path / "optimizer.safetensors")
    parts = ("step", "exp_avg", "exp_avg_sq")
    names = {f"state.{name}.{part}" for name, _ in model.named_parameters() for part in parts}
    assert set(optimizer_tensors(model, optimizer)) == (names if stop else set())
    assert bool(optimizer.state) == (stop > 0), "asking changes nothing"

    model, x, labels = make_problem()
    model.load_state_dict(load_file(tmp_path / "model.safetensors"))
    optimizer = build_optimizer(model, SETTINGS)
    load_optimizer_tensors(model, optimizer, load_file(tmp_path / "optimizer.safetensors"))
    for _ in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=10, seed=7, start=stop):
        pass
    for (name, a), b in zip(whole.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resuming_a_gan_whose_second_player_has_not_moved_changes_no_bit(stop):
    def fresh():
        torch.manual_seed(0)
        classes = Classes(torch.randn(4, 3), torch.tensor([0, 2]), torch.tensor([1, 3]))
        model = WGAN(6, classes, WGANSettings(hidden=8, critic_steps=3))
        return model, build_optimizer(model, SETTINGS)

    x, labels = torch.rand(20, 6), torch.arange(20) % 2 * 2
    model, optimizer = fresh()
    for step in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=9, seed=7):
        if step.number == stop:
            weights = copy.deepcopy(model.state_dict())
            moments = {name: value.clone() for name, value in optimizer_tensors(model, optimizer).items()}
    assert any(name.startswith("state.generator.") for name in moments) == (stop > 3)

    again, optimizer = fresh()
    again.load_state_dict(weights)
    load_optimizer_tensors(again, optimizer, moments)
    for _ in minimize(again, x, labels, SETTINGS, optimizer=optimizer, steps=9, seed=7, start=stop):
        pass
    for (name, a), b in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_the_settings_of_an_optimizer_are_not_restored():
    model, x, labels = make_problem()
    optimizer = build_optimizer(model, SETTINGS)
    for _ in minimize(model, x, labels, SETTINGS, optimizer=optimizer, steps=2, seed=7):
        pass
    other = build_optimizer(model, replace(SETTINGS, lr=0.5, betas=(0.1, 0.2)))
    load_optimizer_tensors(model, other, optimizer_tensors(model, optimizer))
    (group,) = other.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"], group["fused"]) == (0.5, (0.1, 0.2), 1e-3, True)


def test_each_step_is_yielded_with_its_terms():
    model, yielded, _ = record(10, replace(SETTINGS, batch=5), steps=7, start=4)
    assert [step.number for step in yielded] == [4, 5, 6, 7]
    assert model.steps == [4, 5, 6]
    assert yielded[0].terms == {}
    assert yielded[1].terms == {"first": 1.0, "second": 2.0}
    assert not any(term.requires_grad for term in yielded[1].terms.values())
    assert model.weight.item() < 1


def test_an_epoch_visits_distinct_rows_in_full_batches_and_the_next_differs():
    model, _, _ = record(23, replace(SETTINGS, batch=5), steps=12)
    assert all(len(rows) == 5 for rows in model.rows)
    epochs = [list(chain(*model.rows[i : i + 4])) for i in (0, 4, 8)]
    assert all(len(set(rows)) == 20 for rows in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert all(y == [100 + row for row in rows] for rows, y in zip(model.rows, model.labels, strict=True))
    assert len(set(model.noise)) == 12
    assert record(23, replace(SETTINGS, batch=5), steps=12, seed=1)[0].rows != model.rows


def test_resuming_in_the_middle_of_an_epoch_goes_on_with_its_order():
    whole, _, _ = record(23, replace(SETTINGS, batch=5), steps=9)
    rest, _, _ = record(23, replace(SETTINGS, batch=5), steps=9, start=6)
    assert rest.rows == whole.rows[6:]
    assert rest.noise == whole.noise[6:]


def test_a_set_smaller_than_a_batch_is_one_batch():
    model, _, rates = record(3, replace(SETTINGS, batch=8, lr=1.0), steps=3)
    assert [sorted(rows) for rows in model.rows] == [[0, 1, 2]] * 3
    assert rates == (1.0, 0.5, 0.25)


def test_learning_rate_drops_every_lr_step_epochs():
    settings = replace(SETTINGS, batch=5, lr=0.8, lr_step=2, lr_gamma=0.5)
    _, _, rates = record(10, settings, steps=10)
    assert rates == pytest.approx([0.8] * 4 + [0.4] * 4 + [0.2] * 2)
    assert record(10, settings, steps=10, start=6)[2] == pytest.approx(rates[6:])


@pytest.mark.parametrize(("samples", "batch", "expected"), [(10, 5, 2), (14, 5, 2), (5, 5, 1), (3, 5, 1)])
def test_steps_per_epoch(samples, batch, expected):
    assert steps_per_epoch(samples, batch) == expected


def test_optimizer_is_fused_adam_with_the_settings():
    optimizer = build_optimizer(Recorder(), replace(SETTINGS, betas=(0.5, 0.9)))
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.Adam)
    assert {name: group[name] for name in ("lr", "betas", "weight_decay", "fused")} == {
        "lr": 3e-3,
        "betas": (0.5, 0.9),
        "weight_decay": 1e-3,
        "fused": True,
    }


def test_automatic_precision_follows_where_the_processor_can():
    settings = replace(SETTINGS, precision="auto")
    exact, reduced = run(12)[1], run(12, settings=settings)[1]
    assert reduced == pytest.approx(exact, abs=0.02)
    assert (reduced != exact) == has_bfloat16(torch.device("cpu"))
    assert run(12, settings=settings)[1] == reduced
