"""Every random number comes from the run's seed and the name of its purpose.

Nothing random carries state from one purpose to the next, so a resumed run draws what the uninterrupted one drew.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Generator

__all__ = ["derive", "generator"]


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed of its own for each purpose.

    >>> derive(0, "train", 3) == derive(0, "train", 3) != derive(0, "train", 4)
    True
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def generator(device: torch.device | str, seed: int, *purpose: str | int) -> Generator:
    """A torch random generator on ``device``, seeded for one purpose."""
    return Generator(device).manual_seed(derive(seed, *purpose))
