"""Pushing and pulling models, against a hub of the tests' own."""

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import gsmflow
from gsmflow.data import EncoderRecord, Provenance
from gsmflow.errors import InputError
from gsmflow.hub import client, fetch, pull, push, read_token
from gsmflow.model.about import read_model, write_model
from gsmflow.runs import RunFolder, model_card
from tests.hub_server import READS, WRITES, Hub, Repo, connect, sha256
from tests.tiny import full_disk

pytest.importorskip("huggingface_hub")
FILES = ("model.safetensors", "README.md", "metrics.json")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """The folder of a run, with its card; no test alters it."""
    result = gsmflow.train(gsmflow.load("synthetic"), "prototype")
    folder = result.save(tmp_path_factory.mktemp("kept") / "run")
    RunFolder(folder).write_card(model_card(result.model, result.record))
    return folder


@pytest.fixture
def run(kept, tmp_path) -> Path:
    return shutil.copytree(kept, tmp_path / "run")


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with Hub() as one:
        connect(monkeypatch, one.address, tmp_path_factory.mktemp("home"))
        yield one


@pytest.fixture
def published(hub, kept) -> str:
    """The revision of a model that is on the hub, beside files that nobody asked for."""
    others = {
        "config.json": b"{}",
        "run.py": b"raise SystemExit",
        "confusion.csv": b"no",
        "sub/model.safetensors": b"no",
    }
    return hub.put("me/model", {name: (kept / name).read_bytes() for name in FILES} | others)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(what: str, call, *arguments, **options) -> str:
    with pytest.raises(InputError, match=what) as caught:
        call(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert WRITES not in sentence
    assert len(sentence) < 400
    return sentence


def test_what_is_pushed_is_pulled(hub, run, tmp_path):
    said = []
    pushed = push(run, "me/model", say=said.append)
    assert (pushed.files, pushed.is_private, pushed.address) == (FILES, False, f"{hub.address}/me/model")
    there = hub.files("me/model")
    assert {name: there[name] for name in FILES} == {name: (run / name).read_bytes() for name in FILES}
    assert sha256(there["model.safetensors"]) in hub.blobs
    assert set(there) == {*FILES, ".gitattributes"}
    assert said[0] == "made the repository me/model"
    pulled = pull("me/model", tmp_path / "a" / "there")
    assert (pulled.revision, pulled.folder) == (pushed.revision, tmp_path / "a" / "there")
    assert {name: (pulled.folder / name).read_bytes() for name in FILES} == {name: there[name] for name in FILES}
    told = json.loads((pulled.folder / "pulled.json").read_text())
    assert (told["repo"], told["revision"], told["hub"]) == ("me/model", pushed.revision, hub.address)
    assert told["sha256"]["README.md"] == sha256(there["README.md"])
    assert gsmflow.load_model(pulled.folder).class_names == gsmflow.load_model(run).class_names
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["there"]


def test_pushed_again_it_is_a_commit_only_where_something_differs(hub, run):
    first = push(run, "me/model")
    assert push(run, "me/model").revision == first.revision
    (run / "README.md").write_text("---\nlicense: mit\n---\nmine\n")
    said = []
    second = push(run, "me/model", message="a license", say=said.append)
    assert any("README.md is not the card that gsmflow writes" in line for line in said)
    repo = hub.repos["me/model"]
    assert [sha for sha, _, _ in repo.commits][1:] == [first.revision, second.revision]
    assert [message for _, message, _ in repo.commits][1:] == ["A model of gsmflow", "a license"]
    assert sum(path.startswith("/upload/") for _, path in hub.asked) == 1
    assert pull("me/model", run.parent / "old", revision=first.revision).revision == first.revision
    assert "mine" not in (run.parent / "old" / "README.md").read_text()


def test_what_was_pulled_can_be_pushed(hub, published, tmp_path):
    said = []
    pull("me/model", tmp_path / "there")
    assert push(tmp_path / "there", "me/copy", say=said.append).files == FILES
    assert not any("not the card" in line for line in said)
    assert set(hub.files("me/copy")) == {*FILES, ".gitattributes"}


def test_a_mere_file_gets_a_card(hub, run):
    (run / "README.md").write_text("of something else")
    pushed = push(run / "model.safetensors", "me/model")
    assert pushed.files == ("model.safetensors", "README.md")
    assert hub.files("me/model")["README.md"].decode() == model_card(gsmflow.load_model(run))


def test_no_path_of_this_machine_is_pushed(hub, run, tmp_path):
    secret = "/home/someone/secret"
    encoder = EncoderRecord("onnx", f"{secret}/net.onnx", 32, "0" * 64, place=f"{secret}/net.onnx")
    tensors, about = read_model(run / "model.safetensors")
    source = Provenance("folder", folder=secret, images=f"{secret}/images", encoder=encoder, text_encoder=encoder)
    about = replace(about, provenance=source, encoder=encoder, text_encoder=encoder)
    write_model(run / "model.safetensors", tensors, about)
    card = model_card(gsmflow.load_model(run), RunFolder(run).read_metrics())
    RunFolder(run).write_card(card)
    before, said = contents(run), []
    push(run, "me/model", say=said.append)
    assert contents(run) == before
    assert secret.encode() in before["model.safetensors"]
    assert "paths of this machine are left out of what is pushed" in said
    for name, content in hub.files("me/model").items():
        assert secret.encode() not in content, name
    pull("me/model", tmp_path / "there")
    there = gsmflow.load_model(tmp_path / "there")
    assert there.about.encoder == replace(encoder, name="net.onnx", place="net.onnx")
    assert model_card(there, RunFolder(run).read_metrics()) == card


def test_private(hub, run, monkeypatch, tmp_path):
    assert push(run, "me/mine", private=True).is_private
    assert push(run, "me/mine").is_private
    assert hub.repos["me/mine"].is_private
    push(run, "me/public")
    before = len(hub.repos["me/public"].commits)
    refusal("is there and public, private=True has no effect", push, run, "me/public", private=True)
    assert len(hub.repos["me/public"].commits) == before
    monkeypatch.setenv("HF_TOKEN", READS)
    refusal("has no model me/mine, or shows it to others only", pull, "me/mine", tmp_path / "there")
    assert pull("me/mine", tmp_path / "there", token=WRITES).repo == "me/mine"


@pytest.mark.parametrize(
    "name", ["", "a b/c", "me/", "/me", "a/b/c", "https://huggingface.co/me/model", "me/x--y", "me\n/x"]
)
def test_names_that_are_none(hub, run, tmp_path, name):
    refusal("is no name of a repository: write owner/name", push, run, name)
    refusal("is no name of a repository: write owner/name", pull, name, tmp_path / "there")
    assert hub.asked == []


def test_refused_before_anything_is_sent(hub, run, monkeypatch):
    refusal("write owner/model", push, run, "model")
    refusal("leave out message=", push, run, "me/model", message=" ")
    refusal("There is no model", push, run / "no", "me/model")
    (run / "README.md").write_bytes(b"\xff\xfe\x00")
    refusal("README.md is no readable text", push, run, "me/model")
    (run / "README.md").unlink()
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"fingerprint": "0"}))
    refusal("metrics.json is of other data than the model", push, run, "me/model")
    (run / "metrics.json").unlink()
    refusal("is unfinished", push, run, "me/model")
    (run / "model.safetensors").write_bytes(b"no")
    refusal("is not a readable safetensors file", push, run / "model.safetensors", "me/model")
    monkeypatch.delenv("HF_TOKEN")
    refusal("needs a token that may write: make one at .*/settings/tokens", push, run, "me/model")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("part", "status", "what"),
    [
        ("/api/repos/create", 403, "the token may not do this; give one with write access"),
        ("/preupload/", 401, "the token is not accepted; make one at .*/settings/tokens"),
        ("/commit/", 403, "the token may not do this"),
        ("/commit/", 409, "somebody changed it at the same time"),
        ("/upload/", 403, "the token may not do this"),
        ("/upload/", 413, "it is too large"),
        ("/commit/", 418, "answers 418 the test wants it so"),
    ],
)
def test_a_hub_that_refuses_a_push(hub, run, part, status, what):
    before, hub.status = contents(run), {part: status}
    assert "Could not push to me/model: " in refusal(what, push, run, "me/model")
    assert contents(run) == before


def test_tokens_that_may_not(hub, run, monkeypatch, tmp_path):
    refusal("the token may not do this", push, run, "others/model")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    refusal("the token is not accepted", push, run, "me/model")
    refusal("the token is not accepted", pull, "me/model", tmp_path / "there")
    assert hub.repos == {}


def test_a_card_that_the_hub_refuses(hub, run):
    (run / "README.md").write_text("---\nlicense: [mit]\n---\n")
    refusal('Invalid metadata in README.md. - "license" must be a string', push, run, "me/model")


def test_a_file_that_the_hub_ignores_is_told(hub, run):
    hub.put("me/model", {".gitignore": b"*.json"})
    hub.repos["me/model"].ignored = ("metrics.json",)
    refusal("The hub left out metrics.json of me/model", push, run, "me/model")


def test_nothing_else_is_pulled(hub, published, tmp_path):
    (tmp_path / "there").mkdir()
    pull("me/model", tmp_path / "there")
    assert set(contents(tmp_path / "there")) == {*FILES, "pulled.json"}
    fetched = {path.rpartition("/")[2] for _, path in hub.asked if "/resolve/" in path}
    assert fetched == set(FILES)
    assert all(published in path for _, path in hub.asked if "/resolve/" in path)


def test_a_model_without_metrics_and_card(hub, kept, tmp_path):
    hub.put("me/model", {"model.safetensors": (kept / "model.safetensors").read_bytes()})
    assert pull("me/model", tmp_path / "there").files == ("model.safetensors",)


def test_a_cut_download_goes_on_where_it_was_cut(hub, published, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.cuts = 2
    pull("me/model", tmp_path / "there")
    assert hub.cuts == 0
    assert [int(asked[6:-1]) > 1000 for asked in hub.ranges if asked.endswith("-")] == [True, True]
    assert gsmflow.load_model(tmp_path / "there").class_names


def test_a_download_that_is_cut_again_and_again(hub, published, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.cuts = 100
    refusal("does not answer", pull, "me/model", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_leaves_nothing(hub, published, tmp_path, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "check_readable", stopped)
    with pytest.raises(KeyboardInterrupt):
        pull("me/model", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_download_is_refused(hub, published, tmp_path):
    hub.flips = True
    (tmp_path / "there").mkdir()
    refusal(f"model.safetensors of me/model at {published} is damaged", pull, "me/model", tmp_path / "there")
    assert contents(tmp_path / "there") == {}


def altered(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    ("name", "alter", "what"),
    [
        (
            "model.safetensors",
            lambda c: altered(c, b'"gsmflow":"1"', b'"gsmflow":"9"'),
            "is of format '9', this version",
        ),
        ("model.safetensors", lambda c: altered(c, b'"gsmflow":"1"', b'"gsmflox":"1"'), "is no model of gsmflow"),
        ("model.safetensors", lambda c: c[:-4] + b"1234", "me/model is refused: model.safetensors is damaged"),
        ("model.safetensors", lambda c: b"PK" + c[2:], "Could not pull me/model: its model.safetensors is damaged"),
        ("model.safetensors", lambda c: c[:200], "Could not pull me/model: its model.safetensors is damaged"),
        ("metrics.json", lambda c: b"{}", "me/model is refused: metrics.json does not hold the metrics"),
        ("metrics.json", lambda c: b"\xff", "me/model is refused: metrics.json is not readable JSON"),
    ],
)
def test_models_that_are_refused(hub, published, kept, tmp_path, name, alter, what):
    hub.put("me/model", {name: alter((kept / name).read_bytes())})
    refusal(what, pull, "me/model", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []
    assert pull("me/model", tmp_path / "there", revision=published).revision == published


def test_what_is_not_there(hub, published, tmp_path):
    refusal("has no model me/no, or shows it to others only", pull, "me/no", tmp_path / "there")
    refusal("me/model has no such revision; leave out revision=", pull, "me/model", tmp_path / "there", revision="v 9")
    hub.put("me/other", {"pytorch_model.bin": b"no", "README.md": b"no"})
    refusal("me/other holds no model.safetensors", pull, "me/other", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(hub, published, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine")
    for place in (tmp_path / "there", tmp_path / "there" / "mine"):
        refusal("is not an empty folder; choose another place", pull, "me/model", place)
    assert contents(tmp_path / "there") == {"mine": b"mine"}
    assert hub.asked == []


def test_a_disk_without_room(hub, published, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 10))
        refusal("There is no room in .* are needed, 0.0 kB are free", pull, "me/model", tmp_path / "there")
    replace_file = Path.replace

    def full(path: Path, target: Path) -> None:
        full_disk() if target == tmp_path / "there" / "model.safetensors" else replace_file(path, target)

    monkeypatch.setattr(Path, "replace", full)
    refusal("Could not write into .*there: No space left on device", pull, "me/model", tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("endpoint", "what"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
        ("nowhere", "nowhere does not answer"),
    ],
)
def test_without_a_hub(run, tmp_path, monkeypatch, endpoint, what):
    connect(monkeypatch, endpoint, tmp_path / "home")
    refusal(f"Could not push to me/model: {what}.*is the network there", push, run, "me/model")
    refusal(f"Could not pull me/model: {what}.*is the network there", pull, "me/model", tmp_path / "there")


def test_without_the_library(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refusal(r"pip install 'gsmflow\[hub\]'", push, run, "me/model")
    refusal(r"pip install 'gsmflow\[hub\]'", pull, "me/model", tmp_path / "there")


def test_a_long_one_tells_how_far_it_is(hub, published, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "LINE_EVERY_S", 0.01)
    said = []
    with client.shown(said.append, False, lambda: "so far"):
        time.sleep(0.1)
    assert "so far" in said
    count = len(said)
    time.sleep(0.05)
    assert len(said) == count
    pull("me/model", tmp_path / "there", say=said.append)
    assert said[count].startswith("pulling README.md, metrics.json, model.safetensors (")


def test_offline(run, tmp_path, monkeypatch, hub):
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    refusal("HF_HUB_OFFLINE is set; unset it", pull, "me/model", tmp_path / "there")
    close_session()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it holds 0 words"),
        (b"two words", "it holds 2 words"),
        (b"\xff\xfe", "holds no text"),
        (None, "No such file"),
    ],
)
def test_token_files_that_are_none(tmp_path, content, what):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    sentence = refusal(what, read_token, tmp_path / "token")
    assert "words" not in sentence.partition("words")[0]


def test_a_token_file(tmp_path):
    (tmp_path / "token").write_text(f"{WRITES}\n")
    assert read_token(tmp_path / "token") == WRITES


def test_the_hub_of_the_tests_refuses_what_is_wrong(hub, run):
    """The tests above can fail."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{hub.store}/upload/{'0' * 64}", b"other content", method="PUT")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)
    assert hub.blobs == {}
    assert Repo().commits == []
