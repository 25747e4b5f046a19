"""The search of the default: what it tries, that simpler methods compete on the same folds, and how it says who won."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gsmflow import experiment
from gsmflow.data import synthetic
from gsmflow.errors import InputError
from gsmflow.generators import Classes, Gaussian
from gsmflow.model import ZeroShotModel
from gsmflow.overrides import grid_points, override
from gsmflow.recipes import load_recipe
from gsmflow.report import write_report
from gsmflow.runs import JudgedEvent, RankedEvent, Run
from gsmflow.selection import Judged, check_effect, check_settings, used_sections
from gsmflow.selection.details import Details
from gsmflow.settings import Settings
from tests.tiny import GAUSSIAN, LINEAR, TINY, problem

HOPELESS = replace(LINEAR, gaussian=replace(LINEAR.gaussian, ridges=(1e6,)), simpler=("prototype", "eszsl"))
"""Every unseen class has the same mean in the closed form, so that any other method is better."""
SEVERAL = synthetic(classes=16, unseen=4, dim=8, semantic_dim=6)
"""Folds of several pseudo-unseen classes, among which there is a choice."""


def judged(run: Run, stage: str) -> list[Judged]:
    events = [event for event in run.history if isinstance(event, JudgedEvent)]
    found = [Judged.from_json(one) for event in events for one in event.found]
    return [one for one in found if one.stage == stage]


def test_the_default_tries_all_that_the_closed_form_alone_tries():
    """So that it is no worse on the folds: by construction, not by luck."""
    default, plain = load_recipe("default").settings, load_recipe("gaussian").settings
    base = override(replace(default, generator="gaussian"), {"linear_flow.temperature": 1.0})
    details = Details.of(base)
    first = grid_points(base.grid)[0]
    assert details
    assert first == {"scaling": plain.scaling}
    tried = {tuple(choice.items()) for choice in every_choice(base) if details.is_first(first, choice)}
    assert {tuple(choice.items()) for choice in every_choice(plain)} <= tried
    assert len(tried) < len(every_choice(base))


def every_choice(settings: Settings) -> list[dict[str, Any]]:
    data = problem().training()
    gaussian = replace(settings.gaussian, priors=("none",))
    return Gaussian(data.dim, Classes.of(data), gaussian).choices()


def test_details_are_tried_in_full_for_the_finalists_and_the_plain_regressions():
    lists = {"semantics": ("l2", "sqrt"), "shrinks": (0.1, 0.3, 0.6), "ridges": (0.1, 1.0)}
    settings = replace(LINEAR, gaussian=replace(LINEAR.gaussian, **lists), simpler=())
    run = Run()
    experiment.train(problem(), settings, run=run)
    found = judged(run, "closed form")
    keys = [(one.fold, one.key) for one in found]
    assert len(set(keys)) == len(keys)  # none is judged twice
    assert len({key for _, key in keys}) * 2 == len(keys)  # each on both folds
    plain = {
        tuple(one.choice.items()) for one in found if one.grid["scaling"] == "none" and one.choice["semantics"] == "l2"
    }
    assert len(plain) == 2 * 2 * 3 * 2  # kernels, ridges, shrinks, widens
    (ranked,) = (event for event in run.history if isinstance(event, RankedEvent) and event.stage == "closed form")
    assert len(ranked.h) == len(keys) / 2
    middle = {(one.choice["shrink"], one.choice["widen"]) for one in found if one.choice["semantics"] == "sqrt"}
    assert len(middle) == 6  # all of them, of the finalists


@pytest.fixture(scope="module")
def beaten():
    run = Run()
    return experiment.train(SEVERAL, HOPELESS, run=run), run


def test_a_simpler_method_that_wins_on_the_folds_is_the_final_model(beaten, tmp_path):
    result, run = beaten
    chosen = result.record["chosen"]
    simpler = judged(run, "simpler")
    assert {one.grid["generator"] for one in simpler} == {"prototype", "eszsl"}
    assert result.record["generator"] == chosen["grid"]["generator"] == result.model.settings.generator
    assert result.record["method"] == "settings"
    assert (chosen["recognizer"], result.model.about.recognizer) == ("compatibility", "compatibility")
    assert "closed_form" not in chosen
    assert chosen["verdict"].startswith(f"the simpler {chosen['grid']['generator']} won on the folds (H ")
    assert result.model.settings.scaling == "none"
    model, data = result.model, SEVERAL
    model.save(tmp_path / "m.safetensors")
    again = ZeroShotModel.load(tmp_path / "m.safetensors")
    assert (again.predict(data.features) == model.predict(data.features)).all()


def test_the_report_and_the_card_of_a_simpler_winner(beaten, tmp_path):
    result, _ = beaten
    folder = result.save(tmp_path / "run")
    page = write_report([folder], dataset=SEVERAL).read_text()
    assert "Simpler methods on the same folds" in page
    assert f"`{result.record['generator']}`" in (folder / "README.md").read_text()


def test_the_final_model_is_that_of_the_simpler_method_itself(beaten):
    result, _ = beaten
    other = experiment.train(SEVERAL, replace(result.model.settings, recognizer="auto"))
    for name, tensor in other.model.generator.state_dict().items():
        np.testing.assert_array_equal(tensor, result.model.generator.state_dict()[name])


def test_it_says_where_the_flow_was_left_untrained():
    untrained = replace(LINEAR, selection=replace(LINEAR.selection, every=None, evaluations=1), simpler=())
    verdicts = {experiment.train(problem(), untrained, seed=seed).record["chosen"]["verdict"] for seed in range(2)}
    closed = [one for one in verdicts if one.startswith("the closed form itself won on the folds (H ")]
    trained = [one for one in verdicts if one.startswith("the linear-flow, trained from the closed form for ")]
    assert len(closed) + len(trained) == len(verdicts)
    assert closed
    assert all(one.endswith("the flow was not trained further") for one in closed)


def test_where_simpler_methods_have_an_effect():
    assert {"eszsl", "prototype"} <= used_sections(LINEAR)
    assert not {"eszsl", "prototype"} & used_sections(replace(LINEAR, simpler=()))
    assert not {"eszsl", "prototype"} & used_sections(TINY)
    check_effect(LINEAR, ["simpler", "eszsl.gammas"], "You set")
    with pytest.raises(InputError, match=r"You set simpler, which has no effect: .* and gaussian does not\."):
        check_effect(GAUSSIAN, ["simpler"], "You set")
    with pytest.raises(InputError, match="The grid cannot try simpler"):
        check_settings(replace(LINEAR, grid=("simpler=[eszsl]",)))
