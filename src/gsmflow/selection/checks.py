"""Settings that cannot work, or would have no effect, are refused before anything is done."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InputError
from ..generators import Trained, generator_kind
from ..overrides import check_values, grid_points
from ..recognizers import RECOGNIZERS, recognizers_for
from ..settings import Settings

__all__ = ["check_effect", "check_settings", "used_sections"]

NOT_IN_A_GRID = ("seed", "generator", "recognizer", "selection", "grid")


def check_settings(settings: Settings) -> None:
    """Refuse settings that cannot work together.

    Raises:
        InputError: if a value is out of range, a name is unknown, the generator does not support the recognizer, or
            the grid tries what it must not or what has no effect.
    """
    check_values(settings)
    recognizers_for(settings)
    tried = grid_points(settings.grid)[0]
    for key in tried:
        if key.split(".")[0] in NOT_IN_A_GRID:
            raise InputError(f"The grid cannot try {key}: it is the same for all that is compared.")
    check_effect(settings, tried, "The grid tries")


def check_effect(settings: Settings, keys: Iterable[str], who: str) -> None:
    """Refuse settings that the generator and the recognizer do not take.

    Args:
        settings: all settings.
        keys: dotted keys that were asked for.
        who: asked for them: the beginning of the sentence.

    Raises:
        InputError: at the first that has no effect.
    """
    used = used_sections(settings)
    for key in keys:
        if "." in key and key.split(".")[0] not in used:
            raise InputError(
                f"{who} {key}, which has no effect: generator {settings.generator}, recognizer {settings.recognizer} "
                f"take the sections {', '.join(sorted(used))}."
            )


def used_sections(settings: Settings) -> set[str]:
    """The sections of the settings that have an effect, given generator and recognizer."""
    kind = generator_kind(settings.generator)
    used = {"selection", *kind.sections}
    if issubclass(kind.kind, Trained):
        used.add("training")
    for name in recognizers_for(settings):
        used |= set(RECOGNIZERS[name].sections)
    return used
