"""The baselines against their formulas, scikit-learn, and what holds for all three."""

from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from gsmflow import streams
from gsmflow.data import synthetic
from gsmflow.data.rows import Rows
from gsmflow.generators import DAP, ESZSL, Classes, NearestPrototype, adopt
from gsmflow.generators.baselines import ridge_map
from gsmflow.settings import DAPSettings, ESZSLSettings, PrototypeSettings
from gsmflow.streams import Stream

METRICS, MAPS = ("euclidean", "cosine"), ("l2", "spread")
LAST = {"semantics": "spread", "ridge": 1.0, "metric": "cosine"}
KINDS = {
    "eszsl": (
        ESZSL,
        ESZSLSettings(gammas=(0.01, 1.0), lambdas=(0.1, 3.0), semantics=MAPS),
        {"semantics": "spread", "gamma": 1.0, "lambda": 3.0},
    ),
    "dap": (DAP, DAPSettings(ridges=(0.01, 1.0), metrics=METRICS, semantics=MAPS), LAST),
    "prototype": (NearestPrototype, PrototypeSettings(ridges=(0.01, 1.0), metrics=METRICS, semantics=MAPS), LAST),
}
"""Class, settings, and a choice that differs from the first of every list."""

every_kind = pytest.mark.parametrize(("kind", "settings", "last"), KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module")
def problem():
    """Nine classes, whose features are not centred and whose sizes differ."""
    training = synthetic(classes=9, unseen=3, samples=30, dim=8, semantic_dim=4, seed=1).training()
    x, labels = torch.tensor(training.features) + 2, torch.tensor(training.labels)
    kept = torch.arange(len(x)) % 5 < 4 - (labels % 3)
    return x[kept], labels[kept], Classes.of(training)


def unit(a: torch.Tensor) -> np.ndarray:
    a = a.double().numpy()
    return a / np.linalg.norm(a, axis=1, keepdims=True)


def similarity(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    return cosine_similarity(a, b) if metric == "cosine" else -(euclidean_distances(a, b) ** 2)


def test_ridge_map_is_an_inverse_with_the_mean_diagonal():
    rng = np.random.default_rng(0)
    a, targets = rng.normal(size=(20, 6)), rng.normal(size=(6, 3))
    gram = a.T @ a
    expected = np.linalg.inv(gram + 0.3 * np.trace(gram) / 6 * np.eye(6)) @ targets
    np.testing.assert_allclose(ridge_map(torch.tensor(gram), torch.tensor(targets), 0.3), expected, atol=1e-12)


@pytest.mark.parametrize("low", [0, -1])
def test_eszsl_is_the_formula_of_the_paper(problem, low):
    """On centred features, labels of -1 and 1 give the scores of labels of 0 and 1 twice."""
    x, labels, classes = problem
    s, centre = unit(classes.semantics), x.double().numpy().mean(0)
    features, seen = x.double().numpy() - centre, s[classes.seen]
    y = np.where(labels.numpy()[:, None] == classes.seen.numpy(), 1, low)
    gram, semantic_gram = features.T @ features, seen.T @ seen
    left = np.linalg.inv(gram + 0.2 * np.diag(gram).mean() * np.eye(8))
    right = np.linalg.inv(semantic_gram + 0.7 * np.diag(semantic_gram).mean() * np.eye(4))
    expected = features @ left @ features.T @ y @ seen @ right @ s.T / (1 - low)

    eszsl = ESZSL(8, classes, ESZSLSettings(gammas=(0.2,), lambdas=(0.7,)))
    eszsl.fit(x, labels)
    np.testing.assert_allclose(eszsl.scores(x, torch.arange(9)), expected, atol=2e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_dap_is_ridge_regression_and_the_nearest_semantics(problem, metric):
    x, labels, classes = problem
    s, rows = unit(classes.semantics), x.double().numpy()
    penalty = 0.2 * ((rows - rows.mean(0)) ** 2).sum(0).mean()
    oracle = Ridge(alpha=penalty).fit(rows, s[labels])
    centre = s[labels].mean(0)
    expected = similarity(oracle.predict(rows) - centre, s[classes.unseen] - centre, metric)

    dap = DAP(8, classes, DAPSettings(ridges=(0.2,), metrics=(metric,)))
    dap.fit(x, labels)
    np.testing.assert_allclose(dap.scores(x, classes.unseen), expected, atol=2e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_prototypes_are_class_means_and_ridge_predictions(problem, metric):
    x, labels, classes = problem
    s, rows = unit(classes.semantics), x.double().numpy()
    means = np.stack([rows[labels == k].mean(0) for k in classes.seen])
    centre = means.mean(0)
    penalty = 0.2 * (s[classes.seen] ** 2).sum(1).mean()
    oracle = KernelRidge(alpha=penalty, kernel="linear").fit(s[classes.seen], means - centre)
    prototypes = oracle.predict(s) + centre
    prototypes[classes.seen] = means
    # the cosine is one of directions from the mean of all samples
    expected = similarity(rows - rows.mean(0), prototypes - rows.mean(0), metric)

    nearest = NearestPrototype(8, classes, PrototypeSettings(ridges=(0.2,), metrics=(metric,)))
    nearest.fit(x, labels)
    np.testing.assert_allclose(nearest.scores(x, torch.arange(9)), expected, rtol=1e-5, atol=2e-5)


@every_kind
def test_candidates_are_all_combinations_and_fit_repeats_each(problem, kind, settings, last):
    x, labels, classes = problem
    model = kind(8, classes, settings)
    choices, scores = [], []
    for choice in model.candidates(x, labels):
        again = kind(8, classes, kind.only(settings, choice))
        again.fit(x, labels)
        found = model.scores(x, torch.arange(9))
        assert torch.equal(again.scores(x, torch.arange(9)), found)
        assert not any(torch.equal(found, other) for other in scores)
        choices.append(choice)
        scores.append(found)
    names = {"gammas": "gamma", "lambdas": "lambda", "ridges": "ridge", "metrics": "metric"}
    lists = {"semantics": MAPS} | {names[k]: values for k, values in asdict(settings).items() if k != "semantics"}
    assert choices == [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    assert model.count() == len(choices)
    assert choices[-1] == last


@every_kind
def test_fit_takes_the_first_of_what_is_not_chosen(problem, kind, settings, last):
    x, labels, classes = problem
    model, again = kind(8, classes, settings), kind(8, classes, settings)
    model.fit(x, labels)
    next(again.candidates(x, labels))
    assert torch.equal(model.scores(x, classes.seen), again.scores(x, classes.seen))


@every_kind
def test_the_metric_is_part_of_the_state(problem, kind, settings, last):
    """Whatever the settings of the fresh one begin with."""
    x, labels, classes = problem
    model, fresh = kind(8, classes, kind.only(settings, last | {"semantics": "l2"})), kind(8, classes, settings)
    model.fit(x, labels)
    fresh.fit(x + x.square(), labels)
    assert not torch.allclose(fresh.scores(x, classes.unseen), model.scores(x, classes.unseen), atol=0.01)
    for loaded in (fresh, kind(8, classes, settings)):
        adopt(loaded, model.state_dict())
        assert torch.equal(loaded.scores(x, torch.arange(9)), model.scores(x, torch.arange(9)))


@every_kind
def test_what_is_read_chunk_by_chunk_gives_the_same(problem, kind, settings, last, monkeypatch):
    x, labels, classes = problem
    whole, parts = kind(8, classes, settings), kind(8, classes, settings)
    whole.fit(x, labels)
    monkeypatch.setattr(streams, "CHUNK", 7)
    stream, most = Stream(Rows(x.numpy(), np.arange(len(x))), torch.device("cpu")), []
    original = Stream.__getitem__
    monkeypatch.setattr(Stream, "__getitem__", lambda s, i: most.append(len(part := original(s, i))) or part)
    parts.fit(stream, labels)
    assert max(most) == 7, "no more than a chunk is held"
    torch.testing.assert_close(parts.scores(x, torch.arange(9)), whole.scores(x, torch.arange(9)), rtol=1e-5, atol=1e-5)


@every_kind
def test_scores_are_columns_of_the_classes_asked_for(problem, kind, settings, last):
    x, labels, classes = problem
    model = kind(8, classes, kind.only(settings, last))
    model.fit(x, labels)
    torch.testing.assert_close(model.scores(x, classes.unseen), model.scores(x, torch.arange(9))[:, classes.unseen])


@every_kind
@pytest.mark.parametrize("choice", ["first", "last"])
def test_unseen_classes_are_recognized(kind, settings, last, choice):
    data = synthetic(classes=110, unseen=10, samples=10, dim=32, semantic_dim=8, noise=0.05)
    training = data.training()
    classes = Classes.of(training)
    model = kind(32, classes, kind.only(settings, last) if choice == "last" else settings)
    model.fit(torch.tensor(training.features), torch.tensor(training.labels))
    found = classes.unseen[model.scores(torch.tensor(data.features[data.test_unseen]), classes.unseen).argmax(1)]
    assert balanced_accuracy_score(data.labels[data.test_unseen], found) > 0.7  # chance is 0.1
