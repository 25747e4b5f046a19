"""The softmax recognizer on separable blobs, and the streams that feed it."""

import warnings
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import nn

from gsmflow.errors import InputError
from gsmflow.generators import Classes
from gsmflow.recognizers import build_recognizer, fit_softmax, softmax
from gsmflow.recognizers.softmax import Shuffled, Softmax, Synthesized
from gsmflow.seeds import generator
from gsmflow.settings import SoftmaxSettings

SEEN, UNSEEN = torch.tensor([0, 2, 3, 6]), torch.tensor([1, 4, 5])
DIM = 8
SETTINGS = SoftmaxSettings(samples=60, lr=0.05, epochs=8, batch=50)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Blobs:
    """A generator that knows the truth: a normal blob for each class; it keeps what it was asked for."""

    def __init__(self, spread: float = 0.7):
        self.centres = 2 * torch.randn(7, DIM, generator=seeded(0))
        self.spread = spread
        self.asked = []

    def sample(self, classes, *, rng):
        self.asked.append(classes)
        return self.centres[classes] + self.spread * torch.randn(len(classes), DIM, generator=rng)


class Numbers:
    """A generator whose every feature is another number."""

    def __init__(self):
        self.given = 0

    def sample(self, classes, *, rng):
        first, self.given = self.given, self.given + len(classes)
        return torch.arange(first, self.given, dtype=torch.float32)[:, None].expand(-1, DIM)


@pytest.fixture
def classes() -> Classes:
    return Classes(torch.randn(7, 3), SEEN, UNSEEN)


@pytest.fixture
def real() -> tuple[torch.Tensor, torch.Tensor]:
    labels = SEEN.repeat_interleave(40)
    return Blobs().sample(labels, rng=seeded(1)), labels


def fit(blobs, real, classes, settings=SETTINGS, seed=0) -> Softmax:
    *_, recognizer = fit_softmax(blobs, *real, classes, settings, seed=seed)
    return recognizer


def accuracy(scores: torch.Tensor, labels: torch.Tensor) -> float:
    return (scores.argmax(1) == labels).double().mean().item()


def test_learns_separable_blobs_as_well_as_logistic_regression(real, classes):
    blobs = Blobs()
    recognizer = fit(blobs, real, classes)
    labels = torch.arange(7).repeat_interleave(100)
    x = blobs.sample(labels, rng=seeded(2))
    synthesized = UNSEEN.repeat_interleave(60)
    fake = blobs.sample(synthesized, rng=seeded(3))

    oracle = LogisticRegression(max_iter=500).fit(torch.cat([real[0], fake]), torch.cat([real[1], synthesized]))
    assert accuracy(recognizer.scores(x), labels) > max(0.9, oracle.score(x, labels) - 0.02)

    among = torch.isin(labels, UNSEEN)
    oracle = LogisticRegression(max_iter=500).fit(fake, synthesized)
    places = torch.searchsorted(UNSEEN, labels[among])
    assert accuracy(recognizer.unseen_scores(x[among]), places) > oracle.score(x[among], labels[among]) - 0.02
    assert recognizer.scores(x).shape == (700, 7)
    assert recognizer.unseen_scores(x).shape == (700, 3)
    assert not recognizer.scores(x).requires_grad
    assert not recognizer.unseen_scores(x).requires_grad


def test_only_unseen_classes_are_synthesized_and_once(real, classes):
    blobs = Blobs()
    fit(blobs, real, classes)
    assert Counter(torch.cat(blobs.asked).tolist()) == {1: 60, 4: 60, 5: 60}


def test_yields_after_each_epoch(real, classes):
    weights = [r.all.weight.clone() for r in fit_softmax(Blobs(), *real, classes, SETTINGS, seed=0)]
    assert len(weights) == SETTINGS.epochs
    assert all(not torch.equal(a, b) for a, b in pairwise(weights))


def test_same_seed_same_recognizer(real, classes):
    first, again, other = (fit(Blobs(), real, classes, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_starts_at_xavier_weights_and_no_bias(real, classes):
    wide = torch.randn(50, 512, generator=seeded(0)), SEEN.repeat(13)[:50]
    blobs = Blobs()
    blobs.centres = torch.randn(7, 512)
    blobs.sample = lambda ids, *, rng: blobs.centres[ids]
    still = SoftmaxSettings(samples=5, lr=0.0, epochs=1, batch=50)
    recognizer = fit(blobs, wide, classes, still)
    for layer, outputs in ((recognizer.all, 7), (recognizer.only_unseen, 3)):
        assert layer.weight.std().item() == pytest.approx((2 / (512 + outputs)) ** 0.5, rel=0.1)
        assert not layer.bias.any()


def test_steps_are_those_of_adam_on_both_cross_entropies(real, classes):
    """With all features in one batch, a step does not depend on their order."""
    (x, y), lr, steps = real, 0.05, 12
    fake_y = UNSEEN.repeat_interleave(60)
    fake_x = Blobs().sample(fake_y, rng=generator("cpu", 0, "synthesized"))
    among_all, among_unseen = nn.Linear(DIM, 7), nn.Linear(DIM, 3)
    weights_rng = generator("cpu", 0, "weights")
    for layer in (among_all, among_unseen):
        nn.init.xavier_normal_(layer.weight, generator=weights_rng)
        nn.init.zeros_(layer.bias)
    adam = torch.optim.Adam([*among_all.parameters(), *among_unseen.parameters()], lr=lr, betas=(0.5, 0.999))
    for _ in range(steps):
        adam.zero_grad()
        F.cross_entropy(among_all(torch.cat([x, fake_x])), torch.cat([y, fake_y])).backward()
        F.cross_entropy(among_unseen(fake_x), torch.arange(3).repeat_interleave(60)).backward()
        adam.step()

    whole = SoftmaxSettings(samples=60, lr=lr, epochs=steps, batch=340)
    found = fit(Blobs(), real, classes, whole)
    for ours, theirs in ((found.all, among_all), (found.only_unseen, among_unseen)):
        torch.testing.assert_close(ours.weight, theirs.weight, rtol=0, atol=1e-4)
        torch.testing.assert_close(ours.bias, theirs.bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("samples", "batch"), [(60, 50), (3, 32), (500, 64), (60, 10_000), (1, 7)])
def test_batches_hold_real_and_synthesized_in_the_proportion_of_their_numbers(
    samples, batch, real, classes, monkeypatch
):
    seen_in_batch, unseen_in_batch, local = [], [], []
    original = F.cross_entropy

    def spy(logits, labels):
        if logits.shape[1] == 7:
            seen_in_batch.append(torch.isin(labels, SEEN).sum().item())
            unseen_in_batch.append(labels[torch.isin(labels, UNSEEN)])
        else:
            local.append(UNSEEN[labels])
        return original(logits, labels)

    monkeypatch.setattr(softmax.F, "cross_entropy", spy)
    epochs = 3
    fit(Blobs(), real, classes, SoftmaxSettings(samples=samples, epochs=epochs, batch=batch))
    total = 160 + 3 * samples
    batch = min(batch, total)
    assert len(seen_in_batch) == epochs * -(-total // batch)
    for number, fakes in zip(seen_in_batch, unseen_in_batch, strict=True):
        assert number + len(fakes) == batch
        assert len(fakes) > 0
        assert abs(number - batch * 160 / total) <= 1
    assert abs(sum(seen_in_batch) / len(seen_in_batch) - batch * 160 / total) < 1
    assert all(torch.equal(a, b) for a, b in zip(unseen_in_batch, local, strict=True))


def test_every_pass_of_a_shuffled_set_is_a_new_permutation():
    x = torch.arange(12.0)[:, None]
    stream = Shuffled(x, 100 + torch.arange(12), seeded(0))
    parts = [stream.take(count) for count in (5, 4, 5, 10, 24)]
    rows, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    assert torch.equal(labels, 100 + rows[:, 0].long())
    passes = rows[:, 0].reshape(4, 12)
    assert torch.equal(passes.sort(dim=1).values, x[:, 0].expand(4, 12))
    assert len({tuple(order.tolist()) for order in passes}) == 4
    assert [len(part) for part in stream.take(0)] == [0, 0]


@pytest.mark.parametrize("samples", [1, 10, 11, 1000])
def test_pool_stays_within_its_bytes(samples):
    pool_bytes = 10 * 3 * DIM * 4  # ten features a class
    stream = Synthesized(Numbers(), UNSEEN, samples, DIM, seeded(0), passes=2, pool_bytes=pool_bytes)
    rows = 3 * stream.block_samples
    for _ in range(40):
        x, labels = stream.take(6)
        assert x.shape == (6, DIM)
        assert len(labels) == 6
        assert stream.block.x.nbytes <= pool_bytes
        assert Counter(stream.block.labels.tolist()) == dict.fromkeys(UNSEEN.tolist(), rows // 3)
    assert stream.generator.given == (rows if samples <= 10 else rows * -(-40 * 6 // (2 * rows)))


@pytest.mark.parametrize("passes", [1, 3])
def test_each_feature_is_met_as_often_as_there_are_passes(passes):
    stream = Synthesized(Numbers(), UNSEEN, 40, DIM, seeded(0), passes=passes, pool_bytes=10 * 3 * DIM * 4)
    assert stream.block_samples == 10
    met = Counter()
    for _ in range(4 * 30 * passes // 5):
        met.update(stream.take(5)[0][:, 0].tolist())
    assert met == dict.fromkeys(range(4 * 30), passes)


def test_features_that_fit_are_synthesized_once_and_met_evenly_without_end():
    stream = Synthesized(Numbers(), UNSEEN, 10, DIM, seeded(0), passes=1, pool_bytes=10 * 3 * DIM * 4)
    met = Counter()
    for _ in range(7 * 30 // 5):
        met.update(stream.take(5)[0][:, 0].tolist())
    assert met == dict.fromkeys(range(30), 7)


def test_synthesis_in_chunks_keeps_features_with_their_labels():
    stream = Synthesized(Blobs(spread=0.0), UNSEEN, 10, DIM, seeded(0))
    x, labels = stream.synthesize(chunk=7)
    assert [len(part) for part in stream.generator.asked] == [7, 7, 7, 7, 2]
    assert torch.equal(x, stream.generator.centres[labels])


def test_learns_from_block_after_block(real, classes):
    blobs = Blobs()
    recognizer = fit(blobs, real, classes, replace(SETTINGS, pool_mb=15 * 3 * DIM * 4 / 2**20))
    assert 4 * 45 <= sum(map(len, blobs.asked)) <= 5 * 45, "a block of 45 is met in every epoch before it goes"
    labels = torch.arange(7).repeat_interleave(100)
    assert accuracy(recognizer.scores(blobs.sample(labels, rng=seeded(2))), labels) > 0.9


def test_build_recognizer_makes_one_to_load_weights_into(real, classes):
    fitted = fit(Blobs(), real, classes)
    empty = build_recognizer("softmax", DIM, classes, nn.Identity())
    empty.load_state_dict(fitted.state_dict())
    assert torch.equal(empty.scores(real[0]), fitted.scores(real[0]))


def test_a_block_is_dropped_before_the_next_one_is_made():
    class Watching(Numbers):
        def sample(self, classes, *, rng):
            assert stream.block is None
            return super().sample(classes, rng=rng)

    stream = Synthesized(Watching(), UNSEEN, 40, DIM, seeded(0), passes=1, pool_bytes=10 * 3 * DIM * 4)
    for _ in range(12):
        stream.take(10)
    assert stream.generator.given > 30


@pytest.mark.parametrize("average", [0.1, 0.5, 0.9])
def test_averages_the_weights_of_the_last_steps(average, real, classes):
    """Batches that hold everything: an epoch is a step, and what is yielded without averaging are its weights."""
    settings = replace(SETTINGS, epochs=10, batch=340)
    weights = [r.all.weight.clone() for r in fit_softmax(Blobs(), *real, classes, settings, seed=0)]
    settings = replace(settings, average=average)
    found = [r.all.weight.clone() for r in fit_softmax(Blobs(), *real, classes, settings, seed=0)]
    begin = round(10 * (1 - average))
    for step in range(10):
        expected = torch.stack(weights[begin : step + 1]).mean(0) if step >= begin else weights[step]
        torch.testing.assert_close(found[step], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("distinct", "synthesized"), [(0, 60), (15, 15), (90, 60)])
def test_as_few_features_as_asked_are_synthesized_and_met_more_often(distinct, synthesized, real, classes):
    blobs = Blobs()
    found = list(fit_softmax(blobs, *real, classes, replace(SETTINGS, distinct=distinct), seed=0))
    assert len(found) == SETTINGS.epochs
    assert Counter(torch.cat(blobs.asked).tolist()) == dict.fromkeys(UNSEEN.tolist(), synthesized)


def test_starts_from_the_weights_given(real, classes):
    x, labels = real
    first = next(fit_softmax(Blobs(), x, labels, classes, SETTINGS, seed=0))
    weights = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    still = replace(SETTINGS, lr=1e-12, epochs=1)
    again = next(fit_softmax(Blobs(), x, labels, classes, still, seed=1, start=weights))
    for name, tensor in again.state_dict().items():
        torch.testing.assert_close(tensor, weights[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("average", [0.3, 1 - 1e-9])
def test_the_average_is_the_running_mean(average, real, classes):
    """To 1e-7 of the greatest weight: torch multiplies in another order than this loop."""
    settings = replace(SETTINGS, epochs=30, batch=340)
    weights = [r.all.weight.clone() for r in fit_softmax(Blobs(), *real, classes, settings, seed=0)]
    (*_, found) = fit_softmax(Blobs(), *real, classes, replace(settings, average=average), seed=0)
    first = 30 - round(average * 30)
    mean = weights[first].clone()
    for count, new in enumerate(weights[first:], 1):
        mean.lerp_(new, 1 / count)
    assert (found.all.weight - mean).abs().max() <= 1e-7 * mean.abs().max() * 3


def test_keeping_classes_drops_rows(real, classes):
    recognizer = fit(Blobs(), real, classes)
    x = real[0]
    among_all, among_unseen = recognizer.scores(x), recognizer.unseen_scores(x)
    kept = torch.tensor([0, 1, 3, 5, 6])
    recognizer.keep(kept, UNSEEN)
    torch.testing.assert_close(recognizer.scores(x), among_all[:, kept])
    torch.testing.assert_close(recognizer.unseen_scores(x), among_unseen[:, [0, 2]])
    loaded = Softmax(DIM, Classes(torch.randn(5, 3), torch.tensor([0, 2, 4]), torch.tensor([1, 3])))
    loaded.load_state_dict(recognizer.state_dict())
    assert torch.equal(loaded.scores(x), recognizer.scores(x))
    recognizer.keep(torch.tensor([0, 2]), torch.tensor([1, 3]))
    assert recognizer.unseen_scores(x).shape == (len(x), 0)


def test_a_softmax_cannot_be_extended(classes):
    recognizer = Softmax(DIM, classes)
    recognizer.extend(0)
    with pytest.raises(InputError, match="learnt a layer for 7 classes and must be fitted again for 9: train with"):
        recognizer.extend(2)


def test_without_unseen_classes_nothing_is_synthesized():
    """What is left is softmax regression on real features."""
    few = Classes(torch.randn(4, 3), torch.arange(4), torch.arange(0))
    blobs, labels = Blobs(), torch.arange(4).repeat_interleave(40)
    x = blobs.sample(labels, rng=seeded(1))
    blobs.asked.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recognizers = list(fit_softmax(blobs, x, labels, few, replace(SETTINGS, average=0.2), seed=0))
    assert len(recognizers) == SETTINGS.epochs
    assert blobs.asked == []
    assert accuracy(recognizers[-1].scores(x), labels) > 0.9
    assert recognizers[-1].unseen_scores(x).shape == (160, 0)

    adam_layer = nn.Linear(DIM, 4)
    nn.init.xavier_normal_(adam_layer.weight, generator=generator("cpu", 0, "weights"))
    nn.init.zeros_(adam_layer.bias)
    adam = torch.optim.Adam(adam_layer.parameters(), lr=0.05, betas=(0.5, 0.999))
    for _ in range(5):
        adam.zero_grad()
        F.cross_entropy(adam_layer(x), labels).backward()
        adam.step()
    whole = SoftmaxSettings(lr=0.05, epochs=5, batch=1000)
    *_, found = fit_softmax(blobs, x, labels, few, whole, seed=0)
    torch.testing.assert_close(found.all.weight, adam_layer.weight, rtol=0, atol=1e-5)
