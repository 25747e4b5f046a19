"""Where data come from: a name or folder, and how to know them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import InputError
from .catalog import find
from .dataset import ZeroShotDataset
from .digits import digits
from .formats import FORMATS, load_folder
from .synthetic import synthetic

__all__ = ["EMBEDDED", "DataSource", "load"]

EMBEDDED = {"digits": digits, "synthetic": synthetic}
DEFAULT_ROOT = "data"


@dataclass(frozen=True)
class DataSource:
    """Which data set a run was made on.

    Attributes:
        name: ``digits``, ``synthetic``, or that of a folder.
        root: the folder that the folder lies in, as an absolute path; None for embedded data and for arrays.
        features: which features file, where there are several.
        semantics: which semantics file, where there are several.
        allow_overlap: whether samples in two splits are accepted.
        fingerprint: of the data set; empty where any will do.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    root: str | None = None
    features: str | None = None
    semantics: str | None = None
    allow_overlap: bool = False
    fingerprint: str = ""

    @classmethod
    def of(cls, dataset: ZeroShotDataset) -> DataSource:
        """The source of a data set that is loaded."""
        p = dataset.provenance
        if not p.folder:
            return cls(dataset.name, fingerprint=dataset.fingerprint())
        folder = Path(p.folder)
        several = FORMATS[p.layout].several if p.layout in FORMATS else False
        features, semantics = (p.features, p.semantics) if several else (None, None)
        return cls(
            folder.name, str(folder.parent), features, semantics, dataset.allow_overlap, dataset.fingerprint()
        )

    def load(self) -> ZeroShotDataset:
        """Load the data.

        Raises:
            InputError: if they are not there, are damaged, or are others than those of the fingerprint.
        """
        if self.root is None and self.name not in EMBEDDED:
            raise InputError(
                f"The data set {self.name!r} was given as arrays in Python and cannot be loaded again; give it where it "
                "is asked for."
            )
        if self.root is None:
            dataset = EMBEDDED[self.name]()
        else:
            dataset = load_folder(
                Path(self.root) / self.name,
                features=self.features,
                semantics=self.semantics,
                allow_overlap=self.allow_overlap,
            )
        if self.fingerprint and dataset.fingerprint() != self.fingerprint:
            raise InputError(
                f"{self.name}{f' in {self.root}' if self.root else ''} holds other data than those that the run was made "
                "on: the fingerprints differ."
            )
        return dataset


def load(
    name: str,
    *,
    root: str | Path | None = None,
    features: str | None = None,
    semantics: str | None = None,
    allow_overlap: bool = False,
) -> ZeroShotDataset:
    """Load a data set.

    Args:
        name: ``digits``, ``synthetic``, a folder, or the name of one under ``root``; names in any case of letters.
        root: folder that holds the data sets; default ``data``.
        features: which features file, without ``.mat``.
        semantics: which semantics file, without ``_splits.mat``.
        allow_overlap: accept a published file that has samples in two splits.

    Example:
        >>> import gsmflow
        >>> gsmflow.load("digits")
        ZeroShotDataset(digits: 1797 x 64 pixels, 10 x 18 strokes, classes 8 seen / 2 unseen, trainval 1152 / test_seen 288 / test_unseen 357)

    Raises:
        InputError: if there is no such data set, its files are damaged, the data contradict themselves, or the name fits
            two places.
    """  # noqa: E501
    under = Path(DEFAULT_ROOT if root is None else root)
    places = [place for place in (as_given(name), under_root(name, under)) if place]
    places = list({place.resolve(): place for place in places}.values())
    embedded = EMBEDDED.get(name.lower())
    if len(places) + bool(embedded) > 1:
        fits = [*(["the embedded data set"] if embedded else []), *map(str, places)]
        raise InputError(
            f"{name!r} fits {' and '.join(fits)}: choose by a path, such as {Path('.') / places[0]!s} from another folder, "
            f"or {places[0].resolve()}."
        )
    if embedded:
        if features or semantics:
            raise InputError(f"{name} is embedded and has one set of features and semantics; drop the options.")
        return embedded()
    if not places:
        raise InputError(missing(name, under))
    return load_folder(places[0], features=features, semantics=semantics, allow_overlap=allow_overlap)


def as_given(name: str) -> Path | None:
    """The folder of this path, if there is one; a bare name must hold data."""
    place = Path(name)
    if not place.is_dir():
        return None
    is_path = place.name != name
    return place if is_path or holds_data(place) else None


def under_root(name: str, root: Path) -> Path | None:
    """The folder of this name under a root, in any case of letters if there is one such."""
    if (root / name).is_dir():
        return root / name
    alike = [path for path in folders(root) if path.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def holds_data(folder: Path) -> bool:
    """Whether a folder holds data in any format."""
    return any(form.holds(folder) for form in FORMATS.values())


def folders(root: Path) -> list[Path]:
    """The folders in ``root`` that hold data."""
    return sorted(path for path in root.iterdir() if path.is_dir() and holds_data(path)) if root.is_dir() else []


def missing(name: str, root: Path) -> str:
    """One sentence about a data set that is not there."""
    there = ", ".join(path.name for path in folders(root)[:10])
    what = f"data sets there: {there}" if there else "no data set is there" if root.is_dir() else "no such folder"
    known = find(name)
    hint = f"get {known.name} from {known.source}" if known else "choose another --data-root"
    return f"There is no data set {name!r} in {root} ({what}); {hint}, or try the embedded 'digits'."
