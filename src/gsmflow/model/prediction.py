"""What a model says of features, as a program reads it: names, probabilities, and whether a class was ever seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InputError
from .inputs import as_rows

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from .model import ZeroShotModel

__all__ = ["DIGITS", "Guess", "Prediction", "Predictions", "ask", "check_question"]

DIGITS = 6
"""Significant digits of a probability: the scores are not worth more."""
LEAST = 1e-16
"""Probabilities below are given as zero."""
POWERS = np.array([float(f"1e{e}") for e in range(23)])
"""Those of ten that float64 holds exactly, so that a quotient by one is the number that its digits say."""


@dataclass(frozen=True)
class Guess:
    """One class that features may be of.

    Attributes:
        name: of the class.
        probability: among the classes that the model knows.
        seen: whether the class had training features.
    """

    name: str
    probability: float
    seen: bool

    def to_json(self) -> dict[str, Any]:
        """As it is written and sent."""
        return {"class": self.name, "probability": self.probability, "seen": self.seen}


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture or one row of features.

    Attributes:
        top: the most probable first.
        file: name of the picture, where there is one.
        row: number of the row, counted from 0, where there is no file.
        rejected: whether it is taken for none of the classes; None where that was not asked for.
    """

    top: tuple[Guess, ...]
    file: str | None = None
    row: int | None = None
    rejected: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is written and sent.

        Example:
            >>> Prediction((Guess("zebra", 0.75, True),), file="a.png").to_json()
            {'file': 'a.png', 'top': [{'class': 'zebra', 'probability': 0.75, 'seen': True}]}
        """
        where = {"row": self.row} if self.file is None else {"file": self.file}
        rejected = {} if self.rejected is None else {"rejected": self.rejected}
        return where | {"top": [guess.to_json() for guess in self.top]} | rejected


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of many rows, as arrays; iterating gives each as a `Prediction`.

    Attributes:
        class_names: K names of all classes.
        seen: ``(K,)``, whether each had training features.
        ids: ``(n, k)``, the most probable classes, the most probable first.
        probabilities: ``(n, k)`` float64, of `DIGITS` digits.
        rows: ``(n,)``, the number of each row.
        files: n names, where the rows are pictures.
        reject: below which greatest probability a row is taken for none of the classes; None for never.
    """

    class_names: tuple[str, ...]
    seen: Bool[np.ndarray, " K"]
    ids: Int[np.ndarray, "n k"]
    probabilities: Float[np.ndarray, "n k"]
    rows: Int[np.ndarray, " n"]
    files: tuple[str, ...] | None = None
    reject: float | None = None

    @property
    def rejected(self) -> Bool[np.ndarray, " n"] | None:
        """Which rows are taken for none of the classes; None where that was not asked for."""
        return None if self.reject is None else self.probabilities[:, 0] < self.reject

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Prediction]:
        rejected = [None] * len(self) if self.rejected is None else self.rejected.tolist()
        rows, ids, probabilities = self.rows.tolist(), self.ids.tolist(), self.probabilities.tolist()
        for i in range(len(self)):
            top = tuple(
                Guess(self.class_names[k], p, bool(self.seen[k])) for k, p in zip(ids[i], probabilities[i], strict=True)
            )
            file, row = (None, rows[i]) if self.files is None else (self.files[i], None)
            yield Prediction(top, file, row, rejected[i])


def ask(
    model: ZeroShotModel,
    features: Any,
    top_k: int = 5,
    *,
    rows: Int[np.ndarray, " n"] | None = None,
    files: Sequence[str] | None = None,
    reject: float | Literal["auto"] | None = None,
) -> Predictions:
    """The most probable classes of each feature vector.

    Args:
        model: is asked.
        features: ``(n, D)`` or one row.
        top_k: so many classes are named.
        rows: number of each row; default: counted from 0.
        files: name of the picture of each row, where there are pictures.
        reject: a row of which no class has this probability is taken for none of the classes. That is the model's
            probability among the classes it knows, which sum to 1: a picture of something else may well have a greater
            one. ``auto`` takes the threshold that was chosen on folds, with known errors: ``model.about.rejection``.

    Raises:
        InputError: if there are not so many classes, the threshold is no probability or was not chosen, or as
            `ZeroShotModel.predict_ids` does.

    Example:
        >>> import gsmflow
        >>> model = gsmflow.train(gsmflow.load("synthetic"), "gaussian").model
        >>> [one.top[0].name for one in ask(model, gsmflow.load("synthetic").features[:2])]
        ['class 1', 'class 1']
    """
    threshold = check_question(model, top_k, reject)
    asked = as_rows(features, model.dim)
    ids, probabilities = np.empty((len(asked), top_k), np.int64), np.empty((len(asked), top_k))
    for place, scores in model.calibrated(asked):
        best = model.probabilities(scores).topk(top_k)
        ids[place], probabilities[place] = best.indices.cpu().numpy(), best.values.cpu().numpy()
    return Predictions(
        model.class_names,
        model.is_seen,
        ids,
        rounded(probabilities),
        np.arange(len(asked)) if rows is None else rows,
        None if files is None else tuple(files),
        threshold,
    )


def check_question(model: ZeroShotModel, top_k: int, reject: float | Literal["auto"] | None) -> float | None:
    """The probability below which rows are rejected; None for never.

    Raises:
        InputError: if a model cannot name ``top_k`` classes, ``reject`` is no probability, or none was chosen.
    """
    count = len(model.class_names)
    if not 1 <= top_k <= count:
        raise InputError(f"top_k= must be from 1 to {count}, the number of classes of the model; found {top_k}.")
    if reject == "auto":
        if model.about.rejection is None:
            raise InputError(
                "reject='auto' takes the threshold that was chosen on folds, and for this model none was: give a "
                "probability, or train with the protocol validated."
            )
        return model.about.rejection.threshold
    if reject is not None and not 0 < reject <= 1:
        raise InputError(f"reject= must be a probability, greater than 0 and at most 1; found {reject:g}.")
    return reject


def rounded(probabilities: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """To `DIGITS` significant digits, such that each is written with no more.

    >>> rounded(np.array([0.123456789, 1 / 3 * 1e-5, 1e-30])).tolist()
    [0.123457, 3.33333e-06, 0.0]
    """
    unit = POWERS[DIGITS - 1 - np.floor(np.log10(np.maximum(probabilities, LEAST))).astype(np.int64)]
    return np.where(probabilities < LEAST, 0.0, np.round(probabilities * unit) / unit)
