"""What one cell consists of: a run, and on its saved model what is reached with evidence, each kept in the run folder.

::

    evidence-unlabelled.json    the model, and the rivals that take its predicted means, by name
    evidence-shots-5.json       the same with five labelled pictures of each unseen class
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import ZeroShotDataset
from ..devices import using_threads
from ..errors import InputError
from ..evidence import RIVALS, Evidence, EvidenceRecord, measure
from ..experiment import execute, load_model
from ..files import as_json, read_json, sha256_of, write_atomically
from ..progress import Display
from ..runs import Interrupted, RunFolder, on_signals
from .plan import Cell, is_some

__all__ = ["Measured", "complete", "is_complete", "measured"]

ITSELF = "model"
"""How the model of the run is called beside the rivals."""


@dataclass(frozen=True)
class Measured:
    """What a method reached with some evidence, or why it did not.

    Attributes:
        evidence: which.
        rival: its name; empty for the model of the run.
        record: what was measured; None where it could not be.
        refusal: why not.
    """

    evidence: Evidence
    rival: str
    record: EvidenceRecord | None = None
    refusal: str = ""


def complete(place: Path, cell: Cell, dataset: ZeroShotDataset, display: Display) -> None:
    """Run a cell, or go on with it, and measure what is asked of its model and has not been measured.

    Raises:
        InputError: if the run fails, or a file is damaged.
        Interrupted: if a signal came in; what is measured is kept.
    """
    if not cell.is_finished(place):
        execute(place, cell.config, dataset, display)
    known = read_measured(place, cell)
    todo = missing(cell, known)
    if not todo:
        return

    def stop(signum: int) -> None:
        raise Interrupted(signum)

    model_file = RunFolder(place).model_file
    with on_signals(stop), using_threads(cell.config.threads):
        model, digest = load_model(place, cell.config.device), sha256_of(model_file)
        for evidence, rival in todo:
            display.say(f"measuring {rival or cell.method} with {evidence}")
            try:
                record = measure(model, dataset, evidence, rival or None, seed=cell.seed)
                entry: dict[str, Any] = {"record": record.to_json()}
            except InputError as error:
                entry = {"refusal": str(error)}
            known[evidence][rival or ITSELF] = entry
            content = {"model": digest, "measured": known[evidence]}
            write_atomically(file_of(place, evidence), as_json(content, indent=1))


def is_complete(place: Path, cell: Cell) -> bool:
    """Whether a cell is run and all that is asked of its model is measured.

    Raises:
        InputError: as `Cell.is_finished` does, or if a file is damaged.
    """
    return cell.is_finished(place) and not missing(cell, read_measured(place, cell))


def asked_of(cell: Cell) -> Iterator[tuple[Evidence, str]]:
    """Kinds of evidence, and names of rivals that can use it; an empty name for the model itself."""
    for evidence in filter(is_some, cell.evidence):
        yield evidence, ""
        for name in cell.rivals:
            if evidence.kind in RIVALS[name].kinds:
                yield evidence, name


def missing(cell: Cell, known: Mapping[Evidence, Mapping[str, Any]]) -> list[tuple[Evidence, str]]:
    """What is asked of a cell's model and has not been measured."""
    return [(evidence, rival) for evidence, rival in asked_of(cell) if (rival or ITSELF) not in known[evidence]]


def measured(place: Path, cell: Cell) -> list[Measured]:
    """All that was asked of a cell's model, as it was measured.

    Raises:
        InputError: if a file is damaged.
    """
    known, found = read_measured(place, cell), []
    for evidence, rival in asked_of(cell):
        entry = known[evidence][rival or ITSELF]
        try:
            if "refusal" in entry:
                found.append(Measured(evidence, rival, None, str(entry["refusal"])))
            else:
                found.append(Measured(evidence, rival, EvidenceRecord.from_json(entry["record"])))
        except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
            raise altered(file_of(place, evidence)) from error
    return found


def file_of(place: Path, evidence: Evidence) -> Path:
    """Where a run folder keeps what was measured with some evidence."""
    return place / f"evidence-{str(evidence).replace('=', '-')}.json"


def read_measured(place: Path, cell: Cell) -> dict[Evidence, dict[str, Any]]:
    """What a run folder keeps of each kind of evidence, by rival; nothing of what was measured on another model.

    Raises:
        InputError: if a file is damaged.
    """
    found: dict[Evidence, dict[str, Any]] = {evidence: {} for evidence in filter(is_some, cell.evidence)}
    paths = {evidence: path for evidence in found if (path := file_of(place, evidence)).exists()}
    digest = sha256_of(RunFolder(place).model_file) if paths else ""
    for evidence, path in paths.items():
        content = read_json(path)
        entries = content.get("measured")
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise altered(path)
        if content.get("model") == digest:
            found[evidence] = entries
    return found


def altered(path: Path) -> InputError:
    """The sentence about a file that cannot be read back."""
    return InputError(f"{path} does not hold what gsmflow measured; it was altered: delete it, to measure again.")
