"""gsmflow: recognise classes nobody has a picture of.

Generalized zero-shot learning with conditional normalizing flows. The names below are the whole public interface;
each is imported when it is first used, so that ``import gsmflow`` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import ZeroShotDataset, load
    from .errors import InputError
    from .evaluation import Metrics, evaluate
    from .experiment import load_model, train
    from .generators import GSMFlow
    from .model import ZeroShotModel
    from .recipes import load_recipe
    from .settings import Settings

__version__ = "0.1.0"

_HOME = {
    "GSMFlow": "generators",
    "InputError": "errors",
    "Metrics": "evaluation",
    "Settings": "settings",
    "ZeroShotDataset": "data",
    "ZeroShotModel": "model",
    "evaluate": "evaluation",
    "load": "data",
    "load_model": "experiment",
    "load_recipe": "recipes",
    "train": "experiment",
}

__all__ = [
    "GSMFlow",
    "InputError",
    "Metrics",
    "Settings",
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
