"""Tables of numbers in any kind of file hold the same numbers; what is no table of numbers is told."""

import sys

import numpy as np
import pytest

from gsmflow.data.tables import count_rows, read_numbers, read_table
from gsmflow.errors import InputError

NUMBERS = np.float32([[0.5, -1, 3], [2, 0.25, 1e-3], [7, 8, 9], [0, 0, 1]])


def write(path, numbers=NUMBERS):
    """As other programs do."""
    if path.suffix == ".npy":
        np.save(path, numbers)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"x": numbers}, path)
    elif path.suffix == ".parquet":
        pandas_like(path, {f"f{k}": column for k, column in enumerate(numbers.T)})
    else:
        lines = [",".join(map(repr, row)) for row in numbers.tolist()]
        path.write_text("f0,f1,f2\n" + "\n".join(lines) + "\n")
    return path


def pandas_like(path, columns):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table(columns), path)
    return path


def csv(path, text):
    path.write_text(text, encoding="utf-8")
    return path


KINDS = ("npy", "safetensors", "parquet", "csv")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_numbers(tmp_path, kind):
    table = read_table(write(tmp_path / f"features.{kind}"))
    np.testing.assert_array_equal(table.numbers, NUMBERS)
    assert (table.files, table.labels, table.notes, table.warnings) == (None, None, (), ())
    if kind in ("npy", "parquet"):
        assert count_rows(tmp_path / f"features.{kind}") == 4


def test_a_file_of_numpy_is_mapped(tmp_path):
    assert isinstance(read_table(write(tmp_path / "x.npy")).numbers, np.memmap)


def test_axes_of_length_one_behind_the_features_fall_away(tmp_path):
    np.save(tmp_path / "x.npy", NUMBERS[:, :, None, None])
    np.testing.assert_array_equal(read_table(tmp_path / "x.npy").numbers, NUMBERS)


def test_half_precision_of_torch(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"x": torch.tensor(NUMBERS[2:]).bfloat16()}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_table(tmp_path / "x.safetensors").numbers, NUMBERS[2:])


@pytest.mark.parametrize(
    "text",
    [
        'file,class,a,b\nx.png,fox,1,2\n"y,1.png",ox,3,4\n',
        "a;File;b;Label\n1;x.png;2;fox\n3;y,1.png;4;ox\n",
        "\ufeffclass\tfile\ta\tb\r\nfox\tx.png\t1\t2\r\n\r\nox\ty,1.png\t3\t4",
    ],
)
def test_columns_of_files_and_classes(tmp_path, text):
    table = read_table(csv(tmp_path / "x.csv", text))
    assert table.files == ("x.png", "y,1.png")
    assert table.labels.tolist() == ["fox", "ox"]
    np.testing.assert_array_equal(table.numbers, [[1, 2], [3, 4]])


def test_without_names_of_columns(tmp_path):
    table = read_table(csv(tmp_path / "x.csv", "0.5,1\n2,3\n"))
    np.testing.assert_array_equal(table.numbers, [[0.5, 1], [2, 3]])
    assert table.notes == ("x.csv has no line of names: the first line is the first sample",)


def test_columns_that_are_counted(tmp_path):
    table = read_table(csv(tmp_path / "x.csv", "0,1,2\n5,6,7\n"))
    np.testing.assert_array_equal(table.numbers, [[5, 6, 7]])
    assert table.notes == ("x.csv: the first line, which counts the columns, is taken for their names",)


def test_the_index_of_pandas_is_left_out(tmp_path):
    table = read_table(csv(tmp_path / "x.csv", ",0,1\n0,5,6\n1,7,8\n2,9,9\n"))
    np.testing.assert_array_equal(table.numbers, [[5, 6], [7, 8], [9, 9]])
    assert table.notes == ("x.csv: the first column, which has no name and counts the rows, is left out",)
    index = {"a": [5.0, 6.0], "b": [1, 2], "__index_level_0__": [0, 1]}
    table = read_table(pandas_like(tmp_path / "x.parquet", index))
    np.testing.assert_array_equal(table.numbers, [[5, 1], [6, 2]])
    assert table.notes == ("x.parquet: the index of pandas is left out",)


def test_a_column_that_counts_the_rows_is_told(tmp_path):
    table = read_table(csv(tmp_path / "x.csv", "id,a\n1,5\n2,6\n3,9\n"))
    assert table.numbers.shape == (3, 2)
    assert table.warnings == (
        "x.csv: the column 'id' counts the rows and is taken as a feature: delete it if it is none",
    )


def test_parquet_of_lists_and_texts(tmp_path):
    columns = {"file": ["x.png", "y.png"], "embedding": NUMBERS[:2].tolist(), "class": ["fox", "ox"]}
    table = read_table(pandas_like(tmp_path / "x.parquet", columns))
    np.testing.assert_array_equal(table.numbers, NUMBERS[:2])
    assert (table.files, table.labels.tolist()) == (("x.png", "y.png"), ["fox", "ox"])


MISTAKES = {
    "text among numbers": (
        "a,b\n1,2\n3,red\n",
        "line 3 holds 'red' in the column 'b', where a number is due; call",
    ),
    "a name by another name": (
        "path,a\nx.png,2\n",
        "in the column 'path', where a number is due; call 'path' 'file'",
    ),
    "decimal commas": (
        "a;b\n1,5;2\n",
        "'1,5' in the column 'a', where a number is due; write a decimal point.",
    ),
    "an empty cell": ("a,b\n1,\n", "line 2 lacks the number of the column 'b'; fill it in or drop the row."),
    "a short row": ("a,b\n1,2\n1\n", "line 3 has 1 cells, the first line 2; they must agree."),
    "no row": ("a,b\n", "names columns, but holds no row of numbers."),
    "nothing": ("", "is empty; a row a sample is due."),
    "no numbers": ("file,class\nx,fox\n", "has no column of numbers; its columns are file, class."),
    "a column twice": ("a,a\n1,2\n", "has the column 'a' twice; delete one"),
    "classes twice": ("class,label,a\nfox,fox,1\n", "has both a column 'class' and 'label'; keep one of them."),
    "names of columns are missing": (
        "x.png,fox,0.5\n",
        "texts and numbers (x.png, fox, 0.5, …); it must name the",
    ),
    "a column without a name": ("a,,b\n1,2,3\n", "column 2 has no name on line 1; give it one."),
}


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_csv(tmp_path, text, sentence):
    with pytest.raises(InputError) as caught:
        read_table(csv(tmp_path / "x.csv", text))
    assert sentence in str(caught.value)
    assert str(tmp_path / "x.csv") in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_that_is_cut_off(tmp_path, kind, share):
    path = write(tmp_path / f"x.{kind}", np.ones((40, 3), np.float32))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if kind == "csv" and share:  # a last row that is cut short
        path.write_text("a,b\n1,2\n3")
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_table_of_numbers(tmp_path):
    np.save(tmp_path / "line.npy", np.ones(3))
    np.save(tmp_path / "texts.npy", np.array([["a"]]))
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    np.savez(tmp_path / "several.npz", a=NUMBERS)
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    for name, sentence in {
        "line": r"must hold a table of numbers, a row a sample; found shape \(3,\) of float64\.",
        "texts": "must hold a table of numbers",
        "objects": "holds Python objects, which are not read since they could run code; save numbers or texts",
        "several": "is an archive, as of several arrays",
        "missing": r"missing\.npy does not exist\.",
    }.items():
        with pytest.raises(InputError, match=sentence):
            read_table(tmp_path / f"{name}.npy")
    with pytest.raises(InputError, match=r"must end in \.npy, \.safetensors, \.parquet, \.csv\.$"):
        read_table(tmp_path / "x.pkl")
    with pytest.raises(InputError, match="a column of files or classes, where nothing but numbers is due"):
        read_numbers(csv(tmp_path / "x.csv", "file,a\nx,1\n"))


def test_two_tensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": NUMBERS, "labels": np.arange(4)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"holds 2 tensors \(labels, x\), where one is due"):
        read_table(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"a": [1.0], "b": ["x"]}, r"the column 'b' holds string, where numbers are due; call 'b' 'file' if it names"),
        ({"a": [[1.0, 2.0], [1.0]]}, "the lists of 'a' have 1 to 2 entries; they must agree in length"),
        ({"a": [[1.0], None]}, "1 of 2 rows of 'a' hold no list; drop them"),
        ({"a": [[1.0]], "b": [1.0]}, "the column 'a' holds lists, and beside it stands 'b'"),
        ({"a": [1.0], "class": [None]}, "the column 'class' lacks the class of some rows"),
        ({"file": ["x"]}, "has no column of numbers; its columns are file"),
    ],
)
def test_mistakes_in_parquet(tmp_path, columns, sentence):
    with pytest.raises(InputError, match=sentence):
        read_table(pandas_like(tmp_path / "x.parquet", columns))


def test_without_the_library_of_parquet(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").touch()
    with pytest.raises(InputError, match=r"To read parquet files: pip install 'gsmflow\[tables\]'\.$"):
        read_table(tmp_path / "x.parquet")
