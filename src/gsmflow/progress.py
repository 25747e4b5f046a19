"""What a long run shows: two live lines on a terminal, plain lines in a log, nothing when quiet."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

__all__ = ["Display"]

LINE_EVERY_S = 15.0
MENTION_EVERY_S = 5.0


class Live(Progress):
    """A bar with the time left, and a line of numbers under it; neither wraps, at any width of the terminal."""

    def __init__(self, console: Console):
        self.current: TaskID | None = None
        self.numbers = ""
        super().__init__(
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=2, no_wrap=True, overflow="ellipsis")
            ),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("left", table_column=Column(no_wrap=True)),
            console=console,
            refresh_per_second=4,
            transient=True,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The current task alone: those that it is part of wait unseen."""
        yield self.make_tasks_table([task for task in self.tasks if task.id == self.current])
        yield Text(self.numbers, no_wrap=True, overflow="ellipsis")


class Display:
    """One task at a time, with numbers and the best H so far beside it.

    While it is entered, warnings of Python and its libraries come as one line each; in full when verbose.

    Args:
        quiet: show nothing.
        verbose: leave out nothing: every evaluation is a line.
        console: where to write; standard error by default, so that standard output stays clean.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, console: Console | None = None):
        self.console = console or Console(stderr=True, quiet=quiet)
        self.verbose = verbose
        self.live = Live(self.console) if self.console.is_interactive and not quiet else None
        self.tasks: dict[str, TaskID] = {}
        self.numbers: Mapping[str, float] = {}
        self.title, self.total, self.last_line, self.last_mention = "", 0, 0.0, 0.0
        self.best: tuple[str, float, str] | None = None
        self.show_warning = warnings.showwarning

    def __enter__(self) -> Display:
        self.show_warning, warnings.showwarning = warnings.showwarning, self.warn
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        warnings.showwarning = self.show_warning
        if self.live:
            self.live.stop()

    def begin(self, title: str, total: int) -> None:
        """Start a task of ``total`` steps, or go back to it from a part of it, which is called ``<title>: <part>``."""
        back = self.title.startswith(f"{title}: ")
        self.title, self.total, self.last_line = title, total, time.monotonic()
        if not self.live:
            return
        kept = {t: task for t, task in self.tasks.items() if title.startswith(f"{t}: ") or (back and t == title)}
        stale = [task for t, task in self.tasks.items() if t not in kept]
        self.tasks = kept if title in kept else {**kept, title: self.live.add_task(title, total=total)}
        if not kept:
            self.numbers = {}
        self.live.current, self.live.numbers = self.tasks[title], self.line(self.numbers)
        for task in stale:
            self.live.remove_task(task)

    def show(self, done: int, numbers: Mapping[str, float]) -> None:
        """Show how far the task is."""
        if self.live:
            self.numbers = numbers or self.numbers
            self.live.numbers = self.line(self.numbers)
            self.live.update(self.tasks[self.title], completed=done)
        elif time.monotonic() - self.last_line > LINE_EVERY_S:
            self.last_line = time.monotonic()
            self.say(f"{self.title}: {done}/{self.total}  {self.line(numbers)}")

    def line(self, numbers: Mapping[str, float]) -> str:
        """The best H so far and the numbers; the phase of that H is named where it is another than the present one."""
        parts = [f"{name} {value:.4g}" for name, value in numbers.items()]
        if self.best:
            name, h, phase = self.best
            here = phase in ("", self.title) or self.title.startswith(f"{phase}: ")
            parts.insert(0, f"{name} {h:.1f}" + ("" if here else f" in {phase}"))
        return "  ".join(parts)

    def note_best(self, name: str, h: float, phase: str) -> None:
        """Keep in sight the best H so far of a phase, or with an empty name of all before, in percent."""
        self.best = name, h, phase

    def mention(self, line: str) -> None:
        """One line that stays, unless another was mentioned a moment ago."""
        if self.verbose or time.monotonic() - self.last_mention > MENTION_EVERY_S:
            self.last_mention = time.monotonic()
            self.say(line)

    def say(self, line: str) -> None:
        """One line that stays."""
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        """A warning of Python: its first line, or all there is and where it comes from."""
        full = warnings.formatwarning(message, category, filename, lineno, line).rstrip()
        self.say(full if self.verbose else f"warning: {str(message).strip().partition(chr(10))[0]}")
