import json
from dataclasses import replace

import numpy as np
import pytest

from gsmflow.data import EncoderRecord
from gsmflow.data.folder_record import FolderRecord, read_record, write_record
from gsmflow.encoders.extraction import extract_features
from gsmflow.encoders.images import load_image_encoder
from gsmflow.encoders.pictures import list_pictures
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import DIM, picture, write_onnx, write_pictures

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

CLASSES = ("cat", "dog", "eel")


@pytest.fixture
def root(tmp_path):
    write_pictures(tmp_path / "images", CLASSES, each=3)
    return tmp_path / "images"


@pytest.fixture
def encoder(tmp_path):
    return load_image_encoder(write_onnx(tmp_path / "net.onnx"), mean=[0.0], std=[1.0])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "my folder"


def extract(root, encoder, out, **options):
    return extract_features(list_pictures(root), encoder, out, **{"batch": 2, "shard": 4, "workers": 1, **options})


def rows(out):
    return np.concatenate([np.load(path) for path in sorted((out / "features").iterdir())])


def expected(encoder):
    """A row of each of the nine pictures."""
    return encoder.encode([encoder.prepare(picture(seed)) for seed in range(9)])


def state(out):
    """All files and when they were written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}


def test_a_folder_that_can_be_read(root, encoder, out):
    found = extract(root, encoder, out)
    assert (found.rows, found.dim, found.classes, found.encoded, found.bad) == (9, DIM, 3, 9, ())
    np.testing.assert_allclose(rows(out), expected(encoder), rtol=1e-5)
    assert [path.name for path in sorted((out / "features").iterdir())] == [f"part-0000{k}.npy" for k in range(3)]
    lines = (out / "samples.csv").read_text().splitlines()
    assert lines[:2] == ["file,class", "cat/0.png,cat"]
    record = read_record(out)
    assert record.encoder == encoder.record
    assert record.images == str(root.absolute())


def test_the_folder_is_a_data_set(root, encoder, out):
    from gsmflow.data import load

    extract(root, encoder, out)
    (out / "classes.csv").write_text("name,furry,long\ncat,1,0.5\ndog,1,0\neel,0,1\nfish,0,0.5\n")
    dataset = load(str(out))
    np.testing.assert_allclose(dataset.features, expected(encoder), rtol=1e-5)
    assert dataset.provenance.encoder == encoder.record
    assert dataset.sample_names[0] == "cat/0.png"


def test_what_describe_wrote_stays(root, encoder, out):
    words = EncoderRecord("sentence-transformers", "words", 4, "0" * 64)
    out.mkdir()
    write_record(out, FolderRecord(text_encoder=words))
    (out / "classes.csv").write_text("name\ncat\n")
    extract(root, encoder, out)
    assert read_record(out).text_encoder == words
    assert (out / "classes.csv").read_text() == "name\ncat\n"


def test_the_same_once_more_does_nothing(root, encoder, out):
    extract(root, encoder, out)
    before = state(out / "features")
    assert extract(root, encoder, out).encoded == 0
    assert state(out / "features") == before


def interrupt(encoder, monkeypatch, after):
    """Let the encoder stop after so many batches."""
    encode, batches = encoder.encode, []

    def interrupted(pixels):
        batches.append(pixels)
        if len(batches) > after:
            raise KeyboardInterrupt
        return encode(pixels)

    monkeypatch.setattr(encoder, "encode", interrupted)


def test_it_goes_on_where_it_was_interrupted(root, encoder, out, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(encoder, patch, 3)  # six pictures: a shard of four, and a half one
        with pytest.raises(KeyboardInterrupt):
            extract(root, encoder, out)
    assert [path.name for path in (out / "features").iterdir()] == ["part-00000.npy"]
    assert not (out / "samples.csv").exists()
    before = state(out / "features")
    (out / "features" / ".part-00001.npy.77.tmp").write_bytes(b"of a process that was killed")
    assert extract(root, encoder, out).encoded == 5
    assert before.items() <= state(out / "features").items()
    assert not list((out / "features").glob(".*"))
    np.testing.assert_allclose(rows(out), expected(encoder), rtol=1e-5)


@pytest.mark.parametrize("harm", ["cut", "gone", "short"])
def test_a_damaged_shard_is_made_again(harm, root, encoder, out):
    extract(root, encoder, out)
    path = out / "features" / "part-00001.npy"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif harm == "gone":
        path.unlink()
    else:
        np.save(path, np.load(path)[1:])
    assert extract(root, encoder, out).encoded == 4
    np.testing.assert_allclose(rows(out), expected(encoder), rtol=1e-5)


def test_bad_pictures_are_an_error_that_keeps_all_others(root, encoder, out):
    for file in ("cat/0.png", "eel/0.png", "eel/1.png", "eel/2.png"):
        (root / file).write_bytes(b"")
    with pytest.raises(InputError, match=r"4 of 9 pictures .*cat/0\.png \(it is empty\), eel/0.*skip_bad"):
        extract(root, encoder, out)
    assert not (out / "samples.csv").exists()
    found = extract(root, encoder, out, skip_bad=True)
    assert (found.encoded, found.rows, found.classes, found.lost) == (0, 5, 2, ("eel",))
    assert [file for file, _ in found.bad] == ["cat/0.png", "eel/0.png", "eel/1.png", "eel/2.png"]
    np.testing.assert_allclose(rows(out), expected(encoder)[1:6], rtol=1e-5)
    assert (out / "samples.csv").read_text().splitlines()[1] == "cat/1.png,cat"


def test_repaired_pictures_are_taken_in(root, encoder, out):
    (root / "cat" / "0.png").write_bytes(b"")
    extract(root, encoder, out, skip_bad=True)
    picture(0).save(root / "cat" / "0.png")
    assert extract(root, encoder, out, skip_bad=True).encoded == 4
    np.testing.assert_allclose(rows(out), expected(encoder), rtol=1e-5)


def test_no_picture_left_is_an_error(root, encoder, out):
    for path in root.glob("*/*"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"9 of 9 .*and 4 more; give other pictures"):
        extract(root, encoder, out, skip_bad=True)


def test_numbers_that_are_none_are_a_bad_picture(root, encoder, out, monkeypatch):
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda pixels: encode(pixels) * np.nan)
    with pytest.raises(InputError, match="NaN or infinite"):
        extract(root, encoder, out)


def change(out, what, root, encoder):
    """What comes in the way of going on."""
    if what == "encoder":
        encoder.record = replace(encoder.record, sha256="1" * 64)
    elif what == "preprocessing":
        encoder.record = replace(encoder.record, preprocessing={"size": [9, 9]})
    elif what == "pictures":
        picture().save(root / "cat" / "new.png")
    elif what == "format":
        (out / "extract.json").write_text(json.dumps({"format": 2}))
    elif what == "journal":
        (out / "extract.json").unlink()
    elif what == "place":
        return root.rename(root.parent / "moved")
    return root


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("encoder", "holds features of another extraction, by net.onnx"),
        ("preprocessing", "another preprocessing"),
        ("pictures", "of 9 pictures, which are not these 10"),
        ("place", "of the pictures in "),
        ("format", "is of format 2, this version reads 1"),
        ("journal", r"holds features/part-00000.npy already, made by net\.onnx"),
    ],
)
def test_another_extraction_is_refused(what, says, root, encoder, out):
    extract(root, encoder, out)
    root = change(out, what, root, encoder)
    before = state(out)
    with pytest.raises(InputError, match=says):
        extract(root, encoder, out)
    assert state(out) == before


@pytest.mark.parametrize("name", ["features.npy", "features.csv", "labels.txt", "samples.csv"])
def test_features_of_elsewhere_are_not_touched(name, root, encoder, out):
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds {name} already: choose another"):
        extract(root, encoder, out)
    assert (out / name).read_text() == "mine"
    assert not (out / "extract.json").exists()


def test_a_file_is_no_folder(root, encoder, out):
    out.write_text("mine")
    with pytest.raises(InputError, match="is no folder"):
        extract(root, encoder, out)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("alone.png", r"1 of 10 pictures lie in .* itself, .*'alone\.png'"),
        ("cat/two\nlines.png", "has a line break: rename"),
        ("two\nlines/0.png", "does not survive in a file"),
    ],
)
def test_a_picture_without_a_name_for_its_class_is_refused(file, says, root, encoder, out):
    (root / file).parent.mkdir(exist_ok=True)
    picture().save(root / file)
    with pytest.raises(InputError, match=says):
        extract(root, encoder, out)
    assert not out.exists()


def test_one_class_alone_is_remarked_upon(root, encoder, out):
    with pytest.warns(DataWarning, match=r"All 9 pictures are of one class, 'images'"):
        extract(root.parent, encoder, out)
