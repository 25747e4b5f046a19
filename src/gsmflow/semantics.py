"""Maps of class semantics, fitted on the seen classes and kept for those that come later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .settings import SemanticKind

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["SemanticMap"]


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
