"""Cells in several processes, which a signal to the first one lets save their state and stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..data import DataSource, ZeroShotDataset
from ..errors import DataWarning, InputError
from ..progress import Display
from ..runs import Interrupted, on_signals
from .plan import Cell
from .work import complete

__all__ = ["in_processes"]


def in_processes(work: Sequence[tuple[Path, Cell]], jobs: int) -> Iterator[tuple[Path, str]]:
    """Complete each cell in its folder; yield each folder, and why its run failed, if it did.

    Raises:
        InputError: if a process dies.
        Interrupted: if a signal came in; running processes have saved their state.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(work)), mp_context=context, initializer=start_worker)
    try:
        with on_signals(interrupt):
            waiting = {pool.submit(run_in_worker, place, cell): place for place, cell in work}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "A process ended without a word, perhaps for want of memory: run the same with jobs=1; what is "
            "finished is kept."
        ) from error
    except Interrupted:
        for process in multiprocessing.active_children():
            process.terminate()  # a running cell takes it as the request to save its state
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def interrupt(signum: int) -> None:
    """Stop this process where it is."""
    raise Interrupted(signum)


def start_worker() -> None:
    """Prepare a process that runs cells."""
    os.setpgrp()  # Ctrl-C is for the first process, which tells the others once
    parent = multiprocessing.parent_process()
    assert parent

    def stop_with_parent() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_with_parent, daemon=True).start()


@cache
def loaded(source: DataSource) -> ZeroShotDataset:
    """The data, loaded once a process, all class splits of them too; what they warn of, the first process has told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        if source.class_split:
            return source.drawn_from(loaded(replace(source, class_split=0, fingerprint="")))
        return source.load()


def run_in_worker(place: Path, cell: Cell) -> str:
    """Run one cell; return why it failed, if it did."""
    try:
        complete(place, cell, loaded(cell.config.data), Display(quiet=True))
        return ""
    except InputError as error:
        return str(error)
    except Interrupted:
        parent = multiprocessing.parent_process()
        if not (parent and parent.is_alive()):
            os._exit(1)  # nobody is left to take the answer or to end this process
        return "interrupted"
