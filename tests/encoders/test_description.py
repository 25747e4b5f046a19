"""What `gsmflow describe` writes: all of it or nothing, beside what is there, and never over what is another's."""

import json
from pathlib import Path

import numpy as np
import pytest

from gsmflow.data import EncoderRecord, load_folder
from gsmflow.data.advice import advise
from gsmflow.data.folder_record import FolderRecord, read_record, write_record
from gsmflow.data.formats.folder_semantics import digest_of
from gsmflow.encoders.description import describe_table, replace_together
from gsmflow.encoders.texts import describe_classes
from gsmflow.errors import InputError
from gsmflow.progress import Display
from tests.data.own import write_own

TABLE = "name,description,description_2,legs\nzebra,aab,c,4\nBär,abc,,4\n"
WRITTEN = {"classes.csv", "semantics.npy", "semantics.csv", "dataset.json"}


class Letters:
    """An encoder whose answers can be foreseen: how often each letter occurs."""

    def __init__(self, sha256: str = "0", template: str = "{}"):
        self.record = EncoderRecord("huggingface", "letters", 26, sha256, preprocessing={"template": template})

    def encode(self, texts):
        letters = "abcdefghijklmnopqrstuvwxyz"
        return np.array([[text.lower().count(letter) for letter in letters] for text in texts], np.float32)

    def too_long(self, texts):
        return [False] * len(texts)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "mine" / "classes.csv"
    path.parent.mkdir()
    path.write_bytes(TABLE.encode("utf-8-sig").replace(b"\n", b"\r\n"))
    return path


def describe(table: Path, out: Path, encoder: Letters | None = None, **options) -> np.ndarray:
    return describe_table(table, out, lambda: encoder or Letters(), display=Display(quiet=True), **options)


def test_it_writes_the_semantics_beside_a_copy_of_the_table(table, tmp_path):
    out = tmp_path / "new" / "data"
    found = describe(table, out)
    assert set(contents(out)) == WRITTEN
    assert (out / "classes.csv").read_bytes() == table.read_bytes()
    np.testing.assert_array_equal(np.load(out / "semantics.npy"), found)
    np.testing.assert_allclose(found, describe_classes(Letters(), [["aab", "c"], ["abc"]]))
    assert (out / "semantics.csv").read_text(
        "utf-8"
    ) == f"name,texts\nzebra,{digest_of(('aab', 'c'))}\nBär,{digest_of(['abc'])}\n"
    assert read_record(out) == FolderRecord(text_encoder=Letters().record)


def test_what_extract_wrote_stays(table, tmp_path):
    encoder = EncoderRecord("onnx", "x.onnx", 8, "1", preprocessing={"size": [4, 4]})
    (tmp_path / "out").mkdir()
    write_record(tmp_path / "out", FolderRecord(encoder=encoder, images="/pictures"))
    (tmp_path / "out" / "samples.csv").write_text("file,class\n")
    describe(table, tmp_path / "out")
    assert read_record(tmp_path / "out") == FolderRecord(1, encoder, Letters().record, "/pictures")
    assert (tmp_path / "out" / "samples.csv").exists()


def test_in_the_folder_of_the_table_the_table_is_left_alone_and_may_grow(table):
    before = table.stat()
    describe(table, table.parent)
    assert set(contents(table.parent)) == WRITTEN
    assert (table.stat().st_ino, table.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    table.write_text(TABLE + "owl,b,,2\n")
    assert len(describe(table, table.parent)) == 3
    lines = (table.parent / "semantics.csv").read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["name", "zebra", "Bär", "owl"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("zebra,aab,c,4\nBär,abc,,4", "zebra,aab,d,4\nBär,abb,,4", "2 classes (zebra, Bär)"),
        ("zebra,aab,c", "zebra,aab,", "1 class (zebra)"),
        ("Bär,abc,,4", "Bär,,,4", "1 class (Bär)"),
        ("Bär,abc,,4", "Bär,abc,,5", ""),
        ("zebra,aab,c,4\nBär,abc,,4", "Bär, abc ,,4", ""),
    ],
)
@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
def test_descriptions_that_were_changed_since_are_noticed(old, new, changed, table):
    folder = write_own(table.parent, samples__csv=None, labels__txt="Bär\n" * 6, classes__csv=TABLE)
    template = Letters(template="a {}")
    describe(table, folder, template)
    assert load_folder(folder).num_classes == 2
    table.write_text(TABLE.replace(old, new))
    if not changed:
        load_folder(folder)
        return
    with pytest.raises(InputError) as told:
        load_folder(folder)
    sentence = f"the descriptions of {changed} were changed after gsmflow describe: run it again: "
    assert str(told.value) == f"{table}: {sentence}gsmflow describe {folder}"
    assert load_folder(folder, semantics="attributes").semantic_dim == 1
    assert [(todo.sentence, todo.command) for todo in advise(folder).todo] == [
        (f"{table}: {sentence.strip()}", f"gsmflow describe {folder}")
    ]
    if "Bär,,," in new:
        return
    describe(table, folder, template)
    assert load_folder(folder).num_classes == 2


@pytest.mark.filterwarnings("ignore::gsmflow.errors.DataWarning")
def test_names_that_were_described_are_compared_too(table):
    names = "name,legs\nsea_bear,0\nzebra,4\n"
    folder = write_own(table.parent, samples__csv=None, labels__txt="zebra\n" * 6, classes__csv=names)
    describe(table, folder)
    assert load_folder(folder).num_classes == 2
    table.write_text("name,legs,description\nsea_bear,0,sea bear\nzebra,4,a horse\n")
    with pytest.raises(InputError, match=r"the descriptions of 1 class \(zebra\) were changed"):
        load_folder(folder)


def test_without_descriptions_the_names_are_taken(tmp_path, capsys):
    path = tmp_path / "classes.csv"
    path.write_text("name,legs\nsea_bear,0\nzebra,4\n")
    found = describe_table(path, tmp_path / "out", Letters, display=Display())
    np.testing.assert_allclose(found, describe_classes(Letters(), [["sea bear"], ["zebra"]]))
    assert "holds no descriptions" in capsys.readouterr().err


def test_some_classes_without_a_description_are_named(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text("name,description\n" + "".join(f"c{k},{'x' if k > 6 else ''}\n" for k in range(9)))
    with pytest.raises(InputError, match="no description of 'c0', 'c1', 'c2', 'c3', 'c4' and 2 more: give each"):
        describe(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def never() -> Letters:
    raise AssertionError("a model that takes long to load must be loaded last")


def test_another_table_is_not_replaced_unasked(table, tmp_path):
    out = tmp_path / "out"
    describe(table, out)
    other = tmp_path / "other.csv"
    other.write_text("name,description\nowl,b\n")
    before = contents(out)
    with pytest.raises(InputError, match=r"out/classes.csv is another table than .*other.csv: .* overwrite=True"):
        describe_table(other, out, never, display=Display(quiet=True))
    assert contents(out) == before
    assert len(describe(other, out, overwrite=True)) == 1
    assert (out / "classes.csv").read_text() == other.read_text()


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (Letters("1"), "were made by letters .*, not by letters"),
        (Letters(template="a {}"), r"in another way \(template '{}', now 'a {}'\)"),
    ],
)
def test_semantics_made_otherwise_are_not_replaced_unasked(encoder, said, table, tmp_path):
    out = tmp_path / "out"
    describe(table, out)
    before = contents(out)
    describe(table, out)  # the same again does no harm
    assert contents(out) == before
    with pytest.raises(InputError, match=f"{said}.*overwrite=True"):
        describe(table, out, encoder)
    assert contents(out) == before
    describe(table, out, encoder, overwrite=True)
    assert read_record(out).text_encoder == encoder.record


def test_semantics_of_ones_own_are_not_replaced_unasked(table):
    np.save(table.parent / "semantics.npy", np.eye(2))
    with pytest.raises(InputError, match=r"\(semantics.npy\) were not made by gsmflow describe: .* overwrite=True"):
        describe(table, table.parent)
    np.testing.assert_array_equal(np.load(table.parent / "semantics.npy"), np.eye(2))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"format": 2}', "is of format 2, this version reads 1"),
        ('{"format": 1, "encoders": 1}', "encoders"),
        ("{", "not readable JSON"),
    ],
)
def test_a_record_that_cannot_be_read_is_told_before_the_model_is_loaded(content, said, table, tmp_path):
    (table.parent / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=said):
        describe_table(table, table.parent, never, display=Display(quiet=True))
    assert (table.parent / "dataset.json").read_text() == content


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", range(1, 5))
def test_what_stops_half_way_leaves_all_as_it_was(when, error, old, table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    if old:
        describe(table, out)
    before, calls, replace = contents(out), [], Path.replace

    def stop(self, target):
        calls.append(target)
        if len(calls) == when:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises((InputError, KeyboardInterrupt)) as told:
        describe(table, out, Letters("1"), overwrite=True)
    assert isinstance(told.value, KeyboardInterrupt) or "No space left on device; make room" in str(told.value)
    assert contents(out) == before
    assert out.exists() == old


def test_what_is_no_file_is_not_replaced(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="a is no file that could be replaced"):
        replace_together(tmp_path, {"b": b"", "a": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"Could not write b into .*file: "):
        replace_together(tmp_path / "file", {"b": b""})


def test_the_record_is_plain_json(table, tmp_path):
    describe(table, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert record["text_encoder"]["name"] == "letters"
    assert record["format"] == 1
