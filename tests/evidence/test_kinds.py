"""Evidence as it is written."""

import pytest

from gsmflow import InputError
from gsmflow.evidence import Evidence, parse


@pytest.mark.parametrize(
    ("text", "title"),
    [("none", "inductive"), ("unlabelled", "transductive"), ("shots=1", "few-shot"), ("shots=20", "few-shot")],
)
def test_what_is_written_is_read_again(text, title):
    assert str(parse(text)) == text
    assert parse(text).title == title


@pytest.mark.parametrize("text", ["", "shots", "shots=", "shots=0", "shots=-1", "shots=1.5", "None", "piles", None, 3])
def test_what_is_no_evidence_is_refused(text):
    with pytest.raises(InputError, match="There is no evidence"):
        parse(text)


@pytest.mark.parametrize(("kind", "shots"), [("shots", 0), ("none", 1), ("unlabelled", 2), ("pile", 0)])
def test_the_number_fits_the_kind(kind, shots):
    with pytest.raises(InputError):
        Evidence(kind, shots)
