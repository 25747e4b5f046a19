"""What is measured: with which pictures, on which, and of which model."""

import json
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import gsmflow
import gsmflow.evidence.measuring
import gsmflow.evidence.rivalry
from gsmflow import InputError
from gsmflow.evidence import EvidenceRecord, measure, parse
from gsmflow.evidence.draws import draw_shots
from gsmflow.evidence.given import Given, Rival
from gsmflow.evidence.rivals import RIVALS
from gsmflow.files import as_json

NUMBERS = ("T1", "U", "S", "H")


@dataclass
class Told:
    believed: bool
    sentence: str = "it did not adapt"
    pictures: int = 0


@pytest.fixture
def pupil(model, monkeypatch):
    """A model whose lessons are written down."""
    lessons = []

    def learn(self, features, labels, *, evidence=None):
        lessons.append((self, np.asarray(features), list(labels)))
        return "shots"

    def adapt(self, features):
        lessons.append((self, np.asarray(features), None))
        return Told(believed=False)

    monkeypatch.setattr(gsmflow.ZeroShotModel, "learn", learn, raising=False)
    monkeypatch.setattr(gsmflow.ZeroShotModel, "adapt", adapt, raising=False)
    return model, lessons


def rows(features) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(features, np.float32)}


def test_without_evidence_it_is_evaluate(model, data):
    found, expected = measure(model, data, "none"), gsmflow.evaluate(model, data)
    assert [getattr(found, name) for name in NUMBERS] == [round(getattr(expected, name), 4) for name in NUMBERS]
    assert (found.repeats, found.method, str(found.evidence)) == (1, "gaussian", "none")
    assert np.isnan(found.H_sd)


def test_the_pile_is_both_tests_mixed(pupil, data):
    model, lessons = pupil
    found = measure(model, data, "unlabelled", repeats=5)
    (taught, features, _), *others = lessons
    assert not others
    assert taught is not model
    tests = data.tests()
    in_order = np.concatenate([tests.seen_features, tests.unseen_features])
    assert rows(features) == rows(in_order)
    assert not np.array_equal(features, in_order)
    assert (found.repeats, found.sentence) == (1, "it did not adapt")


def test_shots_are_of_unseen_classes_under_their_names(pupil, data):
    model, lessons = pupil
    measure(model, data, "shots=2", repeats=3)
    assert len(lessons) == 3
    names = [data.class_names[k] for k in data.unseen]
    for taught, features, labels in lessons:
        assert taught is not model
        assert sorted(labels) == sorted(names * 2)
        assert rows(features) <= rows(data.tests().unseen_features)
    assert rows(lessons[0][1]) != rows(lessons[1][1])


def test_shots_are_not_tested_and_all_methods_see_the_same(pupil, data, monkeypatch):
    model, lessons = pupil
    tested, seen_by_rival = [], []
    evaluate = gsmflow.evidence.measuring.evaluate

    def watched(copy, rest):
        tested.append(rest)
        return evaluate(copy, rest)

    def scores(given: Given) -> torch.Tensor:
        seen_by_rival.append(given)
        return torch.zeros(len(given.queries), given.classes)

    monkeypatch.setattr("gsmflow.evidence.measuring.evaluate", watched)
    monkeypatch.setitem(RIVALS, "watched", Rival(scores, {}, (False,), ("shots",), (), False, ""))
    measure(model, data, "shots=2", seed=7, repeats=2)
    measure(model, data, "shots=2", "watched", seed=7, repeats=2)
    space = gsmflow.evidence.rivalry.space_of_model(model, data.training(), data.class_names)
    for (_, shots, _), rest, given in zip(lessons, tested, seen_by_rival[-2:], strict=True):
        assert not rows(shots) & rows(rest.tests().unseen_features)
        assert len(rest.test_unseen) == len(data.test_unseen) - len(shots)
        assert torch.allclose(given.x[len(data.trainval) :], space(shots), atol=1e-5)
        assert len(given.queries) == len(data.test_seen) + len(rest.test_unseen)
        assert np.array_equal(rest.test_seen, data.test_seen)


def test_constants_of_rivals_are_chosen_without_the_tests(model, data, monkeypatch):
    """Spoiled tests change what a rival reaches, not what was chosen for it."""
    labels = data.labels.copy()
    for test in (data.test_seen, data.test_unseen):
        labels[test] = np.random.default_rng(0).permutation(labels[test])
    spoiled = replace(data, labels=labels)
    one, other = (measure(model, given, "shots=2", "cosine", repeats=1) for given in (data, spoiled))
    assert one.sentence == other.sentence
    assert one.T1 > other.T1 + 20


@pytest.mark.parametrize("method", [None, "class-means", "transclip"])
def test_the_model_is_not_changed(pupil, data, method):
    model, _ = pupil
    before, about = deepcopy(model.state_dict()), model.about
    measure(model, data, "shots=1", method, repeats=1)
    assert model.about == about
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_same_again(model, data):
    one, other = (measure(model, data, "shots=1", "logistic", repeats=2) for _ in range(2))
    assert replace(one, seconds=0) == replace(other, seconds=0)


@pytest.mark.parametrize("method", [None, "cosine"])
def test_too_few_are_refused(pupil, data, method):
    with pytest.raises(InputError, match=r"^too few: "):
        measure(pupil[0], data, "shots=14", method)


@pytest.mark.parametrize("evidence", ["unlabelled", "shots=1"])
def test_evidence_is_refused_where_the_test_chose(model, data, evidence):
    other = deepcopy(model)
    other.about = replace(model.about, protocol="published")
    with pytest.raises(InputError, match=f"protocol validated to measure {evidence}"):
        measure(other, data, evidence)
    assert measure(other, data, "none").T1 > 0


@pytest.mark.parametrize("name", ["test_seen", "test_unseen"])
def test_an_empty_test_is_refused(model, data, name):
    empty = replace(data, **{name: np.zeros(0, np.int64)})
    with pytest.raises(InputError, match=f"{name} of synthetic is empty"):
        measure(model, empty, "unlabelled", "transclip")


def test_repeats_are_counted(model, data):
    with pytest.raises(InputError, match="repeats= must be at least 1; found 0"):
        measure(model, data, "shots=1", "cosine", repeats=0)


def test_classes_are_known_by_their_names(model, data):
    """A model that counts its classes in another order gives rivals the same means."""
    order = np.random.default_rng(1).permutation(data.num_classes)
    moved = replace(
        data,
        labels=np.argsort(order)[data.labels],
        semantics=data.semantics[order],
        class_names=[data.class_names[k] for k in order],
    )
    one, other = (gsmflow.evidence.rivalry.space_of_model(model, d.training(), d.class_names) for d in (data, moved))
    assert torch.equal(one.means[torch.from_numpy(order)], other.means)


def test_a_record_is_read_again(model, data):
    for evidence in ("none", "shots=2"):
        found = measure(model, data, evidence, "cosine", repeats=2)
        again = EvidenceRecord.from_json(json.loads(as_json(found.to_json())))
        assert repr(again) == repr(found)  # NaN is not equal to itself


@pytest.mark.parametrize("change", [{"evidence": 3}, {"T1": "much"}, {"more": 1}])
def test_another_record_is_refused(change):
    record = EvidenceRecord("cosine", parse("none"), *[1.0] * 8, repeats=1, seconds=0.0)
    with pytest.raises(ValueError):
        EvidenceRecord.from_json({**record.to_json(), **change})


def test_the_draw_is_that_of_the_module(pupil, data):
    model, lessons = pupil
    measure(model, data, "shots=1", seed=4, repeats=1)
    taken = draw_shots(data.labels[data.test_unseen], 1, seed=4, repeat=0)
    assert rows(lessons[0][1]) == rows(data.features[data.test_unseen[taken]])


def test_a_model_learns_and_adapts(model, data):
    """With the lessons that the model has, not those written down above."""
    words, pile, shots = (measure(model, data, evidence, repeats=2) for evidence in ("none", "unlabelled", "shots=3"))
    assert pile.T1 >= words.T1 or pile.sentence
    assert shots.T1 >= words.T1
    assert (words.sees_pile, pile.sees_pile, shots.sees_pile) == (False, True, False)


def test_what_the_model_cannot_do_is_said_as_it_says_it(data):
    model = gsmflow.train(data, "prototype", seed=0, threads=1).model
    with pytest.raises(InputError):
        measure(model, data, "shots=1")


def test_those_that_see_the_pile_beside_shots_say_so(model, data):
    one, other = (measure(model, data, "shots=1", name, repeats=1) for name in ("label-propagation", "cosine"))
    assert one.sees_pile
    assert "all test pictures at once" in one.sentence
    assert not other.sees_pile


def test_what_the_model_was_shown_before_does_not_count(model, data):
    shown = deepcopy(model)
    shown.learn(data.features[data.test_unseen[:1]], data.labels[data.test_unseen[:1]], evidence="a picture")
    for evidence in ("none", "shots=1"):
        with pytest.raises(InputError, match=f"shown a picture already, which would count as {evidence}"):
            measure(shown, data, evidence)
