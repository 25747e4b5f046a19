"""The model: an object that can be asked, extended, saved and loaded."""

from .about import About
from .explain import Explanation
from .model import ZeroShotModel

__all__ = ["About", "Explanation", "ZeroShotModel"]
