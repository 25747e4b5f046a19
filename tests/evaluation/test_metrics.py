"""Decisions and per-class accuracies, against scikit-learn and cases worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score

from gsmflow.evaluation import metrics
from gsmflow.evaluation.metrics import decide, harmonic_mean, measure, measure_recognizer, per_class_accuracy

from .scores import SEEN, UNSEEN, Table, draw_decisions, random_scores

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 6), st.integers(0, 30))
def test_per_class_accuracy_equals_balanced_accuracy(seed, k, more):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.r_[np.arange(k), rng.integers(k, size=more)])
    predicted = rng.integers(k, size=len(labels))
    found = per_class_accuracy(predicted, labels, k)
    assert found.mean() == pytest.approx(100 * balanced_accuracy_score(labels, predicted))
    np.testing.assert_allclose(
        found, 100 * recall_score(labels, predicted, average=None, labels=np.arange(k), zero_division=0)
    )


def test_a_class_that_is_only_predicted_does_not_count():
    found = per_class_accuracy(np.array([0, 0, 3, 1]), np.array([0, 0, 0, 1]), 5)
    np.testing.assert_allclose(found, [200 / 3, 100, np.nan, np.nan, np.nan])


def test_a_class_of_one_sample_weighs_as_much_as_one_of_many():
    labels = np.array([0] * 99 + [1])
    assert per_class_accuracy(np.zeros(100, int), labels, 2).tolist() == [100, 0]
    assert per_class_accuracy(np.ones(100, int), labels, 2).tolist() == [0, 100]


@pytest.mark.parametrize(
    ("u", "s", "h"), [(0, 0, 0), (0, 80, 0), (80, 0, 0), (50, 50, 50), (60, 30, 40), (100, 100, 100)]
)
def test_harmonic_mean(u, s, h):
    assert harmonic_mean(u, s) == pytest.approx(h)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 4), st.integers(-3, 3))
def test_prediction_is_argmax_of_calibrated_scores_ties_included(seed, rows, spread, constant):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-spread, spread + 1, size=(rows, 7))
    decisions = draw_decisions(scores, np.zeros(rows, int))
    expected = np.argmax(scores - constant * np.isin(np.arange(7), SEEN), axis=1)
    assert decisions.predict(constant).tolist() == expected.tolist()
    if constant == 0:
        assert decisions.predict().tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("scores", "constant", "expected"),
    [
        ([5, 0, 0, 0, 0, 0, 5], 0, 0),  # equal: the lower id, seen
        ([0, 5, 0, 0, 0, 0, 5], 0, 1),  # equal: the lower id, unseen
        ([9, 5, 0, 0, 0, 0, 0], 4, 0),
        ([0, 5, 9, 0, 0, 0, 0], 4, 1),
        ([9, 5, 0, 0, 0, 0, 0], 5, 1),
        ([4, 5, 0, 0, 0, 0, 0], -2, 0),
    ],
)
def test_ties_by_hand(scores, constant, expected):
    assert draw_decisions(np.array([scores]), np.zeros(1, int)).predict(constant).tolist() == [expected]


def test_decisions_name_the_best_of_each_kind():
    scores = random_scores(50, seed=0)
    decisions = draw_decisions(scores, np.arange(50) % 7)
    np.testing.assert_array_equal(decisions.seen, SEEN[scores[:, SEEN].argmax(1)])
    np.testing.assert_array_equal(decisions.unseen, UNSEEN[scores[:, UNSEEN].argmax(1)])
    np.testing.assert_allclose(decisions.margin, scores[:, SEEN].max(1) - scores[:, UNSEEN].max(1))
    assert decisions.labels.tolist() == (np.arange(50) % 7).tolist()


def test_the_choice_among_unseen_alone_has_scores_of_its_own():
    scores, alone = random_scores(50, seed=0), random_scores(50, seed=1)[:, :3]
    decisions = draw_decisions(scores, np.zeros(50, int), alone)
    np.testing.assert_array_equal(decisions.only_unseen, UNSEEN[alone.argmax(1)])
    assert (decisions.only_unseen != decisions.unseen).any()


@pytest.mark.parametrize("chunk_scores", [1, 7, 20, 70, 10**6])
def test_chunks_change_nothing(chunk_scores, monkeypatch):
    scores, labels = random_scores(23, seed=0), np.arange(23) % 7
    expected = draw_decisions(scores, labels)
    monkeypatch.setattr(metrics, "CHUNK_SCORES", chunk_scores)
    table = Table(scores)
    found = decide(table, np.arange(23)[:, None], labels, SEEN, UNSEEN)
    for name in ("labels", "seen", "unseen", "margin", "only_unseen"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert max(table.asked) == min(23, max(1, chunk_scores // 7))
    assert sum(table.asked) == 23


def test_features_are_moved_by_to_tensor():
    scores = random_scores(4, seed=0)
    moved = []

    def to_tensor(x):
        moved.append(x)
        return torch.from_numpy(x) - 100

    found = decide(Table(scores), 100 + np.arange(4)[:, None], np.zeros(4, int), SEEN, UNSEEN, to_tensor=to_tensor)
    np.testing.assert_array_equal(found.seen, draw_decisions(scores, np.zeros(4, int)).seen)
    assert len(moved) == 1


@pytest.mark.parametrize("constant", [0.0, 0.4, -0.7])
def test_measure_against_scikit_learn(constant):
    rng = np.random.default_rng(0)
    labels = [np.r_[ids, rng.choice(ids, 40)] for ids in (SEEN, UNSEEN)]
    tables = [random_scores(len(y), seed=i, labels=y) for i, y in enumerate(labels)]
    of_seen, of_unseen = (draw_decisions(table, y) for table, y in zip(tables, labels, strict=True))
    found = measure(of_seen, of_unseen, 7, constant)

    mask = np.isin(np.arange(7), SEEN)
    decided = [(table - constant * mask).argmax(1) for table in tables]
    s, u = (
        100 * recall_score(y, p, labels=np.unique(y), average="macro") for y, p in zip(labels, decided, strict=True)
    )
    s_raw, u_raw = (
        100 * recall_score(y, table.argmax(1), labels=np.unique(y), average="macro")
        for y, table in zip(labels, tables, strict=True)
    )
    t1 = UNSEEN[tables[1][:, UNSEEN].argmax(1)]
    assert found.headline() == pytest.approx(
        {
            "T1": 100 * recall_score(labels[1], t1, labels=UNSEEN, average="macro"),
            "U": u,
            "S": s,
            "H": 2 * u * s / (u + s),
            "U_raw": u_raw,
            "S_raw": s_raw,
            "H_raw": 2 * u_raw * s_raw / (u_raw + s_raw),
            "AUSUC": found.curve.area,
        }
    )
    assert (found.constant, constant == 0) == (constant, (u, s) == (u_raw, s_raw))
    truth, decided = np.concatenate(labels), np.concatenate(decided)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, decided, labels=np.arange(7)))
    np.testing.assert_allclose(found.accuracy, 100 * recall_score(truth, decided, labels=np.arange(7), average=None))
    np.testing.assert_allclose(
        found.accuracy_T1[UNSEEN], 100 * recall_score(labels[1], t1, labels=UNSEEN, average=None)
    )
    assert np.isnan(found.accuracy_T1[SEEN]).all()


def test_a_recognizer_is_measured_on_both_test_sets():
    scores = random_scores(30, seed=0)
    tests = SimpleNamespace(
        seen_features=np.arange(16)[:, None],
        seen_labels=SEEN[np.arange(16) % 4],
        unseen_features=16 + np.arange(14)[:, None],
        unseen_labels=UNSEEN[np.arange(14) % 3],
    )
    found = measure_recognizer(Table(scores), tests, SEEN, UNSEEN, constant=0.3)
    expected = measure(
        draw_decisions(scores[:16], tests.seen_labels), draw_decisions(scores[16:], tests.unseen_labels), 7, 0.3
    )
    assert found.headline() == expected.headline()
    assert found.constant == 0.3
    np.testing.assert_array_equal(found.confusion, expected.confusion)
