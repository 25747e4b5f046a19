"""When images and words lie in one space, and why they do not."""

from dataclasses import replace

import numpy as np
import pytest

import gsmflow
from gsmflow.data import EncoderRecord, Provenance, pseudo_unseen
from gsmflow.data.space import Space, space_of
from tests.one_space import aligned, with_attributes

IMAGES = EncoderRecord("huggingface", "clip", 32, "a" * 64, preprocessing={"size": 224})
WORDS = replace(IMAGES, preprocessing={"max_length": 77})
OTHER = EncoderRecord("sentence-transformers", "MiniLM", 32, "b" * 64)
DATA = aligned()


def encoded(images: EncoderRecord | None, words: EncoderRecord | None) -> Provenance:
    return Provenance(encoder=images, text_encoder=words)


CASES = {
    "halves of one model": ({"provenance": encoded(IMAGES, WORDS)}, True, ""),
    "two models": (
        {"provenance": encoded(IMAGES, OTHER)},
        False,
        "the features of aligned come from clip (huggingface, 32 dimensions, sha256 aaaaaaaaaaaa), its semantics from "
        "MiniLM (sentence-transformers, 32 dimensions, sha256 bbbbbbbbbbbb)",
    ),
    "nothing recorded": (
        {},
        True,
        "aligned has features and semantics of 32 dimensions, and not both encoders recorded",
    ),
    "one recorded": ({"provenance": encoded(IMAGES, None)}, True, "aligned has features and semantics of 32 dim"),
    "said so": ({"one_space": True, "provenance": encoded(IMAGES, OTHER)}, True, ""),
    "denied": ({"one_space": False, "provenance": encoded(IMAGES, WORDS)}, False, "aligned says that they do not"),
    "other dimensions": (
        {"semantics": DATA.semantics[:, :30], "provenance": encoded(IMAGES, WORDS)},
        False,
        "aligned has features of 32 dimensions and semantics of 30",
    ),
    "no text among the parts": (
        {"semantic_parts": (("attributes", 12), ("hierarchy", 20))},
        False,
        "the semantics of aligned are put together from attributes, hierarchy, none of which is called text",
    ),
    "attributes alone": (
        {"semantic_parts": (("attributes", 32),)},
        False,
        "the semantics of aligned are put together from attributes, none of which is called text",
    ),
}


@pytest.mark.parametrize(("changes", "holds", "reason"), CASES.values(), ids=CASES)
def test_one_space(changes, holds, reason):
    data = replace(DATA, **changes)
    found = space_of(data)
    assert (found.holds, found.is_assumed) == (holds, holds and bool(reason))
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)
    training = data.training()
    assert training.one_space is holds
    assert pseudo_unseen(training, ratio=0.3).training().one_space is holds


def test_the_text_beside_attributes_counts():
    data = replace(with_attributes(DATA), provenance=encoded(IMAGES, WORDS))
    assert data.semantic_dim == 37
    assert space_of(data) == Space(True)
    assert not space_of(replace(data, semantic_parts=(("attributes", 32), ("text", 5)))).holds


@pytest.mark.parametrize("changes", [{"semantics": DATA.semantics[:, :30]}, {"semantic_parts": (("attributes", 32),)}])
def test_what_cannot_be_is_not_believed(changes):
    with pytest.raises(gsmflow.InputError, match=r"aligned: one_space is claimed, but .*; leave one_space= out\."):
        replace(DATA, one_space=True, **changes)


def test_it_is_no_part_of_the_fingerprint():
    assert replace(DATA, one_space=True).fingerprint() == DATA.fingerprint()
    assert np.array_equal(replace(DATA, one_space=True).semantics, DATA.semantics)
