"""The rivals: each finds what is clear, and says what its formula says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import multivariate_normal

import gsmflow
from gsmflow import InputError
from gsmflow.evidence import RIVALS, measure
from gsmflow.evidence.gaussian_baseline import by_gaussian_baseline
from gsmflow.evidence.given import Given, nearest
from gsmflow.evidence.logistic import first_of_each
from gsmflow.evidence.nearest import by_class_means, by_cosine, by_nearest_shots
from gsmflow.evidence.propagation import by_label_propagation
from gsmflow.evidence.transclip import by_transclip, moments

TEXTS = {"none": "none", "unlabelled": "unlabelled", "shots": "shots=3"}
CASES = [(name, TEXTS[kind]) for name, rival in RIVALS.items() for kind in rival.kinds]


@pytest.fixture
def given() -> Given:
    """Five classes in four dimensions, the last two unseen, with two shots each."""
    rng = torch.Generator().manual_seed(0)
    truth = 3 * torch.randn(5, 4, generator=rng)
    labels = torch.repeat_interleave(torch.arange(5), torch.tensor([6, 6, 6, 2, 2]))
    x = truth[labels] + 0.3 * torch.randn(len(labels), 4, generator=rng)
    queries = truth.repeat_interleave(4, 0) + 0.3 * torch.randn(20, 4, generator=rng)
    means = truth + 0.3 * torch.randn(5, 4, generator=rng)
    return Given(x, labels, queries, x.mean(0), means, torch.tensor([3, 4]), 5)


TRUTH = torch.arange(5).repeat_interleave(4)


@pytest.mark.parametrize(("name", "evidence"), CASES)
def test_each_finds_clear_classes(model, data, name, evidence):
    found = measure(model, data, evidence, name, repeats=2)
    least_t1, least_h = (80, 80) if "shots" in evidence else (50, 60)
    assert least_t1 < found.T1, found
    assert least_h < found.H, found
    assert found.method == name


@pytest.mark.parametrize("name", RIVALS)
def test_each_tells_few_queries_apart(given, name):
    trial = next(RIVALS[name].trials())
    scores = trial.scores(RIVALS[name], given)
    assert scores.shape == (20, 5)
    assert scores.isfinite().all()
    if name != "transclip":  # few pictures of the pile say more there than shots
        assert (scores.argmax(1) == TRUTH).float().mean() >= 0.9


def test_class_means_are_those_of_normal_densities(given):
    means = torch.stack([given.x[given.labels == k].mean(0) for k in range(5)]).double()
    rest = given.x.double() - means[given.labels]
    within = rest.T @ rest / (len(rest) - 5)
    shrunk = 0.7 * within + 0.3 * within.trace() / 4 * torch.eye(4)
    expected = np.stack(
        [multivariate_normal(mean.numpy(), shrunk.numpy()).logpdf(given.queries.double().numpy()) for mean in means], 1
    )
    scores = by_class_means(given, 0.3).numpy()
    assert np.allclose(scores - scores[:, :1], expected - expected[:, :1], atol=1e-3)


def test_the_gaussian_baseline_is_its_formula(given):
    x, q = (F.normalize(rows, dim=1).double() for rows in (given.x, given.queries))
    means = torch.stack([x[given.labels == k].mean(0) for k in range(5)])
    rest = x - means[given.labels]
    covariance = torch.from_numpy(np.cov(rest.numpy().T))
    inverse = 4 * torch.linalg.inv((len(x) - 1) * covariance + covariance.trace() * torch.eye(4))
    gaussian = q @ inverse @ means.T - 0.5 * (means @ inverse * means).sum(1)
    words = 100 * q @ F.normalize(given.predicted.double(), dim=1).T
    assert torch.allclose(by_gaussian_baseline(given, 0.1), words + 0.1 * gaussian)


def test_nearest_shots_asks_every_labelled_picture(given):
    found = by_nearest_shots(given)
    for row, query in enumerate(given.queries[:3]):
        for k in range(5):
            alike = F.cosine_similarity(query[None], given.x[given.labels == k])
            assert found[row, k] == pytest.approx(float(alike.max()), abs=1e-6)


def test_cosine_without_shots_is_that_to_the_predicted_mean(given):
    bare = replace(given, x=given.x[:18], labels=given.labels[:18])
    assert torch.allclose(by_cosine(bare, 1.0), by_cosine(bare, 5.0))
    one = F.cosine_similarity(given.queries[:1], given.predicted)
    assert torch.allclose(by_cosine(bare, 1.0)[0], one, atol=1e-6)


def test_cosine_averages_prediction_and_shots(given):
    mean = (2 * given.predicted[3] + given.x[given.labels == 3].sum(0)) / 4
    assert torch.allclose(by_cosine(given, 2.0)[:, 3], F.cosine_similarity(given.queries, mean[None]), atol=1e-6)


def test_label_propagation_starts_from_predicted_means_where_there_are_no_shots(given):
    bare = replace(given, x=given.x[:18], labels=given.labels[:18])
    assert (by_label_propagation(bare, 0.5).argmax(1) == TRUTH).float().mean() >= 0.9


def test_variances_of_transclip_are_weighted_squares(given):
    z = torch.rand(20, 5)
    expected = sum(z[:, k] @ (given.queries - given.predicted[k]).square() for k in range(5))
    assert torch.allclose(moments(given.queries, z, given.predicted), expected, rtol=1e-4)


def test_neighbours_of_transclip_are_the_three_most_similar(given):
    q = F.normalize(given.queries, dim=1)
    dense = nearest(q, q, itself=True).to_dense()
    alike = (q @ q.T).fill_diagonal_(-1)
    assert (dense.count_nonzero(1) == 3).all()
    assert torch.allclose(dense.sum(1), alike.topk(3).values.sum(1))


def test_the_words_of_transclip_count_where_it_starts(given):
    """Predicted means that are exchanged exchange what unlabelled pictures are taken for."""
    bare = replace(given, x=given.x[:18], labels=given.labels[:18])
    swapped = replace(bare, means=bare.predicted[[0, 1, 2, 4, 3]])
    usual, other = (by_transclip(one, 0.02, 30.0).argmax(1) for one in (bare, swapped))
    assert (usual == TRUTH).float().mean() >= 0.9
    assert (other[12:] == TRUTH[12:].flip(0)).float().mean() >= 0.9


def test_logistic_regression_takes_the_first_of_each_class(given):
    assert first_of_each(given, 3).tolist() == [True] * 3 + [False] * 3 + ([True] * 3 + [False] * 3) * 2 + [True] * 4


@pytest.mark.parametrize(
    ("name", "evidence"), [("class-means", "unlabelled"), ("logistic", "none"), ("cosine", "unlabelled")]
)
def test_what_has_no_use_for_the_evidence_says_so(model, data, name, evidence):
    with pytest.raises(InputError, match=f"{name!r} has no use for the evidence {evidence}"):
        measure(model, data, evidence, name)


def test_an_unknown_rival_is_refused(model, data):
    with pytest.raises(InputError, match="There is no rival 'tip'; method= takes one of class-means, "):
        measure(model, data, "shots=1", "tip")


@pytest.mark.parametrize(("name", "evidence"), CASES)
def test_without_predicted_means_those_that_need_none_go_on(data, scorer, name, evidence):
    if evidence.split("=")[0] in RIVALS[name].means_for:
        with pytest.raises(InputError, match="the model predicts none"):
            measure(scorer, data, evidence, name, repeats=1)
    else:
        assert measure(scorer, data, evidence, name, repeats=1).T1 > 60


@pytest.fixture(scope="session")
def scorer(data) -> gsmflow.ZeroShotModel:
    return gsmflow.train(data, "eszsl", seed=0, threads=1).model
