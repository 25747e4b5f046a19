"""A model that is shown pictures: labelled ones in any order, a pile, and all of it taken back."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

import gsmflow
from gsmflow.generators import Gaussian
from gsmflow.model import teaching
from gsmflow.model.about import write_model
from gsmflow.model.teaching import evenness
from tests.tiny import LINEAR, TINY

DATA = gsmflow.load("synthetic")
X = DATA.features
NAMES = np.array(DATA.class_names)[DATA.labels]
SHOWN = DATA.test_unseen[::9]


@pytest.fixture(scope="module", params=["gaussian", "linear-flow"])
def taught(request):
    return gsmflow.train(DATA, "gaussian" if request.param == "gaussian" else replace(LINEAR, simpler=()), seed=0).model


@pytest.fixture
def pupil(taught):
    return deepcopy(taught)


def test_pieces_in_any_order_give_the_same_bits(pupil):
    other = deepcopy(pupil)
    pieces = {"a": SHOWN[:5], "b": SHOWN[5:9], "c": DATA.trainval[:7]}
    for name in "abc":
        pupil.learn(X[pieces[name]], NAMES[pieces[name]], evidence=name)
    for name in "cab":
        other.learn(X[pieces[name]], NAMES[pieces[name]], evidence=name)
    assert (pupil.predict_proba(X) == other.predict_proba(X)).all()
    whole = deepcopy(pupil)
    for name in "abc":
        whole.forget(name)
    rows = np.concatenate([pieces[name] for name in "abc"])
    whole.learn(X[rows], NAMES[rows])
    np.testing.assert_allclose(whole.predict_proba(X), pupil.predict_proba(X), atol=1e-5)


def test_what_is_forgotten_was_never_learnt_bit_for_bit(pupil):
    before = pupil.predict_proba(X)
    name = pupil.learn(X[SHOWN], NAMES[SHOWN])
    assert (pupil.predict_proba(X) != before).any()
    assert pupil.evidence[0].pictures == len(SHOWN)
    assert set(pupil.evidence[0].classes) == set(NAMES[SHOWN])
    pupil.forget(name)
    assert (pupil.predict_proba(X) == before).all()
    assert pupil.evidence == ()
    assert len(pupil.about.changes) == 2


def test_labels_may_be_ids_and_are_learnt_from(pupil):
    other = deepcopy(pupil)
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="one")
    other.learn(X[SHOWN].tolist(), DATA.labels[SHOWN], evidence="one")
    assert (pupil.predict_proba(X) == other.predict_proba(X)).all()


def test_a_class_that_was_shown_much_is_recognised(pupil):
    rest = np.setdiff1d(DATA.test_unseen, SHOWN)
    before = (pupil.predict(X[rest]) == NAMES[rest]).mean()
    pupil.learn(X[SHOWN], NAMES[SHOWN])
    assert (pupil.predict(X[rest]) == NAMES[rest]).mean() >= before


def test_a_saved_model_knows_what_it_was_shown(pupil, tmp_path):
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="märchen 1")
    pupil.adapt(X[DATA.test_unseen], sure=True)
    pupil.save(tmp_path / "m.safetensors")
    again = gsmflow.load_model(tmp_path / "m.safetensors")
    assert (again.predict_proba(X) == pupil.predict_proba(X)).all()
    assert [piece.id for piece in again.evidence] == ["märchen 1", "unlabelled"]
    assert again.about == pupil.about
    for piece in reversed(again.evidence):
        again.forget(piece.id)
    pupil.forget("märchen 1")
    assert (again.predict_proba(X) == pupil.predict_proba(X)).all()


def test_a_model_of_a_version_that_learnt_nothing_can_be_asked_but_not_taught(pupil):
    tensors = {k: v for k, v in pupil.state_dict().items() if not k.startswith("taught")}
    tensors = {k: v for k, v in tensors.items() if not k.endswith((".errors", ".pictures", ".unsure"))}
    old = gsmflow.ZeroShotModel.from_tensors(tensors, pupil.about)
    assert (old.predict_proba(X) == pupil.predict_proba(X)).all()
    with pytest.raises(gsmflow.InputError, match="train again"):
        old.learn(X[SHOWN], NAMES[SHOWN])
    assert old.evidence == ()
    assert (old.predict_proba(X) == pupil.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("features", "labels", "evidence", "said"),
    [
        (X[:2], ["class 1"], None, "2 rows of features and 1 labels"),
        (X[:0], [], None, "nothing to learn from"),
        (X[:1], ["wombat"], None, "There is no class 'wombat'"),
        (X[:1], [20], None, "There is no class 20"),
        (X[:1, :3], ["class 1"], None, "features of"),
        (np.full((1, X.shape[1]), np.nan), ["class 1"], None, "NaN"),
        (X[:1], ["class 1"], " ", "must be a text"),
        (X[:1], ["class 1"], 3, "must be a text"),
        (X[:1], ["class 1"], "unlabelled", "choose another id"),
        (X[:1], ["class 1"], "there", "forget it first"),
    ],
)
def test_what_cannot_be_learnt_is_refused_and_changes_nothing(pupil, features, labels, evidence, said):
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="there")
    before, about = pupil.predict_proba(X), pupil.about
    with pytest.raises(gsmflow.InputError, match=said):
        pupil.learn(features, labels, evidence=evidence)
    assert (pupil.predict_proba(X) == before).all()
    assert pupil.about == about


def test_the_same_pictures_are_not_learnt_twice_unless_named(pupil):
    name = pupil.learn(X[SHOWN], NAMES[SHOWN])
    with pytest.raises(gsmflow.InputError, match=f"already, as {name}"):
        pupil.learn(X[SHOWN], NAMES[SHOWN])
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="once more")
    with pytest.raises(gsmflow.InputError, match="no evidence 'twice'"):
        pupil.forget("twice")


def test_a_pile_moves_unseen_classes_and_no_picture_counts_twice(pupil):
    pile = X[np.r_[DATA.test_seen, DATA.test_unseen]]
    first = pupil.adapt(pile, sure=True)
    assert first.believed
    assert first.pictures == len(pile)
    once = pupil.predict_proba(X)
    pupil.adapt(pile, sure=True)
    assert (pupil.predict_proba(X) == once).all()
    assert [piece.kind for piece in pupil.evidence] == ["unlabelled"]
    counts = pupil.taught.total([0], len(NAMES))[1]
    assert counts.sum() <= len(pile) + 1e-6


def test_a_pile_that_is_not_believed_changes_nothing(pupil):
    before = pupil.predict_proba(X)
    limits = pupil.about.teaching
    for limited, word in (
        (replace(limits, least=1e9), "hold"),
        (replace(limits, least=None), "did not pay"),
        (replace(limits, least=0.0, far=0.0), "farther"),
        (replace(limits, least=0.0, far=1e9, odd=1e9, even=1.1), "some of the unseen classes"),
    ):
        pupil.about = replace(pupil.about, teaching=limited)
        outcome = pupil.adapt(X[DATA.test_unseen])
        assert not outcome.believed
        assert word in outcome.sentence
        assert pupil.evidence == ()
        assert (pupil.predict_proba(X) == before).all()


@pytest.mark.parametrize("rows", [X[:0], np.full((2, X.shape[1]), np.inf), X[:, :2]])
def test_a_pile_of_nothing_is_refused(pupil, rows):
    before = pupil.predict_proba(X)
    with pytest.raises(gsmflow.InputError):
        pupil.adapt(rows)
    assert (pupil.predict_proba(X) == before).all()


def test_one_picture_and_one_class_are_a_pile(pupil):
    assert pupil.adapt(X[DATA.test_unseen[:1]], sure=True).believed
    pupil.remove_classes([name for name in pupil.class_names if name != NAMES[DATA.test_unseen[0]]])
    assert np.isfinite(pupil.predict_proba(X)).all()
    assert pupil.adapt(X[DATA.test_unseen], sure=True).believed
    pupil.learn(X[:3], [0, 0, 0])
    assert (pupil.predict_proba(X) == 1).all()


def test_classes_come_with_examples_and_go_with_them(pupil):
    semantics = DATA.semantics[DATA.unseen[0]]
    pupil.constant = 0.0
    before = pupil.predict_proba(X)
    shown = X[DATA.labels == DATA.unseen[0]]
    pupil.add_classes({"okapi": semantics, "tapir": semantics[::-1].copy()}, examples={"okapi": shown})
    assert pupil.evidence[0].classes == ("okapi",)
    assert (pupil.predict(shown) == "okapi").mean() > 0.5
    pupil.remove_classes(["okapi", "tapir"])
    assert pupil.evidence == ()
    np.testing.assert_allclose(pupil.predict_proba(X), before, atol=1e-6)


@pytest.mark.parametrize(
    "examples", [{"gnu": X[:1]}, {"okapi": X[:1, :2]}, {"okapi": np.full((1, X.shape[1]), np.nan)}]
)
def test_examples_that_cannot_be_learnt_add_no_class(pupil, examples):
    with pytest.raises(gsmflow.InputError):
        pupil.add_classes({"okapi": DATA.semantics[0]}, examples=examples)
    assert "okapi" not in pupil.class_names


def test_ids_follow_classes_that_go(pupil):
    pupil.learn(X[SHOWN], NAMES[SHOWN])
    other = deepcopy(pupil)
    gone = [pupil.class_names[0], NAMES[SHOWN[0]]]
    pupil.remove_classes(gone)
    assert gone[1] not in pupil.evidence[0].classes
    kept = [k for k, name in enumerate(other.class_names) if name not in gone]
    rows = pupil.tensor(X)
    torch.testing.assert_close(pupil.scores(rows), other.scores(rows)[:, kept], rtol=0, atol=1e-4)


def test_a_softmax_says_that_it_cannot():
    model = gsmflow.train(DATA, TINY, protocol="fixed").model
    for act in (lambda: model.learn(X[:1], [0]), lambda: model.adapt(X[:9])):
        with pytest.raises(gsmflow.InputError, match="recognizer=likelihood"):
            act()


def test_the_flow_with_likelihood_learns():
    model = gsmflow.train(DATA, replace(TINY, recognizer="likelihood"), protocol="fixed").model
    before = model.predict_proba(X)
    name = model.learn(X[SHOWN], NAMES[SHOWN])
    assert (model.predict_proba(X) != before).any()
    model.adapt(X[DATA.test_unseen], sure=True)
    model.forget("unlabelled")
    model.forget(name)
    assert (model.predict_proba(X) == before).all()


def test_the_constant_is_paid_by_classes_that_pictures_settled(pupil):
    pupil.constant = 3.0
    pupil.learn(X[np.repeat(SHOWN, 300)], NAMES[np.repeat(SHOWN, 300)])
    unseen = [k for k, name in enumerate(pupil.class_names) if name in set(NAMES[SHOWN])]
    assert (pupil.settled[unseen] > 0.8).all()
    assert (pupil.settled[pupil.seen] == 0).all()


def test_generated_features_follow_what_was_shown(pupil):
    name = NAMES[SHOWN[0]]
    rows = np.repeat(X[SHOWN[:1]], 100_000, 0)
    pupil.learn(rows, [name] * len(rows))
    base = pupil.generator if isinstance(pupil.generator, Gaussian) else pupil.generator.base
    made = pupil.generate([name] * 2000).mean(0)
    view = lambda x: base.view(pupil.scaling(pupil.tensor(x[None])))  # noqa: E731
    assert (view(made) - view(X[SHOWN[0]])).abs().max() < 0.3


def test_evenness_of_nothing_is_none():
    assert evenness(torch.zeros(3)) == 0
    assert evenness(torch.ones(4)) == pytest.approx(1)


def test_what_is_interrupted_leaves_the_model_as_it_was(pupil, monkeypatch):
    pupil.adapt(X[DATA.test_unseen], sure=True)
    before, about = pupil.predict_proba(X), pupil.about
    with monkeypatch.context() as patched:
        real = teaching.note

        def stop(*what):
            real(*what)
            raise KeyboardInterrupt

        patched.setattr(teaching, "note", stop)
        for act in (
            lambda: pupil.learn(X[SHOWN], NAMES[SHOWN]),
            lambda: pupil.adapt(X[DATA.test_unseen[::2]], sure=True),
            lambda: pupil.forget("unlabelled"),
            lambda: pupil.add_classes({"okapi": DATA.semantics[0]}, examples={"okapi": X[SHOWN]}),
        ):
            with pytest.raises(KeyboardInterrupt):
                act()
            assert pupil.about == about
            assert (pupil.predict_proba(X) == before).all()
    rows = X[DATA.test_unseen].copy()
    rows[3] = np.nan
    with pytest.raises(gsmflow.InputError, match="NaN"):
        pupil.adapt(rows)
    assert (pupil.predict_proba(X) == before).all()


def test_rows_that_are_too_large_are_refused_or_have_no_weight(pupil):
    huge = np.full((1, X.shape[1]), 3e38, np.float32)
    before = pupil.predict_proba(X)
    assert not pupil.adapt(huge, sure=True).believed
    with pytest.raises(gsmflow.InputError, match="so large"):
        pupil.predict(huge)
    pile = X[DATA.test_unseen]
    pupil.adapt(np.concatenate([pile, huge]), sure=True)
    with_it = pupil.predict_proba(X)
    pupil.adapt(pile, sure=True)
    np.testing.assert_allclose(with_it, pupil.predict_proba(X), atol=1e-6)
    pupil.forget("unlabelled")
    assert (pupil.predict_proba(X) == before).all()


def test_what_a_pile_was_weighed_with_takes_it_along(pupil):
    before = pupil.predict_proba(X)
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="wrong")
    pupil.adapt(X[DATA.test_unseen], sure=True)
    pupil.forget("wrong")
    assert pupil.evidence == ()
    assert "adapt again" in pupil.about.changes[-1]
    assert (pupil.predict_proba(X) == before).all()
    pupil.adapt(X[DATA.test_unseen], sure=True)
    pile = pupil.predict_proba(X)
    pupil.learn(X[SHOWN], NAMES[SHOWN], evidence="later")
    pupil.forget("later")
    assert (pupil.predict_proba(X) == pile).all()


def test_a_piece_that_lost_a_class_does_not_stand_in_the_way(pupil):
    first, second = NAMES[SHOWN[0]], NAMES[SHOWN[-1]]
    rows = SHOWN[np.isin(NAMES[SHOWN], [first, second])]
    pupil.learn(X[rows], NAMES[rows])
    semantics = pupil.class_semantics[list(pupil.class_names).index(first)]
    pupil.remove_classes([first])
    assert pupil.evidence[0].pictures == (NAMES[rows] == second).sum()
    pupil.add_classes({first: semantics})
    pupil.learn(X[rows], NAMES[rows])
    assert len({piece.id for piece in pupil.evidence}) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taught.counts", torch.tensor([float("nan")]).double()),
        ("taught.counts", torch.tensor([-1.0]).double()),
        ("taught.piece", torch.tensor([1])),
        ("taught.classes", torch.tensor([99])),
        ("taught.classes", torch.tensor([0, 1])),
    ],
)
def test_evidence_that_no_model_has_written_is_damage(pupil, tmp_path, name, value):
    pupil.learn(X[:1], [0])
    tensors = pupil.state_dict() | {name: value}
    write_model(tmp_path / "m.safetensors", tensors, pupil.about)
    with pytest.raises(gsmflow.InputError, match="is damaged"):
        gsmflow.load_model(tmp_path / "m.safetensors")
