"""Settings overridden by dotted keys: each replaces its line of the grid, and a wrong one is told in a sentence."""

import re
from dataclasses import replace

import pytest

from gsmflow.errors import InputError
from gsmflow.overrides import assign, check_renamed, check_values, grid_points, override, settings_named
from gsmflow.settings import SelectionSettings, Settings
from tests.tiny import LINEAR, TINY


def test_an_override_replaces_its_line_of_the_grid():
    assert LINEAR.grid == ("scaling=none,l2", "linear_flow.temperature=1,3")
    found = override(LINEAR, {"scaling": "minmax"})
    assert (found.scaling, found.grid) == ("minmax", ("linear_flow.temperature=1,3",))
    found = override(LINEAR, {"linear_flow.temperature": "2", "seed": 3})
    assert (found.linear_flow.temperature, found.seed, found.grid) == (2.0, 3, ("scaling=none,l2",))
    assert override(LINEAR, {"linear_flow.decay": 2}).grid == LINEAR.grid
    assert override(LINEAR, {}) == LINEAR
    spaced = replace(LINEAR, grid=(" scaling = none , l2",))
    assert override(spaced, {"scaling": "l2"}).grid == ()


def test_a_grid_and_an_override_of_one_key_contradict_each_other():
    with pytest.raises(InputError, match=r"^scaling is given a value and listed in the grid as well; drop one of the"):
        override(LINEAR, {"scaling": "l2", "grid": ["scaling=none,l2"]})
    found = override(LINEAR, {"scaling": "l2", "grid": ["linear_flow.temperature=1,2"]})
    assert (found.scaling, found.grid) == ("l2", ("linear_flow.temperature=1,2",))


def test_assign_leaves_the_grid_as_it_is():
    assert assign(LINEAR, {"scaling": "l2"}).grid == LINEAR.grid


RENAMED = {
    "key": ({"residual.decay": 1}, "the setting 'residual.decay' is called 'linear_flow.decay' now."),
    "value": ({"generator": "residual-flow"}, "the generator 'residual-flow' is called 'linear-flow' now."),
    "unknown": ({"softmax.lrr": 1}, "there is no setting 'softmax.lrr'; the nearest known one is 'softmax.lr'."),
    "out of range": (
        {"training.epochs": "0"},
        "training.epochs: Input should be greater than or equal to 1 (found 0).",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), RENAMED.values(), ids=RENAMED)
@pytest.mark.parametrize("function", [assign, override])
def test_old_names_and_wrong_ones_are_told(function, values, sentence):
    with pytest.raises(InputError, match=re.escape(sentence) + "$"):
        function(TINY, values)


def test_old_names_are_found_wherever_they_are_nested():
    with pytest.raises(InputError, match=r"^config: the setting 'residual' is called 'linear_flow' now\.$"):
        check_renamed({"settings": {"residual": {"decay": 1}}}, "config")
    check_renamed({"settings": {"about": "residual", "linear_flow": {}}}, "config")


def test_two_ways_to_say_when_to_evaluate():
    check_values(replace(TINY, selection=SelectionSettings(every=3)))
    with pytest.raises(InputError, match=r"selection\.every 3 and selection\.evaluations 4 both say when to evaluate"):
        check_values(replace(TINY, selection=SelectionSettings(every=3, evaluations=4)))


def test_points_of_the_grid_are_checked_too():
    with pytest.raises(InputError, match=r"training\.lr: Input should be greater than 0"):
        check_values(replace(TINY, grid=("training.lr=0.1,0",)))
    with pytest.raises(InputError, match=r"training\.lr is given twice"):
        check_values(replace(TINY, grid=("training.lr=0.1", "training.lr=0.2")))


def test_points_of_a_grid():
    assert grid_points([]) == [{}]
    grid = ["a=1, 2", "b.c=x"]
    assert grid_points(grid) == [{"a": "1", "b.c": "x"}, {"a": "2", "b.c": "x"}]
    assert grid_points(grid, lambda key: key == "a") == [{"a": "1"}, {"a": "2"}]
    assert grid_points(grid, lambda key: False) == [{}]


def test_which_settings_a_command_line_names():
    line = ["TWIN", "--softmax.lr", "0.1", "--seed=3", "--softmax.no-warm", "--linear-flow.decay", "1", "--quiet"]
    assert settings_named(line) == ["softmax.lr", "seed", "softmax.warm", "linear_flow.decay"]
    assert settings_named(["--recipe", "seed", "--flow.position-dim", "8"]) == ["flow.position_dim"]
    assert Settings() == override(Settings(), {})
