"""Known benchmarks: what they are, where to get them, which files are expected, and what of them is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .formats import formats_in

__all__ = ["BENCHMARKS", "XLSA17_ARCHIVE", "Archive", "Benchmark", "find", "folder_of", "folders", "presence"]

XLSA17 = (
    "https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/zero-shot-learning/"
    "zero-shot-learning-the-good-the-bad-and-the-ugly"
)
GSMFLOW = "https://github.com/uqzhichen/GSMFlow"
STANDARD = ("res101.mat", "att_splits.mat")
PACKED = ("data.mat", "label.mat")


@dataclass(frozen=True)
class Archive:
    """A zip archive that holds known data sets.

    Attributes:
        file: its name.
        address: where it is published.
        sha256: of the archive, as far as that could be verified; None where it could not: then what comes is recorded.
        folder: in the archive, that of the folders of the data sets.
    """

    file: str
    address: str
    sha256: str | None
    folder: str


XLSA17_ARCHIVE = Archive("xlsa17.zip", "http://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip", None, "xlsa17/data")


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
        archive: what ``gsmflow data fetch`` takes it from; None if there is no such archive.
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
    archive: Archive | None = None


def _standard(name: str, title: str, seen: int, unseen: int, semantics: str, citation: str) -> Benchmark:
    features = "2048 ResNet-101"
    place = (XLSA17, citation, XLSA17_ARCHIVE)
    return Benchmark(name, title, seen, unseen, features, semantics, "xlsa17", STANDARD, *place)


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


def folders(root: Path) -> list[Path]:
    """The folders in ``root`` that hold a data set, sorted."""
    return sorted(path for path in root.iterdir() if formats_in(path)) if root.is_dir() else []


def folder_of(name: str, root: Path) -> Path | None:
    """The folder of this name in ``root``, or else the only one that holds data and has it in other letters."""
    if (root / name).is_dir():
        return root / name
    alike = [path for path in folders(root) if path.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def is_splits(file: str) -> bool:
    """Whether a file of the standard layout holds semantics and splits; the others hold features."""
    return file.endswith("_splits.mat")


def presence(benchmark: Benchmark, root: Path) -> str:
    """What there is of a known benchmark, as `load` would find it: formats, and what they lack of the files expected.

    Example:
        >>> presence(BENCHMARKS[0], Path("data")), presence(BENCHMARKS[2], Path("nowhere"))
        ('embedded', 'no')
    """
    if not benchmark.files:
        return benchmark.layout
    folder = folder_of(benchmark.name, root)
    held = [one.name for one in formats_in(folder)] if folder else []
    if folder and "xlsa17" in held:  # the one layout whose files may have other names
        lacking = [file for file in STANDARD if not (folder / file).is_file()]
        known = (*STANDARD, *PACKED)
        others = sorted(
            path.stem
            for path in folder.glob("*.mat")
            if path.name not in known and any(is_splits(path.name) == is_splits(file) for file in lacking)
        )
        if lacking:
            there = f" (has {', '.join(others)})" if others else ""
            held[held.index("xlsa17")] += f", without {', '.join(lacking)}{there}"
    return "; ".join(held) or "no"
