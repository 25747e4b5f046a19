"""What a method reached with some evidence: means over repeats, as files hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..evaluation.metrics import Metrics
from .kinds import Evidence, parse

__all__ = ["NUMBERS", "EvidenceRecord"]

NUMBERS = ("T1", "U", "S", "H")
DECIMALS = 4


@dataclass(frozen=True)
class EvidenceRecord:
    """What a method reached with some evidence; accuracies in percent.

    Attributes:
        method: of the model, or the name of a rival.
        evidence: what it had of the unseen classes beside their words.
        T1: mean over repeats, as U, S and H.
        T1_sd: standard deviation over repeats, as the others; NaN for one repeat.
        repeats: draws of the shots; 1 where nothing is drawn.
        seconds: a repeat took on average, and the choices of a rival once.
        sentence: what a reader of the numbers must know; empty if nothing.
        sees_pile: whether the method looked at all test pictures at once, beside shots too.
    """

    method: str
    evidence: Evidence
    T1: float
    U: float
    S: float
    H: float
    T1_sd: float
    U_sd: float
    S_sd: float
    H_sd: float
    repeats: int
    seconds: float
    sentence: str = ""
    sees_pile: bool = False

    @classmethod
    def of(cls, found: Sequence[Metrics], **what: Any) -> EvidenceRecord:
        """The record of some repeats.

        Args:
            found: one a repeat.
            what: all other attributes.
        """
        values = {name: np.array([getattr(metrics, name) for metrics in found]) for name in NUMBERS}
        means = {name: round(float(value.mean()), DECIMALS) for name, value in values.items()}
        spreads = {
            f"{name}_sd": round(float(value.std(ddof=1)), DECIMALS) if len(value) > 1 else float("nan")
            for name, value in values.items()
        }
        return cls(**means, **spreads, repeats=len(found), **what)

    def to_json(self) -> dict[str, Any]:
        """As a file holds it; NaN becomes null there, see `gsmflow.files.as_json`."""
        return {**vars(self), "evidence": str(self.evidence)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> EvidenceRecord:
        """What `to_json` gave, with null for NaN.

        Raises:
            ValueError: if it is something else.
        """
        try:
            numbers = {
                name: float("nan") if content[name] is None else float(content[name])
                for name in (*NUMBERS, *(f"{name}_sd" for name in NUMBERS))
            }
            if not isinstance(content["seconds"], int | float) or not isinstance(content["repeats"], int):
                raise ValueError("seconds and repeats must be numbers")
            unknown = content.keys() - {entry.name for entry in fields(cls)}
            if unknown:
                raise ValueError(f"unknown are {', '.join(sorted(unknown))}")
            return cls(**{**content, "evidence": parse(content["evidence"]), **numbers})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"it is no record of evidence: {error}") from error
