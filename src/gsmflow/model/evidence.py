"""What a model keeps of pictures that it was shown after training, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import AllowInfNan
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["UNLABELLED", "Adaptation", "Piece", "Pieces", "Teaching"]

UNLABELLED = "unlabelled"
"""The id of the pile that a model has adapted to; there is one at a time."""


@dataclass(frozen=True)
class Piece:
    """Pictures that a model was shown at once.

    Attributes:
        id: under which they can be taken back.
        kind: whether their classes were told.
        pictures: their number.
        classes: names of the classes that they were said to be of; none where they were unlabelled.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    id: str
    kind: Literal["labelled", "unlabelled"]
    pictures: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Teaching:
    """How a model takes pictures into account, as chosen on pseudo-unseen folds; what it was not chosen on, is a guess.

    Attributes:
        size: e, a factor of the errors' covariance E.
        rounds: of responsibilities and update in which a pile is taken in.
        temperature: the scores are divided by it before they are responsibilities.
        follow: whether the covariances that unseen classes are decided with shrink with what is known of their means.
        seen_follow: whether unlabelled pictures move seen classes too.
        leak: share of a pile's pictures of seen classes that unseen ones take.
        lost: share of its pictures of unseen classes that seen ones take.
        odd: a picture farther from its class than this is of none; see `Teachable.distance`.
        far: a pile whose median picture is farther than this is not believed.
        least: a pile with fewer pictures of an unseen class, in the mean, is not believed; None: no pile is.
        even: a pile that spreads over the unseen classes less evenly is not believed: exp(entropy) / classes.
        apart: a pile after which unseen classes lie nearer to each other is not believed; see `Teachable.apart`.
        chosen: whether all this was chosen on folds.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    size: Annotated[float, Gt(0), AllowInfNan(False)] = 0.5
    rounds: Annotated[int, Ge(1)] = 3
    temperature: Annotated[float, Gt(0), AllowInfNan(False)] = 1.0
    follow: bool = True
    seen_follow: bool = False
    leak: float = 0.15
    lost: float = 0.1
    odd: float = 2.0
    far: float = 1.2
    least: float | None = 15.0
    even: float = 0.8
    apart: float = 0.0
    chosen: bool = False

    def __str__(self) -> str:
        piles = "no pile is believed"
        if self.least is not None:
            piles = (
                f"a pile, in {self.rounds} rounds at temperature {self.temperature:g}, is believed from {self.least:g} "
                "pictures of an unseen class on"
            )
        return f"learning from pictures: errors of predictions count {self.size:g}; {piles}"


@dataclass(frozen=True)
class Adaptation:
    """What came of a pile of unlabelled pictures.

    Attributes:
        believed: whether the model has adapted to it; if not, it is as it was.
        sentence: what came of it, and why.
        pictures: in the pile.
        a_class: about how many of them are of an unseen class, in the mean.
        evenness: exp(entropy) / classes of what unseen classes take of it at first, 0 to 1.
        apart: how far unseen classes lie from each other then; see `Teachable.apart`.
        distance: of the median picture from its class.
        odd: share of pictures that are of no class.
    """

    believed: bool
    sentence: str
    pictures: int
    a_class: float
    evenness: float
    apart: float
    distance: float
    odd: float


class Pieces(nn.Module):
    """Sums over pictures, a row for each piece and class, in float64: nothing else is kept of them."""

    piece: Tensor
    classes: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("piece", torch.zeros(0, dtype=torch.long))
        self.register_buffer("classes", torch.zeros(0, dtype=torch.long))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.double))
        self.register_buffer("sums", torch.zeros(0, 0, dtype=torch.double))
        self.register_load_state_dict_pre_hook(fill_in)

    def check(self, pieces: int, classes: int) -> None:
        """Refuse what no model has written.

        Args:
            pieces: how many there are.
            classes: K.

        Raises:
            ValueError: if rows are of other pieces or classes, or of several lengths, or counts and sums no numbers.
        """
        rows = {len(buffer) for _, buffer in self.named_buffers()}
        if len(rows) != 1 or self.sums.ndim != 2 or self.piece.is_floating_point() or self.classes.is_floating_point():
            raise ValueError("what was learnt has rows that do not fit each other")
        if self.piece.unique().tolist() != list(range(pieces)):
            raise ValueError(f"what was learnt is not of {pieces} pieces")
        if len(self.classes) and not (0 <= int(self.classes.min()) <= int(self.classes.max()) < classes):
            raise ValueError("what was learnt is of classes that are not there")
        if not (self.sums.isfinite().all() and self.counts.isfinite().all() and (self.counts >= 0).all()):
            raise ValueError("what was learnt holds sums or counts that are no numbers of pictures")

    def add(
        self, piece: int, classes: Int[Tensor, " m"], counts: Float[Tensor, " m"], sums: Float[Tensor, "m p"]
    ) -> None:
        """Keep the sums of one piece."""
        sums = sums.double()
        self.piece = torch.cat([self.piece, torch.full_like(classes, piece)])
        self.classes = torch.cat([self.classes, classes])
        self.counts = torch.cat([self.counts, counts.double()])
        self.sums = torch.cat([self.sums.reshape(-1, sums.shape[1]), sums])

    def drop(self, piece: int) -> None:
        """Forget one piece; those after it are counted anew."""
        self.choose(self.piece != piece)
        self.piece = self.piece - (self.piece > piece).long()

    def choose(self, rows: Tensor) -> None:
        """Keep these rows alone."""
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[rows])

    def keep(self, classes: Int[Tensor, " k"]) -> None:
        """Follow a model that dropped all classes but these sorted ids."""
        self.choose(torch.isin(self.classes, classes))
        self.classes = torch.searchsorted(classes, self.classes)

    def total(self, order: Sequence[int], count: int) -> tuple[Float[Tensor, "k p"], Float[Tensor, " k"]]:
        """Sums and counts of ``count`` classes over some pieces, added in this order: the same bits whenever they came.

        Args:
            order: places of pieces.
            count: K.
        """
        sums, counts = self.sums.new_zeros(count, self.sums.shape[1]), self.counts.new_zeros(count)
        for piece in order:
            rows = self.piece == piece
            sums.index_add_(0, self.classes[rows], self.sums[rows])
            counts.index_add_(0, self.classes[rows], self.counts[rows])
        return sums, counts

    def extra_repr(self) -> str:
        """How much is kept."""
        return f"rows={len(self.piece)}"


def fill_in(pieces: Pieces, tensors: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Let the state of a version be loaded that was shown nothing after training."""
    for name, buffer in pieces.named_buffers():
        tensors.setdefault(prefix + name, buffer)
