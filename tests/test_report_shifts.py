"""The figures of the report that say how far generated features are from real ones."""

import numpy as np
import pytest
from scipy.special import log_softmax

from gsmflow import experiment, load
from gsmflow.evaluation.metrics import evaluate
from gsmflow.report.facts import read_facts
from gsmflow.report.probe import ALL_SAMPLES, embed, load_data, probe
from gsmflow.report.shifts import hubness, nearest_mean, reliability, structure, variance

RNG = np.random.default_rng(0)
LABELS = np.repeat([2, 5, 7], 200)
MEANS = np.array([[0.0, 0, 0], [9, 0, 0], [0, 20, 0]])
REAL = RNG.normal(size=(600, 3)) + MEANS.repeat(200, 0)


def test_generated_as_real():
    like = RNG.normal(size=(600, 3)) + MEANS.repeat(200, 0)
    assert nearest_mean(REAL, LABELS, like, LABELS) == 1
    np.testing.assert_allclose(variance(REAL, LABELS, like, LABELS), 1, atol=0.25)
    assert structure(MEANS, MEANS + 0.01) == 1


def test_generated_of_another_class():
    moved = REAL.copy()
    moved[:200] += MEANS[1]
    assert nearest_mean(REAL, LABELS, moved, LABELS) == pytest.approx(2 / 3)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_variance_is_a_ratio_of_variances(factor):
    means = REAL.reshape(3, 200, 3).mean(1).repeat(200, 0)
    np.testing.assert_allclose(variance(REAL, LABELS, means + factor * (REAL - means), LABELS), factor**2, atol=1e-9)


def test_variance_of_single_samples_is_left_out():
    assert len(variance(REAL[:201], LABELS[:201], REAL, LABELS)) == 1
    assert len(variance(np.ones((4, 3)), LABELS[:4], REAL, LABELS)) == 0


def test_structure_that_is_turned_around():
    line = np.array([[0.0], [1.0], [3.0]])
    assert structure(line, -5 * line) == 1
    assert structure(line, np.array([[0.0], [-9.0], [1.0]])) < 0
    assert structure(line[:2], line[:2]) is None
    assert structure(line, np.zeros((3, 1))) is None


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


def test_the_probe_says_what_the_model_says(run):
    facts = read_facts(run, "run")
    data = load("TWIN", root="data")
    found, model = probe(facts, data), experiment.load_model(run)
    assert (found.predicted == model.predict(found.features)).all()
    metrics = evaluate(model, data.tests(), data.seen, data.unseen, constant=float(model.constant))
    assert found.decided_otherwise(metrics.confusion) == 0
    assert found.ausuc[0] <= metrics.AUSUC <= found.ausuc[1]
    scores = model.scores(model.tensor(found.features)).double().numpy()
    scores[:, data.seen] -= float(model.constant)
    np.testing.assert_allclose(found.confidence, np.exp(log_softmax(scores, 1).max(1)))
    again = probe(facts, load_data(facts.config, None))
    assert (found.generated.features == again.generated.features).all()


def test_a_map_holds_at_most_so_many_points(run):
    found = probe(read_facts(run, "run"), load("TWIN", root="data")).generated
    assert len(found.features) <= ALL_SAMPLES
    maps, labels, is_real = embed(found, points=12)
    assert set(maps) == {"PCA", "t-SNE"}
    assert len(labels) == len(is_real) == len(maps["PCA"]) == len(maps["t-SNE"]) <= 12
    assert set(labels[is_real]) == set(labels[~is_real]) == {1, 4}
    again, _, _ = embed(found, points=12)
    assert all((maps[name] == again[name]).all() for name in maps)
