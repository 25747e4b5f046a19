"""Settings and configurations read strictly, overridden by dotted keys, and spread over a grid."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from .errors import InputError
from .settings import Settings

__all__ = [
    "assign",
    "check_values",
    "flat",
    "grid_points",
    "known_keys",
    "override",
    "parse_assignments",
    "plain",
    "read_strictly",
    "read_yaml",
    "settings_named",
    "unknown_key",
    "validate",
]

T = TypeVar("T")
RENAMED_KEYS = {"residual": "linear_flow"}
RENAMED_VALUES = {"generator": {"residual-flow": "linear-flow"}}
"""What version 0.1 called otherwise."""


def read_strictly(kind: type[T], path: Path) -> T:
    """Read a YAML file as a dataclass.

    Raises:
        InputError: if it is no YAML, or holds an unknown key (the nearest known one is named) or a wrong value.
    """
    return validate(kind, read_yaml(path), path)


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        InputError: if it holds anything else.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not readable YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold keys and values; it holds {type(content).__name__}.")
    return content


def validate(kind: type[T], content: Mapping[str, Any], place: Path | str, hide: str = "") -> T:
    """Keys and values as a dataclass.

    Args:
        kind: the dataclass.
        content: its keys and values, nested as it is.
        place: where they stand, for errors.
        hide: a key that the reader of an error does not know of: what lies under it is told as lying above.

    Raises:
        InputError: in one sentence that names the key and what was found there.
    """
    from pydantic import TypeAdapter, ValidationError

    check_renamed(content, place)
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if part != hide]
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise InputError(f"{place}: {unknown_key('.'.join(where), known_keys(kind, hide))}") from error
        found = f" (found {first['input']!r})" if not isinstance(first["input"], dict) else ""
        raise InputError(f"{place}: {'.'.join(where)}: {first['msg']}{found}.") from error


def check_renamed(content: Mapping[str, Any], place: Path | str) -> None:
    """Refuse what version 0.1 called otherwise, wherever it is nested, with its present name."""
    for key, value in content.items():
        if key in RENAMED_KEYS:
            raise InputError(f"{place}: the setting {key!r} is called {RENAMED_KEYS[key]!r} now.")
        if isinstance(value, str) and value in RENAMED_VALUES.get(key, ()):
            raise InputError(f"{place}: the {key} {value!r} is called {RENAMED_VALUES[key][value]!r} now.")
        if isinstance(value, Mapping):
            check_renamed(value, place)


def plain(value: Any) -> Any:
    """A dataclass as JSON and YAML know it: dictionaries, lists, texts and numbers."""
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_python(value, mode="json")


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A nested dictionary by dotted keys; lists as tuples.

    >>> flat({"flow": {"pi": 0.1}, "seed": 0})
    {'flow.pi': 0.1, 'seed': 0}
    """
    if not isinstance(tree, dict):
        return {prefix: tuple(tree) if isinstance(tree, list) else tree}
    return {key: value for name in tree for key, value in flat(tree[name], f"{prefix}.{name}".strip(".")).items()}


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
    known = known_keys(Settings)
    for key, value in values.items():
        section = key.split(".")[0]
        if section in RENAMED_KEYS:
            raise InputError(f"the setting {key!r} is called {key.replace(section, RENAMED_KEYS[section], 1)!r} now.")
        if key not in known:
            raise InputError(unknown_key(key, known))
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place[section]
        place[last] = yaml_value(value) if isinstance(value, str) else value
    return validate(Settings, content, "the settings")


def override(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Settings with some values replaced, each of which is then no longer tried by the grid.

    Example:
        >>> override(Settings(), {"scaling": "l2"}).grid
        ('linear_flow.temperature=1,3',)

    Raises:
        InputError: as `assign` does; if the values hold a grid of their own that lists one of the others.
    """
    changed = assign(settings, values)
    if "grid" in values:
        both = [key for key in grid_lists(changed.grid) if key in values]
        if both:
            raise InputError(f"{both[0]} is given a value and listed in the grid as well; drop one of the two.")
        return changed
    return replace(changed, grid=tuple(line for line in changed.grid if line.partition("=")[0].strip() not in values))


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """``["softmax.lr=0.1"]`` as a dictionary.

    Raises:
        InputError: if one is not of this form, or a key is given twice.
    """
    pairs: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = (part.strip() for part in assignment.partition("="))
        if not (key and equals and value):
            raise InputError(f"{assignment!r} is not of the form section.name=value, as in softmax.lr=0.001.")
        if key in pairs:
            raise InputError(f"{key} is given twice, as {pairs[key]!r} and as {value!r}; drop one of the two.")
        pairs[key] = value
    return pairs


def grid_lists(grid: Iterable[str]) -> dict[str, list[str]]:
    """The values that a grid lists, by key."""
    return {key: [value.strip() for value in values.split(",")] for key, values in parse_assignments(grid).items()}


def grid_points(grid: Iterable[str], among: Callable[[str], bool] = lambda key: True) -> list[dict[str, str]]:
    """All combinations of the values that a grid lists, of those keys that ``among`` accepts; at least ``[{}]``.

    >>> grid_points(["softmax.lr=0.1,0.2", "flow.pi=1"])
    [{'softmax.lr': '0.1', 'flow.pi': '1'}, {'softmax.lr': '0.2', 'flow.pi': '1'}]
    """
    lists = {key: values for key, values in grid_lists(grid).items() if among(key)}
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def check_values(settings: Settings) -> None:
    """Refuse a value that is out of range, wherever it was set, points of the grid among them."""
    validate(Settings, asdict(settings), "the settings")
    if settings.selection.every and settings.selection.evaluations:
        raise InputError(
            f"the settings: selection.every {settings.selection.every} and selection.evaluations "
            f"{settings.selection.evaluations} both say when to evaluate; give one of them, and null for the other."
        )
    for point in grid_points(settings.grid):
        assign(settings, point)


def settings_named(arguments: Iterable[str]) -> list[str]:
    """The dotted keys of the settings that a command line names, as ``--softmax.lr`` and ``--softmax.no-warm`` do."""
    known = set(known_keys(Settings))
    named = []
    for argument in arguments:
        if argument.startswith("--"):
            key = argument.removeprefix("--").partition("=")[0].replace("-", "_")
            named += [k for k in (key, key.replace(".no_", "."), key.removeprefix("no_")) if k in known][:1]
    return list(dict.fromkeys(named))


def yaml_value(text: str) -> Any:
    """What a text says as YAML; the text itself where it is none."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return text


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
