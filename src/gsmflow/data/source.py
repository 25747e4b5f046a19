"""Which data set: found by name or folder, and recorded so that it is found again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..errors import DataWarning, InputError
from .catalog import find, folder_of, folders
from .class_splits import redrawn
from .dataset import ZeroShotDataset, frames_to_caller
from .digits import digits
from .formats import FORMATS, formats_in
from .splits import hold_out
from .synthetic import synthetic

__all__ = ["EMBEDDED", "DataSource", "load", "load_folder"]

EMBEDDED = {"digits": digits, "synthetic": synthetic}


@dataclass(frozen=True)
class DataSource:
    """Where the data of a run came from, and how to know them again.

    Attributes:
        name: of an embedded data set, or of a folder in ``root``.
        root: holds the folder; None for embedded data, and for arrays given in Python.
        features: which features file, without ``.mat``.
        semantics: which semantics file, without ``_splits.mat``.
        allow_overlap: accept a published file that has samples in two splits.
        fingerprint: of the data; empty if they need not be known again.
        holdout: share of each seen class that is taken out of trainval for test_seen, where the files have none.
        class_split: which classes are unseen, see `gsmflow.data.redrawn`; 0: the official ones.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    root: str | None = None
    features: str | None = None
    semantics: str | None = None
    allow_overlap: bool = False
    fingerprint: str = ""
    holdout: float = 0.0
    class_split: int = 0

    @classmethod
    def of(cls, dataset: ZeroShotDataset) -> DataSource:
        """The source of a data set that was read, with its fingerprint; its root is an absolute path."""
        p, fingerprint = dataset.provenance, dataset.fingerprint()
        if not p.folder:
            name = p.layout if p.layout in EMBEDDED else dataset.name
            split = p.class_split
            return cls(name, None, None, None, dataset.allow_overlap, fingerprint, p.holdout, split)
        root, name = os.path.split(p.folder)
        chooses = p.layout in FORMATS and FORMATS[p.layout].chooses
        chosen = (p.features, p.semantics) if chooses else (None, None)
        return cls(name, root, *chosen, dataset.allow_overlap, fingerprint, p.holdout, p.class_split)

    def load(self) -> ZeroShotDataset:
        """Read the data again: those under ``root``, whatever else of their name is near.

        What data warn of whose classes are drawn anew is of the classes that are drawn.

        Raises:
            InputError: if they are not there, are damaged, are others than those recorded, or were given as arrays.
        """
        if not self.class_split:
            return self.checked(self.read())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            official = self.read()
        return self.drawn_from(official)

    def drawn_from(self, official: ZeroShotDataset) -> ZeroShotDataset:
        """The data of this source, where those with the official class split are at hand.

        Raises:
            InputError: if they are others than those recorded.
        """
        return self.checked(redrawn(official, self.class_split))

    def read(self) -> ZeroShotDataset:
        """Read the data with their official class split, whatever their fingerprint is."""
        choice = {"features": self.features, "semantics": self.semantics, "allow_overlap": self.allow_overlap}
        folder = folder_of(self.name, Path(self.root)) if self.root is not None else None
        if folder and formats_in(folder):
            return held_out(lambda: load_folder(folder, **choice), self.holdout)
        if self.name.lower() in EMBEDDED:
            return held_out(lambda: load_embedded(self.name, self.features, self.semantics), self.holdout)
        if self.root is None:
            raise InputError(
                f"The data set {self.name!r} was given as arrays in Python and cannot be loaded again; give it again."
            )
        return load(self.name, root=self.root, holdout=self.holdout, **choice)

    def checked(self, dataset: ZeroShotDataset) -> ZeroShotDataset:
        """Data that were read, if they are those recorded."""
        if self.fingerprint and dataset.fingerprint() != self.fingerprint:
            folder = folder_of(self.name, Path(self.root)) if self.root is not None else None
            is_embedded = not (folder and formats_in(folder)) and self.name.lower() in EMBEDDED
            place = f"The embedded {self.name}" if is_embedded else f"{self.name} in {self.root}"
            raise InputError(
                f"{place} holds other data than those recorded: the fingerprints differ "
                f"({dataset.fingerprint()[:16]}, recorded {self.fingerprint[:16]}); put back the data of that time."
            )
        return dataset


def load(
    name: str | Path,
    *,
    root: str | Path | None = None,
    features: str | None = None,
    semantics: str | None = None,
    allow_overlap: bool = False,
    holdout: float = 0.0,
) -> ZeroShotDataset:
    """Load a data set by name.

    Args:
        name: ``digits``, ``synthetic``, an existing folder, or a folder under ``root``, known or not, in any case of
            letters. A path that starts with ``./``, ``../`` or ``/``, and a `Path`, can only be an existing folder.
        root: folder that holds the data sets; default ``data``.
        features: which features file, without ``.mat``.
        semantics: which semantics file, without ``_splits.mat``.
        allow_overlap: accept a published file that has samples in two splits.
        holdout: share of each seen class to take out of trainval for test_seen, where the files have no test_seen; see
            `gsmflow.data.hold_out`.

    Raises:
        InputError: if there is no such data set or there are two, its files are damaged, or the data contradict
            themselves.

    Example:
        >>> load("digits").provenance.layout
        'digits'
    """
    choice = {"features": features, "semantics": semantics, "allow_overlap": allow_overlap}
    return held_out(lambda: find_and_load(name, root, choice), holdout)


def held_out(read: Callable[[], ZeroShotDataset], share: float) -> ZeroShotDataset:
    """A data set that is read, with a part of trainval as test_seen where it has none and a share is asked for."""
    if not share:
        return read()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", DataWarning)
        data = read()
    if not len(data.test_seen):
        held = hold_out(data, share)  # tells for itself what looks odd in what is left
        if held is not data:
            whole = {f"{data.name}: {sentence}" for sentence in data.warnings}
            data, told = held, [one for one in told if str(one.message) not in whole]
    for one in told:
        warnings.warn(str(one.message), one.category, stacklevel=frames_to_caller())
    return data


def find_and_load(name: str | Path, root: str | Path | None, choice: dict[str, Any]) -> ZeroShotDataset:
    """The data set of a name, as `load` finds it."""
    if isinstance(name, Path):
        return load_folder(name, **choice)
    root = Path("data" if root is None else root)
    places = candidates(name, root)
    holding = [place for place in places if formats_in(place)]
    embedded = name.lower() in EMBEDDED
    if embedded + len({place.resolve() for place in holding}) > 1:
        raise InputError(ambiguous(name, holding, embedded))
    if embedded and not holding:
        return load_embedded(name, choice["features"], choice["semantics"])
    if not places:
        raise InputError(missing(name, root))
    return load_folder((holding or places)[0], **choice)


def load_folder(
    folder: str | Path, *, features: str | None = None, semantics: str | None = None, allow_overlap: bool = False
) -> ZeroShotDataset:
    """Load the data set that a folder holds; its files tell the format.

    Of several formats the first in `FORMATS` is read, but if features or semantics are asked for, one that has a
    choice of them.

    Raises:
        InputError: if there is no such folder, it holds no data set, its files are damaged, or the data contradict
            themselves.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.")
    held = formats_in(folder)
    if features or semantics:
        held.sort(key=lambda one: not one.chooses)
    if held:
        return held[0].read(folder, features=features, semantics=semantics, allow_overlap=allow_overlap)
    expected = [one.expects or f"the files of {one.name}" for one in FORMATS.values()]
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    raise InputError(
        f"{folder} holds no data set: expected {', '.join(expected[:-1])}, or {expected[-1]}; found {there}."
    )


def load_embedded(name: str, features: str | None, semantics: str | None) -> ZeroShotDataset:
    """An embedded data set, which has no choice of features and semantics."""
    if features or semantics:
        raise InputError(f"{name} is embedded and has one set of features and semantics; drop the options.")
    return EMBEDDED[name.lower()]()


def candidates(name: str, root: Path) -> list[Path]:
    """The folders that a name may mean: as given, and under ``root``."""
    given = Path(name)
    as_given = [given] if name and given.is_dir() else []
    if given.is_absolute() or name.split("/")[0] in (".", ".."):
        return as_given
    found = folder_of(name, root)
    return [*as_given, *([found] if found else [])]


def ambiguous(name: str, holding: list[Path], embedded: bool) -> str:
    """One sentence about a name that means two data sets, and how to write each."""
    written = list(dict.fromkeys(str(p) if p.is_absolute() else f"./{p}" for p in holding))
    places = " and ".join(f"in the folder {place}" for place in written)
    if not embedded:
        return f"There is a data set {name!r} {places}; write {' or '.join(written)}."
    return (
        f"{name!r} is an embedded data set, and there is one {places}; write {' or '.join(written)} for the folder, "
        "which must have another name for the embedded one to be meant."
    )


def missing(name: str, root: Path) -> str:
    """One sentence about a data set that is not there."""
    beside, last = os.path.split(name)
    if beside:  # a path was meant: tell what stands there
        name, root = last, Path(beside)
    there = ", ".join(path.name for path in folders(root)[:10])
    what = f"data sets there: {there}" if there else "no data set is there" if root.is_dir() else "no such folder"
    known = find(name)
    if known and known.archive:
        hint = f"get it with gsmflow data fetch {known.name}"
    else:
        hint = f"get {known.name} from {known.source}" if known else "choose another root="
    return f"There is no data set {name!r} in {root} ({what}); {hint}, or try the embedded 'digits'."
