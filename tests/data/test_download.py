"""Downloads from a server on 127.0.0.1: cut off, stalled, changed, refused, and onto a disk that fills up."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import gsmflow.data.download as downloading
from gsmflow.data.fetch import fetch
from tests.data.archive_server import Server, call, contents, make_archive, silent

CUT = {
    "once": ([500], 2),
    "again and again": ([500, 900, 1300, 1700, 2100], 6),  # goes on as long as more comes each time
    "before anything": ([0], 2),
}


@pytest.mark.parametrize(("cuts", "tries"), CUT.values(), ids=CUT)
@pytest.mark.parametrize("mark", ["etag", "modified"])
def test_what_is_cut_off_is_gone_on_with(server, tmp_path, cuts, tries, mark):
    marks = {"etag": '"one"', "modified": None} if mark == "etag" else {"etag": 'W/"weak"', "modified": "Mon, 1 Jan"}
    vars(server).update(marks, cuts=list(cuts))
    result = call(["AWA1"], tmp_path / "data")
    assert result.found
    assert server.asked == [None, *(f"bytes={cut}-" if cut else None for cut in cuts)]
    assert len(server.asked) == tries
    assert result.said[0] == (
        f"the connection was cut after {cuts[0]:,} of {len(server.content):,} bytes; trying again in 0 s"
    )


def test_another_call_goes_on(server, tmp_path):
    server.cuts = [700, 700, 700]
    result = call(["AWA1"], tmp_path / "data")
    assert (
        f"could not be fetched in 3 tries (the connection was cut after 700 of {len(server.content):,} bytes)"
        in result.error
    )
    assert f"; 700 bytes are kept in {tmp_path / 'data' / 'xlsa17.zip.part'}: try again later" in result.error
    assert call(["AWA1"], tmp_path / "data").found
    assert server.asked == [None, *["bytes=700-"] * 3]
    assert not list((tmp_path / "data").glob("xlsa17*"))


def test_ctrl_c_keeps_what_came(server, tmp_path, monkeypatch):
    teller = silent()
    teller.show = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    monkeypatch.setattr(downloading, "CHUNK", 1000)
    with pytest.raises(KeyboardInterrupt):
        fetch(["AWA1"], root=tmp_path / "data", teller=teller)
    assert (tmp_path / "data" / "xlsa17.zip.part").read_bytes() == server.content[:1000]
    assert call(["AWA1"], tmp_path / "data").found
    assert server.asked == [None, "bytes=1000-"]


def test_ctrl_c_while_unpacking_leaves_no_half_data_set(server, tmp_path):
    teller = silent()
    teller.begin = lambda title, _: (_ for _ in ()).throw(KeyboardInterrupt) if title.startswith("unpack att") else None
    with pytest.raises(KeyboardInterrupt):
        fetch(["AWA1"], root=tmp_path / "data", teller=teller)
    assert sorted(contents(tmp_path / "data")) == ["xlsa17.zip.part", "xlsa17.zip.part.json"]
    assert not (tmp_path / "data" / "AWA1").exists()
    assert call(["AWA1"], tmp_path / "data").found
    assert server.asked == [None]  # all of it had come


ANEW = {
    "it has no ranges": ({"ranges": False}, "the server cannot go on in the middle: starting anew"),
    "the file has changed": ({"etag": '"two"'}, "the file has changed: starting anew"),
    "it looks at no mark, and the file has changed": ({"etag": '"two"', "checks": False}, "the file has changed: star"),
}


@pytest.mark.parametrize(("changes", "sentence"), ANEW.values(), ids=ANEW)
def test_what_cannot_be_gone_on_with_starts_anew(server, tmp_path, changes, sentence):
    server.cuts = [700, 700, 700]
    call(["AWA1"], tmp_path / "data")
    vars(server).update(changes, content=make_archive(tmp_path, seed=9) if "etag" in changes else server.content)
    result = call(["AWA1"], tmp_path / "data")
    assert result.said[0].startswith(sentence)
    assert result.found[tmp_path / "data" / "AWA1"].bytes == len(server.content)


def test_a_part_of_which_nothing_is_known_starts_anew(server, tmp_path):
    root, part = tmp_path / "data", tmp_path / "data" / "xlsa17.zip.part"
    root.mkdir()
    part.write_bytes(b"else")
    assert call(["AWA1"], root).said == [
        f"{part} cannot be gone on with, since what it is a part of is not known: starting anew"
    ]
    server.etag, server.cuts = None, [700]
    (said, anew) = call(["CUB"], root).said
    assert said.startswith("the connection was cut")
    assert "since the server gave no mark to know the file by" in anew
    shutil.rmtree(root / "CUB")
    server.etag, server.cuts = '"one"', [700] * 3
    assert "3 tries" in call(["CUB"], root).error
    mirror = Server(server.content)
    assert "since it comes from elsewhere" in call(["CUB"], root, address=mirror.address).said[0]
    mirror.shutdown()
    mirror.server_close()


def test_a_server_that_stalls_is_asked_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_S", 0.1)
    server.stalls = [0.3]
    result = call(["AWA1"], tmp_path / "data")
    assert result.found
    assert result.said == ["timed out; trying again in 0 s"]


def test_a_length_that_is_not_told(server, tmp_path):
    server.told = False
    assert call(["AWA1"], tmp_path / "data").found


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.answers = [503, 429]
    result = call(["AWA1"], tmp_path / "data")
    assert result.found
    assert [line.split(";")[0] for line in result.said] == [
        "the server answers 503 Service Unavailable",
        "the server answers 429 Too Many Requests",
    ]


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(server, tmp_path, code):
    server.answers = [code]
    error = call(["AWA1"], tmp_path / "data").error
    assert error.startswith(f"{server.address} answers {code} ")
    assert error.endswith("; give another place of the file with address=.")
    assert len(server.asked) == 1
    assert not contents(tmp_path / "data")


@pytest.mark.parametrize("address", ["", "xlsa17.zip", "file:///etc/passwd", "ftp://x/y.zip", "http://"])
def test_an_address_of_no_server(tmp_path, address):
    assert call(["AWA1"], tmp_path, address=address or "?").error == (
        f"The address {address or '?'!r} must begin with http:// or https://."
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1/a b.zip", "http://[x/y.zip", "http://127.0.0.1:port/x"])
def test_an_address_that_is_none(tmp_path, address):
    assert call(["AWA1"], tmp_path, address=address).error.startswith(f"The address {address!r} is none: ")


def test_nobody_listens(server, tmp_path):
    server.shutdown()
    server.server_close()
    assert "in 3 tries ([Errno 111] Connection refused); 0 bytes" in call(["AWA1"], tmp_path / "data").error


def test_a_file_that_no_disk_holds_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(server.content) - 1))
    assert "xlsa17.zip.part needs 0.00 GB more, and" in call(["AWA1"], tmp_path / "data").error
    assert contents(tmp_path / "data") == {}


def test_a_circle_of_answers_is_told_on_one_line(server, tmp_path):
    server.onward = server.address
    error = call(["AWA1"], tmp_path / "data").error
    assert "answers 302 " in error
    assert "infinite loop. The last" in error


def test_a_disk_that_fills_up_keeps_what_came(server, tmp_path, monkeypatch):
    root, opened = tmp_path / "data", Path.open

    def open_full(path, mode="r", *arguments, **options):
        file = opened(path, mode, *arguments, **options)
        if path.name in full and "b" in mode and mode != "rb":
            write = file.write

            def fails(chunk):
                if file.tell() >= 1000:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(chunk[:1000])

            return Wrapped(file, fails)
        return file

    class Wrapped:
        def __init__(self, file, write):
            self.file, self.write = file, write

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    monkeypatch.setattr(downloading, "CHUNK", 1000)
    monkeypatch.setattr(Path, "open", open_full)
    full = {"xlsa17.zip.part"}
    sentence = "Could not write {}: No space left on device; make room or choose another root=, and fetch again."
    assert call(["AWA1"], root).error == sentence.format(root / "xlsa17.zip.part")
    assert (root / "xlsa17.zip.part").stat().st_size == 1000
    full = {"res101.mat"}
    monkeypatch.setattr("gsmflow.data.unpack.CHUNK", 1000)
    assert "res101.mat: No space left on device; make room" in call(["AWA1"], root).error
    assert sorted(contents(root)) == ["xlsa17.zip.part", "xlsa17.zip.part.json"]
    full = set()
    assert call(["AWA1"], root).found
    assert server.asked == [None, "bytes=1000-"]
