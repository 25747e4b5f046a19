"""What the report reads and computes of a run folder alone."""

from dataclasses import replace

import numpy as np
import pytest

from gsmflow.evaluation.metrics import Decisions, seen_unseen_curve
from gsmflow.report.facts import bootstrap, class_rows, matrix_order, read_facts
from gsmflow.report.learning import judgings, losses
from gsmflow.report.probe import ausuc_interval
from gsmflow.runs import read_metrics
from tests.tiny import TRAIN


def test_what_was_chosen_is_the_best_of_what_is_drawn(gsmflow, run):
    facts = read_facts(run, "run")
    (judging,) = judgings(facts.history)
    line, at = judging.best
    chosen = facts.metrics["chosen"]
    assert line.h[at] == pytest.approx(chosen["validation_H"])
    assert line.folds[at] == pytest.approx(tuple(chosen["validation_H_by_fold"].values()))
    assert (line.x[at], line.label) == (pytest.approx(chosen["choice"]["epoch"]), chosen["recognizer"])
    assert (judging.by_epoch, judging.on_test) == (True, False)
    assert gsmflow(*TRAIN, "--out", "b", "--protocol", "published").code == 0
    (judging,) = judgings(read_facts(run.parent / "b", "b").history)
    line, at = judging.best
    assert line.h[at] == read_metrics(run.parent / "b")["chosen"]["test_H"]
    assert judging.on_test


def test_a_flow_on_a_closed_form_has_two_stages(gsmflow, place):
    train = ("train", "TWIN", "--recipe", "default", "--training.epochs", 1, "--selection.folds", 2, "--quiet")
    assert gsmflow(*train, "--no-report", "--out", "run").code == 0
    first, own = judgings(read_facts(place / "run", "run").history)
    assert (first.by_epoch, own.by_epoch) == (False, True)
    assert first.title == "The closed form that the flow starts at"
    choices = {str(sorted(choice.items())) for line in first.lines for choice in line.choices}
    assert [len(line.h) for line in first.lines] == [len(choices)] * 3  # a line for each scaling
    assert own.best[0].h[own.best[1]] == pytest.approx(read_metrics(place / "run")["chosen"]["validation_H"])


def test_losses_are_those_of_the_history(run):
    facts = read_facts(run, "run")
    terms = losses(facts.history)
    assert set(terms) == {"nll", "prototype"}
    events = [event for event in facts.history if event["event"] == "train"]
    assert sum(len(points) for points in terms["nll"].values()) == len(events)
    assert terms["nll"]["final"][-1] == (events[-1]["step"], events[-1]["nll"])


def samples_of(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, decided = np.nonzero(confusion)
    counts = confusion[true, decided]
    return np.repeat(true, counts), np.repeat(decided, counts)


def test_intervals_are_those_of_resampled_samples():
    """Counts drawn from binomials give what resampling the test samples themselves within classes gives."""
    confusion = np.array([[20, 5, 5], [2, 30, 8], [10, 0, 15]])
    true, decided = samples_of(confusion)
    rng, drawn = np.random.default_rng(1), []
    for _ in range(3_000):
        rows = np.concatenate([rng.choice(np.flatnonzero(true == k), np.sum(true == k)) for k in range(3)])
        accuracy = [100 * np.mean(decided[rows][true[rows] == k] == k) for k in range(3)]
        u, s = accuracy[2], (accuracy[0] + accuracy[1]) / 2
        drawn.append((u, s, 2 * u * s / (u + s)))
    expected = np.quantile(drawn, [0.025, 0.975], axis=0).T
    found = bootstrap(confusion, np.array([2]), np.array([np.nan, np.nan, 60.0]), resamples=5_000)
    np.testing.assert_allclose([found[name] for name in ("U", "S", "H")], expected, atol=1.5)
    np.testing.assert_allclose(found["T1"], expected[0], atol=1.5)


def test_intervals_of_the_certain_and_the_empty():
    confusion = np.array([[7, 0, 0], [0, 0, 0], [0, 0, 4]])
    found = bootstrap(confusion, np.array([2]), np.array([np.nan, np.nan, 100.0]))
    assert set(found.values()) == {(100.0, 100.0)}


def decisions(n: int, seed: int) -> Decisions:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1] if seed == 0 else [2, 3], n // 2)
    right = rng.uniform(size=n) < 0.7
    seen, unseen = np.zeros(n, int), np.full(n, 2)
    (seen if seed == 0 else unseen)[right] = labels[right]
    return Decisions(labels, seen, unseen, rng.normal(1 if seed == 0 else -1, 1.5, n), unseen)


def test_the_interval_of_ausuc_holds_it_and_shrinks():
    widths = []
    for n in (40, 1_000):
        of_seen, of_unseen = decisions(n, 0), decisions(n, 1)
        low, high = ausuc_interval(of_seen, of_unseen)
        assert low < seen_unseen_curve(of_seen, of_unseen).area < high
        assert (low, high) == ausuc_interval(of_seen, of_unseen)
        widths.append(high - low)
    assert widths[1] < widths[0] / 3  # five times as many samples in each class's root


def test_classes_stand_worst_first(run):
    facts = read_facts(run, "run")
    confusion = np.zeros((6, 6), int)
    confusion[0, [0, 1, 2, 3, 4]] = [1, 4, 2, 3, 1]
    confusion[1, 1] = 3
    confusion[2, [2, 5]] = [1, 1]
    confusion[3, [0, 3]] = [9, 1]
    changed = {"confusion": confusion, "class_names": tuple("abcdef"), "unseen": np.array([1, 4])}
    rows = class_rows(replace(facts, **changed))
    assert [row.name for row in rows] == ["a", "d", "c", "b", "e", "f"]
    a = rows[0]
    assert (a.taken_for, a.samples, a.right) == ((("b", 4), ("d", 3), ("c", 2)), 11, 1)
    accuracies = [row.accuracy for row in rows]
    assert accuracies == [*sorted(accuracies[:4]), None, None]
    assert {row.name for row in rows if row.is_unseen} == {"b", "e"}
    assert {row.name: row.row for row in rows} == {"a": 1, "c": 2, "d": 3, "f": 4, "b": 5, "e": 6}
    assert matrix_order(facts).tolist() == [0, 2, 3, 5, 1, 4]
