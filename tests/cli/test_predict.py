"""``gsmflow predict``: pictures or features in, named predictions out; what fails leaves nothing."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import gsmflow as library
from gsmflow.encoders.images import load_image_encoder
from gsmflow.encoders.pictures import encode_files

DATA = library.load("synthetic")
X = DATA.features[:30]
SIZE = 4


@pytest.fixture(scope="session")
def trained() -> library.ZeroShotModel:
    return library.train(DATA, "gaussian", seed=0).model


@pytest.fixture
def place(tmp_path, monkeypatch, trained) -> Path:
    """A model and some features to work on."""
    monkeypatch.chdir(tmp_path)
    trained.save("m.safetensors")
    np.save("x.npy", X)
    return tmp_path


def make_encoder(path: Path, seed: int = 0) -> None:
    """An ONNX file that gives as many features as the model takes."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(3 * SIZE * SIZE, DATA.dim)).astype(np.float32) / 3
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["pixels"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["features"])],
        "encoder",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", DATA.dim])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)


@pytest.fixture
def pictures(place, trained) -> Path:
    """A folder of pictures, one of them broken, and a model that knows their encoder."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    make_encoder(place / "net.onnx")
    for k, name in enumerate(["fox/a.png", "fox/b é.png", "ox/c.png", "bad/x.png"]):
        (place / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
        image.fromarray(pixels).save(place / "pictures" / name)
    (place / "pictures/bad/x.png").write_bytes(b"no picture")
    about, trained.about = trained.about, replace(trained.about, encoder=load_image_encoder("net.onnx").record)
    trained.save("m.safetensors")
    trained.about = about
    return place / "pictures"


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def assert_refused(result: SimpleNamespace, sentence: str) -> None:
    """Exit code 2 and one line on standard error, whatever was told before."""
    assert result.code == 2, result
    assert result.out == ""
    *told, last = result.err.splitlines()
    assert re.fullmatch(r"gsmflow: .*\.", last), result.err
    assert not [line for line in told if line.startswith(("gsmflow: ", "Traceback"))], result.err
    assert sentence in last


def test_names_and_probabilities_are_the_models(gsmflow, place, trained):
    result = gsmflow("predict", "m.safetensors", "x.npy", "--format", "jsonl", "--top-k", "3")
    assert result.code == 0, result.err
    found = lines(result.out)
    names, probabilities = trained.top_k(X, 3)
    assert [list(one) for one in found] == [["row", "top"]] * len(X)
    assert [one["row"] for one in found] == list(range(len(X)))
    assert [[guess["class"] for guess in one["top"]] for one in found] == names.tolist()
    np.testing.assert_allclose([[g["probability"] for g in one["top"]] for one in found], probabilities, 1e-5)
    seen = dict(zip(trained.class_names, trained.is_seen.tolist(), strict=True))
    assert all(guess["seen"] is seen[guess["class"]] for one in found for guess in one["top"])
    assert "30 predictions in" in result.err


def test_a_table_is_the_default_and_five_classes(gsmflow, place):
    result = gsmflow("predict", "m.safetensors", "x.npy")
    head, *rest = result.out.splitlines()
    assert head.split() == ["row", "class", "probability", "next"]
    assert len(rest) == len(X) + 1
    assert rest.pop() == "* unseen: no picture of it was there to learn from"
    assert all(line.count(",") == 3 for line in rest)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_format_is_as_the_file_ends(gsmflow, place, suffix):
    result = gsmflow("predict", "m.safetensors", "x.npy", "--out", f"guesses{suffix}", "--top-k", "1")
    assert (result.code, result.out) == (0, ""), result.err
    content = Path(f"guesses{suffix}").read_bytes()
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
        rows = parquet.read_table(io.BytesIO(content)).to_pylist()
        assert [list(row) for row in rows] == [["row", "class_1", "probability_1", "seen_1"]] * len(X)
    elif suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
    else:
        rows = lines(content.decode())
    assert len(rows) == len(X)
    assert sorted(os.listdir()) == sorted([f"guesses{suffix}", "m.safetensors", "x.npy"])


def test_a_small_model_names_all_that_it_knows(gsmflow, place):
    few = library.load_model("m.safetensors")
    few.remove_classes(few.class_names[3:])
    few.save("few.safetensors")
    (first, *_) = lines(gsmflow("predict", "few.safetensors", "x.npy", "--format", "jsonl").out)
    assert len(first["top"]) == 3


def test_the_threshold_that_was_chosen_is_told_with_its_errors(gsmflow, place, trained):
    rejection = trained.about.rejection
    result = gsmflow("predict", "m.safetensors", "x.npy", "--format", "jsonl", "--reject", "auto")
    assert f"rejected {rejection.known_rejected:.1f} % of the pictures of known classes" in " ".join(result.err.split())
    best = trained.top_k(X, 1)[1][:, 0]
    assert [one["rejected"] for one in lines(result.out)] == (best < rejection.threshold).tolist()
    other = library.load_model("m.safetensors")
    other.about = replace(other.about, rejection=None)
    other.save("none.safetensors")
    refused = gsmflow("predict", "none.safetensors", "x.npy", "--reject", "auto")
    assert (refused.code, "for this model none was" in refused.err) == (2, True)


def test_what_is_improbable_is_rejected_where_that_is_asked_for(gsmflow, place, trained):
    best = trained.top_k(X, 1)[1][:, 0]
    limit = float(np.median(best))
    result = gsmflow("predict", "m.safetensors", "x.npy", "--format", "jsonl", "--reject", limit)
    assert [one["rejected"] for one in lines(result.out)] == (best < limit).tolist()
    assert f"{(best < limit).sum()} taken for none of the classes" in result.err
    rows = list(
        csv.DictReader(
            io.StringIO(gsmflow("predict", "m.safetensors", "x.npy", "--format", "csv", "--reject", limit).out)
        )
    )
    assert [row["rejected"] for row in rows] == [str(one).lower() for one in (best < limit)]
    table = gsmflow("predict", "m.safetensors", "x.npy", "--reject", limit).out
    assert table.count("(none)") == (best < limit).sum()


def test_pictures_are_named_and_read_by_the_encoder_of_the_model(gsmflow, pictures, trained):
    result = gsmflow("predict", "m.safetensors", "pictures/fox", "--format", "jsonl")
    assert result.code == 0, result.err
    assert [one["file"] for one in lines(result.out)] == ["a.png", "b é.png"]
    paths = [pictures / "fox/a.png", pictures / "fox/b é.png"]
    (encoded,) = encode_files(load_image_encoder("net.onnx"), paths)
    assert [one["top"][0]["class"] for one in lines(result.out)] == trained.predict(encoded.features).tolist()


def test_a_list_and_an_encoder_elsewhere(gsmflow, pictures):
    Path("list.txt").write_text("ox/c.png\nfox/a.png\n")
    Path("net.onnx").rename("moved.onnx")
    ask = ("predict", "m.safetensors", "pictures", "--list", "list.txt", "--format", "jsonl", "--batch", "1")
    assert_refused(gsmflow(*ask), "is no longer at")
    result = gsmflow(*ask, "--encoder", "moved.onnx")
    assert [one["file"] for one in lines(result.out)] == ["ox/c.png", "fox/a.png"]
    make_encoder(Path("other.onnx"), seed=1)
    assert_refused(gsmflow(*ask, "--encoder", "other.onnx"), "other.onnx is another encoder than the one that was used")


def test_a_model_that_knows_no_encoder_is_given_one(gsmflow, pictures, trained):
    trained.save("unknown.safetensors")
    ask = ("predict", "unknown.safetensors", "pictures/ox")
    assert_refused(gsmflow(*ask), "It is not known which encoder was used")
    assert gsmflow(*ask, "--encoder", "net.onnx").code == 0


@pytest.mark.parametrize("out", [(), ("--out", "guesses.jsonl")])
def test_bad_pictures_end_it_or_are_left_out(gsmflow, pictures, out):
    before = sorted(os.listdir())
    ask = ("predict", "m.safetensors", "pictures", "--format", "jsonl", *out)
    assert_refused(gsmflow(*ask), "1 input cannot be used: bad/x.png (it is no picture that can be read); repair it or")
    assert sorted(os.listdir()) == before
    for quiet in ((), ("--quiet",)):
        Path("guesses.jsonl").unlink(missing_ok=True)
        result = gsmflow(*ask, "--skip-bad", *quiet)
        text = Path("guesses.jsonl").read_text() if out else result.out
        assert [one["file"] for one in lines(text)] == ["fox/a.png", "fox/b é.png", "ox/c.png"]
        assert "left out: bad/x.png (it is no picture that can be read)" in result.err
        assert quiet == () or len(result.err.splitlines()) == 1
    assert_refused(gsmflow("predict", "m.safetensors", "pictures/bad", "--skip-bad"), "The only input cannot be used")


def test_rows_without_features_end_it_or_are_left_out(gsmflow, place):
    wrong = X.copy()
    wrong[4, 2] = np.nan
    np.save("wrong.npy", wrong)
    ask = ("predict", "m.safetensors", "wrong.npy", "--format", "jsonl")
    assert_refused(gsmflow(*ask), "There are no features in row 4 of wrong.npy (counted from 0): it holds NaN")
    result = gsmflow(*ask, "--skip-bad")
    assert [one["row"] for one in lines(result.out)] == [k for k in range(len(X)) if k != 4]
    assert "left out: row 4 of wrong.npy" in result.err
    assert "29 predictions" in result.err


BAD = {
    "nothing to name": ((), "say what to name: gsmflow predict MODEL INPUT"),
    "no such file": (("nowhere.npy",), "There is no file or folder nowhere.npy."),
    "too many classes": (
        ("x.npy", "--top-k", "99"),
        "must be from 1 to 20, the number of classes of the model; found 99",
    ),
    "no class": (("x.npy", "--top-k", "0"), "must be from 1 to 20"),
    "no probability": (("x.npy", "--reject", "2"), "must be a probability, greater than 0 and at most 1; found 2."),
    "parquet to read": (("x.npy", "--format", "parquet"), "parquet is not for standard output"),
    "no format": (("x.npy", "--out", "guesses.txt"), "guesses.txt says no format: add --format"),
    "a file in the way": (("x.npy", "--out", "there.csv"), "there.csv is there already"),
    "no such folder": (("x.npy", "--out", "x.npy/guesses.csv"), "Could not write guesses.csv into x.npy"),
    "an encoder of features": (
        ("x.npy", "--encoder", "net.onnx"),
        "--encoder is about pictures, and these are features",
    ),
    "a batch of features": (("x.npy", "--batch", "3"), "--batch is about pictures, and these are features"),
    "a list of features": (("x.npy", "--list", "there.csv"), "The list there.csv chooses among the pictures"),
    "another dimension": (("narrow.npy",), "narrow.npy holds features of 5 dimensions, the model was trained on 32"),
    "no threads": (("x.npy", "--threads", "0"), "threads must be at least 1"),
    "no device": (("x.npy", "--device", "abacus"), "There is no device 'abacus' here"),
    "a long table": (("long.npy",), "A table shows 1,000 predictions at most"),
    "text": (("text.csv",), "text.csv: line 2 holds 'x'"),
    "latin-1": (("latin.csv",), "latin.csv is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_nothing_is_written(gsmflow, place, case):
    given, sentence = BAD[case]
    np.save("narrow.npy", X[:, :5])
    np.save("long.npy", np.zeros((1001, DATA.dim), np.float32))
    Path("there.csv").write_text("mine")
    Path("text.csv").write_text(",".join("abc") + "\n1,x,2\n")
    Path("latin.csv").write_bytes("file,a\nFüchsin,1\n".encode("latin-1"))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert_refused(gsmflow("predict", "m.safetensors", *given), sentence)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize("name", ["classes.csv", "dataset.json"])
def test_a_data_set_is_no_model(gsmflow, place, name):
    Path("my").mkdir()
    Path("my", name).write_text("")
    assert_refused(gsmflow("predict", "my", "x.npy"), "train on it first (gsmflow train my --out runs/my).")


IN_ALL_FORMATS = """
import sys
from gsmflow.cli import main
given = sys.argv[1:]
for form in ("table", "csv", "jsonl"):
    sys.argv = ["gsmflow", "predict", *given, "--format", form]
    main()
"""


def on_a_terminal(*arguments: str, pipe: bool) -> bytes:
    """All that a terminal of 80 columns is sent, directly or by what reads our output."""
    pty = pytest.importorskip("pty", reason="no terminals here")
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    names = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-c", IN_ALL_FORMATS, *arguments]
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=theirs) if pipe else None
    out = reader.stdin if reader else theirs
    with subprocess.Popen(command, stdout=out, stderr=theirs, env={**names, "TERM": "xterm"}) as process:
        os.close(theirs)
        if reader and reader.stdin:
            reader.stdin.close()
        sent = b""
        with suppress(OSError):  # EIO when all have left
            while part := os.read(ours, 2**16):
                sent += part
        assert process.wait() == 0, sent
    assert reader is None or reader.wait() == 0
    os.close(ours)
    return sent


@pytest.mark.parametrize("pipe", [False, True])
def test_what_a_terminal_shows_is_not_erased(place, pipe):
    np.save("few.npy", X[:2])
    sent = on_a_terminal("m.safetensors", "few.npy", pipe=pipe)
    table = sent.index(b"row  class")
    assert b"\x1b" in sent[:table]  # a bar was there, and is gone before the first row
    assert b"\x1b" not in sent[table:], sent
    lines = sent[table:].decode().splitlines()
    for start in ("1    class ", "1,class ", '{"row": 1'):
        assert len([line for line in lines if line.startswith(start)]) == 1
    end = lines.index("* unseen: no picture of it was there to learn from")
    assert (max(map(len, lines[:end])) <= 80) is not pipe  # what reads it gets all that was asked for


@pytest.mark.parametrize("model", ["nowhere", "x.npy", "folder"])
def test_what_is_no_model_is_refused(gsmflow, place, model):
    Path("folder").mkdir()
    assert gsmflow("predict", model, "x.npy").code == 2


def test_a_library_that_is_missing_is_named(gsmflow, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_refused(gsmflow("predict", "m.safetensors", "x.npy", "--out", "g.parquet"), "pip install 'gsmflow[tables]'")
    assert not Path("g.parquet").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_nothing_is_half_written(gsmflow, place, monkeypatch, error):
    from gsmflow.encoders import inputs
    from gsmflow.model import prediction

    monkeypatch.setattr(inputs, "MOST_ROWS", 10)
    real, asked = prediction.ask, []

    def ask(*arguments, **options):
        asked.append(1)
        if len(asked) > 2:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(prediction, "ask", ask)
    before = sorted(os.listdir())
    result = gsmflow("predict", "m.safetensors", "x.npy", "--out", "guesses.csv")
    assert result.code == (130 if error is KeyboardInterrupt else 2)
    assert sorted(os.listdir()) == before


def test_rows_are_asked_about_some_at_a_time(gsmflow, place, monkeypatch):
    from gsmflow.encoders import inputs

    ask = ("predict", "m.safetensors", "x.npy", "--format", "jsonl")
    whole = lines(gsmflow(*ask).out)
    monkeypatch.setattr(inputs, "MOST_ROWS", 7)
    parts = lines(gsmflow(*ask).out)
    assert [one["row"] for one in parts] == list(range(len(X)))
    for one, other in zip(parts, whole, strict=True):
        assert [guess["class"] for guess in one["top"][:2]] == [guess["class"] for guess in other["top"][:2]]
        assert one["top"][0]["probability"] == pytest.approx(other["top"][0]["probability"], 1e-4)
