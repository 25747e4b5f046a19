"""Known benchmarks: what they are, where to get them, which files are expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["BENCHMARKS", "Benchmark", "find_benchmark", "is_present"]

XLSA17 = (
    "https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/zero-shot-learning/"
    "zero-shot-learning-the-good-the-bad-and-the-ugly"
)
GSMFLOW = "https://github.com/uqzhichen/GSMFlow"
STANDARD_FILES = ("res101.mat", "att_splits.mat")


@dataclass(frozen=True)
class Benchmark:
    """One known data set.

    Attributes:
        name: of its folder.
        about: what it shows.
        seen: number of seen classes; ``unseen`` likewise.
        semantics: what describes a class.
        files: expected in the folder; none for an embedded data set.
        source: where to get them.
        citation: whom to cite.
    """

    name: str
    about: str
    seen: int
    unseen: int
    semantics: str
    files: tuple[str, ...]
    source: str
    citation: str


BENCHMARKS = (
    Benchmark(
        "digits",
        "handwritten digits, embedded",
        8,
        2,
        "17 strokes",
        (),
        "in this package",
        "Alpaydin & Kaynak 1998",
    ),
    Benchmark("synthetic", "known truth, embedded", 15, 5, "8 normal", (), "in this package", "this project"),
    Benchmark("AWA1", "animals", 40, 10, "85 attributes", STANDARD_FILES, XLSA17, "Lampert et al. 2014"),
    Benchmark("AWA2", "animals", 40, 10, "85 attributes", STANDARD_FILES, XLSA17, "Xian et al. 2018"),
    Benchmark("APY", "objects", 20, 12, "64 attributes", STANDARD_FILES, XLSA17, "Farhadi et al. 2009"),
    Benchmark("CUB", "birds", 150, 50, "312 attributes", STANDARD_FILES, XLSA17, "Wah et al. 2011"),
    Benchmark("SUN", "scenes", 645, 72, "102 attributes", STANDARD_FILES, XLSA17, "Patterson & Hays 2012"),
    Benchmark(
        "FLO",
        "flowers",
        82,
        20,
        "1024-d sentences",
        ("data.mat", "label.mat"),
        GSMFLOW,
        "Nilsback & Zisserman 2008; Reed et al. 2016",
    ),
)
"""CUB with 1024-d sentences, too, comes as ``data.mat`` and ``label.mat`` with the published code."""


def find_benchmark(name: str) -> Benchmark | None:
    """The known benchmark of this name, in any case of letters."""
    return next((b for b in BENCHMARKS if b.name.lower() == name.lower()), None)


def is_present(benchmark: Benchmark, root: Path) -> bool:
    """Whether a folder of its name holds its files, in either layout."""
    folder = root / benchmark.name
    layouts = (benchmark.files, ("data.mat", "label.mat"))
    splits_and_features = any(folder.glob("*_splits.mat")) and len(list(folder.glob("*.mat"))) > 1
    return splits_and_features or any(all((folder / file).is_file() for file in files) for files in layouts)
