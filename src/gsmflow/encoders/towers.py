"""The half of CLIP and SigLIP that reads texts: its space is that of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from .base import needs

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

__all__ = ["TextTower"]


class TextTower:
    """The text tower of a model of transformers that has ``get_text_features``, as CLIP and SigLIP have.

    Args:
        folder: holds the model.
        device: where it computes.

    Raises:
        InputError: if transformers is not installed, the model has no such tower, or lacks weights.
        Exception: whatever transformers raises of a model that it cannot load.
    """

    kind: Literal["huggingface"] = "huggingface"

    def __init__(self, folder: Path, device: str):
        try:
            from transformers import MODEL_MAPPING, AutoConfig, AutoModel, AutoTokenizer
        except ImportError as error:
            raise needs("texts", error) from error
        here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder, **here)
        architecture = MODEL_MAPPING.get(type(config), None)
        if not hasattr(architecture, "get_text_features"):
            raise InputError(
                f"{folder} holds a model of type {config.model_type!r}, which gives no vector for a text: take one of "
                "sentence-transformers (it has a modules.json), or a CLIP or SigLIP."
            )
        model, told = AutoModel.from_pretrained(
            folder, config=config, use_safetensors=True, output_loading_info=True, **here
        )
        if told["missing_keys"]:
            raise InputError(f"{folder} lacks weights of {sorted(told['missing_keys'])[0]}: copy the whole model.")
        self.device, self.model = device, model.float().eval().to(device)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **here)
        self.longest: int = min(config.text_config.max_position_embeddings, self.tokenizer.model_max_length)
        self.padding = "max_length" if config.model_type.startswith("siglip") else "longest"  # as it was trained

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How texts of a batch are brought to one length."""
        return {"padding": self.padding}

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "n s"]:
        """Semantics of each text, in one batch."""
        import torch

        tokens = self.tokenizer(
            list(texts), padding=self.padding, truncation=True, max_length=self.longest, return_tensors="pt"
        )
        if self.padding == "max_length":
            tokens.pop("attention_mask", None)  # it was trained to read the padding, too
        with torch.no_grad():
            found = self.model.get_text_features(**tokens.to(self.device))
        return getattr(found, "pooler_output", found).cpu().numpy()  # transformers before 5 gives the tensor

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before anything is cut."""
        return [len(ids) for ids in self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]
