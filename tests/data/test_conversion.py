"""From one format into another and back: nothing is lost in silence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gsmflow.data import FORMATS, Provenance, ZeroShotDataset, load_folder
from gsmflow.data.conversion import convert
from gsmflow.errors import DataWarning, InputError
from tests.data.own import write_own
from tests.data.test_folder import ENCODER, NAMED, RECORD, TEXT, TEXT_ENCODER
from tests.data.test_round_trips import names_kept, problems
from tests.data.twins import make_truth


def make(**changed) -> ZeroShotDataset:
    """Samples in no order, some in no split."""
    truth = vars(make_truth()) | {"class_names": ("zebra", "#ant", "Fuchs, rot", 'b"ä"t', "yak; ox", "猫")}
    return ZeroShotDataset("TWIN", **{**truth, **changed})


def same(found: ZeroShotDataset, data: ZeroShotDataset, *names: str) -> bool:
    names = ("class_names", *names)
    return found.fingerprint() == data.fingerprint() and all(getattr(found, n) == getattr(data, n) for n in names)


EVERYTHING = ("semantic_names", "semantic_parts", "sample_names")
RICH = {
    "plain": {},
    "names of dimensions": {"semantic_names": ("has, stripes", "#big", "Größe")},
    "samples": {"sample_names": [f"a b/{k},'\n.png" for k in range(33)]},
    "samples of one name": {"sample_names": [f"{k}.png" for k in make_truth().labels]},
    "two kinds of semantics": {
        "semantic_names": ("striped", "text 1", "text 2"),
        "semantic_parts": (("attributes", 1), ("text", 2)),
        "provenance": Provenance(encoder=ENCODER, text_encoder=TEXT_ENCODER, images="/far/images"),
    },
}


@pytest.mark.parametrize("changed", RICH.values(), ids=RICH)
def test_a_folder_keeps_everything(tmp_path, changed):
    data = make(**changed)
    FORMATS["folder"].write(data, tmp_path / "MY")
    found = load_folder(tmp_path / "MY")
    assert same(found, data, *EVERYTHING)
    p, q = found.provenance, data.provenance
    assert (p.encoder, p.text_encoder, p.images) == (q.encoder, q.text_encoder, q.images)


@st.composite
def rich_problems(draw) -> ZeroShotDataset:
    """Problems in any order, with names of samples."""
    data = draw(problems())
    rows = draw(st.permutations(range(len(data.features))))
    names = st.text(min_size=1, max_size=6).filter(lambda name: name.strip() and "\0" not in name)
    names = names.filter(lambda name: name.encode("utf-8", "ignore").decode() == name)
    semantics = draw(st.lists(names_kept, min_size=data.semantic_dim, max_size=data.semantic_dim, unique_by=str.lower))
    return replace(
        data,
        trainval=np.array(rows)[np.isin(rows, data.trainval)],
        sample_names=draw(st.lists(names, min_size=len(rows), max_size=len(rows), unique=True)),
        semantic_names=[f"{name}." for name in semantics],
        semantics=data.semantics * np.float32(draw(st.floats(2**-90, 2**90, width=32))),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=rich_problems())
def test_any_problem_survives_in_a_folder(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    FORMATS["folder"].write(data, folder)
    assert same(load_folder(folder), data, *EVERYTHING)


@pytest.mark.parametrize("to", ["numpy", "xlsa17"])
def test_there_and_back(tmp_path, to):
    data = make(semantic_names=tuple("abc"))
    FORMATS["folder"].write(data, tmp_path / "a")
    assert same(data, load_folder(tmp_path / "a"))
    convert(load_folder(tmp_path / "a"), tmp_path / "b", to)
    convert(load_folder(tmp_path / "b"), tmp_path / "c", "folder")
    kept = ("semantic_names",) if to == "numpy" else ()
    assert same(load_folder(tmp_path / "c"), data, *kept)


def test_accepted_overlap_survives(tmp_path):
    truth = make_truth()
    data = make(test_seen=np.r_[truth.test_seen, truth.trainval[:2]], allow_overlap=True)
    convert(data, tmp_path, "folder")
    assert same(load_folder(tmp_path, allow_overlap=True), data)


def test_packed_files_get_the_samples_in_their_order(tmp_path):
    (told,) = convert(make(), tmp_path, "packed")
    assert told == (
        "samples are put in order, split after split, and 3 that are in no split are left out: the fingerprint changes"
    )
    assert len(load_folder(tmp_path).features) == 30


ENCODERS = [
    "{} does not keep the record of the encoder of pictures, lite.onnx (onnx, 5 dimensions, sha256 abababababab)",
    "{} does not keep the record of the encoder of words, MiniLM (sentence-transformers, 3 dimensions, sha256 "
    "cdcdcdcdcdcd)",
]
LOSSES = {
    "numpy": [
        "numpy does not keep which semantics are what (2 attributes and 3 text)",
        *ENCODERS,
        "numpy does not keep the name of the features, lite.onnx",
        "numpy does not keep the name of the semantics, attributes + text",
    ],
    "xlsa17": [
        "xlsa17 does not keep names of the 5 dimensions of the semantics",
        "xlsa17 does not keep which semantics are what (2 attributes and 3 text)",
        *ENCODERS,
        "xlsa17 does not keep the name of the semantics, attributes + text",
    ],
    "folder": [],
}


@pytest.mark.parametrize("to", LOSSES)
def test_what_is_lost_is_told(tmp_path, to):
    folder = write_own(tmp_path / "MY", semantics__npy=TEXT, semantics__csv=NAMED, dataset__json=RECORD)
    data = load_folder(folder)
    told = convert(data, tmp_path / "new", to)
    own = f"descriptions and notes (seen by) of classes are not carried over: they stay in {folder}/classes.csv"
    assert told == (*(sentence.format(to) for sentence in LOSSES[to]), own)
    if to != "xlsa17":
        assert same(load_folder(tmp_path / "new"), data, "sample_names", "semantic_names")
    assert load_folder(tmp_path / "new").sample_names == data.sample_names


def test_names_of_features_are_told(tmp_path):
    data = make(provenance=Provenance("xlsa17", "vgg_fc7", "sent"))
    assert convert(data, tmp_path / "x", "xlsa17") == ()
    assert convert(data, tmp_path / "y", "folder") == (
        "folder does not keep the name of the features, vgg_fc7",
        "folder does not keep the name of the semantics, sent",
    )


def test_a_folder_with_data_is_left_alone(tmp_path):
    FORMATS["xlsa17"].write(make(), tmp_path)
    with pytest.raises(InputError, match="holds a data set already, in the format xlsa17; choose another folder"):
        convert(make(), tmp_path, "folder")
    with pytest.raises(InputError, match="There is no format 'csv': choose one of folder, packed, xlsa17, numpy"):
        convert(make(), tmp_path, "csv")


CANNOT = {
    "a name with a meaning": ({"semantic_names": ("a", "Name", "b")}, "the semantic name 'Name' cannot be that of a"),
    "one name twice": ({"semantic_names": ("a", "A", "b")}, "the semantic name 'a' cannot be that of a column"),
    "other parts": (
        {"semantic_parts": (("sounds", 1), ("smells", 2))},
        "semantics of the parts sounds, smells do not fit into a folder, which holds attributes and text",
    ),
    "a sample of two classes": (
        {"sample_names": ["x.png"] * 33},
        "the sample name 'x.png' stands for samples of two classes; give others",
    ),
    "a sample without letters": ({"sample_names": [" "] * 33}, "the sample name ' ' does not survive in a file"),
}


@pytest.mark.parametrize(("changed", "sentence"), CANNOT.values(), ids=CANNOT)
def test_what_a_folder_cannot_hold(tmp_path, changed, sentence):
    with pytest.raises(InputError, match=sentence):
        FORMATS["folder"].write(make(**changed), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_names_of_words_that_are_not_kept_are_told(tmp_path):
    parts = {"semantic_parts": (("attributes", 1), ("text", 2)), "semantic_names": ("a", "b", "c")}
    with pytest.warns(DataWarning, match="names of the 2 dimensions of text are not kept"):
        FORMATS["folder"].write(make(**parts), tmp_path)
    assert load_folder(tmp_path).semantic_names == ("a", "text 1", "text 2")


@pytest.mark.parametrize("there", ["features.csv", "labels.txt", "features"])
def test_other_files_of_a_data_set_are_not_mixed_in(tmp_path, there):
    (tmp_path / there).mkdir()
    with pytest.raises(InputError, match=rf"holds {there} already; move that elsewhere or choose another folder"):
        FORMATS["folder"].write(make(), tmp_path)
