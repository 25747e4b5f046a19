"""A problem and settings so small that a whole run takes a moment."""

from dataclasses import replace
from pathlib import Path

from gsmflow import experiment
from gsmflow.data import ZeroShotDataset, synthetic
from gsmflow.progress import Display
from gsmflow.runs import DataSource, Interrupted, Run, config_here
from gsmflow.settings import FlowSettings, GaussianSettings, SelectionSettings, Settings, SoftmaxSettings
from gsmflow.settings import TrainingSettings as Training

PROTOCOLS = ("validated", "published")
TINY = Settings(
    flow=FlowSettings(hidden=16, blocks=1, position_dim=8),
    training=Training(epochs=2, batch=16, lr=3e-3),
    softmax=SoftmaxSettings(samples=20, epochs=2, batch=64, lr=1e-2),
    selection=SelectionSettings(every=2, folds=2),
)
"""Three steps an epoch on all of trainval, judged after steps 2, 4 and 6."""

GAUSSIAN = Settings(
    generator="gaussian",
    recognizer="likelihood",
    scaling="none",
    gaussian=GaussianSettings(dims=4, ridges=(0.1, 1.0), shrinks=(0.1,), widens=(0.0, 1.0)),
    selection=SelectionSettings(folds=2),
)

RECIPE = """\
flow: {hidden: 16, blocks: 1, position_dim: 8}
training: {epochs: 2, batch: 4, lr: 3.0e-3}
softmax: {samples: 5, epochs: 2, batch: 16}
selection: {every: 2, folds: 2}
"""
"""TINY as a recipe file, for the twins of the file formats."""

TRAIN = ("train", "TWIN", "--recipe", "tiny.yaml", "--device", "cpu", "--no-report", "--quiet")
"""A command line that trains with it."""


def problem(seed: int = 0) -> ZeroShotDataset:
    """Six seen and two unseen classes of twelve samples each."""
    return synthetic(classes=8, unseen=2, samples=12, dim=6, seed=seed)


def start(folder: Path, settings: Settings = TINY, protocol: str = "validated", data: ZeroShotDataset | None = None):
    """Train into a new run folder."""
    data = data or problem()
    source = DataSource("synthetic", fingerprint=data.fingerprint())
    config = config_here(source, protocol, "tiny", settings, "cpu", 1)
    run = Run.create(folder, config, Display(quiet=True))
    return experiment.train(data, settings, protocol=protocol, device="cpu", run=run)  # type: ignore[arg-type]


def go_on(folder: Path, settings: Settings = TINY, protocol: str = "validated"):
    """Resume the run that `start` began in the folder."""
    run = Run.resume(folder, Display(quiet=True))
    return experiment.train(problem(), settings, protocol=protocol, device="cpu", run=run)  # type: ignore[arg-type]


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
