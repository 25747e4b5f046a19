"""Predictions: one form in Python, in files and over HTTP."""

import csv
import io
import json

import numpy as np
import pytest

import gsmflow
from gsmflow.model.prediction import Guess, Prediction, Predictions, ask, rounded
from gsmflow.model.prediction_files import TABLE_ROWS, WRITERS, check_table

X = gsmflow.load("synthetic").features
NAMES = ("a fox", 'the "red", one\nof two', "Füchsin")


def some(files: tuple[str, ...] | None = None, reject: float | None = None) -> Predictions:
    probabilities = rounded(np.array([[0.75, 0.25], [1 / 3, 1e-3 / 3], [1.0, 1e-30]]))
    ids = np.array([[0, 1], [2, 0], [1, 2]])
    return Predictions(NAMES, np.array([True, False, True]), ids, probabilities, np.arange(4, 7), files, reject)


FILES = ("a/1.png", 'b, "2".png', "ü\n3.png")
CASES = [some(), some(FILES), some(reject=0.5), some(FILES, 0.9)]


def written(kind: str, *batches: Predictions) -> bytes:
    file = io.BytesIO()
    WRITERS[kind](iter(batches), file)
    return file.getvalue()


def test_the_form_is_that_of_the_contract():
    guess = Guess("zebra", 0.5, False)
    assert Prediction((guess,), row=3).to_json() == {
        "row": 3,
        "top": [{"class": "zebra", "probability": 0.5, "seen": False}],
    }
    assert Prediction((guess,), file="a.png", rejected=True).to_json() == {
        "file": "a.png",
        "top": [{"class": "zebra", "probability": 0.5, "seen": False}],
        "rejected": True,
    }


def test_asking_agrees_with_the_model(model):
    found = ask(model, X[:40], 3, reject=0.6)
    names, probabilities = model.top_k(X[:40], 3)
    assert [[guess.name for guess in one.top] for one in found] == names.tolist()
    np.testing.assert_allclose(found.probabilities, probabilities, 1e-5)
    assert [one.rejected for one in found] == (probabilities[:, 0] < 0.6).tolist()
    assert [one.row for one in found] == list(range(40))
    seen = dict(zip(model.class_names, model.is_seen, strict=True))
    assert all(guess.seen == seen[guess.name] for one in found for guess in one.top)
    assert len(ask(model, X[:0], 1)) == 0


@pytest.mark.parametrize(
    ("top_k", "reject", "sentence"),
    [
        (0, None, "top_k= must be from 1 to 20, the number of classes of the model; found 0"),
        (21, None, "from 1 to 20, .* found 21"),
        (1, 0.0, "reject= must be a probability, .*; found 0"),
        (1, 1.5, "reject= must be a probability, .*; found 1.5"),
        (1, float("nan"), "reject= must be a probability, .*; found nan"),
    ],
)
def test_what_cannot_be_asked_is_refused(model, top_k, reject, sentence):
    with pytest.raises(gsmflow.InputError, match=sentence):
        ask(model, X[:1], top_k, reject=reject)


def test_rounding_is_to_six_digits_and_exact():
    values = np.random.default_rng(0).random(10_000).astype(np.float32) ** 12
    found = rounded(values.astype(np.float64))
    expected = [0.0 if value < 1e-16 else float(f"{value:.6g}") for value in values]
    assert np.mean(found == expected) > 0.999  # halves are rounded to even here, and as their binary tail says there
    np.testing.assert_allclose(found, expected, 1e-5)
    assert max(len(repr(value).partition("e")[0].replace(".", "").strip("0")) for value in found.tolist()) <= 6


@pytest.mark.parametrize("case", CASES)
def test_jsonl_is_the_json_of_each_prediction(case):
    lines = written("jsonl", case, case).decode().split("\n")
    assert lines == [json.dumps(one.to_json(), ensure_ascii=False) for one in case] * 2 + [""]


@pytest.mark.parametrize("case", CASES)
def test_csv_and_parquet_say_the_same(case):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    first, *rows = csv.reader(io.StringIO(written("csv", case, case).decode(), newline=""))
    expected = ["row" if case.files is None else "file", "class_1", "probability_1", "seen_1"]
    expected += ["class_2", "probability_2", "seen_2", *([] if case.reject is None else ["rejected"])]
    assert first == expected
    table = parquet.read_table(io.BytesIO(written("parquet", case, case)))
    assert table.column_names == expected
    columns = [[str(cell) for cell in column.to_pylist()] for column in table.columns]
    assert [list(row) for row in zip(*columns, strict=True)] == [
        [cell.capitalize() if cell in ("true", "false") else cell for cell in row] for row in rows
    ]
    one = next(iter(case))
    assert rows[0][1:4] == [one.top[0].name, repr(one.top[0].probability), "true"]
    assert rows[0][0] == str(one.row if one.file is None else one.file)
    assert len(rows) == 2 * len(case)


def test_a_table_is_for_people():
    assert written("table", some(FILES, 0.5)).decode() == (
        "file        class                      probability  next\n"
        "a/1.png     a fox                      0.750        'the \"red\", one\\nof two'* 0.250\n"
        'b, "2".png  (none)                                  Füchsin 0.333, a fox <0.001\n'
        "'ü\\n3.png'  'the \"red\", one\\nof two'*  >0.999       Füchsin <0.001\n"
        "* unseen: no picture of it was there to learn from\n"
    )
    assert written("table", some()).decode().startswith("row  class")
    assert written("table", some(("12", "13", "14"))).decode().startswith("file  class")


class Terminal(io.BytesIO):
    """A file that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 30])
@pytest.mark.parametrize("file", [None, "a.png", "猫" * 30 + "1.png", "holiday/" * 30 + "2.png"])
@pytest.mark.parametrize("longest", ["zebra", "a very long name of an animal " * 4])
def test_no_line_of_a_table_is_wrapped(columns, file, longest, monkeypatch):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(columns))
    names = (longest, *(f"animal {k}" for k in range(9)))
    rows = [np.arange(10), np.arange(10)[::-1]]
    p = np.array([[0.9, 0.05, *[0.00625] * 8]] * 2)
    files = None if file is None else ("b.png", file)
    terminal = Terminal()
    WRITERS["table"]([Predictions(names, np.arange(10) > 0, np.array(rows), p, np.arange(2), files)], terminal)
    head, one, other, star = terminal.getvalue().decode().splitlines()
    assert max(map(cell_len, (head, one, other))) <= columns
    assert star.startswith("* unseen: ")
    assert all("0.900" in line for line in (one, other))
    assert file is None or other.split("  ")[0].endswith(file[-3:])
    if columns == 80 and longest == "zebra":
        assert "animal 0 0.050, " in one
        assert one.endswith(", …")
    if columns == 200 and file in (None, "a.png") and longest == "zebra":
        assert one.count("0.006") == 8


def test_nobody_reads_a_longer_table():
    check_table(TABLE_ROWS)
    with pytest.raises(gsmflow.InputError, match=r"1,000 predictions at most, .* choose format=jsonl"):
        written("table", *[some()] * TABLE_ROWS)
