"""Labelled pictures and features in the shapes that people have them in."""

from pathlib import Path

import numpy as np
import pytest

from gsmflow import InputError
from gsmflow.encoders.inputs import FeatureInputs, PictureInputs
from gsmflow.encoders.labelled import find_labelled

X = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("my").mkdir()
    np.save("my/features.npy", X)
    return tmp_path


def rows(inputs: PictureInputs | FeatureInputs) -> np.ndarray:
    assert isinstance(inputs, FeatureInputs)
    return np.concatenate([batch.features for batch in inputs.batches()])


def test_features_with_names_of_classes(here):
    Path("my/samples.csv").write_text("file,class\na.png,ox\nb.png,fox\nc.png,ox\n")
    found = find_labelled(Path("my"))
    assert (found.classes, found.table) == (("ox", "fox", "ox"), None)
    np.testing.assert_array_equal(rows(found.inputs), X)


def test_numbers_count_the_rows_of_the_table_of_classes_or_are_names(here):
    Path("my/labels.txt").write_text("1\n0\n1\n")
    assert find_labelled(Path("my")).classes == ("1", "0", "1")
    Path("my/classes.csv").write_text("name,legs\nox,4\nhen,2\n")
    found = find_labelled(Path("my"))
    assert (found.classes, found.table) == (("hen", "ox", "hen"), Path("my/classes.csv"))
    Path("my/labels.txt").unlink()
    np.save("my/labels.npy", np.array([1, 0, 1]))
    assert find_labelled(Path("my")).classes == ("hen", "ox", "hen")
    Path("my/classes.csv").unlink()
    with pytest.raises(InputError, match=r"labels\.npy tells classes by number: name them"):
        find_labelled(Path("my"))


def test_pictures_of_a_folder_of_ones_own_data_lie_in_images(here):
    for name in ("own/images/ox/a.png", "plain/hen/b.png"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_bytes(b"")
    Path("own/classes.csv").write_text("name,legs\nox,4\n")
    own, plain = find_labelled(Path("own")), find_labelled(Path("plain"))
    assert isinstance(own.inputs, PictureInputs)
    assert (own.classes, own.table) == (("ox",), Path("own/classes.csv"))
    assert (plain.classes, plain.table) == (("hen",), None)
    Path("list.csv").write_text("file,class\nhen/b.png,duck\n")
    assert find_labelled(Path("plain"), Path("list.csv")).classes == ("duck",)


def test_as_many_labels_as_rows(here):
    Path("my/labels.txt").write_text("ox\n" * 4)
    with pytest.raises(InputError, match=r"3 rows, but my/labels\.txt 4 samples"):
        find_labelled(Path("my"))
