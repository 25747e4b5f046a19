"""``gsmflow push`` and ``gsmflow pull`` as they are called."""

import json
import subprocess
import sys

import pytest

import gsmflow as package
from gsmflow.runs import RunFolder, model_card
from tests.hub_server import WRITES, Hub, connect

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with Hub() as one:
        connect(monkeypatch, one.address, tmp_path_factory.mktemp("home"))
        yield one


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder with a run and a token, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    result = package.train(package.load("synthetic"), "prototype")
    RunFolder(result.save("run")).write_card(model_card(result.model, result.record))
    (tmp_path / "token").write_text(f"{WRITES}\n")
    return tmp_path


def test_there_and_back(gsmflow, hub, there):
    pushed = gsmflow("push", "run", "me/model", "--private", "--token-file", "token", "--message", "for you")
    assert pushed.code == 0
    repo = hub.repos["me/model"]
    revision, message, _ = repo.commits[-1]
    assert (message, repo.is_private) == ("for you", True)
    assert pushed.out == f"pushed: {hub.address}/me/model (private) at {revision}\n"
    assert "pushing model.safetensors, README.md, metrics.json" in pushed.err
    pulled = gsmflow("pull", "me/model", "--out", "got", "--token-file", "token", "--quiet")
    assert (pulled.code, pulled.out, pulled.err) == (0, f"pulled: me/model at {revision} into got\n", "")
    assert json.loads((there / "got" / "pulled.json").read_text())["revision"] == revision
    assert package.load_model("got").class_names == package.load_model("run").class_names
    before = repo.commits[0][0]
    refused = gsmflow("pull", "me/model", "--out", "old", "--revision", before, "--token-file", "token")
    assert (refused.code, refused.out) == (2, "")
    assert "holds no model.safetensors" in refused.err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("push", "run", "me/model"), "Pushing needs a token that may write"),
        (("push", "run", "model", "--token-file", "token"), "write owner/model"),
        (("push", "run", "me/model", "--token-file", "no"), "The token file no cannot be read: No such file"),
        (("pull", "me/model", "--out", "run"), "run is not an empty folder; choose another place"),
        (("pull", "me/model", "--out", "new"), "has no model me/model, or shows it to others only"),
    ],
)
def test_refusals(gsmflow, hub, there, arguments, what):
    before = sorted(there.rglob("*"))
    result = gsmflow(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert what in result.err
    assert WRITES not in result.err
    assert sorted(there.rglob("*")) == before


@pytest.mark.parametrize("command", ["push", "pull"])
def test_help_waits_for_no_library(command):
    code = (
        f"import sys; sys.argv = ['gsmflow', {command!r}, '--help']\n"
        "from gsmflow.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        "assert not {'torch', 'huggingface_hub'} & set(sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "OWNER/NAME" in shown.stdout
