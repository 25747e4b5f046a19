"""What flows through everything else: one immutable data set, and the two halves it is read by."""

from __future__ import annotations

import hashlib
import sys
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataWarning, InputError
from .checks import SPLITS, check, find_warnings
from .encoder import EncoderRecord
from .rows import Rows, chunks, take
from .space import check_space, space_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Provenance", "TestSets", "TrainingSet", "ZeroShotDataset"]

ARRAYS = {
    "features": np.float32,
    "labels": np.int64,
    "semantics": np.float32,
    "trainval": np.int64,
    "test_seen": np.int64,
    "test_unseen": np.int64,
}


def convert(array: Any, dtype: type) -> Any:
    """The array in C order and of this type, itself if it is so; as it is if it is of another kind, for the checks."""
    if isinstance(array, Rows):
        return array
    array = np.asarray(array)
    return np.require(array, dtype, "C") if np.can_cast(array.dtype, dtype, "same_kind") else array


def convert_split(split: Any, samples: tuple[int, ...]) -> Any:
    """Sample indices, also where they were given by a mask of all samples; a mask of another shape is left alone."""
    split = np.asarray(split)
    if split.dtype == bool:
        return np.flatnonzero(split) if split.shape == samples else split
    return convert(split, np.int64) if split.size else no_samples()


def no_samples() -> np.ndarray:
    """An empty split."""
    return np.zeros(0, np.int64)


def frames_to_caller() -> int:
    """How many frames up code outside of this package stands: that line is what a warning is about."""
    inside, level, frame = (__name__.partition(".")[0], "dataclasses"), 1, sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in inside:
        frame, level = frame.f_back, level + 1
    return level


@dataclass(frozen=True)
class Provenance:
    """Where data came from: results are comparable only within one choice of features and semantics.

    Attributes:
        layout: a name in `FORMATS`, ``digits``, ``synthetic``, ``pseudo-unseen``, or ``arrays`` given in Python.
        features: name of the features, such as ``res101``.
        semantics: name of the semantics, such as ``att``.
        files: names of the files read.
        notes: anything else that a reader of the results must know.
        folder: absolute path of the folder read; empty where there is none.
        counted_from: 1 or 0, where the files count classes and samples from; messages count as they do.
        encoder: what made the features out of pictures, where it is known.
        text_encoder: what made the semantics out of words, where it is known.
        images: folder of the pictures that the sample names are relative to; empty where there are none.
        holdout: share of each seen class that was taken out of trainval for test_seen; 0 where none was.
        class_split: number of the draw of unseen classes, see `gsmflow.data.redrawn`; 0: the official one.
    """

    layout: str = "arrays"
    features: str = "features"
    semantics: str = "semantics"
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folder: str = ""
    counted_from: int = 0
    encoder: EncoderRecord | None = None
    text_encoder: EncoderRecord | None = None
    images: str = ""
    holdout: float = 0.0
    class_split: int = 0


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All that training may see: no test sample can be reached from here.

    Attributes:
        features: ``(n, D)``, features of trainval; `Rows` where they are many, as in all that is made of them.
        labels: ``(n,)``, class ids, which are rows of ``semantics``.
        semantics: ``(K, S)``, of seen and unseen classes.
        seen: ``(Ks,)``, sorted ids of the classes with training features.
        unseen: ``(Ku,)``, sorted ids of those without.
        class_names: K names.
        semantic_names: S names of the dimensions of ``semantics``, or none.
        semantic_parts: name and width of the parts that ``semantics`` are put together from, or none.
        one_space: whether the words among ``semantics`` lie in the space of the features, as CLIP's do.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    semantics: Float[np.ndarray, "k s"]
    seen: Int[np.ndarray, " ks"]
    unseen: Int[np.ndarray, " ku"]
    class_names: tuple[str, ...]
    semantic_names: tuple[str, ...] = ()
    semantic_parts: tuple[tuple[str, int], ...] = ()
    one_space: bool = False

    @property
    def dim(self) -> int:
        """D, the dimension of the features."""
        return self.features.shape[1]

    @property
    def semantic_dim(self) -> int:
        """S, the dimension of the semantics."""
        return self.semantics.shape[1]


@dataclass(frozen=True, eq=False)
class TestSets:
    """The half that only an evaluation sees; either test may be empty.

    Attributes:
        seen_features: ``(n, D)``, features of test_seen; `Rows` where they are many.
        seen_labels: ``(n,)``, their class ids.
        unseen_features: ``(m, D)``, features of test_unseen.
        unseen_labels: ``(m,)``, their class ids.
    """

    __test__ = False  # not a test case for pytest

    seen_features: Float[np.ndarray, "n d"]
    seen_labels: Int[np.ndarray, " n"]
    unseen_features: Float[np.ndarray, "m d"]
    unseen_labels: Int[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class ZeroShotDataset:
    """Features, labels, class semantics and splits of one problem. It checks itself when it is made.

    What looks odd but is no error is told as `gsmflow.errors.DataWarning`, and stands in ``warnings``.

    Attributes:
        name: such as ``CUB``.
        features: ``(N, D)`` float32. All arrays are read-only views; they are copied only to change their type. Lists
            are taken as well.
        labels: ``(N,)`` int64 class ids, which are rows of ``semantics``.
        semantics: ``(K, S)`` float32, one row a class; classes without any sample are unseen.
        class_names: K different names; by default ``class 0``, ``class 1``, …, counted as labels are.
        trainval: int64 sample indices counted from 0, or a boolean mask of N, as are ``test_seen`` and
            ``test_unseen``. It may not be empty.
        test_seen: by default empty: S and H cannot be measured then.
        test_unseen: by default empty: T1, U and H cannot be measured then.
        provenance: where the data came from; by default arrays given in Python.
        allow_overlap: accept a published file that has samples in two splits.
        semantic_names: S names of the dimensions of ``semantics``, or none.
        semantic_parts: name and width of the parts that ``semantics`` are put together from, such as
            ``(("attributes", 85), ("text", 384))``, or none.
        sample_names: N names of the samples, such as the files of their pictures, or none.
        one_space: whether the words among ``semantics`` lie in the space of the features, as those of CLIP do; by
            default what the encoders' records say, and where there are none, whether the dimensions are equal.
        warnings: what looks odd but is no error, a sentence each.

    Raises:
        InputError: if the data contradict themselves; see `gsmflow.data.checks`.

    Example:
        >>> import gsmflow
        >>> gsmflow.load("synthetic").unseen
        array([15, 16, 17, 18, 19])
        >>> gsmflow.ZeroShotDataset(
        ...     "pets",
        ...     features=[[0.1, 0.9], [0.2, 0.8], [0.1, 0.8], [0.9, 0.1], [0.8, 0.2], [0.9, 0.2], [0.7, 0.7]],
        ...     labels=[0, 0, 0, 1, 1, 1, 2],
        ...     semantics=[[1, 0], [0, 1], [1, 0.5]],
        ...     class_names=["cat", "dog", "fox"],
        ...     trainval=[0, 1, 3, 4],
        ...     test_seen=[2, 5],
        ...     test_unseen=[6],
        ... ).unseen
        array([2])
    """

    name: str
    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    semantics: Float[np.ndarray, "k s"]
    class_names: tuple[str, ...] = ()
    trainval: Int[np.ndarray, " i"] = field(default_factory=no_samples)
    test_seen: Int[np.ndarray, " j"] = field(default_factory=no_samples)
    test_unseen: Int[np.ndarray, " l"] = field(default_factory=no_samples)
    provenance: Provenance = field(default_factory=Provenance)
    allow_overlap: bool = False
    semantic_names: tuple[str, ...] = ()
    semantic_parts: tuple[tuple[str, int], ...] = ()
    sample_names: tuple[str, ...] = ()
    one_space: bool | None = None
    warnings: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            given = getattr(self, name)
            if isinstance(given, np.ma.MaskedArray):  # the mask would be lost, and what it hides be taken for data
                raise InputError(f"{self.name}: {name} are a masked array; fill what is masked, or drop its samples.")
            try:
                array = convert_split(given, self.labels.shape) if name in SPLITS else convert(given, dtype)
            except (TypeError, ValueError) as error:  # rows of different length, or no array at all
                raise InputError(f"{self.name}: {name} are no array of numbers: {error}.") from error
            if isinstance(array, np.ndarray):
                array = array.view()
                array.flags.writeable = False
            object.__setattr__(self, name, array)
        for name in ("class_names", "semantic_names", "sample_names"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        if not self.class_names and self.semantics.ndim:
            numbers = range(base := self.provenance.counted_from, base + len(self.semantics))
            object.__setattr__(self, "class_names", tuple(f"class {k}" for k in numbers))
        check(self)
        check_space(self)
        object.__setattr__(self, "warnings", tuple(find_warnings(self)))
        if self.provenance.layout != "pseudo-unseen":  # of those, the problem that they are cut from has told it
            for sentence in self.warnings:
                warnings.warn(f"{self.name}: {sentence}", DataWarning, stacklevel=frames_to_caller())

    @property
    def seen(self) -> Int[np.ndarray, " ks"]:
        """Sorted ids of the classes with training samples."""
        return np.unique(self.labels[self.trainval])

    @property
    def unseen(self) -> Int[np.ndarray, " ku"]:
        """Sorted ids of all classes without training samples."""
        return np.setdiff1d(np.arange(self.num_classes), self.seen)

    @property
    def num_classes(self) -> int:
        """K, seen and unseen together."""
        return len(self.semantics)

    @property
    def dim(self) -> int:
        """D, the dimension of the features."""
        return self.features.shape[1]

    @property
    def semantic_dim(self) -> int:
        """S, the dimension of the semantics."""
        return self.semantics.shape[1]

    def training(self) -> TrainingSet:
        """The half that training sees."""
        return TrainingSet(
            take(self.features, self.trainval),
            self.labels[self.trainval],
            self.semantics,
            self.seen,
            self.unseen,
            self.class_names,
            self.semantic_names,
            self.semantic_parts,
            space_of(self).holds,
        )

    def tests(self) -> TestSets:
        """The half that only an evaluation sees."""
        s, u = self.test_seen, self.test_unseen
        return TestSets(take(self.features, s), self.labels[s], take(self.features, u), self.labels[u])

    def fingerprint(self) -> str:
        """SHA-256 over all arrays, computed once: two data sets with one fingerprint are the same problem.

        Names and provenance are not part of it.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name in ARRAYS:
            array = getattr(self, name)
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            for chunk in chunks(array):  # `Rows` are never in memory as a whole
                digest.update(chunk.data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        p = self.provenance
        return (
            f"ZeroShotDataset({self.name}: {len(self.features)} x {self.dim} {p.features}, "
            f"{self.num_classes} x {self.semantic_dim} {p.semantics}, "
            f"classes {len(self.seen)} seen / {len(self.unseen)} unseen, trainval {len(self.trainval)} / "
            f"test_seen {len(self.test_seen)} / test_unseen {len(self.test_unseen)})"
        )
