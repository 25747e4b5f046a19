"""A trained model as one piece: scaling, generator, recognizer and calibration constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from .errors import InputError
from .generators import Classes, build_generator
from .recognizers import build_recognizer
from .scaling import Scaling
from .settings import Settings

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["ZeroShotModel"]


class ZeroShotModel(nn.Module):
    """From raw features to classes.

    Args:
        scaling: fitted on the training samples.
        generator: trained.
        recognizer: fitted on the generator.
        classes: the classes it decides among.
        constant: calibration constant, subtracted from the scores of seen classes.
    """

    semantics: Tensor
    seen: Tensor
    unseen: Tensor
    constant: Tensor

    def __init__(
        self,
        scaling: Scaling,
        generator: nn.Module,
        recognizer: nn.Module,
        classes: Classes,
        constant: float = 0.0,
    ):
        super().__init__()
        self.scaling, self.generator, self.recognizer = scaling, generator, recognizer
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.register_buffer("unseen", classes.unseen)
        self.register_buffer("constant", torch.tensor(float(constant)))

    @property
    def dim(self) -> int:
        """Dimension of the features."""
        return len(self.scaling.offset)

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """What the recognizer looks at: scaled features, or what is left of them where few directions matter."""
        return self.recognizer.view(self.scaling(x))  # type: ignore[operator]

    def scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores over all classes, without the calibration constant."""
        return self.recognizer.scores(self.view(x))  # type: ignore[operator]

    def unseen_scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n ku"] | None:
        """Scores over the unseen classes alone; None where `scores` has them."""
        return self.recognizer.unseen_scores(self.view(x))  # type: ignore[operator]

    @torch.no_grad()
    def predict(self, features: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
        """Decide the class id of each raw feature vector, among all classes.

        Raises:
            InputError: if the features have another dimension than the model was trained on.
        """
        self.check_dim(features.shape[-1])
        scores = self.scores(self.tensor(features)).cpu().double()
        scores[:, self.seen.cpu()] -= float(self.constant)
        return scores.argmax(1).numpy()

    @torch.no_grad()
    def generate(self, classes: Int[np.ndarray, " n"], *, rng: torch.Generator | None = None) -> np.ndarray:
        """Generate one raw feature vector, ``(n, D)``, for each class id."""
        ids = torch.as_tensor(classes, device=self.seen.device)
        return self.scaling.inverse(self.generator.sample(ids, rng=rng)).cpu().numpy()  # type: ignore[operator]

    def tensor(self, features: np.ndarray) -> Tensor:
        """Features as a float32 tensor where the model is."""
        return torch.tensor(np.asarray(features, np.float32), device=self.seen.device)

    def check_dim(self, dim: int) -> None:
        """Refuse features of another dimension."""
        if dim != self.dim:
            raise InputError(
                f"The model was trained on features of {self.dim} dimensions, these have {dim}: "
                "give the features it was trained on."
            )

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], settings: Settings, recognizer: str) -> ZeroShotModel:
        """Rebuild a model from what ``state_dict`` gave, the settings it was made with, and its kind of recognizer."""
        dim = len(tensors["scaling.offset"])
        classes = Classes(tensors["semantics"], tensors["seen"], tensors["unseen"])
        generator = build_generator(dim, classes, settings)
        model = cls(
            Scaling(dim, settings.scaling), generator, build_recognizer(recognizer, dim, classes, generator), classes
        )
        model.load_state_dict(tensors)
        return model.eval()
