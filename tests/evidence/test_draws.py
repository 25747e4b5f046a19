"""Which pictures are the labelled ones."""

from dataclasses import replace

import numpy as np
import pytest

from gsmflow import InputError
from gsmflow.data import synthetic
from gsmflow.evidence.draws import LEFT, check_enough, draw_shots, without

LABELS = np.repeat([4, 7, 9], [6, 2, 1])


def test_as_many_of_each_class_as_asked_for_and_never_all():
    assert np.bincount(LABELS[draw_shots(LABELS, 3, seed=0, repeat=0)], minlength=10)[[4, 7, 9]].tolist() == [3, 1, 0]


def test_the_draw_depends_on_seed_and_repeat_alone():
    labels = np.repeat(np.arange(5), 20)
    draws = [draw_shots(labels, 2, seed=seed, repeat=repeat) for seed, repeat in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], draws[3])


def test_more_shots_hold_fewer():
    one, two = (draw_shots(LABELS, shots, seed=3, repeat=2) for shots in (1, 2))
    assert np.all(two[one])


def test_what_is_drawn_is_not_tested():
    tests = synthetic(classes=8, unseen=2, samples=6, dim=3, semantic_dim=2).tests()
    taken = draw_shots(tests.unseen_labels, 2, seed=0, repeat=0)
    rest = without(tests, taken)
    assert len(rest.unseen_labels) == len(tests.unseen_labels) - taken.sum()
    drawn = {row.tobytes() for row in tests.unseen_features[taken]}
    assert not drawn & {row.tobytes() for row in rest.unseen_features}
    assert rest.seen_features is tests.seen_features


def test_every_unseen_class_keeps_two():
    data = synthetic(classes=8, unseen=2, samples=6, dim=3, semantic_dim=2)
    check_enough(data, 6 - LEFT)
    with pytest.raises(InputError, match=r"^too few: 2 of 2 unseen classes .* 'class 7'"):
        check_enough(data, 7 - LEFT)
    one_short = replace(data, test_unseen=data.test_unseen[1:])
    with pytest.raises(InputError, match=r"^too few: 1 of 2 .*the least, 5: 'class 7'"):
        check_enough(one_short, 6 - LEFT)
