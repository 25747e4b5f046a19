"""Semantics of a new class: of words, of attributes, of both, in the model's own order and space."""

from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from gsmflow.encoders.new_class import class_semantics, read_attributes, semantic_parts
from gsmflow.encoders.texts import describe_classes, load_text_encoder
from gsmflow.errors import DataWarning, InputError
from tests.encoders.word_problem import SAID, train

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="the extra texts is not installed")
KINDS = {"text": ("text",), "attributes": ("attributes",), "both": ("attributes", "text")}
NUMBERS = [0.5, -1.0, 0.25]
NAMED = {"size": 0.25, "wings": 0.5, "legs": -1.0}


@pytest.fixture(scope="session")
def tower(tmp_path_factory):
    from tests.encoders.word_twins import save_tower

    return save_tower(tmp_path_factory.mktemp("tower"), longest=16)


@pytest.fixture(scope="session")
def models(tower):
    return {kind: train(tower, parts) for kind, parts in KINDS.items()}


@pytest.fixture(scope="session")
def encoder(tower):
    return load_text_encoder(tower, device="cpu", template="a photo of {}")


def refused():
    raise AssertionError("no encoder is needed")


def test_parts_are_named(models):
    assert [semantic_parts(models[kind]) for kind in KINDS] == [
        (("text", 16),),
        (("attributes", 3),),
        (("attributes", 3), ("text", 16)),
    ]


@pytest.mark.parametrize("attributes", [NUMBERS, NAMED], ids=["in order", "by name"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_part_stands_in_its_place(kind, attributes, models, encoder):
    words = [SAID, "a bird"]
    parts = {"attributes": np.array(NUMBERS, np.float32), "text": describe_classes(encoder, [words])[0]}
    found = class_semantics(
        models[kind],
        "griffin",
        descriptions=words if "text" in KINDS[kind] else (),
        attributes=attributes if "attributes" in KINDS[kind] else (),
        encoder=(lambda: encoder) if "text" in KINDS[kind] else refused,
    )
    np.testing.assert_allclose(found, np.concatenate([parts[part] for part in KINDS[kind]]), atol=1e-6)
    assert found.dtype == np.float32
    deepcopy(models[kind]).add_classes({"griffin": found})


@pytest.mark.parametrize("kind", KINDS)
def test_all_numbers_of_the_semantics_do_for_any_model(kind, models):
    row = models[kind].class_semantics[3] * 0.9
    np.testing.assert_array_equal(class_semantics(models[kind], "x", attributes=row.tolist(), encoder=refused), row)


@pytest.mark.parametrize(
    ("kind", "descriptions", "attributes", "said"),
    [
        ("text", (), NUMBERS, "are words in 16 dimensions: give description= and drop attributes="),
        ("text", ("a",), NUMBERS, "are words in 16 dimensions: drop attributes="),
        ("text", (), (), "give description="),
        ("attributes", ("a",), (), "are 3 attributes: give attributes= and drop description=; if .* text_encoder="),
        ("both", ("a",), (), "are 3 attributes and words in 16 dimensions: give attributes="),
        ("both", (), NUMBERS, "give description="),
        ("text", ("a", " "), (), "A description of 'griffin' is empty"),
        ("attributes", (), NUMBERS[:2], "must be 3 finite numbers; found 2"),
        ("attributes", (), [1, 2, float("nan")], "must be 3 finite numbers; found NaN"),
        ("attributes", (), [1, 2, 1e300], "must be 3 finite numbers; found NaN, infinite or too large"),
        ("attributes", (), NAMED | {"leg": 1}, "no attribute 'leg' in this model: did you mean 'legs'"),
        ("both", ("a",), {"wings": 1}, r"2 of 3 attributes of 'griffin' are missing \(legs, size\): give"),
        ("both", ("a",), NAMED | {"text": 1}, "no attribute 'text' in this model"),
    ],
)
def test_what_does_not_fit_is_one_sentence(kind, descriptions, attributes, said, models, encoder):
    with pytest.raises(InputError, match=said) as told:
        class_semantics(
            models[kind], "griffin", descriptions=descriptions, attributes=attributes, encoder=lambda: encoder
        )
    assert "\n" not in str(told.value)


def test_words_for_a_model_that_does_not_know_how_its_semantics_were_made(models, encoder):
    model = deepcopy(models["text"])
    model.about = replace(model.about, text_encoder=None)
    given = {"descriptions": [SAID], "encoder": lambda: encoder}
    expected = class_semantics(models["text"], "griffin", **given)
    np.testing.assert_array_equal(class_semantics(model, "griffin", words=True, **given), expected)
    with pytest.raises(InputError, match=r"words of this model's semantics have 3 dimensions, .* gives others"):
        class_semantics(models["attributes"], "griffin", words=True, **given)


def test_numbers_on_another_scale_are_told(models):
    with pytest.warns(DataWarning, match="1 attributes of 'griffin' lie far .* first is legs with 400"):
        class_semantics(models["attributes"], "griffin", attributes=[0, 400, 0], encoder=refused)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["wings=1,legs=-4.5"], {"wings": 1, "legs": -4.5}),
        (["wings=1", "legs = 4"], {"wings": 1, "legs": 4}),
        (["a::b=c=1e-2"], {"a::b=c": 0.01}),
        (["1,0,-3.5"], [1, 0, -3.5]),
        (["1", "0,", "2"], [1, 0, 2]),
        (["row.npy"], [1, 2, 3]),
        (["table.csv"], {"wings": 2, "legs": 4}),
    ],
)
def test_attributes_on_a_command_line(given, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("row.npy", [[1, 2, 3]])
    (tmp_path / "table.csv").write_text("name,wings,description,legs\nzebra,0,b,4\ngriffin,2,a,4\n")
    assert read_attributes(given, "griffin") == expected


def test_more_numbers_than_a_name_of_a_file_has_letters():
    assert read_attributes([",".join(["0.25"] * 312)], "griffin") == [0.25] * 312


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["wings"], "'wings' is no number, nor NAME=NUMBER, nor a file"),
        (["wings=one"], "'wings=one' is no number"),
        (["wings=1,wings=2"], "'wings' is given twice"),
        (["wings=1,2"], "name all of them, or none"),
        (["1,2,=3"], None),
        (["bad.npy"], "no readable .npy file of numbers"),
        (["objects.npy"], "no readable .npy file of numbers"),
        (["table.csv"], "names no class 'griffin': did you mean 'griffon'"),
        (["words.csv"], "holds no attributes"),
    ],
)
def test_attributes_that_are_none(given, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.npy").write_bytes(b"no")
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "table.csv").write_text("name,wings\ngriffon,0\nzebra,1\n")
    (tmp_path / "words.csv").write_text("name,description\ngriffin,a\n")
    if said is None:
        assert read_attributes(given, "griffin") == [1, 2, 3]
        return
    with pytest.raises(InputError, match=said):
        read_attributes(given, "griffin")
