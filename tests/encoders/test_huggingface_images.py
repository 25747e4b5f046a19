import json
import os
import sys

import numpy as np
import pytest

from gsmflow.data import in_one_space
from gsmflow.encoders.images import load_image_encoder
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import huggingface_model, picture

pytest.importorskip("transformers", reason="the extra images is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:transformers")

KINDS = {
    "resnet": ("pooler_output", 8),
    "dinov2": ("pooler_output", 8),
    "clip": ("image_features", 5),
    "siglip": ("image_features", 8),
    "vit": ("pooler_output", 8),
    "vit without pooler": ("class token", 8),
}
CALM = {"size": 16, "mean": [127.5], "std": [127.5]}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Folders of tiny models, each made once."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = huggingface_model(kind, tmp_path_factory.mktemp(kind.replace(" ", "-")))
        return made[kind]

    return make


def copied(folder, tmp_path, *, without=(), **config):
    """A copy of a model's folder that lacks files, with other values in ``config.json``."""
    for file in folder.iterdir():
        if file.name not in without:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    if config:
        (tmp_path / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text()) | config))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_transformers(kind, model):
    import torch
    from transformers import AutoImageProcessor, AutoModel

    folder, (output, dim) = model(kind), KINDS[kind]
    encoder = load_image_encoder(folder, device="cpu", threads=1)
    images = [picture(seed, (30, 25)) for seed in range(3)]
    found = encoder.encode([encoder.prepare(image) for image in images])
    theirs = AutoModel.from_pretrained(folder)
    pixels = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    with torch.no_grad():
        if output == "image_features":
            expected = theirs.get_image_features(**pixels)
            expected = getattr(expected, "pooler_output", expected)
        else:
            given = theirs(**pixels)
            expected = given.pooler_output.flatten(1) if output[0] == "p" else given.last_hidden_state[:, 0]
    assert (found.shape, found.dtype) == ((3, dim), np.float32)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert encoder.record.preprocessing["output"] == output
    assert np.ptp(found, axis=0).max() > 1e-4  # pictures are told apart


def test_what_is_recorded(model):
    folder = model("dinov2")
    record = load_image_encoder(folder).record
    assert (record.kind, record.name, record.dim, record.revision) == ("huggingface", folder.name, 8, None)
    assert record.place == os.path.abspath(folder)
    assert json.loads(json.dumps(record.preprocessing)) == record.preprocessing
    assert record.preprocessing["shortest"] == 20


def test_both_halves_of_clip_lie_in_one_space(model):
    from gsmflow.data import EncoderRecord
    from gsmflow.encoders.base import weight_files
    from gsmflow.files import sha256_of

    record = load_image_encoder(model("clip")).record
    words = EncoderRecord("huggingface", "words", 5, sha256_of(*weight_files(model("clip"))))
    assert in_one_space(record, words)


def test_a_model_without_file_of_its_preprocessing_needs_it_told(model, tmp_path):
    folder = model("dinov3")
    with pytest.raises(InputError, match=r"holds no preprocessor_config.json: give size=, mean=, std="):
        load_image_encoder(folder)
    encoder = load_image_encoder(folder, **CALM)
    assert encoder.encode([encoder.prepare(picture())]).shape == (1, 8)


def test_options_take_the_place_of_what_the_model_tells(model):
    with pytest.warns(DataWarning, match="mean 1 takes the place"):
        assert load_image_encoder(model("siglip"), mean=[1], std=[2]).preprocessing.mean == (1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "changes", "options", "says"),
    [
        ("vit", {"without": ["config.json"]}, {}, "holds no config.json"),
        ("vit", {"without": ["model.safetensors"]}, {}, "holds no model.safetensors"),
        ("vit", {"num_hidden_layers": 2}, {}, "lacks weights of "),
        ("vit", {"hidden_size": 6}, {}, "could not be loaded"),
        ("vit", {"model_type": "nobody knows"}, {}, "could not be loaded"),
        ("vit", {}, {"size": 24}, "no features of pictures of 24 x 24"),
        ("vit", {}, {"output": "pooler"}, "output= is for ONNX files"),
        ("vit", {}, {"device": "nowhere"}, "no device 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(kind, changes, options, says, model, tmp_path):
    folder = copied(model(kind), tmp_path, **changes)
    with pytest.raises(InputError, match=says):
        load_image_encoder(folder, **options)


def test_damaged_weights_are_refused(model, tmp_path):
    folder = copied(model("vit"), tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="could not be loaded"):
        load_image_encoder(folder)


def test_a_model_of_words_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    BertModel(BertConfig(vocab_size=9, max_position_embeddings=8, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="'bert', which takes no pictures"):
        load_image_encoder(tmp_path, **CALM)


@pytest.mark.parametrize("name", ["facebook/no-such-model", "no-such-model", "./nowhere", "a/b/c", "~/nowhere"])
def test_a_model_that_is_nowhere_is_one_sentence(name):
    with pytest.raises(InputError, match="There is no folder"):
        load_image_encoder(name)


def test_a_missing_library_is_named(model, monkeypatch):
    folder = model("vit")  # made by the library that is then missing
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"transformers that is not installed: pip install 'gsmflow\[images\]'"):
        load_image_encoder(folder)
