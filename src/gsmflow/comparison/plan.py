"""What a comparison consists of: cells, each the run of one method with one protocol, seed and class split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from ..data import DataSource, ZeroShotDataset, redrawn
from ..errors import DataWarning, InputError
from ..evidence import RIVALS, Evidence
from ..overrides import assign, flat, override, plain
from ..recipes import Recipe, load_method, method_name
from ..recognizers import recognizers_for
from ..runs import RunConfig, RunFolder, config_here
from ..selection import check_data, check_settings, protocol_named

__all__ = ["Cell", "draw_class_splits", "plan"]

NOTHING = Evidence()


@dataclass(frozen=True)
class Cell:
    """One run of a comparison, and what is measured of its model afterwards.

    Attributes:
        method: how it is called in tables: ``default``, ``gsmflow``, or a recipe.
        recognizer: as the recipe or the command line asks for it; ``auto`` leaves it to the protocol.
        config: all that the run needs.
        evidence: kinds of which a table is asked for; the run is the same for all.
        rivals: names of those that are measured on this run's model, wherever there is evidence that they can use.
    """

    method: str
    recognizer: str
    config: RunConfig
    evidence: tuple[Evidence, ...] = (NOTHING,)
    rivals: tuple[str, ...] = ()

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return self.config.protocol

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.config.settings.seed

    @property
    def class_split(self) -> int:
        """Which classes are unseen: 0 for the official ones."""
        return self.config.data.class_split

    @property
    def name(self) -> str:
        """The name of its folder."""
        split = f"-split{self.class_split}" if self.class_split else ""
        return f"{self.method}-{self.recognizer}-{self.protocol}-{self.seed}{split}"

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
    class_splits: int = 1,
    evidence: Sequence[Evidence] = (NOTHING,),
    rivals: Sequence[str] | None = None,
) -> list[Cell]:
    """All cells of a comparison, those of one class split and seed together.

    Rivals are measured on the run of the first method, whose predicted means they take.

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
        class_splits: how many; the official one is the first, the others draw unseen classes anew.
        evidence: kinds that are measured.
        rivals: names of those that are measured beside the methods where there is evidence; default: all.

    Raises:
        InputError: if there is no such recipe, protocol, rival or setting, a generator supports none of the
            recognizers, two methods have the same name, there are not as many class splits, or the published protocol
            is asked for evidence.
    """
    if class_splits < 1:
        raise InputError(f"class_splits= must be at least 1, the official one; found {class_splits}.")
    check_evidence(evidence, rivals, protocols)
    datasets = draw_class_splits(dataset, range(class_splits))
    if "seed" in (overrides or {}):
        raise InputError("The seed cannot be overridden: each cell has one of seeds.")
    recipes: list[tuple[str, Recipe]] = []
    for method in dict.fromkeys(methods):
        recipe = load_method(method, dataset.name)
        recipe = replace(recipe, settings=override(recipe.settings, overrides or {}))
        for each in with_recognizers(recipe, recognizers):
            check_settings(each.settings)
            for one in datasets.values():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DataWarning)  # the cells tell
                    check_data(each.settings, one)
            recipes.append((method_name(method), each))
    for protocol in protocols:
        protocol_named(protocol)
    cells = []
    names_of_rivals = (tuple(RIVALS) if rivals is None else tuple(rivals)) if any(map(is_some, evidence)) else ()
    for number, seed in product(datasets, dict.fromkeys(seeds)):
        there = replace(source, class_split=number, fingerprint=datasets[number].fingerprint()) if number else source
        for protocol, (place, (method, recipe)) in product(dict.fromkeys(protocols), enumerate(recipes)):
            settings = replace(recipe.settings, seed=seed)
            config = config_here(there, protocol, method, recipe.name, settings, device, threads)
            beside = names_of_rivals if place == 0 else ()
            cells.append(Cell(method, settings.recognizer, config, tuple(dict.fromkeys(evidence)), beside))
    names = [cell.name for cell in cells]
    twice = next((cell.method for cell in cells if names.count(cell.name) > 1), None)
    if twice:
        raise InputError(f"Two methods are called {twice!r}: rename one of the recipe files.")
    return cells


def is_some(evidence: Evidence) -> bool:
    """Whether it is evidence of unseen classes beside their semantics."""
    return evidence.kind != "none"


def check_evidence(evidence: Sequence[Evidence], rivals: Sequence[str] | None, protocols: Sequence[str]) -> None:
    """Refuse rivals that there are not, or where they have nothing to do, and evidence that a protocol cannot have."""
    unknown = next((name for name in rivals or () if name not in RIVALS), None)
    if unknown is not None:
        raise InputError(f"There is no rival {unknown!r}: choose one of {', '.join(RIVALS)}.")
    asked = [one for one in evidence if is_some(one)]
    if rivals and not asked:
        raise InputError(
            "Rivals are compared where there is evidence, and rivals= is given without: add evidence=unlabelled or "
            "evidence=shots=1."
        )
    if asked and "published" in protocols:
        raise InputError(
            f"The protocol published has chosen on the very samples that evidence={asked[0]} would take: leave it out."
        )


def draw_class_splits(dataset: ZeroShotDataset, numbers: Iterable[int]) -> dict[int, ZeroShotDataset]:
    """The class splits of these numbers; what data warn of, the cells tell.

    Raises:
        InputError: if there are not as many.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        found = {
            number: redrawn(dataset, number) for number in sorted(set(numbers), reverse=True)
        }  # too many fail soon
    return dict(sorted(found.items()))


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
