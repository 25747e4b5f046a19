"""`gsmflow learn`, `adapt`, `forget`, `predict --adapt`: a model is shown pictures; what fails changes nothing."""

import json
import os
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import gsmflow as library
from gsmflow.encoders.images import load_image_encoder
from tests.cli.test_predict import SIZE, assert_refused, make_encoder

DATA = library.load("synthetic")
UNSEEN = DATA.test_unseen
NAMES = np.array(DATA.class_names)[DATA.labels]
SHOWN = UNSEEN[::8]
NEW = DATA.class_names[int(DATA.labels[UNSEEN[0]])]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    library.train(DATA, "gaussian", seed=0).model.save(path)
    return path


@pytest.fixture
def here(trained, tmp_path, monkeypatch) -> Path:
    """A model, labelled features in a folder and in a table, and a pile."""
    monkeypatch.chdir(tmp_path)
    for name in ("m.safetensors", "before.safetensors"):
        Path(name).write_bytes(trained.read_bytes())
    Path("shown").mkdir()
    np.save("shown/features.npy", DATA.features[SHOWN])
    Path("shown/samples.csv").write_text("class\n" + "".join(f"{NAMES[k]}\n" for k in SHOWN))
    np.save("pile.npy", DATA.features[np.concatenate([DATA.test_seen, UNSEEN])])
    np.save("few.npy", DATA.features[UNSEEN[:3]])
    return tmp_path


def table_of(rows: np.ndarray, names: list[str] | None = None) -> str:
    """A table of features with a column of classes."""
    head = ",".join(["class", *(f"x{k}" for k in range(DATA.dim))])
    labels = NAMES[rows] if names is None else names
    lines = [",".join([name, *map(str, DATA.features[k].tolist())]) for name, k in zip(labels, rows, strict=True)]
    return "\n".join([head, *lines, ""])


def expected() -> library.ZeroShotModel:
    """What the library makes of the same pictures."""
    model = library.load_model("before.safetensors")
    model.learn(DATA.features[SHOWN], NAMES[SHOWN], evidence="first")
    return model


def assert_same(path: str, model: library.ZeroShotModel) -> None:
    np.testing.assert_array_equal(
        library.load_model(path).predict_proba(DATA.features), model.predict_proba(DATA.features)
    )


def test_what_is_learnt_from_a_folder_is_what_the_library_learns(gsmflow, here):
    wanted, before = expected(), library.load_model("m.safetensors").predict_proba(DATA.features)
    done = gsmflow("learn", "m.safetensors", "shown", "--as", "first", "--quiet")
    assert (done.code, done.err) == (0, ""), done
    count = len(set(NAMES[SHOWN]))
    assert done.out.startswith(f"first: learnt {len(SHOWN)} pictures of {count} classes; m.safetensors has ")
    assert_same("m.safetensors", wanted)
    assert (wanted.predict_proba(DATA.features) != before).any()
    assert "learnt" in library.load_model("m.safetensors").about.changes[-1]


def test_a_table_with_a_column_of_classes_is_learnt_too(gsmflow, here):
    Path("t.csv").write_text(table_of(SHOWN))
    done = gsmflow("learn", "m.safetensors", "t.csv", "--as", "first", "--out", "new.safetensors")
    assert done.code == 0, done
    np.testing.assert_allclose(
        library.load_model("new.safetensors").predict_proba(DATA.features),
        expected().predict_proba(DATA.features),
        atol=1e-5,
    )
    assert not library.load_model("m.safetensors").evidence


def test_what_is_forgotten_leaves_no_trace_and_is_listed_before(gsmflow, here):
    assert gsmflow("learn", "m.safetensors", "shown", "--as", "first").code == 0
    Path("t.csv").write_text(table_of(UNSEEN[1:3]))
    learnt = gsmflow("learn", "m.safetensors", "t.csv")
    name = learnt.out.partition(":")[0]
    listed = [
        json.loads(line)
        for line in gsmflow("classes", "m.safetensors", "evidence", "--format", "jsonl").out.splitlines()
    ]
    assert [(one["id"], one["kind"], one["pictures"]) for one in listed] == [
        ("first", "labelled", len(SHOWN)),
        (name, "labelled", 2),
    ]
    assert gsmflow("classes", "m.safetensors", "evidence").out.splitlines()[-1] == "2 pieces of evidence after training"
    assert gsmflow("classes", "m.safetensors", "evidence", "--format", "csv").out.startswith(
        "id,kind,pictures,classes\nfirst,"
    )
    done = gsmflow("forget", "m.safetensors", name)
    assert done.out == f"{name}: forgotten; m.safetensors has learnt 1 other piece of evidence\n"
    assert_same("m.safetensors", expected())
    assert gsmflow("forget", "m.safetensors", "first").code == 0
    assert library.load_model("m.safetensors").evidence == ()
    assert gsmflow("classes", "m.safetensors", "evidence").out == "no pieces of evidence after training\n"


def test_a_new_class_is_learnt_where_a_table_describes_it(gsmflow, here):
    removed = library.load_model("m.safetensors")
    semantics = removed.class_semantics[removed.class_names.index(NEW)]
    removed.remove_classes([NEW])
    removed.save("without.safetensors")
    done = gsmflow("learn", "without.safetensors", "shown")
    assert_refused(done, f"There is no class '{NEW}' in without.safetensors")
    columns = DATA.semantic_names or [f"a{k}" for k in range(len(semantics))]
    text = f"name,{','.join(columns)}\n{NEW},{','.join(map(str, semantics.tolist()))}\n"
    Path("shown/classes.csv").write_text(text)
    done = gsmflow("learn", "without.safetensors", "shown")
    assert done.code == 0, done
    assert ", 1 of them new; without.safetensors has " in done.out
    model = library.load_model("without.safetensors")
    assert model.class_names[-1] == NEW
    assert any(NEW in piece.classes for piece in model.evidence)


def test_a_pile_that_is_believed_is_kept_and_taken_back(gsmflow, here):
    before = library.load_model("m.safetensors")
    wanted = library.load_model("m.safetensors")
    outcome = wanted.adapt(np.load("pile.npy"))
    assert outcome.believed, outcome.sentence
    done = gsmflow("adapt", "m.safetensors", "pile.npy", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{outcome.sentence}; m.safetensors has ")
    assert_same("m.safetensors", wanted)
    assert gsmflow("forget", "m.safetensors", "unlabelled").code == 0
    assert_same("m.safetensors", before)


def test_a_pile_that_is_not_believed_writes_nothing(gsmflow, here):
    before = Path("m.safetensors").read_bytes()
    done = gsmflow("adapt", "m.safetensors", "few.npy", "--out", "new.safetensors")
    assert done.code == 0
    assert re.fullmatch(r"not adapted to 3 pictures: .*; nothing is written\n", done.out)
    assert not Path("new.safetensors").exists()
    assert Path("m.safetensors").read_bytes() == before


@pytest.mark.parametrize(("pile", "said"), [("pile.npy", "adapted to "), ("few.npy", "not adapted to 3 pictures")])
def test_predicting_may_adapt_to_the_inputs_themselves(pile, said, gsmflow, here):
    before = Path("m.safetensors").read_bytes()
    wanted = library.load_model("m.safetensors")
    wanted.adapt(np.load(pile))
    done = gsmflow("predict", "m.safetensors", pile, "--adapt", "--top-k", "1", "--format", "csv", "--quiet")
    assert done.code == 0, done
    assert re.fullmatch(rf"gsmflow: {said}[^\n]*\n", done.err)
    names = [line.split(",")[1] for line in done.out.splitlines()[1:]]
    assert names == wanted.predict(np.load(pile)).tolist()
    assert Path("m.safetensors").read_bytes() == before


def test_rows_that_are_left_out_are_told_once(gsmflow, here):
    rows = np.load("pile.npy")
    rows[5] = np.nan
    np.save("nan.npy", rows)
    assert_refused(gsmflow("predict", "m.safetensors", "nan.npy", "--adapt", "--format", "csv"), "row 5 of nan.npy")
    assert_refused(gsmflow("adapt", "m.safetensors", "nan.npy"), "row 5 of nan.npy")
    done = gsmflow("predict", "m.safetensors", "nan.npy", "--adapt", "--format", "csv", "--skip-bad", "--quiet")
    assert done.code == 0, done
    assert done.err.count("left out: row 5") == 1
    assert len(done.out.splitlines()) == len(rows)
    done = gsmflow("adapt", "m.safetensors", "nan.npy", "--skip-bad", "--quiet")
    assert f"adapted to {len(rows) - 1} pictures" in done.out


def test_a_class_is_added_with_examples(gsmflow, here):
    model = library.load_model("m.safetensors")
    numbers = ",".join(map(str, model.class_semantics[:2].mean(0).tolist()))
    np.save("okapi.npy", DATA.features[:3] + 1)
    add = ("classes", "m.safetensors", "add", "okapi", f"--attributes={numbers}", "--quiet")
    done = gsmflow(*add, "--examples", "okapi.npy")
    assert done.code == 0, done
    assert done.out.startswith("okapi: added by attributes and 3 examples; m.safetensors has ")
    (piece,) = library.load_model("m.safetensors").evidence
    assert (piece.pictures, piece.classes) == (3, ("okapi",))


@pytest.fixture
def pictures(here) -> Path:
    """Folders of pictures named as classes, one of them broken, and a model that knows their encoder."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    make_encoder(here / "net.onnx")
    for k, name in enumerate([f"{NAMES[0]}/a.png", f"{NAMES[0]}/b.png", f"{NEW}/c.png", f"{NEW}/bad.png"]):
        (here / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
        image.fromarray(pixels).save(here / "pictures" / name)
    (here / "pictures" / NEW / "bad.png").write_bytes(b"no picture")
    model = library.load_model("m.safetensors")
    model.about = replace(model.about, encoder=load_image_encoder("net.onnx").record)
    model.save("m.safetensors")
    return here / "pictures"


def test_folders_of_pictures_are_learnt_by_their_names(gsmflow, pictures):
    assert_refused(gsmflow("learn", "m.safetensors", "pictures"), "leave it out with --skip-bad")
    done = gsmflow("learn", "m.safetensors", "pictures", "--skip-bad", "--quiet")
    assert done.code == 0, done
    assert re.fullmatch(r"gsmflow: left out: [^\n]*bad.png [^\n]*\n", done.err)
    assert "learnt 3 pictures of 2 classes" in done.out
    assert set(library.load_model("m.safetensors").evidence[0].classes) == {str(NAMES[0]), NEW}
    os.rename("net.onnx", "moved.onnx")
    assert_refused(gsmflow("adapt", "m.safetensors", "pictures", "--skip-bad"), "--encoder")
    make_encoder(Path("other.onnx"), seed=1)
    assert_refused(gsmflow("learn", "m.safetensors", "pictures", "--encoder", "other.onnx"), "another encoder")
    assert gsmflow("adapt", "m.safetensors", "pictures", "--skip-bad", "--encoder", "moved.onnx").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("learn", "m.safetensors"), "say what to learn"),
        (("learn", "m.safetensors", "gone"), "There is no file or folder gone"),
        (("learn", "gone.safetensors", "shown"), "There is no model gone.safetensors"),
        (
            ("learn", "m.safetensors", "few.npy"),
            "does not say which class each row of features is of: add a column class",
        ),
        (("learn", "m.safetensors", "bare"), "does not say which class each row of features is of: add samples.csv"),
        (("learn", "m.safetensors", "loose"), "a.png in loose lies in no folder that names its class"),
        (("learn", "m.safetensors", "loose/a.png"), "does not say its class"),
        (("learn", "m.safetensors", "empty"), "holds no picture"),
        (("learn", "m.safetensors", "numbers"), "There is no class '77' in m.safetensors"),
        (("learn", "m.safetensors", "narrow.csv"), "holds features of 2 dimensions"),
        (("learn", "m.safetensors", "shown", "--as", "unlabelled"), "--as unlabelled is the id of the pile"),
        (("learn", "m.safetensors", "shown", "--as", "a\tb"), "it must be a text that can be printed"),
        (("learn", "m.safetensors", "shown", "--out", "few.npy"), "few.npy is there already"),
        (("learn", "m.safetensors", "shown", "--classes", "gone.csv"), "There is no table of classes gone.csv"),
        (("learn", "m.safetensors", "shown", "--list", "few.npy"), "drop --list"),
        (("learn", "m.safetensors", "shown", "--batch", "2"), "--batch is about pictures"),
        (("learn", "m.safetensors", "shown", "--text-encoder", "x"), "--text-encoder has no effect"),
        (("learn", "m.safetensors", "shown", "--threads", "0"), "threads must be at least 1"),
        (("learn", "eszsl.safetensors", "shown"), "cannot learn from pictures without training again"),
        (("adapt", "m.safetensors"), "say what to adapt to"),
        (("adapt", "m.safetensors", "gone.npy"), "There is no file or folder gone.npy"),
        (("adapt", "m.safetensors", "few.npy", "--out", "pile.npy"), "pile.npy is there already"),
        (("adapt", "eszsl.safetensors", "pile.npy"), "cannot learn from pictures without training again"),
        (("predict", "eszsl.safetensors", "pile.npy", "--adapt"), "cannot learn from pictures without training again"),
        (("forget", "m.safetensors"), "say what to forget: gsmflow forget MODEL ID; m.safetensors has learnt nothing"),
        (("forget", "m.safetensors", "x"), "has learnt no evidence 'x'"),
        (("forget", "m.safetensors", "x", "x"), "'x' is given twice"),
        (("classes", "m.safetensors", "add", "new", "--attributes", "1", "--encoder", "x"), "--encoder has no effect"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(arguments, said, gsmflow, here, eszsl):
    for folder in ("bare", "loose", "empty", "numbers"):
        Path(folder).mkdir()
    np.save("bare/features.npy", np.load("few.npy"))
    np.save("numbers/features.npy", np.load("few.npy"))
    Path("numbers/samples.csv").write_text("class\n77\n77\n77\n")
    Path("loose/a.png").write_bytes(b"x")
    Path("narrow.csv").write_text(f"class,x,y\n{NEW},1,2\n")
    Path("eszsl.safetensors").write_bytes(eszsl.read_bytes())
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert_refused(gsmflow(*arguments), said)
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.fixture(scope="session")
def eszsl(tmp_path_factory) -> Path:
    """A model that cannot learn from pictures."""
    path = tmp_path_factory.mktemp("model") / "eszsl.safetensors"
    library.train(DATA, "eszsl", seed=0).model.save(path)
    return path


def test_the_same_pictures_are_not_learnt_twice(gsmflow, here):
    assert gsmflow("learn", "m.safetensors", "shown").code == 0
    before = Path("m.safetensors").read_bytes()
    assert_refused(gsmflow("learn", "m.safetensors", "shown"), "has learnt these pictures already")
    assert gsmflow("learn", "m.safetensors", "shown", "--as", "again").code == 0
    assert_refused(gsmflow("learn", "m.safetensors", "shown", "--as", "again"), "choose another id with --as")
    assert Path("m.safetensors").read_bytes() != before


def test_what_another_program_wrote_meanwhile_is_not_lost(gsmflow, here, monkeypatch):
    module = import_module("gsmflow.cli.learn")
    monkeypatch.setattr(module, "check_id", lambda *_: library.load_model("m.safetensors").save("m.safetensors"))
    assert_refused(gsmflow("learn", "m.safetensors", "shown"), "was changed by another program meanwhile")
    assert not library.load_model("m.safetensors").evidence


def test_an_interruption_leaves_the_model_as_it_was(gsmflow, here, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    before = sorted(os.listdir()), Path("m.safetensors").read_bytes()
    monkeypatch.setattr(library.ZeroShotModel, "learn", interrupted)
    assert gsmflow("learn", "m.safetensors", "shown").code == 130
    assert (sorted(os.listdir()), Path("m.safetensors").read_bytes()) == before


def test_the_demonstration_in_the_readme_runs_and_each_step_helps(monkeypatch):
    """With a quick method in place of the default: a 3 and a 6 by words, one of each, then a pile."""
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(import numpy as np\n\ndigits = .*?)```", readme, re.DOTALL)
    train = library.train
    monkeypatch.setattr(library, "train", lambda data: train(data, "gaussian", protocol="fixed", seed=0))
    said: list[tuple] = []
    exec(block, {"gsmflow": library, "print": lambda *words: said.append(words)})
    words, one, sentence, pile = said
    assert sentence[0].startswith("adapted to 649 pictures")
    assert words[1].H < one[1].H < pile[1].H
