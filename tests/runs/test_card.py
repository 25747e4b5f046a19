"""The card of a model: what it says, and that no name from the data says more than a name."""

import re
from copy import deepcopy
from dataclasses import replace

import pytest
import yaml
from markdown_it import MarkdownIt

import gsmflow
from gsmflow.data import EncoderRecord, Provenance
from gsmflow.runs import RunFolder, model_card

EVIL = (
    "](http://evil.test) <script>alert(1)</script>",
    "two\nlines\n---\nlicense: mit\n---\n# heading",
    "``` fence",
    "`",
    "<img src=x onerror=alert(1)>",
    "a | b \\| c",
    "http://evil.test/autolink @someone $x^2$ &amp; *b* _i_",
    "quotes \" ' : # {yaml: [1]} !!python/object",
    "\u202egnp.exe\x00\x1b[31m",
    "\ud800",
    "x" * 500,
    "多 naïve 🦛",
    "- list",
    " ",
    "---",
)
ESTIMATE = {name: {"mean": 40.0 + i, "low": 30.0, "high": 50.25} for i, name in enumerate(["T1", "U", "S", "H"])}
ONNX = EncoderRecord(
    "onnx", "/home/me/net one.onnx", 32, "a" * 64, preprocessing={"size": 224}, place="/home/me/net.onnx"
)
CLIP = EncoderRecord("huggingface", "org/clip", 32, "b" * 64, revision="c" * 40)


@pytest.fixture(scope="module")
def result() -> gsmflow.Result:
    return gsmflow.train(gsmflow.load("synthetic"), "gaussian", seed=0)


@pytest.fixture
def model(result) -> gsmflow.ZeroShotModel:
    return deepcopy(result.model)


def about(model, **changes):
    """The same model, which says other things of itself."""
    model.about = replace(model.about, **changes)
    return model


def parts(card: str) -> tuple[dict, str]:
    """Front matter as Hugging Face finds it, and prose."""
    found = re.match(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))", card)
    assert found
    return yaml.safe_load(found[2]), card[found.end() :]


def untested(record: dict) -> dict:
    return record | dict.fromkeys(("T1", "U", "S", "H"))


def test_the_card_of_a_run(result):
    front, prose = parts(model_card(result.model, result.record))
    assert front["library_name"] == "gsmflow"
    assert "zero-shot-learning" in front["tags"]
    assert not {"license", "pipeline_tag"} & front.keys()  # nobody told it
    entry = front["model-index"][0]
    values = {metric["name"].partition(":")[0]: metric["value"] for metric in entry["results"][0]["metrics"]}
    assert values == {name: round(result.record[name], 1) for name in ("T1", "U", "S", "H")}
    for value in values.values():
        assert f"| {value:.1f} |" in prose
    for words in (
        "15 seen and 5 unseen classes",
        "- Unseen (5): `class 16`, `class 17`",
        f"`{result.record['fingerprint']}`",
        "gsmflow predict model.safetensors features.npy --top-k 5",
        'gsmflow.load_model("model.safetensors")',
        "It always names one of its classes",
        f"calibration constant: {result.model.constant:.4g}",
        "`validated`",
    ):
        assert words in prose


def test_what_machines_read_is_what_hugging_face_expects(result):
    repocard = pytest.importorskip("huggingface_hub")
    card = repocard.ModelCard(model_card(result.model, result.record))
    assert card.data.library_name == "gsmflow"
    found = {one.metric_name.partition(":")[0]: one.metric_value for one in card.data.eval_results}
    assert found["H"] == round(result.record["H"], 1)
    assert {one.dataset_type for one in card.data.eval_results} == {"synthetic"}


def test_an_estimate_is_marked_and_no_measurement(model, result):
    front, prose = parts(model_card(model, untested(result.record) | {"estimate": ESTIMATE | {"folds": 3}}))
    assert "model-index" not in front
    assert "**which is an estimate and no measurement on test samples**" in prose
    assert "in 3 folds" in prose
    assert "| H | 43.0 | 30.0 to 50.2 |" in prose
    assert "Nothing was measured on test samples" in prose
    assert "Measured on test samples" not in prose


def test_an_estimate_of_one_fold_has_no_interval(model):
    estimate = {name: {"mean": 40.0, "low": None, "high": None} for name in ESTIMATE}
    assert "| S | 40.0 | none, of one fold |" in model_card(model, {"estimate": estimate | {"folds": 1}})


@pytest.mark.parametrize(
    "record", [None, {}, {"H": None, "estimate": None}, {"H": True, "estimate": {"H": 3}}, {"H": "9"}]
)
def test_without_numbers(model, record):
    front, prose = parts(model_card(model, record))
    assert "model-index" not in front
    assert "None is known: nothing was measured" in prose


def test_numbers_of_other_data_are_left_out(model, result):
    assert "model-index" not in parts(model_card(model, result.record | {"fingerprint": "0"}))[0]


def test_selected_on_test_is_said_loudly(model, result):
    front, prose = parts(model_card(about(model, protocol="published", selected_on="TEST"), result.record))
    assert "**Selected on test: the test sets chose the model, these numbers are too good.**" in prose
    metrics = front["model-index"][0]["results"][0]["metrics"]
    assert all(metric["name"].endswith("(selected on test)") for metric in metrics)


def test_numbers_of_the_model_before_classes_came_and_went(model, result):
    record = result.record | {"classes": {"seen": 15, "unseen": 5}}
    words = "**Classes were added or removed since: these numbers are of the model before.**"
    assert words not in model_card(model, record)
    model.remove_classes(["class 17"])
    assert words in model_card(model, result.record)
    model.add_classes({"okapi": model.class_semantics[:2].mean(0)})
    assert words in model_card(model, record)
    assert "`okapi`" in model_card(model, record)


@pytest.mark.parametrize(
    ("encoder", "text_encoder", "words"),
    [
        (
            ONNX,
            None,
            ["PICTURE.png --encoder 'net one.onnx'", "gsmflow[onnx]", "`size 224`", "get it from who published"],
        ),
        (CLIP, CLIP, ["PICTURE.png --top-k", "gsmflow[images]", f"revision `{'c' * 40}`", '--description "WORDS"']),
        (None, ONNX, ["features.npy", "Encoder of pictures: not known", "--text-encoder"]),
    ],
)
def test_encoders(model, encoder, text_encoder, words):
    front, prose = parts(model_card(about(model, encoder=encoder, text_encoder=text_encoder)))
    assert front.get("pipeline_tag") == ("zero-shot-image-classification" if encoder else None)
    for one in words:
        assert one in prose
    assert "/home/me" not in prose


def test_a_model_that_takes_no_classes_promises_none(model):
    assert "classes model.safetensors add" in model_card(model)
    assert "classes model.safetensors add" not in model_card(about(model, recognizer="softmax"))


@pytest.mark.parametrize("name", EVIL)
def test_names_are_nothing_but_names(model, result, name):
    names = (name, *model.class_names[1:15], *model.class_names[16:], f"{name}2")
    encoder = replace(CLIP, name=name, revision=name, preprocessing={name: name})
    source = Provenance(name, name, name, (name,), (name,), encoder=encoder)
    record = deepcopy(result.record)
    record["chosen"]["choice"] = {name: name}
    quiet = about(
        model, class_names=tuple(f"class {i}" for i in range(20)), dataset="d", encoder=CLIP, text_encoder=CLIP
    )
    before = model_card(quiet, record | {"chosen": {"choice": {"a": "b"}}})
    changes = {"class_names": names, "dataset": name, "provenance": source, "encoder": encoder, "text_encoder": encoder}
    card = model_card(about(model, **changes), record)
    card.encode()
    front, prose = parts(card)
    assert set(front) == set(parts(before)[0])
    html = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(prose)
    tags = [
        re.findall(r"<(\w+)", one) for one in (html, MarkdownIt("commonmark").enable("table").render(parts(before)[1]))
    ]
    assert set(tags[0]) == set(tags[1])
    assert [tags[0].count(tag) for tag in ("h1", "h2", "table", "pre")] == [1, 6, 2, 2]
    assert all(letter.isprintable() or letter == "\n" for letter in card)
    assert max(map(len, prose.splitlines())) < 3000


def test_many_classes_are_not_all_listed(model):
    names = tuple(f"class {i}" for i in range(20))
    assert "All of them: `gsmflow classes" not in model_card(about(model, class_names=names))
    model.add_classes({f"new {i}": vector for i, vector in enumerate(model.class_semantics + 0.1)})
    card = model_card(model)
    assert "and 5 more" in card
    assert "All of them: `gsmflow classes model.safetensors list`" in card


def test_the_same_model_has_the_same_card(result, tmp_path):
    path = tmp_path / "model.safetensors"
    result.model.save(path)
    card = model_card(result.model, result.record)
    assert model_card(gsmflow.load_model(path), result.record | {"seconds": 9, "peak_memory_mb": 9}) == card
    assert str(tmp_path) not in card


def test_it_is_written_beside_the_model(tmp_path, model):
    RunFolder(tmp_path).write_card(model_card(model))
    assert (tmp_path / "README.md").read_text() == model_card(model)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
