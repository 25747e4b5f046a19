import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gsmflow.encoders.pictures import encode_files, list_pictures
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import picture, write_pictures


class Means:
    """An encoder: the mean colour of each picture."""

    record = SimpleNamespace(dim=3)

    def __init__(self):
        self.batches, self.threads, self.last = [], set(), threading.Event()

    def prepare(self, image):
        self.threads.add(threading.current_thread())
        return np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1)

    def encode(self, pixels):
        self.batches.append(len(pixels))
        return np.stack([one.mean((1, 2)) for one in pixels]) if pixels else np.empty((0, 3), np.float32)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_a_folder_a_class(tmp_path):
    for file in ("dog/2.JPG", "cat/1.png", "cat/deep/er/3.webp", "dog/10.png", "naïve cat/ä b.png"):
        touch(tmp_path / file)
    found = list_pictures(tmp_path)
    assert found.files == ("cat/1.png", "cat/deep/er/3.webp", "dog/10.png", "dog/2.JPG", "naïve cat/ä b.png")
    assert found.classes == ("cat", "cat", "dog", "dog", "naïve cat")
    assert found.paths[0] == tmp_path / "cat" / "1.png"


def test_what_is_no_picture_is_passed_over_and_counted(tmp_path):
    for file in ("cat/1.png", "cat/notes.txt", "cat/more.txt", ".DS_Store", ".thumbs/1.png", "Thumbs.db"):
        touch(tmp_path / file)
    with pytest.warns(DataWarning, match=r"5 of 6 files .* passed over.*\.txt \(2\)"):
        found = list_pictures(tmp_path)
    assert found.files == ("cat/1.png",)


def test_pictures_in_no_folder_have_no_class(tmp_path):
    for file in ("1.png", "cat/2.png"):
        touch(tmp_path / file)
    assert list_pictures(tmp_path).classes is None


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path / "elsewhere" / "1.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "images")
    assert list_pictures(tmp_path / "images").files == ("cat/1.png",)


@pytest.mark.parametrize(
    ("files", "root", "says"),
    [
        ((), "gone", "does not exist"),
        (("images",), "images", "is a file, no folder"),
        (("images/cat/notes.txt",), "images", r"holds no picture .* its 1 files end in \.txt"),
        ((), ".", "no file at all"),
    ],
)
def test_a_folder_without_pictures_is_refused(files, root, says, tmp_path):
    for file in files:
        touch(tmp_path / file)
    with pytest.raises(InputError, match=says):
        list_pictures(tmp_path / root)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    try:
        open(os.fsencode(tmp_path / "cat") + b"/\xe4.png", "wb").close()
    except OSError:
        pytest.skip("this file system takes such names no more")
    with pytest.raises(InputError, match=r"not UTF-8: rename"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
@pytest.mark.parametrize("workers", [1, 3])
def test_rows_come_in_order_whatever_the_batch(batch, workers, tmp_path):
    paths = [tmp_path / file for file in write_pictures(tmp_path, each=4)]
    encoder = Means()
    parts = list(encode_files(encoder, paths, batch=batch, workers=workers))
    expected = np.stack([np.asarray(Image.open(path), np.float32).mean((0, 1)) for path in paths])
    np.testing.assert_allclose(np.concatenate([part.features for part in parts]), expected, rtol=1e-5)
    assert [path for part in parts for path in part.paths] == paths
    assert max(encoder.batches) <= batch
    assert threading.main_thread() not in encoder.threads


BAD = {
    "cut.jpg": lambda path: path.write_bytes(whole("JPEG")[:-300]),
    "cut.png": lambda path: path.write_bytes(whole("PNG")[:60]),
    "broken.png": lambda path: path.write_bytes(whole("PNG").replace(b"IDAT", b"IDAX")),
    "empty.png": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("no picture"),
    "gone.png": lambda path: None,
    "folder.png": lambda path: path.mkdir(),
    "bomb.png": lambda path: Image.new("1", (10_000, 10_000)).save(path),
}


def whole(kind):
    from io import BytesIO

    content = BytesIO()
    picture(size=(64, 64)).save(content, kind)
    return content.getvalue()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_with_the_reason(name, tmp_path):
    good = [tmp_path / file for file in write_pictures(tmp_path, each=1)]
    BAD[name](tmp_path / name)
    (part,) = encode_files(Means(), [good[0], tmp_path / name, good[1]], workers=1)
    assert part.paths == tuple(good)
    assert len(part.features) == 2
    ((path, reason),) = part.bad
    assert path == tmp_path / name
    assert reason
    assert "\n" not in reason


def test_no_more_is_decoded_than_is_soon_due(tmp_path):
    paths = [tmp_path / file for file in write_pictures(tmp_path, each=10)]
    encoder, begun = Means(), []
    prepare = encoder.prepare
    encoder.prepare = lambda image: begun.append(1) or prepare(image)
    parts = encode_files(encoder, paths, batch=2, workers=1)
    next(parts)
    time.sleep(0.05)
    assert len(begun) <= 6
    parts.close()


@pytest.mark.parametrize("options", [{"batch": 0}, {"workers": 0}])
def test_numbers_that_are_none_are_refused_at_once(options):
    with pytest.raises(InputError, match=f"{next(iter(options))}= is at least 1"):
        encode_files(Means(), [], **options)


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    (found,) = encode_files(Means(), [tmp_path / "x.png"])
    assert found.bad == ((tmp_path / "x.png", "it is no file"),)
