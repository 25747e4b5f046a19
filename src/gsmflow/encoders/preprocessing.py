"""What is known of the preprocessing that an encoder wants: from a file beside it, from options, or assumed."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from ..errors import DataWarning, InputError
from ..files import read_json
from ..overrides import validate
from .pixels import Preprocessing, Resample

__all__ = ["Told", "asked_for", "complete", "override_told", "read_told"]

ASSUMED_MEAN, ASSUMED_STD = 127.0, 128.0
"""Of an ONNX file that nothing is told of: values from about -1 to 1, as networks of many makes take them."""
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
LARGEST = 8192
OF_HUGGING_FACE = ("image_mean", "image_processor_type", "feature_extractor_type", "do_resize", "do_normalize")
KNOWN = ("Bit", "CLIP", "ConvNext", "DINOv3ViT", "Siglip", "ViT")
"""Image processors of transformers that do what their fields say, and no more."""
STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
FILTERS: tuple[Resample, ...] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""By the numbers that Pillow and Hugging Face give them."""


@dataclass(frozen=True)
class Told:
    """What is told of the preprocessing; None where nothing is.

    A JSON file beside an ONNX file has these keys: ``{"size": 224, "mean": [127], "std": [128]}``.

    Attributes:
        size: height and width, or the side of a square.
        mean: subtracted from values of 0 to 255, one or one a channel.
        std: what they are divided by then.
        shortest: the shorter side is brought to this and the middle cut out; without it both sides are brought to size.
        resample: bicubic, bilinear, ...
        output: which output of an ONNX file the features are.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    size: int | tuple[int, ...] | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    shortest: int | None = None
    resample: Resample | None = None
    output: str | None = None


def asked_for(
    size: int | Sequence[int] | None,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
    output: str | None = None,
) -> Told:
    """What the user asks for."""
    values = {"size": size, "mean": mean, "std": std, "output": output}
    return validate(Told, {name: as_list(value) for name, value in values.items()}, "The preprocessing asked for")


def as_list(value: Any) -> Any:
    """Arrays and other sequences as lists, which are checked."""
    return value if value is None or isinstance(value, int | float | str) else list(value)


def read_told(path: Path) -> Told:
    """What a JSON file says: ours, or a ``preprocessor_config.json`` as Hugging Face writes it.

    Raises:
        InputError: if it is damaged, has keys that nobody knows, or asks for what is not there.
    """
    content = read_json(path)
    content = content.get("image_processor", content)  # `processor_config.json` holds that of words as well
    if isinstance(content, Mapping) and any(key in content for key in OF_HUGGING_FACE):
        return of_hugging_face(content, path)
    return validate(Told, content, path)


def of_hugging_face(content: Mapping[str, Any], path: Path) -> Told:
    """The fields of an image processor of transformers."""
    others = [key for key in content if key.startswith("do_") and content[key] and key not in STEPS]
    others += [key for key in ("rescale_offset", "include_top", "max_num_patches") if content.get(key)]
    kind = str(content.get("image_processor_type") or content.get("feature_extractor_type") or "")
    name = re.sub("(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "", kind)
    if name and name not in KNOWN:
        warnings.warn(
            f"{path} is of a {kind}, which may do more than it tells: compare some features with those of its own "
            "program.",
            DataWarning,
            stacklevel=4,
        )
    try:
        if others:
            raise ValueError(f"it has {', '.join(others)}")
        rescale = float(content.get("rescale_factor") or 1 / 255) if content.get("do_rescale", True) else 1.0
        normal = content.get("do_normalize", True)
        mean, std = (content.get(key) if normal else default for key, default in (("image_mean", 0), ("image_std", 1)))
        size, shortest = sides(content, is_convnext=name == "ConvNext")
        return Told(
            size=size,
            shortest=shortest,
            mean=None if mean is None else scaled(mean, 1 / rescale),
            std=None if std is None else scaled(std, 1 / rescale),
            resample=FILTERS[int(content.get("resample", 3))],
        )
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} tells a preprocessing that is not known here ({type(error).__name__}: {reason}): give size=, "
            "mean= and std=, and delete that file."
        ) from error


def scaled(values: float | Sequence[float], factor: float) -> tuple[float, ...]:
    """Values of 0 to 1 as those of 0 to 255; the digits that floats add are dropped."""
    return tuple(float(f"{value * factor:.10g}") for value in ([values] if isinstance(values, int | float) else values))


def sides(content: Mapping[str, Any], *, is_convnext: bool) -> tuple[tuple[int, int], int | None]:
    """The size of the pixels, and the shorter side before the middle is cut out."""
    crop, size = content.get("crop_size"), content.get("size")
    crops = bool(content.get("do_center_crop", crop is not None))
    if not content.get("do_resize", True):
        raise ValueError("pictures are not resized")
    if isinstance(size, int):
        size = {"shortest_edge": size} if crops or is_convnext else {"height": size, "width": size}
    if is_convnext and isinstance(size, dict) and "shortest_edge" in size:
        side = int(size["shortest_edge"])
        return (side, side), int(side / content.get("crop_pct", 224 / 256)) if side < 384 else None
    if not isinstance(size, dict):
        raise ValueError("no size is told")
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    if "height" in size and not crops:
        return (int(size["height"]), int(size["width"])), None
    if "shortest_edge" in size and "longest_edge" not in size and crops and crop:
        return (int(crop["height"]), int(crop["width"])), int(size["shortest_edge"])
    raise ValueError(f"pictures come in the size {size}, {f'cut to {crop}' if crops else 'not cut'}")


def override_told(told: Told, asked: Told, source: str) -> Told:
    """What is asked for instead of what is told, which is said.

    Warns:
        DataWarning: if both are given and differ.
    """
    changes = {}
    for name in (field.name for field in fields(Told)):
        ours, theirs = getattr(asked, name), getattr(told, name)
        if ours is None:
            continue
        changes[name] = ours
        if theirs is not None and as_tuple(theirs) != as_tuple(ours):
            warnings.warn(
                f"{name} {show(ours)} takes the place of {show(theirs)}, which {source} tells.",
                DataWarning,
                stacklevel=4,
            )
    if asked.size is not None and told.shortest and told.size is not None:
        before, now = min(square(told.size)), min(square(asked.size))
        changes["shortest"] = round(told.shortest * now / before)
    return replace(told, **changes)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """One or several as several; a pair of the same as one."""
    values = value if isinstance(value, tuple) else (value,)
    return values[:1] if len(set(values)) == 1 else values


def show(value: Any) -> str:
    """A value as it is written on a command line."""
    return " ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in as_tuple(value))


def square(size: int | tuple[int, ...]) -> tuple[int, int]:
    """Height and width.

    Raises:
        InputError: if it is none.
    """
    values = size if isinstance(size, tuple) else (size, size)
    values = values * 2 if len(values) == 1 else values
    if len(values) != 2 or not all(1 <= value <= LARGEST for value in values):
        raise InputError(f"size= is one side or height and width, of 1 to {LARGEST:,} pixels; found {show(size)}.")
    return values[0], values[1]


def complete(told: Told, channels: int, model: str) -> Preprocessing:
    """All that is told; what is not is assumed, which is said.

    Args:
        told: of the model; its size at least.
        channels: that the model takes, 1 or 3.
        model: its name, for what is said.

    Raises:
        InputError: if it contradicts itself.

    Warns:
        DataWarning: if mean and std are assumed, or converted.
    """
    if told.size is None:
        raise InputError(f"{model} takes pictures of any size: say which it was trained on with size=, as size=224.")
    if (told.mean is None) != (told.std is None):
        given, missing = ("mean", "std") if told.std is None else ("std", "mean")
        raise InputError(f"{model}: {given} is told and {missing} is not; give {missing}= too.")
    assumed = told.mean is None
    mean = channel_values("mean", ASSUMED_MEAN if told.mean is None else told.mean, channels)
    std = channel_values("std", ASSUMED_STD if told.std is None else told.std, channels)
    mean, std = of_bytes(mean, std, model)
    size = square(told.size)
    if told.shortest is not None and not max(size) <= told.shortest <= LARGEST:
        raise InputError(
            f"{model}: the shorter side is brought to {told.shortest} pixels, from which {size[0]} x {size[1]} cannot "
            "be cut; mend shortest in its JSON file, or give another size=."
        )
    found = Preprocessing(size, mean, std, told.shortest, told.resample or "bicubic")
    if assumed:
        warnings.warn(
            f"Nothing tells how {model} wants its pictures; assumed: {found}. If that is wrong, give its own numbers "
            f"{example(found, channels, model)}.",
            DataWarning,
            stacklevel=4,
        )
    return found


def example(assumed: Preprocessing, channels: int, model: str) -> str:
    """How the preprocessing is told: by options, or by a file; with the numbers of many networks trained on ImageNet.

    Example:
        >>> example(Preprocessing((224, 224), (127.0,), (128.0,)), 1, "net.onnx")
        'by options, such as --size 224 --mean 127 --std 128, or in net.json beside it: {"size": 224, "mean": [127], \
"std": [128]}'
    """
    size = as_tuple(assumed.size)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((ASSUMED_MEAN,), (ASSUMED_STD,))
    sides = str(size[0]) if len(size) == 1 else str([*size])
    means, stds = (f"[{', '.join(f'{value:g}' for value in values)}]" for values in (mean, std))
    file = f"{Path(model).stem}.json beside it" if model.endswith(".onnx") else "its preprocessor_config.json"
    return (
        f"by options, such as --size {show(size)} --mean {show(mean)} --std {show(std)}, or in {file}: "
        f'{{"size": {sides}, "mean": {means}, "std": {stds}}}'
    )


def channel_values(name: str, value: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    """One value a channel."""
    values = value if isinstance(value, tuple) else (value,)
    values = values * channels if len(values) == 1 else values
    if len(values) != channels:
        raise InputError(f"{name}= is one number or {channels}, one a channel; found {len(values)}: {show(values)}.")
    low, high = (0, 255) if name == "mean" else (0, math.inf)
    if not all(math.isfinite(item) and low <= item <= high and (item or name == "mean") for item in values):
        limits = "of 0 to 255" if name == "mean" else "above 0"
        raise InputError(f"{name}= is {limits}, for values of 0 to 255; found {show(values)}.")
    return tuple(map(float, values))


def of_bytes(
    mean: tuple[float, ...], std: tuple[float, ...], model: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std for values of 0 to 255: those below 1 are for values of 0 to 1, as in papers and in PyTorch.

    Dividing values of 0 to 255 by less than 1 would make thousands out of them, which no network takes; so a std below
    1 is never one of ours. A std of just 1 is: the values as they are.

    Raises:
        InputError: if one of them is of the one kind and one of the other.

    Warns:
        DataWarning: if they are converted.
    """
    if max(mean) <= 1 and max(std) < 1:
        ours = scaled(mean, 255), scaled(std, 255)
        warnings.warn(
            f"{model}: mean {show(mean)} and std {show(std)} are taken as for values of 0 to 1; for those of 0 to "
            f"255 they are {show(ours[0])} and {show(ours[1])}.",
            DataWarning,
            stacklevel=5,
        )
        return ours
    if min(std) < 1 or any(0 < value < 1 for value in mean):
        raise InputError(
            f"{model}: mean= {show(mean)} and std= {show(std)} do not fit together: give both for values of 0 to 255, "
            "as 123.675 116.28 103.53 and 58.395 57.12 57.375."
        )
    return mean, std
