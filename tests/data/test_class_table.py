"""What a person writes into classes.csv, and what is said of mistakes in it."""

import numpy as np
import pytest

from gsmflow.data.class_table import ids_by_name, read_class_table
from gsmflow.errors import InputError
from tests.data.own import CLASSES_CSV, NAMES


def read(tmp_path, content):
    path = tmp_path / "classes.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_class_table(path)


def test_names_descriptions_attributes_and_notes(tmp_path):
    table = read(tmp_path, CLASSES_CSV)
    assert table.names == NAMES
    assert table.descriptions[0] == ("a horse, striped",)
    assert table.descriptions[3] == ("an ox with\nlong hair",)
    assert table.attribute_names == ("striped", "height")
    np.testing.assert_array_equal(table.attributes, np.float32([[1, 1.4], [0.5, 1.5], [0, 1], [0, 2]]))
    assert table.attributes.dtype == np.float32
    assert table.notes == ("seen by",)


def test_several_descriptions_of_which_some_are_missing(tmp_path):
    table = read(tmp_path, "name,description,description_2,description_3\nfox,red, sly ,\nox,,big,\nemu,,,\n")
    assert table.descriptions == (("red", "sly"), ("big",), ())
    assert (table.attributes, table.notes) == (None, ())


@pytest.mark.parametrize(
    "content",
    [
        "name;description;striped\nfox;red, and sly;0.5\nöx;big;1\n",
        "name\tdescription\tstriped\nfox\tred, and sly\t0.5\nöx\tbig\t1\n",
        '\ufeffName,Description,striped\r\nfox,"red, and sly",0.5\r\nöx,big,1\r\n',
        'striped,description,name,,\n0.5,"red, and sly",fox,,\n,,,,\n1,big,öx,,\n',
        '#a, "comment\nname,description,striped\n# one more\nfox,"red, and sly",.5\nöx,big,1\n#\n',
        'name,description,striped\rfox,"red, and sly",5e-1\röx,big,+1',
    ],
    ids=["semicolons", "tabs", "spreadsheet", "other order", "comments", "old line ends"],
)
def test_what_means_the_same_is_read_alike(tmp_path, content):
    table = read(tmp_path, content)
    assert table.names == ("fox", "öx")
    assert table.descriptions == (("red, and sly",), ("big",))
    np.testing.assert_array_equal(table.attributes, [[0.5], [1]])


def test_a_column_of_texts_is_a_note_though_some_look_like_numbers_that_are_none(tmp_path):
    table = read(tmp_path, "name,bread,empty\nfox,nan,\nox,rye,\n")
    assert (table.notes, table.attributes) == (("bread", "empty"), None)


@pytest.mark.parametrize("name", ["猫", "a;b", "x y", '"', "#1", "é", "nan", "12", "a,b"])
def test_names_of_any_letters(tmp_path, name):
    cell = '"' + name.replace('"', '""') + '"'
    assert read(tmp_path, f"name,about\n{cell},x\nfox,y\n").names == (name, "fox")


MISTAKES = {
    "no class": ("name,description\n# fox,red\n", "names no class yet; add a row for each"),
    "nothing": ("", "is empty; its first line must name the columns."),
    "nothing but comments": ("# name\n\n", "is empty; its first line must name the columns."),
    "no column of names": ("class,description\nfox,red\n", "lacks the column 'name', the names of the classes; its"),
    "what columns there are": ("class,description\nfox,red\n", "holds: class, description."),
    "twice": ("name,striped\nfox,1\nox,0\nfox,0\n", "names the class 'fox' twice, on lines 2 and 4; delete one"),
    "twice, behind a cell of several lines": (
        'name,about\n# a comment\nfox,"\n\nred"\nfox,\n',
        "names the class 'fox' twice, on lines 3 and 6;",
    ),
    "no name": ("name,striped\nfox,1\n,0\n", "line 3 has no name; give the class one, or delete the line."),
    "space before": ("name,striped\n fox,1\n", "the name ' fox' on line 2 starts or ends with a space or has a line"),
    "line break within": ('name,striped\n"fox\ncub",1\n', "the name 'fox\\ncub' on line 2 starts or ends with"),
    "an attribute is missing": (
        "name,striped,height\nfox,1,1\nox,0,\nemu,0,2\n",
        "column 'height': the attribute of the class 'ox' (line 3) is missing; every class needs a number there.",
    ),
    "two attributes are missing": ("name,height\nfox,1\nox,\nemu,\n", "of the class 'ox' (line 3) and 1 more is"),
    "a short row": (
        "name,striped,height\nfox,1,1\nox,0\n",
        "column 'height': the attribute of the class 'ox' (line 3)",
    ),
    "text among numbers": (
        "name,height\nfox,1\nox,big\nemu,2\n",
        "column 'height' mixes numbers and texts: line 3 (ox) holds 'big', line 2 (fox) '1'; an attribute is a number",
    ),
    "a number among texts": ("name,about\nfox,red\nox,big\nemu,2\n", "mixes numbers and texts: line 4 (emu) holds '2'"),
    "decimal commas": ("name;height\nfox;1,5\nox;2\n", "with a decimal comma, such as '1,5' of fox on line 2; write"),
    "not a number": ("name,height\nfox,1\nox,nan\n", "'nan' of the class 'ox' (line 3) is no number; write a finite"),
    "infinite": ("name,height\nfox,inf\nox,1\n", "'inf' of the class 'fox' (line 2) is infinite, or too large"),
    "too large": ("name,height\nfox,1e39\nox,1\n", "'1e39' of the class 'fox' (line 2) is infinite, or too large"),
    "a column twice": ("name,height,Height\nfox,1,1\n", "has the column 'height' twice; delete one or give it"),
    "a column without a name": ("name,,height\nfox,1,1\n", "column 2 has no name in line 1; give it one."),
    "a row that is too long": ("name,about\nfox,red, sly\n", "line 2 has 3 cells, but there are 2 columns; put a cell"),
    "a quote that does not end": ('name,about\nfox,"red\nox,big\n', "the row that starts on line 2 is no CSV"),
    "a quote within": ('name,about\nfox,"red" and sly\n', "the row that starts on line 2 is no CSV"),
    "latin-1": (
        "name,about\nfox,red\nöx,big\n".encode("latin-1"),
        "not UTF-8: line 3 holds the byte 0xf6, as",
    ),
    "what to do about latin-1": ("näme\n".encode("latin-1"), "save it as 'CSV UTF-8', or convert it with iconv -f"),
    "utf-16": ("name,about\nfox,red\n".encode("utf-16"), "is not UTF-8: it starts as UTF-16 does; save it"),
    "a spreadsheet": (
        b"PK\x03\x04\xff\xff",
        "is not UTF-8: it is a spreadsheet or another zip archive; open it and save",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(tmp_path, content, sentence):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    told = str(caught.value)
    assert sentence in told
    assert told.startswith((str(tmp_path / "classes.csv"), "classes.csv"))
    assert told.endswith(".")
    assert "\n" not in told


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"classes\.csv does not exist\.$"):
        read_class_table(tmp_path / "classes.csv")


def test_names_are_found_in_either_spelling_of_their_letters():
    ids = ids_by_name(("caf\u00e9", "cafe", "cafe\u0301"))
    assert (ids["caf\u00e9"], ids["cafe"], ids["cafe\u0301"]) == (0, 1, 2)
    assert ids_by_name(("a\u0308",))["\u00e4"] == 0
