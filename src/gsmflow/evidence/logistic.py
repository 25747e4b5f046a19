"""The rival that every user would try: logistic regression on all labelled pictures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .given import Given

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

__all__ = ["by_logistic_regression"]

MOST = 20
"""Training pictures of a class that are kept: more make it slow, and seen classes stronger than they have to be."""
ITERATIONS = 100


def by_logistic_regression(given: Given, C: float) -> Float[Tensor, "q k"]:
    """Scikit-learn's logistic regression on rows of length 1, each class counting the same; logits.

    Args:
        given: of each class the first 20 pictures are taken.
        C: the inverse of the penalty.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    few = first_of_each(given, MOST)
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what a hundred steps reach is near enough
        model.fit(F.normalize(given.x[few], dim=1).numpy(), given.labels[few].numpy())
    found = torch.from_numpy(model.decision_function(F.normalize(given.queries, dim=1).numpy())).double()
    if found.ndim == 1:  # of two classes it gives the logit of the second
        found = torch.stack([-found / 2, found / 2], 1)
    scores = found.new_full((len(found), given.classes), float(found.min()) - 1 if found.numel() else 0.0)
    scores[:, torch.from_numpy(model.classes_)] = found
    return scores


def first_of_each(given: Given, most: int) -> Bool[Tensor, " n"]:
    """Which labelled pictures are among the first ``most`` of their class."""
    order = given.labels.argsort(stable=True)
    starts = given.labels[order].new_zeros(given.classes)
    starts[1:] = torch.bincount(given.labels, minlength=given.classes).cumsum(0)[:-1]
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - starts[given.labels[order]]
    return place < most
