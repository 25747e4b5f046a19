"""`gsmflow classes`: a class that is added by words is recognised at once; nothing is changed by what is refused."""

import json
import re
import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gsmflow import load_model
from gsmflow.encoders.texts import describe_classes, load_text_encoder
from tests.encoders.word_problem import LATER, NAMES, SAID, features_of, train

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="the extra texts is not installed")


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    """A folder of models, and of the tower that gave them their words."""
    from tests.encoders.word_twins import save_tower

    folder = tmp_path_factory.mktemp("models")
    tower = save_tower(folder / "tower", longest=16)
    save_tower(folder / "other", longest=16, seed=1)
    train(tower, ("text",)).save(folder / "words.safetensors")
    train(tower, ("attributes",)).save(folder / "attributes.safetensors")
    return folder


@pytest.fixture
def here(saved, tmp_path, monkeypatch) -> Path:
    for path in saved.glob("*.safetensors"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_class_added_by_words_is_recognised_at_once(gsmflow, here, saved):
    known = load_model("words.safetensors")
    encoder = load_text_encoder(saved / "tower", device="cpu", template="a photo of {}")
    features = features_of(describe_classes(encoder, [[SAID]])[0], 50, seed=1)
    assert LATER not in known.predict(features)
    done = gsmflow("classes", "words.safetensors", "add", LATER, "--description", SAID)
    assert done.code == 0, done
    assert done.out == f"{LATER}: added by 1 text; words.safetensors has 28 classes now, 24 seen and 4 unseen\n"
    model = load_model("words.safetensors")
    assert (model.predict(features) == LATER).mean() > 0.9
    others = [name for name in model.predict(features_of(known.class_semantics[25], 50, seed=2))]
    assert others.count(NAMES[25]) > 45
    assert model.about.text_encoder == known.about.text_encoder


def test_several_texts_are_averaged_and_another_file_can_be_written(gsmflow, here, saved):
    before = (here / "words.safetensors").read_bytes()
    command = (
        "classes",
        "words.safetensors",
        "add",
        LATER,
        "--description",
        SAID,
        "a bird",
        "--out",
        "new.safetensors",
    )
    done = gsmflow(*command, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{LATER}: added by 2 texts; new.safetensors has 28 classes now")
    encoder = load_text_encoder(saved / "tower", device="cpu", template="a photo of {}")
    expected = describe_classes(encoder, [[SAID, "a bird"]])[0]
    np.testing.assert_allclose(load_model("new.safetensors").class_semantics[-1], expected, atol=1e-6)
    assert (here / "words.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "attributes", [("1,-0.5,0.2",), ("wings=1,size=0.2", "legs=-0.5"), ("-0.5,1,0.2",), ("table.csv",)]
)
def test_a_class_is_added_by_attributes(attributes, gsmflow, here):
    (here / "table.csv").write_text(f"name,size,wings,legs\n{LATER},0.2,1,-0.5\n")
    done = gsmflow("classes", "attributes.safetensors", "add", LATER, "--attributes", *attributes)
    assert (done.code, done.err) == (0, ""), done
    assert "added by attributes" in done.out
    expected = [-0.5, 1, 0.2] if attributes[0].startswith("-") else [1, -0.5, 0.2]
    np.testing.assert_allclose(load_model("attributes.safetensors").class_semantics[-1], expected)


def test_the_text_encoder_may_have_moved(gsmflow, here, saved):
    (saved / "tower").rename(saved / "moved")
    try:
        add = ("classes", "words.safetensors", "add", LATER, "--description", SAID)
        gone = gsmflow(*add, "--quiet")
        assert gone.code == 2
        assert "no longer at" in gone.err
        assert re.search(r"with (--text-encoder|text_encoder=)\.\n", gone.err)
        assert gsmflow(*add, "--text-encoder", saved / "moved").code == 0
    finally:
        (saved / "moved").rename(saved / "tower")


def test_classes_are_listed(gsmflow, here):
    table = gsmflow("classes", "words.safetensors").out.splitlines()
    assert [line.rsplit(None, 1) for line in table[22:27]] == [
        [name, "seen" if k < 24 else "unseen"] for k, name in enumerate(NAMES) if k >= 22
    ]
    assert table[-1] == "27 classes: 24 seen, 3 unseen"
    text = gsmflow("classes", "words.safetensors", "list", "--format", "csv").out.splitlines()
    assert (text[0], text[1], text[-1]) == ("name,seen", f"{NAMES[0]},true", f"{NAMES[-1]},false")
    lines = gsmflow("classes", "words.safetensors", "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines[-1:]] == [{"name": NAMES[-1], "seen": False}]


@pytest.mark.parametrize("name", ["7", "sea bear", "Bär", "猫", "a,b", "-"])
def test_any_name_that_can_be_printed_comes_and_goes(name, gsmflow, here):
    before = load_model("attributes.safetensors")
    assert gsmflow("classes", "attributes.safetensors", "add", "--attributes=1,2,3", "--", name).code == 0
    assert load_model("attributes.safetensors").class_names == (*NAMES, name)
    done = gsmflow("classes", "attributes.safetensors", "remove", "--", name)
    assert done.out.startswith(f"{name}: removed; attributes.safetensors has 27 classes now")
    assert load_model("attributes.safetensors").class_names == before.class_names


def test_the_model_of_a_run_and_its_card_are_changed_and_the_rest_is_not(gsmflow, run):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    first, second = load_model(run).class_names[:2]
    done = gsmflow("classes", run, "remove", second, first)
    assert done.code == 0
    assert re.match(
        rf"{second}, {first}: removed; .*run/model.safetensors has .* tell of the model as it was", done.out
    )
    assert first not in load_model(run).class_names
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after[name]} == {"model.safetensors", "README.md"}
    report = gsmflow("report", run)
    assert report.code == 2
    assert "were changed after training" in report.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list",), "say which model first"),
        (("--format", "csv"), "say which model first"),
        (("gone.safetensors",), "There is no model gone.safetensors"),
        (("words.safetensors", "ad"), "there is no 'ad'; choose one of list, add, remove"),
        (("words.safetensors", "add"), "say which class, and what it is"),
        (("words.safetensors", "add", LATER), "say which class, and what it is"),
        (("words.safetensors", "add", "--description", "no", "name"), "say which class, and what it is"),
        (
            ("words.safetensors", "add", LATER, "a horse with a horn"),
            f"with --description: gsmflow classes words.safetensors add {LATER} --description 'a horse with a horn'.",
        ),
        (("words.safetensors", "add", "sea", "cow", "--description", "a"), "is it 'sea cow', in quotes?"),
        (("words.safetensors", "add", NAMES[0], "--description", "a"), f"knows a class '{NAMES[0]}' already"),
        (("words.safetensors", "add", "a\nb", "--description", "a"), r"'a\nb' is no name of a class"),
        (("words.safetensors", "add", " a", "--description", "a"), "' a' is no name of a class"),
        (("words.safetensors", "add", LATER, "--description", "\udcef"), "is not UTF-8: write it anew"),
        (("words.safetensors", "add", LATER, "--attributes", "1"), "are words in 16 dimensions: give"),
        (("attributes.safetensors", "add", LATER, "--description", "a"), "are 3 attributes: give"),
        (("attributes.safetensors", "add", LATER, "--attributes", "tail=1"), "no attribute 'tail' in this model"),
        (("attributes.safetensors", "add", LATER, "--attributes", "legs=1"), "are missing (wings, size): give"),
        (("attributes.safetensors", "add", LATER, "--attributes", "0,0,0"), "are 0 in every entry"),
        (
            ("attributes.safetensors", "add", LATER, "--attributes", "1,2,3", "--text-encoder", "x"),
            "--text-encoder has no effect",
        ),
        (
            ("words.safetensors", "add", LATER, "--description", "a", "--text-encoder", "OTHER"),
            "is another encoder than the one that was used",
        ),
        (
            ("words.safetensors", "add", LATER, "--description", "a", "--out", "attributes.safetensors"),
            "attributes.safetensors is there already",
        ),
        (("words.safetensors", "remove"), "say which classes"),
        (("words.safetensors", "remove", NAMES[0][:-1]), f"did you mean '{NAMES[0]}'"),
        (("words.safetensors", "remove", NAMES[0], "3"), "There is no class '3' in words.safetensors"),
        (("words.safetensors", "remove", NAMES[0], NAMES[0]), "is given twice"),
        (("words.safetensors", "remove", *NAMES), "needs at least one class"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(arguments, said, gsmflow, here, saved):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    done = gsmflow("classes", *(saved / "other" if argument == "OTHER" else argument for argument in arguments))
    told = [line for line in done.err.splitlines() if not line.startswith("loading ")]
    assert (done.code, done.out, len(told)) == (2, "", 1), done
    assert re.fullmatch(r"gsmflow: .*[^?][.?]", told[0])
    assert said in told[0]
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_what_another_program_wrote_meanwhile_is_not_lost(gsmflow, here, monkeypatch):
    def other(name, model):
        load_model("words.safetensors").save("words.safetensors")

    monkeypatch.setattr(import_module("gsmflow.cli.classes"), "check_new", other)
    before = (here / "words.safetensors").stat().st_ino
    done = gsmflow("classes", "words.safetensors", "add", LATER, "--description", SAID)
    assert done.code == 2
    assert "words.safetensors was changed by another program meanwhile" in done.err
    assert LATER not in load_model("words.safetensors").class_names
    assert (here / "words.safetensors").stat().st_ino != before


def test_a_link_to_a_model_stays_one(gsmflow, here):
    (here / "link.safetensors").symlink_to("words.safetensors")
    done = gsmflow("classes", "link.safetensors", "remove", NAMES[0])
    assert done.code == 0
    assert "; link.safetensors has 26 classes now" in done.out
    assert (here / "link.safetensors").is_symlink()
    assert NAMES[0] not in load_model("words.safetensors").class_names


def test_a_recognizer_that_must_be_fitted_again_says_so(gsmflow, run):
    before = (run / "model.safetensors").read_bytes()
    done = gsmflow("classes", run, "add", LATER, "--attributes", "1,2,0")
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"gsmflow: [^\n]* fitted again[^\n]*\n", done.err), done.err
    assert (run / "model.safetensors").read_bytes() == before


def test_a_model_written_beside_that_of_a_run_leaves_its_card_alone(gsmflow, run):
    before = (run / "README.md").read_bytes()
    first = load_model(run).class_names[0]
    done = gsmflow("classes", run, "remove", first, "--out", run / "other.safetensors")
    assert (done.code, done.err) == (0, "")
    assert "tell of the model" not in done.out
    assert (run / "README.md").read_bytes() == before
    assert first in load_model(run).class_names


def test_the_card_is_written_anew_where_the_file_of_a_run_is_given(gsmflow, run):
    first = load_model(run).class_names[0]
    done = gsmflow("classes", run / "model.safetensors", "remove", first)
    assert (done.code, done.err) == (0, "")
    assert "tell of the model as it was trained" in done.out
    assert f"`{first}`" not in (run / "README.md").read_text()


def test_help_tells_the_shapes(gsmflow):
    for arguments in ((), ("--help",)):
        done = gsmflow("classes", *arguments)
        assert done.code == 0
        assert "gsmflow classes MODEL add NAME --description TEXT" in done.out
    assert "--attributes" in gsmflow("classes", "x", "add", "--help").out


def test_a_card_that_somebody_edited_is_left_as_it_is(gsmflow, run):
    card = run / "README.md"
    card.write_text(card.read_text() + "\nMy own words.\n")
    before = card.read_bytes()
    done = gsmflow("classes", run, "remove", load_model(run).class_names[0])
    assert done.code == 0
    assert "was edited and is left as it is" in done.err
    assert card.read_bytes() == before
