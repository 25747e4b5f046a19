"""Settings on data: what has no effect is refused, what the data call for is tried, and both are said."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import gsmflow
from gsmflow.data import EncoderRecord, Provenance, ZeroShotDataset
from gsmflow.overrides import override
from gsmflow.progress import Display
from gsmflow.recipes import load_recipe
from gsmflow.runs import Run
from gsmflow.selection import check_data, check_effect
from gsmflow.selection.adapted import TEXT_WEIGHTS, adapted
from gsmflow.settings import Settings
from tests.one_space import aligned, half_noise, with_attributes
from tests.tiny import GAUSSIAN, LINEAR, TINY

CLIP, PROTOTYPE = (load_recipe(name).settings for name in ("clip", "prototype"))
RECORD = EncoderRecord("huggingface", "clip", 32, "a" * 64)
KNOWN = aligned(provenance=Provenance(encoder=RECORD, text_encoder=RECORD))
APART = replace(KNOWN, provenance=Provenance(encoder=RECORD, text_encoder=replace(RECORD, sha256="b" * 64)))
PARTS = with_attributes(KNOWN)
WORDS = replace(GAUSSIAN, gaussian=replace(GAUSSIAN.gaussian, priors=("words",)))


class Heard(Display):
    """What was said, line by line."""

    def __init__(self):
        super().__init__(console=Console(quiet=True))
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


REFUSED = {
    "two models": (
        CLIP,
        APART,
        r"'cosine' .method clip. takes images and words in one space, and the features of aligned come from",
    ),
    "other dimensions": (
        CLIP,
        gsmflow.load("digits"),
        "and digits has features of 64 dimensions and semantics of 18: make",
    ),
    "denied": (CLIP, replace(KNOWN, one_space=False), "aligned says that they do not"),
    "words alone": (WORDS, APART, r"The setting gaussian\.priors words takes images and words in one space, and"),
    "words in the grid": (
        replace(GAUSSIAN, grid=("gaussian.priors=[none],[words]",)),
        APART,
        r"The setting gaussian\.priors words takes",
    ),
    "a weight without parts": (
        replace(GAUSSIAN, text_weight=1.0),
        KNOWN,
        "text_weight has no effect: the semantics of",
    ),
    "a grid of weights without parts": (
        replace(GAUSSIAN, grid=("text_weight=1,2",)),
        KNOWN,
        "text_weight has no effect",
    ),
    "a weight of one part": (
        replace(GAUSSIAN, text_weight=2.0),
        replace(KNOWN, semantic_parts=(("text", 32),)),
        "are not put together from text and attributes; drop it",
    ),
    "a weight for cosines": (replace(CLIP, text_weight=2.0), PARTS, "'cosine' looks at the text alone; drop it"),
}


@pytest.mark.parametrize("protocol", ["validated", "published", "fixed"])
@pytest.mark.parametrize(("settings", "data", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_or_changes_nothing_is_refused(settings, data, sentence, protocol):
    with pytest.raises(gsmflow.InputError, match=sentence) as error:
        gsmflow.train(data, settings, protocol=protocol)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_what_works_is_let_pass():
    for settings in (CLIP, WORDS, GAUSSIAN, TINY):
        check_data(settings, KNOWN)
    check_data(replace(GAUSSIAN, text_weight=2.0), PARTS)


@pytest.mark.parametrize("settings", [CLIP, WORDS], ids=["clip", "words alone"])
def test_one_space_that_is_taken_for_granted_is_said(settings):
    sentence = "in one space, which is taken for granted: aligned has features and semantics of 32 dimensions"
    with pytest.warns(gsmflow.errors.DataWarning, match=sentence):
        check_data(settings, aligned())


def test_a_named_option_without_effect_is_refused():
    settings = replace(GAUSSIAN, gaussian=replace(GAUSSIAN.gaussian, priors=("none", "words")))
    check_effect(settings, ["gaussian.priors"], "The command line sets")
    check_effect(settings, ["gaussian.priors"], "The command line sets", KNOWN)
    check_effect(settings, ["gaussian.ridges"], "The command line sets", APART)
    with pytest.raises(gsmflow.InputError, match=r"^The command line sets gaussian\.priors to words, which has no eff"):
        check_effect(settings, ["gaussian.priors"], "The command line sets", APART)


def test_words_are_a_candidate_only_where_they_lie_in_the_space_of_images():
    settings, heard = replace(GAUSSIAN, gaussian=replace(GAUSSIAN.gaussian, priors=("none", "words"))), Heard()
    assert adapted(settings, KNOWN, heard, chooses=True) is settings
    assert adapted(settings, aligned(), heard, chooses=True) is settings
    assert adapted(settings, APART, heard, chooses=True).gaussian.priors == ("none",)
    assert heard.lines == [
        "images and words lie in one space: words are tried as a prior of class means",
        "images and words lie in one space (taken for granted: aligned has features and semantics of 32 dimensions, "
        "and not both encoders recorded): words are tried as a prior of class means",
    ]
    assert adapted(TINY, APART, heard, chooses=True) is TINY  # it has no closed form, and its settings stay
    assert len(heard.lines) == 2


@pytest.mark.parametrize("settings", [GAUSSIAN, LINEAR, PROTOTYPE, TINY], ids=lambda s: s.generator)
def test_what_text_counts_for_is_tried_where_nothing_says_it(settings):
    heard = Heard()
    found = adapted(settings, PARTS, heard, chooses=True)
    assert found.grid == (*settings.grid, TEXT_WEIGHTS)
    assert heard.lines[-1].startswith("semantics are 5 of attributes and 32 of text: text_weight=0.25,1,4 is tried")
    for named in (replace(settings, text_weight=1.0), replace(settings, grid=("text_weight=1,3",))):
        assert adapted(named, PARTS, Heard(), chooses=True).grid == named.grid
    assert adapted(settings, PARTS, Heard(), chooses=False).grid == settings.grid
    assert adapted(settings, KNOWN, Heard(), chooses=True).grid == settings.grid


def test_cosines_have_no_weight_to_try():
    assert adapted(CLIP, PARTS, Heard(), chooses=True) is CLIP


@pytest.mark.parametrize(("noise", "weight"), [("text", "0.25"), ("attributes", "4")])
@pytest.mark.parametrize("method", ["gaussian", "prototype"])
def test_a_part_that_is_noise_counts_for_less(method, noise, weight):
    settings = load_recipe(method).settings
    if method == "gaussian":
        settings = override(settings, {"gaussian.ridges": (0.01, 0.1, 1.0), "gaussian.shrinks": (0.3,)})
    data = half_noise(noise)
    found = gsmflow.train(data, settings, threads=1)
    assert found.record["chosen"]["grid"] == {"text_weight": weight}
    assert found.model.settings.text_weight == float(weight)
    other = gsmflow.train(data, replace(settings, text_weight=1.0), threads=1)
    assert other.record["chosen"]["grid"] == {}
    if method == "gaussian":  # for prototypes all weights are near the ceiling
        assert found.metrics.H > other.metrics.H


def test_the_weight_is_chosen_with_the_closed_form():
    run = Run()
    found = gsmflow.train(
        half_noise("text"), replace(LINEAR, grid=("linear_flow.temperature=1,3",)), run=run, threads=1
    )
    judged = [one for event in run.history for one in getattr(event, "found", ())]
    tried = {
        stage: {one["grid"].get("text_weight") for one in judged if one["stage"] == stage}
        for stage in ("closed form", "fold")
    }
    assert tried == {"closed form": {"0.25", "1", "4"}, "fold": {None}}
    assert found.record["chosen"]["grid"]["text_weight"] == "0.25"
    assert found.model.weighting.text_weight == 0.25


def test_no_weight_is_one():
    data = half_noise("text")

    def probabilities(settings: Settings, data: ZeroShotDataset = data) -> np.ndarray:
        return gsmflow.train(data, settings, protocol="fixed").model.predict_proba(data.features[:20])

    plain = probabilities(GAUSSIAN)
    np.testing.assert_array_equal(plain, probabilities(replace(GAUSSIAN, text_weight=1.0)))
    assert np.abs(plain - probabilities(replace(GAUSSIAN, text_weight=2.0))).max() > 0.01
    assert np.abs(plain - probabilities(GAUSSIAN, replace(data, semantic_parts=()))).max() > 1e-4
