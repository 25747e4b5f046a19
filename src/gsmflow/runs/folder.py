"""The run folder: which files there are, how each is written and how it is read back.

::

    config.yaml         what was asked: data, protocol, seed, all settings, versions, data fingerprint
    history.jsonl       one event a line: training losses, what was judged; the truth about how the run went
    model.safetensors   the model, which says all of itself: a file that can be moved anywhere
    README.md           its card, in the form that Hugging Face reads
    metrics.json        the result; it exists only once the run is finished
    confusion.csv       the confusion matrix with class names; of many classes, the pairs that occur, a line each
    curve.csv           the seen-unseen curve: U and S at each calibration constant
    state.safetensors   only while the run is unfinished: parameters, optimizer, curves, where training stands
    best.safetensors    the same, under a protocol that selects on test: the best model so far
    tensorboard/        only with ``--track tensorboard``: event files, which repeat the history

Every file but the history and the event files is written under a temporary name and renamed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import Tensor

from ..errors import InputError
from ..evaluation.metrics import Curve
from ..files import as_csv, as_json, read_json, read_tensors, save_tensors, write_atomically
from ..overrides import plain, read_strictly
from .config import RunConfig
from .history import Event, event_line, read_event

__all__ = ["MATRIX_CLASSES", "RunFolder"]

MATRIX_CLASSES = 1000
"""Up to so many classes the confusions are written as a matrix, of more as a list of pairs."""
PAIRS = ["true", "decided", "count"]
CURVE = ("constants", "unseen", "seen")


class RunFolder:
    """The files of one run.

    Args:
        path: where they lie; nothing is read or written before it is asked for.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.history_file = self.path / "history.jsonl"
        self.model_file = self.path / "model.safetensors"
        self.card_file = self.path / "README.md"
        self.metrics_file = self.path / "metrics.json"
        self.confusion_file = self.path / "confusion.csv"
        self.curve_file = self.path / "curve.csv"
        self.state_file = self.path / "state.safetensors"
        self.best_file = self.path / "best.safetensors"

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        state = "finished" if self.is_finished else "unfinished" if self.is_begun else "no run"
        return f"RunFolder({str(self.path)!r}: {state})"

    @property
    def is_begun(self) -> bool:
        """Whether there is a run, finished or not."""
        return self.config_file.exists()

    @property
    def is_finished(self) -> bool:
        """Whether there is a finished run."""
        return self.metrics_file.exists()

    def check_new(self) -> None:
        """Refuse a folder that holds anything.

        Raises:
            InputError: if it does.
        """
        if self.is_finished:
            raise InputError(f"{self} holds a finished run; choose another place, or delete that folder.")
        if self.is_begun:
            raise InputError(
                f"{self} holds an unfinished run: continue it with gsmflow train --resume {self}, or choose another "
                "place."
            )
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(f"{self} is not an empty folder; choose another place.")

    def make(self) -> None:
        """Make the folder; one that holds anything is refused and left alone.

        Raises:
            InputError: if it holds anything, or cannot be made.
        """
        self.check_new()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Could not make the folder {self}: {error.strerror}; choose another place.") from error

    def check_unfinished(self) -> None:
        """Refuse a finished run, which cannot go on.

        Raises:
            InputError: if it is finished.
        """
        if self.is_finished:
            raise InputError(f"The run in {self} is finished: see its metrics.json; there is nothing to resume.")

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that ended before anything was learnt: it holds the configuration alone."""
        if self.path.is_dir() and [path.name for path in self.path.iterdir()] == [self.config_file.name]:
            self.config_file.unlink()
            with suppress(OSError):
                self.path.rmdir()

    def write_config(self, config: RunConfig) -> dict[str, Any]:
        """Write ``config.yaml``; return its content."""
        content = plain(config)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        write_atomically(self.config_file, text.encode())
        return content

    def read_config(self) -> RunConfig:
        """Read ``config.yaml``.

        Raises:
            InputError: if it is missing, damaged, or of another version.
        """
        if not self.config_file.exists():
            raise InputError(f"{self} is no run folder: it holds no config.yaml.")
        return read_strictly(RunConfig, self.config_file)

    def add_event(self, event: Event) -> None:
        """Add a line to ``history.jsonl``."""
        try:
            with self.history_file.open("ab") as file:
                file.write(event_line(event))
        except OSError as error:
            raise InputError(f"Could not write {self.history_file}: {error.strerror}.") from error

    def write_history(self, events: Iterable[Event]) -> None:
        """Write ``history.jsonl`` anew."""
        write_atomically(self.history_file, b"".join(map(event_line, events)))

    def read_history(self, most: int | None = None) -> list[Event]:
        """Read ``history.jsonl``, or its first ``most`` events; none where it is missing and none are asked for.

        Raises:
            InputError: if it is missing or damaged.
        """
        if most == 0:
            return []
        try:
            lines = self.history_file.read_text(encoding="utf-8").splitlines()[:most]
            return [read_event(line) for line in lines]
        except (OSError, ValueError, TypeError, RecursionError) as error:
            reason = " ".join(str(error).partition("For further information")[0].split())[:200]
            raise InputError(f"{self.history_file} is missing or damaged ({reason}); start a new run.") from error

    def write_metrics(self, record: Mapping[str, Any]) -> None:
        """Write ``metrics.json``, which says that the run is finished."""
        write_atomically(self.metrics_file, as_json(record, indent=2))

    def read_metrics(self) -> dict[str, Any]:
        """Read ``metrics.json``.

        Raises:
            InputError: if the run is unfinished, or the file is damaged.
        """
        if not self.is_finished:
            raise InputError(f"The run in {self} is unfinished: continue it with gsmflow train --resume {self}.")
        metrics = read_json(self.metrics_file)
        if "recognizer" not in metrics:
            raise InputError(f"{self.metrics_file} does not hold the metrics of a gsmflow run; it was altered.")
        return metrics

    def write_card(self, card: str) -> None:
        """Write ``README.md``, as `model_card` makes it."""
        write_atomically(self.card_file, card.encode())

    def write_confusions(self, confusions: np.ndarray, class_names: Sequence[str]) -> None:
        """Write ``confusion.csv``.

        Args:
            confusions: ``(m, 3)``: true class, decided class, how often, for all pairs that occur.
            class_names: K names.
        """
        if len(class_names) > MATRIX_CLASSES:
            lines = ((class_names[k], class_names[decided], count) for k, decided, count in confusions.tolist())
            table = as_csv(PAIRS, lines)
        else:
            matrix = np.zeros((len(class_names), len(class_names)), np.int64)
            matrix[confusions[:, 0], confusions[:, 1]] = confusions[:, 2]
            rows = ([name, *row] for name, row in zip(class_names, matrix.tolist(), strict=True))
            table = as_csv(["true \\ decided", *class_names], rows)
        write_atomically(self.confusion_file, table)

    def read_confusions(self, class_names: Sequence[str]) -> np.ndarray:
        """Read ``confusion.csv`` of a run that knows these classes, as `write_confusions` takes it.

        Raises:
            InputError: if it is missing, damaged, or of other classes.
        """
        ids = {name: k for k, name in enumerate(class_names)}
        try:
            with self.confusion_file.open(encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            if header == PAIRS:
                found = [(ids[true], ids[decided], int(count)) for true, decided, count in rows]
            elif tuple(header[1:]) != tuple(class_names) or tuple(row[0] for row in rows) != tuple(class_names):
                raise ValueError("its classes are not those of the model")
            else:
                matrix = np.array([[int(value) for value in row[1:]] for row in rows]).reshape(len(ids), len(ids))
                found = [(i, j, matrix[i, j]) for i, j in zip(*np.nonzero(matrix), strict=True)]
            confusions = np.array(found, np.int64).reshape(-1, 3)
            if (confusions[:, 2] < 0).any():
                raise ValueError("it holds negative counts")
        except (OSError, ValueError, KeyError, IndexError, csv.Error) as error:
            raise damaged(self.confusion_file, error) from error
        return confusions

    def write_curve(self, curve: Curve) -> None:
        """Write ``curve.csv``, thinned out."""
        lists = curve.thin().to_json()
        write_atomically(self.curve_file, as_csv(lists, zip(*lists.values(), strict=True)))

    def read_curve(self) -> Curve:
        """Read ``curve.csv``.

        Raises:
            InputError: if it is missing or damaged.
        """
        try:
            with self.curve_file.open(encoding="utf-8", newline="") as file:
                rows = [[float(row[name]) for name in CURVE] for row in csv.DictReader(file)]
            points = np.array(rows, float).reshape(-1, 3)
            if not np.isfinite(points).all():
                raise ValueError("it holds what is no finite number")
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise damaged(self.curve_file, error) from error
        return Curve(*points.T)

    def write_state(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Write ``state.safetensors``."""
        save_tensors(self.state_file, tensors, {"state": json.dumps(about)})

    def read_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Read ``state.safetensors``; empty where there is none.

        Raises:
            InputError: if it is damaged, or was not written by gsmflow.
        """
        if not self.state_file.exists():
            return {}, {}
        tensors, texts = read_tensors(self.state_file)
        if "state" not in texts:
            raise InputError(f"{self.state_file} was not written by gsmflow; start a new run.")
        try:
            about = json.loads(texts["state"])
            if not (isinstance(about["phase"], str) and isinstance(about["step"], int) and about["events"] >= 0):
                raise TypeError("it does not say where training stands")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(f"{self.state_file} is damaged ({error}); start a new run.") from error
        return tensors, about

    def write_best(self, tensors: Mapping[str, Tensor]) -> None:
        """Write ``best.safetensors``."""
        save_tensors(self.best_file, tensors)

    def read_best(self) -> dict[str, Tensor]:
        """Read ``best.safetensors``."""
        return read_tensors(self.best_file)[0]

    def drop_state(self) -> None:
        """Delete what only an unfinished run needs."""
        for path in (self.state_file, self.best_file):
            path.unlink(missing_ok=True)


def damaged(path: Path, error: Exception) -> InputError:
    """The sentence about a file that cannot be read back."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} is missing or damaged ({reason}): run it again in another folder.")
