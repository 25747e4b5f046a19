"""The laws of pseudo-unseen splits: made of trainval alone, disjoint, the same again, different from fold to fold."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gsmflow.data import TrainingSet, load, pseudo_unseen, synthetic
from gsmflow.errors import InputError


def make_training(counts: list[int], seed: int = 0) -> TrainingSet:
    """Seen classes 1, 3, 5, ... with so many samples each, between unseen classes 0, 2, 4, ..."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(2 * np.arange(len(counts)) + 1, counts))
    classes = 2 * len(counts) + 1
    return TrainingSet(
        features=rng.normal(size=(len(labels), 3)).astype(np.float32),
        labels=labels,
        semantics=rng.normal(size=(classes, 4)).astype(np.float32),
        seen=np.arange(1, classes, 2),
        unseen=np.arange(0, classes, 2),
        class_names=tuple(f"c{k}" for k in range(classes)),
    )


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(2, 8), min_size=3, max_size=12),
    ratio=st.floats(0, 1),
    holdout=st.floats(0, 1),
    seed=st.integers(0, 2**31),
    fold=st.integers(0, 5),
)
def test_laws(counts, ratio, holdout, seed, fold):
    training = make_training(counts)
    cut = pseudo_unseen(training, ratio=ratio, holdout=holdout, seed=seed, fold=fold)
    classes = len(counts)

    assert np.shares_memory(cut.features, training.features)
    assert len(cut.features) == len(training.features)  # nothing but training rows
    assert cut.class_names == tuple(training.class_names[k] for k in training.seen)
    np.testing.assert_array_equal(training.seen[cut.labels], training.labels)
    np.testing.assert_array_equal(cut.semantics, training.semantics[training.seen])

    splits = (cut.trainval, cut.test_seen, cut.test_unseen)
    np.testing.assert_array_equal(np.sort(np.concatenate(splits)), np.arange(len(training.labels)))
    assert len(cut.unseen) == min(max(round(ratio * classes), 1), classes - 2)
    np.testing.assert_array_equal(np.unique(cut.labels[cut.test_unseen]), cut.unseen)
    np.testing.assert_array_equal(np.unique(cut.labels[cut.test_seen]), cut.seen)  # each is validated
    for k in cut.seen:
        held_out, kept = np.sum(cut.labels[cut.test_seen] == k), np.sum(cut.labels[cut.trainval] == k)
        assert kept >= 1
        assert held_out == min(max(round(holdout * counts[k]), 1), counts[k] - 1)

    again = pseudo_unseen(training, ratio=ratio, holdout=holdout, seed=seed, fold=fold)
    assert again.fingerprint() == cut.fingerprint()


def test_nothing_of_the_tests_matters():
    data = load("synthetic")
    cut = pseudo_unseen(data.training(), ratio=0.25, holdout=0.2, seed=0)
    features = data.features.copy()
    features[data.test_seen] = 99
    features[data.test_unseen] = -99
    changed = replace(data, features=features)
    assert changed.fingerprint() != data.fingerprint()
    again = pseudo_unseen(changed.training(), ratio=0.25, holdout=0.2, seed=0)
    assert again.fingerprint() == cut.fingerprint()


@pytest.mark.parametrize(("classes", "count"), [(12, 3), (15, 5), (150, 37)])
def test_folds_share_no_class_until_all_have_been_drawn(classes, count):
    training = make_training([3] * classes)
    folds = [pseudo_unseen(training, ratio=count / classes, holdout=0.2, seed=1, fold=k) for k in range(9)]
    in_turn = classes // count
    for one, other in combinations(folds[:in_turn], 2):
        assert not np.intersect1d(one.unseen, other.unseen).size
    drawn = np.bincount(np.concatenate([fold.unseen for fold in folds]), minlength=classes)
    assert drawn.max() - drawn.min() <= 2  # evenly in the long run
    assert len({fold.fingerprint() for fold in folds}) == 9


def test_seeds_differ():
    training = make_training([4] * 20)
    cuts = [pseudo_unseen(training, ratio=0.25, holdout=0.2, seed=seed) for seed in range(5)]
    assert len({cut.fingerprint() for cut in cuts}) == 5


def test_a_class_of_one_sample_keeps_it_for_training():
    cut = pseudo_unseen(make_training([1, 5, 5, 5, 1, 5]), ratio=0.2, holdout=0.5, seed=0)
    for k in np.setdiff1d((0, 4), cut.unseen):
        assert np.flatnonzero(cut.labels == k) in cut.trainval


def test_equal_rows_within_trainval_are_no_error():
    training = make_training([6, 6, 6, 6])
    training.features[:] = 1
    pseudo_unseen(training, ratio=0.25, holdout=0.2, seed=0)


@pytest.mark.parametrize("counts", [[5], [5, 5]])
def test_too_few_classes(counts):
    with pytest.raises(
        InputError, match=rf"at least 3 seen classes, and there are {len(counts)}: get more classes, or"
    ):
        pseudo_unseen(make_training(counts), ratio=0.2, holdout=0.2, seed=0)


def test_too_few_samples():
    with pytest.raises(InputError, match="at least 2 samples, and none of 4 has: get more samples, or use the"):
        pseudo_unseen(make_training([1] * 5), ratio=0.2, holdout=0.2, seed=0)


def test_a_ratio_of_0_still_takes_one_class():
    cut = pseudo_unseen(make_training([4] * 5), ratio=0)
    assert (len(cut.unseen), len(cut.seen)) == (1, 4)
    assert len(cut.test_unseen) == 4


def test_it_can_be_cut_again():
    once = pseudo_unseen(synthetic().training(), ratio=0.25, holdout=0.2, seed=0)
    twice = pseudo_unseen(once.training(), ratio=0.25, holdout=0.2, seed=0)
    assert twice.num_classes == len(once.seen)
