"""Label propagation over a graph of nearest neighbours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .given import Given

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["by_label_propagation"]

NEIGHBOURS = 7
ITERATIONS = 30


def by_label_propagation(given: Given, alpha: float) -> Float[Tensor, "q k"]:
    """Scikit-learn's `LabelSpreading` (Zhou et al. 2004) over labelled pictures and queries; log-shares.

    Rows of length 1 are joined to their seven nearest. In the end classes are weighted to have the same mass (Zhu,
    Ghahramani, Lafferty 2003), as training pictures outnumber the shots. Where an unseen class has no labelled picture,
    its predicted mean is one.

    Args:
        given: what is known.
        alpha: share of the neighbours' labels that a picture takes up.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.semi_supervised import LabelSpreading

    x, labels = given.x, given.labels
    bare = given.unseen[given.counts[given.unseen] == 0]
    if len(bare) and given.means is not None:
        x, labels = torch.cat([x, given.means[bare]]), torch.cat([labels, bare])
    rows = F.normalize(torch.cat([x, given.queries]), dim=1)
    unknown = labels.new_full((len(given.queries),), -1)
    kernel: Any = joined  # a function is taken too, which its annotations do not say
    model = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # a part of the graph that holds no label has shares of 0 / 0
        warnings.simplefilter("ignore", RuntimeWarning)
        model.fit(rows.numpy(), torch.cat([labels, unknown]).numpy())
    shares = torch.from_numpy(model.label_distributions_[len(x) :]).double().nan_to_num(0.0)
    scores = shares.new_full((len(shares), given.classes), 1e-12)
    scores[:, torch.from_numpy(model.classes_)] = shares.clamp(min=1e-12)
    return scores.log() - scores.mean(0).log()


def joined(rows: Float[np.ndarray, "n p"], _: Float[np.ndarray, "n p"]) -> Any:
    """The sparse graph, 1 where two rows are joined.

    It is symmetric: scikit-learn's own would let a predicted mean reach only pictures that have it among their nearest,
    which are none where their like are many.
    """
    from sklearn.neighbors import kneighbors_graph

    graph = kneighbors_graph(rows, min(NEIGHBOURS, len(rows) - 1), mode="connectivity")
    return graph.maximum(graph.T).tocsr()
