"""Maps of class semantics: those fitted on the seen classes and kept for those that come later, the weighting of parts,
and the words among semantics that lie in the space of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .settings import SemanticKind

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["TEXT", "SemanticMap", "SemanticWeighting", "Words", "has_weight"]

TEXT = "text"
"""The part of semantics that was made of words."""

Parts = Sequence[tuple[str, int]]


class SemanticMap(nn.Module):
    r"""A map of semantics, ``(k, S)`` to ``(k, S)``, a row a class.

    ``none`` leaves them as they are, ``l2`` divides each row by its length, ``sqrt`` takes signed square roots first.
    ``spread`` evens out the spread of their directions: with :math:`\mu` the mean of the seen classes' rows and
    :math:`U \, diag(s) \, V^T` the singular value decomposition of those rows less :math:`\mu`,

    .. math:: a \mapsto (a - \mu) V diag(s)^{-1/2}, \text{ divided by its length}

    over the singular values greater than ``1e-6`` of the first; the columns of the others are zero, so that the
    dimension is that of the semantics whatever the classes are. Only ``spread`` is fitted, on the seen classes alone: a
    class that comes later is mapped as if it had been there. It computes in float64; all give the type that they take.
    A row of zeros (after centring, for ``spread``) stays one.

    Args:
        dim: dimension S of the semantics.
        kind: which map.

    Example:
        >>> rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
        >>> SemanticMap.fit(rows, "l2")(rows)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
        >>> SemanticMap.fit(torch.randn(5, 2), "spread")
        SemanticMap(spread, dim=2)
    """

    centre: Tensor
    directions: Tensor

    def __init__(self, dim: int, kind: SemanticKind = "none"):
        super().__init__()
        self.dim, self.kind = dim, kind
        if kind == "spread":
            self.register_buffer("centre", torch.zeros(dim, dtype=torch.double))
            self.register_buffer("directions", torch.zeros(dim, dim, dtype=torch.double))

    @classmethod
    def fit(cls, semantics: Float[Tensor, "ks s"], kind: SemanticKind) -> SemanticMap:
        """Measure the semantics of the seen classes; of none, ``spread`` maps all to zero."""
        fitted = cls(semantics.shape[1], kind).to(semantics.device)
        if kind == "spread" and len(semantics):
            rows = semantics.double()
            fitted.centre = rows.mean(0)
            _, s, vt = torch.linalg.svd(rows - fitted.centre, full_matrices=False)
            kept = s > 1e-6 * s[0]
            fitted.directions[:, : int(kept.sum())] = vt[kept].T * s[kept].rsqrt()
        return fitted

    def forward(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k s"]:
        """Map the rows of any classes."""
        if self.kind == "none":
            return semantics
        if self.kind == "sqrt":
            semantics = semantics.sign() * semantics.abs().sqrt()
        elif self.kind == "spread":
            return F.normalize((semantics.double() - self.centre) @ self.directions, dim=1).to(semantics)
        return F.normalize(semantics, dim=1)

    def extra_repr(self) -> str:
        """Which map, of what dimension."""
        return f"{self.kind}, dim={self.dim}"


def has_weight(parts: Parts) -> bool:
    """Whether semantics are put together from words and something else, so that one weighs against the other.

    >>> has_weight((("attributes", 85), ("text", 512))), has_weight((("text", 512),)), has_weight(())
    (True, False, False)
    """
    return len(parts) > 1 and TEXT in (name for name, _ in parts)


class SemanticWeighting(nn.Module):
    """A map of semantics that are put together from parts, ``(k, S)`` to ``(k, S)``, a row a class.

    Each part of a row is scaled to length 1, that of the words then to length ``text_weight``: neither more columns nor
    greater numbers make a part count for more. Nothing is fitted. Without parts, or with one alone, semantics stay as
    they are, to the bit.

    Args:
        parts: name and width of each, in the order of columns; that of the words is called ``text``.
        text_weight: what the words count for, against 1; None: 1.

    Example:
        >>> SemanticWeighting((("attributes", 2), ("text", 1)), 2.0)(torch.tensor([[3.0, 4.0, 9.0]]))
        tensor([[0.6000, 0.8000, 2.0000]])
    """

    def __init__(self, parts: Parts = (), text_weight: float | None = None):
        super().__init__()
        self.parts = tuple(parts) if len(parts) > 1 else ()
        self.text_weight = 1.0 if text_weight is None else text_weight

    def forward(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k s"]:
        """Weight the rows of any classes."""
        if not self.parts:
            return semantics
        columns = semantics.double().split([width for _, width in self.parts], dim=1)
        weights = [self.text_weight if name == TEXT else 1.0 for name, _ in self.parts]
        weighted = [weight * F.normalize(part, dim=1) for weight, part in zip(weights, columns, strict=True)]
        return torch.cat(weighted, 1).to(semantics)

    def extra_repr(self) -> str:
        """The parts, and what the words count for."""
        widths = ", ".join(f"{name}={width}" for name, width in self.parts)
        return f"{widths}, text_weight={self.text_weight:g}" if self.parts else "one part"


@dataclass(frozen=True, eq=False)
class Words:
    """What finds, in the semantics of any classes, their words as vectors in the space of the features.

    Images and words lie in one space where one model was trained to put them there, such as CLIP (Radford et al. 2021,
    https://arxiv.org/abs/2103.00020).

    Attributes:
        columns: of the semantics.
        scaling: of the features: what is done to them is done to the words.

    Example:
        >>> Words.among((("attributes", 85), ("text", 512)), nn.Identity()).columns
        slice(85, 597, None)
    """

    columns: slice
    scaling: nn.Module

    @classmethod
    def among(cls, parts: Parts, scaling: nn.Module) -> Words:
        """Find the part that was made of words; all columns where there are no parts."""
        start = 0
        for name, width in parts:
            if name == TEXT:
                return cls(slice(start, start + width), scaling)
            start += width
        return cls(slice(0, None), scaling)

    def __call__(self, semantics: Float[Tensor, "k s"]) -> Float[Tensor, "k d"]:
        """The words of each class, scaled as features are."""
        return self.scaling(semantics[:, self.columns])
