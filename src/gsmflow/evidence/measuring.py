"""What a model, or a rival with the same information, reaches with some evidence."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..data import ZeroShotDataset
from ..data.rows import take
from ..errors import DataWarning, InputError
from ..evaluation.metrics import Metrics
from ..experiment import evaluate
from ..model import ZeroShotModel
from .draws import check_enough, draw_shots
from .given import Rival
from .kinds import Evidence, parse
from .record import EvidenceRecord
from .rivalry import choose, reached, sides
from .rivals import rival_named

__all__ = ["measure"]

REPEATS = 5


def measure(
    model: ZeroShotModel,
    dataset: ZeroShotDataset,
    evidence: Evidence | str,
    method: str | None = None,
    *,
    seed: int = 0,
    repeats: int = REPEATS,
) -> EvidenceRecord:
    """Measure a model, or a rival in its place, on the tests of a data set with some evidence.

    ``unlabelled``: the pile is test_seen and test_unseen mixed, membership not told, and is what is tested.
    ``shots=N``: N pictures of each unseen class are taken out of test_unseen, and not tested; which ones depends on
    seed and repeat alone, so that all methods see the same.

    Args:
        model: trained on the data set; it is not changed.
        dataset: with both tests.
        evidence: or its text.
        method: a name in `RIVALS`; None: the model itself.
        seed: of the draws.
        repeats: draws of the shots; where nothing is drawn there is one.

    Raises:
        InputError: if there is no such evidence or rival, the two do not fit, a test is empty, there are too few
            pictures (beginning with ``too few``), or the model was selected on test, was shown something before, or
            cannot learn or adapt.

    Example:
        >>> import gsmflow
        >>> data = gsmflow.load("digits")
        >>> model = gsmflow.train(data, "gaussian").model
        >>> found = measure(model, data, "shots=2", "class-means", repeats=2)
        >>> found.repeats, found.T1 > 60
        (2, True)
    """
    asked = parse(evidence) if isinstance(evidence, str) else evidence
    if not isinstance(repeats, int) or repeats < 1:
        raise InputError(f"repeats= must be at least 1; found {repeats!r}.")
    rival = None if method is None else rival_named(method, asked)
    check_tests(model, dataset, asked)
    times = repeats if asked.kind == "shots" else 1
    if rival:
        return of_rival(str(method), rival, model, dataset, asked, seed, times)
    return of_model(model, dataset, asked, seed, times)


def check_tests(model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence) -> None:
    """Refuse what cannot be measured.

    Raises:
        InputError: if the model was shown something before, a test is empty or too small, or chose the model.
    """
    if model.evidence:
        raise InputError(
            f"The model was shown {', '.join(piece.id for piece in model.evidence)} already, which would count as "
            f"{evidence}: give it as it was trained, or let it forget them."
        )
    if evidence.kind == "none":
        return
    for name in ("test_seen", "test_unseen"):
        if not len(getattr(dataset, name)):
            raise InputError(
                f"The evidence {evidence} is measured on both tests, and {name} of {dataset.name} is empty: give "
                "a data set that has both."
            )
    if model.about.protocol == "published":
        raise InputError(
            "The model was selected on test (protocol published), and is measured without evidence alone: train it by "
            f"the protocol validated to measure {evidence}."
        )
    if evidence.kind == "shots":
        check_enough(dataset, evidence.shots)


def of_rival(
    name: str, rival: Rival, model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence, seed: int, times: int
) -> EvidenceRecord:
    """What a rival reaches; its constants are chosen on folds."""
    start = time.perf_counter()
    whole, folds = sides(model, dataset)
    settled = choose(rival, folds, evidence, seed=seed)
    once = time.perf_counter() - start
    found = [reached(rival, settled, whole, evidence, seed=seed, repeat=repeat) for repeat in range(times)]
    each = (time.perf_counter() - start - once) / times
    words = [f"{settled.trial}, calibration constant {settled.constant:.4g}, chosen on pseudo-unseen classes"]
    if evidence.kind == "shots" and rival.sees_queries:
        words.append("it sees all test pictures at once beside the shots")
    return EvidenceRecord.of(
        found,
        method=name,
        evidence=evidence,
        seconds=round(once + each, 2),
        sentence="; ".join(words),
        sees_pile=rival.sees_queries,
    )


def of_model(
    model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence, seed: int, times: int
) -> EvidenceRecord:
    """What copies of the model reach that learnt or adapted."""
    measure_once = MEASURES[evidence.kind]
    start = time.perf_counter()
    found = [measure_once(copy.deepcopy(model), dataset, evidence, seed, repeat) for repeat in range(times)]
    sentences = dict.fromkeys(sentence for _, sentence in found if sentence)
    return EvidenceRecord.of(
        [metrics for metrics, _ in found],
        method=model.settings.generator,
        evidence=evidence,
        seconds=round((time.perf_counter() - start) / times, 2),
        sentence=" ".join(sentences),
        sees_pile=evidence.kind == "unlabelled",
    )


def as_it_is(
    model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence, seed: int, repeat: int
) -> tuple[Metrics, str]:
    """The model without any evidence."""
    return evaluate(model, dataset), ""


def adapted(
    model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence, seed: int, repeat: int
) -> tuple[Metrics, str]:
    """The model adapted to both tests, mixed; with what it says of it where it declined."""
    rows = np.random.default_rng([seed, repeat]).permutation(np.concatenate([dataset.test_seen, dataset.test_unseen]))
    told = model.adapt(np.asarray(take(dataset.features, rows)))
    return evaluate(model, dataset), "" if told.believed else told.sentence


def taught(
    model: ZeroShotModel, dataset: ZeroShotDataset, evidence: Evidence, seed: int, repeat: int
) -> tuple[Metrics, str]:
    """The model that learnt the shots, measured on the rest."""
    labels = dataset.labels[dataset.test_unseen]
    taken = draw_shots(labels, evidence.shots, seed=seed, repeat=repeat)
    shots = np.asarray(take(dataset.features, dataset.test_unseen[taken]))
    model.learn(shots, [dataset.class_names[k] for k in labels[taken]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of the whole, it was told when it was loaded
        rest = replace(dataset, test_unseen=dataset.test_unseen[~taken])
    return evaluate(model, rest), ""


Measure = Callable[[ZeroShotModel, ZeroShotDataset, Evidence, int, int], tuple[Metrics, str]]
MEASURES: dict[str, Measure] = {"none": as_it_is, "unlabelled": adapted, "shots": taught}
