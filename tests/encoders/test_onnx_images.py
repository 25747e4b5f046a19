import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from gsmflow.encoders.images import load_image_encoder
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import DIM, picture, write_onnx

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

EMOJI = Path(__file__).parents[3] / "shared" / "data" / "emoji"
PLAIN = {"mean": [0.0], "std": [1.0]}


def features(encoder, count: int = 3) -> np.ndarray:
    return encoder.encode([encoder.prepare(picture(seed)) for seed in range(count)])


@pytest.fixture
def net(tmp_path):
    return write_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("batch", ["n", 1, 2])
@pytest.mark.parametrize("output", ["features", "map"])
def test_features_do_not_hang_on_how_the_file_takes_pictures(first, batch, output, tmp_path, net):
    shape = (batch, 3, 8, 8) if first else (batch, 8, 8, 3)
    other = write_onnx(tmp_path / "other.onnx", shape=shape, outputs=(output,))
    ours, theirs = (features(load_image_encoder(path, **PLAIN)) for path in (net, other))
    assert theirs.shape == (3, DIM)
    assert theirs.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_features_are_those_of_onnxruntime(net):
    import onnxruntime

    encoder = load_image_encoder(net, mean=[10.0, 20.0, 30.0], std=[2.0])
    pixels = np.asarray(picture().resize((8, 8), 3), np.float32)
    pixels = ((pixels - np.array([10, 20, 30], np.float32)) / 2).transpose(2, 0, 1)[None]
    expected = onnxruntime.InferenceSession(str(net)).run(["features"], {"pixels": pixels})[0]
    np.testing.assert_allclose(features(encoder, 1), expected, rtol=1e-5)


def test_grey_and_any_size(tmp_path):
    path = write_onnx(tmp_path / "grey.onnx", shape=("n", 1, "h", "w"))
    assert features(load_image_encoder(path, size=10, **PLAIN)).shape == (3, DIM)
    with pytest.raises(InputError, match="any size"):
        load_image_encoder(path, **PLAIN)


def test_no_picture_gives_no_row(net):
    assert load_image_encoder(net, **PLAIN).encode([]).shape == (0, DIM)


def test_it_says_what_it_assumes(net):
    with pytest.warns(DataWarning, match=r"assumed: RGB on white, upright, resized to 8 x 8 \(bicubic\)"):
        load_image_encoder(net)


@pytest.mark.parametrize("name", ["net.json", "net.onnx.json", "preprocessing.json"])
def test_a_json_file_beside_it_is_read(name, net):
    told = {"size": 8, "mean": [1, 2, 3], "std": 4, "resample": "bilinear", "shortest": 9, "output": "features"}
    (net.parent / name).write_text(json.dumps(told))
    found = load_image_encoder(net).preprocessing
    assert (found.mean, found.std, found.resample, found.shortest) == ((1, 2, 3), (4, 4, 4), "bilinear", 9)


def test_what_is_recorded(net):
    record = load_image_encoder(net, **PLAIN).record
    assert (record.kind, record.name, record.dim, record.revision) == ("onnx", "net.onnx", DIM, None)
    assert record.place == os.path.abspath(net)
    assert record.preprocessing["output"] == "features"
    assert json.loads(json.dumps(record.preprocessing)) == record.preprocessing


def test_weights_beside_the_file_belong_to_it(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", external=True)
    before = load_image_encoder(path, **PLAIN)
    weights = tmp_path / "net.onnx.data"
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    assert load_image_encoder(path, **PLAIN).record.sha256 != before.record.sha256
    weights.unlink()
    with pytest.raises(InputError, match="weights beside it are missing"):
        load_image_encoder(path, **PLAIN)


def test_one_of_several_outputs_is_asked_for(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", outputs=("features", "other", "tokens"))
    with pytest.raises(InputError, match=r"features \(n, 6\), other \(n, 6\).*output="):
        load_image_encoder(path, **PLAIN)
    one, two = (load_image_encoder(path, output=name, **PLAIN) for name in ("features", "other"))
    np.testing.assert_allclose(features(one) * 2, features(two), rtol=1e-5)
    assert not one.record.is_same(two.record)


def test_rows_go_before_a_map(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", outputs=("map", "features"))
    assert load_image_encoder(path, **PLAIN).output == "features"


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        ({"outputs": ("tokens",)}, {}, "has no output that could be features"),
        ({"outputs": ("tokens",)}, {"output": "tokens"}, "no output 'tokens' that could be"),
        ({}, {"output": "nothing"}, "no output 'nothing'.*features"),
        ({"extra_input": True}, {}, "does not take pictures alone.*words"),
        ({}, {"size": 9}, "8 x 8 pixels only; found 9 x 9"),
        ({"shape": ("n", 3, "h", "w")}, {"size": 1}, "fails on pictures of 1 x 1"),
        ({}, {"device": "mps"}, "run here on .*found device='mps'"),
        ({}, {"threads": 0}, "threads="),
        ({}, {"size": "big"}, "size"),
    ],
)
def test_what_cannot_be_is_refused(make, options, says, tmp_path):
    with pytest.raises(InputError, match=says):
        load_image_encoder(write_onnx(tmp_path / "net.onnx", **make), **{**PLAIN, **options})


@pytest.mark.parametrize("shape", [["n", 4], ["n", 4, 8, 8], ["n", 3, 8, 8, 8]])
def test_a_file_that_takes_no_pictures_is_refused(shape, tmp_path):
    from onnx import TensorProto, helper, save

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", [x], [y])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "x.onnx"))
    with pytest.raises(InputError, match=r"pictures.*it wants x \(n, "):
        load_image_encoder(tmp_path / "x.onnx", **PLAIN)


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_damaged_file_is_refused(keep, net):
    content = net.read_bytes()
    net.write_bytes(content[:keep] if keep >= 0 else b"no model at all")
    with pytest.raises(InputError, match="not a readable ONNX file"):
        load_image_encoder(net, **PLAIN)


def test_a_missing_library_is_named(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime that is not installed: pip install 'gsmflow\[onnx\]'"):
        load_image_encoder(net, **PLAIN)


@pytest.mark.skipif(not EMOJI.exists(), reason="the emoji are not here")
def test_features_of_emoji_are_those_given_with_them():
    from scipy.io import loadmat

    from gsmflow.encoders.pictures import encode_files, list_pictures

    encoder = load_image_encoder(EMOJI / "efficientnet_lite0.onnx", threads=1)
    pictures = list_pictures(EMOJI / "images", EMOJI / "splits.csv")
    given = loadmat(EMOJI / "EMOJI" / "efficientnet.mat", variable_names=["features"])["features"].T
    rows = slice(0, None, 300)
    found = np.concatenate([part.features for part in encode_files(encoder, pictures.paths[rows], batch=3, workers=1)])
    np.testing.assert_allclose(found, given[rows], atol=1e-3)
