"""What flows through everything else: one immutable data set, and the two halves it is read by."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import DataWarning
from .checks import check, find_warnings
from .rows import Rows, bytes_of, take

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


PSEUDO_UNSEEN = "pseudo-unseen"
"""The layout of a problem that was cut out of trainval."""


def convert(array: Any, dtype: type) -> Any:
    """The array in C order and of this type, itself if it is so; as it is if it is of another kind, for the checks."""
    if isinstance(array, Rows | np.ma.MaskedArray):
        return array
    array = np.asarray(array)
    if not array.size and array.dtype == np.float64:  # an empty list
        return array.astype(dtype)
    return np.require(array, dtype, "C") if np.can_cast(array.dtype, dtype, "same_kind") else array


@dataclass(frozen=True)
class Provenance:
    """Where data came from: results are comparable only within one choice of features and semantics.

    Attributes:
        layout: the file format, such as ``xlsa17``; ``arrays`` for data that were given in Python.
        features: name of the features, such as ``res101``.
        semantics: name of the semantics, such as ``att``.
        files: names of the files read.
        notes: anything else that a reader of the results must know.
        folder: the folder read, as an absolute path; empty where there is none.
        counted_from: what the files call the first sample and the first class: 0 or 1.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    layout: str = "arrays"
    features: str = "features"
    semantics: str = "semantics"
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folder: str = ""
    counted_from: int = 0


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
        semantic_names: S names, or none.
    """

    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    semantics: Float[np.ndarray, "k s"]
    seen: Int[np.ndarray, " ks"]
    unseen: Int[np.ndarray, " ku"]
    class_names: tuple[str, ...]
    semantic_names: tuple[str, ...] = ()

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
    """Features and class ids of test_seen and test_unseen."""

    __test__ = False  # not a test case for pytest

    seen_features: Float[np.ndarray, "n d"]
    seen_labels: Int[np.ndarray, " n"]
    unseen_features: Float[np.ndarray, "m d"]
    unseen_labels: Int[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class ZeroShotDataset:
    """Features, labels, class semantics and splits of one problem. It checks itself when it is made.

    What looks odd but is no error is a `gsmflow.errors.DataWarning`, and stands in ``warnings``.

    Args:
        name: such as ``CUB``.
        features: ``(N, D)`` float32. All arrays become read-only views; they are copied only to change their type.
        labels: ``(N,)`` int64 class ids, which are rows of ``semantics``.
        semantics: ``(K, S)`` float32, one row a class.
        class_names: K names; by default ``class 1``, ``class 2``, …
        trainval: int64 sample indices counted from 0, or a boolean mask of N samples, as are ``test_seen`` and
            ``test_unseen``; by default all samples.
        test_seen: samples of classes that are in trainval; may be empty.
        test_unseen: samples of classes that are not; may be empty.
        provenance: where the data came from.
        allow_overlap: accept a published file that has samples in two splits.
        semantic_names: names of the S dimensions of the semantics, if they have any.

    Raises:
        InputError: if the data contradict themselves; see `gsmflow.data.checks`.

    Example:
        >>> import gsmflow
        >>> gsmflow.load("synthetic").unseen
        array([15, 16, 17, 18, 19])
        >>> mine = gsmflow.ZeroShotDataset(
        ...     "mine", features=[[0, 1], [1, 0], [1, 1]], labels=[0, 1, 2], semantics=[[0, 1], [1, 0], [2, 1]],
        ...     trainval=[0, 1], test_unseen=[2],
        ... )
        >>> mine.class_names, mine.unseen
        (('class 1', 'class 2', 'class 3'), array([2]))
    """

    name: str
    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    semantics: Float[np.ndarray, "k s"]
    class_names: tuple[str, ...] = ()
    trainval: Int[np.ndarray, " i"] | None = None
    test_seen: Int[np.ndarray, " j"] = ()  # type: ignore[assignment]
    test_unseen: Int[np.ndarray, " l"] = ()  # type: ignore[assignment]
    provenance: Provenance = Provenance()  # noqa: RUF009
    allow_overlap: bool = False
    semantic_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        if self.trainval is None:
            put("trainval", np.arange(len(self.labels)))
        for name in ("trainval", "test_seen", "test_unseen"):
            split = np.asarray(getattr(self, name))
            if split.dtype == bool and split.shape == (len(self.labels),):
                put(name, np.flatnonzero(split))
        for name, dtype in ARRAYS.items():
            array = convert(getattr(self, name), dtype)
            if isinstance(array, np.ndarray):
                array = array.view()
                array.flags.writeable = False
            put(name, array)
        names = self.class_names or tuple(f"class {k + 1}" for k in range(len(self.semantics)))
        put("class_names", tuple(map(str, names)))
        put("semantic_names", tuple(map(str, self.semantic_names)))
        check(self)
        put("warnings", tuple(find_warnings(self)))
        if self.provenance.layout != PSEUDO_UNSEEN:
            for sentence in self.warnings:
                warnings.warn(f"{self.name}: {sentence}", DataWarning, stacklevel=3)

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
        rows = self.trainval
        return TrainingSet(
            take(self.features, rows),
            self.labels[rows],
            self.semantics,
            self.seen,
            self.unseen,
            self.class_names,
            self.semantic_names,
        )

    def tests(self) -> TestSets:
        """The half that only an evaluation sees."""
        s, u = self.test_seen, self.test_unseen
        return TestSets(take(self.features, s), self.labels[s], take(self.features, u), self.labels[u])

    def fingerprint(self) -> str:
        """SHA-256 over all arrays: two data sets with one fingerprint are the same problem."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name in ARRAYS:
            array = getattr(self, name)
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            for part in bytes_of(array):
                digest.update(part)
        return digest.hexdigest()

    def __repr__(self) -> str:
        p = self.provenance
        return (
            f"ZeroShotDataset({self.name}: {len(self.features)} x {self.dim} {p.features}, "
            f"{self.num_classes} x {self.semantic_dim} {p.semantics}, "
            f"classes {len(self.seen)} seen / {len(self.unseen)} unseen, trainval {len(self.trainval)} / "
            f"test_seen {len(self.test_seen)} / test_unseen {len(self.test_unseen)})"
        )
