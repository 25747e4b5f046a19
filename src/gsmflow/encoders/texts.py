"""From words to semantics: which encoder, and what becomes of several descriptions of a class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..data import EncoderRecord
from ..devices import pick_device
from ..errors import DataWarning, InputError
from ..files import sha256_of
from .base import TextEncoder, encoder_of, folder_name, model_folder, quietly, weight_files
from .sentences import SentenceModel, is_sentence_model, sentence_weights
from .towers import TextTower

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["PLAIN", "describe_classes", "load_text_encoder", "recorded_text_encoder"]

PLAIN = "{}"
"""The template that leaves a text as it is."""


class TextModel(Protocol):
    """What turns texts into vectors."""

    kind: Any

    @property
    def longest(self) -> int | None:
        """Tokens that are read of a text; None if all are."""
        ...

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What it does to texts."""
        ...

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
        """Semantics of each text, in one batch."""
        ...

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before anything is cut."""
        ...


class WordEncoder:
    """A model of texts behind a template.

    Args:
        model: turns texts into vectors.
        template: what is said of each text; ``{}`` stands for it.
        record: what is recorded of both.
    """

    def __init__(self, model: TextModel, template: str, record: EncoderRecord):
        self.model, self.template, self.record = model, template, record

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
        """Semantics of each text."""
        if not len(texts):
            return np.empty((0, self.record.dim), np.float32)
        return self.model.encode(self.filled(texts)).astype(np.float32, copy=False)

    def too_long(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than what is read of one."""
        longest = self.model.longest
        if longest is None:
            return [False] * len(texts)
        with quietly():
            return [length > longest for length in self.model.lengths(self.filled(texts))]

    def filled(self, texts: Sequence[str]) -> list[str]:
        """The texts in the template."""
        return [self.template.replace("{}", text) for text in texts]

    def __repr__(self) -> str:
        return f"WordEncoder({self.record})"


def load_text_encoder(
    model: str | Path,
    *,
    device: str = "auto",
    template: str = PLAIN,
    revision: str | None = None,
    option: str = "model",
) -> TextEncoder:
    """An encoder of words: a model of sentence-transformers, or the text tower of CLIP or SigLIP.

    Args:
        model: a local folder, or a name on the Hugging Face hub; one without ``/`` is of sentence-transformers.
        device: auto, cpu, cuda or mps.
        template: what is said of each text, such as ``a photo of a {}``.
        revision: commit on the hub; default the newest.
        option: the Python parameter by which the model is given, for errors.

    Raises:
        InputError: if it is not there, cannot be loaded, or the template has no single ``{}``; if a library is missing.
    """
    if template.count("{}") != 1:
        raise InputError(f"A template says where the text goes by one {{}}; found the template {template!r}.")
    check_letters([template])
    folder, commit = model_folder(
        model, extra="texts", option=option, revision=revision, organisation="sentence-transformers"
    )
    sentences = is_sentence_model(folder)
    weights = sentence_weights(folder) if sentences else weight_files(folder)
    where = str(pick_device(device))
    try:
        with quietly():
            loaded: TextModel = SentenceModel(folder, where) if sentences else TextTower(folder, where)
            dim = loaded.encode([template]).shape[1]
    except InputError:
        raise
    except Exception as error:  # the libraries raise whatever they meet
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise InputError(f"The text model in {folder} could not be loaded ({reason}): is it whole?") from error
    record = EncoderRecord(
        kind=loaded.kind,
        name=str(model) if commit else folder_name(folder),
        dim=dim,
        sha256=sha256_of(*weights),
        revision=commit,
        preprocessing={"template": template, "longest": loaded.longest, "normalize": True, **loaded.preprocessing},
        place="" if commit else os.path.abspath(folder),
    )
    return WordEncoder(loaded, template, record)


def recorded_text_encoder(
    record: EncoderRecord | None, given: str | Path | None = None, *, device: str = "auto", option: str = "text_encoder"
) -> TextEncoder:
    """The encoder of words that a model or a data set was made with, used as it was used then.

    Args:
        record: what is known of it.
        given: where it is now, or its name; default: as recorded.
        device: auto, cpu, cuda or mps.
        option: the Python parameter by which it is given, for errors.

    Raises:
        InputError: if it is not known and not given, cannot be found, or is another one than that recorded.
    """
    template = str(record.preprocessing.get("template", PLAIN)) if record else PLAIN
    revision = record.revision if record and given is None else None

    def load(model: str | Path) -> TextEncoder:
        return load_text_encoder(model, device=device, template=template, revision=revision, option=option)

    return encoder_of(record, given, load, option)


def describe_classes(
    encoder: TextEncoder,
    descriptions: Sequence[Sequence[str]],
    *,
    batch: int = 64,
    show: Callable[[int], None] = lambda done: None,
) -> Float[np.ndarray, "k s"]:
    r"""Semantics of classes out of what is said of them.

    With :math:`e_{ij}` the encoding of description j of class i, divided by its length, row i is

    .. math:: \sum_j e_{ij}, \text{ divided by its length}

    Args:
        encoder: of words.
        descriptions: of each class at least one.
        batch: texts encoded at once.
        show: is told how many texts are done.

    Returns:
        ``(K, S)`` float32, rows of length 1.

    Raises:
        InputError: if a class has no description, a text is none, or an encoding is zero or not finite.

    Warns:
        DataWarning: if texts are longer than what the encoder reads of one: their end is without effect.
    """
    if batch < 1:
        raise InputError(f"A batch is of at least one text; found batch={batch}.")
    if not len(descriptions) or not all(map(len, descriptions)):
        number = next((k for k, several in enumerate(descriptions) if not len(several)), 0)
        raise InputError(f"Each class needs a description; number {number} (counted from 0) has none.")
    texts = [text for several in descriptions for text in several]
    owners = np.repeat(np.arange(len(descriptions)), [len(several) for several in descriptions])
    check_letters(texts)
    warn_of_cut(encoder, texts)
    rows = np.empty((len(texts), encoder.record.dim), np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # a batch is as long as its longest text
    for start in range(0, len(texts), batch):
        part = order[start : start + batch]
        rows[part] = encoder.encode([texts[i] for i in part])
        show(start + len(part))
    sums = np.zeros((len(descriptions), rows.shape[1]))
    np.add.at(sums, owners, unit(rows.astype(np.float64), texts))
    return unit(sums, [several[0] for several in descriptions]).astype(np.float32)


def check_letters(texts: Sequence[str]) -> None:
    """Raise `InputError` if a text holds bytes that are no letters, as a terminal of another encoding sends them."""
    for text in texts:
        if not text.isascii() and text != text.encode("utf-8", "ignore").decode():
            raise InputError(f"The text {text[:60]!r} is not UTF-8: write it anew, or set the terminal to UTF-8.")


def warn_of_cut(encoder: TextEncoder, texts: Sequence[str]) -> None:
    """Warn of texts whose end is not read."""
    cut = [text for text, long in zip(texts, encoder.too_long(texts), strict=True) if long]
    if cut:
        warnings.warn(
            f"{len(cut)} of {len(texts)} descriptions are longer than what {encoder.record.name} reads of one "
            f"({encoder.record.preprocessing.get('longest')} tokens): their end is without effect. The first is "
            f"{cut[0][:60]!r}; shorten them, or split them into description, description_2, ...",
            DataWarning,
            stacklevel=3,
        )


def unit(rows: Float[np.ndarray, "n s"], texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
    """Rows of length 1.

    Raises:
        InputError: if a row has no length.
    """
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 1e-12)))
    if len(wrong):
        raise InputError(
            f"The text encoder gives no direction for {len(wrong)} descriptions (a zero, NaN or infinite vector), the "
            f"first is {texts[wrong[0]][:60]!r}: take another model, or say it otherwise."
        )
    return rows / lengths[:, None]
