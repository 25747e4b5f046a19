import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.encoders.networks import write_onnx, write_pictures

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

EMOJI = Path(__file__).parents[3] / "shared" / "data" / "emoji"
TOLD = ("--mean", 10, "--std", 20)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures(Path("images"))
    write_onnx(Path("net.onnx"))
    return tmp_path


def test_features_come_out(gsmflow, here):
    done = gsmflow("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD)
    assert done.code == 0
    assert done.out.startswith("6 pictures of 2 classes, 6 features each, ")
    assert "folder: my" in done.out
    assert "(value - 10) / 20" in done.err
    assert np.load("my/features/part-00000.npy").shape == (6, 6)
    again = gsmflow("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD)
    assert "all done before" in again.out
    assert "6 of 6 pictures are done already" in again.err


def test_a_list_chooses(gsmflow, here):
    Path("list.csv").write_text("file,class\ndog/1.png,wolf\ncat/0.png,lynx\n")
    assert gsmflow("extract", "images", "--list", "list.csv", "--model", "net.onnx", "--out", "my").code == 0
    assert Path("my/samples.csv").read_text() == "file,class\ndog/1.png,wolf\ncat/0.png,lynx\n"


@pytest.mark.filterwarnings("always::gsmflow.errors.DataWarning")
def test_what_is_assumed_is_said(gsmflow, here):
    done = gsmflow("extract", "images", "--model", "net.onnx", "--out", "my")
    assert "warning: Nothing tells how net.onnx wants its pictures; assumed: RGB on white" in done.err
    assert "such as --size 8 --mean 123.675 116.28 103.53 --std 58.395 57.12 57.375, or in net.json beside" in done.err


def test_quiet_shows_the_result_alone(gsmflow, here):
    done = gsmflow("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD, "--quiet")
    assert (done.code, done.err) == (0, "")


def test_bad_pictures_are_named_or_left_out(gsmflow, here):
    Path("images/cat/1.png").write_bytes(b"")
    Path("images/dog/2.png").write_bytes(b"no picture")
    command = ("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD)
    done = gsmflow(*command)
    assert done.code == 2
    assert "2 of 6 pictures in images have no features: cat/1.png (it is empty), dog/2.png (" in done.err
    done = gsmflow(*command, "--skip-bad")
    assert done.code == 0
    assert "left out: cat/1.png (it is empty)" in done.err
    assert "2 pictures were left out" in done.out
    assert Path("my/samples.csv").read_text().count("\n") == 5


def test_ctrl_c_says_how_to_go_on(gsmflow, here, monkeypatch):
    from gsmflow.encoders.onnx_images import OnnxImageEncoder

    with monkeypatch.context() as patch:
        patch.setattr(OnnxImageEncoder, "prepare", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        done = gsmflow("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD)
    assert done.code == 130
    assert "The same command goes on from what is in my." in done.err
    assert gsmflow("extract", "images", "--model", "net.onnx", "--out", "my", *TOLD).code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "The folder of pictures nowhere does not exist"),
        (("images", "--model", "no.onnx"), "There is no file no.onnx"),
        (("images", "--list", "no.txt"), "The list no.txt is not there"),
        (("images", "--out", "net.onnx"), "net.onnx is no folder"),
        (("images", "--size", "9"), "takes pictures of 8 x 8 pixels only"),
        (("images", "--batch", "0"), "is at least 1; found 0"),
        (("images", "--std", "0.5", "--mean", "90"), "do not fit together"),
        (("images", "--output", "best"), "has no output 'best'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says, gsmflow, here):
    default = {"--model": "net.onnx", "--out": "my"}
    rest = [word for option, value in default.items() if option not in arguments for word in (option, value)]
    done = gsmflow("extract", *arguments, *rest)
    assert done.code == 2
    last = done.err.splitlines()[-1]
    assert last.startswith("gsmflow: ")
    assert says in last
    assert not Path("my").exists()


def test_neither_help_nor_onnx_needs_torch(here):
    code = (
        "import sys; from gsmflow.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({name for name in ('torch', 'transformers') if name in sys.modules})"
    )
    for rest in (["--help"], ["images", "--model", "net.onnx", "--out", "my", *map(str, TOLD)]):
        done = subprocess.run([sys.executable, "-c", code, "extract", *rest], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "set()", done.stderr


@pytest.mark.skipif(not EMOJI.exists(), reason="the emoji are not here")
def test_emoji_in_the_order_of_their_list(gsmflow, tmp_path):
    chosen = (EMOJI / "trainval.txt").read_text().splitlines()[:200:60]
    (tmp_path / "few.txt").write_text("\n".join(chosen))
    model, out = EMOJI / "efficientnet_lite0.onnx", tmp_path / "my"
    done = gsmflow("extract", EMOJI / "images", "--list", tmp_path / "few.txt", "--model", model, "--out", out)
    assert done.code == 0
    assert [line.split(",")[0] for line in (out / "samples.csv").read_text().splitlines()[1:]] == chosen
    from scipy.io import loadmat

    order = [line.split(",")[0] for line in (EMOJI / "splits.csv").read_text().splitlines()[1:]]
    given = loadmat(EMOJI / "EMOJI" / "efficientnet.mat", variable_names=["features"])["features"].T
    rows = [order.index(file) for file in chosen]
    np.testing.assert_allclose(np.load(out / "features" / "part-00000.npy"), given[rows], atol=1e-3)
