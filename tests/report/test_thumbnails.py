"""Small pictures in the report: which are shown, what is said of them, and of those that cannot be shown."""

import base64
import io
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gsmflow
from gsmflow import report
from gsmflow.data import Provenance, ZeroShotDataset, synthetic
from gsmflow.report import thumbnails as part
from gsmflow.report import write_report
from gsmflow.report.facts import read_facts
from gsmflow.report.probe import Probe, probe
from gsmflow.report.thumbnails import SIDE, halves, spread, thumbnails
from tests.report.pages import Page

Image = pytest.importorskip("PIL.Image")
EVIL = "<script>alert(1)</script>\"'>"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of pictures, one a sample; no test alters it."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(8 * 12):
        pixels = rng.integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{i:03d}.png")
    return root


def data_of(root: Path, **changes) -> ZeroShotDataset:
    """A problem so hard that some samples are decided wrongly, with a picture of each sample."""
    plain = synthetic(classes=8, unseen=3, samples=12, dim=6, noise=0.6)
    given = {name: getattr(plain, name) for name in ("features", "labels", "semantics", "trainval", "test_seen")}
    given |= {"test_unseen": plain.test_unseen, "sample_names": [f"{i:03d}.png" for i in range(96)]}
    return ZeroShotDataset("pets", **(given | {"provenance": Provenance(images=str(root))} | changes))


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """The folder of a run on pictures."""
    return gsmflow.train(data_of(pictures), "prototype").save(tmp_path_factory.mktemp("trained") / "run")


def asked(run: Path, dataset: ZeroShotDataset) -> Probe:
    return probe(read_facts(run, "run"), dataset)


@pytest.fixture(scope="module")
def found(trained, pictures) -> Probe:
    return asked(trained, data_of(pictures))


def test_what_is_said_of_a_picture_is_so(found, pictures):
    shown = thumbnails(found)
    assert (shown.lacking, len(shown.groups)) == ("", 4)
    names = found.dataset.class_names
    files = [one.file for group in shown.groups for one in group.shown]
    assert len(set(files)) == len(files) > 12
    samples = [*found.dataset.test_seen, *found.dataset.test_unseen]
    for group in shown.groups:
        for one in group.shown:
            place = samples.index(int(one.file[:3]))
            k = found.dataset.labels[int(one.file[:3])]
            assert (one.true, one.decided) == (names[k], names[found.predicted[place]])
            assert one.probability == found.confidence[place]
            assert one.decided_unseen == (found.predicted[place] in found.dataset.unseen)
            assert ("Unseen" in group.title) == (k in found.dataset.unseen)
            assert ("rightly" in group.title) == one.is_right == (one.true == one.decided)
            image = opened(one.source)
            assert (image.size, image.mode) == ((60, 40), "RGB")
            pixels = np.asarray(Image.open(pictures / one.file)).astype(float)
            assert np.abs(np.asarray(image).mean((0, 1)) - pixels.mean((0, 1))).max() < 4
    for group, count in zip(shown.groups, counts(found), strict=True):
        assert group.title.endswith(f": {len(group.shown)} of {count}")


def counts(found: Probe) -> list[int]:
    """Unseen and seen ones decided wrongly, and rightly."""
    is_right, is_unseen = found.predicted == found.labels, np.isin(found.labels, found.dataset.unseen)
    kinds = (~is_right & is_unseen, ~is_right & ~is_unseen, is_right & is_unseen, is_right & ~is_unseen)
    return [int(kind.sum()) for kind in kinds]


def opened(source: str):
    head, _, content = source.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_the_choice_is_fixed_balanced_and_bounded(found, monkeypatch):
    assert thumbnails(found) == thumbnails(found)
    monkeypatch.setattr(part, "WRONG", 2)
    monkeypatch.setattr(part, "RIGHT", 2)
    assert [len(group.shown) for group in thumbnails(found).groups] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("counts", "taken"),
    [
        ((100, 100), (6, 6)),
        ((0, 100), (0, 12)),
        ((100, 0), (12, 0)),
        ((2, 100), (2, 10)),
        ((7, 5), (7, 5)),
        ((3, 2), (3, 2)),
    ],
)
def test_halves(counts, taken):
    assert halves(12, *counts) == taken


def test_classes_come_one_after_the_other():
    labels = np.array([0] * 50 + [1] * 2 + [2])
    places = np.arange(len(labels))
    picked = labels[spread(labels, places, 7, np.random.default_rng(0))]
    assert np.bincount(picked).tolist() == [4, 2, 1]
    assert len(spread(labels, places[:3], 7, np.random.default_rng(0))) == 3


def test_the_page(trained, pictures, tmp_path):
    page = Page(write_report([trained], tmp_path / "report.html", dataset=data_of(pictures)))
    assert "Pictures" in page.headings()
    assert len(page.texts["h3"]) == 4
    told = re.findall(
        r'<img src="data:image/jpeg;base64,[^"]+" alt="class \d, (?:recognised|taken for class \d)"', page.source
    )
    assert page.tags["img"] == len(told) > 12


def section_of(found: Probe, run: Path, out: Path) -> Page:
    """The section of pictures alone, as a page."""
    missing: list[str] = []
    sections = report.of_pictures(found, missing)
    out.write_text(report.render([read_facts(run, "run")], sections, missing, "files"), encoding="utf-8")
    return Page(out)


def test_names_are_escaped(found, trained, tmp_path):
    folder = tmp_path / "pictures" / EVIL.partition("/")[0]
    for i in range(96):
        path = folder / EVIL.partition("/")[2] / str(i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png())
    names = [f"{EVIL}/{i}" for i in range(96)]
    data = data_of(tmp_path / "pictures", class_names=(EVIL, *found.dataset.class_names[1:]), sample_names=names)
    page = section_of(replace(found, dataset=data), trained, tmp_path / "page.html")
    assert page.tags["script"] == 0
    assert page.tags["img"] > 12
    assert any(EVIL in text for text in page.texts["li"])


def replace_images(data: ZeroShotDataset, root: Path) -> ZeroShotDataset:
    return replace(data, provenance=replace(data.provenance, images=str(root)))


def test_without_test_pictures_a_line_says_so(pictures, tmp_path):
    nothing = np.zeros(0, int)
    data = data_of(pictures, test_seen=nothing, test_unseen=nothing)
    run = gsmflow.train(data, "prototype").save(tmp_path / "run")
    found = asked(run, data)
    assert thumbnails(found).groups == ()
    page = section_of(found, run, tmp_path / "page.html")
    assert page.texts["p"][-1] == "There are no pictures to show: the data have no test samples."
    assert page.tags["h2"] == 0


def test_with_seen_test_pictures_alone_these_are_shown(found):
    seen = len(found.dataset.test_seen)
    of_seen = {name: getattr(found, name)[:seen] for name in ("labels", "features", "predicted", "confidence")}
    data = replace(found.dataset, test_unseen=np.zeros(0, int))
    shown = thumbnails(replace(found, dataset=data, **of_seen))
    assert {group.title.partition(",")[0] for group in shown.groups} == {"Seen classes"}


@pytest.mark.parametrize("changes", [{"sample_names": ()}, {"provenance": Provenance()}])
def test_data_of_no_pictures_have_none_and_say_nothing(found, pictures, changes):
    assert thumbnails(replace(found, dataset=data_of(pictures, **changes))) is None


def test_a_folder_that_is_gone_and_a_library_that_is_missing(found, pictures, tmp_path, monkeypatch):
    gone = thumbnails(replace(found, dataset=replace_images(found.dataset, tmp_path / "gone")))
    assert (gone.groups, gone.lacking) == ((), f"Pictures are left out: their folder {tmp_path / 'gone'} is not there.")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "pip install 'gsmflow[images]'" in thumbnails(found).lacking


def bomb() -> bytes:
    """A picture of nothing that says that it is 60,000 pixels high and wide."""
    content = bytearray(png())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(content)


def png(mode: str = "RGB", form: str = "PNG", size: tuple[int, int] = (30, 20), color: int = 0, **how) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, form, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", png()[:-20][:40], bomb(), None, "folder", "fifo"],
    ids=["empty", "text", "cut", "bomb", "missing", "folder", "fifo"],
)
def test_a_picture_that_cannot_be_read_is_counted(found, pictures, tmp_path, content):
    first = thumbnails(found).groups[0].shown[0].file
    for path in pictures.iterdir():
        os.link(path, tmp_path / path.name)
    (tmp_path / first).unlink()
    if isinstance(content, bytes):
        (tmp_path / first).write_bytes(content)
    elif content == "folder":
        (tmp_path / first).mkdir()
    elif content == "fifo":
        os.mkfifo(tmp_path / first)
    shown = thumbnails(replace(found, dataset=replace_images(found.dataset, tmp_path)))
    assert (
        shown.lacking == f"A picture that was drawn is missing or damaged and not shown, such as {first} in {tmp_path}."
    )
    assert first not in {one.file for group in shown.groups for one in group.shown}


def test_where_none_can_be_read_no_section_is_made(found, trained, tmp_path):
    found = replace(found, dataset=replace_images(found.dataset, tmp_path))
    page = section_of(found, trained, tmp_path / "page.html")
    assert page.tags["h2"] == 0
    assert re.match(
        r"\d\d pictures that were drawn are missing or damaged and not shown, such as ", page.texts["p"][-1]
    )


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "{root}/secret.png"])
def test_no_picture_outside_of_the_folder_is_taken(tmp_path, name):
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png())
    assert part.embedded(tmp_path / "images", name.format(root=tmp_path)) is None
    assert part.embedded(tmp_path, "secret.png")


@pytest.mark.parametrize(
    ("content", "size", "colour"),
    [
        (png(size=(1000, 500)), (SIDE, SIDE // 2), (0, 0, 0)),
        (png("RGBA"), (30, 20), (255, 255, 255)),
        (png("P"), (30, 20), (0, 0, 0)),
        (png("L", "GIF"), (30, 20), (0, 0, 0)),
        (png("CMYK", "JPEG"), (30, 20), (255, 255, 255)),
        (png("I;16", color=128 << 8), (30, 20), (128, 128, 128)),
        (png(form="WEBP"), (30, 20), (0, 0, 0)),
        (png(form="JPEG", size=(4000, 3000)), (SIDE, 84), (0, 0, 0)),
        (png(size=(3000, 1)), (SIDE, 1), (0, 0, 0)),
    ],
    ids=["large", "clear", "palette", "gif", "cmyk", "16 bits", "webp", "jpeg", "thin"],
)
def test_all_kinds_of_pictures(tmp_path, content, size, colour):
    (tmp_path / "one").write_bytes(content)
    image = opened(part.embedded(tmp_path, "one"))
    assert image.size == size
    assert np.abs(np.asarray(image).reshape(-1, 3).mean(0) - colour).max() < 3


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "one.jpg").write_bytes(png(form="JPEG", exif=exif))
    assert opened(part.embedded(tmp_path, "one.jpg")).size == (20, 30)


def test_the_page_stays_small(tmp_path):
    """A picture that cannot be made smaller by any trick: noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    assert len(part.embedded(tmp_path, "noise.png")) * (part.RIGHT + part.WRONG) < 500_000
