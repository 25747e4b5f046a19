"""Trackers: what follows a run from outside, beside its history, which stays the truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TRACKERS", "TensorBoardTracker", "Tracker", "open_tracker"]


class Tracker:
    """Is told how a run goes, and does nothing; a subclass overrides what it cares for."""

    def start(self, config: Mapping[str, Any]) -> None:
        """The run begins or goes on; ``config`` is the content of ``config.yaml``."""

    def scalars(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Numbers after ``step`` steps of a phase: ``loss/<term>``; ``validation/H`` or ``test/H``, and ``best_H``."""

    def picture(self, name: str, figure: Figure) -> None:
        """A picture of the result."""

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """The run is finished; ``metrics`` is the content of ``metrics.json``."""


class TensorBoardTracker(Tracker):
    """Writes event files: one folder for each phase of the run, settings and result beside them.

    Nothing is written before there is something to show. All is flushed at once, so that TensorBoard sees the run live
    and a killed run loses nothing.

    Args:
        folder: where to write.
        kept: the last step of each phase that a resumed run has kept; later ones in the event files are hidden.

    Raises:
        InputError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, kept: Mapping[str, int] | None = None):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError("track=tensorboard needs TensorBoard: pip install 'gsmflow[tensorboard]'.") from error
        self.open_writer = SummaryWriter
        self.folder, self.kept = folder, dict(kept or {})
        self.config: Mapping[str, Any] = {}
        self.root: Any = None
        self.writer: Any = None
        self.phase = ""

    def start(self, config: Mapping[str, Any]) -> None:
        """Keep the configuration until there is something to show."""
        self.config = config

    def scalars(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each curve of the phase."""
        self.opened_root()
        if phase != self.phase or self.writer is None:
            if self.writer:
                self.writer.close()
            folder = self.folder / phase.replace("/", "_")
            self.writer = self.open_writer(str(folder), purge_step=self.kept.get(phase, -1) + 1)
            self.phase = phase
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()
        self.kept[phase] = step

    def picture(self, name: str, figure: Figure) -> None:
        """Add the picture."""
        self.opened_root().add_figure(name, figure)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Add settings and result, side by side with those of other runs, and close all files."""
        from torch.utils.tensorboard.summary import hparams

        root = self.opened_root()
        scalars = {f"result/{name}": value for name, value in metrics.items() if isinstance(value, float)}
        for summary in hparams(hyper_parameters(self.config), scalars):  # add_hparams would open a second file
            root.file_writer.add_summary(summary)
        for name, value in scalars.items():
            root.add_scalar(name, value, 0)
        root.close()
        if self.writer:
            self.writer.close()

    def opened_root(self) -> Any:
        """The writer of what belongs to the run as a whole; the first thing in it is the configuration."""
        if self.root is None:
            self.root = self.open_writer(str(self.folder), purge_step=0)
            text = yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)
            self.root.add_text("config", f"```\n{text}```", 0)
            self.root.flush()
        return self.root


def hyper_parameters(config: Mapping[str, Any]) -> dict[str, str | float]:
    """Settings by dotted name, with data set and protocol, as TensorBoard takes them: numbers and texts alone."""
    tree = {"data": config["data"]["name"], "protocol": config["protocol"], **config["settings"]}
    flat: dict[str, Any] = {}
    for section, value in tree.items():
        flat |= {f"{section}.{name}": v for name, v in value.items()} if isinstance(value, dict) else {section: value}
    return {name: value if isinstance(value, str | bool | int | float) else str(value) for name, value in flat.items()}


TRACKERS: dict[str, type[TensorBoardTracker]] = {"tensorboard": TensorBoardTracker}
"""By the name that ``--track`` takes, which is that of the tracker's folder in the run folder."""


def open_tracker(name: str | None, folder: Path, kept: Mapping[str, int] | None = None) -> Tracker:
    """The tracker of the run in ``folder``.

    Args:
        name: as ``--track`` takes it; None: one that does nothing.
        folder: of the run.
        kept: the last step of each phase that a resumed run has kept.

    Raises:
        InputError: if the library it needs is not installed.
    """
    return TRACKERS[name](folder / name, kept) if name else Tracker()
