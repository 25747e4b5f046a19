"""Recipes: one YAML file a published or own recipe, with where each value comes from.

A recipe file holds ``about``, ``source``, ``dataset`` (the one it is for, if any), ``known`` (a checked result, or
null) and any of the settings of `gsmflow.settings.Settings`; what it leaves out keeps its default.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_type_hints

from ..errors import InputError
from ..settings import Settings

__all__ = [
    "METHODS",
    "WITHOUT",
    "Recipe",
    "ablations",
    "assign",
    "check_settings",
    "grid_points",
    "load_method",
    "load_recipe",
    "parse_assignments",
    "read_strictly",
    "recipe_for",
    "recipe_names",
]

T = TypeVar("T")
FOLDER = resources.files(__name__)
WITHOUT = "-without-"
METHODS = {"gsmflow": False, "gsmflow-published": True}
"""Names of methods whose recipe depends on the data set, and whether that is the published one."""


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


def recipe_names() -> list[str]:
    """The recipes of this package."""
    names = (entry.name for entry in FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def recipe_for(dataset: str, *, published: bool = False) -> str:
    """The recipe that a data set gets where none is asked for: one made for it, else ``default`` for all.

    Args:
        dataset: its name, in any case of letters.
        published: the published method instead of the default one: the data set's recipe, else ``published``.
    """
    for name in recipe_names():
        recipe = load_recipe(name)
        is_published = recipe.settings.generator == "gsmflow"
        if (recipe.dataset or "").lower() == dataset.lower() and is_published == published:
            return name
    return "published" if published else "default"


def load_method(method: str, dataset: str) -> Recipe:
    """The recipe of a method on a data set.

    ``gsmflow`` is the default recipe and ``gsmflow-published`` the published one; any other is a recipe's name or file.
    With ``-without-PART`` behind it, it is the recipe less that part.

    Raises:
        InputError: if there is no such recipe or part.
    """
    whole, _, part = method.partition(WITHOUT)
    recipe = load_recipe(recipe_for(dataset, published=METHODS[whole]) if whole in METHODS else whole)
    if not part:
        return recipe
    if part not in recipe.without:
        raise InputError(
            f"The recipe {recipe.name} has no part {part!r} to take out: choose one of "
            f"{', '.join(recipe.without) or 'none: it lists no parts under without'}."
        )
    return replace(recipe, settings=assign(recipe.settings, recipe.without[part]))


def ablations(method: str, dataset: str) -> list[str]:
    """Methods that are this one less one part, as `load_method` takes them."""
    return [f"{method}{WITHOUT}{part}" for part in load_method(method, dataset).without]


def load_recipe(name: str) -> Recipe:
    """Load a recipe by name, or from a file.

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
    content = _read_yaml(path)
    settings = {key: content.pop(key) for key in list(content) if key not in _recipe_keys() - {"settings"}}
    content.setdefault("about", path.name)
    return _validate(Recipe, {**content, "name": path.stem, "settings": settings}, path, hide="settings")


def read_strictly(kind: type[T], path: Path) -> T:
    """Read a YAML file as a dataclass; an unknown key is an error that names it and the nearest known one."""
    return _validate(kind, _read_yaml(path), path)


@cache
def _recipe_keys() -> set[str]:
    return {entry.name for entry in fields(Recipe)}


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not readable YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold keys and values; it holds {type(content).__name__}.")
    return content


def assign(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Settings with some values replaced.

    Args:
        settings: all settings.
        values: by dotted key (``softmax.lr``); text is read as YAML.

    Raises:
        InputError: if there is no such setting, or it cannot have such a value.
    """
    if not values:
        return settings
    content = asdict(settings)
    for key, value in values.items():
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place.get(section, {})
        if key not in known_keys(Settings):
            raise InputError(unknown_key(key, known_keys(Settings)))
        place[last] = _yaml_value(value) if isinstance(value, str) else value
    return _validate(Settings, content, "the settings")


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """``["softmax.lr=0.1"]`` as a dictionary.

    Raises:
        InputError: if one is not of this form.
    """
    pairs = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not (key and equals and value):
            raise InputError(f"{assignment!r} is not of the form section.name=value, as in softmax.lr=0.001.")
        pairs[key.strip()] = value.strip()
    return pairs


def grid_points(grid: Iterable[str], among: Callable[[str], bool] = lambda key: True) -> list[dict[str, str]]:
    """All combinations of the values that a grid lists, of those keys that ``among`` accepts; at least ``[{}]``.

    >>> grid_points(["softmax.lr=0.1,0.2", "flow.pi=1"])
    [{'softmax.lr': '0.1', 'flow.pi': '1'}, {'softmax.lr': '0.2', 'flow.pi': '1'}]
    """
    lists = {key: values.split(",") for key, values in parse_assignments(grid).items() if among(key)}
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def _yaml_value(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def check_settings(settings: Settings) -> None:
    """Refuse a value that is out of range, wherever it was set, points of the grid among them."""
    _validate(Settings, asdict(settings), "the settings")
    for point in grid_points(settings.grid):
        assign(settings, point)


def _validate(kind: type[T], content: dict[str, Any], path: Path | str, hide: str = "") -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part != hide]
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise InputError(f"{path}: {unknown_key('.'.join(place), known_keys(kind, hide))}") from error
        found = f" (found {first['input']!r})" if not isinstance(first["input"], dict) else ""
        raise InputError(f"{path}: {'.'.join(place)}: {first['msg']}{found}.") from error


def known_keys(kind: type, hide: str = "", prefix: str = "") -> list[str]:
    """All dotted keys of a nested dataclass."""
    keys = []
    for name, hint in get_type_hints(kind).items():
        if name.startswith("__"):
            continue
        inner = prefix if name == hide else f"{prefix}{name}."
        keys += known_keys(hint, "", inner) if isinstance(hint, type) and is_dataclass(hint) else [prefix + name]
    return keys


def unknown_key(key: str, known: list[str]) -> str:
    """One sentence about an unknown key."""
    last = key.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(key, known, 1, 0.6) or [k for k in known if k.rsplit(".", 1)[-1] == last][:1]
    hint = f"the nearest known one is {near[0]!r}" if near else f"known are {', '.join(known)}"
    return f"there is no setting {key!r}; {hint}."
