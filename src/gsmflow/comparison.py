"""Several methods on one data set: each combination of method, recognizer, protocol and seed is a cell, a run folder.

::

    cells/<method>-<recognizer>-<protocol>-<seed>/    finished ones are kept, interrupted ones are resumed
    comparison.json                                   a list of cells with their figures
    comparison.md                                     the tables
    comparison.png                                    H with intervals; seen-unseen curves with operating points
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from . import experiment
from .data import ZeroShotDataset, load
from .errors import InputError
from .evaluation.protocols import SELECTED_ON
from .progress import Display
from .recipes import WITHOUT, Recipe, assign, check_settings, load_method
from .recognizers import recognizers_for
from .runs import (
    DataSource,
    Interrupted,
    Run,
    RunConfig,
    as_json,
    config_here,
    read_config,
    read_curve,
    read_metrics,
    write_atomically,
)

__all__ = ["Cell", "Comparison", "plan", "run_cells", "write_comparison"]

FIGURES = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC", "seconds")


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Attributes:
        method: as asked for: ``gsmflow``, ``gsmflow-published``, or a recipe.
        recognizer: as the recipe or the command line asks for it; ``auto`` leaves it to the protocol.
        protocol: ``validated`` or ``published``.
        seed: of the run.
        config: all that the run needs.
    """

    method: str
    recognizer: str
    protocol: str
    seed: int
    config: RunConfig

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.method}-{self.recognizer}-{self.protocol}-{self.seed}"

    def is_finished(self, folder: Path) -> bool:
        """Whether the run of this cell is there and finished.

        Raises:
            InputError: if there is a run with other settings or on other data.
        """
        if not (folder / "config.yaml").exists():
            return False
        there, asked = (flat(described(config)) for config in (read_config(folder), self.config))
        for key in asked | there:
            if there.get(key) != asked.get(key):
                raise InputError(
                    f"{folder} was run with {key} {there.get(key)!r}, and now {asked.get(key)!r} is asked for: choose "
                    "another --out, or remove that folder."
                )
        return (folder / "metrics.json").exists()


def described(config: RunConfig) -> dict[str, Any]:
    """What two runs must share to be the same cell: not where the data lie, nor versions, device or threads."""
    return {"settings": asdict(config.settings), "protocol": config.protocol, "fingerprint": config.data.fingerprint}


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A nested dictionary by dotted keys; lists as tuples."""
    if not isinstance(tree, dict):
        return {prefix: tuple(tree) if isinstance(tree, list) else tree}
    return {key: value for name in tree for key, value in flat(tree[name], f"{prefix}.{name}".strip(".")).items()}


def plan(
    dataset: ZeroShotDataset,
    source: DataSource,
    *,
    methods: tuple[str, ...],
    recognizers: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("validated", "published"),
    seeds: tuple[int, ...] = (0,),
    overrides: dict[str, str] | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> list[Cell]:
    """All cells of a comparison, those of one seed together.

    Args:
        dataset: what to run on.
        source: where it came from.
        methods: ``gsmflow``, ``gsmflow-published``, and names or files of recipes.
        recognizers: those to use instead of the recipes' own, where a generator supports them.
        protocols: ``validated``, ``published``.
        seeds: a cell each.
        overrides: settings for all methods, by dotted key.
        device: where to run.
        threads: CPU threads a cell.

    Raises:
        InputError: if there is no such recipe or setting, a generator supports none of the recognizers, or two have
            the same name.
    """
    kinds: list[tuple[str, Recipe]] = []
    for method in dict.fromkeys(methods):
        recipe = load_method(method, dataset.name)
        recipe = replace(recipe, settings=assign(recipe.settings, overrides or {}))
        check_settings(recipe.settings)
        kinds += [(method_name(method), each) for each in with_recognizers(recipe, recognizers)]
    cells = []
    for seed in dict.fromkeys(seeds):
        for protocol in dict.fromkeys(protocols):
            for method, recipe in kinds:
                settings = replace(recipe.settings, seed=seed)
                config = config_here(source, protocol, recipe.name, settings, device, threads)
                cells.append(Cell(method, settings.recognizer, protocol, seed, config))
    names = [cell.name for cell in cells]
    twice = next((cell.method for cell in cells if names.count(cell.name) > 1), None)
    if twice:
        raise InputError(f"Two generators are called {twice!r}: rename one of the recipe files.")
    return cells


def method_name(method: str) -> str:
    """How a method is called in tables and folders: a recipe file by its stem."""
    whole, without, part = method.partition(WITHOUT)
    return (Path(whole).stem if whole.endswith((".yaml", ".yml")) else whole) + without + part


def with_recognizers(recipe: Recipe, recognizers: tuple[str, ...]) -> list[Recipe]:
    """The recipe with each of the recognizers that its generator supports; as it is where none are named."""
    if not recognizers:
        recognizers_for(recipe.settings)
        return [recipe]
    supported, refusals = [], []
    for recognizer in dict.fromkeys(recognizers):
        settings = assign(recipe.settings, {"recognizer": recognizer})
        try:
            recognizers_for(settings)
            supported.append(replace(recipe, settings=settings))
        except InputError as error:
            refusals.append(error)
    if not supported:
        raise refusals[0]
    return supported


@dataclass(frozen=True, eq=False)
class Comparison:
    """The finished cells of a comparison, and those that failed with their sentences."""

    folder: Path
    records: list[dict[str, Any]]
    failures: dict[str, str]


def run_cells(folder: Path, cells: list[Cell], dataset: ZeroShotDataset, display: Display, jobs: int = 1) -> Comparison:
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
    todo = [cell for cell in cells if not cell.is_finished(folder / "cells" / cell.name)]
    display.say(f"{len(cells)} cells, {len(cells) - len(todo)} finished before, {min(jobs, len(todo) or 1)} at a time")
    failures: dict[str, str] = {}
    done = len(cells) - len(todo)
    at_once = jobs > 1 and len(todo) > 1
    if at_once:
        display.begin("comparing", len(cells))
        display.show(done, {})
    outcomes = (
        in_processes(folder / "cells", todo, jobs) if at_once else in_turn(folder / "cells", todo, dataset, display)
    )
    for cell, record in outcomes:
        done += 1
        if at_once:
            display.show(done, {})
        if isinstance(record, str):
            failures[cell.name] = record
            display.say(f"[{done}/{len(cells)}] {cell.name}: failed: {record}")
        else:
            figures = "  ".join(f"{name} {record[name]:.1f}" for name in ("T1", "U", "S", "H"))
            display.say(f"[{done}/{len(cells)}] {cell.name}: {figures}  ({record['seconds']:.0f} s)")
    records = [table_row(cell, folder) for cell in cells if cell.name not in failures]
    return Comparison(folder, records, failures)


def table_row(cell: Cell, folder: Path) -> dict[str, Any]:
    """A finished cell as it stands in ``comparison.json``; accuracies in percent."""
    metrics = read_metrics(folder / "cells" / cell.name)
    return {
        **{name: metrics[name] for name in ("dataset", "features", "semantics")},
        "generator": cell.method,
        "recognizer": metrics["recognizer"],
        "asked": cell.recognizer,  # auto may end as any
        "protocol": cell.protocol,
        "selected_on": SELECTED_ON[cell.protocol],
        "seed": cell.seed,
        **{name: metrics[name] for name in FIGURES},
        "chosen": metrics["chosen"],
        "test_reads": metrics["test_reads"],
        "run": f"cells/{cell.name}",
    }


def run_cell(folder: Path, cell: Cell, dataset: ZeroShotDataset, display: Display) -> dict[str, Any] | str:
    """Run or resume one cell; return its metrics, or the sentence that says why there are none."""
    torch.set_num_threads(cell.config.threads)
    try:
        is_begun = (folder / "config.yaml").exists()
        run = Run.resume(folder, display) if is_begun else Run.create(folder, cell.config, display)
        try:
            with run.interruptible():
                config = cell.config
                experiment.train(dataset, config.settings, protocol=config.protocol, device=config.device, run=run)
        except InputError:
            run.discard_if_empty()
            raise
        return read_metrics(folder)
    except InputError as error:
        return str(error)


Outcomes = Iterator[tuple[Cell, dict[str, Any] | str]]


def in_turn(folder: Path, cells: list[Cell], dataset: ZeroShotDataset, display: Display) -> Outcomes:
    """Run cells one after another in this process."""
    for cell in cells:
        display.say(f"running {cell.name}")
        yield cell, run_cell(folder / cell.name, cell, dataset, display)


def in_processes(folder: Path, cells: list[Cell], jobs: int) -> Outcomes:
    """Run cells in several processes; a signal to this one lets all of them save their state and stop."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(cells)), mp_context=context, initializer=start_worker)
    try:
        with interrupting():
            waiting = {pool.submit(run_in_worker, folder / cell.name, cell): cell for cell in cells}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "A process ended without a word, perhaps for want of memory: run the same command with --jobs 1; what is "
            "finished is kept."
        ) from error
    except Interrupted:
        for process in multiprocessing.active_children():
            process.terminate()  # a running cell takes it as the request to save its state
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise `Interrupted` in this thread when SIGINT or SIGTERM comes in."""

    def stop(signum: int, frame: object) -> None:
        raise Interrupted(signum)

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def start_worker() -> None:
    """Prepare a process that runs cells."""
    os.setpgrp()  # Ctrl-C is for the first process, which tells the others once

    def stop_with_parent() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_with_parent, daemon=True).start()


_loaded: dict[DataSource, ZeroShotDataset] = {}


def run_in_worker(folder: Path, cell: Cell) -> dict[str, Any] | str:
    """Run a cell on data that are loaded once a process."""
    source = cell.config.data
    try:
        if source not in _loaded:
            _loaded[source] = load(
                source.name,
                root=source.root,
                features=source.features,
                semantics=source.semantics,
                allow_overlap=source.allow_overlap,
            )
        return run_cell(folder, cell, _loaded[source], Display(quiet=True))
    except InputError as error:
        return str(error)
    except Interrupted:
        if not multiprocessing.parent_process().is_alive():  # type: ignore[union-attr]
            os._exit(1)  # nobody is left to take the answer or to end this process
        return "interrupted"


def write_comparison(comparison: Comparison) -> None:
    """Write list, tables and picture."""
    from .pictures import draw_comparison
    from .tables import comparison_page

    curves = {record["run"]: read_curve(comparison.folder / record["run"]) for record in comparison.records}
    write_atomically(comparison.folder / "comparison.json", as_json(comparison.records, indent=1))
    write_atomically(comparison.folder / "comparison.md", comparison_page(comparison.records).encode())
    write_atomically(comparison.folder / "comparison.png", draw_comparison(comparison.records, curves))
