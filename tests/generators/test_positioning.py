"""Anchors against scikit-learn, positions against the formula written out."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from gsmflow.generators.flow import RelativePositioning, find_anchors


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [3, 4, 7, 10, 51])
def test_anchors_are_least_greatest_and_median(k, seed):
    semantics = np.random.default_rng(seed).normal(size=(k, 6)).astype(np.float32)
    sums = cosine_similarity(semantics.astype(np.float64)).sum(1)
    order = np.argsort(sums)
    assert find_anchors(torch.from_numpy(semantics)) == [order[0], order[-1], order[k // 2]]


def test_anchors_do_not_depend_on_the_length_of_semantics():
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(9, 4))
    stretched = semantics * rng.uniform(0.1, 10, size=(9, 1))
    assert find_anchors(torch.from_numpy(stretched)) == find_anchors(torch.from_numpy(semantics))


def test_anchors_survive_a_row_of_zeros_and_a_single_class():
    semantics = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.9], [1.0, 0.0]])
    assert find_anchors(semantics) == [1, 2, 0]
    assert find_anchors(torch.ones(1, 3)) == [0, 0, 0]


def test_position_is_the_sum_of_three_rectified_responses():
    torch.manual_seed(0)
    semantics = torch.randn(8, 5)
    anchors = semantics[[2, 6, 1]]
    position = RelativePositioning(anchors, dim=11)
    expected = np.zeros((8, 11))
    for response, anchor in zip(position.responses, anchors.numpy(), strict=True):
        weight, bias = response.weight.detach().numpy(), response.bias.detach().numpy()
        expected += np.maximum((semantics.numpy() - anchor) @ weight.T + bias, 0)
    found = position(semantics).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_each_anchor_has_its_own_response_and_the_anchors_are_saved():
    position = RelativePositioning(torch.randn(3, 5))
    assert {name: tuple(value.shape) for name, value in position.state_dict().items()} == {
        "anchors": (3, 5),
        **{f"responses.{i}.weight": (1024, 5) for i in range(3)},
        **{f"responses.{i}.bias": (1024,) for i in range(3)},
    }
    assert len({response.weight.data_ptr() for response in position.responses}) == 3


def test_anchors_are_a_copy():
    anchors = torch.randn(3, 5)
    position = RelativePositioning(anchors, dim=4)
    anchors.zero_()
    assert position.anchors.abs().sum() > 0
