"""Known benchmarks, and what of them is there."""

from pathlib import Path

from gsmflow.data import BENCHMARKS, FORMATS, find, load, synthetic
from gsmflow.data.catalog import presence
from tests.data.twins import make_truth, write_packed, write_xlsa17


def test_catalog():
    assert [b.name for b in BENCHMARKS] == ["digits", "synthetic", "AWA1", "AWA2", "APY", "CUB", "SUN", "FLO"]
    assert find("awa2").name == "AWA2"
    assert find("nothing") is None
    for benchmark in BENCHMARKS:
        embedded = benchmark.layout == "embedded"
        assert presence(benchmark, Path("/nowhere")) == ("embedded" if embedded else "no")
        assert embedded == (not benchmark.files) == (not benchmark.source.startswith("https://"))
    for name in ("digits", "synthetic"):
        data = load(name)
        assert (find(name).seen, find(name).unseen) == (len(data.seen), len(data.unseen))


def test_presence_tells_what_there_is(tmp_path):
    cub, flo, sun = find("CUB"), find("FLO"), find("SUN")
    folder = write_xlsa17(tmp_path / "cub", make_truth())
    assert presence(cub, tmp_path) == "xlsa17"
    (folder / "res101.mat").rename(folder / "vgg_fc7.mat")
    assert presence(cub, tmp_path) == "xlsa17, without res101.mat (has vgg_fc7)"
    (folder / "att_splits.mat").rename(folder / "sent_splits.mat")
    assert presence(cub, tmp_path) == "xlsa17, without res101.mat, att_splits.mat (has sent_splits, vgg_fc7)"
    (folder / "sent_splits.mat").rename(folder / "att_splits.mat")
    write_xlsa17(tmp_path / "else", make_truth())
    (tmp_path / "else" / "att_splits.mat").rename(folder / "w2v_splits.mat")
    assert presence(cub, tmp_path) == "xlsa17, without res101.mat (has vgg_fc7)"  # semantics are none of what lacks
    (folder / "w2v_splits.mat").unlink()
    (folder / "vgg_fc7.mat").unlink()
    assert presence(cub, tmp_path) == "xlsa17, without res101.mat"
    write_packed(folder, make_truth())
    assert presence(cub, tmp_path) == "packed; xlsa17, without res101.mat"
    FORMATS["numpy"].write(synthetic(), tmp_path / "SUN")
    assert presence(sun, tmp_path) == "numpy"
    (tmp_path / "FLO").mkdir()
    assert presence(flo, tmp_path) == "no"
    write_packed(tmp_path / "FLO", make_truth())
    assert presence(flo, tmp_path) == "packed"
    (tmp_path / "FLO" / "label.mat").unlink()
    assert presence(flo, tmp_path) == "no"
    (write_xlsa17(tmp_path / "FLO", make_truth()) / "res101.mat").rename(tmp_path / "FLO" / "clip.mat")
    assert presence(flo, tmp_path) == "xlsa17, without res101.mat (has clip)"  # also of what is published packed


def test_list_shows_what_is_present(gsmflow, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    FORMATS["numpy"].write(synthetic(), tmp_path / "SUN")
    (write_xlsa17(tmp_path / "cub", make_truth()) / "res101.mat").rename(tmp_path / "cub" / "vgg_fc7.mat")
    lines = gsmflow("data", "list", "--data-root", tmp_path).out.splitlines()
    present = {name: next(line for line in lines if f" {name} " in line) for name in ("digits", "SUN", "CUB", "APY")}
    shown = {name: line.strip("│ ").split("│")[-1].strip() for name, line in present.items()}
    assert shown == {
        "digits": "embedded",
        "SUN": "numpy",
        "CUB": "xlsa17, without res101.mat (has vgg_fc7)",
        "APY": "no",
    }
