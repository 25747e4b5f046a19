"""Zero-shot by cosine: images and words in one space, and nothing to learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..settings import CosineSettings
from ..streams import Stream
from .base import Classes, Described

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Cosine"]


class Cosine(Described):
    r"""The cosine of an image's features and a class's words, both of one model that was trained to make it great.

    .. math:: score(x, k) = \cos(x, w_k) / \tau

    Radford et al. 2021, https://arxiv.org/abs/2103.00020 (CLIP). Seen classes are known by their words as well: no
    training feature is looked at.

    Args:
        dim: dimension D of the features.
        classes: semantics of all classes, in which ``words`` are found.
        settings: the temperature.

    Raises:
        InputError: if there are no words in the space of the features.

    Example:
        >>> import torch
        >>> from gsmflow.scaling import Scaling
        >>> from gsmflow.semantics import Words
        >>> words = Words(slice(0, None), Scaling(2))
        >>> classes = Classes(torch.eye(2), seen=torch.tensor([0]), unseen=torch.tensor([1]), words=words)
        >>> Cosine(2, classes).scores(torch.tensor([[3.0, 4.0]]), torch.tensor([0, 1])).round()
        tensor([[60., 80.]])
    """

    needs_words: ClassVar[bool] = True

    def __init__(self, dim: int, classes: Classes, settings: CosineSettings = CosineSettings()):  # noqa: B008
        super().__init__(dim, classes)
        self.settings = settings
        if classes.words is None:
            raise InputError("The generator 'cosine' compares features with words, and there are none in their space.")

    def count(self) -> int:
        """The number of `candidates`: one."""
        return 1

    @classmethod
    def only(cls, settings: CosineSettings, choice: Mapping[str, Any]) -> CosineSettings:
        """The settings as they are: they list nothing."""
        return settings

    def fit(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Learn nothing."""

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """The one that there is."""
        yield {}

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """The cosine of each row and the words of each class, over the temperature, in the precision of ``x``."""
        assert self.words
        words = self.words(self.semantics[classes].to(x))
        return F.normalize(x, dim=1) @ F.normalize(words, dim=1).T / self.settings.temperature

    def extra_repr(self) -> str:
        """The numbers of dimensions and classes, and the temperature."""
        return f"{super().extra_repr()}, temperature={self.settings.temperature:g}"
