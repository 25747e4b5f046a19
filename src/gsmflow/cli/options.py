"""What several commands ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from ..errors import InputError

if TYPE_CHECKING:
    from ..data import DataSource, ZeroShotDataset
    from ..progress import Display

__all__ = ["DataArguments", "load_and_tell"]

HOLDOUT = 0.2
"""Share of each seen class that is held out where there is no test_seen and nothing else is asked for."""


@dataclass(frozen=True)
class DataArguments:
    """Which files of a data set to read."""

    data_root: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder that holds the data sets; default data"""
    features: Annotated[str | None, arg(metavar="STR")] = None
    """features file without .mat, e.g. res101"""
    semantics: Annotated[str | None, arg(metavar="STR")] = None
    """semantics file without _splits.mat, e.g. att; of a folder of one's own: attributes or text"""
    allow_overlap: bool = False
    """accept a published file that has samples in two splits"""
    holdout: Annotated[float | None, arg(metavar="SHARE")] = None
    """where there is no test_seen: hold out this share of each seen class with three or more samples; default 0.2"""
    no_test: bool = False
    """where there is no test_seen: hold nothing out, learn from all"""

    def load(self, name: str) -> ZeroShotDataset:
        """The data set of this name, read as asked for.

        Raises:
            InputError: as `gsmflow.load` does; if what is asked for would have no effect.
        """
        from ..data import load

        if self.no_test and self.holdout is not None:
            raise InputError("--holdout and --no-test contradict each other; give one of them.")
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise InputError(f"--holdout must lie between 0 and 1; found {self.holdout:g}.")
        share = HOLDOUT if self.holdout is None else self.holdout
        found = load(
            name,
            root=self.data_root,
            features=self.features,
            semantics=self.semantics,
            allow_overlap=self.allow_overlap,
            holdout=0.0 if self.no_test else share,
        )
        if len(found.test_seen) and not found.provenance.holdout and (self.no_test or self.holdout is not None):
            raise InputError(
                f"{found.name} has {len(found.test_seen)} samples in test_seen of its own: drop "
                f"{'--no-test' if self.no_test else '--holdout'}, which has no effect."
            )
        return found

    def moved(self, source: DataSource) -> DataSource:
        """A source as these options change it: another root or other files."""
        from dataclasses import replace

        changes: dict[str, Any] = {
            "features": self.features,
            "semantics": self.semantics,
            "allow_overlap": self.allow_overlap or None,
            "holdout": 0.0 if self.no_test else self.holdout,
        }
        if self.data_root:
            changes["root"] = str(self.data_root.absolute())
        return replace(source, **{name: value for name, value in changes.items() if value is not None})


def load_and_tell(name: str, options: DataArguments, display: Display) -> ZeroShotDataset:
    """The data set, which the display names; its warnings come as lines."""
    dataset = options.load(name)
    display.say(f"{dataset!r}")
    return dataset
