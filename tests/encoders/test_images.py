from dataclasses import replace

import numpy as np
import pytest

from gsmflow.encoders.images import load_image_encoder, recorded_image_encoder
from gsmflow.errors import InputError
from tests.encoders.networks import picture, write_onnx

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

ASKED = {"size": 9, "mean": [1.0], "std": [2.0], "output": "other"}


@pytest.fixture
def encoder(tmp_path):
    return load_image_encoder(
        write_onnx(tmp_path / "net.onnx", shape=("n", 3, "h", "w"), outputs=("features", "other")), **ASKED
    )


def rows(encoder):
    return encoder.encode([encoder.prepare(picture())])


def test_a_recorded_encoder_treats_pictures_as_it_did(encoder):
    again = recorded_image_encoder(encoder.record)
    assert again.record == encoder.record
    np.testing.assert_array_equal(rows(again), rows(encoder))


def test_it_is_found_where_it_is_now(encoder, tmp_path):
    moved = (tmp_path / "net.onnx").rename(tmp_path / "moved.onnx")
    with pytest.raises(InputError, match=r"no longer at .*net\.onnx: say where it is with encoder="):
        recorded_image_encoder(encoder.record)
    np.testing.assert_array_equal(rows(recorded_image_encoder(encoder.record, moved)), rows(encoder))


def test_another_encoder_is_refused(encoder, tmp_path):
    other = write_onnx(tmp_path / "other.onnx", shape=("n", 3, 9, 9), outputs=("features", "other"))
    with pytest.raises(InputError, match="another encoder than the one that was used"):
        recorded_image_encoder(encoder.record, other)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": [8]}, "size"),
        ({"colour": "blue"}, "colour"),
        ({"mean": [1.0], "std": [2.0]}, "takes 3 channels"),
        ({"output": "gone"}, "no output 'gone'"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(encoder, changes, says):
    record = replace(encoder.record, preprocessing={**encoder.record.preprocessing, **changes})
    with pytest.raises(InputError, match=says):
        recorded_image_encoder(record)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("nowhere.onnx", {}, "no file nowhere.onnx"),
        ("picture.png", {}, "no .onnx file"),
        ("net.onnx", {"recorded": {}, "size": 8}, "is not changed by size="),
    ],
)
def test_what_is_no_model_is_refused(encoder, model, options, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture().save("picture.png")
    with pytest.raises(InputError, match=says):
        load_image_encoder(model, **options)


def test_it_must_be_known(encoder):
    with pytest.raises(InputError, match="not known which encoder"):
        recorded_image_encoder(None)


def test_another_file_is_told_as_such_whatever_pictures_it_takes(encoder, tmp_path):
    other = write_onnx(tmp_path / "other.onnx", shape=("n", 3, 6, 6))
    with pytest.raises(InputError, match=r"other\.onnx is another encoder than the one that was used"):
        recorded_image_encoder(encoder.record, other)
