"""The run folder: what is written, how it is read back, how an interrupted run goes on.

::

    config.yaml         what was asked: data, protocol, seed, all settings, versions, data fingerprint
    history.jsonl       one event a line: training losses, evaluations; the truth about how the run went
    model.safetensors   scaling, generator, recognizer, calibration constant
    metrics.json        the result; it exists only once the run is finished
    confusion.csv       the confusion matrix with class names; of many classes, the pairs that occur, a line each
    curve.csv           the seen-unseen curve: U and S at each calibration constant
    state.safetensors   only while the run is unfinished: parameters, optimizer, where training stands
    best.safetensors    the same, under the published protocol: the best model so far
    tensorboard/        only with ``--track tensorboard``: event files, which repeat the history

Every file but the history and the event files is written under a temporary name and renamed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .errors import InputError
from .evaluation.metrics import Curve, best_constant
from .progress import Display
from .recipes import read_strictly
from .settings import Settings
from .tracking import Tracker, draw_curve, open_tracker

__all__ = [
    "DataSource",
    "Interrupted",
    "Run",
    "RunConfig",
    "read_config",
    "read_curve",
    "read_metrics",
    "read_model_tensors",
]

MATRIX_CLASSES = 1000
STATE_EVERY_S = 30.0
STATE_SHARE = 20  # writing the state may take at most one part in so many of the time


class Interrupted(Exception):
    """The run was asked to stop by a signal; its folder can be resumed."""

    def __init__(self, signum: int):
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


@dataclass(frozen=True)
class DataSource:
    """Where the data of a run came from, and how to know them again."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    root: str | None = None
    features: str | None = None
    semantics: str | None = None
    allow_overlap: bool = False
    fingerprint: str = ""


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs to be made again."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    data: DataSource
    protocol: Literal["validated", "published"]
    recipe: str
    settings: Settings
    device: str
    threads: int
    versions: dict[str, str]
    git: str | None
    track: Literal["tensorboard"] | None = None


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    packages = ("gsmflow", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def git_revision() -> str | None:
    """The revision of the source tree that gsmflow runs from, with ``-dirty``; None where it is installed otherwise."""
    here = Path(__file__)

    def git(*command: str) -> str:
        run = subprocess.run(
            ["git", "-C", here.parent, *command], capture_output=True, text=True, check=True, timeout=5
        )
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # else it is another project's revision
        return git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return None


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder and rename, so that no reader meets half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"Could not write {path}: {error.strerror}; make room or choose another --out.") from error


def as_json(value: Any, indent: int | None = None) -> bytes:
    """Plain JSON; NaN, which JSON does not know, becomes null."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: plain(entry) for key, entry in item.items()}
        if isinstance(item, list | tuple | np.ndarray):
            return [plain(entry) for entry in item]
        if isinstance(item, np.generic):
            item = item.item()
        return None if isinstance(item, float) and not math.isfinite(item) else item

    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False).encode() + b"\n"


class Run:
    """A run in progress: its folder, its history, its display and its interruptions.

    Args:
        folder: where to write; None keeps all in memory (for use from Python).
        display: what the user sees.
        tracker: is told of every event.

    Use `create` for a new folder and `resume` for an interrupted one; both start the tracker that they are given, or
    that the configuration names.
    """

    def __init__(self, folder: Path | None = None, display: Display | None = None, tracker: Tracker | None = None):
        self.folder = folder
        self.display = display or Display(quiet=True)
        self.tracker = tracker or Tracker()
        self.history: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.best: dict[str, Tensor] = {}
        self.best_h = -1.0
        self.reached: dict[str, float] = {}
        self.signum: int | None = None
        self.state_written, self.state_cost = time.monotonic(), 0.0

    @classmethod
    def create(cls, folder: Path, config: RunConfig, display: Display, tracker: Tracker | None = None) -> Run:
        """Start a new run folder; an existing one that holds anything is refused and left alone."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            held = "holds another run" if (folder / "config.yaml").exists() else "is not an empty folder"
            raise InputError(
                f"{folder} {held}; choose another --out, or continue an interrupted run with --resume {folder}."
            )
        tracker = tracker or open_tracker(config.track, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Could not make the folder {folder}: {error.strerror}; choose another --out.") from error
        content = _plain(asdict(config))
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        write_atomically(folder / "config.yaml", text.encode())
        run = cls(folder, display, tracker)
        run.tell(lambda tracker: tracker.start(content))
        return run

    @classmethod
    def resume(cls, folder: Path, display: Display, tracker: Tracker | None = None) -> Run:
        """Take up an interrupted run: its history up to the last saved state, and that state."""
        if (folder / "metrics.json").exists():
            raise InputError(f"The run in {folder} is finished: see its metrics.json; there is nothing to resume.")
        run = cls(folder, display)
        if (folder / "state.safetensors").exists():
            tensors, about = _read_safetensors(folder / "state.safetensors")
            if "state" not in about:
                raise InputError(f"{folder / 'state.safetensors'} was not written by gsmflow; start a new run.")
            run.state = json.loads(about["state"]) | {"tensors": tensors}
        lines: list[str] = []
        if (folder / "history.jsonl").exists():
            lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
            lines = lines[: run.state.get("events", 0)]
            try:
                run.history = [json.loads(line) for line in lines]
            except ValueError as error:
                raise InputError(f"{folder / 'history.jsonl'} is damaged ({error}); start a new run.") from error
        config = read_config(folder)
        run.tracker = tracker or open_tracker(config.track, folder, run.history)
        if (folder / "history.jsonl").exists():
            write_atomically(folder / "history.jsonl", "".join(lines).encode())
        run.tell(lambda tracker: tracker.start(_plain(asdict(config))))
        for event in run.history:
            run.figures_of(event)
        return run

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that ended before anything was learnt: it holds the configuration alone."""
        if self.folder and [path.name for path in self.folder.iterdir()] == ["config.yaml"]:
            (self.folder / "config.yaml").unlink()
            with suppress(OSError):
                self.folder.rmdir()

    def log(self, event: str, **values: Any) -> None:
        """Add one event to the history."""
        line = as_json({"event": event, **values})
        self.history.append(json.loads(line))
        if self.folder:
            try:
                with (self.folder / "history.jsonl").open("ab") as file:
                    file.write(line)
            except OSError as error:
                raise InputError(f"Could not write {self.folder / 'history.jsonl'}: {error.strerror}.") from error
        figures = self.figures_of(self.history[-1])
        if figures:
            self.tell(lambda tracker: tracker.scalars(values["phase"], values["step"], figures))

    def figures_of(self, event: dict[str, Any]) -> dict[str, float]:
        """What an event tells a tracker; the display learns the best H so far from it.

        On pseudo-unseen classes that is H at the best calibration constant of each candidate's own curve, as no other
        fold is known yet.
        """
        if event["event"] == "train":
            return {f"loss/{name}": value for name, value in event.items() if name not in ("event", "phase", "step")}
        if event["event"] != "judged" or not event["found"]:
            return {}
        phase, found = event["phase"], event["found"]
        validated = "curve" in found[0]
        h = max(best_constant([Curve.from_json(one["curve"])])[1] if validated else one["H"] for one in found)
        best = self.reached[phase] = max(h, self.reached.get(phase, h))
        self.display.note_best("best H" if validated else "best test H", best, phase)
        where = "validation" if validated else "test"
        return {f"{where}/H": h, f"{where}/best_H": best}

    def tell(self, what: Callable[[Tracker], None]) -> None:
        """Tell the tracker; one that fails is told no more, and the run goes on."""
        try:
            what(self.tracker)
        except Exception as error:  # whatever it is, the run is worth more
            self.tracker = Tracker()
            reason = " ".join(str(error).split()) or type(error).__name__
            self.display.say(f"warning: tracking failed ({reason}); the run goes on without it")

    def events(self, event: str, **where: Any) -> list[dict[str, Any]]:
        """All events of one kind whose values are those given."""
        return [e for e in self.history if e["event"] == event and where.items() <= e.items()]

    def state_is_due(self) -> bool:
        """Whether enough time has passed since the state was saved."""
        spent = time.monotonic() - self.state_written
        return self.folder is not None and spent > STATE_EVERY_S + STATE_SHARE * self.state_cost

    def save_state(self, phase: str, step: int, tensors: dict[str, Tensor]) -> None:
        """Save where training stands."""
        if not self.folder:
            return
        start = time.monotonic()
        state = {"phase": phase, "step": step, "events": len(self.history)}
        save_tensors(self.folder / "state.safetensors", tensors, {"state": json.dumps(state)})
        self.state_written = time.monotonic()
        self.state_cost = self.state_written - start

    def save_best(self, tensors: dict[str, Tensor], h: float) -> None:
        """Keep the best model so far, which reached ``h``."""
        self.best, self.best_h = tensors, h
        if self.folder:
            save_tensors(self.folder / "best.safetensors", tensors)

    def load_best(self) -> dict[str, Tensor]:
        """The best model so far."""
        return self.best or read_tensors(self.folder / "best.safetensors")  # type: ignore[operator]

    def stop_if_asked(self) -> None:
        """Raise `Interrupted` if a signal came in since."""
        if self.signum is not None:
            raise Interrupted(self.signum)

    @contextmanager
    def interruptible(self) -> Iterator[Run]:
        """Turn SIGINT and SIGTERM into a request to stop at the next step; a second one stops at once."""

        def note(signum: int, frame: object) -> None:
            if self.signum is not None:
                raise KeyboardInterrupt
            self.signum = signum
            self.display.say("Stopping at the next step; once more stops at once.")

        before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def finish(
        self,
        model: dict[str, Tensor],
        metrics: dict[str, Any],
        confusions: np.ndarray,
        class_names: tuple[str, ...],
        curve: Mapping[str, list[float]],
    ) -> None:
        """Write model and metrics, and drop the state. The metrics come last: they say that the run is finished."""
        if self.folder:
            save_tensors(self.folder / "model.safetensors", model)
            write_atomically(self.folder / "confusion.csv", confusion_table(confusions, class_names))
            write_atomically(self.folder / "curve.csv", as_csv(curve, zip(*curve.values(), strict=True)))
            write_atomically(self.folder / "metrics.json", as_json(metrics, indent=2))
            for name in ("state.safetensors", "best.safetensors"):
                (self.folder / name).unlink(missing_ok=True)
        if type(self.tracker) is not Tracker:  # drawing takes a moment
            self.tell(lambda tracker: tracker.picture("seen-unseen curve", draw_curve(curve, metrics)))
            self.tell(lambda tracker: tracker.finish(metrics))


def confusion_table(confusions: np.ndarray, class_names: tuple[str, ...]) -> bytes:
    """All pairs of a true and a decided class as a matrix, or of many classes the pairs that occur as lines."""
    if len(class_names) > MATRIX_CLASSES:
        lines = ((class_names[k], class_names[decided], count) for k, decided, count in confusions.tolist())
        return as_csv(["true", "decided", "count"], lines)
    matrix = np.zeros((len(class_names), len(class_names)), np.int64)
    matrix[confusions[:, 0], confusions[:, 1]] = confusions[:, 2]
    rows = ([name, *row] for name, row in zip(class_names, matrix.tolist(), strict=True))
    return as_csv(["true \\ decided", *class_names], rows)


def as_csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """A table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def save_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, atomically."""
    write_atomically(path, save({name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}, about))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    return _read_safetensors(path)[0]


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); is it truncated?") from error


def read_model_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a run's ``model.safetensors``."""
    path = folder / "model.safetensors"
    if not path.exists():
        raise InputError(f"{folder} holds no model.safetensors: the run is unfinished or this is no run folder.")
    return read_tensors(path)


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run folder."""
    path = folder / "config.yaml"
    if not path.exists():
        raise InputError(f"{folder} is no run folder: it holds no config.yaml.")
    return read_strictly(RunConfig, path)


def read_metrics(folder: Path) -> dict[str, Any]:
    """The result of a finished run."""
    path = folder / "metrics.json"
    if not path.exists():
        raise InputError(f"The run in {folder} is unfinished: continue it with gsmflow train --resume {folder}.")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(metrics, dict) or "recognizer" not in metrics:
        raise InputError(f"{path} does not hold the metrics of a gsmflow run; it was altered.")
    return metrics


def read_curve(folder: Path) -> dict[str, list[float]]:
    """The seen-unseen curve of a finished run: ``constants``, ``unseen``, ``seen``."""
    path = folder / "curve.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return {name: [row[name] for row in rows] for name in ("constants", "unseen", "seen")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is missing or damaged ({error}): run that cell again in another folder.") from error


def config_here(
    data: DataSource,
    protocol: str,
    recipe: str,
    settings: Settings,
    device: str,
    threads: int,
    track: str | None = None,
) -> RunConfig:
    """The configuration of a run made here and now."""
    return RunConfig(
        data,
        protocol,  # type: ignore[arg-type]
        recipe,
        settings,
        device,
        threads,
        versions(),
        git_revision(),
        track,  # type: ignore[arg-type]
    )


def _plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
