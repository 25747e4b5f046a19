"""What several commands ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

if TYPE_CHECKING:
    from ..data import DataSource, ZeroShotDataset
    from ..progress import Display

__all__ = ["DataArguments", "load_and_tell"]


@dataclass(frozen=True)
class DataArguments:
    """Which files of a data set to read."""

    data_root: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder that holds the data sets; default data"""
    features: Annotated[str | None, arg(metavar="STR")] = None
    """features file without .mat, e.g. res101"""
    semantics: Annotated[str | None, arg(metavar="STR")] = None
    """semantics file without _splits.mat, e.g. att"""
    allow_overlap: bool = False
    """accept a published file that has samples in two splits"""

    def load(self, name: str) -> ZeroShotDataset:
        """The data set of this name, read as asked for."""
        from ..data import load

        return load(
            name,
            root=self.data_root,
            features=self.features,
            semantics=self.semantics,
            allow_overlap=self.allow_overlap,
        )

    def moved(self, source: DataSource) -> DataSource:
        """A source as these options change it: another root or other files."""
        from dataclasses import replace

        changes = {"features": self.features, "semantics": self.semantics, "allow_overlap": self.allow_overlap or None}
        if self.data_root:
            changes["root"] = str(self.data_root.absolute())
        return replace(source, **{name: value for name, value in changes.items() if value is not None})


def load_and_tell(name: str, options: DataArguments, display: Display) -> ZeroShotDataset:
    """The data set, which the display names; its warnings come as lines."""
    dataset = options.load(name)
    display.say(f"{dataset!r}")
    return dataset
