"""``gsmflow data fetch``, from a server on 127.0.0.1."""

import re

import pytest

from gsmflow.data import download
from gsmflow.data.fetch import read_record
from tests.data.archive_server import Server, make_archive, patch_archive


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WAITS_S", (0.0,))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    server = Server(make_archive(tmp_path))
    patch_archive(monkeypatch, address=server.address)
    yield server
    server.shutdown()
    server.server_close()


def test_fetch_then_check(gsmflow, server, tmp_path):
    server.cuts = [700]
    result = gsmflow("data", "fetch", "awa1", "CUB")
    assert result.code == 0
    assert re.fullmatch(r"the connection was cut after 700 of [\d,]+ bytes; trying again in 0 s\n", result.err)
    record = read_record(tmp_path / "data" / "AWA1")
    assert record is not None
    assert result.out.startswith(f"data/AWA1: fetched from {server.address}, {len(server.content):,} bytes, SHA-256 ")
    for file in record.files:
        assert f"  {file.name}: {file.bytes:,} bytes, SHA-256 {file.sha256}\n" in result.out
    assert result.out.endswith("look into it with: gsmflow data check data/CUB\n")
    checked = gsmflow("data", "check", "CUB")
    assert checked.code == 0
    assert "all checks passed" in checked.out
    again = gsmflow("data", "fetch", "AWA1")
    assert (again.code, again.out) == (0, "")
    assert again.err == "AWA1 is complete in data/AWA1, as fetched: left alone\n"


def test_quiet_and_another_root(gsmflow, server, tmp_path):
    result = gsmflow("data", "fetch", "CUB", "--data-root", tmp_path / "mine", "--keep-archive", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["CUB", "xlsa17.zip"]


def test_ctrl_c_says_how_to_go_on(gsmflow, server, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "fetch_rest", stop)
        result = gsmflow("data", "fetch", "CUB")
    assert (result.code, result.out) == (130, "")
    assert result.err == "interrupted: what came is kept, the same command goes on from there\n"
    assert gsmflow("data", "fetch", "CUB", "--quiet").code == 0


REFUSED = {
    "no name": ((), "say which data set: gsmflow data fetch NAME, with a NAME among AWA1, AWA2, APY, CUB, SUN."),
    "no such name": (("x",), "There is no known data set 'x' to fetch; choose among AWA1"),
    "no archive": (
        ("FLO",),
        "get data.mat and label.mat from https://github.com/uqzhichen/GSMFlow and put them into",
    ),
    "no address": (("CUB", "--address", "here.zip"), "The address 'here.zip' must begin with http:// or https://."),
    "not in it": (("SUN",), "holds no entry 'xlsa17/data/SUN/res101.mat'; it holds xlsa17/data/AWA1, xlsa17/data/CUB."),
    "another mirror": (("CUB", "--address", "{address}/gone"), "404 Not Found; give another place of the file with "),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fetched_is_one_sentence(gsmflow, server, tmp_path, arguments, sentence):
    server.answers = [404] if "{address}/gone" in arguments else []
    filled = [argument.format(address=server.address) for argument in arguments]
    result = gsmflow("data", "fetch", *filled, "--quiet")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"gsmflow: [^\n]*\.\n", result.err), result.err
    assert sentence in result.err
    assert not list(tmp_path.glob("data/*/*"))
