"""``gsmflow data``: as a person meets it."""

from pathlib import Path

import pytest

from gsmflow.data import load_folder
from tests.data.own import CLASSES, FEATURES, NAMES, draw, write_own
from tests.data.test_advice import NOTHING_YET
from tests.data.twins import make_truth, write_packed, write_xlsa17

EMOJI = Path(__file__).parents[3] / "shared" / "data" / "emoji"


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_from_nothing_to_a_data_set_without_a_line_of_python(gsmflow, tmp_path):
    """Raw features as CSV with names of classes."""
    folder = tmp_path / "my own"
    rows = "".join(f"{NAMES[k]},{','.join(map(str, x))}\n" for k, x in zip(CLASSES, FEATURES.tolist(), strict=True))
    folder.mkdir()
    (folder / "features.csv").write_text("class,a,b,c,d,e\n" + rows)

    begun = gsmflow("data", "init", folder)
    assert (begun.code, begun.err) == (0, "")
    assert "names the 3 classes found" in begun.out
    assert begun.out.splitlines()[-1] == f"next: fill in {folder}/classes.csv, then: gsmflow data check '{folder}'"

    first = gsmflow("data", "check", folder)
    assert (first.code, first.err) == (2, "")
    assert "not ready yet, 1 to do" in first.out
    assert f"     gsmflow describe '{folder}/classes.csv' --model MODEL --out '{folder}'\n" in first.out
    assert first.out.splitlines()[-1] == f"then again: gsmflow data check '{folder}'"

    table = (folder / "classes.csv").read_text()
    table = table.replace("name,description\n", "name,striped,height\nyak,0,2\n")
    for name, numbers in {"zebra": "1,1.4", "okapi": "1,2", "dodo": "0,1"}.items():
        table = table.replace(f"\n{name},", f"\n{name},{numbers}")
    (folder / "classes.csv").write_text(table)
    then = gsmflow("data", "check", folder)
    assert (then.code, then.err) == (0, "")
    assert "all checks passed" in then.out
    assert "4: 3 seen, 1 unseen" in then.out
    assert "ESTIMATE" in then.out


def test_pictures_and_descriptions(gsmflow, tmp_path):
    result = gsmflow("data", "check", write_own(tmp_path / "MY", **NOTHING_YET))
    assert (result.code, result.err) == (2, "")
    lines = result.out.splitlines()
    assert lines[0] == f"{tmp_path}/MY: not ready yet, 2 to do"
    assert f"     gsmflow extract {tmp_path}/MY/images --model MODEL --out {tmp_path}/MY" in lines


def test_a_folder_under_the_data_root(gsmflow, place):
    write_own(place / "data" / "MY", **NOTHING_YET)
    assert "data/MY: not ready yet" in gsmflow("data", "check", "MY").out
    write_own(place / "MY", **NOTHING_YET)
    both = gsmflow("data", "check", "MY")
    assert both.code == 2
    assert "write ./MY or ./data/MY." in both.err


def test_a_folder_that_may_become_one(gsmflow, place):
    draw(place / "my own")
    result = gsmflow("data", "check", "./my own")
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith("; to begin one of your own there: gsmflow data init 'my own'\n")
    assert "init" not in gsmflow("data", "check", "data").err  # it holds data sets
    assert "init" not in gsmflow("data", "check", "nowhere").err


def test_other_data_sets_are_told_of_in_one_sentence(gsmflow, place):
    (place / "data" / "TWIN" / "res101.mat").write_bytes(b"cut")
    result = gsmflow("data", "check", "TWIN")
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1


def test_warnings_and_the_next_command_stand_below_the_table_to_be_copied(gsmflow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_own(tmp_path / "a folder whose name is longer than a cell of the table, by far" / "MY")
    result = gsmflow("data", "check", folder, "--holdout", "0.3")
    assert (result.code, result.err) == (0, "")
    *_, warning, following = result.out.splitlines()
    assert warning.startswith("warning: descriptions are there and are not used")
    assert warning.endswith(f": gsmflow describe '{folder}/classes.csv' --model MODEL --out '{folder}'")
    assert following == f"next: gsmflow train '{folder}' --holdout 0.3 --out runs/MY"
    (tmp_path / "runs" / "MY").mkdir(parents=True)
    assert "--out" not in gsmflow("data", "check", folder).out.splitlines()[-1]


@pytest.mark.parametrize("given", [(), ("--features", "res101"), ("--data-root", "data", "--allow-overlap")])
def test_the_next_command_reads_what_was_checked(gsmflow, place, given):
    checked = gsmflow("data", "check", "TWIN", *given)
    assert checked.code == 0
    assert checked.out.splitlines()[-1] == " ".join(["next: gsmflow train TWIN", *given, "--out runs/TWIN"])


def test_the_next_command_validates_nothing_where_that_is_impossible(gsmflow, place):
    few = write_own(place / "few", samples__csv=None, labels__txt="zebra\n" * 3 + "okapi\n" * 3)
    assert gsmflow("data", "check", few).out.splitlines()[-1].endswith("/few --protocol fixed --out runs/few")


def test_conversion(gsmflow, place):
    data = load_folder(place / "data" / "TWIN")
    for source, target, to in (("TWIN", "a", "folder"), ("./a", "b", "numpy"), ("./b", "c", "xlsa17")):
        result = gsmflow("data", "convert", source, target, "--to", to)
        assert result.code == 0, result.err
        assert result.out.endswith(f" as {to}, 33 samples of 6 classes, the same problem\n")
        assert load_folder(place / target).fingerprint() == data.fingerprint()
    packed = gsmflow("data", "convert", "TWIN", "d", "--to", "packed")
    assert packed.out.endswith("in another order\n")
    assert "3 that are in no split are left out" in packed.err


def test_conversion_holds_nothing_out(gsmflow, tmp_path):
    write_own(tmp_path / "MY", samples__csv=None, labels__txt="0\n0\n0\n1\n1\n2\n")
    assert gsmflow("data", "convert", tmp_path / "MY", tmp_path / "new", "--to", "numpy").code == 0
    assert not len(load_folder(tmp_path / "new").test_seen)


def test_conversion_says_what_is_lost(gsmflow, tmp_path):
    result = gsmflow("data", "convert", write_own(tmp_path / "MY"), tmp_path / "new", "--to", "xlsa17")
    assert result.code == 0
    assert "gsmflow: xlsa17 does not keep names of the 2 dimensions of the semantics\n" in result.err
    assert "descriptions and notes (seen by) of classes are not carried over" in result.err


REFUSED = {
    "a format that is not there": (
        ("convert", "digits", "new", "--to", "csv"),
        "There is no format 'csv': choose one of",
    ),
    "a folder that holds data": (
        ("convert", "digits", "data/TWIN", "--to", "numpy"),
        "holds a data set already, in the",
    ),
    "a choice that is not there": (
        ("convert", "TWIN", "new", "--to", "numpy", "--features", "vgg"),
        "holds no features 'vgg'; there are res101: choose with --features.",
    ),
    "a data set that is not there": (
        ("convert", "NONE", "new", "--to", "numpy"),
        "There is no data set 'NONE' in data",
    ),
    "a folder that is begun": (("init", "begun"), "begun holds classes.csv already; see what is missing with gsmflow"),
    "a folder of a data set": (("init", "data/TWIN"), "holds a data set already, in the format xlsa17"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(gsmflow, place, arguments, sentence):
    (place / "begun").mkdir()
    (place / "begun" / "classes.csv").touch()
    result = gsmflow("data", *arguments)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.err
    assert result.err.count("\n") == 1
    assert not (place / "new").exists()


def test_the_list_fits_in_80_columns(gsmflow, place):
    write_packed(place / "data" / "FLO", make_truth())
    (write_xlsa17(place / "data" / "CUB", make_truth()) / "res101.mat").rename(place / "data" / "CUB" / "vgg_fc7.mat")
    draw(place / "data" / "MY" / "images")
    result = gsmflow("data", "list")
    assert result.code == 0
    table = [line for line in result.out.splitlines() if line.startswith("│")]
    assert all(len(line) <= 80 for line in table)
    assert "…" not in result.out
    row = next(line for line in table if " SUN " in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["SUN", "scenes", "645/72", "102 attributes", "no"]
    assert result.out.splitlines()[-1] == "also there: MY (folder), TWIN (xlsa17)"


@pytest.mark.skipif(not EMOJI.is_dir(), reason="no real data beside this checkout")
def test_the_emoji_folder_as_it_is_given(gsmflow):
    result = gsmflow("data", "check", EMOJI)
    assert result.code == 2
    assert "548 classes; 548 with a description; notes: group" in result.out
    assert "trainval 1,613, test_seen 142, test_unseen 436" in result.out
    commands = [line.strip() for line in result.out.splitlines() if line.startswith("     gsmflow")]
    assert commands == [
        f"gsmflow extract {EMOJI}/images --model {EMOJI}/efficientnet_lite0.onnx --out {EMOJI}",
        f"gsmflow describe {EMOJI}/classes.csv --model MODEL --out {EMOJI}",
    ]
    assert f"gsmflow data check EMOJI --data-root {EMOJI}" in result.out
