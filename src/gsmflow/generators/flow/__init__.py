"""The conditional normalizing flow of GSMFlow."""

from .coupling import ConditionalAffineCoupling
from .flow import ConditionalFlow
from .gsmflow import GSMFlow
from .positioning import RelativePositioning, find_anchors
from .linear import LinearFlow

__all__ = [
    "ConditionalAffineCoupling",
    "ConditionalFlow",
    "GSMFlow",
    "RelativePositioning",
    "LinearFlow",
    "find_anchors",
]
