"""The flow against FrEIA, whose coupling the published code is built on."""

import pytest
import torch
from torch import nn

from gsmflow.generators.flow import ConditionalFlow

pytest.importorskip("FrEIA", reason="FrEIA is an oracle of the tests only")
from FrEIA.modules import GLOWCouplingBlock


def build_oracle(flow: ConditionalFlow, dim_condition: int, hidden: int, clamp: float) -> nn.ModuleList:
    """FrEIA's blocks with the weights of ours."""

    def subnet(dim_in: int, dim_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dim_in, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, dim_out))

    oracle = nn.ModuleList()
    for block in flow.blocks:
        peer = GLOWCouplingBlock([(flow.dim,)], [(dim_condition,)], subnet, clamp=clamp, split_len=flow.dim // 2)
        for theirs, ours in ((peer.subnet1, block.subnet1), (peer.subnet2, block.subnet2)):
            first = torch.cat([ours.of_features, ours.of_condition], 1)
            theirs[0].load_state_dict({"weight": first, "bias": ours.bias})
            theirs[2].load_state_dict(ours.last.state_dict())
        oracle.append(peer)
    return oracle


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("dim", "dim_condition", "blocks", "hidden", "clamp"),
    [
        (64, 32, 1, 48, 1.0),
        (64, 32, 3, 48, 1.0),
        (33, 16, 3, 48, 1.0),
        (3, 2, 4, 16, 1.0),
        (10, 4, 3, 16, 1.9),
        (512, 128, 5, 256, 1.0),
    ],
)
@torch.no_grad()
def test_flow_equals_freia(dim, dim_condition, blocks, hidden, clamp, dtype):
    rng = torch.Generator().manual_seed(0)
    flow = ConditionalFlow(dim, dim_condition, blocks=blocks, hidden=hidden, clamp=clamp)
    for parameter in flow.parameters():
        parameter.normal_(std=0.3 / parameter.shape[-1] ** 0.5, generator=rng)
    flow = flow.to(dtype)
    oracle = build_oracle(flow, dim_condition, hidden, clamp).to(dtype)
    x = torch.randn(5, dim, generator=rng).to(dtype)
    g = torch.randn(5, dim_condition, generator=rng).to(dtype)

    expected, expected_log_det = x, torch.zeros(5, dtype=dtype)
    for block in oracle:
        (expected,), log_det = block((expected,), (g,))
        expected_log_det = expected_log_det + log_det
    expected_back = x
    for block in reversed(oracle):
        (expected_back,), _ = block((expected_back,), (g,), rev=True)
    assert (expected - x).abs().max() > 0.1

    z, log_det = flow(x, g)
    close = {"rtol": 0, "atol": 1e-5 if dtype == torch.float32 else 1e-12}
    torch.testing.assert_close(z, expected, **close)
    torch.testing.assert_close(log_det, expected_log_det, **close)
    torch.testing.assert_close(flow.inverse(x, g), expected_back, **close)
