"""Whether images and words lie in one space, so that the features of one can be compared with those of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError
from .encoder import in_one_space

if TYPE_CHECKING:
    from .dataset import ZeroShotDataset

__all__ = ["Space", "check_space", "space_of"]

TEXT = "text"


@dataclass(frozen=True)
class Space:
    """Whether features and words of a data set lie in one space.

    Attributes:
        holds: whether they do.
        reason: why they do not, or why it is taken for granted: a clause that begins with the name of the data set;
            empty where it is known that they do.
    """

    holds: bool
    reason: str = ""

    @property
    def is_assumed(self) -> bool:
        """Whether nothing but equal dimensions speaks for it."""
        return self.holds and bool(self.reason)


def words_width(data: ZeroShotDataset) -> int:
    """The number of columns of the semantics that were made of words: all, where they are not put together."""
    return dict(data.semantic_parts).get(TEXT, 0) if data.semantic_parts else data.semantic_dim


def space_of(data: ZeroShotDataset) -> Space:
    """Whether the features of a data set and the words among its semantics lie in one space.

    They do where both encoders are recorded and are halves of one model, or where the data say so (``one_space``).
    Where an encoder is not recorded, equal dimensions are taken for it.

    Example:
        >>> import gsmflow
        >>> space_of(gsmflow.load("digits"))
        Space(holds=False, reason='digits has features of 64 dimensions and semantics of 18')
    """
    name, source, width = data.name, data.provenance, words_width(data)
    if not width:
        parts = ", ".join(part for part, _ in data.semantic_parts)
        return Space(False, f"the semantics of {name} are put together from {parts}, none of which is called {TEXT}")
    if width != data.dim:
        return Space(False, f"{name} has features of {data.dim} dimensions and semantics of {width}")
    if data.one_space is not None:
        return Space(data.one_space, "" if data.one_space else f"{name} says that they do not (one_space is False)")
    if not source.encoder or not source.text_encoder:
        return Space(True, f"{name} has features and semantics of {width} dimensions, and not both encoders recorded")
    if in_one_space(source.encoder, source.text_encoder):
        return Space(True)
    return Space(False, f"the features of {name} come from {source.encoder}, its semantics from {source.text_encoder}")


def check_space(data: ZeroShotDataset) -> None:
    """Refuse data that say of themselves what cannot be.

    Raises:
        InputError: if they claim one space, and the dimensions differ.
    """
    if data.one_space and not (space := space_of(data)).holds:
        raise InputError(f"{data.name}: one_space is claimed, but {space.reason}; leave one_space= out.")
