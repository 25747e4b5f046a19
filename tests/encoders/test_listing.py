import pytest

from gsmflow.encoders.pictures import list_pictures
from gsmflow.errors import DataWarning, InputError
from tests.encoders.networks import write_pictures


@pytest.fixture
def root(tmp_path):
    write_pictures(tmp_path / "images", ("cat", "a dog, old"), each=2)
    (tmp_path / "images" / "alone.png").write_bytes(b"")
    return tmp_path / "images"


def listed(root, content):
    listing = root.parent / "list"
    listing.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_pictures(root, listing)


@pytest.mark.parametrize(
    ("content", "files", "classes"),
    [
        ("cat/1.png\ncat/0.png", ["cat/1.png", "cat/0.png"], ("cat", "cat")),
        ("\r\ncat/1.png\r\n\r\n a dog, old/0.png \r\n", ["cat/1.png", "a dog, old/0.png"], ("cat", "a dog, old")),
        ("./cat/../cat/1.png\n", ["cat/1.png"], ("cat",)),
        ("cat/1.png\nalone.png\n", ["cat/1.png", "alone.png"], None),
        ("file\ncat/1.png\n", ["cat/1.png"], ("cat",)),
        ("\ufefffile,class\nalone.png,Übertier\n", ["alone.png"], ("Übertier",)),
        ('class;File\ndog;"a dog, old/0.png"\n', ["a dog, old/0.png"], ("dog",)),
    ],
)
def test_a_list_says_which_pictures_in_which_order(content, files, classes, root):
    found = listed(root, content)
    assert (list(found.files), found.classes) == (files, classes)


def test_whole_paths_within_the_folder_are_understood(root):
    assert listed(root, f"{root.absolute()}/cat/1.png\n").files == ("cat/1.png",)


def test_columns_without_effect_are_said(root):
    with pytest.warns(DataWarning, match="without effect: split"):
        assert listed(root, "file,split\ncat/1.png,trainval\n").classes == ("cat",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("cat/1.png\ncat/7.png\n", "line 2: there is no file 'cat/7.png'"),
        ("cat/1.png\ncat\n", "line 2: there is no file 'cat'"),
        ("cat/1.png\n\ncat/./1.png\n", "line 3: 'cat/./1.png' stands on line 1 already"),
        ("../list\n", "line 1: '../list' lies outside"),
        ("/etc/hostname\n", "line 1: '/etc/hostname' lies outside"),
        ("image,label\ncat/1.png,cat\n", "line 1: .* needs the header file,class"),
        ("file,class\ncat/1.png,\n", "line 2: the class of 'cat/1.png' is empty"),
        ("file,class\ncat/1.png,a,b\n", "line 2 has 3 cells"),
        ("file,class\n,a\n", "line 2: there is no file ''"),
        ("", "names no picture"),
        ("file\n", "names no picture"),
        (b"cat/\xe4.png\n", "not UTF-8: line 1"),
        (b"cat\0", "is no text"),
    ],
)
def test_a_wrong_line_is_named(content, says, root):
    with pytest.raises(InputError, match=says):
        listed(root, content)


def test_a_list_that_is_not_there(root):
    with pytest.raises(InputError, match="not there"):
        list_pictures(root, root / "nothing.txt")
