"""Cells that are completed, several at a time, and what is read back of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import ZeroShotDataset
from ..errors import InputError
from ..evaluation.metrics import HEADLINE
from ..files import as_json, write_atomically
from ..progress import Display
from ..runs import RunFolder
from .plan import Cell, draw_class_splits, is_some
from .processes import in_processes
from .work import Measured, complete, is_complete, measured

__all__ = ["Comparison", "Finished", "run_cells", "write_comparison"]


@dataclass(frozen=True)
class Finished:
    """What a finished cell reached with one kind of evidence: an entry of ``comparison.json``; accuracies in percent.

    Attributes:
        dataset: its name; features and semantics: which of its.
        method: how it is called in tables.
        generator: what learnt p(features given semantics).
        recognizer: what decided.
        asked: the recognizer that was asked for; ``auto`` may end as any.
        protocol: by which it was chosen; selected_on: on which samples.
        seed: of the run.
        T1: and the other numbers, as in ``metrics.json``.
        seconds: it took.
        chosen: what was chosen, as in ``metrics.json``.
        test_reads: how often test labels were read.
        evidence: what it had of the unseen classes beside their semantics: ``none``, ``unlabelled``, ``shots=N``.
        estimate: what the folds let expect, as in ``metrics.json``; None where nothing was validated, and with
            evidence.
        run: its folder, below that of the comparison.
        class_split: which classes were unseen; 0 for the official ones.
        is_rival: whether it is a rival, which took what the run of this folder had learnt.
        repeats: draws of the labelled pictures, of which the numbers are means.
        sentence: what the measurement said, such as that adaptation was declined.
        refusal: why nothing was measured with this evidence; the numbers are NaN then.
    """

    dataset: str
    features: str
    semantics: str
    method: str
    generator: str
    recognizer: str
    asked: str
    protocol: str
    selected_on: str
    seed: int
    T1: float
    U: float
    S: float
    H: float
    U_raw: float
    S_raw: float
    H_raw: float
    AUSUC: float
    seconds: float
    chosen: Mapping[str, Any]
    test_reads: int
    evidence: str
    estimate: Mapping[str, Any] | None
    run: str
    class_split: int = 0
    is_rival: bool = False
    repeats: int = 1
    sentence: str = ""
    refusal: str = ""

    def estimated(self, name: str) -> float:
        """The mean over folds of a number; NaN where nothing was validated."""
        return self.estimate[name]["mean"] if self.estimate else float("nan")

    @classmethod
    def of(cls, cell: Cell, record: Mapping[str, Any]) -> Finished:
        """What ``metrics.json`` says of a cell."""
        same = ("dataset", "features", "semantics", "generator", "recognizer", "selected_on", "chosen", "test_reads")
        values: dict[str, Any] = {name: record[name] for name in (*same, "seconds", "evidence", "estimate")}
        values |= {name: float("nan") if record[name] is None else record[name] for name in HEADLINE}
        return cls(
            **values,
            method=cell.method,
            asked=cell.recognizer,
            protocol=cell.protocol,
            seed=cell.seed,
            run=f"cells/{cell.name}",
            class_split=cell.class_split,
        )

    def with_evidence(self, found: Measured) -> Finished:
        """What the model of this cell, or a rival on it, reached with some evidence."""
        record, nothing = found.record, float("nan")
        values: dict[str, Any] = {name: nothing for name in HEADLINE}
        if record:
            values |= {name: getattr(record, name) for name in ("T1", "U", "S", "H", "repeats", "seconds", "sentence")}
        if found.rival:
            values |= {"method": found.rival, "generator": "", "recognizer": "", "asked": "", "is_rival": True}
        return replace(
            self, **{"seconds": 0.0, **values}, evidence=str(found.evidence), estimate=None, refusal=found.refusal
        )

    def to_json(self) -> dict[str, Any]:
        """As ``comparison.json`` holds it."""
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Comparison:
    """The finished cells of a comparison, and those that failed with their sentences."""

    folder: Path
    finished: list[Finished]
    failures: dict[str, str]


def run_cells(
    folder: Path, cells: Sequence[Cell], dataset: ZeroShotDataset, display: Display, jobs: int = 1
) -> Comparison:
    """Run all cells that are not finished and measure what is asked of them, several at a time, and read them all.

    Args:
        folder: of the comparison.
        cells: see `plan`.
        dataset: what they run on.
        display: what the user sees.
        jobs: processes; with 1 the cells run in this one.

    Raises:
        InputError: if a cell's folder holds another run, or a file of it is damaged.
        Interrupted: if a signal came in; running cells have saved their state.
    """
    places = {cell.name: folder / "cells" / cell.name for cell in cells}
    todo = [cell for cell in cells if not is_complete(places[cell.name], cell)]
    done = len(cells) - len(todo)
    display.say(f"{len(cells)} cells, {done} finished before, {min(jobs, len(todo) or 1)} at a time")
    failures: dict[str, str] = {}
    at_once = jobs > 1 and len(todo) > 1
    if at_once:
        display.begin("comparing", len(cells))
        display.show(done, {})
    work = [(places[cell.name], cell) for cell in todo]
    outcomes = in_processes(work, jobs) if at_once else in_turn(work, dataset, display)
    names = {place: name for name, place in places.items()}
    for place, refusal in outcomes:
        done += 1
        if at_once:
            display.show(done, {})
        if refusal:
            failures[names[place]] = refusal
            display.say(f"[{done}/{len(cells)}] {names[place]}: failed: {refusal}")
        else:
            record = RunFolder(place).read_metrics()
            display.say(f"[{done}/{len(cells)}] {names[place]}: {in_a_line(record)}  ({record['seconds']:.0f} s)")
    finished = [one for cell in cells if cell.name not in failures for one in read_cell(places[cell.name], cell)]
    return Comparison(folder, finished, failures)


def read_cell(place: Path, cell: Cell) -> Iterator[Finished]:
    """What was asked of a cell: its run where that is without evidence, and what was measured with some."""
    run = Finished.of(cell, RunFolder(place).read_metrics())
    if not all(map(is_some, cell.evidence)):
        yield run
    for found in measured(place, cell):
        yield run.with_evidence(found)


def in_a_line(record: Mapping[str, Any]) -> str:
    """What was measured, and the estimate of H where that was not."""
    numbers = [f"{name} {record[name]:.1f}" for name in ("T1", "U", "S", "H") if record[name] is not None]
    if record["H"] is None:
        estimate = record.get("estimate")
        numbers.append(f"estimate of H {estimate['H']['mean']:.1f}" if estimate else "H not measured")
    return "  ".join(numbers)


def in_turn(
    work: Sequence[tuple[Path, Cell]], dataset: ZeroShotDataset, display: Display
) -> Iterator[tuple[Path, str]]:
    """Complete cells one after another in this process; yield each place, and why it failed, if it did."""
    datasets = draw_class_splits(dataset, [cell.class_split for _, cell in work])
    for place, cell in work:
        display.say(f"running {place.name}")
        try:
            complete(place, cell, datasets[cell.class_split], display)
            yield place, ""
        except InputError as error:
            yield place, str(error)


def write_comparison(comparison: Comparison) -> None:
    """Write list, tables and pictures."""
    from .page import comparison_page
    from .picture import draw_comparison
    from .shots import draw_shots, shows_shots

    folder, finished = comparison.folder, comparison.finished
    inductive = [one for one in finished if one.evidence == "none"]
    curves = {one.run: RunFolder(folder / one.run).read_curve() for one in inductive}
    write_atomically(folder / "comparison.json", as_json([one.to_json() for one in finished], indent=1))
    write_atomically(folder / "comparison.md", comparison_page(finished).encode())
    pictures = {"comparison.png": draw_comparison(inductive, curves) if inductive else None}
    pictures["shots.png"] = draw_shots(finished) if shows_shots(finished) else None
    for name, picture in pictures.items():
        if picture:
            write_atomically(folder / name, picture)
        else:
            (folder / name).unlink(missing_ok=True)  # of another comparison, that stood here before
