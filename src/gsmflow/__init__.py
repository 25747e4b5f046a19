"""gsmflow: recognise classes nobody has a picture of.

Generalized zero-shot learning with conditional normalizing flows. The names below are the whole public interface;
each is imported when it is first used, so that ``import gsmflow`` does not wait for torch.

=====================  =================================================================================
`load`                 a data set by name or folder: `ZeroShotDataset`, or build one from arrays
`train`                a model from a data set: a `Result` with the model, its `Metrics`, and the record
`load_model`           a model from its file or run folder: `ZeroShotModel`
`evaluate`             the `Metrics` of a model on a data set
`load_recipe`          the `Settings` of a method, with their story
`ZeroShotClassifier`   the same as a scikit-learn estimator
`InputError`           bad input, told in one sentence
=====================  =================================================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import ZeroShotDataset, load
    from .errors import InputError
    from .estimator import ZeroShotClassifier
    from .evaluation import Metrics
    from .experiment import Result, evaluate, load_model, train
    from .model import ZeroShotModel
    from .recipes import load_recipe
    from .settings import Settings

__version__ = "0.1.0"

_HOME = {
    "InputError": "errors",
    "Metrics": "evaluation",
    "Result": "experiment",
    "Settings": "settings",
    "ZeroShotClassifier": "estimator",
    "ZeroShotDataset": "data",
    "ZeroShotModel": "model",
    "evaluate": "experiment",
    "load": "data",
    "load_model": "experiment",
    "load_recipe": "recipes",
    "train": "experiment",
}

__all__ = [
    "InputError",
    "Metrics",
    "Result",
    "Settings",
    "ZeroShotClassifier",
    "ZeroShotDataset",
    "ZeroShotModel",
    "evaluate",
    "load",
    "load_model",
    "load_recipe",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gsmflow' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
