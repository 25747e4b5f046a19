"""Models of sentence-transformers: a space of sentences."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from .base import needs, weight_files

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

__all__ = ["SentenceModel", "is_sentence_model", "sentence_weights"]

MODULES_FILE = "modules.json"
OWN = "sentence_transformers."


class SentenceModel:
    """A model of sentence-transformers.

    Args:
        folder: holds it.
        device: where it computes.

    Raises:
        InputError: if the library is not installed.
        Exception: whatever the library raises of a model that it cannot load.
    """

    kind: Literal["sentence-transformers"] = "sentence-transformers"

    def __init__(self, folder: Path, device: str):
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise needs("texts", error) from error
        model = SentenceTransformer(str(folder), device=device, local_files_only=True, trust_remote_code=False)
        self.model: Any = model.float().eval()

    @property
    def longest(self) -> int | None:
        """Tokens that are read of a text; None if all are."""
        longest = self.model.max_seq_length
        return int(longest) if longest and math.isfinite(longest) else None

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What stands before each text by the model's own settings, where something does."""
        prompt = self.model.prompts.get(self.model.default_prompt_name)
        return {"prompt": prompt} if prompt else {}

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
        """Semantics of each text, in one batch."""
        return self.model.encode(list(texts), batch_size=len(texts), show_progress_bar=False)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before anything is cut."""
        before = self.preprocessing.get("prompt", "")
        tokens = self.model.tokenizer([before + text for text in texts], truncation=False)
        return [len(ids) for ids in tokens["input_ids"]]


def is_sentence_model(folder: Path) -> bool:
    """Whether a folder holds a model of sentence-transformers."""
    return (folder / MODULES_FILE).is_file()


def sentence_weights(folder: Path) -> tuple[Path, ...]:
    """The files of weights of all modules, in the order of the modules.

    Raises:
        InputError: if the list of modules is damaged, names one that is no part of sentence-transformers, which would
            have to be imported, or if weights are missing or pickled.
    """
    path = folder / MODULES_FILE
    try:
        modules = [(str(module["type"]), str(module["path"])) for module in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is no list of modules ({error!r}): copy the whole model again.") from error
    strange = next((kind for kind, _ in modules if not kind.startswith(OWN)), None)
    if strange is not None:
        raise InputError(
            f"{path} names {strange}, which is no part of sentence-transformers: code that comes with a model is not "
            "run; take another model."
        )
    parts = [folder / part for _, part in modules]
    weighty = [part for part in parts if any(part.glob("*.safetensors*")) or any(part.glob("*.bin"))]
    return tuple(file for part in weighty or [folder] for file in weight_files(part))
