"""Features that are read batch after batch give what features in memory give."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import gsmflow as library
from gsmflow import streams
from gsmflow.data import load_folder, pseudo_unseen, rows, synthetic
from gsmflow.data.rows import Rows, take
from gsmflow.errors import InputError
from gsmflow.scaling import Scaling
from gsmflow.settings import CVAESettings
from gsmflow.streams import Stream
from tests.generators.cases import NAMES, Problem, answers, fit, make_problem, settings_for

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_of_a_stream(name, monkeypatch):
    """To the last bit that of a tensor read in the same chunks, of which no more than one is held at once."""
    monkeypatch.setattr(streams, "CHUNK", 40)
    problem, settings, held = make_problem(), settings_for(name), []
    stream = Stream(Rows(problem.x.numpy(), np.arange(len(problem.x))), CPU)
    original = Stream.__getitem__
    monkeypatch.setattr(Stream, "__getitem__", lambda s, i: held.append(len(part := original(s, i))) or part)
    model, expected = fit(Problem(stream, problem.labels, problem.classes), settings), fit(problem, settings)
    found, expected = (answers(m, problem.x, torch.arange(10)) for m in (model, expected))
    assert all(torch.equal(found[what], expected[what]) for what in expected)
    if name not in ("gaussian", "linear-flow", "wgan"):  # directions from a bounded number of rows; a batch of its own
        assert max(held, default=0) <= 40


@pytest.mark.parametrize("name", ["gsmflow", "gaussian", "linear-flow", "cvae", "eszsl"])
@pytest.mark.parametrize("protocol", ["validated", "published"])
def test_the_same_numbers_as_from_memory(name, protocol, monkeypatch):
    from tests.tiny import GAUSSIAN, TINY, problem

    settings = {
        "gsmflow": TINY,
        "gaussian": GAUSSIAN,
        "linear-flow": replace(GAUSSIAN, generator="linear-flow", scaling="l2", training=TINY.training),
        "cvae": replace(TINY, generator="cvae", cvae=CVAESettings(hidden=8)),
        "eszsl": replace(GAUSSIAN, generator="eszsl", recognizer="compatibility"),
    }[name]

    def run():
        record = library.train(problem(), settings, protocol=protocol, device="cpu").record
        return {key: value for key, value in record.items() if key not in ("seconds", "peak_memory_mb")}

    monkeypatch.setattr(streams, "CHUNK", 16)
    expected = run()
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)
    assert isinstance(problem().training().features, Rows)
    assert run() == expected


def test_rows_of_rows_are_those_of_the_matrix(monkeypatch):
    matrix = np.arange(60, dtype=np.float32).reshape(20, 3)
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)
    few = take(take(matrix, np.arange(19, -1, -1)), np.array([0, 2, 4]))
    assert (few.shape, few.size, few.ndim, len(few)) == ((3, 3), 9, 2, 3)
    np.testing.assert_array_equal(few[:], matrix[[19, 17, 15]])
    np.testing.assert_array_equal(few[np.array([2, 0])], matrix[[15, 19]])


def test_pseudo_unseen_classes_of_rows_copy_nothing(monkeypatch):
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)
    data = synthetic()
    pseudo = pseudo_unseen(data.training(), ratio=0.25)
    for features in (pseudo.training().features, pseudo.tests().seen_features, pseudo.tests().unseen_features):
        assert np.shares_memory(features.matrix, data.features)
    np.testing.assert_array_equal(pseudo.training().features[:], data.training().features[pseudo.trainval])


@pytest.mark.parametrize("kind", ["minmax", "none", "l2", "sqrt-l2"])
def test_scaling_of_a_stream(kind, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK", 7)
    matrix = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    stream = Stream(Rows(matrix, np.arange(40)), CPU)
    scaling, expected = Scaling.fit(stream, kind), Scaling.fit(torch.from_numpy(matrix), kind)
    assert torch.equal(scaling.width, expected.width)
    index = torch.tensor([5, 3, 39])
    assert torch.equal(Stream(stream.rows, CPU, scaling)[index], expected(torch.from_numpy(matrix))[index])


def write_numpy(folder, data, **instead):
    folder.mkdir()
    for name in ("features", "labels", "semantics", "trainval", "test_seen", "test_unseen"):
        np.save(folder / f"{name}.npy", instead.get(name, getattr(data, name)))


def test_the_numpy_layout_is_mapped_not_read(tmp_path):
    data = synthetic()
    write_numpy(tmp_path / "mine", data)
    (tmp_path / "mine" / "class_names.txt").write_text("\n".join(data.class_names))
    found = load_folder(tmp_path / "mine")
    assert found.fingerprint() == data.fingerprint()
    assert found.class_names == data.class_names
    assert not found.features.flags.owndata


def test_a_truncated_file_is_told_in_one_sentence(tmp_path):
    write_numpy(tmp_path / "mine", synthetic())
    path = tmp_path / "mine" / "features.npy"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"features\.npy is not a readable \.npy file .* write it again"):
        load_folder(tmp_path / "mine")


def test_a_missing_file_is_told_in_one_sentence(tmp_path):
    write_numpy(tmp_path / "mine", synthetic())
    (tmp_path / "mine" / "labels.npy").unlink()
    with pytest.raises(InputError, match=r"labels\.npy does not exist"):
        load_folder(tmp_path / "mine")


def test_objects_are_not_unpickled(tmp_path):
    write_numpy(tmp_path / "mine", synthetic(), labels=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"labels\.npy holds Python objects"):
        load_folder(tmp_path / "mine")
