"""Any ONNX file that takes pictures: features by onnxruntime, without torch or transformers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import EncoderRecord
from ..errors import InputError
from ..files import sha256_of
from ..overrides import validate
from .base import needs
from .pixels import Preprocessing
from .preprocessing import Told, complete, override_told, read_told

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

__all__ = ["OnnxImageEncoder"]

NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Port:
    """Where pictures go in.

    Attributes:
        name: of the input.
        dtype: of its numbers.
        channels: 1 or 3.
        channels_first: whether (n, c, h, w), else (n, h, w, c).
        size: height and width, where they are fixed.
        batch: pictures that it takes at a time, where that is fixed.
    """

    name: str
    dtype: type[np.floating[Any]]
    channels: int
    channels_first: bool
    size: tuple[int, int] | None
    batch: int | None


class OnnxImageEncoder:
    """Features of pictures by an ONNX file.

    Args:
        path: the file.
        asked: of the preprocessing, instead of what is told of it.
        recorded: the whole preprocessing as it was recorded; nothing else is looked at then.
        device: auto, cpu or cuda.
        threads: CPU threads; default: one a core.

    Raises:
        InputError: if onnxruntime is not installed; if the file is damaged, takes no pictures, or gives nothing, or
            several things, that could be features.
    """

    def __init__(
        self,
        path: Path,
        asked: Told,
        *,
        recorded: Mapping[str, Any] | None = None,
        device: str = "auto",
        threads: int | None = None,
    ):
        self.session, self.device = open_session(path, device, threads)
        self.port = port_of(self.session.get_inputs(), path.name)
        if recorded is None:
            told = tell(path, asked, self.port)
            self.preprocessing, output = complete(told, self.port.channels, path.name), told.output
        else:
            given = {key: value for key, value in recorded.items() if key != "output"}
            self.preprocessing, output = validate(Preprocessing, given, path), recorded.get("output")
        check_size(self.preprocessing, self.port, path.name)
        values = self.try_out(path.name)
        self.output = output_of(values, output, path.name)
        self.record = EncoderRecord(
            kind="onnx",
            name=path.name,
            dim=self.pooled(values[self.output]).shape[1],
            sha256=sha256_of(path, *weights_beside(path)),
            preprocessing={**self.preprocessing.as_json(), "output": self.output},
            place=os.path.abspath(path),
        )

    def prepare(self, picture: Image) -> Float[np.ndarray, "c h w"]:
        """The pixels that `encode` takes."""
        return self.preprocessing(picture)

    def encode(self, pixels: Sequence[Float[np.ndarray, "c h w"]]) -> Float[np.ndarray, "n d"]:
        """Features of a batch; one that is not of the size that the file wants is cut up or filled."""
        step = self.port.batch or max(1, len(pixels))
        parts = [self.run([self.output], pixels[k : k + step])[0] for k in range(0, len(pixels), step)]
        return np.concatenate([self.pooled(part) for part in parts] or [np.empty((0, self.record.dim), np.float32)])

    def run(self, outputs: list[str], pixels: Sequence[Float[np.ndarray, "c h w"]]) -> list[np.ndarray]:
        """These outputs for at most as many pictures as the file takes at a time."""
        count = self.port.batch or len(pixels)
        rows = np.zeros((count, *pixels[0].shape), self.port.dtype)
        np.stack(pixels, out=rows[: len(pixels)], casting="same_kind")
        if not self.port.channels_first:
            rows = np.ascontiguousarray(rows.transpose(0, 2, 3, 1))
        return [values[: len(pixels)] for values in self.session.run(outputs, {self.port.name: rows})]

    def pooled(self, values: np.ndarray) -> Float[np.ndarray, "n d"]:
        """Rows; of a map the mean over its places."""
        if values.ndim == 4:
            values = values.mean(axis=(2, 3) if self.port.channels_first else (1, 2), dtype=np.float32)
        return values.astype(np.float32, copy=False)

    def try_out(self, name: str) -> dict[str, np.ndarray]:
        """All outputs for pictures of nothing."""
        names = [output.name for output in self.session.get_outputs()]
        blank = np.zeros((self.port.channels, *self.preprocessing.size), np.float32)
        count = min(2, self.port.batch or 2)
        try:
            values = self.run(names, [blank] * count)
        except Exception as error:  # onnxruntime raises its own kinds, for whatever a file may hold
            raise InputError(
                f"{name} fails on pictures of {' x '.join(map(str, self.preprocessing.size))} pixels ({brief(error)}): "
                "give the size that it was made for with size=, or export it once more."
            ) from error
        return {key: value for key, value in zip(names, values, strict=True) if len(value) == count}

    def __repr__(self) -> str:
        return f"OnnxImageEncoder({self.record})"


def open_session(path: Path, device: str, threads: int | None) -> tuple[Any, str]:
    """The file as onnxruntime has it, and the device that it runs on."""
    try:
        import onnxruntime
    except ImportError as error:
        raise needs("onnx", error) from error
    if not path.is_file():
        raise InputError(f"There is no file {path}: say which ONNX file to take.")
    here = [name for name, provider in PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
    if device not in ("auto", *here):
        raise InputError(f"ONNX files run here on {' or '.join(here)}; found device={device!r}.")
    wanted = [name for name in ("cuda", "cpu") if name in here and device in ("auto", name, "cuda")]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    # Threads that spin while they wait take the cores from those that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=[PROVIDERS[name] for name in wanted])
    except Exception as error:  # onnxruntime raises its own kinds, for whatever a file may hold
        raise InputError(
            f"{path} is not a readable ONNX file ({brief(error)}); it has {path.stat().st_size:,} bytes and may be cut "
            "off, or weights beside it are missing: copy or export it once more."
        ) from error
    runs_on = "cuda" if PROVIDERS["cuda"] in session.get_providers() else "cpu"
    if device not in ("auto", runs_on):
        raise InputError(f"onnxruntime finds no GPU that it can use here; found device={device!r}, take cpu or auto.")
    return session, runs_on


def brief(error: Exception) -> str:
    """What an error of onnxruntime says, on one line and not endless."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."


def port_of(inputs: Sequence[Any], name: str) -> Port:
    """The one input that pictures fit into.

    Raises:
        InputError: if there is none, or the file wants other things as well.
    """
    found = ", ".join(f"{i.name} ({', '.join(map(str, i.shape))}) {i.type}" for i in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in NUMBERS:
        raise InputError(
            f"{name} does not take pictures alone: it wants {found}, where one input (n, 3, height, width) of floats "
            "is due; export the half that reads pictures."
        )
    only = inputs[0]
    sides = [side if isinstance(side, int) and side > 0 else None for side in only.shape]
    first = sides[1] in (1, 3)
    if not first and sides[3] not in (1, 3):
        raise InputError(f"{name} takes no pictures of 3 colours or of grey: it wants {found}.")
    height, width = (sides[2], sides[3]) if first else (sides[1], sides[2])
    channels = sides[1] if first else sides[3]
    assert channels is not None
    size = (height, width) if height and width else None
    return Port(only.name, NUMBERS[only.type], channels, first, size, sides[0])


def output_of(values: Mapping[str, np.ndarray], asked: str | None, name: str) -> str:
    """Which output the features are: rows, or where there are none a map.

    Raises:
        InputError: if none can be, or several, or the one asked for cannot.
    """
    floats = {key: value.ndim for key, value in values.items() if value.dtype.kind == "f"}
    rows, maps = ([key for key, axes in floats.items() if axes == wanted] for wanted in (2, 4))
    fit = [key for key in rows + maps if key == asked] if asked else rows or maps
    if len(fit) == 1:
        return fit[0]
    found = ", ".join(f"{key} ({', '.join(('n', *map(str, value.shape[1:])))})" for key, value in values.items())
    if len(fit) > 1:
        raise InputError(f"{name} has several outputs that could be the features: {found}; say which with output=.")
    raise InputError(
        f"{name} has no output {f'{asked!r} ' if asked else ''}that could be features, which are (n, D) or a map "
        f"(n, D, height, width); found {found or 'nothing with a row a picture'}."
    )


def tell(path: Path, asked: Told, port: Port) -> Told:
    """What is told of the preprocessing, by a file beside it, by options, by the file itself."""
    beside = [path.with_suffix(".json"), Path(f"{path}.json")]
    beside += [path.parent / name for name in ("preprocessing.json", "preprocessor_config.json")]
    told, source = Told(), ""
    for file in beside:
        if file.is_file():
            told, source = read_told(file), str(file)
            break
    told = override_told(told, asked, source)
    return told if told.size is not None else replace(told, size=port.size)


def check_size(preprocessing: Preprocessing, port: Port, name: str) -> None:
    """Refuse a size or channels that the file does not take."""
    if port.size not in (None, preprocessing.size):
        ours, theirs = (" x ".join(map(str, size)) for size in (preprocessing.size, port.size))
        raise InputError(f"{name} takes pictures of {theirs} pixels only; found {ours}: drop size=, or mend its JSON.")
    if len(preprocessing.mean) != port.channels:
        raise InputError(f"{name} takes {port.channels} channels; recorded are {len(preprocessing.mean)}.")


def weights_beside(path: Path) -> tuple[Path, ...]:
    """Files that hold weights of an ONNX file, where they stand beside it, sorted."""
    try:
        import onnx
    except ImportError as error:
        raise needs("onnx", error) from error
    model = onnx.load(str(path), load_external_data=False)
    tensors = [tensor for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    names = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    return tuple(path.parent / name for name in sorted(names))
