"""The conditional normalizing flow of GSMFlow."""

from .coupling import ConditionalAffineCoupling
from .flow import ConditionalFlow
from .gsmflow import GSMFlow
from .linear import LinearFlow
from .positioning import RelativePositioning, find_anchors

__all__ = [
    "ConditionalAffineCoupling",
    "ConditionalFlow",
    "GSMFlow",
    "LinearFlow",
    "RelativePositioning",
    "find_anchors",
]
