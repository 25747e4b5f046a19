"""The figures of the report that say how far generated features are from real ones."""

import numpy as np
from scipy.special import log_softmax

from gsmflow import experiment, load
from gsmflow.evaluation.metrics import evaluate
from gsmflow.report.facts import read_facts
from gsmflow.report.probe import ALL_SAMPLES, embed, load_data, probe


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
