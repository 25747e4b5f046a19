"""A folder to fill in."""

import os
import re

import numpy as np
import pytest

from gsmflow.data.class_table import read_class_table
from gsmflow.data.skeleton import COMMENTS, write_skeleton
from gsmflow.errors import InputError
from tests.data.own import draw, write_own
from tests.data.twins import make_truth, write_xlsa17


def test_an_empty_folder(tmp_path):
    assert write_skeleton(tmp_path / "a" / "my own") == ()
    folder = tmp_path / "a" / "my own"
    assert sorted(os.listdir(folder)) == ["HOWTO.txt", "classes.csv", "images"]
    with pytest.raises(InputError, match="names no class yet"):
        read_class_table(folder / "classes.csv")
    assert f"gsmflow data check '{folder}'" in (folder / "HOWTO.txt").read_text()


def test_the_example_in_the_comments_can_be_read(tmp_path):
    example = COMMENTS.split("as an example:\n")[1].replace("# ", "")
    (tmp_path / "classes.csv").write_text(example)
    table = read_class_table(tmp_path / "classes.csv")
    assert table.names == ("zebra", "okapi")
    assert table.attribute_names == ("has_stripes", "lives_on_grassland")
    assert all(table.descriptions)


def test_every_command_of_the_howto_is_there(tmp_path):
    from gsmflow.cli import COMMANDS

    write_skeleton(tmp_path / "x")
    named = re.findall(r"^ +gsmflow (\w+)", (tmp_path / "x" / "HOWTO.txt").read_text(), re.M)
    assert {"data", "extract", "describe", "train", "predict"} == set(named) <= set(COMMANDS)


def test_classes_of_pictures_are_named_already(tmp_path):
    draw(tmp_path / "images", ("zebra/1.png", "okapi/2.JPG", "#1/3.webp", ".git/4.png", "emu/notes.txt", "loose.png"))
    assert write_skeleton(tmp_path) == ("#1", "okapi", "zebra")
    assert read_class_table(tmp_path / "classes.csv").names == ("#1", "okapi", "zebra")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"samples__csv": None, "labels__npy": np.array(["zebra", "okapi"] * 2 + ["dodo"] * 2)},
        {
            "samples__csv": None,
            "features__npy": None,
            "features__csv": "class,a,b\nzebra,1,2\ndodo,1,2\nokapi,1,2\n",
        },
    ],
)
def test_classes_of_samples_are_named_already(tmp_path, files):
    write_own(tmp_path, classes__csv=None, **files)
    assert write_skeleton(tmp_path) == ("dodo", "okapi", "zebra")


def test_numbers_of_classes_name_none(tmp_path):
    write_own(tmp_path, classes__csv=None, samples__csv=None, labels__txt="1\n0\n")
    assert write_skeleton(tmp_path) == ()


def test_a_template_that_nobody_touched_is_filled_in_later(tmp_path):
    write_skeleton(tmp_path)
    (tmp_path / "HOWTO.txt").write_text("mine")
    draw(tmp_path / "images", ("zebra/1.png", "okapi/2.JPG"))
    assert write_skeleton(tmp_path) == ("okapi", "zebra")
    assert read_class_table(tmp_path / "classes.csv").names == ("okapi", "zebra")
    assert (tmp_path / "classes.csv").read_text().startswith(COMMENTS)
    assert (tmp_path / "HOWTO.txt").read_text() == "mine"
    with pytest.raises(InputError, match="already"):
        write_skeleton(tmp_path)


@pytest.mark.parametrize(
    "change", [lambda table: table + "emu,\n", lambda table: table.replace("Classes", "My classes")]
)
def test_a_template_that_somebody_touched_is_left_alone(tmp_path, change):
    write_skeleton(tmp_path)
    path = tmp_path / "classes.csv"
    path.write_text(change(path.read_text()))
    before = path.read_bytes()
    draw(tmp_path / "images", ("zebra/1.png",))
    with pytest.raises(InputError, match=r"holds classes\.csv, HOWTO\.txt already"):
        write_skeleton(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("there", ["classes.csv", "HOWTO.txt"])
def test_what_is_there_is_left_alone(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(InputError, match=rf"holds {there} already; see what is missing with gsmflow data check"):
        write_skeleton(tmp_path)
    assert os.listdir(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_other_data_sets_are_left_alone(tmp_path):
    write_xlsa17(tmp_path / "data" / "CUB", make_truth())
    with pytest.raises(InputError, match=r"holds a data set already, in the format xlsa17; choose another folder\.$"):
        write_skeleton(tmp_path / "data" / "CUB")
    with pytest.raises(InputError, match=r"holds a data set already, CUB; choose another folder\.$"):
        write_skeleton(tmp_path / "data")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Could not write"):
        write_skeleton(tmp_path / "file" / "x")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "images").touch()
    with pytest.raises(InputError, match="Could not make"):
        write_skeleton(tmp_path / "own")
    assert os.listdir(tmp_path / "own") == ["images"]
