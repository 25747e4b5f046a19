"""Pictures of a folder, and their features: decoded in threads while the encoder works."""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.picture_files import PICTURES
from ..errors import DataWarning, InputError
from .base import needs
from .listing import read_listing

if TYPE_CHECKING:
    from jaxtyping import Float

    from .base import ImageEncoder

__all__ = ["Encoded", "Pictures", "encode_files", "list_pictures"]

AHEAD = 2
"""Batches that are decoded before they are due."""


@dataclass(frozen=True)
class Pictures:
    """Files of pictures.

    Attributes:
        root: folder that they lie in.
        files: of each picture, relative to ``root``, with ``/``.
        classes: of each picture; None if one of them lies in no folder of ``root`` and no list names its class.
    """

    root: Path
    files: tuple[str, ...]
    classes: tuple[str, ...] | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where they are."""
        return tuple(self.root / file for file in self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        classes = f", {len(set(self.classes))} classes" if self.classes else ""
        return f"Pictures({self.root}, {len(self)} files{classes})"


@dataclass(frozen=True)
class Encoded:
    """Some pictures and their features.

    Attributes:
        paths: those that could be read, in order.
        features: (n, D) float32, a row a path.
        bad: those that could not, with the reason.
    """

    paths: tuple[Path, ...]
    features: Float[np.ndarray, "n d"]
    bad: tuple[tuple[Path, str], ...] = ()


def list_pictures(root: Path, listing: Path | None = None) -> Pictures:
    """The pictures of a folder and its sub-folders, sorted; or those of it that a list names, in its order.

    The class of a picture is the first folder on its way from ``root``, unless the list says otherwise.

    Args:
        root: folder.
        listing: a path a line, relative to ``root``; or CSV with ``file`` and perhaps ``class``.

    Raises:
        InputError: if there is no picture; if a line of the list is wrong, or a name is not UTF-8.

    Warns:
        DataWarning: if files are passed over, since their names do not end as those of pictures do.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        there = "is a file, no folder" if root.exists() else "does not exist"
        raise InputError(f"The folder of pictures {root} {there}: say where they are.")
    if listing is not None:
        files, named = read_listing(Path(listing).expanduser(), root)
        return Pictures(root, files, named or first_folders(files))
    found = sorted(files_under(root))
    files = tuple(file for file in found if is_picture(file))
    if not files:
        kinds = f"; its {len(found)} files end in {endings(found)}" if found else ", and no file at all"
        raise InputError(
            f"{root} holds no picture (a file that ends in .jpg, .png, .webp, ...){kinds}: give the folder that holds "
            "a folder of pictures for each class."
        )
    for file in files:
        if not is_utf8(file):
            raise InputError(f"The name of {os.fsencode(file)!r} in {root} is not UTF-8: rename the file.")
    skipped = [file for file in found if not is_picture(file)]
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(found)} files in {root} are passed over, since they do not end as pictures do: "
            f"{endings(skipped)}.",
            DataWarning,
            stacklevel=2,
        )
    return Pictures(root, files, first_folders(files))


def files_under(root: Path) -> Iterator[str]:
    """All files below a folder, relative to it, with ``/``; a folder that is met again by a link is passed over."""
    met: set[str] = set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in met:
            folders.clear()
            continue
        met.add(real)
        folders.sort()
        inside = Path(place).relative_to(root)
        for name in names:
            yield (inside / name).as_posix()


def is_picture(file: str) -> bool:
    """Whether a file is named as pictures are; what begins with a dot is the system's, also as a folder."""
    return Path(file).suffix.lower() in PICTURES and not is_hidden(file)


def is_hidden(file: str) -> bool:
    """Whether a name on the way to a file begins with a dot."""
    return any(part.startswith(".") for part in Path(file).parts)


def is_utf8(name: str) -> bool:
    """Whether a name of a file can be written into a table."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def endings(files: Sequence[str]) -> str:
    """How these files end, most frequent first."""
    counts = Counter(Path(file).suffix.lower() or Path(file).name for file in files).most_common()
    few = ", ".join(f"{name} ({count})" for name, count in counts[:4])
    hidden = sum(is_hidden(file) for file in files)
    return (
        few
        + (", ..." if len(counts) > 4 else "")
        + (f"; {hidden} are hidden, by a dot before a name" if hidden else "")
    )


def first_folders(files: Sequence[str]) -> tuple[str, ...] | None:
    """The first folder of each file; None if one of them lies in none."""
    folders = tuple(file.partition("/")[0] for file in files if "/" in file)
    return folders if len(folders) == len(files) else None


def encode_files(
    encoder: ImageEncoder, paths: Sequence[Path], *, batch: int = 64, workers: int | None = None
) -> Iterator[Encoded]:
    """Features of pictures, batch by batch; the next ones are decoded meanwhile.

    Args:
        encoder: of pictures.
        paths: of files.
        batch: pictures that are encoded at a time.
        workers: threads that decode; default: one a CPU core.

    Raises:
        InputError: if ``batch`` or ``workers`` is no such number, or Pillow is not installed.
    """
    for name, value in (("batch", batch), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name}= is at least 1; found {value}.")
    try:
        from PIL import Image
    except ImportError as error:
        raise needs("images", error) from error
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `pixels_of` tells such a picture itself
    Image.init()  # the readers of all kinds, which threads would load in each other's way
    return encoded(encoder, paths, batch, workers or cores())


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encoded(encoder: ImageEncoder, paths: Sequence[Path], batch: int, workers: int) -> Iterator[Encoded]:
    """As `encode_files`, of what was checked."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    ahead: deque[Future[Float[np.ndarray, "c h w"] | str]] = deque()
    coming = iter(paths)
    try:
        for start in range(0, len(paths), batch):
            due = paths[start : start + batch]
            missing = (AHEAD + 1) * batch - len(ahead)
            ahead.extend(pool.submit(pixels_of, encoder, path) for path in islice(coming, missing))
            found = [(path, ahead.popleft().result()) for path in due]
            good = [(path, pixels) for path, pixels in found if not isinstance(pixels, str)]
            bad = tuple((path, reason) for path, reason in found if isinstance(reason, str))
            yield Encoded(tuple(path for path, _ in good), encoder.encode([pixels for _, pixels in good]), bad)
    finally:
        pool.shutdown(cancel_futures=True)


def pixels_of(encoder: ImageEncoder, path: Path) -> Float[np.ndarray, "c h w"] | str:
    """The pixels of a file, or why there are none."""
    from PIL import Image, UnidentifiedImageError

    if path.exists() and not path.is_file():  # a pipe would be waited for
        return "it is no file"
    try:
        with Image.open(path) as picture:
            limit = Image.MAX_IMAGE_PIXELS or np.inf
            if picture.width * picture.height > limit:
                return f"it has {picture.width} x {picture.height} pixels, more than the {limit:,} that are read"
            return encoder.prepare(picture)
    except UnidentifiedImageError:
        return "it is empty" if path.exists() and not path.stat().st_size else "it is no picture that can be read"
    except OSError as error:
        return error.strerror or str(error) or "it cannot be read"
    except MemoryError:
        return "it needs more memory than there is"
    except Exception as error:  # readers of damaged pictures raise whatever they meet
        return " ".join(str(error).split()) or type(error).__name__
