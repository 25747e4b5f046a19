"""Semantics of a class that a model shall know, out of words, attributes, or both, as the model's own classes have."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.class_table import number, read_class_table
from ..errors import DataWarning, InputError
from ..semantics import TEXT
from .base import TextEncoder
from .texts import describe_classes

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..model import ZeroShotModel

__all__ = ["Attributes", "class_semantics", "nearest", "read_attributes", "semantic_parts"]

Attributes = Mapping[str, float] | Sequence[float]
"""Numbers by name, or all of them in their order."""
NAMED = 20
"""So many names are listed in an error."""


def semantic_parts(model: ZeroShotModel) -> tuple[tuple[str, int], ...]:
    """Name and width of the parts of a model's semantics; that which was made of words is called ``text``.

    Example:
        >>> import gsmflow
        >>> semantic_parts(gsmflow.train(gsmflow.load("synthetic"), "prototype").model)
        (('attributes', 8),)
    """
    about = model.about
    return about.semantic_parts or ((TEXT if about.text_encoder else "attributes", model.semantic_dim),)


def class_semantics(
    model: ZeroShotModel,
    name: str,
    *,
    descriptions: Sequence[str] = (),
    attributes: Attributes = (),
    encoder: Callable[[], TextEncoder],
    words: bool = False,
) -> Float[np.ndarray, " s"]:
    """The semantics of a class, for `ZeroShotModel.add_classes`.

    Args:
        model: it is for this one.
        name: of the class, for errors.
        descriptions: what is said of it.
        attributes: its numbers, by name or in the order of the model's; or all numbers of its semantics.
        encoder: gives the encoder of words that the model's semantics were made with.
        words: take the semantics for made of words where the model does not know how they were made.

    Raises:
        InputError: if what the model's semantics are made of is missing, or something else is given; if attributes are
            missing or unknown.
    """
    if not descriptions and not isinstance(attributes, Mapping) and len(attributes) == model.semantic_dim:
        return of_attributes(model, name, attributes, model.semantic_dim, 0)  # all of the semantics, however made
    parts = semantic_parts(model)
    if words and not model.about.text_encoder and len(parts) == 1:
        parts = ((TEXT, model.semantic_dim),)
    check_given(model, parts, descriptions, attributes)
    return np.concatenate(
        [
            of_words(name, descriptions, encoder(), width)
            if part == TEXT
            else of_attributes(model, name, attributes, width, sum(w for _, w in parts[:place]))
            for place, (part, width) in enumerate(parts)
        ]
    )


def check_given(
    model: ZeroShotModel, parts: Sequence[tuple[str, int]], descriptions: Sequence[str], attributes: Attributes
) -> None:
    """Refuse words where there are none among the semantics, and so on.

    Raises:
        InputError: that says what the semantics are.
    """
    wanted = {"description" if part == TEXT else "attributes" for part, _ in parts}
    given = {key for key, value in (("description", descriptions), ("attributes", attributes)) if len(value)}
    if given == wanted:
        return
    made_of = " and ".join(
        f"words in {width} dimensions" if part == TEXT else f"{width} {part}" for part, width in parts
    )
    to_do = [f"give {key}=" for key in sorted(wanted - given)] + [f"drop {key}=" for key in sorted(given - wanted)]
    hint = ""
    if "description" in given - wanted and len(parts) == 1:
        hint = "; if these numbers were made of words, say by which encoder with text_encoder="
    raise InputError(f"The semantics of this model's classes are {made_of}: {' and '.join(to_do)}{hint}.")


def of_words(name: str, descriptions: Sequence[str], encoder: TextEncoder, width: int) -> Float[np.ndarray, " t"]:
    """What the words say.

    Raises:
        InputError: if a description is empty, or the encoder gives another dimension.
    """
    if not all(text.strip() for text in descriptions):
        raise InputError(f"A description of {name!r} is empty: say something of it, or leave that one out.")
    if encoder.record.dim != width:
        raise InputError(
            f"The words of this model's semantics have {width} dimensions, {encoder.record} gives others: say by which "
            "encoder they were made with text_encoder=."
        )
    return describe_classes(encoder, [[text.strip() for text in descriptions]])[0]


def of_attributes(
    model: ZeroShotModel, name: str, attributes: Attributes, width: int, start: int
) -> Float[np.ndarray, " a"]:
    """The attributes in the order of the model's.

    Raises:
        InputError: if one is missing or unknown, or there are not so many numbers; if one is not finite.
    """
    known = model.about.semantic_names[start : start + width]
    if isinstance(attributes, Mapping):
        if not known:
            raise InputError(
                f"This model knows no names of its attributes: give {width} numbers in their order, as in 1,0,..."
            )
        strange = next((key for key in attributes if key not in known), None)
        if strange is not None:
            raise InputError(f"There is no attribute {strange!r} in this model{nearest(strange, known)}")
        missing = [key for key in known if key not in attributes]
        if missing:
            few = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
            are = "are" if len(missing) > 1 else "is"
            raise InputError(
                f"{len(missing)} of {width} attributes of {name!r} {are} missing ({few}): give a number for each."
            )
        attributes = [attributes[key] for key in known]
    with np.errstate(over="ignore"):  # told below
        row = np.array(attributes, np.float32)
    if len(row) != width or not np.isfinite(row).all():
        what = f"{len(row)}" if len(row) != width else "NaN, infinite or too large ones"
        raise InputError(f"The attributes of {name!r} must be {width} finite numbers; found {what}.")
    warn_of_range(name, row, model.class_semantics[:, start : start + width], known)
    return row


def warn_of_range(
    name: str, row: Float[np.ndarray, " a"], others: Float[np.ndarray, "k a"], known: Sequence[str]
) -> None:
    """Warn of numbers that no class of the model comes near: they may be on another scale."""
    low, high = others.min(0), others.max(0)
    far = np.flatnonzero((row < low - (high - low)) | (row > high + (high - low)))
    if len(far):
        k = far[0]
        warnings.warn(
            f"{len(far)} attributes of {name!r} lie far from those of all classes of the model, the first is "
            f"{known[k] if known else f'number {k + 1}'} with {row[k]:g} (others: {low[k]:g} to {high[k]:g}): are they "
            "on the same scale?",
            DataWarning,
            stacklevel=2,
        )


def read_attributes(given: Sequence[str], name: str) -> Attributes:
    """Attributes as they are written on a command line.

    Args:
        given: ``a=1,b=0``, or ``1,0``, or in several pieces; or a file: ``.npy``, or a table such as ``classes.csv``.
        name: of the class, whose row of the table is taken.

    Example:
        >>> read_attributes(["wings=1,legs=4"], "griffin"), read_attributes(["1", "4"], "griffin")
        ({'wings': 1.0, 'legs': 4.0}, [1.0, 4.0])

    Raises:
        InputError: if they are neither, or one is given twice.
    """
    if len(given) == 1 and is_file(given[0]):
        return read_file(Path(given[0]), name)
    pieces = [piece.strip() for part in given for piece in part.split(",") if piece.strip()]
    pairs = [piece.rpartition("=") for piece in pieces]
    values = [number(value) for _, _, value in pairs]
    keys = [key.strip() for key, _, _ in pairs]
    wrong = next((piece for piece, value in zip(pieces, values, strict=True) if value is None), None)
    if wrong is not None:
        raise InputError(
            f"{wrong!r} is no number, nor NAME=NUMBER, nor a file that is there: give wings=1,legs=4, or all numbers "
            "in their order, or a table such as classes.csv."
        )
    numbers = [value for value in values if value is not None]
    if not any(keys):
        return numbers
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InputError(
            f"The attribute {twice!r} is given twice; drop one of the two."
            if twice
            else "Some attributes have a name and some have none: name all of them, or none."
        )
    if "" in keys:
        raise InputError("Some attributes have a name and some have none: name all of them, or none.")
    return dict(zip(keys, numbers, strict=True))


def is_file(text: str) -> bool:
    """Whether there is such a file; many numbers are longer than names of files may be."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def read_file(path: Path, name: str) -> Attributes:
    """Attributes of a class from a file.

    Raises:
        InputError: if it is damaged, or holds none of this class.
    """
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False).astype(np.float64).ravel().tolist()
        except (OSError, ValueError, EOFError, TypeError) as error:
            raise InputError(f"{path} is no readable .npy file of numbers ({' '.join(str(error).split())}).") from error
    table = read_class_table(path)
    if name not in table.names:
        raise InputError(f"{path} names no class {name!r}{nearest(name, table.names)}")
    if table.attributes is None:
        raise InputError(f"{path} holds no attributes: no column of it holds numbers.")
    row = table.attributes[table.names.index(name)].tolist()
    return dict(zip(table.attribute_names, row, strict=True))


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown name: those that it may have been meant for.

    Example:
        >>> nearest("hippogrif", ["hippogriff", "zebra"]), nearest("x", ["hippogriff", "zebra"])
        (": did you mean 'hippogriff'?", " (such as 'hippogriff', 'zebra').")
    """
    close = get_close_matches(name, known, 3)
    if close:
        return f": did you mean {' or '.join(map(repr, close))}?"
    return f" (such as {', '.join(map(repr, known[:3]))})."
