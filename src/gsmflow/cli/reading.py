"""What a model is asked about or shown, pictures or features, with the encoder that it was trained with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from tyro.conf import arg

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Int

    from ..encoders.inputs import Batch, FeatureInputs, PictureInputs
    from ..model import ZeroShotModel
    from ..progress import Display

__all__ = [
    "Reading",
    "ReadingArguments",
    "batches_of",
    "check_teachable",
    "gathered",
    "model_of",
    "teller",
    "threads_for",
]

PICTURES = 64
"""That are encoded at a time."""


class Reading(Protocol):
    """How pictures and features are read."""

    @property
    def encoder(self) -> str | None:
        """Where the encoder of pictures is now."""
        ...

    @property
    def batch(self) -> int | None:
        """Pictures that are encoded at a time."""
        ...

    @property
    def skip_bad(self) -> bool:
        """Leave out what cannot be read."""
        ...

    @property
    def device(self) -> str:
        """Of model and encoder."""
        ...

    @property
    def threads(self) -> int | None:
        """CPU threads."""
        ...

    @property
    def quiet(self) -> bool:
        """Show no progress."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReadingArguments:
    """Options of commands that read pictures and features."""

    encoder: Annotated[str | None, arg(metavar="PATH")] = None
    """where the encoder of pictures is now; another one than the model's is refused"""
    batch: Annotated[int | None, arg(metavar="INT")] = None
    """pictures that are encoded at a time; default 64"""
    skip_bad: bool = False
    """leave out pictures that cannot be read and rows that hold NaN, and name them; otherwise they end it"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """CPU threads; default: as many as help here and now"""
    quiet: bool = False
    """show no progress"""


def model_of(path: Path, device: str) -> ZeroShotModel:
    """The model to ask.

    Raises:
        InputError: if there is none; where there are data to make it of, it says how.
    """
    from ..data.folder_record import RECORD_FILE
    from ..experiment import load_model
    from ..runs import RunFolder

    folder = RunFolder(path)
    has_data = any((path / name).is_file() for name in ("classes.csv", RECORD_FILE))
    if has_data and not folder.is_begun and not folder.model_file.exists():
        raise InputError(
            f"There is no model {folder.model_file}: {path} is a data set: train on it first (gsmflow train "
            f"{path} --out runs/{path.resolve().name})."
        )
    return load_model(path, device)


def check_teachable(model: ZeroShotModel) -> None:
    """Tell that a model cannot learn from pictures before these are encoded for nothing.

    Raises:
        InputError: if it cannot.
    """
    from ..model.teaching import teachable

    teachable(model)


def batches_of(
    inputs: PictureInputs | FeatureInputs, model: ZeroShotModel, asked: Reading, display: Display
) -> Iterator[Batch]:
    """The features to ask about, when it was seen that the model can be."""
    from ..encoders.images import recorded_image_encoder
    from ..encoders.inputs import FeatureInputs

    known = model.about.encoder
    if isinstance(inputs, FeatureInputs):
        for option, value in (("--encoder", asked.encoder), ("--batch", asked.batch)):
            if value is not None:
                raise InputError(f"{option} is about pictures, and these are features: drop it.")
        inputs.check(model.dim, known)
        for note in inputs.notes:
            display.say(note)
        return inputs.batches()
    encoder = recorded_image_encoder(known, asked.encoder, device=asked.device, threads=asked.threads)
    if encoder.record.dim != model.dim:
        raise InputError(
            f"The encoder {encoder.record} does not give what the model was trained on, features of {model.dim} "
            "dimensions: give the one that was used with encoder=."
        )
    return inputs.batches(encoder, PICTURES if asked.batch is None else asked.batch)


@contextmanager
def threads_for(count: int, asked: Reading) -> Iterator[None]:
    """Compute with the threads that are asked for, or as many as help with so many numbers.

    Raises:
        InputError: if these are no threads.
    """
    from ..devices import check_threads, pick_threads, using_threads

    if asked.threads is not None:
        check_threads(asked.threads)
    with using_threads(pick_threads(count) if asked.threads is None else asked.threads):
        yield


def teller(asked: Reading, display: Display) -> Callable[[str], None]:
    """Takes a line for each input that is left out; it is said even where no progress is shown."""
    return (lambda line: print(f"gsmflow: {line}", file=sys.stderr)) if asked.quiet else display.say


def gathered(
    inputs: PictureInputs | FeatureInputs, model: ZeroShotModel, asked: Reading, display: Display
) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]]:
    """The features of all inputs that are good, in memory (4 n D bytes), and which of the inputs they are of.

    Raises:
        InputError: if one is bad and must not be left out, or none is good.
    """
    import numpy as np

    from ..encoders.inputs import good_ones

    display.begin("read", inputs.count)
    tell = teller(asked, display) if asked.skip_bad else None
    features, rows, done, left_out = [], [], 0, 0
    for batch in good_ones(batches_of(inputs, model, asked, display), tell):
        features.append(batch.features)
        rows.append(batch.rows)
        done, left_out = done + len(batch.rows), left_out + len(batch.bad)
        display.show(done + left_out, {})
    if not done:
        none = "The only input cannot" if left_out == 1 else f"None of the {left_out} inputs can"
        raise InputError(f"{none} be used: there is nothing to learn from.")
    return np.concatenate(features), np.concatenate(rows)
