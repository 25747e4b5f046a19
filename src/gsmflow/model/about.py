"""What a model says of itself, and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ..data import EncoderRecord, Provenance, TrainingSet
from ..errors import InputError
from ..files import read_tensors, save_tensors
from ..overrides import plain, validate
from ..settings import Settings
from .evidence import Piece, Teaching

__all__ = ["About", "Rejection", "read_model", "write_model"]

FORMAT = 1
"""Of the model file. It grows by one when a file can no longer be read by the version before."""


@dataclass(frozen=True)
class Rejection:
    """When pictures are taken for none of the classes, and how often that is wrong.

    Measured on pseudo-unseen folds: half of the unseen classes are taken from the model, and their pictures are of none
    of its classes.

    Attributes:
        threshold: below this greatest probability.
        known_rejected: share in percent of the pictures of known classes that are rejected.
        unknown_accepted: share in percent of the pictures of other classes that are not.
    """

    threshold: float
    known_rejected: float
    unknown_accepted: float

    def __str__(self) -> str:
        return (
            f"pictures of no class are those whose greatest probability is below {self.threshold:g}; on the folds this "
            f"rejected {self.known_rejected:.1f} % of the pictures of known classes and accepted "
            f"{self.unknown_accepted:.1f} % of those of others"
        )


@dataclass(frozen=True)
class About:
    """All that a model file says beside its tensors.

    Attributes:
        class_names: K names, in the order of ids.
        semantic_names: S names; empty where they have none.
        semantic_parts: name and width of the parts that semantics are put together from; empty where there is one.
        one_space: whether the words among semantics lie in the space of the features.
        settings: those of the final model: what was chosen stands in them alone.
        recognizer: kind of the recognizer.
        constant: calibration constant.
        temperature: the scores less the constant are divided by it before they become probabilities.
        tail: how uncertain the temperature is; see `gsmflow.evaluation.calibration`.
        rejection: from which probability on pictures are taken for one of the classes; None where that was not chosen.
        dataset: name of the data set it was trained on.
        provenance: where that came from.
        fingerprint: SHA-256 of that data set.
        protocol: by which it was chosen.
        selected_on: on which samples.
        encoder: what made the features out of images, where it is known.
        text_encoder: what made the semantics out of words, where it is known.
        teaching: how it takes pictures into account that it is shown after training.
        evidence: what it was shown.
        changes: what was done to it since training, a sentence each.
        version: of gsmflow.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    class_names: tuple[str, ...]
    settings: Settings
    recognizer: str
    constant: float = 0.0
    temperature: float = 1.0
    tail: float = 0.0
    rejection: Rejection | None = None
    semantic_names: tuple[str, ...] = ()
    semantic_parts: tuple[tuple[str, int], ...] = ()
    one_space: bool = False
    dataset: str = ""
    provenance: Provenance | None = None
    fingerprint: str = ""
    protocol: str = ""
    selected_on: str = ""
    encoder: EncoderRecord | None = None
    text_encoder: EncoderRecord | None = None
    teaching: Teaching = field(default_factory=Teaching)
    evidence: tuple[Piece, ...] = ()
    changes: tuple[str, ...] = ()
    version: str = metadata.version("gsmflow")

    @classmethod
    def of(cls, training: TrainingSet, settings: Settings, recognizer: str) -> About:
        """What can be said of a model that was fitted to a training set."""
        return cls(
            training.class_names,
            settings,
            recognizer,
            semantic_names=training.semantic_names,
            semantic_parts=training.semantic_parts,
            one_space=training.one_space,
        )


def write_model(path: Path, tensors: Mapping[str, Tensor], about: About) -> None:
    """Write a model as one safetensors file: tensors, and all about them as JSON in its metadata.

    Raises:
        InputError: if it cannot be written.
    """
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in plain(about).items()}
    save_tensors(path, tensors, {"gsmflow": str(FORMAT), "checksum": checksum(tensors, texts), **texts})


def checksum(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    """SHA-256 over all tensors and texts of a file, whatever their order: a flipped bit is told, not decided with."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).numpy().tobytes())
    for name in sorted(texts):
        digest.update(f"{name}{texts[name]}".encode())
    return digest.hexdigest()


def read_model(path: Path) -> tuple[dict[str, Tensor], About]:
    """Read what `write_model` wrote.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or no model of gsmflow.
    """
    tensors, texts = read_tensors(path)
    form = texts.pop("gsmflow", None)
    if form is None:
        raise InputError(
            f"{path} does not say what it is: it was written by another program, or by gsmflow 0.1, whose models "
            "cannot be read; train again."
        )
    if form != str(FORMAT):
        raise InputError(
            f"{path} is a model file of format {form[:20]!r}, this version reads {FORMAT}: upgrade gsmflow."
        )
    if texts.pop("checksum", None) != checksum(tensors, texts):
        raise InputError(f"{path} is damaged: it does not hold what was written (its checksum differs).")
    try:
        content = {name: json.loads(text) for name, text in texts.items()}
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} holds damaged metadata ({error}): write it again with model.save.") from error
    return tensors, validate(About, content, path)
