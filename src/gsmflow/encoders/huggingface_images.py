"""A vision model of Hugging Face: features by transformers, pictures by Pillow alone, without torchvision."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import EncoderRecord
from ..devices import pick_device, using_threads
from ..errors import InputError
from ..files import sha256_of
from ..overrides import validate
from .base import folder_name, model_folder, needs, quietly, weight_files
from .pixels import Preprocessing
from .preprocessing import Told, complete, override_told, read_told

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

__all__ = ["HuggingFaceImageEncoder"]

TOLD_IN = ("preprocessor_config.json", "processor_config.json")


class HuggingFaceImageEncoder:
    """Features of pictures by a model of transformers.

    The features are those of the space shared with words where the model has one (CLIP, SigLIP), else its pooled
    features (ResNet, DINOv2 and 3, ...), else, where the pooling was never trained, those of the class token.

    Args:
        model: a local folder, or a name on the hub.
        asked: of the preprocessing, instead of what the model tells.
        recorded: the whole preprocessing as it was recorded; nothing else is looked at then.
        revision: commit on the hub; default the newest.
        device: auto, cpu, cuda or mps.
        threads: CPU threads; default: as torch is set.

    Raises:
        InputError: if transformers or Pillow is not installed; if there is no such model, it lacks files or weights, or
            gives no features of pictures.
    """

    def __init__(
        self,
        model: str | Path,
        asked: Told,
        *,
        recorded: Mapping[str, Any] | None = None,
        revision: str | None = None,
        device: str = "auto",
        threads: int | None = None,
    ):
        self.threads, self.place = threads, pick_device(device)
        self.device = str(self.place)
        folder, commit = model_folder(model, extra="images", option="model", revision=revision)
        weights = weight_files(folder)
        self.model, pools = load_model(folder)
        self.model.to(self.place)
        channels = int(getattr(vision_config(self.model), "num_channels", 3))
        if recorded is None:
            self.preprocessing = complete(tell(folder, asked), channels, folder.name)
        else:
            given = {key: value for key, value in recorded.items() if key != "output"}
            self.preprocessing = validate(Preprocessing, given, folder)
        self.output = "pooler_output" if pools else "class token"
        if hasattr(self.model, "get_image_features"):
            self.output = "image_features"
        self.record = EncoderRecord(
            kind="huggingface",
            name=str(model) if commit else folder_name(folder),
            dim=self.try_out(folder, channels),
            sha256=sha256_of(*weights),
            revision=commit,
            preprocessing={**self.preprocessing.as_json(), "output": self.output},
            place="" if commit else os.path.abspath(folder),
        )

    def prepare(self, picture: Image) -> Float[np.ndarray, "c h w"]:
        """The pixels that `encode` takes."""
        return self.preprocessing(picture)

    def encode(self, pixels: Sequence[Float[np.ndarray, "c h w"]]) -> Float[np.ndarray, "n d"]:
        """Features of a batch."""
        if not len(pixels):
            return np.empty((0, self.record.dim), np.float32)
        return self.features(np.stack(pixels)).cpu().numpy()

    def features(self, pixels: Float[np.ndarray, "n c h w"]) -> Any:
        """Features of a batch, a tensor where it was computed."""
        import torch

        with torch.inference_mode(), using_threads(self.threads) if self.threads else nullcontext():
            values = torch.from_numpy(pixels).to(self.place)
            if self.output == "image_features":
                found = self.model.get_image_features(pixel_values=values)
                return getattr(found, "pooler_output", found)  # transformers before 5 gives the tensor
            found = self.model(pixel_values=values)
            return found.pooler_output.flatten(1) if self.output == "pooler_output" else found.last_hidden_state[:, 0]

    def try_out(self, folder: Path, channels: int) -> int:
        """The dimension of the features of a picture of nothing.

        Raises:
            InputError: if the model fails on it, or gives anything but a row.
        """
        import torch

        try:
            found = self.features(np.zeros((2, channels, *self.preprocessing.size), np.float32))
        except Exception as error:  # models raise whatever they meet
            size = " x ".join(map(str, self.preprocessing.size))
            reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
            raise InputError(
                f"The model in {folder} gives no features of pictures of {size} pixels ({reason}): give another size=, "
                "or take another model, such as a ResNet, DINOv2, CLIP or SigLIP."
            ) from error
        if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 2:
            raise InputError(
                f"The model in {folder} gives no single row of features a picture; take another, such as a ResNet, "
                "DINOv2, CLIP or SigLIP."
            )
        return found.shape[1]

    def __repr__(self) -> str:
        return f"HuggingFaceImageEncoder({self.record})"


def load_model(folder: Path) -> tuple[Any, bool]:
    """The model, and whether its pooling was trained.

    Raises:
        InputError: if it cannot be loaded, lacks weights, or takes no pictures.
    """
    try:
        import PIL.Image  # noqa: F401
        import torch
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise needs("images", error) from error
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no config.json: give the folder of a Hugging Face model, or an .onnx file.")
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quietly():
            config = AutoConfig.from_pretrained(folder, **here)
            model, told = AutoModel.from_pretrained(
                folder, config=config, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **here
            )
    except Exception as error:  # the libraries raise whatever they meet
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise InputError(f"The model in {folder} could not be loaded ({reason}): is it whole?") from error
    missing = sorted(told["missing_keys"])
    lacking = [key for key in missing if not key.startswith("pooler.")]
    if lacking:
        raise InputError(f"{folder} lacks weights of {lacking[0]}: copy the whole model.")
    if model.main_input_name != "pixel_values" and not hasattr(model, "get_image_features"):
        raise InputError(
            f"{folder} holds a model of type {config.model_type!r}, which takes no pictures: take a ResNet, "
            "DINOv2, CLIP or SigLIP."
        )
    return model.eval(), not missing


def vision_config(model: Any) -> Any:
    """The part of the configuration that is about pictures."""
    return getattr(model.config, "vision_config", model.config)


def tell(folder: Path, asked: Told) -> Told:
    """What is told of the preprocessing, by the model's own file and by options.

    Raises:
        InputError: if neither tells all of it.
    """
    if asked.output is not None:
        raise InputError(f"output= is for ONNX files; which features of {folder.name} are taken stands fixed: drop it.")
    file = next((folder / name for name in TOLD_IN if (folder / name).is_file()), None)
    told = override_told(read_told(file) if file else Told(), asked, str(file))
    lacking = [f"{name}=" for name in ("size", "mean", "std") if getattr(told, name) is None]
    if lacking:
        place = f"{file} does not tell it all" if file else f"{folder} holds no {TOLD_IN[0]}"
        raise InputError(f"How the model wants its pictures is not known, since {place}: give {', '.join(lacking)}.")
    return told
