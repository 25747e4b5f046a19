"""What the report reads and computes of a run folder alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gsmflow.evaluation.metrics import Decisions, seen_unseen_curve
from gsmflow.report.facts import bootstrap, class_rows, matrix_order, read_facts
from gsmflow.report.learning import judgings, losses
from gsmflow.report.probe import ausuc_interval
from gsmflow.runs import JudgedEvent, RankedEvent, TrainEvent
from gsmflow.selection import Judged
from tests.tiny import TRAIN


def test_what_was_chosen_is_the_best_of_what_is_drawn(made):
    facts = read_facts(made(), "run")
    (judging,) = facts.judgings
    line, at = judging.best
    chosen = facts.metrics["chosen"]
    assert line.h[at] == pytest.approx(chosen["validation_H"])
    assert line.folds[at] == pytest.approx(tuple(chosen["validation_H_by_fold"].values()))
    assert (line.x[at], line.label) == (pytest.approx(chosen["choice"]["epoch"]), chosen["recognizer"])
    assert (judging.by_epoch, judging.on_test) == (True, False)
    facts = read_facts(made(*TRAIN, "--protocol", "published"), "b")
    (judging,) = facts.judgings
    line, at = judging.best
    chosen = facts.metrics["chosen"]
    assert (line.h[at], line.choices[at]) == (chosen["test_H"], chosen["choice"])
    assert judging.on_test


def judged(stage, candidate, recognizer, h, fold=0, **grid):
    numbers = {"T1": 1.0, "U": 2.0, "S": 3.0, "H": h, "AUSUC": 4.0}
    return Judged(stage, candidate, {"epoch": float(candidate)}, recognizer, **numbers, grid=grid, fold=fold).to_json()


def test_of_equals_the_one_judged_first_is_ringed():
    """Lines are drawn one after the other, candidates are judged one after the other."""
    tried = [(0, "likelihood"), (0, "softmax"), (1, "likelihood"), (1, "softmax")]
    h, by_fold = (10.0, 50.0, 50.0, 50.0), ((9.0, 11.0), (40.0, 60.0), (50.0, 50.0), (45.0, 55.0))
    found = [judged("fold", *one, 7.0, fold) for fold in (0, 1) for one in tried]
    history = [JudgedEvent("x", 1, True, "validation", 7.0, tuple(found)), RankedEvent("fold", h, by_fold)]
    (judging,) = judgings(history)
    assert [(line.label, line.x, line.h) for line in judging.lines] == [
        ("likelihood", (0.0, 1.0), (10.0, 50.0)),
        ("softmax", (0.0, 1.0), (50.0, 50.0)),
    ]
    line, at = judging.best
    assert (line.label, line.x[at], line.folds[at]) == ("softmax", 0.0, (40.0, 60.0))


def test_the_ring_of_a_run_that_tests_choose():
    """Of each recognizer the best epoch is drawn."""
    found = [judged("final", k, kind, h, None) for k, kind, h in ((0, "a", 3.0), (0, "a", 8.0), (1, "a", 6.0))]
    (judging,) = judgings([JudgedEvent("x", 1, True, "test", 8.0, tuple(found))])
    (line,) = judging.lines
    assert (line.h, judging.chosen, judging.on_test) == ((8.0, 6.0), (0, 0), True)


@pytest.mark.parametrize("stages", [("fold",), ("closed form", "fold")])
def test_a_point_of_the_grid_is_a_line(stages):
    history = []
    for stage in stages:
        found = [judged(stage, k, "a", 1.0, f, lr=lr) for lr in ("1", "2") for f in (0, 1) for k in (0, 1)]
        history.append(JudgedEvent(stage, 1, True, "validation", 1.0, tuple(found)))
        history.append(RankedEvent(stage, (1.0, 2.0, 4.0, 3.0), ((1.0, 1.0),) * 4))
    found = judgings(history)
    assert [judging.title for judging in found][-1] == ""
    for judging in found:
        assert [(line.label, line.h) for line in judging.lines] == [("a, lr 1", (1.0, 2.0)), ("a, lr 2", (4.0, 3.0))]
        assert judging.chosen == (1, 0)


def test_a_flow_on_a_closed_form_has_three_stages(made):
    train = ("train", "TWIN", "--recipe", "default", "--training.epochs", 1, "--selection.folds", 2, "--quiet")
    facts = read_facts(made(*train, "--no-report"), "run")
    first, own, simpler = facts.judgings
    assert (first.by_epoch, own.by_epoch, simpler.by_epoch) == (False, True, False)
    assert [judging.title for judging in (first, simpler)] == [
        "The closed form that the flow starts at",
        "Simpler methods on the same folds",
    ]
    assert len(first.lines) == 3  # a line for each scaling
    chosen = facts.metrics["chosen"]
    won = simpler if "generator" in chosen["grid"] else own
    line, at = won.best
    assert line.h[at] == pytest.approx(chosen["validation_H"])
    if won is simpler:
        assert line.choices[at] == chosen["choice"]
        return
    assert line.x[at] == pytest.approx(chosen["choice"]["epoch"])
    line, at = first.best
    assert line.choices[at] == chosen["closed_form"]
    assert line.label == f"likelihood, scaling {chosen['grid']['scaling']}"


def test_losses_are_those_of_the_history(made):
    facts = read_facts(made(), "run")
    assert set(facts.losses) == {"nll", "prototype"}
    lines = map(json.loads, (made() / "history.jsonl").read_text().splitlines())
    events = [line for line in lines if line["event"] == "train"]
    assert sum(len(points) for points in facts.losses["nll"].values()) == len(events)
    assert facts.losses["nll"]["final"][-1] == (events[-1]["step"], events[-1]["losses"]["nll"])


def test_a_term_that_one_phase_lacks():
    history = [TrainEvent("a", 1, {"nll": 3.0}), TrainEvent("b", 1, {"nll": 2.0, "decay": 0.5})]
    assert losses(history) == {"nll": {"a": [(1, 3.0)], "b": [(1, 2.0)]}, "decay": {"b": [(1, 0.5)]}}


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
    t1 = np.array([np.nan, np.nan, 60.0])
    found = bootstrap(confusion.sum(1), confusion.diagonal(), np.array([2]), t1, resamples=5_000)
    np.testing.assert_allclose([found[name] for name in ("U", "S", "H")], expected, atol=1.5)
    np.testing.assert_allclose(found["T1"], expected[0], atol=1.5)


def test_intervals_of_the_certain_and_the_empty():
    samples, t1 = np.array([7, 0, 4]), np.array([np.nan, np.nan, 100.0])
    found = bootstrap(samples, samples, np.array([2]), t1)
    assert list(found) == ["T1", "U", "S", "H"]
    assert set(found.values()) == {(100.0, 100.0)}


@pytest.mark.parametrize(
    ("samples", "unseen", "measured"),
    [([7, 3, 0], [2], ["S"]), ([0, 0, 4], [2], ["T1", "U"]), ([0, 0, 0], [2], []), ([7, 3, 4], [], ["S"])],
)
def test_there_is_no_interval_of_what_was_not_measured(samples, unseen, measured):
    samples = np.array(samples)
    found = bootstrap(samples, samples // 2, np.array(unseen, int), np.array([np.nan, np.nan, 50.0]))
    assert list(found) == measured
    assert all(0 <= low < high <= 100 for low, high in found.values())


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


def test_classes_stand_worst_first(made):
    facts = read_facts(made(), "run")
    confusion = np.zeros((6, 6), int)
    confusion[0, [0, 1, 2, 3, 4]] = [1, 4, 2, 3, 1]
    confusion[1, 1] = 3
    confusion[2, [2, 5]] = [1, 1]
    confusion[3, [0, 3]] = [9, 1]
    pairs = np.argwhere(confusion)
    facts.model.about = replace(facts.model.about, class_names=tuple("abcdef"))
    rows = class_rows(replace(facts, confusions=np.column_stack([pairs, confusion[tuple(pairs.T)]])))
    assert [row.name for row in rows] == ["a", "d", "c", "b", "e", "f"]
    a = rows[0]
    assert (a.taken_for, a.samples, a.right) == ((("b", 4), ("d", 3), ("c", 2)), 11, 1)
    accuracies = [row.accuracy for row in rows]
    assert accuracies == [*sorted(accuracies[:4]), None, None]
    assert {row.name for row in rows if row.is_unseen} == {"b", "e"}
    assert {row.name: row.row for row in rows} == {"a": 1, "c": 2, "d": 3, "f": 4, "b": 5, "e": 6}
    assert matrix_order(facts).tolist() == [0, 2, 3, 5, 1, 4]
