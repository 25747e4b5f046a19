"""The protocols: what is read when, what decides what, and that the same seed gives the same numbers."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from gsmflow import experiment
from gsmflow.data import TestSets, TrainingSet, ZeroShotDataset
from gsmflow.errors import InputError
from gsmflow.evaluation import metrics
from gsmflow.experiment import Result
from gsmflow.overrides import assign
from gsmflow.runs import JudgedEvent, RankedEvent, Run, TrainEvent
from gsmflow.selection import PROTOCOLS, Judged, Protocol, folds, protocol_named, rank
from gsmflow.selection.candidates import winner, with_curves
from gsmflow.selection.protocols import judged_steps
from gsmflow.settings import SelectionSettings
from gsmflow.settings import TrainingSettings as Training
from tests.tiny import GAUSSIAN, LINEAR, TINY, problem, with_seed

every_kind = pytest.mark.parametrize("settings", [TINY, GAUSSIAN, LINEAR], ids=["gsmflow", "gaussian", "linear-flow"])
NUMBERS = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC", "constant", "per_class", "chosen")


def train(data=None, settings=TINY, protocol="validated", run=None) -> Result:
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
        found.append((data.name, list(run.history)))
        return tests(data)

    monkeypatch.setattr(ZeroShotDataset, "tests", spy)
    return run, found


@every_kind
def test_validated_reads_the_tests_once_to_measure_the_final_model(reads, monkeypatch, settings):
    """They are taken out when all else is over, and nothing looked at them before."""
    run, found = reads
    data, looked, decide = problem(), [], metrics.decide
    of_tests = set(map(bytes, data.features[np.r_[data.test_seen, data.test_unseen]]))

    def spy(recognizer, x, *arguments, **options):
        if len(x) and np.shape(x)[1] == data.dim and bytes(np.asarray(x[0], np.float32)) in of_tests:
            looked.append(len(run.history))
        return decide(recognizer, x, *arguments, **options)

    monkeypatch.setattr(metrics, "decide", spy)
    record = train(data, settings, run=run).record
    assert [name for name, _ in found].count("synthetic") == 1
    assert [name for name, _ in found].count("pseudo-unseen") == 2
    assert found[-1] == ("synthetic", run.history)  # all was logged when they were taken out
    assert looked == [len(run.history)] * 2  # test_seen and test_unseen: nothing is logged afterwards
    last = run.history[-1]
    assert isinstance(last, RankedEvent) or (isinstance(last, TrainEvent) and last.phase == "final")
    assert record["test_reads"] == 1
    assert record["selected_on"] == "pseudo-unseen classes"


@every_kind
def test_no_test_sample_changes_a_validated_choice_or_the_model(settings):
    data = problem()
    one, other = train(data, settings), train(corrupt(data), settings)
    assert other.record["chosen"] == one.record["chosen"]
    assert same_model(one.model, other.model)
    assert other.record["per_class"] != one.record["per_class"]  # the tests did change


def test_the_published_choice_depends_on_the_tests():
    data = problem()
    chosen = [train(one, protocol="published").record["chosen"] for one in (data, corrupt(data), corrupt(data, 2))]
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
    given, cut = [], folds.pseudo_unseen
    monkeypatch.setattr(folds, "pseudo_unseen", lambda t, **how: given.append(t) or cut(t, **how))
    data = problem()
    train(data)
    assert len(given) == TINY.selection.folds
    for training in given:
        np.testing.assert_array_equal(training.features, data.features[data.trainval])


@pytest.mark.parametrize("recognizer_epochs", [1, 2])
def test_published_says_that_it_selected_on_test_and_counts_every_reading(recognizer_epochs):
    settings = replace(TINY, softmax=replace(TINY.softmax, epochs=recognizer_epochs))
    run = Run()
    record = train(settings=settings, protocol="published", run=run).record
    assert record["selected_on"] == "test"
    judged = [event for event in run.history if isinstance(event, JudgedEvent)]
    assert [event.step for event in judged] == [2, 4, 6]
    assert {event.on for event in judged} == {"test"}
    assert record["test_reads"] == 3 * recognizer_epochs + 1
    best = max((one for event in judged for one in event.found), key=lambda one: one["H"])
    assert record["H"] == round(best["H"], 4)
    assert record["chosen"]["test_H"] == best["H"]
    assert record["constant"] == 0
    assert (record["U"], record["S"], record["H"]) == (record["U_raw"], record["S_raw"], record["H_raw"])


@every_kind
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_same_seed_same_numbers(settings, protocol):
    one, again = (train(settings=settings, protocol=protocol) for _ in range(2))
    assert {name: one.record[name] for name in NUMBERS} == {name: again.record[name] for name in NUMBERS}
    assert same_model(one.model, again.model)
    assert one.history == again.history


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_seed_another_model(protocol):
    other = train(settings=with_seed(1), protocol=protocol)
    assert other.record["seed"] == 1
    assert not same_model(train(protocol=protocol).model, other.model)


def test_the_global_generator_has_no_say():
    torch.manual_seed(1)
    model = train().model
    torch.manual_seed(2)
    assert same_model(model, train().model)


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
    assert all(step >= 0 for step in part)
    assert len(part) <= len(whole)
    for step in part:  # after the same share of training, as near as whole steps go
        assert min(abs(step / fit_epoch - other / epoch) for other in whole) <= 0.5 / fit_epoch + 1e-9
    for other in whole:
        assert min(abs(step / fit_epoch - other / epoch) for step in part) <= 0.5 / fit_epoch + 1e-9


@pytest.mark.parametrize(
    ("selection", "samples", "fit_samples", "expected"),
    [
        # four epochs of 10 steps; a fold of 5 steps an epoch is judged after half as many
        (SelectionSettings(every=10, after=0), 160, 80, [5, 10, 15, 20]),
        (SelectionSettings(every=10, after=-1), 160, 80, [0, 5, 10, 15, 20]),
        (SelectionSettings(every=15, after=0), 160, 160, [15, 30, 40]),
        (SelectionSettings(every=15, after=0), 160, 80, [8, 15, 20]),
        (SelectionSettings(every=15, after=15), 160, 80, [15, 20]),
        (SelectionSettings(every=1, after=37), 160, 16, [4]),
        (SelectionSettings(after=-1), 160, 160, [0, 5, 10, 15, 20, 25, 30, 35, 40]),
        (SelectionSettings(evaluations=2, after=0), 160, 80, [10, 20]),
        (SelectionSettings(every=100, after=99), 160, 80, [20]),
    ],
)
def test_judged_steps_by_hand(selection, samples, fit_samples, expected):
    settings = replace(TINY, training=Training(epochs=4, batch=16), selection=selection)
    assert judged_steps(settings, samples, fit_samples) == expected


GRID = replace(TINY, grid=("softmax.lr=0.0001,0.03", "training.lr=0.003,1e-8"))


def judged_with_curves(run: Run) -> list[Judged]:
    """All candidates of a run, as they came from the history and the curves that are kept."""
    found = []
    for event in run.history:
        if isinstance(event, JudgedEvent):
            judged = [Judged.from_json(one) for one in event.found]
            found += with_curves(judged, run.kept[f"curves|{event.phase}|{event.step}"])
    return found


def test_the_grid_is_tried_on_every_fold_and_the_final_model_has_what_was_chosen():
    run = Run()
    result = train(settings=GRID, run=run)
    record, judged = result.record, judged_with_curves(run)
    points = {(one.fold, one.candidate, *one.grid.values()) for one in judged}
    assert len(points) == len(judged) == 2 * 3 * 4  # folds, epochs, grid points
    best = record["chosen"]["grid"]
    by_hand = {}
    for one in judged:
        by_hand.setdefault((one.candidate, *one.grid.items()), []).append(one.curve)
    h = {point: metrics.best_constant(curves)[1] for point, curves in by_hand.items()}
    won = list(h)[winner(rank(judged), cautious=True)]  # there are few classes
    assert tuple(best.items()) == won[1:]
    assert record["chosen"]["validation_H"] == h[won]
    by_fold = record["chosen"]["validation_H_by_fold"]
    assert sum(by_fold.values()) / 2 == pytest.approx(h[won])
    (ranked,) = (event for event in run.history if isinstance(event, RankedEvent))
    assert list(h)[ranked.chosen] == won
    assert ranked.h == tuple(round(value, 4) for value in h.values())
    assert np.mean(ranked.by_fold, axis=1) == pytest.approx(ranked.h, abs=1e-4)
    assert result.model.settings == replace(assign(replace(GRID, grid=()), best), recognizer="softmax")
    fixed = assign(replace(TINY, grid=()), best)
    other = train(settings=fixed).model
    assert same_model(result.model.scaling, other.scaling)
    assert result.model.recognizer.all.weight.shape == other.recognizer.all.weight.shape


def test_a_grid_of_one_point_changes_nothing():
    one, plain = train(settings=replace(TINY, grid=("softmax.lr=0.01",))), train()
    assert {name: one.record[name] for name in NUMBERS[:-1]} == {name: plain.record[name] for name in NUMBERS[:-1]}
    assert same_model(one.model, plain.model)


def test_the_published_protocol_keeps_the_settings_as_they_stand():
    assert train(settings=GRID, protocol="published").record["H"] == train(protocol="published").record["H"]


def test_the_closed_form_is_chosen_before_the_flow_that_stands_on_it():
    run = Run()
    result = train(settings=LINEAR, run=run)
    judged = judged_with_curves(run)
    stages = list(dict.fromkeys(one.stage for one in judged))
    assert stages == ["closed form", "fold", "simpler"]
    before = [one for one in judged if one.stage == "closed form"]
    assert {tuple(one.grid) for one in before} == {("scaling",)}  # it is chosen with the closed form alone
    assert {tuple(one.grid) for one in judged if one.stage == "fold"} == {("linear_flow.temperature",)}
    ranked = rank(before)
    best = ranked[winner(ranked, cautious=True)].folds[0]
    chosen = result.record["chosen"]
    assert chosen["closed_form"] == best.choice
    assert chosen["grid"].items() >= best.grid.items()
    final = result.model.settings
    assert final.scaling == best.grid["scaling"]
    assert final.linear_flow.temperature == float(chosen["grid"]["linear_flow.temperature"])
    assert (final.gaussian.ridges, final.gaussian.widens) == ((best.choice["ridge"],), (best.choice["widen"],))


def test_more_folds_than_seen_classes():
    settings = replace(TINY, selection=replace(TINY.selection, folds=7))
    with pytest.raises(InputError, match=r"7 folds .* need as many seen classes, and there are 6: lower .* to 6"):
        train(settings=settings)


@pytest.mark.parametrize("after", [-1, 0])
def test_evaluations_are_spread_evenly(after):
    settings = replace(TINY, selection=SelectionSettings(evaluations=4, after=after), training=Training(epochs=8))
    assert judged_steps(settings, 2560, 2560) == [0, 20, 40, 60, 80][after + 1 and 1 :]
    assert judged_steps(settings, 2560, 256) == [0, 2, 4, 6, 8][after + 1 and 1 :]


@every_kind
def test_fixed_chooses_nothing_and_reads_the_tests_once(reads, settings):
    run, found = reads
    result = train(settings=settings, protocol="fixed", run=run)
    record = result.record
    assert [name for name, _ in found] == ["synthetic"]
    assert not [event for event in run.history if not isinstance(event, TrainEvent)]
    assert (record["selected_on"], record["test_reads"], record["constant"]) == ("nothing", 1, 0)
    assert record["H"] == record["H_raw"]
    assert record["chosen"].keys() <= {"choice", "recognizer", "constant", "grid"}
    assert record["chosen"]["choice"] == ({} if settings is GAUSSIAN else {"epoch": 2.0})
    assert result.model.settings.grid == ()
    assert [event.step for event in run.history] == ([] if settings is GAUSSIAN else [6])
    other = train(corrupt(problem()), settings, "fixed")
    assert same_model(result.model, other.model)


def test_fixed_takes_the_first_of_each_listed_value():
    first = replace(GAUSSIAN, gaussian=replace(GAUSSIAN.gaussian, kernels=("linear",), ridges=(0.1,), widens=(0.0,)))
    assert same_model(train(settings=GAUSSIAN, protocol="fixed").model, train(settings=first, protocol="fixed").model)
    auto = train(settings=replace(GAUSSIAN, recognizer="auto"), protocol="fixed")
    assert auto.record["recognizer"] == "softmax"


def test_fixed_needs_no_class_to_spare():
    data = problem()
    settings = replace(TINY, selection=replace(TINY.selection, folds=7))
    assert train(data, settings, "fixed").record["test_reads"] == 1


def test_protocols_are_a_table():
    assert list(PROTOCOLS) == ["validated", "published", "fixed"]
    for name, protocol in PROTOCOLS.items():
        assert isinstance(protocol, Protocol)
        assert protocol_named(name) is protocol
        assert protocol.name == name == protocol.title.partition(":")[0]
    assert len({protocol.mark for protocol in PROTOCOLS.values()}) == len(PROTOCOLS)
    with pytest.raises(InputError, match=r"There is no protocol 'best'; choose one of validated, published, fixed\."):
        protocol_named("best")
