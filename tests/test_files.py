"""Writing files: all of it or nothing, and the same bytes for the same content."""

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gsmflow.errors import InputError
from gsmflow.files import as_csv, as_json, read_json, read_tensors, save_tensors, write_atomically
from tests.tiny import full_disk


@pytest.mark.parametrize("place", ["Path.replace", "os.fsync"])
def test_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, place):
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")
    target = Path if place == "Path.replace" else __import__("os")
    monkeypatch.setattr(target, place.split(".")[1], full_disk)
    with pytest.raises(InputError, match=r"Could not write .*metrics\.json: No space left on device; make room"):
        write_atomically(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("metrics.json", b"old")]


def test_json_knows_no_nan():
    text = as_json({"a": float("nan"), "b": [float("inf"), (1, 2)], "c": torch.tensor([1.5]).numpy()})
    assert json.loads(text) == {"a": None, "b": [None, [1, 2]], "c": [1.5]}


@pytest.mark.parametrize("text", ["[]", "{", "\xff", "[" * 100_000])
def test_what_is_no_json_is_told_in_a_sentence(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"a\.json (is not readable JSON|must hold keys and values; it holds list)"):
        read_json(tmp_path / "a.json")


def test_tensors_come_back_with_their_texts_and_are_the_same_bytes_each_time(tmp_path):
    tensors = {"b": torch.arange(3.0), "ä|a": torch.ones(2, 2, dtype=torch.int64).T, "empty": torch.empty(0, 4)}
    texts = {name: f'"ünï" {name}' for name in "zyxwabcdefg"}
    for name in ("one", "other"):
        save_tensors(tmp_path / name, dict(reversed(tensors.items())) if name == "one" else tensors, texts)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    found, about = read_tensors(tmp_path / "one")
    assert about == texts
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
        assert torch.equal(load_file(tmp_path / "one")[name], tensor)
    save_tensors(tmp_path / "plain", tensors)
    assert read_tensors(tmp_path / "plain")[1] == {}
    save_tensors(tmp_path / "nothing", {}, {"a": "b"})
    assert read_tensors(tmp_path / "nothing") == ({}, {"a": "b"})


def test_damaged_tensors_are_told_in_a_sentence(tmp_path):
    save_tensors(tmp_path / "a", {"x": torch.ones(9)})
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-4])
    with pytest.raises(InputError, match=r"is not a readable safetensors file \(.*\); is it truncated\?"):
        read_tensors(tmp_path / "a")
    with pytest.raises(InputError, match=r"The file .*none does not exist\."):
        read_tensors(tmp_path / "none")


@pytest.mark.parametrize("cell", ["a\rb", "a\r\nb", "a\nb", 'a"b', "a,b", "#a", " a", "日本"])
def test_a_table_of_texts_is_read_as_it_was_written(cell):
    text = as_csv(["name", "other"], [[cell, "x"], ["y", cell]]).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["name", "other"], [cell, "x"], ["y", cell]]
    assert not text.splitlines()[1].startswith("#")
