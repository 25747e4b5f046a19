"""What a comparison consists of: cells, each the run of one method with one protocol and one seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import DataSource, ZeroShotDataset
from ..errors import DataWarning, InputError
from ..overrides import assign, flat, override, plain
from ..recipes import Recipe, load_method, method_name
from ..recognizers import recognizers_for
from ..runs import RunConfig, RunFolder, config_here
from ..selection import check_data, check_settings, protocol_named

__all__ = ["Cell", "plan"]


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Attributes:
        method: how it is called in tables: ``default``, ``gsmflow``, or a recipe.
        recognizer: as the recipe or the command line asks for it; ``auto`` leaves it to the protocol.
        config: all that the run needs.
    """

    method: str
    recognizer: str
    config: RunConfig

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return self.config.protocol

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.config.settings.seed

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.method}-{self.recognizer}-{self.protocol}-{self.seed}"

    def is_finished(self, path: Path) -> bool:
        """Whether the run of this cell is there and finished.

        Raises:
            InputError: if there is a run with other settings or on other data.
        """
        folder = RunFolder(path)
        if not folder.is_begun:
            return False
        there, asked = (flat(described(config)) for config in (folder.read_config(), self.config))
        for key in asked | there:
            if there.get(key) != asked.get(key):
                raise InputError(
                    f"{folder} was run with {key} {there.get(key)!r}, and now {asked.get(key)!r} is asked for: choose "
                    "another place, or remove that folder."
                )
        return folder.is_finished


def described(config: RunConfig) -> dict[str, Any]:
    """What two runs must share to be the same cell: not where the data lie, nor versions, device or threads."""
    return {"settings": plain(config.settings), "protocol": config.protocol, "fingerprint": config.data.fingerprint}


def plan(
    dataset: ZeroShotDataset,
    source: DataSource,
    *,
    methods: Sequence[str],
    recognizers: Sequence[str] = (),
    protocols: Sequence[str] = ("validated", "published"),
    seeds: Iterable[int] = (0,),
    overrides: Mapping[str, str] | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> list[Cell]:
    """All cells of a comparison, those of one seed together.

    Args:
        dataset: what to run on.
        source: where it came from.
        methods: ``default``, ``gsmflow``, and names or files of recipes.
        recognizers: those to use instead of the recipes' own, where a generator supports them.
        protocols: names of protocols.
        seeds: a cell each.
        overrides: settings for all methods, by dotted key.
        device: where to run.
        threads: CPU threads a cell.

    Raises:
        InputError: if there is no such recipe, protocol or setting, a generator supports none of the recognizers, or
            two methods have the same name.
    """
    if "seed" in (overrides or {}):
        raise InputError("The seed cannot be overridden: each cell has one of seeds.")
    recipes: list[tuple[str, Recipe]] = []
    for method in dict.fromkeys(methods):
        recipe = load_method(method, dataset.name)
        recipe = replace(recipe, settings=override(recipe.settings, overrides or {}))
        for each in with_recognizers(recipe, recognizers):
            check_settings(each.settings)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)  # the cells tell
                check_data(each.settings, dataset)
            recipes.append((method_name(method), each))
    for protocol in protocols:
        protocol_named(protocol)
    cells = []
    for seed in dict.fromkeys(seeds):
        for protocol in dict.fromkeys(protocols):
            for method, recipe in recipes:
                settings = replace(recipe.settings, seed=seed)
                config = config_here(source, protocol, method, recipe.name, settings, device, threads)
                cells.append(Cell(method, settings.recognizer, config))
    names = [cell.name for cell in cells]
    twice = next((cell.method for cell in cells if names.count(cell.name) > 1), None)
    if twice:
        raise InputError(f"Two methods are called {twice!r}: rename one of the recipe files.")
    return cells


def with_recognizers(recipe: Recipe, recognizers: Sequence[str]) -> list[Recipe]:
    """The recipe with each of the recognizers that its generator supports; as it is where none are named.

    Raises:
        InputError: if it supports none of them.
    """
    if not recognizers:
        return [recipe]
    supported, refusals = [], []
    for recognizer in dict.fromkeys(recognizers):
        settings = assign(recipe.settings, {"recognizer": recognizer})
        try:
            recognizers_for(settings)
            supported.append(replace(recipe, settings=settings))
        except InputError as error:
            refusals.append(error)
    if not supported:
        raise refusals[0]
    return supported
