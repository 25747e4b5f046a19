"""Known benchmarks: what they are, where to get them, which files are expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["BENCHMARKS", "Benchmark", "find", "is_present"]

XLSA17 = (
    "https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/zero-shot-learning/"
    "zero-shot-learning-the-good-the-bad-and-the-ugly"
)
GSMFLOW = "https://github.com/uqzhichen/GSMFlow"
STANDARD = ("res101.mat", "att_splits.mat")
PACKED = ("data.mat", "label.mat")


@dataclass(frozen=True)
class Benchmark:
    """One known data set.

    Attributes:
        name: of its folder.
        title: what it shows.
        seen: number of seen classes.
        unseen: number of unseen classes.
        features: what describes an image.
        semantics: what describes a class.
        layout: ``xlsa17``, ``packed`` or ``embedded``.
        files: expected in the folder; none for an embedded data set.
        source: where to get them: an address.
        citation: whom to cite for images and semantics.
    """

    name: str
    title: str
    seen: int
    unseen: int
    features: str
    semantics: str
    layout: str
    files: tuple[str, ...]
    source: str
    citation: str


def _standard(name: str, title: str, seen: int, unseen: int, semantics: str, citation: str) -> Benchmark:
    return Benchmark(name, title, seen, unseen, "2048 ResNet-101", semantics, "xlsa17", STANDARD, XLSA17, citation)


def _embedded(name: str, title: str, seen: int, unseen: int, features: str, semantics: str, by: str) -> Benchmark:
    return Benchmark(name, title, seen, unseen, features, semantics, "embedded", (), "in this package", by)


BENCHMARKS = (
    _embedded("digits", "handwritten digits", 8, 2, "64 pixels", "strokes", "Alpaydin & Kaynak 1998"),
    _embedded("synthetic", "known truth", 15, 5, "32 Gaussian", "8 normal", "this project"),
    _standard("AWA1", "animals", 40, 10, "85 attributes", "Lampert et al. 2014"),
    _standard("AWA2", "animals", 40, 10, "85 attributes", "Xian et al. 2018"),
    _standard("APY", "objects", 20, 12, "64 attributes", "Farhadi et al. 2009"),
    _standard("CUB", "birds", 150, 50, "312 attributes", "Wah et al. 2011"),
    _standard("SUN", "scenes", 645, 72, "102 attributes", "Patterson & Hays 2012"),
    Benchmark(
        "FLO",
        "flowers",
        82,
        20,
        "2048 ResNet-101",
        "1024 sentences",
        "packed",
        PACKED,
        GSMFLOW,
        "Nilsback & Zisserman 2008; Reed et al. 2016",
    ),
)
"""CUB with 1024-d sentences comes as ``data.mat`` and ``label.mat`` as well, from where FLO comes."""


def find(name: str) -> Benchmark | None:
    """The known benchmark of this name, in any case of letters."""
    return next((b for b in BENCHMARKS if b.name.lower() == name.lower()), None)


def is_present(benchmark: Benchmark, root: Path) -> bool:
    """Whether a folder of its name holds its files, in either layout."""
    folder = root / benchmark.name
    layouts = (benchmark.files, PACKED)
    splits_and_features = any(folder.glob("*_splits.mat")) and len(list(folder.glob("*.mat"))) > 1
    return splits_and_features or any(all((folder / file).is_file() for file in files) for files in layouts)
