"""What several commands ask for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

__all__ = ["DataArguments"]


@dataclass(frozen=True)
class DataArguments:
    """Which files of a data set to read."""

    data_root: Path = Path("data")
    """folder that holds the data sets"""
    features: Annotated[str | None, arg(metavar="STR")] = None
    """features file without .mat, e.g. res101"""
    semantics: Annotated[str | None, arg(metavar="STR")] = None
    """semantics file without _splits.mat, e.g. att"""
    allow_overlap: bool = False
    """accept a published file that has samples in two splits"""

    @property
    def choice(self) -> dict:
        """As `gsmflow.data.load` takes it."""
        return {"features": self.features, "semantics": self.semantics, "allow_overlap": self.allow_overlap}
