"""``gsmflow export``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError

__all__ = ["export"]


@dataclass(frozen=True)
class ExportArguments:
    """Write a model as an ONNX file, which needs neither gsmflow nor torch: features in, class probabilities out.

    Names of the classes, and which of them were seen, stand in its metadata.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    onnx: Annotated[Path | None, arg(metavar="FILE")] = None
    """the new file"""
    opset: Annotated[int | None, arg(metavar="INT")] = None
    """version of ONNX's operators, 18 to 23; default: the one that torch writes"""
    quiet: bool = False
    """print nothing"""


def export(arguments: list[str]) -> None:
    """Write a model as an ONNX file."""
    asked = cli(ExportArguments, args=arguments, prog="gsmflow export")
    if asked.onnx is None:
        raise InputError("say where to write: gsmflow export MODEL --onnx FILE.")
    from ..devices import using_threads
    from ..experiment import load_model
    from ..export import export_onnx

    model = load_model(asked.model)
    with using_threads(1):
        exported = export_onnx(model, asked.onnx, asked.opset)
    if asked.quiet:
        return
    tried = (
        "not tried, since onnxruntime is not installed"
        if exported.difference is None
        else f"tried in onnxruntime, probabilities differ by {exported.difference:.0e} at most"
    )
    size = os.path.getsize(exported.path) / 2**10
    shown = f"{size:.0f} KiB" if size < 2**10 else f"{size / 2**10:.1f} MiB"
    print(f"onnx: {exported.path} ({shown}, opset {exported.opset}; {tried})")
    print(f"use:  {exported.usage}")
