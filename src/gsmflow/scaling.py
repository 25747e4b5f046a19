"""Scaling of features, fitted on the training samples."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .streams import Stream, chunks

__all__ = ["Kind", "Scaling"]

Kind = Literal["minmax", "none", "l2", "sqrt-l2"]


class Scaling(nn.Module):
    """An affine map of each dimension, (x - offset) / width, or a map of whole rows to length 1.

    ``minmax`` maps each dimension to [0, 1], ``none`` leaves all as it is, ``l2`` divides each row by its length, and
    ``sqrt-l2`` takes signed square roots first (the Hellinger map: large entries, as ReLU features and histograms have
    them, count for less).

    Args:
        dim: dimension of the features.
        kind: which map.
    """

    offset: Tensor
    width: Tensor

    def __init__(self, dim: int, kind: Kind = "none"):
        super().__init__()
        self.kind = kind
        self.register_buffer("offset", torch.zeros(dim))
        self.register_buffer("width", torch.ones(dim))

    @classmethod
    def fit(cls, x: Tensor | Stream, kind: Kind) -> Scaling:
        """Measure the rows of ``x``: for ``minmax`` their least and greatest entries, else their mean length."""
        scaling = cls(x.shape[1], kind).to(x.device)
        if kind == "minmax":
            low = torch.stack([part.amin(0) for _, part in chunks(x)]).amin(0)
            high = torch.stack([part.amax(0) for _, part in chunks(x)]).amax(0)
            scaling.offset = low
            scaling.width = torch.where(high > low, high - low, 1.0)
        elif kind != "none":
            length = torch.stack([scaling.rooted(part).norm(dim=1).sum() for _, part in chunks(x)]).sum() / len(x)
            scaling.width = torch.where(length > 0, length, 1.0).expand(x.shape[1]).clone()
        return scaling

    def rooted(self, x: Tensor) -> Tensor:
        """Signed square roots, where the map takes them."""
        return x.sign() * x.abs().sqrt() if self.kind == "sqrt-l2" else x

    def forward(self, x: Tensor) -> Tensor:
        """Scale features."""
        if self.kind in ("minmax", "none"):
            return (x - self.offset) / self.width
        return F.normalize(self.rooted(x), dim=1)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo the scaling; rows that were mapped to length 1 get the mean length of the training samples."""
        restored = x * self.width + self.offset
        return restored * restored.abs() if self.kind == "sqrt-l2" else restored

    def extra_repr(self) -> str:
        """Which map."""
        return self.kind
