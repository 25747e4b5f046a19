"""An image encoder by what the user calls it: an ONNX file, a folder, or a name on the hub of Hugging Face."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import EncoderRecord
from ..errors import DataWarning, InputError
from .base import encoder_of
from .preprocessing import Told, asked_for

if TYPE_CHECKING:
    from .huggingface_images import HuggingFaceImageEncoder
    from .onnx_images import OnnxImageEncoder

__all__ = ["load_image_encoder", "recorded_image_encoder"]


def load_image_encoder(
    model: str | Path,
    *,
    size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | None = None,
    recorded: Mapping[str, Any] | None = None,
    revision: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> OnnxImageEncoder | HuggingFaceImageEncoder:
    """Load what makes features out of pictures.

    Args:
        model: an ``.onnx`` file, the folder of a Hugging Face model, or its name on the hub.
        size: side of the square, or height and width, that pictures are brought to; instead of the model's own.
        mean: subtracted from values of 0 to 255, one or one a channel; instead of the model's own.
        std: what they are divided by then.
        output: of an ONNX file, where several could be the features.
        recorded: the whole preprocessing as `EncoderRecord.preprocessing` has it; nothing else is looked at then.
        revision: commit on the hub; default the newest.
        device: auto, cpu, cuda or mps.
        threads: CPU threads of the encoder; default: the library's.

    Raises:
        InputError: if there is no such model, it is damaged, gives nothing that could be features, or is asked for
            what it cannot.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads= is at least 1; found {threads}.")
    path = Path(model).expanduser()
    asked = asked_for(size, mean, std, output)
    if recorded is not None and asked != Told():
        raise InputError("What is recorded of an encoder is not changed by size=, mean=, std= or output=; drop them.")
    if path.suffix.lower() == ".onnx":
        from .onnx_images import OnnxImageEncoder

        return OnnxImageEncoder(path, asked, recorded=recorded, device=device, threads=threads)
    if path.is_file():
        raise InputError(f"{path} is a file, but no .onnx file: give one, a folder, or a name on the Hugging Face hub.")
    from .huggingface_images import HuggingFaceImageEncoder

    return HuggingFaceImageEncoder(
        path if path.is_dir() else model,
        asked,
        recorded=recorded,
        revision=revision,
        device=device,
        threads=threads,
    )


def recorded_image_encoder(
    record: EncoderRecord | None,
    given: str | Path | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    option: str = "encoder",
) -> OnnxImageEncoder | HuggingFaceImageEncoder:
    """The encoder that a model or a data set was made with, which treats pictures as it did then.

    Args:
        record: what is known of it.
        given: where it is now, or its name; default: as recorded.
        device: auto, cpu, cuda or mps.
        threads: CPU threads of the encoder.
        option: the Python parameter by which it is given, for errors.

    Raises:
        InputError: if it is not known and not given, cannot be found, or is another one than that recorded.
    """
    anyhow = partial(load_image_encoder, device=device, threads=threads)
    as_recorded = partial(
        anyhow,
        recorded=record.preprocessing if record else None,
        revision=record.revision if record and given is None else None,
    )

    def load(model: str | Path) -> OnnxImageEncoder | HuggingFaceImageEncoder:
        try:
            return as_recorded(model)
        except InputError as error:
            with warnings.catch_warnings(), suppress(InputError):
                warnings.simplefilter("ignore", DataWarning)
                other = anyhow(model)
                if record and other.record.sha256 != record.sha256:
                    return other  # it cannot do what is recorded since it is another one, which `encoder_of` tells
            raise error

    return encoder_of(record, given, load, option)
