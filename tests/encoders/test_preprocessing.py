import json
import warnings

import numpy as np
import pytest

from gsmflow.encoders.pixels import Preprocessing
from gsmflow.encoders.preprocessing import Told, asked_for, complete, override_told, read_told
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import picture

OURS = Told(size=(8, 8), mean=(127.0,), std=(128.0,))


def test_what_nothing_tells_is_assumed_and_said():
    with pytest.warns(DataWarning, match=r"net\.onnx wants its pictures; assumed: RGB on white.*\(value - 127\) / 128"):
        found = complete(Told(size=8), 3, "net.onnx")
    assert found == Preprocessing((8, 8), (127.0,) * 3, (128.0,) * 3)


@pytest.mark.parametrize(("channels", "mean"), [(1, (127.0,)), (3, (123.675, 116.28, 103.53))])
def test_the_file_that_is_proposed_can_be_read(channels, mean, tmp_path):
    with pytest.warns(DataWarning, match="--size 8 4 --mean") as told:
        complete(Told(size=(8, 4)), channels, "net.onnx")
    sentence = str(told[0].message)
    (tmp_path / "net.json").write_text(sentence[sentence.index("net.json beside it: ") + 20 : -1])
    proposed = complete(read_told(tmp_path / "net.json"), channels, "net.onnx")
    assert (proposed.size, proposed.mean) == ((8, 4), mean)


def test_what_is_told_is_not_remarked_upon():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert complete(OURS, 1, "net.onnx") == Preprocessing((8, 8), (127.0,), (128.0,))
        assert complete(Told(size=8, mean=0.0, std=1.0), 1, "net.onnx").std == (1.0,)  # values as they are


def test_mean_and_std_for_values_up_to_1_are_understood():
    with pytest.warns(DataWarning, match=r"values of 0 to 1.*123\.675"):
        found = complete(Told(size=8, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)), 3, "net.onnx")
    np.testing.assert_allclose(found.mean, (123.675, 116.28, 103.53))
    np.testing.assert_allclose(found.std, (58.395, 57.12, 57.375))


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (Told(mean=1.0, std=1.0), "any size"),
        (Told(size=8, mean=0.5, std=128.0), "do not fit together"),
        (Told(size=8, mean=127.0, std=0.5), "do not fit together"),
        (Told(size=8, mean=127.0), "std is not"),
        (Told(size=8, std=127.0), "mean is not"),
        (Told(size=8, mean=300.0, std=1.0), "of 0 to 255"),
        (Told(size=8, mean=-1.0, std=1.0), "of 0 to 255"),
        (Told(size=8, mean=1.0, std=0.0), "above 0"),
        (Told(size=8, mean=1.0, std=float("nan")), "above 0"),
        (Told(size=8, mean=(1.0, 2.0), std=1.0), "one a channel; found 2"),
        (Told(size=0, mean=1.0, std=1.0), "1 to 8,192"),
        (Told(size=(8, 8, 8), mean=1.0, std=1.0), "height and width"),
        (Told(size=8, mean=1.0, std=1.0, shortest=7), "cannot be cut"),
    ],
)
def test_nonsense_is_refused(told, says):
    with pytest.raises(InputError, match=says):
        complete(told, 3, "net.onnx")


def test_an_option_wins_and_that_is_said():
    with pytest.warns(DataWarning, match=r"size 16 takes the place of 8, which net\.json tells"):
        found = override_told(OURS, asked_for(16, None, None), "net.json")
    assert found == Told(size=16, mean=(127.0,), std=(128.0,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert override_told(OURS, asked_for((8, 8), np.array([127.0]), [128.0, 128.0]), "net.json").mean == (127.0,)


def test_another_size_keeps_how_much_is_cut_off():
    told = Told(size=(224, 224), shortest=256)
    with pytest.warns(DataWarning, match="takes the place"):
        assert override_told(told, asked_for(448, None, None), "net.json").shortest == 512


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not readable JSON"),
        ("[1]", "keys and values"),
        ('{"sice": 3}', "sice"),
        ('{"size": "big"}', "size"),
        ('{"resample": "cubic"}', "resample"),
        ('{"image_mean": [0.5], "do_resize": false}', "not resized"),
        ('{"image_mean": [0.5], "size": {"longest_edge": 8}}', "longest_edge"),
        ('{"image_mean": [0.5], "do_flip_channel_order": true}', "do_flip_channel_order"),
        ('{"image_mean": [0.5], "size": {"height": 8, "width": 8}, "resample": 17}', "not known here"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(content, says, tmp_path):
    (tmp_path / "net.json").write_text(content)
    with pytest.raises(InputError, match=says):
        read_told(tmp_path / "net.json")


CUT = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}
PROCESSORS = {
    "ResNet, small": ("ConvNextImageProcessor", {"size": {"shortest_edge": 16}}),
    "ResNet, large": ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    "DINOv2": ("BitImageProcessor", CUT),
    "CLIP": ("CLIPImageProcessor", CUT),
    "CLIP, not normal": ("CLIPImageProcessor", {**CUT, "do_normalize": False}),
    "CLIP, bytes": ("CLIPImageProcessor", {**CUT, "do_rescale": False, "image_mean": 99.0, "image_std": 50.0}),
    "SigLIP": ("SiglipImageProcessor", {"size": {"height": 16, "width": 12}}),
    "ViT": ("ViTImageProcessor", {"size": {"height": 16, "width": 16}}),
}


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [(50, 31), (17, 40)])
def test_pixels_are_those_of_transformers(name, size, tmp_path):
    transformers = pytest.importorskip("transformers")
    kind, options = PROCESSORS[name]
    processor = getattr(transformers, kind)(**options)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor.to_dict()))
    told = read_told(tmp_path / "preprocessor_config.json")
    ours = complete(told, 3, name)(picture(3, size))
    theirs = processor(picture(3, size), return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


OLD_CLIP = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "do_center_crop": True}


@pytest.mark.parametrize(
    ("content", "size", "shortest"),
    [
        (OLD_CLIP, (224, 224), 224),
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": 224}, (224, 224), None),
        ({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875}, (224, 224), 256),
        ({"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 8, "width": 9}}, (8, 9), None),
    ],
)
def test_older_files_are_read(content, size, shortest, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, **content}))
    told = read_told(tmp_path / "old.json")
    assert (told.size, told.shortest, told.mean) == (size, shortest, (127.5,) * 3)


def test_the_file_of_a_whole_processor_is_read(tmp_path):
    inner = {"image_processor_type": "SiglipImageProcessor", "image_mean": 0.5, "size": {"height": 8, "width": 8}}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": inner, "processor_class": "X"}))
    assert read_told(tmp_path / "processor_config.json").size == (8, 8)


def test_a_processor_that_nobody_compared_is_said(tmp_path):
    content = {"image_processor_type": "LevitImageProcessor", "image_mean": 0.5, "size": {"height": 8, "width": 8}}
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.warns(DataWarning, match="LevitImageProcessor"):
        read_told(tmp_path / "p.json")
