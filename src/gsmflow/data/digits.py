"""The embedded data set: 1,797 real handwritten digits, described by their strokes.

Images: scikit-learn's copy of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998), 8 x 8
pixels of 0 to 16. Unseen are 3 and 6. A fifth of the seen digits' images, stratified, is test_seen. No download.
"""

from __future__ import annotations

import numpy as np

from .dataset import Provenance, ZeroShotDataset

__all__ = ["ATTRIBUTES", "STROKES", "digits"]

UNSEEN = (3, 6)

ATTRIBUTES = (
    "closed loop above",
    "closed loop below",
    "one loop over the whole height",
    "arc open to the left above",
    "arc open to the left below",
    "arc open to the right above",
    "upright stem",
    "slanted stroke",
    "bar on top",
    "bar below",
    "bar across",
    *(f"segment {name}" for name in "abcdefg"),
)

STROKES = np.array(
    [  # loops    arcs     stem slant bars        segments a to g
        [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, *(1, 1, 1, 1, 1, 1, 0)],  # 0
        [0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, *(0, 1, 1, 0, 0, 0, 0)],  # 1
        [0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0, *(1, 1, 0, 1, 1, 0, 1)],  # 2
        [0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, *(1, 1, 1, 1, 0, 0, 1)],  # 3
        [0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 2, *(0, 1, 1, 0, 0, 1, 1)],  # 4
        [0, 0, 0, 0, 2, 2, 0, 0, 2, 0, 0, *(1, 0, 1, 1, 0, 1, 1)],  # 5
        [0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, *(1, 0, 1, 1, 1, 1, 1)],  # 6
        [0, 0, 0, 1, 0, 0, 1, 2, 2, 0, 1, *(1, 1, 1, 0, 0, 0, 0)],  # 7
        [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, *(1, 1, 1, 1, 1, 1, 1)],  # 8
        [2, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, *(1, 1, 1, 1, 0, 1, 1)],  # 9
    ],
    dtype=np.float32,
) / np.float32(2)
"""``(10, 18)``: what makes each digit. A stroke is there (1), there in part or in some hands (0.5), or not; a segment
of the seven-segment display, which handwriting follows only loosely, counts half. The choice of strokes and the
weight of the segments were made on the eight seen digits alone, by leaving pairs of them out."""


def digits() -> ZeroShotDataset:
    """Load the handwritten digits: 64 pixel features, 18 stroke and segment attributes, 8 seen and 2 unseen classes.

    Returns:
        features ``(1797, 64)``, semantics ``(10, 18)`` with ``semantic_names`` `ATTRIBUTES`.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    is_unseen = np.isin(labels, UNSEEN)
    seen = np.flatnonzero(~is_unseen)
    trainval, test_seen = train_test_split(seen, test_size=0.2, stratify=labels[seen], random_state=0)
    return ZeroShotDataset(
        "digits",
        pixels.astype(np.float32),
        labels.astype(np.int64),
        STROKES.copy(),
        tuple("0123456789"),
        np.sort(trainval),
        np.sort(test_seen),
        np.flatnonzero(is_unseen),
        Provenance("digits", "pixels", "strokes"),
        semantic_names=ATTRIBUTES,
    )
