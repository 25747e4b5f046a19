"""``gsmflow classes``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from .reading import ReadingArguments, check_teachable, gathered
from .replacing import replaced, state_of, target_of, told

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from ..encoders import TextEncoder
    from ..model import ZeroShotModel
    from ..progress import Display

__all__ = ["classes"]

USAGE = """\
usage: gsmflow classes MODEL [list [OPTIONS]]
       gsmflow classes MODEL add NAME --description TEXT [TEXT ...]
       gsmflow classes MODEL add NAME --attributes wings=1,legs=4
       gsmflow classes MODEL add NAME --description TEXT --examples INPUT [INPUT ...]
       gsmflow classes MODEL remove NAME [NAME ...]
       gsmflow classes MODEL evidence [OPTIONS]

List the classes of a model, add some by words or attributes, remove some; list what it has learnt after training.

MODEL is the folder of a run or a model file. A class that is added is recognised at once, without training.
gsmflow classes MODEL add --help shows the options of add; a name that starts with - comes last, after --."""


@dataclass(frozen=True)
class ListArguments:
    """List the classes of a model, and whether each had pictures at training (seen) or not (unseen)."""

    format: Annotated[Literal["table", "csv", "jsonl"], arg(metavar="{table,csv,jsonl}")] = "table"
    """how to print them"""


@dataclass(frozen=True)
class EvidenceArguments:
    """List what a model has learnt after training; gsmflow forget MODEL ID takes it back."""

    format: Annotated[Literal["table", "csv", "jsonl"], arg(metavar="{table,csv,jsonl}")] = "table"
    """how to print it"""


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
    examples: Annotated[tuple[Path, ...], arg(metavar="INPUT [INPUT ...]")] = ()
    """pictures of it, a folder of such, or features: it is learnt from them as well"""
    encoder: Annotated[str | None, arg(metavar="PATH")] = None
    """where the encoder of pictures is now, for --examples; another one than the model's is refused"""
    text_encoder: Annotated[str | None, arg(metavar="MODEL")] = None
    """where the model of texts is now; default: where it was; another one than the model was made with is refused"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""
    device: Annotated[str, arg(metavar="STR")] = "auto"
    """of the model of texts, and of the encoder of pictures: auto, cpu, cuda or mps"""
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
        raise InputError(
            "say which model first: gsmflow classes MODEL [list | add NAME ... | remove NAME ... | evidence]."
        )
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


def list_evidence(path: Path, arguments: list[str]) -> None:
    """Print what the model has learnt after training: ids, kind, pictures and classes."""
    asked = cli(EvidenceArguments, args=arguments, prog="gsmflow classes MODEL evidence")
    from ..experiment import load_model
    from ..files import as_csv, as_json
    from ..model.prediction_files import aligned, shown

    pieces = load_model(path).evidence
    if asked.format == "csv":
        rows = ([piece.id, piece.kind, piece.pictures, ", ".join(piece.classes)] for piece in pieces)
        text = as_csv(["id", "kind", "pictures", "classes"], rows).decode()
    elif asked.format == "jsonl":
        text = b"".join(as_json({**vars(piece), "classes": list(piece.classes)}) for piece in pieces).decode()
    else:
        lines = [
            (
                shown(piece.id),
                piece.kind,
                f"{piece.pictures:,} picture{'s' * (piece.pictures != 1)}",
                few(piece.classes),
            )
            for piece in pieces
        ]
        count = len(pieces) or "no"
        table = aligned(lines) if lines else ""
        text = f"{table}{count} piece{'s' * (len(pieces) != 1)} of evidence after training\n"
    print(text, end="")


def few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many there are besides.

    >>> few(["ape", "bee", "cat", "dog"]), few(["ape"]), few([])
    ('of ape, bee, cat and 1 more', 'of ape', '')
    """
    from ..model.prediction_files import shown

    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"of {', '.join(map(shown, names[:most]))}{more}" if names else ""


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
    if asked.encoder and not asked.examples:
        raise InputError("--encoder has no effect without --examples; drop it.")
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
        examples = {name: examples_of(model, asked, display)} if asked.examples else None
        with replaced(path, target, model, before):
            model.add_classes({name: vector}, examples)
            model.save(target)
    count = len(asked.description)
    by = [f"{count} text{'s' if count > 1 else ''}"] * bool(count) + ["attributes"] * bool(asked.attributes)
    shown = 0 if examples is None else len(examples[name])
    by += [f"{shown} example{'s' * (shown != 1)}"] * bool(shown)
    print(f"{name}: added by {' and '.join(by)}; {told(model, path, asked.out)}")


def examples_of(model: ZeroShotModel, asked: AddArguments, display: Display) -> Float[np.ndarray, "n d"]:
    """The features of pictures of the class that is added.

    Raises:
        InputError: if the model cannot learn from them, or one cannot be read.
    """
    from ..encoders.inputs import find_inputs

    check_teachable(model)
    reading = ReadingArguments(encoder=asked.encoder, device=asked.device, quiet=asked.quiet)
    return gathered(find_inputs(asked.examples), model, reading, display)[0]


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


VERBS: dict[str, Callable[[Path, list[str]], None]] = {
    "list": list_classes,
    "add": add_class,
    "remove": remove_classes,
    "evidence": list_evidence,
}
