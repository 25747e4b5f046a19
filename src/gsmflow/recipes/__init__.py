"""Recipes: one YAML file a published or own recipe, with where each value comes from; and methods, which choose one.

A recipe file holds ``about``, ``source``, ``dataset`` (the one it is for, if any), ``known`` (a checked result, or
null) and any of the settings of `gsmflow.settings.Settings`; what it leaves out keeps its default, which is the value
of the recipe ``default``.
"""

from .methods import METHODS, WITHOUT, ablations, load_method, method_name
from .recipe import KnownResult, Recipe, load_recipe, recipe_for, recipe_names

__all__ = [
    "METHODS",
    "WITHOUT",
    "KnownResult",
    "Recipe",
    "ablations",
    "load_method",
    "load_recipe",
    "method_name",
    "recipe_for",
    "recipe_names",
]
