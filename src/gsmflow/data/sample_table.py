"""What a table of numbers is, whatever file it stands in: a row a sample, and columns that name samples and classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = ["CLASS", "FILE", "NumberTable", "Roles", "counting", "damaged", "role_hint"]

FILE, CLASS = ("file",), ("class", "label")


@dataclass(frozen=True, eq=False)
class NumberTable:
    """Numbers, and what stands beside them.

    Attributes:
        numbers: ``(N, D)``, in memory or mapped from a file.
        files: N names of the samples, or None.
        labels: N names or numbers of classes, or None.
        notes: what was assumed, a sentence each.
        warnings: what looks odd, a sentence each.
    """

    numbers: Float[np.ndarray, "n d"]
    files: tuple[str, ...] | None = None
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def role_hint(name: str) -> str:
    """What to do with a column of texts."""
    return f"call {name!r} 'file' if it names samples, 'class' if it names classes, or delete it"


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Attributes:
        file: name of the column of samples, or none.
        label: that of classes.
        numbers: all others.
    """

    file: str = ""
    label: str = ""
    numbers: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, names: list[str], path: Path) -> Roles:
        """By their names, in any case of letters."""
        found = {}
        for role, known in (("file", FILE), ("label", CLASS)):
            fitting = [name for name in names if name.strip().lower() in known]
            if len(fitting) > 1:
                raise InputError(f"{path} has both a column {fitting[0]!r} and {fitting[1]!r}; keep one of them.")
            found[role] = fitting[0] if fitting else ""
        numbers = [name for name in names if not name or name not in found.values()]
        if not numbers:
            raise InputError(f"{path} has no column of numbers; its columns are {', '.join(names) or 'none'}.")
        return cls(found["file"], found["label"], numbers)


def counting(names: Sequence[str], numbers: np.ndarray, path: Path) -> tuple[str, ...]:
    """A sentence about each column that counts the rows, and is hardly a feature."""
    rows = len(numbers)
    if rows < 3:
        return ()
    ends = np.flatnonzero((numbers[-1] - numbers[0] == rows - 1) & np.isin(numbers[0], (0, 1)))
    return tuple(
        f"{path.name}: the column {names[k]!r} counts the rows and is taken as a feature: delete it if it is none"
        for k in map(int, ends)
        if (np.diff(numbers[:, k]) == 1).all()
    )


@contextmanager
def damaged(path: Path, kind: str) -> Iterator[None]:
    """Tell in one sentence that a file is no readable one of its kind."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged file can fail anywhere inside of a reader
        reason = " ".join(str(error).split()) or type(error).__name__
        if "allow_pickle" in reason or "Python objects" in reason:
            raise InputError(
                f"{path} holds Python objects, which are not read since they could run code; save numbers or texts."
            ) from error
        raise InputError(
            f"{path} is not a readable .{kind} file ({reason}); it has {path.stat().st_size:,} bytes and may be cut "
            "off: write it again."
        ) from error
