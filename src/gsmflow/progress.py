"""What a long run shows: a bar on a terminal, plain lines in a log, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Display"]

LINE_EVERY_S = 15.0
MENTION_EVERY_S = 5.0


class Display:
    """One task at a time, with figures beside it.

    Args:
        quiet: show nothing.
        console: where to write; standard error by default, so that standard output stays clean.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None):
        self.console = console or Console(stderr=True, quiet=quiet)
        self.bar: Progress | None = None
        if self.console.is_terminal and not quiet:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
                console=self.console,
                refresh_per_second=4,
                transient=True,
            )
        self.title, self.total, self.last_line, self.last_mention = "", 0, 0.0, 0.0

    def __enter__(self) -> Display:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def begin(self, title: str, total: int) -> None:
        """Start a task of ``total`` steps."""
        self.title, self.total, self.last_line = title, total, time.monotonic()
        if self.bar:
            for task in self.bar.task_ids:
                self.bar.remove_task(task)
            self.bar.add_task(title, total=total, figures="")

    def show(self, done: int, figures: Mapping[str, float]) -> None:
        """Show how far the task is."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self.bar:
            self.bar.update(self.bar.task_ids[-1], completed=done, figures=text)
        elif time.monotonic() - self.last_line > LINE_EVERY_S:
            self.last_line = time.monotonic()
            self.console.print(f"{self.title}: {done}/{self.total}  {text}", highlight=False)

    def mention(self, line: str) -> None:
        """One line that stays, unless another was mentioned a moment ago."""
        if time.monotonic() - self.last_mention > MENTION_EVERY_S:
            self.last_mention = time.monotonic()
            self.say(line)

    def say(self, line: str) -> None:
        """One line that stays."""
        self.console.print(line, highlight=False, soft_wrap=True)
