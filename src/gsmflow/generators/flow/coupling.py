"""Conditional affine coupling: the one invertible step that the flow is made of.

The functions are the maths, the modules hold the parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["ConditionalAffineCoupling", "Subnet", "log_scale", "scale_shift", "unscale_shift"]


def log_scale(s: Tensor, clamp: float) -> Tensor:
    r"""Soft-clamped log-scale :math:`e(s) = c \cdot 0.636 \arctan(s)`, so that :math:`|e(s)| < c`.

    The constant is 0.636, not 2/pi, as in the published code (GLOW coupling of FrEIA, https://github.com/vislearn/FrEIA).
    """
    return (clamp * 0.636) * torch.atan(s)


def scale_shift(x: Tensor, e: Tensor, t: Tensor) -> Tensor:
    r""":math:`y = x \exp(e) + t`."""
    return torch.addcmul(t, x, e.exp())


def unscale_shift(y: Tensor, e: Tensor, t: Tensor) -> Tensor:
    r"""The inverse, :math:`x = (y - t) \exp(-e)`."""
    return (y - t) * (-e).exp()


class Subnet(nn.Module):
    """Linear - LeakyReLU(0.2) - Linear from half of the features and the condition to s and t of the other half.

    The first layer acts on ``[x, g]``. It is written as a sum of two products, so that the part of the condition is
    computed once a class and looked up for each sample instead of once a sample. Each product has a matrix of its own:
    the gradient of a slice of one matrix would be a second matrix of its size, filled with zeros and added.
    """

    def __init__(self, dim_in: int, dim_condition: int, hidden: int, dim_out: int):
        super().__init__()
        self.of_features = nn.Parameter(torch.empty(hidden, dim_in))
        self.of_condition = nn.Parameter(torch.empty(hidden, dim_condition))
        self.bias = nn.Parameter(torch.empty(hidden))
        self.last = nn.Linear(hidden, 2 * dim_out)

    def forward(
        self, x: Float[Tensor, "n half"], g: Float[Tensor, "k g"], index: Int[Tensor, " n"] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Give s and t, ``(n, dim_out)`` each; row i is conditioned on ``g[index[i]]``, or on ``g[i]``."""
        condition = F.linear(g, self.of_condition, self.bias)
        if index is not None:
            condition = F.embedding(index, condition)
        hidden = F.leaky_relu(condition + F.linear(x, self.of_features), 0.2)
        s, t = self.last(hidden).chunk(2, dim=1)
        return s, t

    def extra_repr(self) -> str:
        """The sizes of the first layer."""
        (hidden, dim_in), dim_condition = self.of_features.shape, self.of_condition.shape[1]
        return f"dim_in={dim_in}, dim_condition={dim_condition}, hidden={hidden}"


class ConditionalAffineCoupling(nn.Module):
    r"""One block; both halves move (GSMFlow, section 3, https://arxiv.org/abs/2107.03163;
    the GLOW coupling of FrEIA, after Kingma & Dhariwal 2018, https://arxiv.org/abs/1807.03039).

    .. math::
        y_1 = x_1 \exp(e(s_2)) + t_2, \quad (s_2, t_2) = subnet_2([x_2, g]) \\
        y_2 = x_2 \exp(e(s_1)) + t_1, \quad (s_1, t_1) = subnet_1([y_1, g])

    Features are passed as a pair of halves, ``dim // 2`` and the rest, so that blocks stack without a copy.
    """

    def __init__(self, dim: int, dim_condition: int, hidden: int, clamp: float = 1.0):
        super().__init__()
        first, second = dim // 2, dim - dim // 2
        self.clamp = clamp
        self.subnet1 = Subnet(first, dim_condition, hidden, second)
        self.subnet2 = Subnet(second, dim_condition, hidden, first)

    def forward(
        self, x1: Tensor, x2: Tensor, g: Tensor, index: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Float[Tensor, " n"]]:
        """Map the halves forward; the third result is the log-determinant of each row."""
        s, t = self.subnet2(x2, g, index)
        e2 = log_scale(s, self.clamp)
        y1 = scale_shift(x1, e2, t)

        s, t = self.subnet1(y1, g, index)
        e1 = log_scale(s, self.clamp)
        y2 = scale_shift(x2, e1, t)

        return y1, y2, e1.sum(1) + e2.sum(1)

    def inverse(self, y1: Tensor, y2: Tensor, g: Tensor, index: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map the halves back."""
        s, t = self.subnet1(y1, g, index)
        x2 = unscale_shift(y2, log_scale(s, self.clamp), t)

        s, t = self.subnet2(x2, g, index)
        x1 = unscale_shift(y1, log_scale(s, self.clamp), t)

        return x1, x2

    def extra_repr(self) -> str:
        """The bound of the log-scale."""
        return f"clamp={self.clamp}"
