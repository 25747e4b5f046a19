"""What encoders of pictures and of words have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..data import EncoderRecord
from ..errors import InputError
from ..files import read_json

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from PIL.Image import Image

__all__ = [
    "ImageEncoder",
    "TextEncoder",
    "differences",
    "encoder_of",
    "folder_name",
    "model_folder",
    "needs",
    "quietly",
    "weight_files",
]


class ImageEncoder(Protocol):
    """Features out of pictures."""

    record: EncoderRecord

    def prepare(self, picture: Image) -> Float[np.ndarray, "c h w"]:
        """The pixels that `encode` takes, float32; safe to be called in several threads at once."""
        ...

    def encode(self, pixels: Sequence[Float[np.ndarray, "c h w"]]) -> Float[np.ndarray, "n d"]:
        """Features of a batch, float32."""
        ...


class TextEncoder(Protocol):
    """Semantics out of words."""

    record: EncoderRecord

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
        """Semantics of each text, float32, of whatever length; all texts are one batch."""
        ...

    def too_long(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than what is read of one: their end is without effect."""
        ...


class HasRecord(Protocol):
    """What says what it is."""

    record: EncoderRecord


Encoder = TypeVar("Encoder", bound=HasRecord)


def encoder_of(
    record: EncoderRecord | None, given: str | Path | None, load: Callable[[str | Path], Encoder], option: str
) -> Encoder:
    """The encoder that a model or a data set was made with: as given, where it was, or by its name.

    Args:
        record: what is known of it.
        given: where it is now, or its name; default: as recorded.
        load: of its kind.
        option: the Python parameter by which it is given, for errors.

    Raises:
        InputError: if it is not known and not given, cannot be found, or is another one than that recorded.
    """
    if record is None and given is None:
        raise InputError(f"It is not known which encoder was used: give it with {option}=.")
    if given is None:
        assert record
        given = record.place if record.place and Path(record.place).exists() else record.name
        if record.place and given == record.name and not Path(record.name).exists():  # it never was on a hub
            raise InputError(f"The encoder {record} is no longer at {record.place}: say where it is with {option}=.")
    encoder = load(given)
    if record is not None and not encoder.record.is_same(record):
        if encoder.record.sha256 == record.sha256:
            how = differences(record.preprocessing, encoder.record.preprocessing)
            raise InputError(
                f"{given} has the weights of the encoder that was used, but is set up in another way ({how}): give "
                f"that one with {option}=."
            )
        raise InputError(
            f"{given} is another encoder than the one that was used: found {encoder.record}, recorded is {record}; "
            f"give that one with {option}=."
        )
    return encoder


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is done to pictures or texts in another way.

    Example:
        >>> differences({"template": "{}", "longest": 8}, {"template": "a {}", "longest": 8})
        "template '{}', now 'a {}'"
    """
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return ", ".join(f"{key} {before.get(key)!r}, now {now.get(key)!r}" for key in keys)


HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""What is fetched of a model on the hub: no pickled weights, no code."""
ELSEWHERE = ["onnx/*", "openvino/*", "original/*"]
"""What is not: the same weights again for other programs."""


def model_folder(
    model: str | Path, *, extra: str, option: str, revision: str | None = None, organisation: str = ""
) -> tuple[Path, str | None]:
    """The folder that holds a model of Hugging Face: as given, or the local copy of one on the hub, fetched once.

    Args:
        model: a local folder, or a name on the hub such as ``openai/clip-vit-large-patch14``.
        extra: of gsmflow that brings the library, for errors.
        option: the Python parameter by which the model is given, for errors.
        revision: commit on the hub; default the newest.
        organisation: on the hub, of a name that says none.

    Returns:
        The folder, and its commit on the hub; None for a folder of one's own.

    Raises:
        InputError: if there is no such folder and no such model on the hub, or the hub cannot be reached.
    """
    if Path(model).is_dir():
        return Path(model), None
    name = str(model)
    if Path(name).exists() or name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise InputError(
            f"There is no folder {name}: give the folder of a model, or its name on the hub, with {option}=."
        )
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError as error:
        raise needs(extra, error) from error
    on_hub = name if "/" in name or not organisation else f"{organisation}/{name}"
    try:
        copy = snapshot_download(on_hub, revision=revision, allow_patterns=HUB_FILES, ignore_patterns=ELSEWHERE)
    except (OSError, ValueError) as error:  # the library's own errors are of these two kinds
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else str(error).strip().partition("\n")[0][:200]
        raise InputError(
            f"There is no folder {name}, and {on_hub} could not be downloaded from the hub ({reason}): give the folder "
            f"of a model, or another name, with {option}=."
        ) from error
    return Path(copy), Path(copy).name


GENERIC = re.compile(r"model|main|master|best|final|latest|snapshot|checkpoint(-\d+)?|[0-9a-f]{32,64}", re.IGNORECASE)
"""Names of folders that do not tell which model lies there."""


def folder_name(folder: Path) -> str:
    """How a model in a folder of one's own is called: as the folder, with the one above where that tells nothing.

    Example:
        >>> folder_name(Path("/models/clip")), folder_name(Path("/mine/animals/model"))
        ('clip', 'animals/model')
        >>> folder_name(Path("/hub/models--openai--clip/snapshots/0123456789abcdef0123456789abcdef01234567"))
        'openai/clip'
    """
    place = folder.resolve()
    if not GENERIC.fullmatch(place.name):
        return place.name
    cached = place.parents[1].name if place.parent.name == "snapshots" else ""
    if cached.startswith("models--"):
        return cached.removeprefix("models--").replace("--", "/")
    return f"{place.parent.name}/{place.name}".lstrip("/")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a model's folder that transformers loads, sorted by name.

    `gsmflow.files.sha256_of` over them says which model it is. Both halves of CLIP or SigLIP, of images and of words,
    stand in the same files: that is how it is known that they lie in one space.

    Raises:
        InputError: if there are none, or not all. Pickled weights (``pytorch_model.bin``) are never loaded.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise InputError(
            f"{folder} holds no model.safetensors; weights in pickled files such as pytorch_model.bin are not read, "
            "since they can run code: save the model once more with save_pretrained of transformers, or take another."
        )
    parts = read_json(index).get("weight_map")
    files = tuple(folder / name for name in sorted(set(map(str, parts.values())))) if isinstance(parts, dict) else ()
    missing = [file.name for file in files if not file.is_file()] or ([] if files else ["no file at all"])
    if missing:
        raise InputError(f"{folder} lacks weights ({index.name} names {missing[0]}): copy the whole model.")
    return files


@contextmanager
def quietly() -> Iterator[None]:
    """Let transformers show no bars and tell nothing but errors."""
    try:
        from transformers.utils import logging
    except ImportError:  # there is nothing to be heard then; who needs it says so
        yield
        return
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def needs(extra: str, error: ImportError) -> Any:
    """The sentence about an optional library that is missing."""
    return InputError(f"This needs {error.name or 'a library'} that is not installed: pip install 'gsmflow[{extra}]'.")
