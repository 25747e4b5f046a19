"""Diagnostics on cases with known answers."""

import numpy as np
import pytest

from gsmflow.evaluation.diagnostics import (
    frechet,
    hubness,
    mmd,
    reliability,
    sample_distances,
    semantic_consistency,
    structure,
    variance_ratios,
)

RNG = np.random.default_rng(0)
LABELS = np.repeat([2, 5, 7], 200)
MEANS = np.array([[0.0, 0, 0], [9, 0, 0], [0, 20, 0]])
REAL = RNG.normal(size=(600, 3)) + MEANS.repeat(200, 0)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_variance_is_a_ratio_of_variances(factor):
    means = REAL.reshape(3, 200, 3).mean(1).repeat(200, 0)
    np.testing.assert_allclose(
        variance_ratios(REAL, LABELS, means + factor * (REAL - means), LABELS), factor**2, atol=1e-9
    )


def test_variance_of_single_samples_is_left_out():
    assert len(variance_ratios(REAL[:201], LABELS[:201], REAL, LABELS)) == 1
    assert len(variance_ratios(np.ones((4, 3)), LABELS[:4], REAL, LABELS)) == 0


def test_hubness():
    classes = np.arange(10)
    assert hubness(np.arange(100) % 10, classes) is None
    assert hubness(np.r_[np.zeros(91, int), classes[1:]], classes) > 2
    assert hubness(np.r_[np.arange(90) % 9], classes) < 0  # one that is never decided for
    assert hubness(np.array([0, 0, 1]), np.arange(2)) is None


def test_reliability_of_ten_decisions():
    confidence = np.array([0.05, 0.95, 0.95, 1.0, 0.31, 0.39])
    found = reliability(confidence, np.array([False, True, True, False, True, False]))
    np.testing.assert_allclose(found.confidence, [0.05, 0.35, 2.9 / 3])
    np.testing.assert_allclose(found.accuracy, [0, 0.5, 2 / 3])
    assert found.count.tolist() == [1, 2, 3]
    assert found.error == pytest.approx((0.05 + 2 * 0.15 + 3 * 0.3) / 6)


def semantic_problem():
    """Thirty classes whose features are linear in their semantics; the last ten are unseen."""
    rng = np.random.default_rng(1)
    semantics = rng.normal(size=(30, 6))
    labels = np.arange(30).repeat(20)
    unit = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
    features = unit[labels] @ rng.normal(size=(6, 12)) + 0.01 * rng.normal(size=(600, 12))
    return features[:400], labels[:400], features[400:], labels[400:], semantics


def test_semantics_are_recovered_where_features_tell_them():
    found = semantic_consistency(*semantic_problem())
    assert found.candidates == 10
    assert found.rank == 1
    assert found.cosine > 0.99


def test_features_of_the_wrong_classes_tell_nothing():
    seen, seen_labels, features, labels, semantics = semantic_problem()
    permuted = 20 + (labels - 20 + 5) % 10
    found = semantic_consistency(seen, seen_labels, features, permuted, semantics)
    assert found.rank > 4
    assert found.cosine < 0.5


def test_frechet_of_diagonal_normals_has_a_closed_form():
    a, b = RNG.normal(size=(2, 200_000, 2)) * np.array([[[1.0, 2.0]], [[3.0, 1.0]]]) + np.array([[[0, 0]], [[1, 2.0]]])
    assert frechet(a, b) == pytest.approx(1 + 4 + (3 - 1) ** 2 + (2 - 1) ** 2, rel=0.02)
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)


def test_mmd_is_unbiased_and_sees_a_shift():
    same = [mmd(*RNG.normal(size=(2, 30, 3))) for _ in range(200)]
    assert abs(np.mean(same)) < 4 * np.std(same) / 200**0.5
    assert min(mmd(RNG.normal(size=(30, 3)), RNG.normal(size=(30, 3)) + 3) for _ in range(20)) > 10 * np.std(same)


def test_mmd_is_that_of_its_definition():
    a, b = RNG.normal(size=(4, 2)), RNG.normal(size=(3, 2))
    both = np.concatenate([a, b])
    width = np.median([np.sum((both[i] - both[j]) ** 2) for i in range(7) for j in range(i)])

    def kernel(x, y):
        return np.exp(-np.sum((x - y) ** 2) / width)

    def inside(x):
        return np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])

    expected = inside(a) + inside(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])
    assert mmd(a, b) == pytest.approx(expected)


def test_real_features_are_as_near_as_real_ones():
    like = RNG.normal(size=REAL.shape) + MEANS.repeat(200, 0)
    found = sample_distances(REAL, LABELS, like, LABELS)
    assert 0.3 < np.median(found.frechet / found.frechet_real) < 3
    assert np.abs(found.mmd - found.mmd_real).max() < 0.03
    far = sample_distances(REAL, LABELS, like + 3, LABELS)
    assert (far.frechet > 20 * far.frechet_real).all()
    assert (far.mmd > 0.2).all()


def test_classes_of_few_samples_have_no_distance():
    assert len(sample_distances(REAL[195:205], LABELS[195:205], REAL, LABELS).frechet) == 0


def test_structure_that_is_kept_turned_and_permuted():
    rng = np.random.default_rng(2)
    semantics = rng.normal(size=(40, 5))
    unit = semantics / np.linalg.norm(semantics, axis=1, keepdims=True)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    kept = structure(semantics, unit, 7 * unit @ turn + 3)
    assert (kept.distances, kept.semantics_real) == pytest.approx((1, 1))
    assert kept.procrustes == pytest.approx(0, abs=1e-9)
    assert kept.neighbours == 100
    lost = structure(semantics, unit, unit[rng.permutation(40)])
    assert abs(lost.distances) < 0.2
    assert lost.procrustes > 0.7
    assert lost.neighbours < 20


def test_structure_takes_three_different_classes():
    line = np.array([[0.0, 1], [1.0, 1], [3.0, 1]])
    assert structure(line, line, line).distances == pytest.approx(1)
    assert structure(line[:2], line[:2], line[:2]) is None
    assert structure(line, line, np.zeros((3, 2))) is None
    with pytest.raises(ValueError, match="found 3, 3 and 2 rows"):
        structure(line, line, line[:2])


def test_bad_samples_are_told():
    with pytest.raises(ValueError, match=r"real must be \(n, d\) with n labels; found \(600, 3\) and \(599,\)"):
        variance_ratios(REAL, LABELS[:-1], REAL, LABELS)
    broken = REAL.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="generated hold 1 values that are not finite"):
        sample_distances(REAL, LABELS, broken, LABELS)


def test_a_perfect_generator_of_more_dimensions_than_samples_is_as_near_as_real():
    rng = np.random.default_rng(3)
    labels = np.arange(40).repeat(14)
    found = sample_distances(rng.normal(size=(560, 300)), labels, rng.normal(size=(560, 300)), labels)
    assert np.mean(found.frechet) == pytest.approx(np.mean(found.frechet_real), rel=0.05)
    spread = np.std(found.mmd - found.mmd_real) / 40**0.5
    assert abs(np.mean(found.mmd - found.mmd_real)) < 4 * spread
