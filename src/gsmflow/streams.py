"""Training features that stay where they lie: tensors on the device, or rows that are read batch after batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .data.rows import Rows

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["CHUNK", "Stream", "chunks", "on_device"]

CHUNK = 2**13
"""Rows of features that are worked on at once, where not all of them are needed."""


class Stream:
    """Rows that are read, moved to the device and mapped when they are asked for: ``stream[index]`` is a tensor.

    Args:
        rows: where they lie.
        device: where they are wanted.
        then: what is done with them there, such as a scaling.
    """

    def __init__(self, rows: Rows, device: torch.device, then: nn.Module | None = None):
        self.rows, self.device, self.then = rows, device, then or nn.Identity()

    @property
    def shape(self) -> torch.Size:
        """``(n, D)``."""
        return torch.Size(self.rows.shape)

    @property
    def is_cuda(self) -> bool:
        """Whether the tensors come to a CUDA device."""
        return self.device.type == "cuda"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> Float[Tensor, "n d"]:
        place = index.cpu().numpy() if isinstance(index, Tensor) else index
        return self.then(torch.from_numpy(self.rows[place]).to(self.device))


def on_device(features: object, device: torch.device) -> Tensor | Stream:
    """Features as a tensor, or as a stream if they are `Rows`."""
    return Stream(features, device) if isinstance(features, Rows) else torch.tensor(features, device=device)


def chunks(x: Tensor | Stream) -> Iterator[tuple[slice, Float[Tensor, "n d"]]]:
    """All rows, `CHUNK` at a time, with their place."""
    for start in range(0, len(x), CHUNK):
        place = slice(start, start + CHUNK)
        yield place, x[place]
