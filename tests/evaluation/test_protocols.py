"""The protocols: what is read when, what decides what, and that the same seed gives the same numbers."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from gsmflow import experiment
from gsmflow.data import TestSets, TrainingSet, ZeroShotDataset
from gsmflow.errors import InputError
from gsmflow.evaluation import protocols
from gsmflow.evaluation.metrics import Curve, best_constant
from gsmflow.evaluation.protocols import choose, judged_steps
from gsmflow.recipes import assign
from gsmflow.runs import Run
from gsmflow.settings import SelectionSettings
from gsmflow.settings import TrainingSettings as Training
from tests.tiny import GAUSSIAN, PROTOCOLS, TINY, problem, with_seed

every_kind = pytest.mark.parametrize("settings", [TINY, GAUSSIAN], ids=["gsmflow", "gaussian"])
NUMBERS = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC", "constant", "per_class", "chosen")


def train(data=None, settings=TINY, protocol="validated", run=None):
    return experiment.train(data or problem(), settings, protocol=protocol, device="cpu", run=run)


def corrupt(data: ZeroShotDataset, seed: int = 1) -> ZeroShotDataset:
    """The same trainval; features of the test samples shuffled, labels shuffled within each test split."""
    rng = np.random.default_rng(seed)
    features, labels = data.features.copy(), data.labels.copy()
    tested = np.r_[data.test_seen, data.test_unseen]
    features[tested] = features[rng.permutation(tested)] + 1
    for rows in (data.test_seen, data.test_unseen):
        labels[rows] = labels[rng.permutation(rows)]
    return replace(data, features=features, labels=labels)


def same_model(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def reads(monkeypatch):
    """When test sets were taken out of a data set: its name, and the events logged until then."""
    found, run, tests = [], Run(), ZeroShotDataset.tests

    def spy(data: ZeroShotDataset) -> TestSets:
        found.append((data.name, [(e["event"], e["phase"], e["step"]) for e in run.history]))
        return tests(data)

    monkeypatch.setattr(ZeroShotDataset, "tests", spy)
    return run, found


@every_kind
def test_validated_reads_the_tests_once_and_last(reads, settings):
    run, found = reads
    _, record = train(settings=settings, run=run)
    at_the_end = [(e["event"], e["phase"], e["step"]) for e in run.history]
    assert [name for name, _ in found] == ["pseudo-unseen", "pseudo-unseen", "synthetic"]
    assert found[-1][1] == at_the_end  # nothing is logged after it: training is over
    if settings is TINY:
        assert at_the_end[-1][:2] == ("train", "final")
    assert record["test_reads"] == 1
    assert record["selected_on"] == "pseudo-unseen classes"


@every_kind
def test_no_test_sample_changes_a_validated_choice_or_the_model(settings):
    data = problem()
    model, record = train(data, settings)
    other_model, other_record = train(corrupt(data), settings)
    assert other_record["chosen"] == record["chosen"]
    assert same_model(model, other_model)
    assert other_record["per_class"] != record["per_class"]  # the tests did change


def test_the_published_choice_depends_on_the_tests():
    data = problem()
    chosen = [train(one, protocol="published")[1]["chosen"] for one in (data, corrupt(data), corrupt(data, 2))]
    assert any(one != chosen[0] for one in chosen[1:])


def test_training_cannot_reach_a_test_sample():
    data = problem()
    training = data.training()
    arrays = [getattr(training, field.name) for field in fields(TrainingSet)]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    assert not any(isinstance(getattr(training, field.name), ZeroShotDataset) for field in fields(TrainingSet))
    for array in arrays:
        assert not np.shares_memory(array, data.features)
        assert array.base is None or not np.shares_memory(array.base, data.features)
    tested = data.features[np.r_[data.test_seen, data.test_unseen]]
    assert not np.isin(tested, training.features).any()


def test_folds_are_made_of_trainval_alone(monkeypatch):
    given, cut = [], protocols.pseudo_unseen
    monkeypatch.setattr(protocols, "pseudo_unseen", lambda t, **how: given.append(t) or cut(t, **how))
    data = problem()
    train(data)
    assert len(given) == TINY.selection.folds
    for training in given:
        np.testing.assert_array_equal(training.features, data.features[data.trainval])


@pytest.mark.parametrize("recognizer_epochs", [1, 2])
def test_published_says_that_it_selected_on_test_and_counts_every_reading(recognizer_epochs):
    settings = replace(TINY, softmax=replace(TINY.softmax, epochs=recognizer_epochs))
    run = Run()
    _, record = train(settings=settings, protocol="published", run=run)
    assert record["selected_on"] == "test"
    judged = run.events("judged")
    assert [event["step"] for event in judged] == [2, 4, 6]
    assert record["test_reads"] == 3 * recognizer_epochs + 1
    best = max((one for event in judged for one in event["found"]), key=lambda one: one["H"])
    assert record["H"] == round(best["H"], 4)
    assert record["chosen"]["test_H"] == best["H"]
    assert record["constant"] == 0
    assert (record["U"], record["S"], record["H"]) == (record["U_raw"], record["S_raw"], record["H_raw"])


@every_kind
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_same_seed_same_numbers(settings, protocol):
    (model, record), (again, record_again) = (train(settings=settings, protocol=protocol) for _ in range(2))
    assert {name: record[name] for name in NUMBERS} == {name: record_again[name] for name in NUMBERS}
    assert same_model(model, again)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_seed_another_model(protocol):
    model, _ = train(protocol=protocol)
    other, record = train(settings=with_seed(1), protocol=protocol)
    assert record["seed"] == 1
    assert not same_model(model, other)


def test_the_global_generator_has_no_say():
    torch.manual_seed(1)
    model, _ = train()
    torch.manual_seed(2)
    other, _ = train()
    assert same_model(model, other)


@pytest.mark.parametrize("every", [1, 2, 5, 7, 100])
@pytest.mark.parametrize("after", [0, 3, 50])
@pytest.mark.parametrize(("samples", "fit_samples"), [(60, 60), (60, 41), (1000, 700), (10, 8)])
def test_laws_of_judged_steps(every, after, samples, fit_samples):
    settings = replace(TINY, training=Training(epochs=4, batch=16), selection=SelectionSettings(every, after))
    whole = judged_steps(settings, samples, samples)
    part = judged_steps(settings, samples, fit_samples)
    epoch, fit_epoch = max(1, samples // 16), max(1, fit_samples // 16)
    assert part == sorted(set(part))
    assert (whole[-1], part[-1]) == (4 * epoch, 4 * fit_epoch)  # the last step always
    assert all(step % every == 0 and step > after for step in whole[:-1])
    assert set(range(every, 4 * epoch, every)) - set(range(after + 1)) <= set(whole)
    assert {round(step * fit_epoch / epoch) for step in whole} == set(part)  # after the same share of training
    assert part[0] >= 0


def test_the_candidate_of_greatest_mean_h_is_chosen():
    def found(candidate, fold, unseen, epoch=None):
        curve = {"constants": [0.0, 1.0], "unseen": [0.0, unseen], "seen": [100.0, unseen]}
        choice = {"ridge": candidate} if epoch is None else {"epoch": epoch}
        return {
            "candidate": candidate,
            "choice": choice,
            "grid": {},
            "recognizer": "softmax",
            "fold": fold,
            "curve": curve,
        }

    folds = [[found(0, 0, 90.0), found(1, 0, 60.0)], [found(0, 1, 10.0), found(1, 1, 60.0)]]
    assert choose(folds) == {
        "choice": {"ridge": 1},
        "recognizer": "softmax",
        "grid": {},
        "constant": 1.0,
        "validation_H": pytest.approx(60),
        "validation_H_by_fold": {"0": pytest.approx(60), "1": pytest.approx(60)},
    }
    assert choose([[found(0, 0, 50.0, 2.0)], [found(0, 1, 50.0, 3.0)]])["choice"] == {"epoch": 2.5}


GRID = replace(TINY, grid=("softmax.lr=0.0001,0.03", "training.lr=0.003,1e-8"))


def test_the_grid_is_tried_on_every_fold_and_the_final_model_has_what_was_chosen():
    run = Run()
    model, record = train(settings=GRID, run=run)
    judged = [one for event in run.events("judged") for one in event["found"]]
    points = {(one["fold"], one["candidate"], *one["grid"].values()) for one in judged}
    assert len(points) == len(judged) == 2 * 3 * 4  # folds, epochs, grid points
    best = record["chosen"]["grid"]
    by_hand = {}
    for one in judged:
        by_hand.setdefault((one["candidate"], *one["grid"].items()), []).append(Curve.from_json(one["curve"]))
    h = {point: best_constant(curves)[1] for point, curves in by_hand.items()}
    assert tuple(best.items()) == max(h, key=h.__getitem__)[1:]
    assert record["chosen"]["validation_H"] == max(h.values())
    by_fold = record["chosen"]["validation_H_by_fold"]
    assert sum(by_fold.values()) / 2 == pytest.approx(max(h.values()))
    fixed = assign(replace(TINY, grid=()), best)
    other, _ = train(settings=fixed, run=Run())
    assert same_model(model.scaling, other.scaling)
    assert model.recognizer.all.weight.shape == other.recognizer.all.weight.shape


def test_a_grid_of_one_point_changes_nothing():
    model, record = train(settings=replace(TINY, grid=("softmax.lr=0.01",)))
    other, plain = train()
    assert {name: record[name] for name in NUMBERS[:-1]} == {name: plain[name] for name in NUMBERS[:-1]}
    assert same_model(model, other)


def test_the_published_protocol_keeps_the_settings_as_they_stand():
    assert train(settings=GRID, protocol="published")[1]["H"] == train(protocol="published")[1]["H"]


def test_more_folds_than_seen_classes():
    settings = replace(TINY, selection=replace(TINY.selection, folds=7))
    with pytest.raises(InputError, match=r"7 folds .* need as many seen classes, and there are 6: lower .* to 6"):
        train(settings=settings)


@pytest.mark.parametrize("after", [-1, 0])
def test_evaluations_are_spread_evenly(after):
    settings = replace(TINY, selection=SelectionSettings(evaluations=4, after=after), training=Training(epochs=8))
    assert judged_steps(settings, 2560, 2560) == [0, 20, 40, 60, 80][after + 1 and 1 :]
    assert judged_steps(settings, 2560, 256) == [0, 2, 4, 6, 8][after + 1 and 1 :]
