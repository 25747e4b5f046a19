"""What is recorded of an encoder, of pictures or of words: enough to find it again, and to know that it is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

__all__ = ["EncoderRecord", "in_one_space"]


@dataclass(frozen=True)
class EncoderRecord:
    """The encoder that made features out of pictures, or semantics out of words.

    Attributes:
        kind: how it is loaded.
        name: as it was asked for: a name on a hub, or that of a folder or a file.
        dim: dimension of what it gives.
        sha256: of its weights: another encoder has another.
        revision: commit on the hub that it came from, where it came from one.
        preprocessing: what is done to pictures or texts before, as JSON knows it.
        place: absolute path where it lay when it was used, a hint; empty for one on a hub.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["huggingface", "onnx", "sentence-transformers"]
    name: str
    dim: int
    sha256: str
    revision: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def is_same(self, other: EncoderRecord) -> bool:
        """Whether both give the same numbers: the same weights, used in the same way."""
        ours, theirs = ((one.kind, one.dim, one.sha256, dict(one.preprocessing)) for one in (self, other))
        return ours == theirs

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {self.dim} dimensions, sha256 {self.sha256[:12]})"


def in_one_space(pictures: EncoderRecord | None, words: EncoderRecord | None) -> bool:
    """Whether features of pictures and of words can be compared: both halves of one model, as of CLIP and SigLIP."""
    if pictures is None or words is None:
        return False
    return (pictures.kind, pictures.sha256, pictures.dim) == (words.kind, words.sha256, words.dim)
