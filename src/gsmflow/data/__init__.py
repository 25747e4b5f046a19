"""Data sets: finding, reading, checking and writing them, and cutting pseudo-unseen classes out of them.

To add a file format, write a file in `formats` and a line in its table.
"""

from .catalog import BENCHMARKS, find
from .class_splits import redrawn
from .cuts import cut
from .dataset import Provenance, TestSets, TrainingSet, ZeroShotDataset
from .digits import digits
from .encoder import EncoderRecord, in_one_space
from .formats import FORMATS, Format
from .source import EMBEDDED, DataSource, load, load_folder
from .splits import hold_out, in_split_order, pseudo_unseen
from .synthetic import synthetic

__all__ = [
    "BENCHMARKS",
    "EMBEDDED",
    "FORMATS",
    "DataSource",
    "EncoderRecord",
    "Format",
    "Provenance",
    "TestSets",
    "TrainingSet",
    "ZeroShotDataset",
    "cut",
    "digits",
    "find",
    "hold_out",
    "in_one_space",
    "in_split_order",
    "load",
    "load_folder",
    "pseudo_unseen",
    "redrawn",
    "synthetic",
]
