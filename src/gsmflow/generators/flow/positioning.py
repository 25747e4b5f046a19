"""Relative positioning: class semantics seen from three anchor classes."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["RelativePositioning", "find_anchors"]


def find_anchors(semantics: Float[Tensor, "k s"]) -> list[int]:
    """The rows of least, greatest and median similarity to all others (GSMFlow, section 3.3).

    With s_k the sum of the cosine similarities of class k to all classes given: the classes of least, greatest and
    median s_k, the median being place ``k // 2`` of the sorted sums.

    >>> find_anchors(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    [2, 1, 0]
    """
    unit = F.normalize(semantics.double(), dim=1)
    order = (unit @ unit.sum(0)).argsort(stable=True).tolist()
    return [order[0], order[-1], order[len(order) // 2]]


class RelativePositioning(nn.Module):
    r"""Global position of a class: :math:`g = \sum_i ReLU(W_i (a - anchor_i) + b_i)` (GSMFlow, equation 3).

    Args:
        anchors: ``(3, s)``, the semantics of the anchor classes.
        dim: dimension of g.
    """

    anchors: Tensor

    def __init__(self, anchors: Float[Tensor, "a s"], dim: int = 1024):
        super().__init__()
        self.register_buffer("anchors", anchors.clone())
        self.responses = nn.ModuleList(nn.Linear(anchors.shape[1], dim) for _ in anchors)

    def forward(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k g"]:
        """Map class semantics to positions."""
        pairs = zip(self.responses, self.anchors, strict=True)
        return reduce(torch.add, (F.relu(response(semantics - anchor)) for response, anchor in pairs))

    def extra_repr(self) -> str:
        """The number of anchors and the dimension of their semantics."""
        return "anchors={}, semantic_dim={}".format(*self.anchors.shape)
