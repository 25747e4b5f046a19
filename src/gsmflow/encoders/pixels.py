"""From a picture to the pixels that an encoder takes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..overrides import plain

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

__all__ = ["Preprocessing", "Resample", "in_colour"]

Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
MODES = {1: "L", 3: "RGB"}
TRANSPARENT = ("RGBA", "RGBa", "LA", "La", "PA")


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before it is encoded.

    Attributes:
        size: height and width of the pixels.
        mean: subtracted from values of 0 to 255, one a channel.
        std: what they are divided by then.
        shortest: the shorter side is brought to this, and the middle of the picture cut out; None: both sides are
            brought to ``size``, whatever becomes of the shape.
        resample: how a picture is resized.
        background: what shows through where a picture is transparent.
        orientation: which side is up: as the camera noted in the file.

    Example:
        >>> print(Preprocessing((224, 224), (127.0,) * 3, (128.0,) * 3))
        RGB on white, upright, resized to 224 x 224 (bicubic), (value - 127) / 128
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    shortest: int | None = None
    resample: Resample = "bicubic"
    background: Literal["white"] = "white"
    orientation: Literal["exif"] = "exif"

    def __call__(self, picture: Image) -> Float[np.ndarray, "c h w"]:
        """Pixels of a picture, float32.

        Raises:
            ValueError: with the reason, if it cannot be brought to this size and these colours.
        """
        picture = self.resized(in_colour(picture, MODES[len(self.mean)]))
        pixels = np.empty((len(self.mean), *self.size), np.float32)
        for values, channel, mean, std in zip(pixels, picture.split(), self.mean, self.std, strict=True):
            values[:] = np.asarray(channel)
            values -= np.float32(mean)
            values /= np.float32(std)
        return pixels

    def resized(self, picture: Image) -> Image:
        """A picture of the size wanted."""
        from PIL import Image

        how = Image.Resampling[self.resample.upper()]
        height, width = self.size
        if self.shortest is None:
            return picture.resize((width, height), how)
        short = min(picture.size)
        wide, high = (self.shortest if side == short else int(self.shortest * side / short) for side in picture.size)
        if wide * high > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise ValueError(f"its {picture.width} x {picture.height} pixels are too narrow a strip")
        left, top = (wide - width) // 2, (high - height) // 2
        return picture.resize((wide, high), how).crop((left, top, left + width, top + height))

    def as_json(self) -> dict[str, Any]:
        """As it is recorded."""
        return plain(self)

    def __str__(self) -> str:
        height, width = self.size
        shape = f"{height} x {width}"
        how = f"resized to {shape}" if self.shortest is None else f"shorter side {self.shortest}, the middle {shape}"
        mean, std = (numbers(values) for values in (self.mean, self.std))
        colours = "RGB" if len(self.mean) == 3 else "grey"
        return f"{colours} on white, upright, {how} ({self.resample}), (value - {mean}) / {std}"


def numbers(values: tuple[float, ...]) -> str:
    """One number if all are the same, else all of them."""
    texts = [f"{value:.6g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"


def in_colour(picture: Image, mode: str = "RGB") -> Image:
    """The first frame of a picture, upright, on white, with 8 bits a channel.

    Args:
        picture: of any mode: palette, grey of 1, 8 or 16 bits, CMYK, with transparency or without.
        mode: RGB, or L for grey.

    Raises:
        ValueError: if nothing says which of its values is white.
    """
    from PIL import Image, ImageOps

    picture.load()
    with suppress(Exception):  # a damaged EXIF block says nothing of what is up, and harms nothing else
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        picture = Image.fromarray(in_bytes(np.asarray(picture), picture.mode))
    if picture.mode in TRANSPARENT or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture if picture.mode == mode else picture.convert(mode)


def in_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey of 16 bits with 8: 65535 becomes 255."""
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its values are numbers of 32 bits (mode {mode}), and nothing says which of them is white")
    return np.round(values / 257).astype(np.uint8)
