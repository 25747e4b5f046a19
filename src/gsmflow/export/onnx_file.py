"""A model as an ONNX file: raw features to class probabilities, for programs that have no torch."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InputError
from ..files import write_atomically
from ..generators import Sampler
from ..overrides import plain
from ..seeds import generator as seeded
from .probabilities import Probabilities

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..model import ZeroShotModel

__all__ = ["EXACTNESS", "OPSETS", "ExportedModel", "export_onnx"]

EXACTNESS = 1e-4
"""By so much a probability may differ from that of the model; a file that differs more is not written."""
OPSETS = range(18, 24)
"""Versions of the operators of ONNX that can be asked for."""
TRIED = (1, 7, 1000)
"""Numbers of rows that a new file is tried with."""
MOST_BYTES = 2**31 - 2**20
"""Of one ONNX file: more must lie in a second file, and then it is no longer one that can be moved anywhere."""


@dataclass(frozen=True)
class ExportedModel:
    """What was written.

    Attributes:
        path: the file.
        dim: D of the input ``features``, ``(n, D)`` float32.
        classes: K of the output ``probabilities``, ``(n, K)`` float32.
        opset: version of its operators.
        difference: the greatest between its probabilities and the model's; None where onnxruntime is not installed.
    """

    path: Path
    dim: int
    classes: int
    opset: int
    difference: float | None

    @property
    def usage(self) -> str:
        """One line of Python that asks it."""
        return (
            f"onnxruntime.InferenceSession({str(self.path)!r}).run(None, {{'features': x}})[0]"
            f"  # float32 (n, {self.dim}) -> (n, {self.classes})"
        )


def export_onnx(model: ZeroShotModel, path: str | Path, opset: int | None = None) -> ExportedModel:
    """Write a model as an ONNX file: input ``features`` ``(n, D)``, output ``probabilities`` ``(n, K)``, any n.

    Its metadata hold ``class_names`` and ``seen``, both a JSON list of K entries, and ``encoder``, what made the
    features out of pictures, where that is known. Where onnxruntime is installed the file is tried on features before
    it is written.

    Args:
        model: is left as it is.
        path: of the file, which must not be there yet.
        opset: version of the operators, of `OPSETS`; default: what torch writes.

    Raises:
        InputError: if a library is missing, the model cannot be exported, or the file cannot be written.
    """
    path = Path(path)
    if os.path.lexists(path):
        raise InputError(f"{path} is there already: take it away or choose another name.")
    if opset is not None and opset not in OPSETS:
        raise InputError(f"opset= must be from {OPSETS[0]} to {OPSETS[-1]}; found {opset}.")
    check_libraries()
    here = (deepcopy(model).cpu() if model.device.type != "cpu" else model).eval()
    module = Probabilities(here).eval()
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    if size > MOST_BYTES:
        raise InputError(
            f"The model has {size / 2**30:.1f} GiB of weights, and an ONNX file holds 2 GiB: train with fewer "
            "dimensions, or use the model file itself."
        )
    content, version = onnx_bytes(module, here, opset)
    difference = greatest_difference(content, here)
    write_atomically(path, content)
    return ExportedModel(path, here.dim, len(here.class_names), version, difference)


def check_libraries() -> None:
    """Raise `InputError` if what writes the file is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"This needs {error.name or 'a library'} that is not installed: pip install 'gsmflow[onnx]'."
        ) from error


def onnx_bytes(module: Probabilities, model: ZeroShotModel, opset: int | None) -> tuple[bytes, int]:
    """The content of the file, and the version of its operators."""
    example = (torch.zeros(2, model.dim),)
    try:
        with torch.no_grad(), in_silence():
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=["features"],
                output_names=["probabilities"],
                dynamic_shapes={"features": {0: torch.export.Dim("rows")}},
                verbose=False,
            )
        assert program
        proto = program.model_proto
    except Exception as error:  # whatever torch meets: it has many kinds of errors for what it cannot export
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"A model of the generator {model.settings.generator!r} with the recognizer {model.about.recognizer!r} "
            f"cannot be exported ({reason}); use the model file itself."
        ) from error
    forget_source(proto)
    for key, value in metadata(model).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    return proto.SerializeToString(), next(one.version for one in proto.opset_import if not one.domain)


def forget_source(proto: Any) -> None:
    """Take out from which line of which file on this machine each operator came."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""


def metadata(model: ZeroShotModel) -> Mapping[str, str]:
    """What the file says of itself."""
    about: dict[str, Any] = {
        "class_names": model.class_names,
        "seen": model.is_seen.tolist(),
        "dataset": model.about.dataset,
        "encoder": plain(model.about.encoder) if model.about.encoder else None,
        "gsmflow": model.about.version,
    }
    return {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()}


def greatest_difference(content: bytes, model: ZeroShotModel) -> float | None:
    """Between the probabilities of a file and those of its model, on features such as the model knows.

    Raises:
        InputError: if it is more than `EXACTNESS`, or the file does not run.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        differences = [0.0]
        for count in TRIED:
            x = tried_features(model, count)
            found = np.asarray(session.run(None, {"features": x})[0])
            differences.append(float(np.abs(found - model.predict_proba(x)).max()))
    except Exception as error:  # onnxruntime has no common kind of error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"onnxruntime cannot run the exported model ({reason}): choose another opset=.") from error
    if not max(differences) <= EXACTNESS:
        raise InputError(
            f"In onnxruntime the exported model gives other probabilities, by up to {max(differences):.2g}: nothing "
            "was written; use the model file itself."
        )
    return max(differences)


def tried_features(model: ZeroShotModel, count: int) -> Float[np.ndarray, "n d"]:
    """Generated features of all classes in turn, or where none can be generated noise of the features' scale."""
    if isinstance(model.generator, Sampler):
        return model.generate(np.arange(count) % len(model.class_names))
    noise = torch.randn(count, model.dim, generator=seeded(model.device, 0, "export"))
    return model.scaling.inverse(noise).numpy()


@contextmanager
def in_silence() -> Iterator[None]:
    """What torch says while it exports is about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
