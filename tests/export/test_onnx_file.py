"""An ONNX file gives the probabilities of its model, and says what its classes are called."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import gsmflow
from gsmflow.data import EncoderRecord
from gsmflow.export import EXACTNESS, OPSETS, export_onnx, onnx_file
from gsmflow.model import ZeroShotModel
from tests.export.models import make, rows

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


def asked(path, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path)).run(["probabilities"], {"features": x})[0]


def test_a_file_gives_the_probabilities_of_its_model(tmp_path):
    record = EncoderRecord("onnx", "net.onnx", 6, "ab" * 32)
    model = make("linear-flow", "likelihood")
    model.about = replace(model.about, encoder=record)
    model.add_classes({"Füchse, «rot»": np.linspace(0, 1, 6)})
    model.about = replace(model.about, temperature=2.5, tail=0.2)
    exported = export_onnx(model, tmp_path / "m.onnx")
    assert exported.difference is not None
    assert exported.difference < EXACTNESS / 10
    assert (exported.dim, exported.classes) == (6, 11)
    for count in (0, 1, 7, 1000):
        np.testing.assert_allclose(asked(tmp_path / "m.onnx", rows(count)), model.predict_proba(rows(count)), atol=1e-5)
    said = {one.key: json.loads(one.value) for one in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert said["class_names"] == list(model.class_names)
    assert said["seen"] == model.is_seen.tolist()
    assert said["encoder"]["sha256"] == "ab" * 32
    assert b"probabilities.py" not in (tmp_path / "m.onnx").read_bytes()  # nor any other place on this machine
    namespace = {"onnxruntime": onnxruntime, "x": rows(3)}
    assert eval(exported.usage, namespace).shape == (3, 11)


@pytest.mark.parametrize(
    ("name", "recognizer"), [("gsmflow", "softmax"), ("dap", "compatibility"), ("cosine", "compatibility")]
)
@pytest.mark.parametrize("opset", [OPSETS[0]])
def test_other_kinds_run_as_well(tmp_path, name, recognizer, opset):
    model = make(name, recognizer)
    assert export_onnx(model, tmp_path / "m.onnx", opset).opset == opset
    np.testing.assert_allclose(asked(tmp_path / "m.onnx", rows(30)), model.predict_proba(rows(30)), atol=1e-5)


def broken(module: nn.Module, model: ZeroShotModel, opset: int | None) -> tuple[bytes, int]:
    return b"nothing of the kind", 20


def swapped(module: nn.Module, model: ZeroShotModel, opset: int | None) -> tuple[bytes, int]:
    module.shift += torch.linspace(0, 1e-2, len(module.shift))
    return onnx_bytes(module, model, opset)


onnx_bytes = onnx_file.onnx_bytes


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        ({"onnx_bytes": broken}, "onnxruntime cannot run the exported model"),
        ({"onnx_bytes": swapped}, "gives other probabilities, by up to 0.00"),
        ({"MOST_BYTES": 100}, "GiB of weights, and an ONNX file holds 2 GiB"),
    ],
)
def test_what_is_not_the_model_is_not_written(tmp_path, monkeypatch, patch, sentence):
    for name, value in patch.items():
        monkeypatch.setattr(onnx_file, name, value)
    with pytest.raises(gsmflow.InputError, match=sentence):
        export_onnx(make("gaussian", "likelihood"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_cannot_export_is_one_sentence(tmp_path, monkeypatch):
    model = make("eszsl", "compatibility")
    monkeypatch.setattr(model.generator, "scores", None, raising=False)
    monkeypatch.setattr(model.recognizer, "score", lambda x, classes: torch.tensor(x.tolist()))
    with pytest.raises(
        gsmflow.InputError, match=r"^A model of the generator 'eszsl' .* cannot be exported \(.*use the"
    ):
        export_onnx(model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[-1] + 1])
def test_other_opsets_are_refused(tmp_path, opset):
    with pytest.raises(gsmflow.InputError, match=f"opset= must be from 18 to 23; found {opset}"):
        export_onnx(make("eszsl", "compatibility"), tmp_path / "m.onnx", opset)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "m.onnx").write_text("mine")
    with pytest.raises(gsmflow.InputError, match=r"m\.onnx is there already"):
        export_onnx(make("eszsl", "compatibility"), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "mine"


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(gsmflow.InputError, match=r"onnxscript that is not installed: pip install 'gsmflow\[onnx\]'"):
        export_onnx(make("eszsl", "compatibility"), tmp_path / "m.onnx")
