"""A model is shown pictures after training: labelled ones, or a pile of unlabelled ones.

Both are one thing, weighted sums over pictures that `gsmflow.generators.posterior` takes into account; the weights are
0 and 1, or responsibilities. A labelled picture counts the same whenever it comes. A pile is taken in by rounds, each
from what labels alone let believe, so that no picture counts twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..generators import Gaussian, LinearFlow, Teachable
from ..recognizers import Direct
from .evidence import UNLABELLED, Adaptation, Piece, Teaching
from .inputs import as_ids, as_rows, checked_chunks

if TYPE_CHECKING:
    from jaxtyping import Float

    from .model import ZeroShotModel

__all__ = [
    "Pile",
    "adapt",
    "believe",
    "believe_all",
    "checked_examples",
    "doubt",
    "forget",
    "learn",
    "responsibilities",
    "rounds",
    "seen_in",
    "teachable",
]

ROWS = 4096
"""Pictures that are weighed at once, where classes are few."""
SCORES = 2**22
"""Scores (pictures x classes) that are held at once."""


def teachable(model: ZeroShotModel) -> Teachable:
    """The generator, if it can take pictures into account and decides by itself.

    Raises:
        InputError: if it cannot.
    """
    if not isinstance(model.generator, Teachable) or not isinstance(model.recognizer, Direct):
        raise InputError(
            f"A model with the generator {model.settings.generator!r} and the recognizer {model.about.recognizer!r} "
            "cannot learn from pictures without training again: take the generator linear-flow, gaussian or gsmflow "
            "with recognizer=likelihood."
        )
    return model.generator


@contextmanager
def whole_or_not_at_all(model: ZeroShotModel) -> Iterator[None]:
    """Let the model be as it was where it cannot be shown something to the end, be it for Ctrl-C."""
    about, kept = model.about, dict(model.taught.named_buffers())
    try:
        yield
    except BaseException:
        for name, buffer in kept.items():
            setattr(model.taught, name, buffer)
        model.about = about
        believe_all(model)
        raise


def learn(model: ZeroShotModel, features: Any, labels: Any, evidence: str | None = None) -> str:
    """See `ZeroShotModel.learn`."""
    generator = teachable(model)
    rows = as_rows(features, model.dim)
    ids = as_ids(labels, model.class_names)
    if len(ids) != len(rows) or np.ndim(labels) > 1:
        raise InputError(f"There are {len(rows)} rows of features and {len(ids)} labels: give a label a row.")
    if not len(ids):
        raise InputError("There is nothing to learn from: features have no rows.")
    if evidence is not None and (not isinstance(evidence, str) or not evidence.strip() or not evidence.isprintable()):
        raise InputError(f"evidence= must be a text that can be printed; found {evidence!r}.")
    known = [piece.id for piece in model.evidence]
    if evidence == UNLABELLED or evidence in known:
        raise InputError(
            f"The model has learnt evidence {evidence!r} already: forget it first, or choose another id."
            if evidence in known
            else f"evidence= must not be {UNLABELLED!r}, which is the pile that a model adapts to: choose another id."
        )
    pictures, place = [], torch.as_tensor(ids, device=model.device)
    classes = place.unique()
    counts, sums = torch.bincount(place, minlength=len(model.semantics))[classes].double(), torch.zeros(())
    model.eval()
    for number, x in enumerate(checked_chunks(rows, ROWS, model.device)):
        here = place[number * ROWS : number * ROWS + len(x)]
        pictures += [hashlib.sha256(row.tobytes()).digest() for row in x.cpu().numpy()]
        with torch.no_grad():
            sums = sums + generator.gather(model.view(x), (here[:, None] == classes).double(), classes)
    if not sums.isfinite().all():
        raise InputError("Features are so large that their sums are no numbers: repair or drop the largest.")
    shown = sorted(picture + model.class_names[k].encode() for picture, k in zip(pictures, ids, strict=True))
    name = hashlib.sha256(b"".join(shown)).hexdigest()[:12] if evidence is None else evidence
    twin = next((piece for piece in model.evidence if piece.id == name), None)
    if twin and twin.pictures != len(ids):  # some of its classes were removed since
        name = f"{name}-{len(known) + 1}"
    elif twin:
        raise InputError(f"The model has learnt these pictures already, as {name}: to count them twice, name them.")
    names = tuple(model.class_names[k] for k in classes.tolist())
    with whole_or_not_at_all(model):
        model.taught.add(len(model.evidence), classes, counts, sums)
        piece = Piece(name, "labelled", len(ids), names)
        note(model, (*model.evidence, piece), f"learnt {len(ids)} pictures of {listed(names)} as {name}")
        believe_all(model)
    return name


def forget(model: ZeroShotModel, evidence: str) -> None:
    """See `ZeroShotModel.forget`."""
    pieces = model.evidence
    place = next((number for number, piece in enumerate(pieces) if piece.id == evidence), None)
    if place is None:
        known = ", ".join(piece.id for piece in pieces[:10])
        raise InputError(
            f"The model has learnt no evidence {evidence!r}: {f'it has {known}' if known else 'it has learnt none'}."
        )
    pile = next((n for n, piece in enumerate(pieces) if piece.id == UNLABELLED and n > place), None)
    change = f"forgot {evidence}" + (", and the pile that was weighed with it: adapt again" if pile else "")
    with whole_or_not_at_all(model):
        if pile:
            model.taught.drop(pile)
        model.taught.drop(place)
        left = tuple(piece for n, piece in enumerate(pieces) if n not in (place, pile))
        note(model, left, change)
        believe_all(model)


def checked_examples(
    model: ZeroShotModel, classes: Sequence[str] | Any, examples: Any
) -> tuple[Float[np.ndarray, "n d"], list[str]] | None:
    """Features and labels of examples of classes that are about to be added; None where there are none.

    Raises:
        InputError: if the model cannot learn, or an example is of another class or none that it can look at.
    """
    if not isinstance(examples, Mapping):
        raise InputError(f"examples= are features by the name of their class; found {type(examples).__name__}.")
    if not examples:
        return None
    if isinstance(model.generator, Gaussian | LinearFlow):
        model.generator.axes()
    teachable(model)
    other = next((name for name in examples if name not in classes), None)
    if other is not None:
        raise InputError(
            f"examples= are of {other!r}, which is not among the classes that are added: use learn for it."
        )
    rows = {name: as_rows(features, model.dim) for name, features in examples.items()}
    for one in rows.values():
        for _ in checked_chunks(one, ROWS, model.device):
            pass
    shown = [np.asarray(one, np.float32) for one in rows.values()]
    labels = [name for name, one in rows.items() for _ in range(len(one))]
    return (np.concatenate(shown), labels) if labels else None


def note(model: ZeroShotModel, pieces: tuple[Piece, ...], change: str) -> None:
    """Say in the model's own record what it was shown."""
    model.about = replace(model.about, evidence=pieces, changes=(*model.about.changes, change))


def listed(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - most} more classes" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def believe_all(
    model: ZeroShotModel, pieces: Sequence[Piece] | None = None, *, without: Sequence[str] = ()
) -> tuple[Tensor, Tensor]:
    """Let the generator take into account all that the model was shown; give the sums and counts.

    Args:
        model: with its pieces.
        pieces: what is said of each.
        without: ids of those that are left out.
    """
    pieces = model.evidence if pieces is None else pieces
    order = sorted((p for p, piece in enumerate(pieces) if piece.id not in without), key=lambda p: pieces[p].id)
    sums, counts = model.taught.total(order, len(model.semantics))
    believe(model, sums, counts)
    return sums, counts


def believe(model: ZeroShotModel, sums: Float[Tensor, "k p"], counts: Float[Tensor, " k"]) -> None:
    """Let the generator take sums into account, and the calibration follow: what pictures tell needs no constant."""
    model.settled = None
    if not isinstance(model.generator, Teachable):
        return
    teaching = model.about.teaching
    model.generator.believe(sums, counts, teaching.size, follow=teaching.follow)
    posterior = model.generator.posterior
    if posterior is not None:
        model.settled = torch.zeros(len(model.semantics), dtype=torch.double, device=model.device)
        model.settled[posterior.classes] = posterior.settled.double()


@dataclass(frozen=True, eq=False)
class Pile:
    """Unlabelled pictures as the model looks at them before it adapts.

    Attributes:
        views: in chunks.
        typical: for each chunk, which pictures are of some class: those that do not lie far from the one they are taken
            for.
        distance: of the median picture among these.
        masses: ``(ku,)``, what each unseen class takes of them at first.
    """

    views: list[Tensor]
    typical: list[Tensor]
    distance: float
    masses: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: ZeroShotModel, rows: Any) -> Pile:
        """Look at a pile with what labels alone let believe.

        Raises:
            InputError: if a value is not finite, or the model keeps no errors of its predictions.
        """
        model.eval()
        believe_all(model, without=[UNLABELLED])
        step = max(1, min(ROWS, SCORES // len(model.semantics)))
        views = [model.view(x) for x in checked_chunks(rows, step, model.device)]
        generator, masses = teachable(model), torch.zeros(len(model.unseen)).to(model.semantics).double()
        distances, typical = [], []
        for view in views:
            weights = responsibilities(model, view, 1.0)
            distances.append(generator.distance(view, weights.argmax(1)))
            typical.append(distances[-1] <= model.about.teaching.odd)
            masses += weights[typical[-1]][:, model.unseen].sum(0)
        every, some = torch.cat(distances), torch.cat(typical)
        return cls(views, typical, float((every[some] if some.any() else every).median()), masses)

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(map(len, self.views))

    @property
    def kept(self) -> int:
        """How many of them are of some class."""
        return sum(int(part.sum()) for part in self.typical)

    def a_class(self, teaching: Teaching) -> float:
        """About how many are of an unseen class, in the mean: what these take, less what they take of seen ones."""
        taken = float(self.masses.sum()) - teaching.leak * self.kept
        return max(0.0, taken / max(0.1, 1 - teaching.leak - teaching.lost)) / len(self.masses)


@torch.no_grad()
def rounds(model: ZeroShotModel, pile: Pile) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Take a pile in; after each round the model believes what is yielded: classes, their sums and their counts.

    A picture that is of no class has no weight.
    """
    generator, teaching = teachable(model), model.about.teaching
    classes = torch.arange(len(model.semantics), device=model.device) if teaching.seen_follow else model.unseen
    labelled, labels = believe_all(model, without=[UNLABELLED])
    for _ in range(teaching.rounds):
        counts, sums = torch.zeros(len(classes)).to(labels), torch.zeros(())
        for view, typical in zip(pile.views, pile.typical, strict=True):
            some = view[typical]
            weights = responsibilities(model, some, teaching.temperature)[:, classes]
            counts += weights.sum(0)
            sums = sums + generator.gather(some, weights, classes)
        if not labelled.numel():
            labelled = torch.zeros(len(model.semantics), sums.shape[1]).to(sums)
        believe(model, labelled.index_add(0, classes, sums), labels.index_add(0, classes, counts))
        yield classes, sums, counts


def seen_in(model: ZeroShotModel, pile: Pile) -> dict[str, float]:
    """The numbers of `Adaptation` of a pile that was just taken in."""
    numbers = {
        "a_class": pile.a_class(model.about.teaching),
        "evenness": evenness(pile.masses),
        "apart": teachable(model).apart(),
        "distance": pile.distance,
        "odd": 1 - pile.kept / pile.pictures,
    }
    return {name: round(value, 4) for name, value in numbers.items()}


def adapt(model: ZeroShotModel, features: Any, *, sure: bool = False) -> Adaptation:
    """See `ZeroShotModel.adapt`."""
    teachable(model)
    rows = as_rows(features, model.dim)
    if not len(rows):
        raise InputError("There is nothing to adapt to: features have no rows.")
    if not len(model.unseen):
        raise InputError("The model has no unseen classes, and adapts these alone: add some, or let it learn labels.")
    with whole_or_not_at_all(model):
        pile = Pile.of(model, rows)
        *_, (classes, sums, counts) = rounds(model, pile)
        numbers = seen_in(model, pile)
        reason = "" if sure else doubt(model.about.teaching, numbers)
        if not reason and not pile.kept:
            reason = "none of them lies near any class"
        if reason:
            believe_all(model)
            return Adaptation(False, f"not adapted to {len(rows)} pictures: {reason}", len(rows), **numbers)
        if any(piece.id == UNLABELLED for piece in model.evidence):
            forget(model, UNLABELLED)
        model.taught.add(len(model.evidence), classes, counts, sums)
        sentence = f"adapted to {len(rows)} pictures, about {numbers['a_class']:.3g} of each unseen class"
        note(model, (*model.evidence, Piece(UNLABELLED, "unlabelled", len(rows))), sentence)
        believe_all(model)
    return Adaptation(True, sentence, len(rows), **numbers)


def doubt(teaching: Teaching, found: Mapping[str, float]) -> str:
    """Why a pile is not believed; empty where it is."""
    where = "on pseudo-unseen classes" if teaching.chosen else "by experience (nothing was validated)"
    if teaching.least is None:
        return f"adapting did not pay {where}; sure=True adapts all the same"
    if found["distance"] > teaching.far:
        return (
            f"they lie farther from the classes than pictures of these do (a median distance of "
            f"{found['distance']:.3g}; up to {teaching.far:.3g} adapting pays, {where})"
        )
    if found["a_class"] < teaching.least:
        return (
            f"they seem to hold {found['a_class']:.2g} of each unseen class in the mean, and adapting pays from "
            f"{teaching.least:.3g} on, {where}"
        )
    if found["evenness"] < teaching.even or found["apart"] < teaching.apart:
        return (
            f"they seem to be of some of the unseen classes alone (evenness {found['evenness']:.2f}, spacing "
            f"{found['apart']:.2f}; from {teaching.even:.2f} and {teaching.apart:.2f} on adapting pays, {where})"
        )
    return ""


def responsibilities(model: ZeroShotModel, view: Float[Tensor, "n v"], temperature: float) -> Float[Tensor, "n k"]:
    """The probability of each class, at a temperature of the scores."""
    scores = model.scores_of(view).double()
    scores[:, model.seen] -= model.constant
    return (scores / temperature).softmax(1)


def evenness(masses: Float[Tensor, " k"]) -> float:
    """exp(entropy) / classes of a distribution that is not normalised: 1 where all are equal, 0 where there is none.

    >>> round(evenness(torch.tensor([2.0, 2.0, 0.0, 0.0])), 2)
    0.5
    """
    total = masses.sum()
    if not total > 0:
        return 0.0
    shares = masses / total
    return float(torch.special.entr(shares).sum().exp()) / len(masses)
