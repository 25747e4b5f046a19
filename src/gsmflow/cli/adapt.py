"""``gsmflow adapt``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from .reading import ReadingArguments, check_teachable, gathered, model_of, threads_for
from .replacing import replaced, state_of, target_of, told

__all__ = ["adapt"]


@dataclass(frozen=True)
class AdaptArguments(ReadingArguments):
    """Adapt a model to a pile of unlabelled pictures or features, such as those that are to be sorted.

    A pile that is small, of few classes or of other things is not believed: a sentence says so, and nothing is written.
    A later pile takes the place of this one; gsmflow forget MODEL unlabelled takes it back.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    inputs: Annotated[Positional[tuple[Path, ...]], arg(metavar="INPUT [INPUT ...]")] = ()
    """pictures, a folder of pictures, features as .npy, .safetensors, .parquet or .csv, a folder that extract wrote;
    their features are kept in memory"""
    listing: Annotated[Path | None, arg(name="list", metavar="FILE")] = None
    """choose among the pictures of a folder: a path a line, relative to it, or CSV with a column file"""
    sure: bool = False
    """the pile holds pictures of all unseen classes and of no other class, so that no test is needed"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""


def adapt(arguments: list[str]) -> None:
    """Adapt a model to unlabelled pictures or features."""
    asked = cli(AdaptArguments, args=arguments, prog="gsmflow adapt")
    if not asked.inputs:
        raise InputError("say what to adapt to: gsmflow adapt MODEL INPUT, for example gsmflow adapt runs/my new/.")
    from ..encoders.inputs import find_inputs
    from ..progress import Display

    with Display(quiet=asked.quiet) as display:
        inputs = find_inputs(asked.inputs, asked.listing)
        before = state_of(asked.model)
        model, target = model_of(asked.model, asked.device), target_of(asked.model, asked.out)
        check_teachable(model)
        with threads_for(inputs.count * model.dim, asked):
            outcome = model.adapt(gathered(inputs, model, asked, display)[0], sure=asked.sure)
        if outcome.believed:
            with replaced(asked.model, target, model, before):
                model.save(target)
    from . import as_options

    end = told(model, asked.model, asked.out) if outcome.believed else "nothing is written"
    print(f"{as_options(outcome.sentence)}; {end}")
