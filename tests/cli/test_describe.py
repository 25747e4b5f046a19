"""`gsmflow describe` from end to end, with a tiny model."""

import re
from importlib.util import find_spec

import numpy as np
import pytest

from gsmflow.encoders.texts import describe_classes, load_text_encoder

pytestmark = pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="the extra texts is not installed")
TABLE = "name,description,description_2\nhorse,an animal,a horse\neagle,a bird with a head,\n"


@pytest.fixture(scope="session")
def tower(tmp_path_factory):
    from tests.encoders.word_twins import save_tower

    return save_tower(tmp_path_factory.mktemp("tower"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.csv").write_text(TABLE)
    return tmp_path


def test_from_a_table_to_semantics(gsmflow, here, tower):
    done = gsmflow("describe", "classes.csv", "--model", tower, "--out", "my", "--template", "a photo of {}")
    assert (done.code, done.out) == (0, "my: semantics of 2 classes in 16 dimensions\n"), done
    assert f"loading {tower}" in done.err
    assert "Loading weights" not in done.err
    encoder = load_text_encoder(tower, template="a photo of {}")
    expected = describe_classes(encoder, [["an animal", "a horse"], ["a bird with a head"]])
    np.testing.assert_allclose(np.load("my/semantics.npy"), expected, atol=1e-6)
    assert (here / "my" / "classes.csv").read_text() == TABLE


def test_a_folder_is_described_where_it_is_and_quietly(gsmflow, here, tower):
    done = gsmflow("describe", ".", "--model", tower, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert {path.name for path in here.iterdir()} == {"classes.csv", "semantics.npy", "semantics.csv", "dataset.json"}


def test_it_is_described_again_as_it_was_before(gsmflow, here, tower):
    gsmflow("describe", "classes.csv", "--model", tower, "--template", "a photo of {}", "--quiet")
    before = np.load("semantics.npy")
    (here / "classes.csv").write_text(TABLE.replace("an animal,", "a bird,"))
    again = gsmflow("describe", ".")
    assert again.code == 0, again
    assert f"loading {tower.name} with the template 'a photo of {{}}', as recorded in dataset.json" in again.err
    after = np.load("semantics.npy")
    np.testing.assert_array_equal(after[1], before[1])
    assert (after[0] != before[0]).any()
    other = gsmflow("describe", ".", "--template", "{}")
    assert other.code == 2
    assert "made in another way (template 'a photo of {}', now '{}')" in other.err
    assert gsmflow("describe", ".", "--template", "{}", "--overwrite").code == 0


@pytest.mark.filterwarnings("default::gsmflow.errors.DataWarning")
def test_long_texts_are_told(gsmflow, here, tower):
    (here / "classes.csv").write_text("name,description\nhorse," + "a small horse " * 9 + "\n")
    done = gsmflow("describe", "classes.csv", "--model", tower)
    assert done.code == 0
    assert re.search(r"^warning: 1 of 1 descriptions are longer than .* \(8 tokens\)", done.err, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say which table and which model"),
        (("classes.csv",), "say which model: gsmflow describe classes.csv --model MODEL; none is recorded"),
        (("gone.csv", "--model", "TOWER"), "gone.csv"),
        (("classes.csv", "--model", "./gone"), "There is no folder ./gone: give the folder"),
        (("classes.csv", "--model", "TOWER", "--template", "a photo"), "the text goes by one {}"),
        (("classes.csv", "--model", "TOWER", "--batch", "0"), "at least one text"),
        (("classes.csv", "--model", "TOWER", "--device", "abacus"), "no device 'abacus'"),
        (("classes.csv", "--model", "TOWER", "--out", "classes.csv"), "Could not write"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, gsmflow, here, tower):
    done = gsmflow("describe", *(tower if argument == "TOWER" else argument for argument in arguments), "--quiet")
    assert (done.code, done.out) == (2, ""), done
    assert re.fullmatch(r"gsmflow: [^\n]*[.?]\n", done.err), done.err
    assert said in done.err
    assert [path.name for path in here.iterdir()] == ["classes.csv"]
