"""Small pictures of test samples decided rightly and wrongly, as they stand in the page itself.

Which are shown is drawn by lot with a fixed seed, evenly over classes: the same run shows the same. A picture that is
missing or damaged is counted, and stands in nobody's way.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from .probe import Probe

if TYPE_CHECKING:
    from jaxtyping import Int
    from PIL.Image import Image

__all__ = ["Group", "Thumbnail", "Thumbnails", "thumbnails"]

RIGHT, WRONG = 12, 24
"""So many of each are shown at most."""
SIDE = 112
"""Pixels of the longer side."""
QUALITY = 80
"""Of JPEG: such a picture takes some 4 kB."""


@dataclass(frozen=True)
class Thumbnail:
    """One test sample.

    Attributes:
        file: name of the sample.
        source: the picture, as an address that holds it.
        true: its class.
        decided: the class it is taken for.
        decided_unseen: whether that is an unseen one.
        probability: of that class, 0 to 1.
    """

    file: str
    source: str
    true: str
    decided: str
    decided_unseen: bool
    probability: float

    @property
    def is_right(self) -> bool:
        """Whether it is recognised."""
        return self.true == self.decided

    @property
    def alt(self) -> str:
        """What is to be known of it by who cannot see it."""
        return f"{self.true}, {'recognised' if self.is_right else f'taken for {self.decided}'}"


@dataclass(frozen=True)
class Group:
    """Test samples of one kind.

    Attributes:
        title: which kind.
        shown: those that are shown.
    """

    title: str
    shown: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class Thumbnails:
    """All that is shown, or why nothing is.

    Attributes:
        groups: kinds of test samples, without empty ones.
        lacking: a sentence where something that should be shown is not; empty where all is well.
    """

    groups: tuple[Group, ...] = ()
    lacking: str = ""


def thumbnails(found: Probe) -> Thumbnails | None:
    """Pictures of test samples decided rightly and wrongly; None where the data are not of pictures that are known."""
    names, folder = found.dataset.sample_names, found.dataset.provenance.images
    if not names or not folder:
        return None
    if not len(found.labels):
        return Thumbnails(lacking="There are no pictures to show: the data have no test samples.")
    try:
        import PIL.Image as _  # noqa: F401
    except ImportError:
        return Thumbnails(lacking="Pictures are left out: they need pillow: pip install 'gsmflow[images]'.")
    root = Path(folder)
    if not root.is_dir():
        return Thumbnails(lacking=f"Pictures are left out: their folder {root} is not there.")
    samples = np.concatenate([found.dataset.test_seen, found.dataset.test_unseen])
    groups, bad = [], []
    for title, places in chosen(found):
        shown = []
        for place in places:
            file = names[samples[place]]
            source = embedded(root, file)
            if source is None:
                bad.append(file)
            else:
                shown.append(described(found, int(place), file, source))
        if shown:
            groups.append(Group(title, tuple(shown)))
    return Thumbnails(tuple(groups), told(bad, root))


def described(found: Probe, place: int, file: str, source: str) -> Thumbnail:
    """A thumbnail with its words."""
    names, decided = found.dataset.class_names, int(found.predicted[place])
    is_unseen = decided in found.dataset.unseen
    true, taken_for = names[found.labels[place]], names[decided]
    return Thumbnail(file, source, true, taken_for, is_unseen, float(found.confidence[place]))


def told(bad: Sequence[str], root: Path) -> str:
    """The sentence about pictures that cannot be shown."""
    if not bad:
        return ""
    count = f"{len(bad)} pictures that were drawn are" if len(bad) > 1 else "A picture that was drawn is"
    return f"{count} missing or damaged and not shown, such as {bad[0]} in {root}."


def chosen(found: Probe) -> Iterator[tuple[str, Int[np.ndarray, " n"]]]:
    """Kinds of test samples with their titles, and places of those to show: unseen and seen, wrong and right."""
    is_right = found.predicted == found.labels
    is_unseen = np.isin(found.labels, found.dataset.unseen)
    rng = np.random.default_rng(0)
    for words, is_kind, most in (("decided wrongly", ~is_right, WRONG), ("decided rightly", is_right, RIGHT)):
        counts = [int((is_kind & is_group).sum()) for is_group in (is_unseen, ~is_unseen)]
        shares = halves(most, *counts)
        for title, is_group, share in zip(
            ("Unseen classes", "Seen classes"), (is_unseen, ~is_unseen), shares, strict=True
        ):
            places = np.flatnonzero(is_kind & is_group)
            if len(places):
                picked = spread(found.labels, places, share, rng)
                yield f"{title}, {words}: {len(picked):,} of {len(places):,}", picked


def halves(most: int, first: int, second: int) -> tuple[int, int]:
    """How many of each of two kinds to take: half and half, or more of one where the other has not so many.

    Example:
        >>> halves(12, 100, 100), halves(12, 3, 100), halves(12, 3, 4)
        ((6, 6), (3, 9), (3, 4))
    """
    of_first = min(first, max(most // 2, most - second))
    return of_first, min(second, most - of_first)


def spread(
    labels: Int[np.ndarray, " n"], places: Int[np.ndarray, " m"], most: int, rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """Places drawn by lot, one of each class before a second of any; in the order of classes."""
    drawn = rng.permutation(places)
    before: dict[int, int] = {}
    turns = np.empty(len(drawn), int)
    for i, k in enumerate(labels[drawn].tolist()):
        turns[i] = before.get(k, 0)
        before[k] = turns[i] + 1
    picked = drawn[np.argsort(turns, kind="stable")[:most]]
    return picked[np.lexsort((picked, labels[picked]))]


def embedded(root: Path, file: str) -> str | None:
    """A picture made small, as an address that holds it; None where there is none that can be read."""
    inside = PurePosixPath(file)
    if inside.is_absolute() or ".." in inside.parts:  # a table of samples may come from anywhere
        return None
    try:
        path = root / inside
        if not path.is_file():
            return None
        return small(path)
    except Exception:  # whatever a damaged file makes the library raise
        return None


def small(path: Path) -> str:
    """A picture made small, on white, turned as its camera was held."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))
            upright = ImageOps.exif_transpose(picture)
            flat = on_white(upright)
    flat.thumbnail((SIDE, SIDE))
    jpeg = io.BytesIO()
    flat.save(jpeg, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"


def on_white(picture: Image) -> Image:
    """A picture in colours, without transparency."""
    from PIL import Image

    if picture.mode.startswith("I;16"):  # the library would cut off all that is brighter than 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    clear = picture.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")
