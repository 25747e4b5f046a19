"""Which data set a name means, and how a run finds its data again."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from gsmflow.data import FORMATS, DataSource, ZeroShotDataset, digits, in_split_order, load, synthetic
from gsmflow.errors import InputError
from tests.data.twins import make_truth, write_packed, write_xlsa17

pytestmark = pytest.mark.filterwarnings("error::gsmflow.errors.DataWarning")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder_read(name, **options) -> str:
    return load(name, **options).provenance.folder


def test_a_folder_as_given_or_under_the_root(here):
    write_packed(here / "MINE", make_truth())
    write_xlsa17(here / "data" / "CUB", make_truth())
    for name in ("MINE", "./MINE", str(here / "MINE"), "data/../MINE", Path("MINE")):
        assert folder_read(name) == str(here / "MINE")
    for name in ("CUB", "cub", "data/CUB", "./data/CUB"):
        assert folder_read(name) == str(here / "data" / "CUB")
    assert folder_read("MINE", root="nowhere") == str(here / "MINE")
    assert folder_read("CUB", root=str(here / "data")) == str(here / "data" / "CUB")
    with pytest.raises(InputError, match=r"There is no data set 'CUB' in \. \(data sets there: MINE\)"):
        load("./CUB")
    with pytest.raises(InputError, match=r"There is no data set 'x' in data \(data sets there: CUB\)"):
        load("data/x")


def test_a_folder_without_data_is_no_rival(here):
    """Such as the folder of a run, named after the data set."""
    (here / "CUB").mkdir()
    (here / "digits").mkdir()
    write_xlsa17(here / "data" / "CUB", make_truth())
    assert folder_read("CUB") == str(here / "data" / "CUB")
    assert load("digits").provenance.layout == "digits"
    with pytest.raises(InputError, match=r"^CUB holds no data set: expected classes\.csv with images"):
        load("CUB", root="nowhere")


def test_two_folders_of_a_name_are_refused(here):
    write_packed(here / "CUB", make_truth())
    write_xlsa17(here / "data" / "CUB", make_truth())
    with pytest.raises(
        InputError,
        match=r"^There is a data set 'CUB' in the folder \./CUB and in the folder \./data/CUB; "
        r"write \./CUB or \./data/CUB\.$",
    ):
        load("CUB")
    assert load("./CUB").provenance.layout == "packed"
    assert load("./data/CUB").provenance.layout == "xlsa17"
    assert load("CUB", root=".").provenance.layout == "packed"  # one place, written twice


@pytest.mark.parametrize("place", ["digits", "data/digits"])
def test_a_folder_named_as_embedded_data_is_refused(here, place):
    write_packed(here / place, make_truth())
    with pytest.raises(InputError, match=rf"'digits' is an embedded data set, and .* write \./{place} for the folder"):
        load("digits")
    assert folder_read(f"./{place}") == str(here / place)


def test_files_are_found_again_from_anywhere(here, monkeypatch):
    write_xlsa17(here / "data" / "CUB", make_truth())
    write_packed(here / "data" / "FLO", make_truth())
    one, other = DataSource.of(load("cub")), DataSource.of(load("FLO"))
    fingerprint = load("CUB").fingerprint()
    assert one == DataSource("CUB", str(here / "data"), "res101", "att", False, fingerprint)
    assert (other.name, other.root, other.features, other.semantics) == ("FLO", str(here / "data"), None, None)
    (here / "else").mkdir()
    monkeypatch.chdir(here / "else")
    write_packed(Path("CUB"), make_truth())  # of the same name, but not the one recorded
    assert one.load().fingerprint() == fingerprint
    assert other.load().provenance.layout == "packed"
    os.rename(here / "data", here / "moved")
    with pytest.raises(InputError, match="There is no data set 'FLO' in"):
        other.load()
    assert replace(other, root=str(here / "moved")).load().fingerprint() == other.fingerprint


def test_a_link_is_followed_and_keeps_its_name(here):
    write_packed(here / "store" / "17", make_truth())
    (here / "data").mkdir()
    (here / "data" / "FLO").symlink_to(here / "store" / "17")
    assert DataSource.of(load("FLO")).load().name == "FLO"


def test_other_data_in_the_same_place_are_refused(here):
    write_packed(here / "data" / "FLO", make_truth())
    source = DataSource.of(load("FLO"))
    write_packed(here / "data" / "FLO", make_truth(seed=1))
    with pytest.raises(InputError, match=rf"^FLO in {here}/data holds other data than those recorded: the finger"):
        source.load()
    assert replace(source, fingerprint="").load().name == "FLO"


def test_embedded_data_are_found_again_whatever_is_near(here):
    write_packed(here / "digits", make_truth())
    source = DataSource.of(digits())
    assert (source.name, source.root) == ("digits", None)
    assert source.load().fingerprint() == source.fingerprint
    assert replace(source, root="data").load().fingerprint() == source.fingerprint  # as older runs recorded it
    with pytest.raises(InputError, match="The embedded synthetic holds other data than those recorded"):
        DataSource.of(synthetic(classes=8, unseen=2)).load()


def test_arrays_cannot_be_loaded_again():
    source = DataSource.of(ZeroShotDataset("TWIN", **vars(make_truth())))
    assert (source.name, source.root) == ("TWIN", None)
    with pytest.raises(InputError, match=r"'TWIN' was given as arrays in Python and cannot be loaded again"):
        source.load()
    assert DataSource.of(in_split_order(digits())).name == "digits"  # told by its fingerprint


def test_a_source_survives_the_configuration_of_a_run(here):
    FORMATS["numpy"].write(synthetic(), here / "data" / "MINE")
    source = DataSource.of(load("MINE"))
    adapter = TypeAdapter(DataSource)
    assert adapter.validate_python(asdict(source)) == source
    assert source.load().fingerprint() == synthetic().fingerprint()
    with pytest.raises(ValidationError, match="colour"):
        adapter.validate_python({**asdict(source), "colour": "red"})


def test_check_looks_under_the_data_root(gsmflow, here):
    write_packed(here / "far" / "FLO", make_truth())
    result = gsmflow("data", "check", "FLO", "--data-root", "far")
    assert (result.code, result.err) == (0, "")
    assert "FLO: all checks passed" in result.out
    write_packed(here / "FLO", make_truth())
    assert "write ./FLO or ./far/FLO." in gsmflow("data", "check", "FLO", "--data-root", "far").err
    assert gsmflow("data", "check", "./FLO", "--data-root", "far").code == 0


def test_check_tells_odd_things_once(gsmflow, here, recwarn):
    truth = make_truth()
    truth.test_seen = truth.test_seen[truth.labels[truth.test_seen] != 2]
    write_packed(here / "data" / "FLO", truth)
    result = gsmflow("data", "check", "FLO")
    assert result.out.count("seen classes have no test sample") == 1
    assert not [told for told in recwarn if told.category.__name__ == "DataWarning"]
