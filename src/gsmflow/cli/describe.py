"""``gsmflow describe``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
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
    """sentence-transformers, or CLIP or SigLIP of transformers: a local folder, or a name on the Hugging Face hub;
    default: the one that dataset.json of the folder records"""
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder of the data set; default: where CLASSES.csv lies"""
    template: Annotated[str | None, arg(metavar="STR")] = None
    """what is said of each text, which {} stands for: "a photo of a {}"; default: "{}", or as it is recorded"""
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
    if asked.classes is None:
        raise InputError("say which table and which model: gsmflow describe CLASSES.csv --model MODEL --out DIR.")
    from ..data.folder_record import RECORD_FILE, read_record
    from ..encoders.description import describe_table
    from ..progress import Display

    path = asked.classes / "classes.csv" if asked.classes.is_dir() else asked.classes
    out = asked.out or path.parent
    record = None if asked.model else read_record(out).text_encoder
    if not (asked.model or record):
        raise InputError(
            f"say which model: gsmflow describe {shlex.quote(str(asked.classes))} --model MODEL; none is recorded in "
            f"{out / RECORD_FILE}."
        )
    with Display(quiet=asked.quiet) as display:

        def load() -> TextEncoder:
            from ..encoders.texts import PLAIN, load_text_encoder, recorded_text_encoder

            if asked.model:
                display.say(f"loading {asked.model}")
                encoder = load_text_encoder(asked.model, device=asked.device, template=asked.template or PLAIN)
            else:
                assert record
                template = record.preprocessing.get("template", PLAIN)
                with_template = (
                    f" with the template {template!r}" if asked.template is None and template != PLAIN else ""
                )
                display.say(f"loading {record.name}{with_template}, as recorded in {out / RECORD_FILE}")
                asked_for = {} if asked.template is None else {"template": asked.template}
                wanted = replace(record, preprocessing={**record.preprocessing, **asked_for})
                encoder = recorded_text_encoder(wanted, device=asked.device, option="model")
            display.say(f"{encoder.record}")
            return encoder

        semantics = describe_table(path, out, load, batch=asked.batch, overwrite=asked.overwrite, display=display)
    print(f"{out}: semantics of {len(semantics)} classes in {semantics.shape[1]} dimensions")
