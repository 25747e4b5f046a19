"""A recipe: settings with their story, read from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..errors import InputError
from ..overrides import read_yaml, validate
from ..settings import Settings

__all__ = ["KnownResult", "Recipe", "load_recipe", "recipe_for", "recipe_names"]

FOLDER = resources.files(__package__ or __name__)


@dataclass(frozen=True)
class KnownResult:
    """A result that was published and checked; accuracies in percent."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    H: float
    of: str
    T1: float | None = None
    U: float | None = None
    S: float | None = None


@dataclass(frozen=True)
class Recipe:
    """Settings with their story.

    Attributes:
        about: one sentence.
        source: who made it.
        dataset: the one it is for; None: any.
        known: what it is known to reach.
        without: parts of it, each with the settings (by dotted key) that take it out: an ablation.
        name: of its file.
        settings: all settings.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    about: str
    source: Literal["published", "ours", "user"] = "user"
    dataset: str | None = None
    known: KnownResult | None = None
    without: dict[str, dict[str, Any]] = field(default_factory=dict)
    name: str = ""
    settings: Settings = field(default_factory=Settings)


@cache
def recipe_names() -> list[str]:
    """The recipes of this package."""
    names = (entry.name for entry in FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def recipe_for(dataset: str, *, published: bool = False) -> str:
    """The recipe of this package that a data set gets: one made for it, else the one for all.

    Args:
        dataset: its name, in any case of letters.
        published: the paper's method instead of the default one: the data set's own recipe, else ``published``.
    """
    for name in recipe_names():
        recipe = load_recipe(name)
        is_published = recipe.settings.generator == "gsmflow"
        if (recipe.dataset or "").lower() == dataset.lower() and is_published == published:
            return name
    return "published" if published else "default"


def load_recipe(name: str) -> Recipe:
    """Load a recipe by name, or from a file.

    Example:
        >>> load_recipe("default").settings.generator
        'linear-flow'

    Raises:
        InputError: if there is no such recipe, or it holds an unknown key or a wrong value.
    """
    if name.lower() in recipe_names():
        path = Path(str(FOLDER / f"{name.lower()}.yaml"))
    else:
        path = Path(name)
        if path.suffix not in (".yaml", ".yml"):
            raise InputError(
                f"There is no recipe {name!r}: choose one of {', '.join(recipe_names())}, or a .yaml file."
            )
        if not path.is_file():
            raise InputError(f"The recipe file {path} does not exist.")
    content = read_yaml(path)
    of_recipe = {entry.name for entry in fields(Recipe)} - {"settings"}
    settings = {key: content.pop(key) for key in list(content) if key not in of_recipe}
    content.setdefault("about", path.name)
    return validate(Recipe, {**content, "name": path.stem, "settings": settings}, path, hide="settings")
