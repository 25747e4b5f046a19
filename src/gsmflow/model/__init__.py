"""The model: an object that can be asked, extended, saved and loaded."""

from .about import About
from .explain import Explanation
from .model import ZeroShotModel
from .prediction import Guess, Prediction, Predictions, ask

__all__ = ["About", "Explanation", "Guess", "Prediction", "Predictions", "ZeroShotModel", "ask"]
