"""Maps of semantics against their formulas, and for classes that were not there."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from gsmflow.generators import adopt
from gsmflow.scaling import Scaling
from gsmflow.semantics import SemanticMap, SemanticWeighting, Words

KINDS = ["none", "l2", "sqrt", "spread"]


def as_semantics(*shape: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).normal(size=shape)) * torch.linspace(3, 0.1, shape[1]).double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rows_are_mapped_alone(dtype):
    a = as_semantics(12, 5).to(dtype)
    assert SemanticMap(5, "none")(a) is a
    assert torch.equal(SemanticMap(5, "l2")(a), F.normalize(a, dim=1))
    assert torch.equal(SemanticMap(5, "sqrt")(a), F.normalize(a.sign() * a.abs().sqrt(), dim=1))
    found = SemanticMap(2, "sqrt")(torch.tensor([[4.0, -9.0]]))
    torch.testing.assert_close(found, F.normalize(torch.tensor([[2.0, -3.0]])))


@pytest.mark.parametrize(("seen", "dim"), [(12, 5), (4, 7), (6, 6)])
def test_spread_is_its_formula(seen, dim):
    a = as_semantics(seen + 3, dim)
    known, mean = a[:seen].numpy(), a[:seen].numpy().mean(0)
    _, s, vt = np.linalg.svd(known - mean, full_matrices=False)
    kept = s > 1e-6 * s[0]
    assert kept.sum() == min(seen - 1, dim)
    expected = (a.numpy() - mean) @ vt[kept].T / np.sqrt(s[kept])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = SemanticMap.fit(a[:seen], "spread")(a)
    assert found.shape == a.shape
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-12)
    assert not found[:, kept.sum() :].any()


def test_spread_evens_out_the_singular_values():
    """Before rows are divided by their lengths, singular values are the square roots of what they were."""
    known = as_semantics(12, 5)
    spread = SemanticMap.fit(known, "spread")
    s = torch.linalg.svdvals(known - known.mean(0))
    torch.testing.assert_close(torch.linalg.svdvals((known - spread.centre) @ spread.directions), s.sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_mapped_the_same_whoever_stands_beside_it(kind):
    a = as_semantics(20, 5).float()
    fitted = SemanticMap.fit(a[:12], kind)
    one_by_one = torch.cat([fitted(row) for row in a.split(1)])
    torch.testing.assert_close(one_by_one, fitted(a), rtol=0, atol=1e-7)
    assert fitted(a).dtype == torch.float32
    if kind != "none":
        torch.testing.assert_close(fitted(a).norm(dim=1), torch.ones(20))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seen", [0, 1, 3])
def test_no_nan(kind, seen):
    a = torch.cat([torch.zeros(2, 4), torch.rand(3, 4)])
    for known in (a[:seen], a[1:2].expand(seen, 4)):
        fitted = SemanticMap.fit(known, kind)
        assert fitted(a).isfinite().all()
        assert fitted(a[:0]).shape == (0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_loaded(kind, tmp_path):
    a = as_semantics(9, 5)
    fitted, loaded = SemanticMap.fit(a[:6], kind), SemanticMap(5, kind)
    save_file(fitted.state_dict(), tmp_path / "map.safetensors")
    adopt(loaded, load_file(tmp_path / "map.safetensors"))
    assert torch.equal(loaded(a), fitted(a))
    assert set(fitted.state_dict()) == ({"centre", "directions"} if kind == "spread" else set())
    assert repr(fitted) == f"SemanticMap({kind}, dim=5)"


PARTS = (("attributes", 3), ("text", 2))


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_each_part_has_its_length(weight, dtype):
    a = as_semantics(12, 5).to(dtype)
    a[3, :3] = 0
    found = SemanticWeighting(PARTS, weight)(a)
    assert (found.shape, found.dtype) == (a.shape, dtype)
    expected = torch.ones(12, dtype=dtype)
    torch.testing.assert_close(found[:, 3:].norm(dim=1), weight * expected)
    expected[3] = 0
    torch.testing.assert_close(found[:, :3].norm(dim=1), expected)
    torch.testing.assert_close(F.normalize(found[:, 3:], dim=1), F.normalize(a[:, 3:], dim=1))
    rows = torch.cat([SemanticWeighting(PARTS, weight)(row) for row in a.split(1)])
    assert torch.equal(rows, found), "a class is weighted the same whoever stands beside it"
    torch.testing.assert_close(SemanticWeighting(PARTS, weight)(7 * a), found)  # the unit of a part does not matter


@pytest.mark.parametrize("parts", [(), (("text", 5),), (("attributes", 5),)], ids=str)
def test_one_part_alone_stays_as_it_is(parts):
    a = as_semantics(4, 5)
    weighting = SemanticWeighting(parts, 2.0)
    assert weighting(a) is a
    assert not weighting.state_dict()
    assert repr(weighting) == "SemanticWeighting(one part)"


def test_a_weight_that_is_not_named_is_one():
    a = as_semantics(4, 5)
    assert torch.equal(SemanticWeighting(PARTS)(a), SemanticWeighting(PARTS, 1.0)(a))
    assert repr(SemanticWeighting(PARTS, 0.5)) == "SemanticWeighting(attributes=3, text=2, text_weight=0.5)"


@pytest.mark.parametrize(("parts", "columns"), [((), [0, 1, 2, 3, 4]), (PARTS, [3, 4]), (PARTS[::-1], [0, 1])], ids=str)
def test_words_are_found_and_scaled_as_features_are(parts, columns):
    a = as_semantics(4, 5)
    scaling = Scaling(len(columns), "l2")
    torch.testing.assert_close(Words.among(parts, scaling)(a), F.normalize(a[:, columns], dim=1))
