"""GSMFlow: perturbation, prototypes, loss terms, and generation by class ids."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from gsmflow.generators import Classes, GSMFlow, build_generator
from gsmflow.generators.flow import find_anchors
from gsmflow.generators.flow.gsmflow import perturb
from gsmflow.settings import FlowSettings, Settings

DIM = 6
SETTINGS = FlowSettings(blocks=2, hidden=16, position_dim=12, prototype=3.0, pi=0.1)


def make_classes() -> Classes:
    """Nine classes of which five are seen, their ids mixed."""
    rng = torch.Generator().manual_seed(0)
    return Classes(torch.randn(9, 4, generator=rng), torch.tensor([0, 2, 3, 6, 8]), torch.tensor([1, 4, 5, 7]))


def make_model(settings: FlowSettings = SETTINGS, seed: int = 0) -> GSMFlow:
    model = GSMFlow(DIM, make_classes(), settings)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=rng)
    return model


@pytest.fixture
def model() -> GSMFlow:
    return make_model()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    labels = make_classes().seen[torch.tensor([4, 0, 1, 1, 2, 3, 3, 3, 0, 4, 2])]
    return torch.randn(len(labels), DIM, generator=rng), labels


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_perturbation_adds_noise_of_size_pi():
    x = torch.randn(2000, 5, generator=seeded(0))
    noise = perturb(x, 0.15, 0.0, seeded(1)) - x
    torch.testing.assert_close(noise.std(0), torch.full((5,), 0.15), rtol=0.08, atol=0)
    torch.testing.assert_close(noise.mean(0), torch.zeros(5), rtol=0, atol=0.015)
    torch.testing.assert_close(noise, 0.15 * torch.randn(x.shape, generator=seeded(1)), rtol=0, atol=1e-6)


def test_perturbation_repeats_by_rng_and_leaves_its_input_alone():
    x = torch.zeros(4, 5)
    assert torch.equal(perturb(x, 0.1, 0.5, seeded(1)), perturb(x, 0.1, 0.5, seeded(1)))
    assert not torch.equal(perturb(x, 0.1, 0.5, seeded(1)), perturb(x, 0.1, 0.5, seeded(2)))
    assert not x.any()
    assert torch.equal(perturb(x, 0.0, 0.5, seeded(1)), x)


def test_perturbation_mask_is_one_a_batch():
    x = torch.zeros(8, 1000)
    moved = perturb(x, 0.1, 0.3, seeded(1)) != 0
    assert (moved == moved[0]).all()
    assert moved[0].float().mean().item() == pytest.approx(0.7, abs=0.06)
    assert not torch.equal(moved, perturb(x, 0.1, 0.3, seeded(2)) != 0)


def test_prototypes_are_class_means(model, batch):
    x, labels = batch
    model.prepare(x, labels)
    expected = torch.stack([x[labels == k].mean(0) for k in model.seen])
    torch.testing.assert_close(model.prototypes, expected)
    assert not model.prototypes.requires_grad


def test_loss_terms_are_those_of_the_paper(model, batch):
    x, labels = batch
    model.prepare(x, labels)
    terms = model.loss(x, labels, rng=seeded(2))

    noisy = x + SETTINGS.pi * torch.randn(x.shape, generator=seeded(2))
    z, log_det = model.flow(noisy, model.position(model.semantics[labels]))
    torch.testing.assert_close(terms["nll"], (z**2).mean() / 2 - (log_det / DIM).mean())
    centres = model.flow.inverse(torch.zeros(5, DIM), model.position(model.semantics[model.seen]))
    torch.testing.assert_close(terms["prototype"], 3.0 * F.mse_loss(centres, model.prototypes))
    assert terms.keys() == {"nll", "prototype"}


def test_nll_is_the_exact_likelihood_up_to_its_constant(batch):
    x, labels = batch
    model = make_model(replace(SETTINGS, pi=0.0))
    log_prob = model.flow.log_prob(x, model.position(model.semantics[labels]))
    constant = torch.log(torch.tensor(2 * torch.pi)) / 2
    torch.testing.assert_close(model.loss(x, labels)["nll"] + constant, -log_prob.mean() / DIM)


def test_prototype_term_teaches_the_flow_but_not_the_positioning(model, batch):
    model.prepare(*batch)
    model.loss(*batch, rng=seeded(0))["prototype"].backward()
    assert all(parameter.grad is None for parameter in model.position.parameters())
    still = model.flow.blocks[-1].subnet1.of_features  # a prototype comes from z = 0, of which it makes nothing
    for name, parameter in model.flow.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad.abs().sum() > 0) == (parameter is not still), name


def test_likelihood_term_teaches_everything(model, batch):
    model.loss(*batch, rng=seeded(0))["nll"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_no_prototype_term_at_weight_zero(batch):
    assert make_model(replace(SETTINGS, prototype=0.0)).loss(*batch).keys() == {"nll"}


@pytest.mark.parametrize("anchors", ["seen", "all"])
def test_anchors_come_from_the_classes_that_the_settings_name(anchors):
    classes = make_classes()
    candidates = classes.semantics if anchors == "all" else classes.semantics[classes.seen]
    assert not torch.equal(
        make_model(replace(SETTINGS, anchors="seen")).position.anchors,
        make_model(replace(SETTINGS, anchors="all")).position.anchors,
    )
    found = make_model(replace(SETTINGS, anchors=anchors)).position.anchors
    assert torch.equal(found, candidates[find_anchors(candidates)])


def test_samples_follow_the_class_ids_asked_for(model):
    ids = torch.tensor([7, 0, 7, 4])
    found = model.sample(ids, rng=seeded(3))
    noise = torch.randn(4, DIM, generator=seeded(3))
    expected = model.flow.inverse(noise, model.position(model.semantics[ids]))
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert torch.equal(found, model.sample(ids, rng=seeded(3)))
    assert not torch.equal(found, model.sample(ids, rng=seeded(4)))


def test_log_prob_scores_every_row_under_every_class(model, batch):
    x, _ = batch
    ids = torch.tensor([7, 0, 4])
    found = model.log_prob(x, ids)
    assert found.shape == (len(x), 3)
    for column, k in enumerate(ids):
        for row in range(len(x)):
            alone = model.flow.log_prob(x[row : row + 1], model.position(model.semantics[k : k + 1]))
            torch.testing.assert_close(found[row, column], alone[0].detach(), rtol=1e-5, atol=1e-5)
    assert (found[:, 0] - found[:, 1]).abs().max() > 0.1


def test_file_holds_all_that_sampling_needs_but_no_prototypes(model, batch, tmp_path):
    model.prepare(*batch)
    assert "prototypes" not in model.state_dict()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    classes = make_classes()
    other = GSMFlow(DIM, replace(classes, semantics=torch.randn(9, 4)), SETTINGS)
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    ids = torch.arange(9)
    assert torch.equal(other.sample(ids, rng=seeded(0)), model.sample(ids, rng=seeded(0)))
    assert torch.equal(other.log_prob(batch[0], ids), model.log_prob(batch[0], ids))


def test_build_generator_heeds_the_settings():
    settings = Settings(generator="gsmflow", flow=replace(SETTINGS, blocks=4, hidden=7, clamp=1.9))
    model = build_generator(DIM, make_classes(), settings)
    assert isinstance(model, GSMFlow)
    assert (model.flow.dim, len(model.flow.blocks)) == (DIM, 4)
    assert model.flow.blocks[0].subnet1.of_features.shape[0] == 7
    assert model.flow.blocks[0].clamp == 1.9
    assert model.position.responses[0].out_features == 12
