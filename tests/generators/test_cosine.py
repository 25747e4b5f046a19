"""Zero-shot by cosine, and words as what class means are predicted from, where images and words lie in one space."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

import gsmflow
from gsmflow.data import ZeroShotDataset, synthetic
from gsmflow.generators import Classes, Cosine, Scorer
from gsmflow.overrides import override
from gsmflow.recipes import load_recipe
from gsmflow.scaling import Scaling
from gsmflow.selection import check_settings
from gsmflow.semantics import Words
from gsmflow.settings import CosineSettings, Settings
from tests.one_space import aligned, with_attributes

CLIP = load_recipe("clip").settings
SMALL = {"gaussian.ridges": (0.1, 1.0), "gaussian.shrinks": (0.3,), "gaussian.widens": (1.0,)}


def gaussian(*priors: str) -> Settings:
    return override(load_recipe("gaussian").settings, {**SMALL, "gaussian.priors": priors})


def train(data: ZeroShotDataset, method: str | Settings, protocol: str = "validated") -> gsmflow.Result:
    return gsmflow.train(data, method, protocol=protocol, device="cpu", threads=1)


@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_scores_are_cosines_over_the_temperature(temperature):
    rng = np.random.default_rng(0)
    x, semantics = rng.normal(size=(7, 4)), rng.normal(size=(5, 6))
    ids = torch.arange(5)
    classes = Classes(torch.tensor(semantics), ids[:3], ids[3:], Words(slice(2, None), Scaling(4)))
    model = Cosine(4, classes, CosineSettings(temperature))
    model.fit(torch.tensor(x), ids)
    expected = cosine_similarity(x, semantics[:, 2:])[:, [4, 1]] / temperature
    np.testing.assert_allclose(model.scores(torch.tensor(x), torch.tensor([4, 1])), expected, rtol=1e-6)
    assert (model.count(), list(model.candidates(torch.tensor(x), ids))) == (1, [{}])
    assert Cosine.only(model.settings, {}) is model.settings
    assert isinstance(model, Scorer)


@pytest.mark.parametrize("data", [aligned(), with_attributes(aligned())], ids=["words", "attributes and words"])
def test_unseen_classes_are_right_by_their_words(data):
    found = train(data, "clip")
    assert found.metrics.T1 > 95  # chance is 5
    assert found.metrics.U > 90
    assert found.record["generator"] == "cosine"
    assert found.record["chosen"]["choice"] == {}


def test_the_temperature_is_for_probabilities_alone():
    data = aligned(bent=1.0)
    settings = (replace(CLIP, cosine=CosineSettings(t)) for t in (0.01, 0.1))
    cold, warm = (train(data, one, protocol="fixed").model for one in settings)
    assert (cold.predict(data.features) == warm.predict(data.features)).all()
    assert cold.predict_proba(data.features).max(1).mean() > warm.predict_proba(data.features).max(1).mean() + 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_words_beat_no_prior_where_few_classes_are_seen(seed):
    """Six classes tell little of a map from semantics to means; the words tell where twenty others are."""
    data = aligned(seed=seed)
    alone, both = (train(data, gaussian(*priors)) for priors in (("none",), ("none", "words")))
    assert both.record["chosen"]["choice"]["prior"] == "words"
    assert both.metrics.T1 > alone.metrics.T1 + 20
    assert both.metrics.H > alone.metrics.H + 10
    assert both.model.settings.gaussian.priors == ("words",)


def test_the_default_method_starts_from_words():
    settings = override(load_recipe("default").settings, {**SMALL, "training.epochs": 1, "scaling": "l2"})
    found = train(aligned(), settings)
    assert found.record["chosen"]["closed_form"]["prior"] == "words"
    assert found.metrics.T1 > 90


def test_words_that_tell_nothing_are_not_chosen():
    """Equal dimensions by chance: words do not tell where seen classes are, and are taken for nothing."""
    for seed in range(3):
        data = synthetic(classes=40, unseen=10, samples=15, dim=16, semantic_dim=16, seed=seed)
        found, other = (train(data, gaussian(*priors)) for priors in (("none", "words"), ("none",)))
        assert found.record["chosen"]["choice"]["prior"] == "none"
        assert found.record["H"] == other.record["H"]


def test_without_one_space_nothing_is_another():
    """Neither the number of candidates, nor a bit of the model, nor a word of what was chosen."""
    data = replace(aligned(seen=12), one_space=False)
    alone, both = (train(data, gaussian(*priors)) for priors in (("none",), ("none", "words")))
    assert [vars(event) for event in both.history] == [vars(event) for event in alone.history]
    assert both.record["chosen"] == alone.record["chosen"]
    assert both.model.settings == alone.model.settings
    ours, theirs = (one.model.state_dict() for one in (both, alone))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not any("prior" in name for name in ours)


@pytest.mark.parametrize("scaling", ["minmax", "l2", "sqrt-l2"])
@pytest.mark.parametrize("place", ["settings", "grid"])
def test_cosines_of_scaled_features_are_refused(scaling, place):
    changes = {"scaling": scaling} if place == "settings" else {"grid": (f"scaling=none,{scaling}",)}
    with pytest.raises(gsmflow.InputError, match=rf"'cosine' .* as both are: set scaling to none; found {scaling}\."):
        check_settings(replace(CLIP, **changes))


def test_without_words_there_is_nothing_to_compare_with():
    classes = Classes(torch.eye(2), torch.tensor([0]), torch.tensor([1]))
    with pytest.raises(gsmflow.InputError, match="there are none in their space"):
        Cosine(2, classes)
