"""Scaling of features, fitted on the training samples."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Scaling"]


class Scaling(nn.Module):
    """An affine map of each dimension: (x - offset) / width.

    Args:
        dim: dimension of the features.
    """

    offset: Tensor
    width: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("offset", torch.zeros(dim))
        self.register_buffer("width", torch.ones(dim))

    @classmethod
    def fit(cls, x: Tensor, kind: Literal["minmax", "none"]) -> Scaling:
        """Min-max maps each dimension of ``x`` to [0, 1], a constant one to 0; ``none`` leaves all as it is."""
        scaling = cls(x.shape[1]).to(x.device)
        if kind == "minmax":
            low, high = x.amin(0), x.amax(0)
            scaling.offset = low
            scaling.width = torch.where(high > low, high - low, 1.0)
        return scaling

    def forward(self, x: Tensor) -> Tensor:
        """Scale features."""
        return (x - self.offset) / self.width

    def inverse(self, x: Tensor) -> Tensor:
        """Undo the scaling."""
        return x * self.width + self.offset
