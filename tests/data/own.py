"""Tiny folders of one's own data, as a person or a program leaves them."""

from pathlib import Path

import numpy as np

NAMES = ("zebra", "okapi", "dodo", "yak")
"""The last has no sample."""
CLASSES = (0, 0, 1, 1, 2, 2)
FEATURES = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
FILES = tuple(f"{NAMES[k]}/{row}.png" for row, k in enumerate(CLASSES))

CLASSES_CSV = """\
# what is known
name,description,striped,height,seen by
zebra,"a horse, striped",1,1.4,Ann
okapi,a striped giraffe,0.5,1.5,Ann

dodo,a bird,0,1,nobody
yak,"an ox with
long hair",0,2,Bob
"""
SAMPLES_CSV = "file,class\n" + "".join(f"{file},{NAMES[k]}\n" for file, k in zip(FILES, CLASSES, strict=True))


def write_own(folder: Path, **changed: object) -> Path:
    """Write a folder of one's own data; a file whose content is None is left out.

    The names of files are given with ``__`` for ``.`` and ``___`` for ``/``.
    """
    files = {"classes__csv": CLASSES_CSV, "samples__csv": SAMPLES_CSV, "features__npy": FEATURES} | changed
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            np.save(path, content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(str(content), encoding="utf-8")
    return folder


def draw(folder: Path, files: tuple[str, ...] = FILES) -> Path:
    """Files that are named as pictures."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"drawn")
    return folder
