"""Writing and reading files: atomically, in formats that run no code."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["as_csv", "as_json", "as_npy", "read_json", "read_tensors", "save_tensors", "sha256_of", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder and rename, so that no reader meets half a file.

    Raises:
        InputError: if it cannot be written, or something stands there that is no file, such as a device; what was there
            before is still there.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file that could be replaced; choose another place.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"Could not write {path}: {error.strerror}; make room or choose another place.") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def as_json(value: Any, indent: int | None = None) -> bytes:
    """Plain JSON; NaN, which JSON does not know, becomes null."""
    import numpy as np

    def plain(item: Any) -> Any:
        if isinstance(item, Mapping):
            return {key: plain(entry) for key, entry in item.items()}
        if isinstance(item, list | tuple | np.ndarray):
            return [plain(entry) for entry in item]
        if isinstance(item, np.generic):
            item = item.item()
        return None if isinstance(item, float) and not math.isfinite(item) else item

    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_json(path: Path) -> dict[str, Any]:
    """The keys and values of a JSON file.

    Raises:
        InputError: if it holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold keys and values; it holds {type(content).__name__}.")
    return content


def as_csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """A table as text.

    All cells stand between quotes where one needs them that readers, and the library, would not see: a name that would
    start a comment, and a carriage return, at which some end the line.
    """
    table = [list(header), *map(list, rows)]
    needed = any(str(row[0]).startswith("#") for row in table[1:] if row) or any(
        isinstance(cell, str) and "\r" in cell for row in table for cell in row
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if needed else csv.QUOTE_MINIMAL)
    writer.writerows(table)
    return text.getvalue().encode()


def as_npy(array: np.ndarray) -> bytes:
    """The content of a ``.npy`` file."""
    import numpy as np

    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def sha256_of(*paths: Path) -> str:
    """SHA-256 over the content of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(2**22):
                digest.update(block)
    return digest.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Write tensors, with texts about them, as safetensors, atomically."""
    from safetensors.torch import save

    content = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, in_order(save(content, dict(about or {}))))


def in_order(content: bytes) -> bytes:
    """The content of a safetensors file with its texts sorted: the library writes them in another order each time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header.pop("__metadata__", {}).items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, memoryview(content)[end:]])


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, and the texts about them.

    Raises:
        InputError: if it is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"The file {path} does not exist.")
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); is it truncated?") from error
