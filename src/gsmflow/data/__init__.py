"""Data sets: reading, checking, and cutting pseudo-unseen classes out of them."""

from .catalog import BENCHMARKS, find
from .dataset import Provenance, TestSets, TrainingSet, ZeroShotDataset
from .digits import digits
from .formats import FORMATS, Format, load_folder
from .source import DataSource, load
from .splits import pseudo_unseen
from .synthetic import synthetic

__all__ = [
    "BENCHMARKS",
    "FORMATS",
    "DataSource",
    "Format",
    "Provenance",
    "TestSets",
    "TrainingSet",
    "ZeroShotDataset",
    "digits",
    "find",
    "load",
    "load_folder",
    "pseudo_unseen",
    "synthetic",
]
