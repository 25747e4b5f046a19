"""What a report says beyond the run folder: it asks the final model about the data again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import TestSets, ZeroShotDataset
from ..errors import DataWarning, InputError
from ..evaluation.metrics import Decisions, decide, seen_unseen_curve
from ..generators import Sampler
from ..model import ZeroShotModel
from ..runs import RunConfig
from ..seeds import generator
from .facts import Facts, Interval, percentiles

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Generated", "Probe", "ausuc_interval", "check_given", "embed", "load_data", "probe"]

CURVE_RESAMPLES = 300
SAMPLES, ALL_SAMPLES = 100, 20_000
"""Features generated a class, and altogether, at most."""
POINTS = 1_500
"""Real and generated features on a map, together."""
MOST_CLASSES = 1_000
"""So many unseen classes or fewer are all generated; of more, so many are taken, evenly spread."""


@dataclass(frozen=True, eq=False)
class Generated:
    """Real and generated features of the unseen classes.

    Attributes:
        real: test features.
        real_labels: their class ids.
        features: generated ones.
        labels: their class ids.
    """

    real: Float[np.ndarray, "n d"]
    real_labels: Int[np.ndarray, " n"]
    features: Float[np.ndarray, "m d"]
    labels: Int[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Probe:
    """What the final model says of the test samples.

    Attributes:
        dataset: the data.
        model: the final model.
        labels: ``(n,)`` class ids of the test samples, seen ones first.
        features: ``(n, D)``, as they lie in the data.
        predicted: ``(n,)`` decisions at the calibration constant.
        confidence: ``(n,)`` softmax of the calibrated scores at the decision, 0 to 1.
        ausuc: 95 % interval of AUSUC; None where a test set is empty.
        generated: None for a model that generates nothing.
    """

    dataset: ZeroShotDataset
    model: ZeroShotModel
    labels: Int[np.ndarray, " n"]
    features: Float[np.ndarray, "n d"]
    predicted: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    ausuc: Interval | None
    generated: Generated | None

    def decided_otherwise(self, confusions: Int[np.ndarray, "m 3"]) -> int:
        """How many decisions are not those that a table of true class, decided class and count holds."""
        k = len(self.dataset.class_names)
        places, often = np.unique(self.labels * k + self.predicted, return_counts=True)
        before = {int(true) * k + int(decided): int(count) for true, decided, count in confusions}
        now = dict(zip(places.tolist(), often.tolist(), strict=True))
        return sum(abs(now.get(place, 0) - before.get(place, 0)) for place in now.keys() | before.keys()) // 2


def load_data(config: RunConfig, root: str | None) -> ZeroShotDataset:
    """The data of a run, from ``root`` or where they were.

    Raises:
        InputError: if they are not there, or are others than those that the run was made on.
    """
    source = replace(config.data, root=str(Path(root).absolute())) if root else config.data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the page tells them, and the run has
        return source.load()


def check_given(config: RunConfig, dataset: ZeroShotDataset) -> None:
    """Refuse data that a run was not made on.

    Raises:
        InputError: if they are others.
    """
    if config.data.fingerprint and dataset.fingerprint() != config.data.fingerprint:
        raise InputError(
            f"The data set {dataset.name} that was given is not the one that the run was made on: the fingerprints "
            "differ."
        )


def probe(facts: Facts, dataset: ZeroShotDataset) -> Probe:
    """Let the final model of a run decide the test samples again, and generate.

    Raises:
        InputError: if the model does not fit the data.
    """
    model = facts.model
    if model.class_names != dataset.class_names:
        raise InputError(f"The classes of {dataset.name} are not those of the model.")
    tests = dataset.tests()
    of_seen, of_unseen = (
        decide(model, x, labels, dataset.seen, dataset.unseen, to_tensor=model.tensor)
        for x, labels in ((tests.seen_features, tests.seen_labels), (tests.unseen_features, tests.unseen_labels))
    )
    features = np.concatenate([tests.seen_features[:], tests.unseen_features[:]])
    predicted = np.concatenate([of_seen.predict(model.constant), of_unseen.predict(model.constant)])
    can_generate = isinstance(model.generator, Sampler) and len(tests.unseen_labels)
    return Probe(
        dataset,
        model,
        np.concatenate([tests.seen_labels, tests.unseen_labels]),
        features,
        predicted,
        model.top_k(features, 1)[1][:, 0],
        ausuc_interval(of_seen, of_unseen) if len(facts.curve.constants) else None,
        generate(model, tests, facts.config.settings.seed) if can_generate else None,
    )


def ausuc_interval(of_seen: Decisions, of_unseen: Decisions, resamples: int = CURVE_RESAMPLES) -> Interval:
    """95 % percentile interval of AUSUC over test samples, resampled within each class, with a fixed seed."""
    rng = np.random.default_rng(0)

    def resampled(decisions: Decisions) -> Decisions:
        order = np.argsort(decisions.labels, kind="stable")
        _, start, count = np.unique(decisions.labels[order], return_index=True, return_counts=True)
        rows = order[np.repeat(start, count) + rng.integers(np.repeat(count, count))]
        fields = ("labels", "seen", "unseen", "margin", "only_unseen")
        return Decisions(*(getattr(decisions, name)[rows] for name in fields))

    areas = [seen_unseen_curve(resampled(of_seen), resampled(of_unseen)).area for _ in range(resamples)]
    return percentiles(np.array(areas))


def generate(model: ZeroShotModel, tests: TestSets, seed: int) -> Generated | None:
    """Features of the unseen classes beside the real ones; None where the model generates what is not finite."""
    classes = np.unique(tests.unseen_labels)
    if len(classes) > MOST_CLASSES:
        classes = classes[np.linspace(0, len(classes) - 1, MOST_CLASSES).round().astype(int)]
    rows = np.flatnonzero(np.isin(tests.unseen_labels, classes))
    labels = np.repeat(classes, max(2, min(SAMPLES, ALL_SAMPLES // len(classes))))
    rng = generator(model.seen.device, seed, "report")
    features = np.concatenate([model.generate(part, rng=rng) for part in np.array_split(labels, len(classes))])
    if not np.isfinite(features).all():
        return None
    return Generated(tests.unseen_features[rows], tests.unseen_labels[rows], features, labels)


def embed(found: Generated, points: int = POINTS) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Real and generated features in two dimensions, the same samples by PCA and by t-SNE (van der Maaten 2008).

    Returns:
        ``(n, 2)`` by method; ``(n,)`` class ids; ``(n,)`` whether a point is real.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    rng = np.random.default_rng(0)
    classes = np.unique(found.labels)
    each = max(1, points // (2 * len(classes)))

    def pick(labels: np.ndarray) -> np.ndarray:
        rows = (rng.permutation(np.flatnonzero(labels == k))[:each] for k in classes)
        return np.concatenate(list(rows))[: points // 2]

    real, made = pick(found.real_labels), pick(found.labels)
    x = np.concatenate([found.real[real], found.features[made]]).astype(np.float64)
    labels = np.concatenate([found.real_labels[real], found.labels[made]])
    is_real = np.arange(len(x)) < len(real)
    x = PCA(min(50, *x.shape), random_state=0).fit_transform(x)
    maps = {"PCA": np.pad(x[:, :2], ((0, 0), (0, max(0, 2 - x.shape[1]))))}
    perplexity = min(30.0, (len(x) - 1) / 3)
    if perplexity > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # features that are all equal
            tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
            maps["t-SNE"] = tsne.fit_transform(x)
    return maps, labels, is_real
