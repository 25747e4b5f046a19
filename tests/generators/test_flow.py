"""The laws of the conditional flow, stated once and held to every configuration."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributions import Independent, Normal

from gsmflow.generators.flow import ConditionalAffineCoupling, ConditionalFlow
from gsmflow.generators.flow.coupling import log_scale, scale_shift, unscale_shift
from gsmflow.generators.flow.flow import standard_normal_log_prob

CONDITION, CLASSES = 3, 4


@dataclass(frozen=True)
class Case:
    """A flow far from the identity, with features, conditions and the condition of each row."""

    dim: int
    blocks: int = 3
    dtype: torch.dtype = torch.float64
    rows: int = 7
    clamp: float = 1.0

    def __str__(self) -> str:
        return f"{self.dim}d-{self.blocks}blocks-{str(self.dtype)[6:]}-{self.rows}rows-clamp{self.clamp}"

    def flow(self) -> ConditionalFlow:
        return make_flow(self.dim, self.blocks, self.clamp).to(self.dtype)

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rng = torch.Generator().manual_seed(1)
        x = torch.randn(self.rows, self.dim, generator=rng, dtype=self.dtype)
        g = torch.randn(CLASSES, CONDITION, generator=rng, dtype=self.dtype)
        return x, g, torch.randint(CLASSES, (self.rows,), generator=rng)

    @property
    def tolerance(self) -> float:
        return 2e-5 if self.dtype == torch.float32 else 1e-12


def make_flow(dim: int, blocks: int, clamp: float = 1.0, std: float = 0.3) -> ConditionalFlow:
    flow = ConditionalFlow(dim, CONDITION, blocks=blocks, hidden=16, clamp=clamp)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.normal_(std=std, generator=rng)
    return flow


every_case = pytest.mark.parametrize(
    "case",
    [
        Case(2, blocks=1),
        Case(2, dtype=torch.float32),
        Case(3, blocks=1, dtype=torch.float32),
        Case(3),
        Case(8),
        Case(9, dtype=torch.float32),
        Case(9, rows=1),
        Case(8, rows=1, dtype=torch.float32),
        Case(5, clamp=2.0),
    ],
    ids=str,
)


@every_case
def test_inverse_undoes_forward_and_forward_undoes_inverse(case):
    flow = case.flow()
    x, g, index = case.inputs()
    z, _ = flow(x, g, index)
    assert (z - x).abs().max() > 0.3, "the flow is too close to the identity to show anything"
    torch.testing.assert_close(flow.inverse(z, g, index), x, rtol=0, atol=case.tolerance)
    torch.testing.assert_close(flow(flow.inverse(x, g, index), g, index)[0], x, rtol=0, atol=case.tolerance)


@every_case
def test_log_det_is_that_of_the_jacobian(case):
    flow = case.flow().double()
    x, g, index = (t.double() if t.is_floating_point() else t for t in case.inputs())
    _, log_det = flow(x, g, index)
    assert log_det.shape == (case.rows,)
    for row, k, found in zip(x, index, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v, k=k: flow(v[None], g[k][None])[0][0], row)
        sign, expected = torch.linalg.slogdet(jacobian)
        assert sign == 1
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@every_case
def test_gradients_reach_every_parameter_and_the_condition(case):
    flow = case.flow()
    x, g, index = case.inputs()
    g.requires_grad_()
    flow.log_prob(x, g, index).mean().backward()
    for name, parameter in flow.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).all(), name
    assert ((g.grad != 0).any(1) == torch.isin(torch.arange(CLASSES), index)).all()


@every_case
def test_log_prob_is_the_base_density_plus_the_log_det(case):
    flow = case.flow()
    x, g, index = case.inputs()
    z, log_det = flow(x, g, index)
    base = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1)
    expected = base.log_prob(z) + log_det
    torch.testing.assert_close(flow.log_prob(x, g, index), expected, rtol=1e-5, atol=case.tolerance)
    torch.testing.assert_close(standard_normal_log_prob(z), base.log_prob(z), rtol=1e-5, atol=case.tolerance)


@every_case
def test_index_gives_what_explicit_rows_give(case):
    flow = case.flow()
    x, g, index = case.inputs()
    close = {"rtol": case.tolerance, "atol": case.tolerance}
    assert len(index) == 1 or len(index.unique()) > 1
    torch.testing.assert_close(flow(x, g, index), flow(x, g[index]), **close)
    torch.testing.assert_close(flow.inverse(x, g, index), flow.inverse(x, g[index]), **close)
    torch.testing.assert_close(flow.log_prob(x, g, index), flow.log_prob(x, g[index]), **close)
    samples = [
        flow.sample(g, index, rng=torch.Generator().manual_seed(3)),
        flow.sample(g[index], rng=torch.Generator().manual_seed(3)),
    ]
    torch.testing.assert_close(*samples, **close)


@every_case
def test_rows_do_not_depend_on_their_batch(case):
    flow = case.flow()
    x, g, index = case.inputs()
    alone = torch.cat([flow(row[None], g, k[None])[0] for row, k in zip(x, index, strict=True)])
    torch.testing.assert_close(flow(x, g, index)[0], alone, rtol=0, atol=case.tolerance)


@every_case
def test_samples_are_mapped_noise_of_the_right_shape_and_repeat_by_rng(case):
    flow = case.flow()
    _, g, index = case.inputs()

    def draw(seed: int) -> torch.Tensor:
        return flow.sample(g, index, rng=torch.Generator().manual_seed(seed))

    assert draw(0).shape == (case.rows, case.dim)
    assert draw(0).dtype == case.dtype
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    noise = torch.randn(case.rows, case.dim, generator=torch.Generator().manual_seed(0), dtype=case.dtype)
    assert torch.equal(draw(0), flow.inverse(noise, g, index))
    assert flow.sample(g).shape == (CLASSES, case.dim)


@every_case
def test_weights_survive_a_file(case, tmp_path):
    flow, other = case.flow(), make_flow(case.dim, case.blocks, case.clamp, std=0.1).to(case.dtype)
    x, g, index = case.inputs()
    save_file(flow.state_dict(), tmp_path / "flow.safetensors")
    assert not torch.equal(other(x, g, index)[0], flow(x, g, index)[0])
    other.load_state_dict(load_file(tmp_path / "flow.safetensors"))
    assert torch.equal(other(x, g, index)[0], flow(x, g, index)[0])


@torch.no_grad()
def test_density_integrates_to_one():
    flow = make_flow(2, blocks=2, std=0.6).double()
    g = torch.tensor([[0.5, -1.0, 1.5]], dtype=torch.float64)
    samples = flow.sample(g, torch.zeros(2000, dtype=torch.long), rng=torch.Generator().manual_seed(0))
    centre, width = samples.mean(0), 8 * samples.std(0)
    axes = [
        torch.linspace(float(c - w), float(c + w), 601, dtype=torch.float64) for c, w in zip(centre, width, strict=True)
    ]
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    grid = torch.cartesian_prod(*axes)
    log_prob = flow.log_prob(grid, g, torch.zeros(len(grid), dtype=torch.long))
    assert (log_prob - standard_normal_log_prob(grid)).abs().max() > 1, "too close to the base density"
    torch.testing.assert_close(log_prob.exp().sum() * cell, torch.tensor(1.0, dtype=torch.float64), rtol=0, atol=1e-3)


def test_all_that_is_not_the_first_half_is_the_second():
    block = ConditionalAffineCoupling(dim=7, dim_condition=2, hidden=4)
    for subnet, half, other in ((block.subnet1, 3, 4), (block.subnet2, 4, 3)):
        assert subnet.of_features.shape == (4, half)
        assert subnet.of_condition.shape == (4, 2)
        assert subnet.last.weight.shape == (2 * other, 4)


def test_log_scale_is_bounded_and_a_published_constant():
    s = torch.tensor([-1e9, -1.0, 0.0, 1.0, 1e9], dtype=torch.float64)
    quarter = 0.636 * torch.pi / 4  # 0.636, not 2/pi
    expected = torch.tensor([-2, -1, 0, 1, 2], dtype=torch.float64) * quarter
    torch.testing.assert_close(log_scale(s, 1.0), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_scale(s, 1.9), 1.9 * expected, rtol=0, atol=1e-6)
    assert log_scale(s, 1.0).abs().max() < 1


def test_scaling_and_shifting():
    x, e, t = torch.tensor([3.0]), torch.tensor([2.0]).log(), torch.tensor([5.0])
    assert scale_shift(x, e, t).item() == pytest.approx(11)
    assert unscale_shift(torch.tensor([11.0]), e, t).item() == pytest.approx(3)


def test_every_parameter_starts_small_biases_too():
    torch.manual_seed(0)
    flow = ConditionalFlow(dim=128, dim_condition=32, blocks=2, hidden=256)
    for name, parameter in flow.named_parameters():
        n = parameter.numel()
        assert abs(parameter.mean().item()) < 5 * 0.01 / n**0.5, name
        assert parameter.std().item() == pytest.approx(0.01, rel=5 / (2 * n) ** 0.5), name


def test_repr_tells_the_shape_of_the_flow():
    text = repr(ConditionalFlow(dim=6, dim_condition=3, blocks=2, hidden=16, clamp=1.5))
    assert "dim=6" in text
    assert "clamp=1.5" in text
    assert "dim_in=3, dim_condition=3, hidden=16" in text
    assert "2 x ConditionalAffineCoupling" in text


@pytest.mark.parametrize(("dim", "blocks"), [(1, 5), (0, 5), (4, 0)])
def test_too_few_dimensions_or_blocks_are_refused(dim, blocks):
    with pytest.raises(ValueError, match=f"found dim={dim}, blocks={blocks}"):
        ConditionalFlow(dim, 3, blocks=blocks)
