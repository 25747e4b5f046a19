"""``gsmflow learn`` and ``gsmflow forget``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from .reading import ReadingArguments, check_teachable, gathered, model_of, threads_for
from .replacing import file_of, left_as_it_was, replaced, state_of, target_of, told

if TYPE_CHECKING:
    import numpy as np

    from ..encoders.labelled import Labelled
    from ..model import ZeroShotModel
    from ..progress import Display

__all__ = ["forget", "learn"]


@dataclass(frozen=True)
class LearnArguments(ReadingArguments):
    """Let a model learn labelled pictures or features of classes, seen or unseen, without training again.

    Classes that the model does not know are added, if classes.csv describes them as the model's own are described.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    source: Annotated[Positional[Path | None], arg(metavar="DIR")] = None
    """a folder that holds a folder of pictures for each class; one of features and samples.csv, such as extract wrote;
    or a table of features with a column class"""
    id: Annotated[str | None, arg(name="as", metavar="ID")] = None
    """by which gsmflow forget takes them back; default: one made of what they hold"""
    listing: Annotated[Path | None, arg(name="list", metavar="FILE")] = None
    """choose among the pictures of DIR: a path a line, relative to it, or CSV with the columns file and class"""
    classes: Annotated[Path | None, arg(metavar="FILE")] = None
    """describes new classes; default: classes.csv in DIR, if it is there"""
    text_encoder: Annotated[str | None, arg(metavar="MODEL")] = None
    """where the model of texts is now, for new classes; another one than the model was made with is refused"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""


@dataclass(frozen=True)
class ForgetArguments:
    """Take back what a model has learnt after training: it is as if it had never been shown these pictures.

    gsmflow classes MODEL evidence lists what it has learnt.
    """

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    """folder of a finished run, or a model file"""
    ids: Annotated[Positional[tuple[str, ...]], arg(metavar="ID [ID ...]")] = ()
    """given by learn --as, or printed by learn; unlabelled: the pile of adapt"""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """write the model there; default: the file it was read from is replaced"""


def learn(arguments: list[str]) -> None:
    """Let a model learn labelled pictures or features."""
    asked = cli(LearnArguments, args=arguments, prog="gsmflow learn")
    if asked.source is None:
        raise InputError("say what to learn: gsmflow learn MODEL DIR, where DIR holds a folder of pictures a class.")
    from ..encoders.labelled import find_labelled
    from ..progress import Display

    with Display(quiet=asked.quiet) as display:
        found = find_labelled(asked.source, asked.listing, asked.classes)
        before = state_of(asked.model)
        model, target = model_of(asked.model, asked.device), target_of(asked.model, asked.out)
        check_teachable(model)
        check_id(asked.id, model)
        new = new_classes(model, found, asked, display)
        with threads_for(found.inputs.count * model.dim, asked):
            features, rows = gathered(found.inputs, model, asked, display)
            model.add_classes(new)
            labels = known_names([found.classes[row] for row in rows], model)
            name = model.learn(features, labels, evidence=asked.id)
        with replaced(asked.model, target, model, before):
            model.save(target)
    count, classes = len(labels), len(set(labels))
    added = f", {len(new)} of them new" * bool(new)
    print(
        f"{name}: learnt {count:,} picture{'s' * (count != 1)} of {classes:,} class{'es' * (classes != 1)}{added}; "
        f"{told(model, asked.model, asked.out)}"
    )


def check_id(name: str | None, model: ZeroShotModel) -> None:
    """Refuse what cannot be learnt under this id, before pictures are encoded for it.

    Raises:
        InputError: if it is taken, or none.
    """
    from ..model.evidence import UNLABELLED

    if name is None:
        return
    if not name.strip() or not name.isprintable():
        raise InputError(f"--as {name!r} is no id: it must be a text that can be printed.")
    if name == UNLABELLED:
        raise InputError(f"--as {name} is the id of the pile that a model adapts to: choose another one.")
    if any(piece.id == name for piece in model.evidence):
        raise InputError(f"The model has learnt {name!r} already: forget it first, or choose another id with --as.")


def known_names(names: Iterable[str], model: ZeroShotModel) -> list[str]:
    """Names as the model spells them, those that it does not know as they are."""
    from ..data.class_table import ids_by_name

    ids = ids_by_name(model.class_names)
    return [model.class_names[ids[name]] if name in ids else name for name in names]


def new_classes(
    model: ZeroShotModel, found: Labelled, asked: LearnArguments, display: Display
) -> dict[str, np.ndarray]:
    """The semantics of classes that the model does not know, out of the table that describes them.

    Raises:
        InputError: if one is described nowhere, or not as the model's own classes are.
    """
    from ..data.class_table import read_class_table
    from ..encoders.base import TextEncoder
    from ..encoders.new_class import class_semantics, nearest, semantic_parts
    from ..encoders.texts import recorded_text_encoder
    from ..semantics import TEXT

    unknown = [name for name in dict.fromkeys(known_names(found.classes, model)) if name not in model.class_names]
    if asked.text_encoder and not unknown:
        raise InputError("--text-encoder has no effect: the model knows all of these classes; drop it.")
    if not unknown:
        return {}
    model.extensible()
    table = read_class_table(found.table) if found.table else None
    lacking = next((name for name in unknown if table is None or name not in table.names), None)
    if table is None or lacking is not None:
        where = f", and {found.table} does not describe it" if found.table else ""
        raise InputError(
            f"There is no class {lacking!r} in {asked.model}{where}{nearest(str(lacking), model.class_names)[:-1]}; a "
            f"new class is described first: in classes.csv, or by gsmflow classes {quote(str(asked.model))} add "
            f"{quote(str(lacking))}."
        )
    loaded: list[TextEncoder] = []

    def encoder() -> TextEncoder:
        if not loaded:
            display.say("loading the model of texts")
            loaded.append(recorded_text_encoder(model.about.text_encoder, asked.text_encoder, device=asked.device))
        return loaded[0]

    parts = {part for part, _ in semantic_parts(model)}
    wants_words, wants_numbers = TEXT in parts, parts != {TEXT}
    new = {}
    for name in unknown:
        row = table.names.index(name)
        values = () if table.attributes is None else table.attributes[row].tolist()
        numbers = dict(zip(table.attribute_names, values, strict=True))
        new[name] = class_semantics(
            model,
            name,
            descriptions=table.descriptions[row] if wants_words or not numbers else (),
            attributes=(numbers if model.about.semantic_names else list(numbers.values())) if wants_numbers else (),
            encoder=encoder,
            words=asked.text_encoder is not None,
        )
    return new


def forget(arguments: list[str]) -> None:
    """Take back what a model has learnt after training."""
    asked = cli(ForgetArguments, args=arguments, prog="gsmflow forget")
    from ..model.evidence import UNLABELLED

    before = state_of(asked.model)
    model, target = model_of(asked.model, "cpu"), target_of(asked.model, asked.out)
    known = [piece.id for piece in model.evidence]
    if not asked.ids:
        has = f"{asked.model} has learnt {', '.join(known)}" if known else f"{asked.model} has learnt nothing"
        raise InputError(f"say what to forget: gsmflow forget MODEL ID; {has}.")
    twice = next((name for name in asked.ids if asked.ids.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{twice!r} is given twice; drop one of the two.")
    for name in sorted(asked.ids, key=lambda name: name != UNLABELLED):  # others may take the pile with them
        model.forget(name)
    pile = UNLABELLED in known and UNLABELLED not in (*asked.ids, *(piece.id for piece in model.evidence))
    with replaced(asked.model, target, model, before):
        model.save(target)
    left = len(model.evidence)
    with_it = ", and the pile that was weighed with it (adapt again)" * pile
    print(
        f"{', '.join(asked.ids)}: forgotten{with_it}; {file_of(asked.model, asked.out)} has learnt {left or 'no'} "
        f"other piece{'s' * (left != 1)} of evidence{left_as_it_was(asked.model, asked.out)}"
    )
