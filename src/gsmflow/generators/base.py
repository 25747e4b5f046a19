"""What a generator is, and what it knows of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Generator as Rng
from torch import Tensor

from ..streams import chunks

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from ..data import TrainingSet

__all__ = ["Classes", "Generator", "class_means", "class_sums"]


@dataclass(frozen=True)
class Classes:
    """The classes of a problem, as tensors on one device.

    Attributes:
        semantics: ``(K, S)``, a row a class.
        seen: ``(Ks,)``, ids of the classes with training features.
        unseen: ``(Ku,)``, ids of those without.
    """

    semantics: Float[Tensor, "k s"]
    seen: Int[Tensor, " ks"]
    unseen: Int[Tensor, " ku"]

    @classmethod
    def of(cls, training: TrainingSet, device: torch.device | str = "cpu") -> Classes:
        """Take the classes of a training set."""
        arrays = (training.semantics, training.seen, training.unseen)
        return cls(*(torch.tensor(array, device=device) for array in arrays))


def class_means(x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], seen: Int[Tensor, " k"]) -> Float[Tensor, "k d"]:
    """Mean of the rows of each seen class."""
    rows = torch.searchsorted(seen, labels)
    sums = sum(class_sums(part, rows[place], len(seen)) for place, part in chunks(x))
    return sums / torch.bincount(rows, minlength=len(seen))[:, None]  # type: ignore[return-value]


def class_sums(x: Float[Tensor, "n d"], rows: Int[Tensor, " n"], count: int) -> Float[Tensor, "k d"]:
    """Sum of the rows of ``x`` that belong to each of ``count`` classes, in memory that does not grow with both."""
    total = x.new_zeros(count, x.shape[1])
    if x.is_cuda:  # the one of the two that adds in the same order every time
        return total.index_put_((rows,), x, accumulate=True)
    return total.index_add_(0, rows, x)


class Generator(Protocol):
    """A module that learns p(features given semantics) from the features of seen classes.

    Features are scaled ones, class ids are rows of ``Classes.semantics``. A generator learns in one of two ways: it
    has ``loss``, and `gsmflow.training.train` minimizes it; or it is a closed form with ``fit(x, labels, **choice)``
    and ``candidates(x, labels)``, ``count`` of them. One that has an exact density gives it as
    ``log_prob(x, classes) -> (n, k)``; where few directions tell classes apart, ``view(x) -> (n, v)`` gives those, and
    ``log_ratio(view, classes)`` the log-density up to a term that all classes share. A baseline that generates nothing
    has ``scores(x, classes) -> (n, k)`` instead of ``sample``.
    """

    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        ...
