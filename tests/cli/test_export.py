"""``gsmflow export``: one file, told how it is used."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

import gsmflow as library

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
DATA = library.load("synthetic")


@pytest.fixture(scope="module")
def trained() -> library.ZeroShotModel:
    return library.train(DATA, "gaussian", seed=0).model


@pytest.fixture
def place(tmp_path, monkeypatch, trained) -> Path:
    monkeypatch.chdir(tmp_path)
    trained.save("m.safetensors")
    return tmp_path


def test_the_line_that_is_printed_works(gsmflow, place, trained):
    result = gsmflow("export", "m.safetensors", "--onnx", "m.onnx")
    assert (result.code, result.err) == (0, ""), result.err
    told, use = result.out.splitlines()
    assert re.fullmatch(r"onnx: m\.onnx \(\d+ KiB, opset \d+; tried in onnxruntime, .* differ by \S+ at most\)", told)
    found = eval(use.removeprefix("use:  "), {"onnxruntime": onnxruntime, "x": DATA.features[:9]})
    np.testing.assert_allclose(found, trained.predict_proba(DATA.features[:9]), atol=1e-5)
    assert sorted(os.listdir()) == ["m.onnx", "m.safetensors"]
    again = gsmflow("export", "m.safetensors", "--onnx", "m.onnx")
    assert (again.code, again.out) == (2, "")
    assert again.err == "gsmflow: m.onnx is there already: take it away or choose another name.\n"


def test_quiet_says_nothing(gsmflow, place):
    result = gsmflow("export", "m.safetensors", "--onnx", "m.onnx", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("m.safetensors",), "say where to write: gsmflow export MODEL --onnx FILE."),
        (("nowhere", "--onnx", "m.onnx"), "There is no model nowhere"),
        (("m.safetensors", "--onnx", "m.safetensors"), "m.safetensors is there already"),
        (("m.safetensors", "--onnx", "nowhere/m.onnx"), "Could not write nowhere/m.onnx"),
        (("m.safetensors", "--onnx", "m.onnx", "--opset", "3"), "must be from 18 to 23; found 3."),
    ],
)
def test_bad_input_is_one_sentence(gsmflow, place, given, sentence):
    before = (place / "m.safetensors").read_bytes()
    result = gsmflow("export", *given)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"gsmflow: [^\n]*\.\n", result.err)
    assert sentence in result.err
    assert os.listdir() == ["m.safetensors"]
    assert (place / "m.safetensors").read_bytes() == before
