"""The linear flow on the closed form: it starts as that and learns which errors of the predicted means matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Generator as Rng
from torch import Tensor, nn

from ...settings import GaussianSettings, LinearFlowSettings
from ...streams import Stream
from ..base import Classes
from ..gaussian import Gaussian
from ..posterior import Axes, Posterior

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["LinearFlow"]


class LinearFlow(nn.Module):
    r"""Unseen classes behind a learnt linear map of their whitened deviations; this project's, not the paper's.

    With :math:`m_k` and L the mean and the Cholesky factor that the closed form gives unseen class k, and P its
    principal directions,

    .. math:: z = (I + A) L^{-1} (P^T x - m_k), \quad
              \log p(x | k) = \log N(z; 0, I) + \log |I + A| - \log |L| + \log p_{outside}(x)

    A is learnt by asking what will be asked of unseen classes: which of all seen classes is x of, when the mean of each
    is the one predicted *without* that class? The loss is the cross-entropy of Bayes' rule under these left-out means,
    with a penalty on A. A starts at zero: at step 0 this *is* the closed form, and early stopping on pseudo-unseen
    classes decides how far to go from there. Seen classes, whose means are known, keep their closed form.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        gaussian: constants of the closed form; the first of each list is taken.
        settings: temperature and penalty.
    """

    stands_on: ClassVar[str | None] = "gaussian"

    def __init__(
        self,
        dim: int,
        classes: Classes,
        gaussian: GaussianSettings = GaussianSettings(),  # noqa: B008
        settings: LinearFlowSettings = LinearFlowSettings(),  # noqa: B008
    ):
        super().__init__()
        self.settings = settings
        self.base = Gaussian(dim, classes, gaussian)
        dims = self.base.basis.shape[1]
        self.change = nn.Parameter(torch.zeros(dims, dims))
        self.frame: Axes | None = None

    def prepare(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Fit the closed form, with the first of each listed setting."""
        self.base.fit(x, labels)

    def whiten(self, y: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """The linear map, of coordinates in the basis."""
        white = torch.linalg.solve_triangular(self.base.factors[1], y.T, upper=False).T
        return white + white @ self.change.T

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """``classes``: cross-entropy in nats among the left-out means of all seen classes; ``decay``: the penalty."""
        self.frame = None
        z, rivals = self.whiten(self.base.view(x)), self.whiten(self.base.left_out)
        logits = -0.5 * torch.cdist(z, rivals).square() / self.settings.temperature
        return {
            "classes": F.cross_entropy(logits, torch.searchsorted(self.base.seen, labels)),
            "decay": self.settings.decay * self.change.square().sum(),
        }

    @torch.no_grad()
    def learnt(self) -> Gaussian:
        """The closed form with the learnt spread of unseen classes: a linear map of a Gaussian is one."""
        model = self.base.twin()
        eye = torch.eye(len(self.change)).to(self.change)
        root = torch.linalg.solve(eye + self.change, model.factors[1], left=False).double()  # L (I + A)^-1
        model.factors = torch.stack([model.factors[0], torch.linalg.cholesky(root @ root.T).float()])
        return model

    def gather(
        self, view: Float[Tensor, "n p"], weights: Float[Tensor, "n m"], classes: Int[Tensor, " m"]
    ) -> Float[Tensor, "m p"]:
        """Weighted sums for each of ``classes`` of rows of a `view`; in float64."""
        return self.base.gather(view, weights, classes)

    def distance(self, view: Float[Tensor, "n p"], classes: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """How far each row of a `view` lies from its class; see `Gaussian.distance`."""
        return self.base.distance(view, classes)

    @torch.no_grad()
    def believe(
        self, sums: Float[Tensor, "k p"], counts: Float[Tensor, " k"], size: float, *, follow: bool = True
    ) -> None:
        """Take pictures into account that were seen of classes since training; see `Gaussian.believe`."""
        self.base.posterior = None
        if not counts.any():
            return
        taught = self.learnt()
        taught.frame = self.axes(taught)
        taught.believe(sums, counts, size, follow=follow)
        self.base.posterior = taught.posterior

    def axes(self, learnt: Gaussian | None = None) -> Axes:
        """The coordinates in which pictures are taken into account: those in which the learnt spread is diagonal.

        What the errors of predictions have off the diagonal there is left out: at step 0 nothing, and little later on.
        """
        closed = self.base.axes()
        if not self.change.any():
            return closed
        if self.frame is None:
            learnt = self.learnt() if learnt is None else learnt
            within, wide = (factor.double() @ factor.double().T for factor in learnt.factors)
            self.frame = Axes(within, self.base.errors.double(), float(self.base.unsure), along=wide - within)
        return self.frame

    def apart(self) -> float:
        """How far unseen classes lie from each other now; see `Gaussian.apart`."""
        return self.base.apart()

    @property
    def posterior(self) -> Posterior | None:
        """What is believed of the classes that pictures were seen of since training."""
        return self.base.posterior

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Coordinates in the basis of the closed form: all that tells classes apart."""
        return self.base.view(x)

    def log_ratio(self, y: Float[Tensor, "n p"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Log-density in nats, in the basis alone, of every row of a `view` under every class of ``classes``."""
        return self.learnt().log_ratio(y, classes)

    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Exact log-density in nats of every row under every class of ``classes``."""
        return self.learnt().log_prob(x, classes)

    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """Generate one feature vector for each entry of ``classes``."""
        return self.learnt().sample(classes, rng=rng)

    def extend(self, semantics: Float[Tensor, "m s"]) -> None:
        """Append unseen classes, described as the others are: the learnt map is one for all of them."""
        self.base.extend(semantics)

    def keep(self, classes: Int[Tensor, " k"]) -> None:
        """Drop all classes but these sorted ids, and renumber them from 0 in that order."""
        self.base.keep(classes)

    def extra_repr(self) -> str:
        """The constants of the loss."""
        return f"temperature={self.settings.temperature}, decay={self.settings.decay}"
