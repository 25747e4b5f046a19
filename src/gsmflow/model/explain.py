"""Why a model takes features for a class: which semantics speak for it, and which against."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..generators import Classes, Density, Extensible, Scorer
from ..recognizers import build_recognizer
from .inputs import as_rows, checked_chunks

if TYPE_CHECKING:
    from .model import ZeroShotModel

__all__ = ["Explanation", "explain", "twin"]


@dataclass(frozen=True)
class Explanation:
    """Why one feature vector is taken for its class.

    The decided class and its nearest rival are both asked for as their semantics describe them, as if neither had ever
    been seen. Then one entry of the decided class's semantics after the other is replaced by the rival's: by how much
    the score falls, in the score's own unit (nats for a likelihood), is how much that entry speaks for the class.

    Attributes:
        nearest: name, probability and whether it is seen, of the most probable classes.
        speaks_for: names of semantics and by how much each speaks for the first class against the second, most first.
        speaks_against: the same for those that speak for the second.
    """

    nearest: tuple[tuple[str, float, bool], ...]
    speaks_for: tuple[tuple[str, float], ...]
    speaks_against: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        (first, probability, _), *others = self.nearest
        rival = f" rather than {others[0][0]}" if others else ""
        reasons = ", ".join(name for name, _ in self.speaks_for) or "no single entry of its semantics"
        doubts = f"; against it: {', '.join(name for name, _ in self.speaks_against)}" if self.speaks_against else ""
        return f"{first} ({100 * probability:.0f} %){rival}, for {reasons}{doubts}"


@torch.no_grad()
def explain(model: ZeroShotModel, features: Any, most: int) -> list[Explanation]:
    """Explain the decision on each feature vector; see `Explanation`.

    Args:
        model: is asked.
        features: ``(n, D)`` or one row.
        most: so many classes and semantics are named.

    Raises:
        InputError: if the features cannot be, or the model's scores do not depend on semantics.
    """
    if most < 1:
        raise InputError(f"most must be at least 1; found {most}.")
    rows = as_rows(features, model.dim)
    names, probabilities = model.top_k(rows, min(max(2, most), len(model.class_names)))
    seen = dict(zip(model.class_names, model.is_seen.tolist(), strict=True))
    explanations = []
    for place, x in enumerate(checked_chunks(rows, 1, model.device)):
        nearest = [(str(n), float(p), seen[n]) for n, p in zip(names[place], probabilities[place], strict=True)]
        parts = contributions(model, x, *model.ids(names[place][:2])) if len(nearest) > 1 else []
        order = sorted(parts, key=lambda part: -part[1])
        speaks_for = [part for part in order[:most] if part[1] > 0]
        against = [(name, -value) for name, value in reversed(order[-most:]) if value < 0]
        explanations.append(Explanation(tuple(nearest[:most]), tuple(speaks_for), tuple(against)))
    return explanations


def contributions(model: ZeroShotModel, x: Tensor, decided: int, rival: int) -> list[tuple[str, float]]:
    """By how much each entry of the semantics speaks for one class and against another."""
    ours, theirs = model.semantics[decided], model.semantics[rival]
    differing = (ours != theirs).nonzero()[:, 0]
    swapped = ours.repeat(1 + len(differing), 1)
    swapped[torch.arange(1, len(swapped)), differing] = theirs[differing]
    scores = described_scores(model, x, swapped)[0]
    labels = model.about.semantic_names or tuple(f"semantics {j + 1}" for j in range(model.semantic_dim))
    return [(labels[j], float(scores[0] - scores[1 + i])) for i, j in enumerate(differing.tolist())]


def described_scores(model: ZeroShotModel, x: Tensor, semantics: Tensor) -> Tensor:
    """Scores of features under classes that are known by their semantics alone."""
    generator = model.generator
    kind = "compatibility" if isinstance(generator, Scorer) else "likelihood"
    if not isinstance(generator, Extensible) or not isinstance(generator, Density | Scorer):
        raise InputError(
            f"The generator {model.settings.generator!r} gives no score that depends on semantics: there is nothing to "
            "explain."
        )
    other = twin(generator)
    other.extend(model.weighting(semantics))
    count = len(model.semantics)
    every = torch.cat([model.semantics, semantics])
    unseen = torch.cat([model.unseen, torch.arange(count, len(every), device=x.device)])
    recognizer = build_recognizer(kind, model.dim, Classes(every, model.seen, unseen), other)
    view = recognizer.widen(recognizer.view(model.scaling(x)))
    return recognizer.scores(view)[:, count:]


def twin(module: nn.Module) -> Any:
    """A module that shares parameters with another one, and whose buffers may be replaced without it."""
    other = copy(module)
    other._buffers = dict(module._buffers)
    other._modules = {name: child and twin(child) for name, child in module._modules.items()}
    return other
