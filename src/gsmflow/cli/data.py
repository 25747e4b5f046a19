"""``gsmflow data``: known benchmarks, a folder of one's own data, what is missing in it, and other formats."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg
from tyro.extras import subcommand_cli_from_dict

from ..errors import DataWarning, InputError
from .fetch import fetch
from .options import DataArguments

if TYPE_CHECKING:
    from ..data import ZeroShotDataset
    from ..data.advice import Advice

__all__ = ["data"]


def data(arguments: list[str]) -> None:
    """Start, check and convert data sets; list and fetch known benchmarks."""
    commands = {"init": init, "check": check, "convert": convert, "list": list_benchmarks, "fetch": fetch}
    subcommand_cli_from_dict(commands, args=arguments, prog="gsmflow data")


def init(folder: Annotated[Positional[Path], arg(metavar="DIR")]) -> None:
    """Make a folder for data of one's own: a commented classes.csv, images/, and HOWTO.txt.

    Args:
        folder: made if it is not there; classes that have pictures in its images/, or samples, are named already.
    """
    from ..data.skeleton import HOWTO_FILE, write_skeleton

    named = write_skeleton(folder)
    print(f"{folder} is there. {folder / HOWTO_FILE} says how to fill it in.")
    if named:
        print(f"{folder / 'classes.csv'} names the {len(named)} classes found; add those that have no pictures.")
    print(f"next: fill in {folder / 'classes.csv'}, then: gsmflow data check {shlex.quote(str(folder))}")


def check(
    dataset: Annotated[Positional[str], arg(metavar="DATASET")],
    options: Annotated[DataArguments, arg(name="")] = DataArguments(),  # noqa: B008
) -> None:
    """Say what a data set holds, and what is missing or wrong in it.

    Args:
        dataset: an embedded data set, a folder that holds the files, or a folder under the data root.
        options: which files to read.
    """
    from ..data.formats import formats_in

    try:
        found, told = load_quietly(dataset, options)
    except InputError as error:
        folder = own_folder(dataset, options.data_root)
        if folder and not formats_in(folder):
            begin = f"to begin one of your own there: gsmflow data init {shlex.quote(str(folder))}"
            raise InputError(f"{str(error).removesuffix('.')}; {begin}") from error
        advice = advice_on(folder) if folder else None
        if not advice or not advice.todo:
            raise
        print_advice(folder, advice)
        sys.exit(2)
    print_summary(found)
    told = [*told, *told_of_noise(found)]
    for kind, sentences in (("note", found.provenance.notes), ("warning", (*found.warnings, *told))):
        for sentence in sentences:  # below the table, and unwrapped: commands in it are copied
            print(f"{kind}: {sentence}")
    print(f"next: {command_train(dataset, found, options)}")


def told_of_noise(found: ZeroShotDataset) -> list[str]:
    """What the method gsmflow would do to features that are small beside its noise; nothing where they are not."""
    from ..recipes import load_method
    from ..selection.noise import noise_sentence

    sentence = noise_sentence(found, load_method("gsmflow", found.name).settings)
    return [sentence] if sentence else []


def convert(
    source: Annotated[Positional[str], arg(metavar="SOURCE")],
    target: Annotated[Positional[Path], arg(metavar="TARGET")],
    to: Annotated[str, arg(metavar="FORMAT")],
    data_root: Annotated[Path | None, arg(metavar="PATH")] = None,
    features: Annotated[str | None, arg(metavar="STR")] = None,
    semantics: Annotated[str | None, arg(metavar="STR")] = None,
    allow_overlap: bool = False,
    classes: Annotated[int | None, arg(metavar="INT")] = None,
    samples: Annotated[int | None, arg(metavar="INT")] = None,
    seed: int = 0,
) -> None:
    """Write a data set in another format, whole or a small one cut out of it, and say what that does not hold.

    Args:
        source: a data set, as gsmflow train takes it.
        target: folder to write.
        to: folder (of one's own data), numpy, xlsa17 or packed.
        data_root: folder that holds the data sets; default data.
        features: features file without .mat, e.g. res101.
        semantics: semantics file without _splits.mat, e.g. att; or attributes or text of a folder.
        allow_overlap: accept a published file that has samples in two splits.
        classes: keep that many classes alone, drawn at random, the same share of them unseen.
        samples: keep that many samples of each class alone.
        seed: of the choice of classes and samples.
    """
    from .. import data as library
    from ..data.conversion import convert as write
    from ..data.conversion import format_named

    format_named(to)
    is_cut = (classes, samples) != (None, None)
    if not is_cut and seed:
        raise InputError("--seed has no effect on a whole data set: give --classes or --samples, or drop it.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # gsmflow data check tells them
        found = library.load(
            source, root=data_root, features=features, semantics=semantics, allow_overlap=allow_overlap
        )
        if is_cut:
            found = library.cut(found, classes, samples, seed=seed)
        told = write(found, target, to)
    for sentence in told:
        print(f"gsmflow: {sentence}", file=sys.stderr)
    if is_cut:
        print(found.provenance.notes[-1])
    same = "the same problem" if not any("fingerprint changes" in sentence for sentence in told) else "in another order"
    print(f"{target}: {found.name} as {to}, {len(found.features):,} samples of {found.num_classes} classes, {same}")


def list_benchmarks(data_root: Path = Path("data")) -> None:
    """Show known benchmarks, where to get them, and whether their files are present.

    Args:
        data_root: folder that holds the data sets.
    """
    from rich.console import Console
    from rich.table import Table

    from ..data import formats
    from ..data.catalog import BENCHMARKS, find, folders, presence

    table = Table(title=f"data root: {data_root} (classes: seen/unseen)", title_justify="left")
    for name in ("name", "about", "classes", "semantics"):
        table.add_column(name, no_wrap=True)
    table.add_column("present", overflow="fold", min_width=8)
    for b in BENCHMARKS:
        table.add_row(b.name, b.title, f"{b.seen}/{b.unseen}", b.semantics, presence(b, data_root))
    Console().print(table)
    for source in dict.fromkeys((b.files, b.source) for b in BENCHMARKS if b.files):
        names = [b.name for b in BENCHMARKS if (b.files, b.source) == source]
        print(f"{', '.join(names)}: {' and '.join(source[0])}, from\n  {source[1]}")
    others = [path for path in folders(data_root) if not find(path.name)]
    if others:
        print(f"also there: {', '.join(f'{path.name} ({formats.formats_in(path)[0].name})' for path in others)}")


def load_quietly(name: str, options: DataArguments) -> tuple[ZeroShotDataset, list[str]]:
    """The data set, and what is told of it beside its own warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", DataWarning)
        found = options.load(name)
    sentences = [str(one.message).removeprefix(f"{found.name}: ") for one in told if one.category is DataWarning]
    return found, [sentence for sentence in dict.fromkeys(sentences) if sentence not in found.warnings]


def own_folder(name: str, root: Path | None) -> Path | None:
    """The folder of one's own data that a name means, or that may become one; none if it holds other data."""
    from ..data.catalog import folders
    from ..data.formats import formats_in
    from ..data.source import candidates

    places = candidates(name, root or Path("data"))
    places = [place for place in places if formats_in(place)] or places
    if len({place.resolve() for place in places}) != 1:
        return None
    held = [one.name for one in formats_in(places[0])]
    return places[0] if held[:1] == ["folder"] or not (held or folders(places[0])) else None


def advice_on(folder: Path) -> Advice:
    """What is to be done in a folder."""
    from ..data.advice import advise

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of a data set that is complete, of which there is no advice
        return advise(folder)


def print_advice(folder: Path | None, advice: Advice) -> None:
    """What is there, and what is to be done; commands stand on lines of their own, to be copied."""
    from textwrap import fill

    print(f"{folder}: not ready yet, {len(advice.todo)} to do")
    if advice.found:
        print("\nthere is")
        width = max(map(len, advice.found))
        for name, text in advice.found.items():
            print(f"  {name:<{width}}  {text}")
    print("\nto do")
    for place, todo in enumerate(advice.todo, 1):
        print(fill(todo.sentence, 78, initial_indent=f"  {place}. ", subsequent_indent="     ", break_long_words=False))
        if todo.command:
            print(f"     {todo.command}")
    print(f"\nthen again: gsmflow data check {shlex.quote(str(folder))}")


def command_train(dataset: str, found: ZeroShotDataset, options: DataArguments) -> str:
    """What trains on a data set that is complete, read as it was checked."""
    given = ["gsmflow", "train", dataset]
    for option in fields(options):
        value = getattr(options, option.name)
        if value != option.default:
            given += [f"--{option.name.replace('_', '-')}", *([] if value is True else [str(value)])]
    if len(found.seen) < 3:  # nothing can be validated
        given += ["--protocol", "fixed"]
    out = Path("runs", found.name)
    return shlex.join([*given, *([] if os.path.lexists(out) else ["--out", str(out)])])


def print_summary(found: ZeroShotDataset) -> None:
    """A data set in a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..data.advice import outlook
    from ..data.summary import summarize

    table = Table("what", title=f"{found.name}: all checks passed", title_justify="left")
    table.add_column("value", overflow="fold")
    for key, value in [*summarize(found).items(), *outlook(found)]:
        table.add_row(key, Text(value))
    Console().print(table)
