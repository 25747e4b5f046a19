"""Probabilities that can be believed: chosen on folds alone, kept in the model, told with their error."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gsmflow
from gsmflow import experiment
from gsmflow.model import Rejection, ZeroShotModel
from gsmflow.selection import calibration
from gsmflow.selection.calibration import Softening, choose_rejection, measure_calibration, softened, thinned
from gsmflow.selection.fit import Problem
from gsmflow.selection.folds import Folds
from gsmflow.settings import Settings
from tests.tiny import GAUSSIAN, TINY, problem

DATA = problem()
ANY: Any = [None]
"""One fold, of which nothing is asked."""


@pytest.fixture(scope="module")
def result() -> gsmflow.Result:
    return experiment.train(DATA, GAUSSIAN, device="cpu")


def test_the_model_keeps_what_was_chosen(result, tmp_path):
    about, record = result.model.about, result.record
    assert about.temperature != 1
    assert record["calibration"]["temperature"] == about.temperature
    assert record["calibration"]["ECE"] == pytest.approx(result.metrics.calibration.ECE, abs=1e-4)
    assert record["rejection"] == vars(about.rejection)
    result.model.save(tmp_path / "m.safetensors")
    again = ZeroShotModel.load(tmp_path / "m.safetensors")
    assert again.about == about
    assert (again.predict_proba(DATA.features) == result.model.predict_proba(DATA.features)).all()
    assert experiment.evaluate(again, DATA).calibration == result.metrics.calibration


def test_no_decision_changes(result):
    plain = softened(ZeroShotModel.from_tensors(result.model.state_dict(), result.model.about), Softening())
    assert (plain.predict_ids(DATA.features) == result.model.predict_ids(DATA.features)).all()
    assert not (plain.predict_proba(DATA.features) == result.model.predict_proba(DATA.features)).all()
    for _, scores in plain.calibrated(DATA.features[:50]):
        assert (plain.probabilities(scores) == scores.softmax(1)).all()


def test_the_choice_does_not_see_the_tests(result):
    tested = np.r_[DATA.test_seen, DATA.test_unseen]
    features = DATA.features.copy()
    features[tested] += 3
    other = experiment.train(replace(DATA, features=features), GAUSSIAN, device="cpu").model.about
    ours = result.model.about
    assert (other.temperature, other.tail, other.rejection) == (ours.temperature, ours.tail, ours.rejection)


def test_what_is_not_made_in_seconds_is_not_calibrated():
    result = experiment.train(DATA, TINY, device="cpu")
    assert (result.model.about.temperature, result.model.about.tail, result.model.about.rejection) == (1, 0, None)
    assert result.record["calibration"]["ECE"] > 0
    assert result.record["rejection"] is None


def test_the_error_takes_both_test_sets(result):
    tests = DATA.tests()
    none = replace(tests, seen_features=tests.seen_features[:0], seen_labels=tests.seen_labels[:0])
    assert measure_calibration(result.model, none).ECE is None
    assert 0 < (measure_calibration(result.model, tests).ECE or 0) < 100


def test_thinned_folds_keep_their_tests_and_classes():
    whole = Problem.of(DATA.training(), None, calibration.torch.device("cpu"))
    folds = Folds(whole, Settings())
    fewer, before = thinned(folds).cut(0), folds.cut(0)
    assert fewer.tests is before.tests
    assert (fewer.training.seen == before.training.seen).all()
    for k in before.training.seen:
        ours, theirs = (np.sum(one.training.labels == k) for one in (fewer, before))
        assert 1 <= ours < theirs
    assert len(fewer.x) == len(fewer.labels) == len(fewer.training.labels)


def test_the_threshold_that_errs_least(monkeypatch):
    known, unknown = np.array([0.9, 0.8, 0.3]), np.array([0.1, 0.2, 0.4, 0.85])
    monkeypatch.setattr(calibration, "confidences", lambda fold: [(known, np.ones(3) / 3, unknown)])
    found = choose_rejection(ANY)
    assert found == Rejection(0.25, 0.0, 50.0)  # at 0.35 it would be 33 and 50, at 0.6 33 and 25
    for nothing in ([], [(known, np.ones(3) / 3, known)]):
        monkeypatch.setattr(calibration, "confidences", lambda fold, found=nothing: found)
        assert choose_rejection(ANY) is None
    assert "no threshold tells" in str(Softening())


def test_pictures_of_classes_that_are_gone_are_rejected_more_often():
    data = gsmflow.load("synthetic")
    model = gsmflow.train(data, "gaussian").model
    gone = [model.class_names[k] for k in model.unseen.tolist()[:2]]
    is_gone = np.isin(np.array(data.class_names)[data.labels], gone)
    model.remove_classes(gone)
    tested = np.r_[data.test_seen, data.test_unseen]
    rejected = gsmflow.model.ask(model, data.features[tested], 1, reject="auto").rejected
    assert rejected is not None
    assert rejected[is_gone[tested]].mean() > rejected[~is_gone[tested]].mean()


def test_auto_needs_a_threshold(result):
    model = softened(ZeroShotModel.from_tensors(result.model.state_dict(), result.model.about), Softening())
    with pytest.raises(gsmflow.InputError, match="for this model none was: give a probability"):
        gsmflow.model.ask(model, DATA.features[:1], 1, reject="auto")


def test_a_rejection_tells_both_errors():
    assert str(Rejection(0.5, 12.345, 40.0)).endswith(
        "rejected 12.3 % of the pictures of known classes and accepted 40.0 % of those of others"
    )
