"""Methods: what is asked for by name and, on each data set, is one recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..overrides import override
from .recipe import Recipe, load_recipe, recipe_for

__all__ = ["METHODS", "WITHOUT", "ablations", "load_method", "method_name"]

WITHOUT = "-without-"
METHODS = {"default": False, "gsmflow": True}
"""Methods whose recipe depends on the data set, and whether it is the paper's: ``default`` chooses among closed forms,
a linear flow on the best of them, ESZSL and nearest prototype, ``gsmflow`` is GSMFlow as published. Any other method is
the recipe of its name."""
RENAMED = {"gsmflow-published": "gsmflow"}


def load_method(method: str, dataset: str) -> Recipe:
    """The recipe of a method on a data set.

    Args:
        method: ``default``, ``gsmflow``, or a recipe's name or file; with ``-without-PART`` behind it, less that part.
        dataset: name of the data set.

    Example:
        >>> load_method("gsmflow", "CUB").name, load_method("gsmflow", "my birds").name
        ('cub', 'published')

    Raises:
        InputError: if there is no such recipe or part.
    """
    whole, _, part = method.partition(WITHOUT)
    if whole in RENAMED:
        raise InputError(f"The method {whole!r} is called {RENAMED[whole]!r} now.")
    recipe = load_recipe(recipe_for(dataset, published=METHODS[whole]) if whole in METHODS else whole)
    if not part:
        return recipe
    if part not in recipe.without:
        raise InputError(
            f"The recipe {recipe.name} has no part {part!r} to take out: choose one of "
            f"{', '.join(recipe.without) or 'none: it lists no parts under without'}."
        )
    return replace(recipe, settings=override(recipe.settings, recipe.without[part]))


def ablations(method: str, dataset: str) -> list[str]:
    """Methods that are this one less one part, as `load_method` takes them."""
    return [f"{method}{WITHOUT}{part}" for part in load_method(method, dataset).without]


def method_name(method: str) -> str:
    """How a method is called in tables and folders: a recipe file by its stem."""
    whole, without, part = method.partition(WITHOUT)
    return (Path(whole).stem if whole.endswith((".yaml", ".yml")) else whole) + without + part
