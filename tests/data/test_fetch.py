"""Benchmarks from an archive on 127.0.0.1: whole, changed, hostile, damaged, and with no room for it."""

import io
import json
import shutil
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest

import gsmflow.data.catalog as catalog
from gsmflow.data import find, load
from gsmflow.data.fetch import RECORD, read_record
from gsmflow.files import sha256_of
from tests.data.archive_server import call, contents, link, make_archive, patch_archive
from tests.data.twins import make_truth, write_xlsa17


def test_the_catalog_says_where_each_comes_from():
    assert {one.name for one in catalog.BENCHMARKS if one.archive} == {"AWA1", "AWA2", "APY", "CUB", "SUN"}
    archive = find("aPY").archive
    assert (archive.address, archive.sha256) == ("http://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip", None)


def test_what_is_fetched_can_be_loaded_and_is_recorded(server, tmp_path):
    root = tmp_path / "data"
    result = call(["awa1"], root)
    assert result.said == []
    assert sorted(contents(root)) == ["AWA1/att_splits.mat", f"AWA1/{RECORD}", "AWA1/res101.mat"]
    np.testing.assert_array_equal(load("AWA1", root=root).features, make_truth().features)
    (folder, came), *others = result.found.items()
    assert (folder, others) == (root / "AWA1", [])
    assert came == read_record(folder)
    assert (came.address, came.bytes) == (server.address, len(server.content))
    assert {file.name: file.sha256 for file in came.files} == {
        name: sha256_of(folder / name) for name in ("res101.mat", "att_splits.mat")
    }


def test_a_complete_data_set_is_left_alone(server, tmp_path):
    root = tmp_path / "data"
    write_xlsa17(root / "cub", make_truth(5))
    assert call(["AWA1", "CUB"], root).said == [
        f"CUB is complete in {root / 'cub'}, though not fetched by this command: left alone"
    ]
    before = contents(root)
    result = call(["CUB", "AWA1"], root)
    assert result.said[1] == f"AWA1 is complete in {root / 'AWA1'}, as fetched: left alone"
    assert (result.found, contents(root), len(server.asked)) == ({}, before, 1)
    (root / "AWA1" / "res101.mat").write_bytes(b"mine")
    assert (
        "AWA1/res101.mat is not what was fetched: its SHA-256 is another than in fetched" in call(["AWA1"], root).error
    )


def test_the_archive_is_kept_where_that_is_asked_for_and_used_again(server, tmp_path):
    root = tmp_path / "data"
    call(["AWA1"], root, keep=True)
    assert (root / "xlsa17.zip").read_bytes() == server.content
    result = call(["CUB"], root)
    assert result.said == [f"{root / 'xlsa17.zip'} is there and is taken as it is"]
    assert result.found[root / "CUB"].address.startswith("file:///")
    assert (root / "xlsa17.zip").exists()
    shutil.rmtree(root / "CUB")
    assert "xlsa17.zip is there already; delete it, or drop address=." in call(["CUB"], root, address="x").error
    assert len(server.asked) == 1


def test_another_checksum_than_the_published_is_refused(server, tmp_path, monkeypatch):
    patch_archive(monkeypatch, sha256="0" * 64)
    result = call(["AWA1"], tmp_path / "data")
    assert "xlsa17.zip.part is not the archive expected: its SHA-256 is " in result.error
    assert result.said == [f"{tmp_path / 'data' / 'xlsa17.zip.part'} is taken away"]
    assert not contents(tmp_path / "data")
    path = tmp_path / "whole.zip"
    path.write_bytes(server.content)
    patch_archive(monkeypatch, sha256=sha256_of(path))
    assert call(["AWA1"], tmp_path / "data").found


def test_a_later_difference_is_refused(server, tmp_path):
    """Whether another benchmark is asked for, or the same again, there or at a mirror."""
    root = tmp_path / "data"
    call(["AWA1"], root)
    server.content, server.etag = make_archive(tmp_path, seed=9), '"two"'
    before = contents(root)
    sentence = f"{server.address} gives another archive than before: its SHA-256 is "
    assert sentence in call(["CUB"], root).error
    assert contents(root) == before
    (root / "AWA1" / "res101.mat").unlink()
    assert sentence in call(["AWA1"], root).error
    mirror = f"{server.address}?mirror"
    assert "att_splits.mat of AWA1 from" not in call(["AWA1"], root).error
    error = call(["AWA1"], root, address=mirror).error
    assert f"res101.mat of AWA1 from {mirror} is another than before" in error
    (root / "AWA1" / RECORD).unlink()
    assert "AWA1/att_splits.mat is there and is another than that of the archive" in call(["AWA1"], root).error
    (root / "AWA1" / "att_splits.mat").unlink()
    assert call(["AWA1"], root).found  # the advice works


def test_a_file_that_lacks_is_put_back(server, tmp_path):
    root = tmp_path / "data"
    call(["AWA1"], root)
    before = contents(root)
    (root / "AWA1" / "att_splits.mat").unlink()
    assert call(["AWA1"], root).found
    assert contents(root) == before


HOSTILE = {
    "up": ("../../evil.mat", "its entry '../../evil.mat' points out of its folder."),
    "up, within": ("xlsa17/data/../../../evil", "points out of its folder."),
    "up, as on Windows": ("xlsa17\\..\\..\\evil", "points out of its folder."),
    "absolute": ("/etc/evil", "its entry '/etc/evil' points out of its folder."),
    "a drive": ("C:\\evil", "points out of its folder."),
    "a link": (link("xlsa17/data/CUB/link"), "its entry 'xlsa17/data/CUB/link' is a link."),
    "a member twice": ("xlsa17/data/AWA1/res101.mat", "holds 2 entries 'xlsa17/data/AWA1/res101.mat'; it holds xlsa17"),
}


@pytest.mark.parametrize(("entry", "sentence"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_archive_is_refused_as_a_whole(server, tmp_path, entry, sentence):
    server.content = make_archive(tmp_path, entries=[(entry, b"/etc/passwd")])
    before = set(tmp_path.rglob("*"))
    result = call(["AWA1"], tmp_path / "data")
    assert sentence in result.error
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "data"}


def test_a_bomb_is_not_unpacked(server, tmp_path):
    bomb = ("xlsa17/data/SUN/res101.mat", bytes(20_000_000))
    server.content = make_archive(tmp_path, entries=[bomb, ("xlsa17/data/SUN/att_splits.mat", b"")])
    error = call(["SUN"], tmp_path / "data").error
    assert "res101.mat would unpack from 1" in error
    assert "to 20,000,000 bytes." in error
    assert not contents(tmp_path / "data")


def test_a_size_that_is_a_lie(server, tmp_path):
    """The central directory declares fewer bytes than there are."""
    content = bytearray(server.content)
    with ZipFile(io.BytesIO(server.content)) as archive:
        size = archive.getinfo("xlsa17/data/AWA1/att_splits.mat").file_size
    for place in (at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"):
        if int.from_bytes(content[place + 24 : place + 28], "little") == size:
            content[place + 24 : place + 28] = (10).to_bytes(4, "little")
            break
    server.content = bytes(content)
    assert "is a damaged zip archive (Bad CRC-32" in call(["AWA1"], tmp_path / "data").error
    assert not contents(tmp_path / "data")


DAMAGED = {
    "not a zip": (lambda whole: b"<html>gone</html>", "is no zip archive: it starts with b'<htm'; check its address."),
    "nothing": (lambda whole: b"", "is no zip archive: it starts with b''"),
    "truncated": (lambda whole: whole[: len(whole) // 2], "is a damaged zip archive (File is not a zip file), of "),
    "its middle overwritten": (
        lambda whole: whole[:300] + bytes(200) + whole[500:],
        "is a damaged zip archive (Bad CRC-32 for file 'xlsa17/data/AWA1/att_splits.mat'), of ",
    ),
    "without the data set": (lambda whole: None, "no entry 'xlsa17/data/AWA1/res101.mat'; it holds xlsa17/data/CUB."),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_archive_is_taken_away(server, tmp_path, damage, sentence):
    whole = server.content
    content = damage(whole)
    server.content = make_archive(tmp_path, ["CUB"]) if content is None else content
    assert sentence in call(["AWA1"], tmp_path / "data").error
    assert not contents(tmp_path / "data")
    server.content, server.etag = whole, '"two"'
    assert call(["AWA1"], tmp_path / "data").found


def test_an_archive_of_ones_own_stays_however_damaged(tmp_path):
    (tmp_path / "xlsa17.zip").write_bytes(b"else")
    assert "xlsa17.zip is no zip archive" in call(["AWA1"], tmp_path).error
    assert (tmp_path / "xlsa17.zip").read_bytes() == b"else"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"features": None}, "xlsa17.zip.part/res101.mat lacks the key 'features'; it has image_files, labels."),
        ({"att": None}, "xlsa17.zip.part/att_splits.mat lacks the key 'att'; it has "),
    ],
)
def test_files_that_could_not_be_read_are_not_placed(server, tmp_path, changed, sentence):
    server.content = make_archive(tmp_path, **changed)
    assert sentence in call(["AWA1"], tmp_path / "data").error
    assert not contents(tmp_path / "data")


@pytest.mark.parametrize(("room", "what", "kept"), [([100], "xlsa17.zip.part", 0), ([10**9, 100], "res101.mat and", 2)])
def test_a_disk_without_room_is_told_before(server, tmp_path, monkeypatch, room, what, kept):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room.pop(0)))
    error = call(["AWA1"], tmp_path / "data").error
    assert error.startswith(f"{what}")
    assert "more, and " in error
    assert error.endswith(" has 0.00 GB free; make room or choose another root=.")
    assert len([content for content in contents(tmp_path / "data").values() if content]) == kept
    assert not (tmp_path / "data" / "AWA1").exists()


REFUSED = {
    "unknown": ("nothing", "There is no known data set 'nothing' to fetch; choose among AWA1, AWA2, APY, CUB, SUN."),
    "embedded": ("digits", "digits is embedded and needs no files; use it as it is."),
    "elsewhere": ("flo", "FLO is in no archive that can be fetched; get data.mat and label.mat from https://github"),
}


@pytest.mark.parametrize(("name", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fetched(tmp_path, name, sentence):
    assert call(["AWA1", name], tmp_path).error.startswith(sentence)
    assert not contents(tmp_path)


def test_a_damaged_record_is_told(server, tmp_path):
    call(["AWA1"], tmp_path)
    (tmp_path / "AWA1" / RECORD).write_text(json.dumps({"address": 3}))
    assert f"{tmp_path / 'AWA1' / RECORD}" in call(["CUB"], tmp_path).error
