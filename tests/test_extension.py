"""What the README promises: a format, a generator, a recognizer and a protocol are one file and one line each.

Each class or function below stands for the file; each ``monkeypatch.setitem`` is the line.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import gsmflow
from gsmflow.data import FORMATS, Format, Provenance, ZeroShotDataset
from gsmflow.generators import GENERATORS, Described, GeneratorKind
from gsmflow.generators.base import class_means
from gsmflow.recognizers import RECOGNIZERS, Direct, RecognizerKind
from gsmflow.selection import PROTOCOLS, Outcome, Protocol
from gsmflow.selection.protocols import validated
from gsmflow.settings import Settings

DATA = gsmflow.load("synthetic")


def read_table(folder, *, features=None, semantics=None, name=None, allow_overlap=False):
    """A format: one CSV file, split and class before the features, and one of semantics."""
    rows = np.genfromtxt(folder / "toy.csv", delimiter=",")
    split, labels, x = rows[:, 0], rows[:, 1].astype(int), rows[:, 2:]
    table = np.genfromtxt(folder / "toy-classes.csv", delimiter=",")
    splits = [np.flatnonzero(split == part) for part in range(3)]
    return ZeroShotDataset(name, x, labels, table, (), *splits, Provenance("toy", folder=str(folder)))


def write_table(dataset, folder):
    split = np.zeros(len(dataset.labels))
    split[dataset.test_seen], split[dataset.test_unseen] = 1, 2
    table = np.column_stack([split, dataset.labels, dataset.features])
    np.savetxt(folder / "toy.csv", table, delimiter=",")
    np.savetxt(folder / "toy-classes.csv", dataset.semantics, delimiter=",")


TOY = Format("toy", lambda folder: (folder / "toy.csv").exists(), read_table, write_table, "toy.csv")


class Neighbour(Described):
    """A generator: an unseen class has the mean of the seen class of nearest semantics, and all have unit variance."""

    per_class = ("centres",)

    def __init__(self, dim, classes):
        super().__init__(dim, classes)
        self.register_buffer("centres", torch.zeros(len(classes.semantics), dim))

    def count(self):
        return 1

    def fit(self, x, labels):
        next(self.candidates(x, labels))

    def candidates(self, x, labels):
        nearest = torch.cdist(self.semantics, self.semantics[self.seen]).argmin(1)
        self.centres = class_means(x, labels, self.seen)[nearest]
        yield {}

    @classmethod
    def only(cls, settings, choice):
        return settings

    def log_prob(self, x, classes):
        return -0.5 * torch.cdist(x, self.centres[classes]).square()

    def sample(self, classes, *, rng=None):
        return self.centres[classes] + torch.randn(len(classes), self.dim, generator=rng)


def blurred(dim, classes, generator):
    """A recognizer: the generator's likelihood at a tenth of its weight."""
    return Direct(classes, lambda x, ids: generator.log_prob(x, ids) / 10)


def halved(dataset, settings, run, device):
    """A protocol: the validated one, whose constant is then halved."""
    outcome = validated(dataset, settings, run, device)
    outcome.model.constant /= 2
    return Outcome(outcome.model, outcome.metrics, replace(outcome.chosen, constant=outcome.model.constant), 1)


def test_a_format(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", TOY)
    FORMATS["toy"].write(DATA, tmp_path)
    data = gsmflow.load(str(tmp_path))
    assert data.fingerprint() == DATA.fingerprint()
    assert gsmflow.train(data, "gaussian", seed=0).metrics.H == gsmflow.train(DATA, "gaussian", seed=0).metrics.H


@pytest.fixture
def with_generator(monkeypatch):
    monkeypatch.setitem(GENERATORS, "neighbour", GeneratorKind(Neighbour, ()))


@pytest.mark.parametrize("protocol", ["validated", "published", "fixed"])
def test_a_generator(with_generator, tmp_path, protocol):
    settings = Settings(generator="neighbour", grid=())
    result = gsmflow.train(DATA, settings, protocol=protocol)
    assert result.metrics.AUSUC > 40
    assert 30 < result.metrics.T1 < 90  # above chance, below what learns
    result.model.save(tmp_path / "m.safetensors")
    again = gsmflow.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict_proba(DATA.features), result.model.predict_proba(DATA.features))
    assert result.record["generator"] == "neighbour"


def test_a_recognizer(with_generator, monkeypatch):
    monkeypatch.setitem(RECOGNIZERS, "blurred", RecognizerKind(RECOGNIZERS["likelihood"].needs, blurred))
    for generator in ("neighbour", "gaussian"):
        settings = Settings(generator=generator, recognizer="blurred", grid=())
        blurry = gsmflow.train(DATA, settings, protocol="fixed").model.predict_proba(DATA.features[:50]).max(1)
        sharp = gsmflow.train(DATA, replace(settings, recognizer="likelihood"), protocol="fixed").model
        assert blurry.mean() < sharp.predict_proba(DATA.features[:50]).max(1).mean()
    auto = gsmflow.train(DATA, Settings(generator="neighbour", recognizer="auto", grid=()))
    assert {one["recognizer"] for event in auto.history[:1] for one in event.found} >= {"likelihood", "blurred"}


def test_a_protocol(monkeypatch, tmp_path):
    monkeypatch.setitem(PROTOCOLS, "halved", Protocol("halved", "halved: for once", "half of it", "D", halved))
    whole, half = (gsmflow.train(DATA, "gaussian", protocol=name) for name in ("validated", "halved"))
    assert half.model.constant == whole.model.constant / 2
    assert half.record["selected_on"] == "half of it"
    assert half.save(tmp_path / "run").is_dir()


def test_a_name_that_is_in_no_table_is_refused():
    with pytest.raises(gsmflow.InputError, match="no generator 'neighbour': choose one of linear-flow"):
        gsmflow.train(DATA, Settings(generator="neighbour", grid=()))
    with pytest.raises(gsmflow.InputError, match="no recognizer 'blurred'"):
        gsmflow.train(DATA, Settings(recognizer="blurred"))
    with pytest.raises(gsmflow.InputError, match="no protocol 'halved'; choose one of validated, published, fixed"):
        gsmflow.train(DATA, protocol="halved")
