"""What is asked about is told apart, named and streamed; what is bad is named or left out."""

import os
from pathlib import Path

import numpy as np
import pytest

from gsmflow.data import EncoderRecord
from gsmflow.data.folder_record import FolderRecord, write_record
from gsmflow.encoders import inputs as module
from gsmflow.encoders.inputs import Bad, Batch, FeatureInputs, PictureInputs, find_inputs, good_ones
from gsmflow.errors import InputError

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
RECORD = EncoderRecord("onnx", "net.onnx", 3, "ab" * 32)


class Colours:
    """Encodes a picture as its mean colour."""

    record = RECORD

    def prepare(self, picture: Image.Image) -> np.ndarray:
        return np.asarray(picture.convert("RGB"), np.float32).transpose(2, 0, 1)

    def encode(self, pixels: list) -> np.ndarray:
        return np.array([one.mean((1, 2)) for one in pixels], np.float32).reshape(-1, 3)


def draw(path: Path, red: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (red, 0, 0)).save(path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Five pictures, the red of each its number; the fourth is none."""
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(["fox/a.png", "fox/b é.png", "ox/a.png", "ox/broken.png", "ox/c.png"]):
        draw(tmp_path / "pictures" / name, k)
    (tmp_path / "pictures/ox/broken.png").write_bytes(b"no picture")
    return tmp_path


def batches(found: PictureInputs | FeatureInputs, size: int = 64) -> list[Batch]:
    return list(found.batches(Colours(), size) if isinstance(found, PictureInputs) else found.batches())


@pytest.mark.parametrize("size", [1, 2, 3, 64])
def test_pictures_of_a_folder_are_named_as_they_lie_in_it(place, size):
    found = find_inputs(["pictures"])
    assert found.count == 5
    parts = batches(found, size)
    names = [name for part in parts for name in part.files]
    assert names == ["fox/a.png", "fox/b é.png", "ox/a.png", "ox/c.png"]
    assert [int(k) for part in parts for k in part.rows] == [0, 1, 2, 4]
    assert np.concatenate([part.features for part in parts])[:, 0].tolist() == [0, 1, 2, 4]
    assert [one.name for part in parts for one in part.bad] == ["ox/broken.png"]


def test_a_list_chooses_and_orders(place):
    Path("list.txt").write_text("ox/c.png\nfox/a.png\n")
    (part,) = batches(find_inputs(["pictures"], Path("list.txt")))
    assert part.files == ("ox/c.png", "fox/a.png")
    assert part.features[:, 0].tolist() == [4, 0]


def test_other_pictures_are_named_as_they_are_given(place):
    found = find_inputs(["pictures/fox", "pictures/ox/a.png", place / "pictures/ox/a.png", "pictures/ox/a.png"])
    (part,) = batches(found)
    twice = str(place / "pictures/ox/a.png")
    assert part.files == ("pictures/fox/a.png", "pictures/fox/b é.png", "pictures/ox/a.png", twice, "pictures/ox/a.png")
    assert part.features[:, 0].tolist() == [0, 1, 2, 2, 2]


def test_a_name_of_any_bytes_can_be_written(place):
    name = os.fsdecode(b"\xff.png")
    try:
        draw(place / name, 7)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    assert find_inputs([name]).names == ("\\xff.png",)


def save(name: str, array: np.ndarray) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    np.save(name, array)
    return name


@pytest.mark.parametrize("most", [1, 4, 100])
def test_rows_are_counted_on_over_all_features(place, monkeypatch, most):
    monkeypatch.setattr(module, "MOST_ROWS", most)
    Path("b.csv").write_text("1,2,3\n4,5,6\n")
    found = find_inputs([save("a.npy", X), "b.csv"])
    assert found.count == 12
    assert "rows are counted on from one input to the next" in found.notes
    parts = batches(found)
    assert max(len(part.rows) for part in parts) <= most
    assert [int(k) for part in parts for k in part.rows] == list(range(12))
    np.testing.assert_array_equal(np.concatenate([part.features for part in parts]), [*X, [1, 2, 3], [4, 5, 6]])
    assert {part.files for part in parts} == {None}


def shards(folder: str = "my", samples: int = 10) -> str:
    save(f"{folder}/features/part-00000.npy", X[:6])
    save(f"{folder}/features/part-00001.npy", X[6:])
    lines = "".join(f'"{k}, é.png",fox\n' for k in range(samples))
    Path(folder, "samples.csv").write_text(f"file,class\n{lines}", encoding="utf-8")
    write_record(Path(folder), FolderRecord(encoder=RECORD))
    return folder


def test_features_that_are_given_twice_are_asked_about_twice(place):
    found = find_inputs([save("a.npy", X), "./a.npy"])
    assert found.count == 2 * len(X)
    assert [int(k) for part in batches(found) for k in part.rows] == list(range(2 * len(X)))


@pytest.mark.parametrize("most", [1, 4, 100])
def test_a_folder_that_was_extracted_knows_its_files(place, monkeypatch, most):
    monkeypatch.setattr(module, "MOST_ROWS", most)
    found = find_inputs([shards()])
    assert found.encoder == RECORD
    parts = batches(found)
    assert [name for part in parts for name in part.files] == [f"{k}, é.png" for k in range(10)]
    np.testing.assert_array_equal(np.concatenate([part.features for part in parts]), X)


@pytest.mark.parametrize(
    ("samples", "sentence"), [(9, "names 9 samples, but there are more rows"), (11, "more samples")]
)
def test_other_numbers_of_samples_are_refused(place, samples, sentence):
    with pytest.raises(InputError, match=sentence):
        batches(find_inputs([shards(samples=samples)]))


def test_a_folder_of_features_without_names_has_rows(place):
    save("my/features.npy", X)
    Path("my/samples.csv").write_text("class\n" + "fox\n" * 10)
    (part,) = batches(find_inputs(["my"]))
    assert part.files is None


def test_rows_without_features_are_told(place):
    wrong = X.astype(np.float64)
    wrong[3, 1], wrong[8, 0] = np.nan, 1e300
    found = find_inputs([save("a.npy", X), save("b.npy", wrong)])
    reason = "it holds NaN, infinite or too large values"
    (_, part) = batches(found)
    assert part.bad == (Bad("row 3 of b.npy (counted from 0)", reason), Bad("row 8 of b.npy (counted from 0)", reason))
    assert part.rows.tolist() == [10, 11, 12, 14, 15, 16, 17, 19]
    np.testing.assert_array_equal(part.features, np.delete(X, [3, 8], 0))


def test_a_model_can_only_be_asked_about_features_like_its_own(place):
    found = find_inputs([shards()])
    found.check(3, RECORD)
    found.check(3, None)
    with pytest.raises(
        InputError, match=r"part-00000.npy holds features of 3 dimensions, the model was trained on 5: "
    ):
        found.check(5)
    with pytest.raises(
        InputError, match=r"are of another encoder than the model's: found net.onnx .*extract them again"
    ):
        found.check(3, EncoderRecord("onnx", "other.onnx", 3, "cd" * 32))
    with pytest.raises(InputError, match=r"rows and columns exchanged\?"):
        find_inputs([save("turned.npy", X)]).check(10)


REFUSED = {
    "nothing there": (["pictures", "nowhere"], None, "There is no file or folder nowhere."),
    "both kinds": (["pictures", "a.npy"], None, "pictures is of pictures and a.npy of features"),
    "neither": (
        ["a.npz"],
        None,
        "a.npz does not end as pictures do (.png, .jpg, …), nor as tables of features do (.npy",
    ),
    "an empty folder": (["empty"], None, "empty holds no picture"),
    "a list of features": (["a.npy"], "list.txt", "The list list.txt chooses among the pictures of one folder"),
    "a list and a picture": (["pictures/fox/a.png"], "list.txt", "chooses among the pictures of one folder"),
    "a list and two folders": (["pictures/fox", "pictures/ox"], "list.txt", "chooses among the pictures of one folder"),
    "half an extraction": (["half"], None, "The extraction into half is not finished: run the same gsmflow extract"),
    "two sets of features": (["two"], None, "two holds several sets of features"),
    "a pipe": (["pipe.png"], None, "pipe.png is neither a file nor a folder, but a pipe or a device"),
    "names and none": (["named.csv", "a.npy"], None, "named.csv names its samples and a.npy does not"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_about_is_refused(place, case):
    given, listing, sentence = REFUSED[case]
    save("a.npy", X)
    save("two/features.npy", X)
    Path("two/features.csv").write_text("1,2,3\n")
    Path("named.csv").write_text("file,a,b,c\nx.png,1,2,3\n")
    Path("empty").mkdir()
    Path("list.txt").write_text("fox/a.png\n")
    save("half/features/part-00000.npy", X)
    Path("half/extract.json").write_text("{}")
    np.savez("a.npz", X)
    os.mkfifo("pipe.png")
    with pytest.raises(InputError) as refused:
        find_inputs(given, None if listing is None else Path(listing))
    assert sentence in str(refused.value)


def test_all_bad_pictures_are_named_and_nothing_comes_after_them(place):
    for name in ("a", "b"):
        Path(f"pictures/fox/{name}.png").write_bytes(b"")
    came = []
    with pytest.raises(InputError) as refused:
        came.extend(good_ones(find_inputs(["pictures"]).batches(Colours(), 1)))
    assert came == []
    assert str(refused.value).startswith("3 inputs cannot be used: fox/a.png (")
    assert "ox/broken.png (it is no picture that can be read); repair them" in str(refused.value)
    assert "skip_bad=True" in str(refused.value)


def test_bad_ones_are_left_out_where_that_is_asked_for(place):
    told = []
    parts = list(good_ones(find_inputs(["pictures"]).batches(Colours()), told.append))
    assert told == ["left out: ox/broken.png (it is no picture that can be read)"]
    assert [name for part in parts for name in part.files] == ["fox/a.png", "fox/b é.png", "ox/a.png", "ox/c.png"]


def test_the_first_bad_row_is_named(place):
    wrong = X.copy()
    wrong[[4, 6]] = np.inf
    with pytest.raises(InputError, match=r"There are no features in row 4 of a.npy \(counted from 0\): it holds NaN, "):
        list(good_ones(find_inputs([save("a.npy", wrong)]).batches()))
