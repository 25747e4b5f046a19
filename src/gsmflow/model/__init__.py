"""The model: an object that can be asked, extended, saved and loaded."""

from .about import About, Rejection
from .evidence import Adaptation, Piece, Teaching
from .explain import Explanation
from .model import ZeroShotModel
from .prediction import Guess, Prediction, Predictions, ask

__all__ = [
    "About",
    "Adaptation",
    "Explanation",
    "Guess",
    "Piece",
    "Prediction",
    "Predictions",
    "Rejection",
    "Teaching",
    "ZeroShotModel",
    "ask",
]
