"""Seeds that never change silently, and scaling against scikit-learn."""

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import MinMaxScaler

from gsmflow.scaling import Scaling
from gsmflow.seeds import derive, generator


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ((0,), 4761921975702974394),
        ((0, "order", 0), 1829853113658518448),
        ((6152, "step", 3), 6288778944794856287),
    ],
)
def test_seeds_are_what_they_always_were(purpose, expected):
    assert derive(*purpose) == expected


def test_every_purpose_has_a_seed_of_its_own():
    purposes = [
        (seed, name, number)
        for seed, name, number in itertools.product(range(10), ("order", "step", "weights"), range(100))
    ]
    seeds = {derive(*purpose) for purpose in purposes}
    assert len(seeds) == len(purposes)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
    assert derive(0) != derive(0, "order") != derive(0, "order", 0)
    assert derive(1, 23) != derive(12, 3)


def test_generator_draws_from_its_purpose_alone():
    def draw(*purpose):
        return torch.rand(4, generator=generator("cpu", *purpose))

    expected = torch.rand(4, generator=torch.Generator().manual_seed(derive(0, "a")))
    torch.manual_seed(5)
    assert torch.equal(draw(0, "a"), expected)
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(5)), "global state was touched"
    assert not torch.equal(draw(0, "a"), draw(0, "b"))
    assert not torch.equal(draw(0, "a"), draw(1, "a"))


@pytest.fixture
def features() -> np.ndarray:
    """Columns of unlike ranges, the third of them constant."""
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    x = x * np.float32([1, 100, 1, 0.01]) + np.float32([0, -50, 0, 3])
    x[:, 2] = 7
    return x


def test_minmax_equals_scikit_learn(features):
    scaling = Scaling.fit(torch.from_numpy(features), "minmax")
    oracle = MinMaxScaler().fit(features)
    fresh = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32) * 10
    for x in (features, fresh):
        found = scaling(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, oracle.transform(x), rtol=1e-4, atol=1e-5)
    scaled = scaling(torch.from_numpy(features))
    assert scaled.amin(0).tolist() == [0, 0, 0, 0]
    assert scaled.amax(0).tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("kind", ["minmax", "none"])
def test_inverse_undoes_scaling(features, kind):
    scaling = Scaling.fit(torch.from_numpy(features), kind)
    x = torch.from_numpy(features)
    torch.testing.assert_close(scaling.inverse(scaling(x)), x, rtol=1e-5, atol=1e-5)
    y = torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(scaling(scaling.inverse(y)), y, rtol=1e-3, atol=1e-4)


def test_none_leaves_features_as_they_are(features):
    x = torch.from_numpy(features)
    assert torch.equal(Scaling.fit(x, "none")(x), x)


def test_scaling_survives_a_file_and_has_nothing_to_train(features, tmp_path):
    x = torch.from_numpy(features)
    scaling, other = Scaling.fit(x, "minmax"), Scaling(4)
    save_file(scaling.state_dict(), tmp_path / "scaling.safetensors")
    other.load_state_dict(load_file(tmp_path / "scaling.safetensors"))
    assert torch.equal(other(x), scaling(x))
    assert not torch.equal(other(x), x)
    assert not list(scaling.parameters())
