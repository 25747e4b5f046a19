"""``gsmflow data init``: a folder to fill in, with comments that say how."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..files import as_csv, write_atomically
from .catalog import folders
from .formats import formats_in
from .formats.files import check_names, write_together
from .formats.folder_files import CLASSES_FILE, IMAGES, feature_files
from .formats.folder_samples import label_file, read_samples
from .formats.numpy_files import write_bytes
from .labels import one_a_sample
from .picture_files import class_of, picture_files
from .tables import read_table

__all__ = ["HOWTO_FILE", "names_to_fill_in", "write_skeleton"]

HOWTO_FILE = "HOWTO.txt"

COMMENTS = """\
# Classes, a row each; lines that start with # are comments.
#
# name: as the folder of its pictures is called, or as samples.csv names it.
# description: a sentence or a few words that tell it from the others. More of them go into columns that are called
#   description_2, description_3, ...; a cell with a comma stands between "double quotes".
# Every other column of numbers is an attribute (one number for every class), every other column of texts a note.
# A class without pictures is simply unseen: its row is all there is of it.
#
# A whole table, as an example:
# name,description,has_stripes,lives_on_grassland
# zebra,"a horse with black and white stripes, on grassland",1,0.9
# okapi,"a brown animal with the striped legs of a zebra, in forests",1,0.1
"""

HOWTO = """\
How to make a data set of this folder
=====================================

1. Put pictures into images/, in a folder for each class:

       images/zebra/1.jpg
       images/zebra/2.jpg
       images/horse/1.jpg

   Classes that you have no picture of need no folder.
   No pictures, but features? Put them here as features.npy, .safetensors, .parquet or .csv, a row a sample, and
   samples.csv beside it, a row a sample with the columns file,class (or labels.npy, labels.csv, labels.txt).

2. Write a row for each class into classes.csv: its name, and a description or attributes.

3. See what is missing, and what to do about it:

       gsmflow data check {folder}

4. Make features of the pictures and semantics of the descriptions. MODEL is a model by its name on Hugging Face or a
   local folder; for pictures also any ONNX file:

       gsmflow extract {folder}/images --model MODEL --out {folder}
       gsmflow describe {folder}/classes.csv --model MODEL --out {folder}

5. Train, and ask:

       gsmflow train {folder} --out runs/mine
       gsmflow predict runs/mine PICTURE

You need no test pictures: training reports what is to be expected of classes that nobody has a picture of, estimated on
some that it sets aside. To name test pictures yourself, write splits.csv, a row a picture:

       file,split
       zebra/1.jpg,trainval
       zebra/2.jpg,test_seen
       okapi/1.jpg,test_unseen
"""


def write_skeleton(folder: Path) -> tuple[str, ...]:
    """Write a commented ``classes.csv``, which names the classes that there are pictures of, and ``HOWTO.txt``.

    Called once more when there are pictures by now, it writes the names into a ``classes.csv`` that nobody has touched.

    Args:
        folder: made if it is not there; it may hold ``images``.

    Returns:
        The classes named.

    Raises:
        InputError: if it holds one of the files, or a data set, or cannot be written.
    """
    fillable = names_to_fill_in(folder)
    if fillable:
        check_names(folder.name, fillable)
        write_atomically(folder / CLASSES_FILE, template(fillable))
        return fillable
    there = [name for name in (CLASSES_FILE, HOWTO_FILE) if os.path.lexists(folder / name)]
    if there:
        raise InputError(
            f"{folder} holds {', '.join(there)} already; see what is missing with gsmflow data check {folder}, or "
            "choose another folder."
        )
    other = [one.name for one in formats_in(folder) if one.name != "numpy" or (folder / "trainval.npy").exists()]
    if set(other) - {"folder"} or folders(folder):
        what = folders(folder)[0].name if folders(folder) else f"in the format {other[0]}"
        raise InputError(f"{folder} holds a data set already, {what}; choose another folder.")
    named = classes_there(folder)
    check_names(folder.name, named)
    howto = HOWTO.format(folder=shlex.quote(str(folder)))
    contents = {HOWTO_FILE: howto.encode(), CLASSES_FILE: template(named)}
    made = not folder.exists()
    write_together(folder, {name: partial(write_bytes, content) for name, content in contents.items()})
    try:
        if not feature_files(folder):
            (folder / IMAGES).mkdir(exist_ok=True)
    except OSError as error:
        for name in contents:
            (folder / name).unlink(missing_ok=True)
        if made:
            folder.rmdir()
        raise InputError(f"Could not make {folder / IMAGES}: {error.strerror}; choose another folder.") from error
    return named


def template(names: tuple[str, ...]) -> bytes:
    """The content of a ``classes.csv`` to fill in."""
    return COMMENTS.encode() + as_csv(["name", "description"], [[name, ""] for name in names])


def names_to_fill_in(folder: Path) -> tuple[str, ...]:
    """The classes found that a ``classes.csv``, as it was written when there were none, does not name; else none."""
    path = folder / CLASSES_FILE
    try:
        return classes_there(folder) if path.is_file() and path.read_bytes() == template(()) else ()
    except (InputError, OSError):  # a file is damaged, which `gsmflow data check` tells by itself
        return ()


def classes_there(folder: Path) -> tuple[str, ...]:
    """The classes that pictures lie in, or that samples are said to be of; sorted.

    Raises:
        InputError: if a file that says it is damaged.
    """
    pictured = {class_of(file) for file in picture_files(folder / IMAGES)} - {""}
    path = label_file(folder)
    if path:
        labels = read_samples(path).labels
    else:
        tables = [file for file in feature_files(folder) if file.suffix in (".csv", ".parquet")]
        labels = read_table(tables[0]).labels if len(tables) == 1 else None
    if labels is None or not labels.size:
        return tuple(sorted(pictured))
    found = one_a_sample(labels, path or folder)
    return tuple(sorted(pictured | set(found.tolist()))) if found.dtype.kind == "U" else tuple(sorted(pictured))
