"""``gsmflow classes``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError

if TYPE_CHECKING:
    from ..encoders import TextEncoder
    from ..model import ZeroShotModel

__all__ = ["classes"]

USAGE = """\
usage: gsmflow classes MODEL [list [OPTIONS]]
       gsmflow classes MODEL add NAME --description TEXT [TEXT ...]
       gsmflow classes MODEL add NAME --attributes wings=1,legs=4
       gsmflow classes MODEL remove NAME [NAME ...]

List the classes of a model, add some by words or attributes, remove some.

MODEL is the folder of a run or a model file. A class that is added is recognised at once, without training.
gsmflow classes MODEL add --help shows the options of add; a name that starts with - comes last, after --."""


@dataclass(frozen=True)
class ListArguments:
    """List the classes of a model, and whether each had pictures at training (seen) or not (unseen)."""

    format: Annotated[Literal["table", "csv", "jsonl"], arg(metavar="{table,csv,jsonl}")] = "table"
    """how to print them"""


@dataclass(frozen=True)
class AddArguments:
    """Let a model know a class that it was not trained with, by what its own classes are described by."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    """of the class, one; in quotes where it has spaces"""
    description: Annotated[tuple[str, ...], arg(metavar="TEXT [TEXT ...]")] = ()
    """what is said of it, in quotes; of several texts the mean is taken"""
    attributes: Annotated[tuple[str, ...], arg(metavar="NUMBERS")] = ()
    """wings=1,legs=4 by the model's names of attributes, or all numbers in their order, or a file: .npy, or a table
    like classes.csv with a row of this name"""
    text_encoder: Annotated[str | None, arg(metavar="MODEL")] = None
    """where the model of texts is now; default: where it was; another one than the model was made with is refused"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""
    device: Annotated[str, arg(metavar="STR")] = "auto"
    """of the model of texts: auto, cpu, cuda or mps"""
    quiet: bool = False
    """print the result only"""


@dataclass(frozen=True)
class RemoveArguments:
    """Let a model forget classes, seen or unseen."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME [NAME ...]")] = ()
    """of the classes"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""


def classes(arguments: list[str]) -> None:
    """List the classes of a model, add some by words or attributes, remove some."""
    model, *rest = arguments or ["--help"]
    if model in ("-h", "--help"):
        print(USAGE)
        return
    if model.startswith("-") or model in VERBS:
        raise InputError("say which model first: gsmflow classes MODEL [list | add NAME ... | remove NAME ...].")
    if not rest or rest[0].startswith("-"):
        rest = ["list", *rest]
    verb, *options = rest
    if verb not in VERBS:
        raise InputError(f"gsmflow classes {model} {verb}: there is no {verb!r}; choose one of {', '.join(VERBS)}.")
    VERBS[verb](Path(model), options)


def list_classes(path: Path, arguments: list[str]) -> None:
    """Print the names, and which are seen."""
    asked = cli(ListArguments, args=arguments, prog="gsmflow classes MODEL list")
    from ..experiment import load_model
    from ..files import as_csv, as_json
    from ..model.prediction_files import aligned, shown

    model = load_model(path)
    rows = list(zip(model.class_names, model.is_seen.tolist(), strict=True))
    if asked.format == "csv":
        text = as_csv(["name", "seen"], ([name, str(seen).lower()] for name, seen in rows)).decode()
    elif asked.format == "jsonl":
        text = b"".join(as_json({"name": name, "seen": seen}) for name, seen in rows).decode()
    else:
        seen = sum(model.is_seen.tolist())
        lines = [(shown(name), "seen" if is_seen else "unseen") for name, is_seen in rows]
        text = f"{aligned(lines)}{len(rows)} classes: {seen} seen, {len(rows) - seen} unseen\n"
    print(text, end="")


def add_class(path: Path, arguments: list[str]) -> None:
    """Add one class and write the model."""
    asked = cli(AddArguments, args=arguments, prog="gsmflow classes MODEL add")
    name = name_of(path, asked)
    if name is None or not (asked.description or asked.attributes):
        raise InputError(
            'say which class, and what it is: gsmflow classes MODEL add NAME --description "..." (or --attributes ...).'
        )
    from ..encoders.new_class import class_semantics, read_attributes
    from ..encoders.texts import recorded_text_encoder
    from ..experiment import load_model
    from ..progress import Display

    if asked.text_encoder and not asked.description:
        raise InputError("--text-encoder has no effect without --description; drop it.")
    before = state_of(path)
    model, target = load_model(path), target_of(path, asked.out)
    check_new(name, model)
    with Display(quiet=asked.quiet) as display:

        def encoder() -> TextEncoder:
            record = model.about.text_encoder
            place = asked.text_encoder or (record and (record.place or record.name))
            if place:
                display.say(f"loading {place}")
            if record is None and place:
                display.say("the model does not know which encoder made its semantics: that it was this one is assumed")
            return recorded_text_encoder(record, asked.text_encoder, device=asked.device)

        vector = class_semantics(
            model,
            name,
            descriptions=asked.description,
            attributes=read_attributes(asked.attributes, name),
            encoder=encoder,
            words=asked.text_encoder is not None,
        )
        with replaced(path, target, model, before):
            model.add_classes({name: vector})
            model.save(target)
    count = len(asked.description)
    by = [f"{count} text{'s' if count > 1 else ''}"] * bool(count) + ["attributes"] * bool(asked.attributes)
    print(f"{name}: added by {' and '.join(by)}; {told(model, path, asked.out)}")


def name_of(path: Path, asked: AddArguments) -> str | None:
    """The one name that is given, if any.

    Raises:
        InputError: if there are several: one may be meant for a description.
    """
    name, *more = asked.names or (None,)
    if more and (asked.description or asked.attributes):
        one = " ".join(asked.names)
        raise InputError(f"One class is added at a time; found {len(asked.names)} names: is it {one!r}, in quotes?")
    if more:
        raise InputError(
            f"A text is given with --description: gsmflow classes {path} add {quote(str(name))} --description "
            f"{' '.join(map(quote, more))}."
        )
    return name


def check_new(name: str, model: ZeroShotModel) -> None:
    """Refuse a name that cannot be told from another, before a text encoder is loaded for it.

    Raises:
        InputError: if it is known, has spaces around it, or cannot be printed.
    """
    from ..data.class_table import ids_by_name

    if not name.isprintable() or name.strip() != name or not name:
        raise InputError(f"{name!r} is no name of a class: it must be on one line, without spaces around it.")
    if name in ids_by_name(model.class_names):
        raise InputError(f"The model knows a class {name!r} already: choose another name, or remove that first.")
    model.extensible()


def remove_classes(path: Path, arguments: list[str]) -> None:
    """Remove classes and write the model."""
    asked = cli(RemoveArguments, args=arguments, prog="gsmflow classes MODEL remove")
    if not asked.names:
        raise InputError("say which classes: gsmflow classes MODEL remove NAME [NAME ...].")
    from ..encoders.new_class import nearest
    from ..experiment import load_model

    before = state_of(path)
    model, target = load_model(path), target_of(path, asked.out)
    unknown = next((name for name in asked.names if name not in model.class_names), None)
    if unknown is not None:
        raise InputError(f"There is no class {unknown!r} in {path}{nearest(unknown, model.class_names)}")
    twice = next((name for name in asked.names if asked.names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The class {twice!r} is given twice; drop one of the two.")
    with replaced(path, target, model, before):
        model.remove_classes(asked.names)
        model.save(target)
    print(f"{', '.join(asked.names)}: removed; {told(model, path, asked.out)}")


@contextmanager
def replaced(path: Path, target: Path, model: ZeroShotModel, before: tuple[int, ...]) -> Iterator[None]:
    """Guard the file of a model while it is replaced, and write its card anew, unless somebody has edited that.

    Args:
        path: of the run or the model, as it was given.
        target: the file that is written within.
        model: as it was read, whose card is known.
        before: the state of the file then.

    Raises:
        InputError: if somebody else has written that file meanwhile: what was added there would be lost.
    """
    from ..runs import RunFolder, model_card

    folder = RunFolder(target.parent)
    is_in_place = target == source_of(path)
    if is_in_place and state_of(path) != before:
        raise InputError(f"{target} was changed by another program meanwhile, and is left as that wrote it: try again.")
    if not is_in_place or target.name != folder.model_file.name:
        yield
        return
    record = folder.read_metrics() if folder.is_finished else None
    there = folder.card_file.read_bytes() if folder.card_file.is_file() else b""
    is_ours = there == model_card(model, record).encode()
    yield
    if is_ours:
        folder.write_card(model_card(model, record))
    elif CARD in there:
        card = (path if path.is_dir() else path.parent) / folder.card_file.name
        print(f"{card} was edited and is left as it is: it tells of the classes before.", file=sys.stderr)


def source_of(path: Path) -> Path:
    """The file that a model is read from, where it really lies: a link to it stays one."""
    return (path / "model.safetensors" if path.is_dir() else path).resolve()


def state_of(path: Path) -> tuple[int, ...]:
    """What differs once a file was written anew; nothing where there is none, which is told by who reads it."""
    try:
        found = source_of(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def target_of(path: Path, out: Path | None) -> Path:
    """The file to write.

    Raises:
        InputError: if it would take the place of another file.
    """
    source = source_of(path)
    if out is None:
        return source
    if os.path.lexists(out) and not (out.exists() and out.samefile(source)):
        raise InputError(f"{out} is there already; choose another file, or delete that one.")
    return source if out.exists() else out


def told(model: ZeroShotModel, path: Path, asked: Path | None) -> str:
    """What was written, and what was not."""
    from ..runs import RunFolder

    seen, shown = int(model.is_seen.sum()), asked or (path / "model.safetensors" if path.is_dir() else path)
    count = len(model.class_names)
    counts = f"{shown} has {count} class{'es' * (count != 1)} now, {seen} seen and {count - seen} unseen"
    folder = RunFolder(source_of(path).parent)
    if source_of(shown) != folder.model_file or not folder.is_finished:
        return counts
    return (
        f"{counts} (metrics and report in {path if path.is_dir() else path.parent} tell of the model as it was trained)"
    )


CARD = b"library_name: gsmflow"
"""Stands in cards that gsmflow writes, and in no other README.md."""

VERBS: dict[str, Callable[[Path, list[str]], None]] = {
    "list": list_classes,
    "add": add_class,
    "remove": remove_classes,
}
