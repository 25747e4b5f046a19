"""A problem whose classes are told by words: features are a linear map of what a tiny encoder says of each."""

from itertools import product
from pathlib import Path

import numpy as np

import gsmflow
from gsmflow.data import Provenance, ZeroShotDataset
from gsmflow.encoders.texts import describe_classes, load_text_encoder

NAMES = [
    " ".join(words) for words in product(["small", "red", "the"], ["bird", "horse", "eagle"], ["head", "body", "of"])
]
LATER = "hippogriff"
SAID = "the head of an eagle"
ATTRIBUTES = ("wings", "legs", "size")


def features_of(semantics: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many samples of a class."""
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(len(semantics), 24))
    noise = np.random.default_rng(seed).normal(size=(count, 24))
    return (semantics @ mixing + 0.05 * noise).astype(np.float32)


def train(tower: Path, parts: tuple[str, ...]) -> gsmflow.ZeroShotModel:
    """A model whose semantics are made of words, of attributes, or of both."""
    encoder = load_text_encoder(tower, device="cpu", template="a photo of {}")
    columns = {
        "attributes": np.random.default_rng(3).normal(size=(len(NAMES), 3)).astype(np.float32),
        "text": describe_classes(encoder, [[name] for name in NAMES]),
    }
    semantics = np.concatenate([columns[part] for part in parts], 1)
    features = np.concatenate([features_of(row, 8, seed) for seed, row in enumerate(semantics)])
    labels = np.repeat(np.arange(len(NAMES)), 8)
    data = ZeroShotDataset(
        "words",
        features,
        labels,
        semantics,
        tuple(NAMES),
        np.flatnonzero(labels < 24),
        test_unseen=np.flatnonzero(labels >= 24),
        provenance=Provenance(text_encoder=encoder.record if "text" in parts else None),
        semantic_names=(*ATTRIBUTES, *("text",) * (semantics.shape[1] - 3)) if "attributes" in parts else (),
        semantic_parts=tuple((part, columns[part].shape[1]) for part in parts) if len(parts) > 1 else (),
    )
    return gsmflow.train(data, "prototype", seed=0, threads=1).model
