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
    *(
        "top",
        "upper right",
        "lower right",
        "bottom",
        "lower left",
        "upper left",
        "middle",
    ),  # seven segments, a to g
    "closed loop above",
    "closed loop below",
    "one loop over the whole height",
    "arc open to the left above",
    "arc open to the left below",
    "arc open to the right above",
    "upright stem",
    "slanted stroke",
    "straight bar on top",
    "straight bar below",
)

STROKES = np.array(
    [  # a  b  c  d  e  f  g   loops    arcs     stem slant bars
        [1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],  # 0
        [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],  # 1
        [1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1],  # 2
        [1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],  # 3
        [0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0],  # 4
        [1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0],  # 5
        [1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],  # 6
        [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0],  # 7
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],  # 8
        [1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0],  # 9
    ],
    dtype=np.float32,
)
"""``(10, 17)``: which strokes make each digit; written down from how digits are written, before any training."""


def digits() -> ZeroShotDataset:
    """Load the handwritten digits: 64 pixel features, 17 stroke attributes, 8 seen and 2 unseen classes."""
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
    )
