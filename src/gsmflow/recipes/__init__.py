"""Recipes: one YAML file a published or own recipe, with where each value comes from.

A recipe file holds ``about``, ``source``, ``known`` (a checked published result, or null) and any of the settings of
`gsmflow.settings.Settings`; what it leaves out keeps its default.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_type_hints

from ..errors import InputError
from ..settings import Settings

__all__ = ["Recipe", "check_settings", "load_recipe", "read_strictly", "recipe_for", "recipe_names"]

T = TypeVar("T")
FOLDER = resources.files(__name__)


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
    """Settings with their story."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    about: str
    source: Literal["published", "ours", "user"] = "user"
    known: KnownResult | None = None
    name: str = ""
    settings: Settings = field(default_factory=Settings)


def recipe_names() -> list[str]:
    """The recipes of this package."""
    names = (entry.name for entry in FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def recipe_for(dataset: str) -> str:
    """The recipe that a data set gets where none is asked for: its own, else ``default``."""
    return dataset.lower() if dataset.lower() in recipe_names() else "default"


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


def check_settings(settings: Settings) -> None:
    """Refuse a value that is out of range, wherever it was set."""
    _validate(Settings, asdict(settings), "the settings")


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
