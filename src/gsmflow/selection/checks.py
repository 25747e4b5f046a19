"""Settings that cannot work, or would have no effect, are refused before anything is done."""

from __future__ import annotations

from collections.abc import Iterable

from ..data import ZeroShotDataset
from ..data.space import space_of
from ..errors import InputError
from ..generators import Trained, generator_kind
from ..overrides import assign, check_values, grid_points
from ..recognizers import RECOGNIZERS, recognizers_for
from ..settings import Settings

__all__ = ["check_effect", "check_settings", "stands_on", "used_sections"]

NOT_IN_A_GRID = ("seed", "generator", "recognizer", "selection", "grid", "simpler")


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
    scalings = {assign(settings, point).scaling for point in grid_points(settings.grid)} - {"none"}
    if needs_words(settings) and scalings:
        raise InputError(
            f"The generator {settings.generator!r} compares features with words as both are: set scaling to none; "
            f"found {' and '.join(sorted(scalings))}."
        )


def needs_words(settings: Settings) -> bool:
    """Whether the generator looks at nothing but words, which must lie in the space of the features."""
    return getattr(generator_kind(settings.generator).kind, "needs_words", False)


def stands_on(settings: Settings) -> str | None:
    """The name of the closed form that the generator stands on, if it stands on one."""
    return getattr(generator_kind(settings.generator).kind, "stands_on", None)


def check_effect(settings: Settings, keys: Iterable[str], who: str, data: ZeroShotDataset | None = None) -> None:
    """Refuse settings that the generator and the recognizer do not take, or that have no effect on the data.

    Args:
        settings: all settings.
        keys: dotted keys that were asked for.
        who: asked for them: the beginning of the sentence.
        data: what they shall work on, where that is known.

    Raises:
        InputError: at the first that has no effect.
    """
    used, keys = used_sections(settings), list(keys)
    if data and "gaussian.priors" in keys and "words" in settings.gaussian.priors and not space_of(data).holds:
        raise InputError(
            f"{who} gaussian.priors to words, which has no effect: {space_of(data).reason}, so that images and words "
            "do not lie in one space."
        )
    if "simpler" in keys and stands_on(settings) is None:
        raise InputError(
            f"{who} simpler, which has no effect: simpler methods compete with a generator that stands on a closed "
            f"form, and {settings.generator} does not."
        )
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
    if stands_on(settings):
        used |= {section for name in settings.simpler for section in generator_kind(name).sections}
    if issubclass(kind.kind, Trained):
        used.add("training")
    for name in recognizers_for(settings):
        used |= set(RECOGNIZERS[name].sections)
    return used
