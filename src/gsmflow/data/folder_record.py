"""``dataset.json``: what a folder of one's own data says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import InputError
from ..files import as_json, read_json, write_atomically
from ..overrides import plain, validate
from .encoder import EncoderRecord

__all__ = ["FORMAT", "RECORD_FILE", "FolderRecord", "read_record", "write_record"]

FORMAT = 1
"""Of the folder. It grows by one when a folder can no longer be read by the version before."""
RECORD_FILE = "dataset.json"


@dataclass(frozen=True)
class FolderRecord:
    """The content of ``dataset.json``.

    Attributes:
        format: of the folder.
        encoder: what made the features out of pictures, where it is known.
        text_encoder: what made the semantics out of words, where it is known.
        images: absolute path of the folder of pictures that ``samples.csv`` names, a hint; empty if there is none.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    format: int = FORMAT
    encoder: EncoderRecord | None = None
    text_encoder: EncoderRecord | None = None
    images: str = ""


def read_record(folder: Path) -> FolderRecord:
    """Read ``dataset.json``; where there is none, nothing is known.

    Raises:
        InputError: if it is damaged, or of a newer version.
    """
    path = folder / RECORD_FILE
    if not path.exists():
        return FolderRecord()
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise InputError(
            f"{path} is of format {content.get('format')!r}, this version reads {FORMAT}: upgrade gsmflow."
        )
    return validate(FolderRecord, content, path)


def write_record(folder: Path, record: FolderRecord) -> None:
    """Write ``dataset.json`` atomically.

    Raises:
        InputError: if it cannot be written.
    """
    write_atomically(folder / RECORD_FILE, as_json(plain(record), indent=2))
