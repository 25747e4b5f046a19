"""A problem and settings so small that a whole run takes a moment."""

import errno
from dataclasses import replace
from pathlib import Path

from gsmflow import experiment
from gsmflow.data import DataSource, ZeroShotDataset, synthetic
from gsmflow.experiment import Result
from gsmflow.progress import Display
from gsmflow.runs import Interrupted, Run, RunConfig, config_here
from gsmflow.settings import (
    FlowSettings,
    GaussianSettings,
    LinearFlowSettings,
    SelectionSettings,
    Settings,
    SoftmaxSettings,
)
from gsmflow.settings import TrainingSettings as Training

PROTOCOLS = ("validated", "published")
TINY = Settings(
    generator="gsmflow",
    recognizer="softmax",
    scaling="minmax",
    flow=FlowSettings(hidden=16, blocks=1, position_dim=8),
    training=Training(epochs=2, batch=16, lr=3e-3),
    softmax=SoftmaxSettings(samples=20, epochs=2, batch=64, lr=1e-2),
    selection=SelectionSettings(every=2, after=0, folds=2),
    grid=(),
)
"""Three steps an epoch on all of trainval, judged after steps 2, 4 and 6."""

GAUSSIAN = Settings(
    generator="gaussian",
    recognizer="likelihood",
    scaling="none",
    gaussian=GaussianSettings(
        dims=4, semantics=("l2",), kernels=("linear", "rbf"), ridges=(0.1, 1.0), shrinks=(0.1,), widens=(0.0, 1.0)
    ),
    selection=SelectionSettings(folds=2),
    grid=(),
)

LINEAR = replace(
    GAUSSIAN,
    generator="linear-flow",
    linear_flow=LinearFlowSettings(temperature=1.0, decay=1.0),
    training=Training(epochs=2, batch=16, lr=3e-3),
    selection=SelectionSettings(every=2, after=-1, folds=2),
    grid=("scaling=none,l2", "linear_flow.temperature=1,3"),
)
"""A flow on a closed form that is chosen first, with a grid: the way of the default recipe."""

RECIPE = """\
generator: gsmflow
recognizer: softmax
scaling: minmax
flow: {hidden: 16, blocks: 1, position_dim: 8}
training: {epochs: 2, batch: 4, lr: 3.0e-3}
softmax: {samples: 5, epochs: 2, batch: 16}
selection: {every: 2, after: 0, folds: 2}
grid: []
"""
"""TINY as a recipe file, for the twins of the file formats."""

TRAIN = ("train", "TWIN", "--recipe", "tiny.yaml", "--device", "cpu", "--no-report", "--quiet")
"""A command line that trains with it."""

TIMES = ("seconds", "peak_memory_mb")
"""What differs between two runs of the same."""


def problem(seed: int = 0) -> ZeroShotDataset:
    """Six seen and two unseen classes of twelve samples each."""
    return synthetic(classes=8, unseen=2, samples=12, dim=6, seed=seed)


def asked(settings: Settings = TINY, protocol: str = "validated", track: str | None = None) -> RunConfig:
    """The configuration of a run on `problem`."""
    source = DataSource("synthetic", fingerprint=problem().fingerprint())
    return config_here(source, protocol, "tiny", "tiny", settings, "cpu", 1, track)  # type: ignore[arg-type]


def start(folder: Path, settings: Settings = TINY, protocol: str = "validated") -> Result:
    """Train into a new run folder."""
    return experiment.execute(folder, asked(settings, protocol), problem(), Display(quiet=True))


go_on = start
"""Resume the run that `start` began in the folder."""


def without_times(record: dict) -> dict:
    """The content of ``metrics.json`` that is the same each time."""
    return {name: value for name, value in record.items() if name not in TIMES}


def full_disk(*_: object) -> None:
    """What the system says where there is no room."""
    raise OSError(errno.ENOSPC, "No space left on device")


class Stops:
    """Counts how often a run asks whether to stop, and stops it at the n-th time."""

    def __init__(self, monkeypatch, at: int | None = None):
        self.count, self.at = 0, at
        monkeypatch.setattr(Run, "stop_if_asked", lambda run: self.ask())

    def ask(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Interrupted(15)


def with_seed(seed: int, settings: Settings = TINY) -> Settings:
    return replace(settings, seed=seed)
