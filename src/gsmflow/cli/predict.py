"""``gsmflow predict``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from .reading import batches_of, check_teachable, model_of, teller

if TYPE_CHECKING:
    from rich.console import Console

    from ..encoders.inputs import Batch
    from ..model import ZeroShotModel
    from ..model.prediction import Predictions
    from ..progress import Display

__all__ = ["predict"]

Form = Literal["table", "csv", "jsonl", "parquet"]
TOP_K = 5


@dataclass(frozen=True)
class PredictArguments:
    """Name the classes of pictures or features, the most probable first.

    Pictures need the encoder that the model was trained with, which it knows of. Rows of features are counted from 0.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    inputs: Annotated[Positional[tuple[Path, ...]], arg(metavar="INPUT [INPUT ...]")] = ()
    """pictures, a folder of pictures, features as .npy, .safetensors, .parquet or .csv, a folder that extract wrote"""
    listing: Annotated[Path | None, arg(name="list", metavar="FILE")] = None
    """choose among the pictures of a folder: a path a line, relative to it, or CSV with a column file"""
    top_k: Annotated[int | None, arg(metavar="INT")] = None
    """so many classes are named; default 5, or all where there are fewer; the table on a terminal has those of them
    that fit into its width, … stands for the others"""
    format: Annotated[Form | None, arg(metavar="{table,csv,jsonl,parquet}")] = None
    """default: as the name of --out ends; without --out a table"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write to this new file instead of standard output"""
    encoder: Annotated[str | None, arg(metavar="PATH")] = None
    """where the encoder of pictures is now; another one than the model's is refused"""
    reject: Annotated[float | Literal["auto"] | None, arg(metavar="P|auto")] = None
    """take for none of the classes what has no class of this probability; it is the probability among the classes that
    the model knows, so that a picture of something else may well have a greater one; auto takes the threshold that was
    chosen on folds, and tells how often it errs"""
    adapt: bool = False
    """adapt to the inputs first, all of them together, if they are believed; the model's file stays as it is, and the
    features are kept in memory meanwhile"""
    sure: bool = False
    """with --adapt: the inputs hold pictures of all unseen classes and of no other class, so that no test is needed"""
    batch: Annotated[int | None, arg(metavar="INT")] = None
    """pictures that are encoded at a time; default 64"""
    skip_bad: bool = False
    """leave out pictures that cannot be read and rows that hold NaN, and name them; otherwise they end it"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """CPU threads; default: as many as help here and now"""
    quiet: bool = False
    """show no progress; what is left out is named all the same"""


def predict(arguments: list[str]) -> None:
    """Name the classes of pictures or features."""
    asked = cli(PredictArguments, args=arguments, prog="gsmflow predict")
    if not asked.inputs:
        raise InputError("say what to name: gsmflow predict MODEL INPUT, for example gsmflow predict runs/my a.jpg.")
    form = format_of(asked)
    from ..progress import Display

    console = plain_console() if is_read_at_once(asked, form) and not asked.quiet else None
    with Display(quiet=asked.quiet, console=console) as display:
        table = write(asked, form, display)
    if table:  # below what the display has shown, which is gone by now
        put_out(form, table)


def is_read_at_once(asked: PredictArguments, form: Form) -> bool:
    """Whether somebody sees each line as it comes, here or behind a pipe: a bar would erase it."""
    return asked.out is None and form != "table" and (sys.stdout.isatty() or not sys.stdout.seekable())


def plain_console() -> Console:
    """Standard error without a bar."""
    from rich.console import Console

    return Console(stderr=True, force_interactive=False)


def put_out(form: Form, answers: Iterable[Predictions]) -> None:
    """Write to standard output."""
    from ..model.prediction_files import WRITERS

    WRITERS[form](answers, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def format_of(asked: PredictArguments) -> Form:
    """The format to write.

    Raises:
        InputError: if it cannot be told, cannot be written where it is wanted, or a file is there already.
    """
    if asked.out is None:
        if asked.format == "parquet":
            raise InputError("parquet is not for standard output: say where to write it with --out FILE.")
        return asked.format or "table"
    if os.path.lexists(asked.out):
        raise InputError(f"{asked.out} is there already: take it away or choose another --out.")
    if asked.format:
        return asked.format
    kinds: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
    kind = kinds.get(asked.out.suffix.lower())
    if kind is None:
        raise InputError(f"{asked.out} says no format: add --format, or let it end in {', '.join(kinds)}.")
    return kind


def write(asked: PredictArguments, form: Form, display: Display) -> list[Predictions]:
    """Ask the model and write what it says, but for a table on standard output, which is returned."""
    from ..data.formats.files import write_together
    from ..devices import check_threads, pick_threads, using_threads
    from ..encoders.inputs import find_inputs
    from ..model.prediction import check_question
    from ..model.prediction_files import WRITERS, check_table

    if asked.threads is not None:
        check_threads(asked.threads)
    inputs = find_inputs(asked.inputs, asked.listing)
    if form == "table":
        check_table(inputs.count)
    model = model_of(asked.model, asked.device)
    top_k = min(TOP_K, len(model.class_names)) if asked.top_k is None else asked.top_k
    check_question(model, top_k, asked.reject)
    if asked.reject == "auto":
        teller(asked, display)(str(model.about.rejection))
    if asked.sure and not asked.adapt:
        raise InputError("--sure has no effect without --adapt; drop it.")
    if asked.adapt:
        check_teachable(model)
    batches = batches_of(inputs, model, asked, display)
    threads = pick_threads(inputs.count * model.dim) if asked.threads is None else asked.threads
    with ExitStack() as stack:
        stack.enter_context(using_threads(threads))
        if asked.adapt:
            batches = adapted_to(model, batches, asked, inputs.count, display)
        answers = stack.enter_context(closing(predictions(model, batches, top_k, asked, inputs.count, display)))
        if asked.out is not None:
            write_together(asked.out.parent, {asked.out.name: lambda file: WRITERS[form](answers, file)})
            display.say(f"predictions: {asked.out}")
        elif form == "table":
            return list(answers)
        else:
            put_out(form, answers)
    return []


def adapted_to(
    model: ZeroShotModel, batches: Iterator[Batch], asked: PredictArguments, count: int, display: Display
) -> Iterator[Batch]:
    """All batches, kept in memory, when the model has adapted to them or declined, which is told in a sentence."""
    import numpy as np

    from ..encoders.inputs import good_ones
    from . import as_options

    display.begin("read", count)
    kept, done = [], 0
    for batch in batches:
        kept.append(batch)
        done += len(batch.rows) + len(batch.bad)
        display.show(done, {})
    good = [batch.features for batch in good_ones(kept, (lambda line: None) if asked.skip_bad else None)]
    if sum(map(len, good)):  # else it is told that there is nothing to name
        outcome = model.adapt(np.concatenate(good), sure=asked.sure)
        teller(asked, display)(as_options(outcome.sentence))
    return iter(kept)


def predictions(
    model: ZeroShotModel, batches: Iterator[Batch], top_k: int, asked: PredictArguments, count: int, display: Display
) -> Generator[Predictions, None, None]:
    """What the model says of all that is good, while the display tells how far it is."""
    from ..encoders.inputs import good_ones
    from ..model.prediction import ask

    display.begin("predict", count)
    start, done, left_out, rejected = time.perf_counter(), 0, 0, 0
    for batch in good_ones(batches, teller(asked, display) if asked.skip_bad else None):
        answers = ask(model, batch.features, top_k, rows=batch.rows, files=batch.files, reject=asked.reject)
        yield answers
        if asked.out is None:
            sys.stdout.buffer.flush()  # whole lines, before a line is said
        done, left_out = done + len(answers), left_out + len(batch.bad)
        rejected += 0 if answers.rejected is None else int(answers.rejected.sum())
        display.show(done + left_out, {"a second": done / (time.perf_counter() - start)})
    if not done:
        none = "The only input cannot" if left_out == 1 else f"None of the {left_out} inputs can"
        raise InputError(f"{none} be used: there is nothing to name.")
    seconds = time.perf_counter() - start
    parts = [f"{done:,} prediction{'s' * (done != 1)} in {seconds:.1f} s, {done / seconds:,.0f} a second"]
    parts += [f"{left_out:,} left out"] if left_out else []
    parts += [f"{rejected:,} taken for none of the classes"] if asked.reject is not None else []
    display.say(", ".join(parts))
