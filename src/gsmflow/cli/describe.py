"""``gsmflow describe``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError

if TYPE_CHECKING:
    from ..encoders import TextEncoder

__all__ = ["describe"]


@dataclass(frozen=True)
class DescribeArguments:
    """Turn the descriptions of classes into semantics, by a model of texts.

    Of several descriptions of a class (columns description, description_2, ...) the mean is taken. The folder gets
    classes.csv, semantics.npy, semantics.csv, and in dataset.json the record of the model."""

    classes: Annotated[Positional[Path | None], arg(metavar="CLASSES.csv")] = None
    """a row a class: name, description, ..., or the folder that holds classes.csv"""
    model: Annotated[str | None, arg(metavar="MODEL")] = None
    """sentence-transformers, or CLIP or SigLIP of transformers: a local folder, or a name on the Hugging Face hub"""
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder of the data set; default: where CLASSES.csv lies"""
    template: Annotated[str, arg(metavar="STR")] = "{}"
    """what is said of each text, which {} stands for: "a photo of a {}" """
    overwrite: bool = False
    """let another classes.csv, or semantics made otherwise, be replaced"""
    batch: Annotated[int, arg(metavar="INT")] = 64
    """texts encoded at once"""
    device: Annotated[str, arg(metavar="STR")] = "auto"
    """auto, cpu, cuda or mps"""
    quiet: bool = False
    """print the result only"""


def describe(arguments: list[str]) -> None:
    """Turn descriptions of classes into semantics, by a model of texts."""
    asked = cli(DescribeArguments, args=arguments, prog="gsmflow describe")
    if asked.classes is None or asked.model is None:
        raise InputError("say which table and which model: gsmflow describe CLASSES.csv --model MODEL --out DIR.")
    from ..encoders.description import describe_table
    from ..progress import Display

    path = asked.classes / "classes.csv" if asked.classes.is_dir() else asked.classes
    out = asked.out or path.parent
    with Display(quiet=asked.quiet) as display:

        def load() -> TextEncoder:
            from ..encoders.texts import load_text_encoder

            display.say(f"loading {asked.model}")
            encoder = load_text_encoder(asked.model or "", device=asked.device, template=asked.template)
            display.say(f"{encoder.record}")
            return encoder

        semantics = describe_table(path, out, load, batch=asked.batch, overwrite=asked.overwrite, display=display)
    print(f"{out}: semantics of {len(semantics)} classes in {semantics.shape[1]} dimensions")
