"""Runs: the configuration, the folder that a run writes and is read from, and a run in progress."""

from .card import model_card
from .config import RunConfig, config_here, git_revision, versions
from .folder import RunFolder
from .history import JudgedEvent, RankedEvent, TrainEvent
from .run import Interrupted, Run, on_signals

__all__ = [
    "Interrupted",
    "JudgedEvent",
    "RankedEvent",
    "Run",
    "RunConfig",
    "RunFolder",
    "TrainEvent",
    "config_here",
    "git_revision",
    "model_card",
    "on_signals",
    "versions",
]
