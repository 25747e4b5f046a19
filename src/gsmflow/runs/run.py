"""A run in progress: its history, its state, its display and its interruptions."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor

from ..evaluation.metrics import Metrics
from ..overrides import plain
from ..progress import Display
from ..tracking import Tracker, open_tracker
from .config import RunConfig
from .folder import RunFolder
from .history import Event, JudgedEvent, RankedEvent, TrainEvent

__all__ = ["Interrupted", "Run", "on_signals"]

STATE_EVERY_S = 30.0
STATE_SHARE = 20  # writing the state may take at most one part in so many of the time
KEPT = "kept|"


class Interrupted(Exception):
    """The run was asked to stop by a signal; its folder can be resumed."""

    def __init__(self, signum: int):
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


@contextmanager
def on_signals(do: Callable[[int], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM call ``do`` with their number."""

    def handle(signum: int, frame: FrameType | None) -> None:
        do(signum)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


class Run:
    """What a run tells, and what it needs to go on.

    Args:
        folder: where to write; None keeps all in memory (for use from Python).
        display: what the user sees.
        tracker: is told of every event.

    Use `create` for a new folder and `resume` for an interrupted one; both start the tracker that they are given, or
    that the configuration names.
    """

    def __init__(self, folder: Path | None = None, display: Display | None = None, tracker: Tracker | None = None):
        self.folder = RunFolder(folder) if folder else None
        self.display = display or Display(quiet=True)
        self.tracker = tracker or Tracker()
        self.history: list[Event] = []
        self.kept: dict[str, Tensor] = {}
        self.state: dict[str, Tensor] = {}
        self.where: dict[str, Any] = {}
        self.best: dict[str, Tensor] = {}
        self.signum: int | None = None
        self.state_written, self.state_cost = time.monotonic(), 0.0

    @classmethod
    def create(cls, folder: Path, config: RunConfig, display: Display, tracker: Tracker | None = None) -> Run:
        """Start a new run folder.

        Raises:
            InputError: if the folder holds anything; it is left alone.
        """
        run = cls(folder, display)
        assert run.folder
        run.folder.check_new()
        run.tracker = tracker or open_tracker(config.track, folder)
        run.folder.make()
        content = run.folder.write_config(config)
        run.tell(lambda tracker: tracker.start(content))
        return run

    @classmethod
    def resume(cls, folder: Path, display: Display, tracker: Tracker | None = None) -> Run:
        """Take up an interrupted run: its history up to the last saved state, and that state.

        Raises:
            InputError: if the run is finished, or its files are damaged.
        """
        run = cls(folder, display)
        assert run.folder
        run.folder.check_unfinished()
        config = run.folder.read_config()
        tensors, run.where = run.folder.read_state()
        run.kept = {name.removeprefix(KEPT): t for name, t in tensors.items() if name.startswith(KEPT)}
        run.state = {name: t for name, t in tensors.items() if not name.startswith(KEPT)}
        run.history = run.folder.read_history(run.where.get("events", 0))
        kept_steps = {event.phase: event.step for event in run.history if not isinstance(event, RankedEvent)}
        run.tracker = tracker or open_tracker(config.track, folder, kept_steps)
        run.folder.write_history(run.history)
        run.tell(lambda tracker: tracker.start(plain(config)))
        for event in run.history:
            if isinstance(event, JudgedEvent):
                run.note_best(event)
        return run

    def log_losses(self, phase: str, step: int, losses: Mapping[str, float]) -> None:
        """Add loss terms to the history."""
        self.log(TrainEvent(phase, step, dict(losses)))
        self.tell(lambda tracker: tracker.scalars(phase, step, {f"loss/{name}": v for name, v in losses.items()}))

    def log_judged(self, event: JudgedEvent) -> None:
        """Add what was judged to the history."""
        self.log(event)
        if event.found:
            numbers = {f"{event.on}/H": event.h, f"{event.on}/best_H": self.note_best(event)}
            self.tell(lambda tracker: tracker.scalars(event.phase, event.step, numbers))

    def log_ranking(self, event: RankedEvent) -> None:
        """Add the ranking of a stage to the history, where it does not stand there from before an interruption."""
        if not any(isinstance(one, RankedEvent) and one.stage == event.stage for one in self.history):
            rounded = tuple(tuple(round(h, 4) for h in folds) for folds in event.by_fold)
            self.log(RankedEvent(event.stage, tuple(round(h, 4) for h in event.h), rounded, event.chosen))

    def log(self, event: Event) -> None:
        """Add one event to the history."""
        self.history.append(event)
        if self.folder:
            self.folder.add_event(event)

    def note_best(self, event: JudgedEvent) -> float:
        """Show and return the greatest H of the event's phase so far."""
        best = max(one.h for one in self.judged(event.phase))
        self.display.note_best("best H" if event.on == "validation" else "best test H", best, event.phase)
        return best

    def judged(self, phase: str) -> list[JudgedEvent]:
        """What was judged in a phase."""
        return [event for event in self.history if isinstance(event, JudgedEvent) and event.phase == phase]

    def tell(self, what: Callable[[Tracker], None]) -> None:
        """Tell the tracker; one that fails is told no more, and the run goes on."""
        try:
            what(self.tracker)
        except Exception as error:  # whatever it is, the run is worth more
            self.tracker = Tracker()
            reason = " ".join(str(error).split()) or type(error).__name__
            self.display.say(f"warning: tracking failed ({reason}); the run goes on without it")

    def state_is_due(self) -> bool:
        """Whether enough time has passed since the state was saved."""
        spent = time.monotonic() - self.state_written
        return self.folder is not None and spent > STATE_EVERY_S + STATE_SHARE * self.state_cost

    def save_state(self, phase: str, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Save where training stands, with all that is ``kept``."""
        if not self.folder:
            return
        start = time.monotonic()
        kept = {f"{KEPT}{name}": tensor for name, tensor in self.kept.items()}
        about = {"phase": phase, "step": step, "events": len(self.history)}
        self.folder.write_state({**tensors, **kept}, about)
        self.state_written = time.monotonic()
        self.state_cost = self.state_written - start

    def take_state(self, phase: str) -> tuple[dict[str, Tensor], int]:
        """The saved state of a phase and its step, once; nothing and 0 where there is none."""
        if self.where.get("phase") != phase:
            return {}, 0
        tensors, self.state = self.state, {}
        return tensors, self.where["step"]

    def save_best(self, tensors: dict[str, Tensor]) -> None:
        """Keep the tensors of the best model so far."""
        self.best = tensors
        if self.folder:
            self.folder.write_best(tensors)

    def load_best(self) -> dict[str, Tensor]:
        """The tensors of the best model so far."""
        return self.best or (self.folder.read_best() if self.folder else {})

    def stop_if_asked(self) -> None:
        """Raise `Interrupted` if a signal came in since."""
        if self.signum is not None:
            raise Interrupted(self.signum)

    @contextmanager
    def interruptible(self) -> Iterator[Run]:
        """Turn SIGINT and SIGTERM into a request to stop at the next step; a second one stops at once."""

        def note(signum: int) -> None:
            if self.signum is not None:
                raise KeyboardInterrupt
            self.signum = signum
            self.display.say("Stopping at the next step; once more stops at once.")

        with on_signals(note):
            yield self

    def finish(self, record: Mapping[str, Any], metrics: Metrics, class_names: tuple[str, ...]) -> None:
        """Write the result beside the model, and drop the state. ``metrics.json`` comes last: it says finished."""
        if self.folder:
            if not self.folder.history_file.exists():  # nothing was trained step by step, and nothing judged
                self.folder.write_history(self.history)
            self.folder.write_confusions(metrics.confusions, class_names)
            self.folder.write_curve(metrics.curve)
            self.folder.write_metrics(record)
            self.folder.drop_state()
        if type(self.tracker) is not Tracker:  # drawing takes a moment
            from ..drawing import draw_result

            title = f"{record['dataset']}, selected on {record['selected_on']}"
            figure = draw_result(metrics.curve, (metrics.U, metrics.S), metrics.H, title)
            self.tell(lambda tracker: tracker.picture("seen-unseen curve", figure))
            self.tell(lambda tracker: tracker.finish(record))
