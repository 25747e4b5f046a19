"""``gsmflow extract``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro import cli
from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from ..encoders.extraction import Extraction
    from ..progress import Display

__all__ = ["extract"]

MOST_LISTED = 20


@dataclass(frozen=True)
class ExtractArguments:
    """Features out of a folder of pictures: what train reads, together with what describe writes.

    The same command goes on where it was interrupted.
    """

    images: Annotated[Positional[Path], arg(metavar="IMAGES")]
    """folder that holds a folder of pictures for each class"""
    model: Annotated[str, arg(metavar="MODEL")]
    """an .onnx file, the folder of a Hugging Face model (ResNet, DINOv2, CLIP, SigLIP, ...), or its name on the hub"""
    out: Annotated[Path, arg(metavar="DIR")]
    """folder to write features, samples.csv and dataset.json into"""
    listing: Annotated[Path | None, arg(name="list", metavar="FILE")] = None
    """which pictures: a path a line, relative to IMAGES, or a table with the header file,class"""
    size: Annotated[tuple[int, ...] | None, arg(metavar="INT [INT]")] = None
    """side, or height and width, that pictures are brought to; default: as the model or a JSON beside it tells"""
    mean: Annotated[tuple[float, ...] | None, arg(metavar="FLOAT [FLOAT FLOAT]")] = None
    """subtracted from values of 0 to 255; default: as the model tells, else 127"""
    std: Annotated[tuple[float, ...] | None, arg(metavar="FLOAT [FLOAT FLOAT]")] = None
    """what they are divided by then; default: as the model tells, else 128"""
    output: Annotated[str | None, arg(metavar="NAME")] = None
    """of an ONNX file, which output the features are, where several could be"""
    skip_bad: bool = False
    """leave out pictures that cannot be read, and list them; without it they are an error, once all others are done"""
    batch: int = 64
    """pictures that are encoded at a time"""
    workers: Annotated[int | None, arg(metavar="INT")] = None
    """threads that decode pictures; default: one a CPU core"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """CPU threads of the model; default: the library's"""
    quiet: bool = False
    """show no progress"""


def extract(arguments: list[str]) -> None:
    """Features out of a folder of pictures."""
    asked = cli(ExtractArguments, args=arguments, prog="gsmflow extract")
    from ..progress import Display

    with Display(quiet=asked.quiet) as display:
        try:
            found = run(asked, display)
        except KeyboardInterrupt:
            print(f"Interrupted. The same command goes on from what is in {asked.out}.", file=sys.stderr)
            sys.exit(130)
    for file, reason in found.bad[:MOST_LISTED]:
        print(f"left out: {file} ({reason})", file=sys.stderr)
    if len(found.bad) > MOST_LISTED:
        others = len(found.bad) - MOST_LISTED
        print(f"left out: {others:,} more, all in {found.folder / 'extract.json'}", file=sys.stderr)
    print(summary(found))


def run(asked: ExtractArguments, display: Display) -> Extraction:
    """List the pictures, load the model, extract."""
    from ..encoders.extraction import extract_features
    from ..encoders.images import load_image_encoder
    from ..encoders.pictures import list_pictures

    pictures = list_pictures(asked.images, asked.listing)
    encoder = load_image_encoder(
        asked.model,
        size=asked.size,
        mean=asked.mean,
        std=asked.std,
        output=asked.output,
        device=asked.device,
        threads=asked.threads,
    )
    display.say(f"{encoder.record} on {encoder.device}")
    display.say(f"pictures: {encoder.preprocessing}")
    return extract_features(
        pictures,
        encoder,
        asked.out,
        batch=asked.batch,
        workers=asked.workers,
        skip_bad=asked.skip_bad,
        display=display,
    )


def summary(found: Extraction) -> str:
    """What came of it, and what to do next, in a few lines."""
    speed = f", {found.encoded / found.seconds:.0f} images a second" if found.encoded else ", all done before"
    counts = f"{found.rows:,} picture{'s' * (found.rows != 1)} of {found.classes:,} class{'es' * (found.classes != 1)}"
    lines = [f"{counts}, {found.dim:,} features each{speed}"]
    if found.bad:
        lines.append(f"{len(found.bad):,} picture{'s were' if len(found.bad) > 1 else ' was'} left out")
    if found.lost:
        few = ", ".join(found.lost[:5]) + (", ..." if len(found.lost) > 5 else "")
        more = len(found.lost) > 1
        lost = (
            f"{len(found.lost):,} classes, which become unseen ones" if more else "a class, which becomes an unseen one"
        )
        lines.append(f"no picture is left of {lost}: {few}")
    return "\n".join([*lines, f"folder: {found.folder}"])
