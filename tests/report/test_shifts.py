"""The numbers of the report that say how far generated features are from real ones."""

from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import log_softmax

from gsmflow import experiment, load
from gsmflow.data import ZeroShotDataset
from gsmflow.report.facts import read_facts
from gsmflow.report.probe import ALL_SAMPLES, Generated, embed, load_data, probe
from gsmflow.report.shifts import of_generated, shifts


@pytest.fixture
def data(workshop):
    return load("TWIN", root=workshop / "data")


def test_the_probe_says_what_the_model_says(made, data):
    run = made()
    facts = read_facts(run, "run")
    found, model = probe(facts, data), experiment.load_model(run)
    assert (found.predicted == model.predict_ids(found.features)).all()
    metrics = experiment.evaluate(model, data)
    assert found.decided_otherwise(metrics.confusions) == found.decided_otherwise(facts.confusions) == 0
    assert found.ausuc[0] <= metrics.AUSUC <= found.ausuc[1]
    scores = model.scores(model.tensor(found.features)).double().numpy()
    scores[:, data.seen] -= model.constant
    np.testing.assert_allclose(found.confidence, np.exp(log_softmax(scores, 1).max(1)), rtol=1e-6)
    again = probe(facts, load_data(facts.config, None))
    assert (found.generated.features == again.generated.features).all()


def test_decisions_are_counted_that_differ(made, data):
    facts = read_facts(made(), "run")
    found, changed = probe(facts, data), facts.confusions.copy()
    changed[0] = (*changed[0, :2], changed[0, 2] - 1)
    other = (changed[0, 0], (changed[0, 1] + 1) % 6, 1)
    assert found.decided_otherwise(np.vstack([changed, other])) == 1
    assert replace(found, predicted=(found.predicted + 1) % 6).decided_otherwise(facts.confusions) == len(found.labels)


NAMES = ("semantic consistency", "variance", "distance", "structure")
UNSEEN = (12, 13, 14)
LABELS = np.repeat(UNSEEN, 12)


@pytest.fixture(scope="module")
def known() -> ZeroShotDataset:
    """Features are their class's semantics, by a linear map, and noise; the last three of 15 classes are unseen."""
    rng = np.random.default_rng(0)
    semantics, labels = rng.uniform(size=(15, 4)), np.repeat(np.arange(15), 12)
    features = 5 * semantics[labels] @ rng.normal(size=(4, 9)) + 0.1 * rng.normal(size=(180, 9))
    return ZeroShotDataset(
        "known",
        *(features.astype(np.float32), labels, semantics.astype(np.float32)),
        trainval=np.arange(144),
        test_unseen=np.arange(144, 180),
    )


def told(data, features, labels=LABELS) -> dict[str, str]:
    tests = data.tests()
    found = of_generated(Generated(tests.unseen_features, tests.unseen_labels, features, labels), data)
    return {shift.name: shift.value for shift in found}


def test_shifts_of_what_is_known(known):
    real = known.tests().unseen_features
    means = np.repeat(np.stack([real[k == LABELS].mean(0) for k in UNSEEN]), 12, 0)
    same = told(known, real)
    assert tuple(same) == NAMES
    assert (same["semantic consistency"], same["variance"], same["structure"]) == ("rank 1.0", "1.00", "1.00")
    assert 0.2 < float(same["distance"].removesuffix(" times")) < 2
    assert told(known, means + 2 * (real - means))["variance"] == "4.00"
    assert told(known, means + (real - means) / 2)["variance"] == "0.25"
    assert told(known, means)["variance"] == "0.00"
    far = told(known, real + 3)
    assert (far["variance"], far["structure"]) == ("1.00", "1.00")
    assert float(far["distance"].removesuffix(" times")) > 100
    assert float(told(known, real, np.roll(LABELS, 12))["semantic consistency"].removeprefix("rank ")) > 2


def test_shifts_of_too_few_samples_or_classes(known):
    tests = known.tests()
    some = np.flatnonzero(tests.unseen_labels < 14)[::3]
    real, labels = tests.unseen_features[some], tests.unseen_labels[some]
    found = {shift.name: shift.value for shift in of_generated(Generated(real, labels, real, labels), known)}
    assert found == {"semantic consistency": "rank 1.0", "variance": "1.00", "distance": "none", "structure": "none"}


@pytest.mark.parametrize(
    ("decided", "hubness", "words"),
    [
        ([12] * 36, "0.71", "class 12 is decided for most often (36 of 36), 2 of 3 never."),
        ([13] * 30 + [12, 12, 12, 14, 14, 14], "0.71", "class 13 is decided for most often (30 of 36), 0 of 3 never."),
        (LABELS.tolist(), "none", "class 12 is decided for most often (12 of 36), 0 of 3 never."),
    ],
)
def test_hubness_and_calibration_by_hand(known, decided, hubness, words):
    """The skewness of three counts of which two are equal is 1 / sqrt 2."""
    real, predicted = known.tests().unseen_features, np.array(decided)
    found = SimpleNamespace(
        dataset=known,
        labels=LABELS,
        predicted=predicted,
        confidence=np.full(36, 0.75),
        generated=Generated(real, LABELS, real, LABELS),
    )
    *_, of_hubs, of_calibration = shifts(found)
    assert (of_hubs.value, of_calibration.name) == (hubness, "calibration")
    assert of_hubs.reading.endswith(words)
    right = np.mean(predicted == LABELS)
    assert of_calibration.value == f"{100 * abs(right - 0.75):.1f} %"


def test_of_very_many_classes_some_are_generated(made, data, monkeypatch):
    monkeypatch.setattr(import_module("gsmflow.report.probe"), "MOST_CLASSES", 1)
    found = probe(read_facts(made(), "run"), data).generated
    assert set(found.labels) == set(found.real_labels) == {1}
    assert (found.real == data.tests().unseen_features[data.tests().unseen_labels == 1]).all()


def test_a_map_holds_at_most_so_many_points(made, data):
    found = probe(read_facts(made(), "run"), data).generated
    assert len(found.features) <= ALL_SAMPLES
    maps, labels, is_real = embed(found, points=12)
    assert set(maps) == {"PCA", "t-SNE"}
    assert len(labels) == len(is_real) == len(maps["PCA"]) == len(maps["t-SNE"]) <= 12
    assert set(labels[is_real]) == set(labels[~is_real]) == {1, 4}
    again, _, _ = embed(found, points=12)
    assert all((maps[name] == again[name]).all() for name in maps)
