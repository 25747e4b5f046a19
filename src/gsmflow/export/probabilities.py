r"""What a model computes, in operators that ONNX knows.

Triangular systems and distances, which it does not know, are products with matrices that are computed once, in double
precision: with :math:`W = L^{-1}` for the Cholesky factor of a Gaussian and :math:`c_k = W m_k`,

.. math:: -2 \log p(y | k) = |W y|^2 - 2 (W y) \cdot c_k + |c_k|^2 + const.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..evaluation.calibration import soften
from ..generators import DAP, Gaussian, LinearFlow, NearestPrototype

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..generators.posterior import Posterior
    from ..model import ZeroShotModel
    from ..recognizers import Recognizer

__all__ = ["FACTORED", "Probabilities", "score_module"]


class Quadratic(nn.Module):
    """What `Gaussian.log_ratio` gives of a `Gaussian.view`, in double precision as there.

    Args:
        gaussian: fitted.
    """

    mean: Tensor
    basis: Tensor
    order: Tensor

    def __init__(self, gaussian: Gaussian):
        super().__init__()
        self.register_buffer("mean", gaussian.mean)
        self.register_buffer("basis", gaussian.basis)
        kinds = gaussian.is_unseen(torch.arange(len(gaussian.centres)))
        taught = gaussian.posterior
        if taught is not None:
            kinds[taught.classes] = len(gaussian.factors)
        places = [(kinds == kind).nonzero()[:, 0] for kind in (0, 1)]
        self.spreads = nn.ModuleList(
            Spread(factor.double(), gaussian.centres[here].double())
            for factor, here in zip(gaussian.factors, places, strict=True)
            if len(here)
        )
        if taught is not None:
            self.spreads.append(Taught(taught))
            places.append(taught.classes)
        self.register_buffer("order", torch.cat(places).argsort())

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores of every class, but for a term that all share."""
        view = ((x - self.mean) @ self.basis).double()
        return torch.cat([spread(view) for spread in self.spreads], 1).index_select(1, self.order)


class Spread(nn.Module):
    """Scores of the classes of one covariance.

    Args:
        factor: ``(p, p)``, its Cholesky factor.
        centres: ``(k, p)``, means.
    """

    whiten: Tensor
    centres: Tensor
    constants: Tensor

    def __init__(self, factor: Float[Tensor, "p p"], centres: Float[Tensor, "k p"]):
        super().__init__()
        inverse = torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False)
        white = centres @ inverse.T
        self.register_buffer("whiten", inverse.T.contiguous())
        self.register_buffer("centres", white.T.contiguous())
        self.register_buffer("constants", -0.5 * white.square().sum(1) - factor.diagonal().log().sum())

    def forward(self, view: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Half the squared length is the same for all of these classes, but not for those of another spread."""
        white = view @ self.whiten
        return white @ self.centres + self.constants - 0.5 * white.square().sum(1, keepdim=True)


class Taught(nn.Module):
    """Scores of the classes that pictures were seen of; see `gsmflow.generators.posterior.Posterior`."""

    inward: Tensor
    weights: Tensor
    linear: Tensor
    constants: Tensor

    def __init__(self, posterior: Posterior):
        super().__init__()
        weights = 1 / posterior.spreads
        volume = posterior.spreads.log().sum(1) + (posterior.means.square() * weights).sum(1)
        self.register_buffer("inward", posterior.axes.inward.T.contiguous())
        self.register_buffer("weights", weights.T.contiguous())
        self.register_buffer("linear", (posterior.means * weights).T.contiguous())
        self.register_buffer("constants", posterior.axes.scale - 0.5 * volume)

    def forward(self, view: Float[Tensor, "n p"]) -> Float[Tensor, "n m"]:
        """The same, but for the constant that a `Spread` leaves out as well."""
        t = view @ self.inward
        return t @ self.linear - 0.5 * (t * t) @ self.weights + self.constants


class Similarity(nn.Module):
    """Cosines, or negative squared distances, of mapped rows to a row a class.

    Args:
        mean: ``(D,)``, taken from the features.
        matrix: ``(D, s)``, or None for none.
        rows: ``(K, s)``.
        by_cosine: which of the two.
    """

    mean: Tensor
    matrix: Tensor | None
    rows: Tensor
    constants: Tensor

    def __init__(self, mean: Tensor, matrix: Tensor | None, rows: Tensor, by_cosine: bool):
        super().__init__()
        rows = rows.double()
        self.by_cosine = by_cosine
        self.register_buffer("mean", mean.double())
        self.register_buffer("matrix", None if matrix is None else matrix.double())
        self.register_buffer("rows", (F.normalize(rows, dim=1) if by_cosine else rows).T.contiguous())
        self.register_buffer("constants", rows.square().sum(1))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores of every class."""
        mapped = x.double() - self.mean
        if self.matrix is not None:
            mapped = mapped @ self.matrix
        if self.by_cosine:
            return F.normalize(mapped, dim=1) @ self.rows
        return 2 * mapped @ self.rows - self.constants - mapped.square().sum(1, keepdim=True)


def of_dap(generator: DAP) -> Similarity:
    """What its ``scores`` give."""
    rows = generator.semantic_map(generator.semantics.double()) - generator.centre.double()
    return Similarity(generator.mean, generator.map, rows, bool(generator.by_cosine))


def of_prototypes(generator: NearestPrototype) -> Similarity:
    """What its ``scores`` give."""
    return Similarity(generator.mean, None, generator.prototypes, bool(generator.by_cosine))


FACTORED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Gaussian: Quadratic,
    LinearFlow: lambda flow: Quadratic(flow.learnt()),
    DAP: of_dap,
    NearestPrototype: of_prototypes,
}
"""Generators whose scores are written in another way than they are computed here; all others as they are."""


class AsItIs(nn.Module):
    """The scores of a recognizer.

    Args:
        recognizer: fitted.
        generator: what it looks into, if it does.
    """

    def __init__(self, recognizer: Recognizer, generator: nn.Module | None):
        super().__init__()
        self.recognizer, self.generator = recognizer, generator

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores of every class."""
        return self.recognizer.scores(self.recognizer.widen(self.recognizer.view(x)))


def score_module(model: ZeroShotModel) -> nn.Module:
    """From scaled features to the scores of every class, in operators that ONNX knows.

    Args:
        model: is on the CPU.

    Raises:
        InputError: if the scores run a flow for each class.
    """
    if model.about.recognizer == "softmax":
        return AsItIs(model.recognizer, None)
    factored = FACTORED.get(type(model.generator))
    if factored:
        return factored(model.generator)
    if model.about.recognizer == "likelihood":
        raise InputError(
            f"The likelihood of the generator {model.settings.generator!r} runs a flow once for each class, which is "
            "not exported: train with recognizer=softmax, or with the default recipe."
        )
    return AsItIs(model.recognizer, model.generator)


class Probabilities(nn.Module):
    """What `ZeroShotModel.predict_proba` computes, as one module.

    Args:
        model: is on the CPU, and is shared.

    Example:
        >>> import gsmflow, numpy as np
        >>> result = gsmflow.train(gsmflow.load("synthetic"), "gaussian")
        >>> x = result.dataset.features[:4]
        >>> with torch.no_grad():
        ...     p = Probabilities(result.model)(torch.tensor(x)).numpy()
        >>> bool(np.abs(p - result.model.predict_proba(x)).max() < 1e-5)
        True
    """

    shift: Tensor

    def __init__(self, model: ZeroShotModel):
        super().__init__()
        self.scaling, self.scores = model.scaling, score_module(model)
        shift = torch.zeros(len(model.class_names), dtype=torch.double)
        shift[model.seen] = model.constant
        if model.settled is not None:  # as `ZeroShotModel.scores_of` has it
            shift += model.constant * model.settled.double()
        self.temperature, self.tail = model.about.temperature, model.about.tail
        self.register_buffer("shift", shift)

    def forward(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Probability of each class."""
        scores = self.scores(self.scaling(features)).double() - self.shift
        return soften(scores, self.temperature, self.tail).softmax(1).float()
