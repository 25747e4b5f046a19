"""What a method has of the unseen classes beside their words: nothing, an unlabelled pile, a few labelled pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError

__all__ = ["Evidence", "Kind", "parse"]

Kind = Literal["none", "unlabelled", "shots"]
TITLES: dict[Kind, str] = {"none": "inductive", "unlabelled": "transductive", "shots": "few-shot"}
FORMS = "none, unlabelled, or shots=N with N of at least 1"


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence; results are comparable only within one.

    Attributes:
        kind: ``none``, ``unlabelled`` or ``shots``.
        shots: labelled pictures of each unseen class; 0 but for ``shots``.

    Raises:
        InputError: if there is no such kind, or the number does not fit it.

    Example:
        >>> str(Evidence("shots", 5)), Evidence("unlabelled").title
        ('shots=5', 'transductive')
    """

    kind: Kind = "none"
    shots: int = 0

    def __post_init__(self) -> None:
        fits = self.shots >= 1 if self.kind == "shots" else self.shots == 0
        if self.kind not in TITLES or not fits:
            raise InputError(f"There is no evidence {self.kind!r} of {self.shots} pictures a class; give {FORMS}.")

    @property
    def title(self) -> str:
        """Of the tables that hold it: ``inductive``, ``transductive`` or ``few-shot``."""
        return TITLES[self.kind]

    def __str__(self) -> str:
        return f"shots={self.shots}" if self.kind == "shots" else self.kind


def parse(text: str) -> Evidence:
    """Evidence as it is written: ``none``, ``unlabelled`` or ``shots=N``.

    Raises:
        InputError: if it is none of these.

    Example:
        >>> parse("shots=2")
        Evidence(kind='shots', shots=2)
    """
    if isinstance(text, str):
        if text == "none":
            return Evidence()
        if text == "unlabelled":
            return Evidence("unlabelled")
        if (found := re.fullmatch(r"shots=([0-9]{1,6})", text)) and int(found[1]):
            return Evidence("shots", int(found[1]))
    raise InputError(f"There is no evidence {text!r}; give {FORMS}.")
