"""Cells that are run, several at a time, and what is read back of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import ZeroShotDataset
from ..errors import InputError
from ..evaluation.metrics import HEADLINE
from ..experiment import execute
from ..files import as_json, write_atomically
from ..progress import Display
from ..runs import RunFolder
from .plan import Cell
from .processes import in_processes

__all__ = ["Comparison", "Finished", "run_cells", "write_comparison"]


@dataclass(frozen=True)
class Finished:
    """What a finished cell reached: an entry of ``comparison.json``; accuracies in percent.

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
        evidence: what it had of the unseen classes beside their semantics: ``none``.
        estimate: what the folds let expect, as in ``metrics.json``; None where nothing was validated.
        run: its folder, below that of the comparison.
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
    """Run all cells that are not finished, several at a time, and read them all.

    Args:
        folder: of the comparison.
        cells: see `plan`.
        dataset: what they run on.
        display: what the user sees.
        jobs: processes; with 1 the cells run in this one.

    Raises:
        InputError: if a cell's folder holds another run.
        Interrupted: if a signal came in; running cells have saved their state.
    """
    places = {cell.name: folder / "cells" / cell.name for cell in cells}
    todo = [cell for cell in cells if not cell.is_finished(places[cell.name])]
    done = len(cells) - len(todo)
    display.say(f"{len(cells)} cells, {done} finished before, {min(jobs, len(todo) or 1)} at a time")
    failures: dict[str, str] = {}
    at_once = jobs > 1 and len(todo) > 1
    if at_once:
        display.begin("comparing", len(cells))
        display.show(done, {})
    work = [(places[cell.name], cell.config) for cell in todo]
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
    finished = [
        Finished.of(cell, RunFolder(places[cell.name]).read_metrics()) for cell in cells if cell.name not in failures
    ]
    return Comparison(folder, finished, failures)


def in_a_line(record: Mapping[str, Any]) -> str:
    """What was measured, and the estimate of H where that was not."""
    numbers = [f"{name} {record[name]:.1f}" for name in ("T1", "U", "S", "H") if record[name] is not None]
    if record["H"] is None:
        estimate = record.get("estimate")
        numbers.append(f"estimate of H {estimate['H']['mean']:.1f}" if estimate else "H not measured")
    return "  ".join(numbers)


def in_turn(work: Sequence[tuple[Path, Any]], dataset: ZeroShotDataset, display: Display) -> Iterator[tuple[Path, str]]:
    """Run cells one after another in this process; yield each place, and why it failed, if it did."""
    for place, config in work:
        display.say(f"running {place.name}")
        try:
            execute(place, config, dataset, display)
            yield place, ""
        except InputError as error:
            yield place, str(error)


def write_comparison(comparison: Comparison) -> None:
    """Write list, tables and picture."""
    from .picture import draw_comparison
    from .tables import comparison_page

    folder, finished = comparison.folder, comparison.finished
    curves = {one.run: RunFolder(folder / one.run).read_curve() for one in finished}
    write_atomically(folder / "comparison.json", as_json([one.to_json() for one in finished], indent=1))
    write_atomically(folder / "comparison.md", comparison_page(finished).encode())
    write_atomically(folder / "comparison.png", draw_comparison(finished, curves))
