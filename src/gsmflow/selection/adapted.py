"""Settings made to fit the data: what cannot work on them or has no effect is refused, what they call for is tried."""

from __future__ import annotations

import warnings
from dataclasses import replace

from ..data import ZeroShotDataset
from ..data.dataset import frames_to_caller
from ..data.space import Space, space_of
from ..errors import DataWarning, InputError
from ..generators import generator_kind
from ..overrides import assign, grid_points
from ..progress import Display
from ..semantics import TEXT, has_weight
from ..settings import Settings
from .checks import needs_words
from .noise import noise_sentence

__all__ = ["adapted", "check_data"]

TEXT_WEIGHTS = "text_weight=0.25,1,4"
"""A line of the grid: what words are tried to count for against other semantics."""


def check_data(settings: Settings, data: ZeroShotDataset) -> None:
    """Refuse settings that cannot work on a data set, or would have no effect on it.

    It warns where images and words are taken to lie in one space because their dimensions are equal.

    Raises:
        InputError: if images and words must lie in one space, and do not, or text is weighed against nothing.
    """
    check_text_weight(settings, data)
    wanted = who_wants_words(settings)
    if not wanted:
        return
    space = space_of(data)
    if not space.holds:
        raise InputError(
            f"{wanted} takes images and words in one space, and {space.reason}: make features and semantics with one "
            "model, such as CLIP or SigLIP, or choose another method."
        )
    if space.is_assumed:
        sentence = f"{wanted} takes images and words in one space, which is taken for granted: {space.reason}"
        warnings.warn(sentence, DataWarning, stacklevel=frames_to_caller())


def check_text_weight(settings: Settings, data: ZeroShotDataset) -> None:
    """Refuse a weight of text that changes nothing."""
    if settings.text_weight is None and "text_weight" not in grid_points(settings.grid)[0]:
        return
    if not has_weight(data.semantic_parts):
        raise InputError(
            f"text_weight has no effect: the semantics of {data.name} are not put together from {TEXT} and attributes; "
            "drop it."
        )
    if needs_words(settings):
        raise InputError(
            f"text_weight has no effect: the generator {settings.generator!r} looks at the {TEXT} alone; drop it."
        )


def who_wants_words(settings: Settings) -> str:
    """Which setting works with images and words in one space alone; empty where none does."""
    if needs_words(settings):
        return f"The generator {settings.generator!r} (method clip)"
    priors = [assign(settings, point).gaussian.priors for point in grid_points(settings.grid)]
    wants = takes_priors(settings) and any(set(listed) == {"words"} for listed in priors)
    return "The setting gaussian.priors words" if wants else ""


def takes_priors(settings: Settings) -> bool:
    """Whether the generator is, or stands on, the closed form that has priors."""
    return "gaussian" in generator_kind(settings.generator).sections


def adapted(settings: Settings, data: ZeroShotDataset, display: Display, *, chooses: bool) -> Settings:
    """Settings as they are used on a data set.

    The prior of words is left out where these do not lie in the space of the images. Where semantics are put together
    from text and attributes, and neither settings nor grid say what text counts for, the grid tries it.

    Args:
        settings: as they were asked for.
        data: a data set.
        display: is told what is tried.
        chooses: whether the grid is tried.

    Raises:
        InputError: as `check_data` does.
    """
    check_data(settings, data)
    if sentence := noise_sentence(data, settings):
        warnings.warn(sentence, DataWarning, stacklevel=frames_to_caller())
    if takes_priors(settings) and len(set(settings.gaussian.priors)) > 1:
        settings = with_priors(settings, space_of(data), display)
    is_named = settings.text_weight is not None or "text_weight" in grid_points(settings.grid)[0]
    if chooses and has_weight(data.semantic_parts) and not is_named and not needs_words(settings):
        display.say(f"semantics are {parts_of(data)}: {TEXT_WEIGHTS} is tried; set text_weight to try one value alone")
        settings = replace(settings, grid=(*settings.grid, TEXT_WEIGHTS))
    return settings


def with_priors(settings: Settings, space: Space, display: Display) -> Settings:
    """Settings without the prior of words, where images and words do not lie in one space."""
    if not space.holds:
        return replace(settings, gaussian=replace(settings.gaussian, priors=("none",)))
    reason = f" (taken for granted: {space.reason})" if space.is_assumed else ""
    display.say(f"images and words lie in one space{reason}: words are tried as a prior of class means")
    return settings


def parts_of(data: ZeroShotDataset) -> str:
    """The parts that semantics are put together from, in words."""
    return " and ".join(f"{width} of {name}" for name, width in data.semantic_parts)
