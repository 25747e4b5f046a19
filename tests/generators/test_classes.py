"""Classes that come later and classes that go, held to what training with them, or without, would have given."""

import pytest
import torch

from gsmflow.errors import InputError
from gsmflow.generators import Trained
from tests.generators.cases import CASES, answers, classes_of, fit, make_problem, settings_for

MAPS = ["none", "l2", "sqrt", "spread"]
every_case = [pytest.mark.parametrize("name", CASES), pytest.mark.parametrize("semantics", MAPS)]


@pytest.fixture(scope="module")
def problem():
    return make_problem()


def check_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for what, value in expected.items():
        scale = value.abs().max()
        assert scale > 0
        assert (found[what] - value).abs().max() <= 1e-6 * scale, what


@pytest.mark.parametrize("removed", [(9,), (1,), (1, 7), (1, 4, 7, 9)], ids=str)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("semantics", MAPS)
def test_a_class_that_comes_later_is_as_one_that_was_there(name, semantics, removed, problem):
    settings, later = settings_for(name, semantics), torch.tensor(removed)
    whole = fit(problem, settings)
    smaller, order = problem.without(later)
    model = fit(smaller, settings)
    model.extend(problem.classes.semantics[later])
    check_same(answers(model, problem.x, torch.arange(10)), answers(whole, problem.x, order))
    known = classes_of(model)
    assert torch.equal(known.semantics, problem.classes.semantics[order])
    assert torch.equal(known.seen, smaller.classes.seen)
    assert known.unseen.tolist() == sorted(known.unseen.tolist())
    assert torch.equal(torch.cat([known.seen, known.unseen]).sort().values, torch.arange(10))


@pytest.mark.parametrize("kept", [(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 4, 5, 9), (2, 3), (1, 7), (6,)], ids=str)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("semantics", MAPS)
def test_keeping_classes_selects_columns(name, semantics, kept, problem):
    settings, ids = settings_for(name, semantics), torch.tensor(kept)
    whole, model = fit(problem, settings), fit(problem, settings)
    model.keep(ids)
    check_same(answers(model, problem.x, torch.arange(len(ids))), answers(whole, problem.x, ids))
    known = classes_of(model)
    assert torch.equal(known.semantics, problem.classes.semantics[ids])
    for found, before in ((known.seen, problem.classes.seen), (known.unseen, problem.classes.unseen)):
        assert ids[found].tolist() == [k for k in before.tolist() if k in kept]
        assert found.tolist() == sorted(found.tolist())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("semantics", MAPS)
def test_a_class_that_went_comes_again(name, semantics, problem):
    """Seen classes went as well: what was learnt of them stays."""
    settings, stay, again = settings_for(name, semantics), torch.tensor([2, 3, 4, 8, 9]), torch.tensor([7, 1])
    whole, model = fit(problem, settings), fit(problem, settings)
    model.keep(stay)
    model.extend(problem.classes.semantics[again])
    check_same(answers(model, problem.x, torch.arange(7)), answers(whole, problem.x, torch.cat([stay, again])))
    assert classes_of(model).unseen.tolist() == [2, 4, 5, 6]
    model.keep(torch.tensor([0, 5]))
    check_same(answers(model, problem.x, torch.arange(2)), answers(whole, problem.x, torch.tensor([2, 7])))


@pytest.mark.parametrize("name", ["gsmflow", "linear-flow", "wgan", "cvae"])
def test_training_can_go_on_with_the_classes_kept(name, problem):
    model = fit(problem, settings_for(name))
    assert isinstance(model, Trained)
    model.keep(torch.tensor([0, 2, 4, 8]))
    among = torch.isin(problem.labels, torch.tensor([0, 2, 8]))
    labels = torch.searchsorted(torch.tensor([0, 2, 4, 8]), problem.labels[among])
    for step in (0, 2):
        terms = model.loss(problem.x[among], labels, step=step, rng=torch.Generator().manual_seed(0))
        assert all(term.isfinite() for term in terms.values())


def test_a_density_of_the_flow_does_not_depend_on_other_classes(problem):
    """To the last bit."""
    whole, model = (fit(problem, settings_for("gsmflow", "spread")) for _ in range(2))
    model.extend(torch.rand(3, 6))
    expected = whole.log_prob(problem.x, torch.arange(10))
    assert torch.equal(model.log_prob(problem.x, torch.arange(13))[:, :10], expected)
    assert torch.equal(model.log_prob(problem.x, torch.tensor([4, 1])), expected[:, [4, 1]])
    assert whole.log_prob(problem.x, torch.arange(0)).shape == (len(problem.x), 0)


@pytest.mark.parametrize("name", CASES)
def test_semantics_of_another_dimension_are_refused(name, problem):
    model = fit(problem, settings_for(name), steps=1)
    for wrong in (torch.rand(2, 4), torch.rand(6)):
        with pytest.raises(InputError, match=r"semantics of the shape .*: give a row of 6 numbers a class"):
            model.extend(wrong)


@pytest.mark.parametrize("ids", [[3, 1], [1, 1], [0, 10], [-1, 2]], ids=str)
def test_classes_that_there_are_not_cannot_be_kept(ids, problem):
    model = fit(problem, settings_for("dap"))
    with pytest.raises(InputError, match="give distinct sorted ids below 10"):
        model.keep(torch.tensor(ids))
