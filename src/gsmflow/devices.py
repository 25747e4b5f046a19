"""Where and with how many threads to compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import InputError

__all__ = ["check_threads", "pick_device", "pick_threads", "using_threads"]

MOST_THREADS = 64
"""So many threads can be asked for wherever; more where there are as many cores."""
SMALL = 10**6
"""Feature values up to which threads would wait for each other longer than they work."""


def pick_device(name: str = "auto") -> torch.device:
    """The device asked for; ``auto`` takes the accelerator if there is one, else the CPU.

    Raises:
        InputError: if there is no such device here.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("nothing is computed there")
        torch.empty(0, device=device)
        return device
    except (RuntimeError, AssertionError, ImportError, TypeError) as error:
        raise InputError(f"There is no device {name!r} here; choose auto or cpu.") from error


def check_threads(threads: int) -> None:
    """Refuse what is no number of threads that this machine could run.

    Raises:
        InputError: if it is none.
    """
    most = max(MOST_THREADS, os.cpu_count() or 1)
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= most:
        raise InputError(f"threads must be at least 1 and at most {most}; found {threads!r}.")


def pick_threads(values: int) -> int:
    """CPU threads for a problem of so many feature values: those that help on this machine as busy as it is now.

    A thread that has no core of its own makes all others wait for it at every step: with two threads on a machine whose
    two cores are taken a run took six times as long as with one. So: one for a small problem, else as many as there are
    idle cores.
    """
    if values < SMALL:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        busy = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows does not tell
        busy = 0.0
    return max(1, min(cores, torch.get_num_threads(), int(cores - busy + 0.5)))


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Let torch, and the linear algebra behind NumPy, SciPy and scikit-learn, use so many CPU threads."""
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
