"""Tables that are read some rows at a time hold what they hold when they are read whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gsmflow.data.table_stream import OPENERS, open_table
from gsmflow.data.tables import SUFFIXES, read_table
from gsmflow.errors import InputError

X = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
NAMES = [f'{k}, "ü".png' for k in range(len(X))]


def npy(path: Path, array: np.ndarray) -> None:
    np.save(path, array)


def tensor(path: Path, *tensors: torch.Tensor) -> None:
    save_file({str(k): one.contiguous() for k, one in enumerate(tensors)}, path)


def parquet(path: Path, **columns: object) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    parquet.write_table(arrow.table(columns), path, row_group_size=10)


def text(path: Path, content: str, encoding: str = "utf-8") -> None:
    path.write_bytes(content.encode(encoding))


def lines(header: str = "", x: np.ndarray = X) -> str:
    return header + "".join(",".join(map(repr, row)) + "\n" for row in x.tolist())


def lists(fixed: bool) -> object:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return arrow.array(X.tolist(), arrow.list_(arrow.float32(), 3) if fixed else arrow.list_(arrow.float64()))


COLUMNS = {name: X[:, k] for k, name in enumerate("abc")}
NAMED = "file,a,b,c\n" + "".join(
    '"' + name.replace('"', '""') + '",' + ",".join(map(repr, row)) + "\n"
    for name, row in zip(NAMES, X.tolist(), strict=True)
)
GOOD = {
    "npy": (".npy", lambda path: npy(path, X)),
    "npy of doubles": (".npy", lambda path: npy(path, X.astype(np.float64))),
    "npy in columns": (".npy", lambda path: npy(path, np.asfortranarray(X))),
    "npy, big-endian": (".npy", lambda path: npy(path, X.astype(">f4"))),
    "npy, pooled": (".npy", lambda path: npy(path, X[:, :, None, None])),
    "safetensors": (".safetensors", lambda path: tensor(path, torch.tensor(X))),
    "safetensors, pooled": (".safetensors", lambda path: tensor(path, torch.tensor(X)[:, :, None])),
    "parquet": (".parquet", lambda path: parquet(path, **COLUMNS)),
    "parquet with names": (".parquet", lambda path: parquet(path, File=NAMES, **COLUMNS)),
    "parquet of lists": (".parquet", lambda path: parquet(path, features=lists(fixed=False))),
    "parquet of vectors": (".parquet", lambda path: parquet(path, file=NAMES, features=lists(fixed=True))),
    "csv": (".csv", lambda path: text(path, lines())),
    "csv with a header": (".csv", lambda path: text(path, lines("a,b,c\n").rstrip("\n"))),
    "csv with a counted header": (".csv", lambda path: text(path, lines("0,1,2\n"))),
    "csv with names": (".csv", lambda path: text(path, NAMED)),
    "csv with semicolons": (".csv", lambda path: text(path, lines().replace(",", ";"))),
    "csv of a spreadsheet": (".csv", lambda path: text(path, lines("a,b,c\n").replace("\n", "\r\n"), "utf-8-sig")),
    "csv of pandas": (
        ".csv",
        lambda path: text(path, lines(",a,b,c\n", np.c_[np.arange(len(X)), X.astype(np.float64)])),
    ),
}


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("case", GOOD)
def test_parts_are_the_whole(tmp_path, case, size):
    suffix, write = GOOD[case]
    path = tmp_path / f"x{suffix}"
    write(path)
    stream, whole = open_table(path), read_table(path)
    parts = list(stream.read(size))
    assert (stream.count, stream.dim, stream.has_files) == (len(X), 3, whole.files is not None)
    assert max(len(part.numbers) for part in parts) <= size
    assert {part.numbers.dtype for part in parts} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate([part.numbers for part in parts]), X)
    np.testing.assert_array_equal(whole.numbers, X)
    if whole.files is not None:
        assert tuple(name for part in parts for name in part.files) == whole.files == tuple(NAMES)
    assert len(list(stream.read(size))) == len(parts)  # it can be read again


def test_half_precision_is_read(tmp_path):
    tensor(tmp_path / "x.safetensors", torch.tensor(X).bfloat16())
    (part,) = open_table(tmp_path / "x.safetensors").read(100)
    np.testing.assert_array_equal(part.numbers, torch.tensor(X).bfloat16().float().numpy())


def test_a_class_is_not_looked_at_and_that_is_told(tmp_path):
    text(tmp_path / "x.csv", "class,a,b\nfox,1,2\n")
    stream = open_table(tmp_path / "x.csv")
    assert stream.notes == ("x.csv: the column 'class' is ignored",)
    assert next(stream.read(5)).numbers.tolist() == [[1, 2]]


def broken(path: Path) -> None:
    npy(path, X)
    path.write_bytes(path.read_bytes()[:-50])


BAD = {
    "a row short": (".csv", lambda path: text(path, lines() + "1,2\n"), "line 26 has 2 cells, the first line 3"),
    "text": (".csv", lambda path: text(path, lines("a,b,c\n") + "1,x,2\n"), "line 27 holds 'x' in the column 'b'"),
    "empty": (".csv", lambda path: text(path, ""), "is empty"),
    "no rows": (".csv", lambda path: text(path, "a,b,c\n"), "holds no row"),
    "no name": (".csv", lambda path: text(path, ",a\n0,1\n1,1\n3,1\n"), "column 1 has no name on line 1"),
    "no name within": (".csv", lambda path: text(path, "a,,b\n0,1,2\n"), "column 2 has no name on line 1"),
    "latin-1": (".csv", lambda path: text(path, "file,a\nFüchsin,1\n", "latin-1"), "is not UTF-8: line 2"),
    "cut off": (".npy", broken, "is not a readable .npy file"),
    "objects": (".npy", lambda path: npy(path, np.array([{}, 1])), "Python objects"),
    "no rows of npy": (".npy", lambda path: npy(path, X[:0]), "holds no row"),
    "three axes": (".npy", lambda path: npy(path, np.zeros((4, 3, 2))), "must hold a table of numbers"),
    "text in npy": (".npy", lambda path: npy(path, np.array([["a"]])), "must hold a table of numbers"),
    "two tensors": (
        ".safetensors",
        lambda path: tensor(path, torch.ones(2, 2), torch.ones(2)),
        "holds 2 tensors (0, 1)",
    ),
    "a vector": (".safetensors", lambda path: tensor(path, torch.ones(4)), "must hold a table of numbers"),
    "no safetensors": (".safetensors", lambda path: text(path, "x"), "is not a readable .safetensors file"),
    "texts": (".parquet", lambda path: parquet(path, a=["x"], b=[1.0]), "the column 'a' holds string"),
    "two kinds": (".parquet", lambda path: parquet(path, a=[[1.0]], b=[1.0]), "beside it stands 'b'"),
    "ragged": (".parquet", lambda path: parquet(path, a=[[1.0], [1.0, 2.0]]), "have 1 to 2 entries"),
    "no list": (".parquet", lambda path: parquet(path, a=[[1.0], None]), "some rows of 'a' hold no list"),
    "no parquet": (".parquet", lambda path: text(path, "x"), "is not a readable .parquet file"),
    "another kind": (".mat", lambda path: text(path, "x"), "is no table that can be read: it must end in .npy"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_refused(tmp_path, case):
    suffix, write, sentence = BAD[case]
    path = tmp_path / f"x{suffix}"
    write(path)
    with pytest.raises(InputError) as refused:
        list(open_table(path).read(4))
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"x\.npy does not exist"):
        open_table(tmp_path / "x.npy")


def test_both_readers_know_the_same_kinds():
    assert tuple(OPENERS) == SUFFIXES
