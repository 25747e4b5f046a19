"""What generators have in common: the classes they know of, and what each of them can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from torch import Generator as Rng
from torch import Tensor, nn

from ..errors import InputError
from ..semantics import SemanticMap, SemanticWeighting, Words
from ..settings import SemanticKind
from ..streams import Stream, chunks

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from jaxtyping import Float, Int

    from ..data import TrainingSet

__all__ = [
    "Classes",
    "ClosedForm",
    "Density",
    "Described",
    "Extensible",
    "Listed",
    "Projected",
    "Sampler",
    "Scorer",
    "Teachable",
    "Trained",
    "adopt",
    "class_means",
    "class_sums",
]

Section = TypeVar("Section", bound="DataclassInstance")


@dataclass(frozen=True)
class Classes:
    """The classes of a problem, as tensors on one device.

    Attributes:
        semantics: ``(K, S)``, a row a class.
        seen: ``(Ks,)``, sorted ids of the classes with training features.
        unseen: ``(Ku,)``, sorted ids of those without; there may be none.
        words: finds the words in the semantics, where they lie in the space of the features.
    """

    semantics: Float[Tensor, "k s"]
    seen: Int[Tensor, " ks"]
    unseen: Int[Tensor, " ku"]
    words: Words | None = None

    @classmethod
    def of(cls, training: TrainingSet, device: torch.device | str = "cpu") -> Classes:
        """Take the classes of a training set."""
        semantics, seen, unseen = (
            torch.tensor(array, device=device) for array in (training.semantics, training.seen, training.unseen)
        )
        return cls(semantics, seen, unseen)

    def for_generator(self, weighting: SemanticWeighting, words: Words | None) -> Classes:
        """The same classes as a generator takes them: semantics weighted, and the words in them found."""
        return replace(self, semantics=weighting(self.semantics), words=words)


@runtime_checkable
class Trained(Protocol):
    """A generator that learns step by step: `gsmflow.training.minimize` minimizes its loss."""

    def prepare(self, x: Tensor | Stream, labels: Int[Tensor, " n"]) -> None:
        """Take from all training features, ``(n, D)``, what the loss needs; before the first step."""
        ...

    def loss(
        self, x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, step: int = 0, rng: Rng | None = None
    ) -> dict[str, Tensor]:
        """The terms, scalars whose sum is minimized, on a batch of scaled features and the ids of their classes."""
        ...


@runtime_checkable
class ClosedForm(Protocol):
    """A generator that is fitted in one go, from a section of the settings of which some values are lists."""

    def count(self) -> int:
        """The number of `candidates`."""
        ...

    @classmethod
    def only(cls, settings: Any, choice: Mapping[str, Any]) -> Any:
        """The section with lists of one entry each: those of a choice that `candidates` gave."""
        ...

    def fit(self, x: Tensor | Stream, labels: Int[Tensor, " n"]) -> None:
        """Fit features, ``(n, D)``, with the first of each listed setting."""
        ...

    def candidates(self, x: Tensor | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every combination of the listed settings in turn; yield each choice while it is in place."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """What generates features."""

    def sample(self, classes: Int[Tensor, " n"], *, rng: Rng | None = None) -> Float[Tensor, "n d"]:
        """One scaled feature vector for each entry of ``classes`` (ids, seen or unseen)."""
        ...


@runtime_checkable
class Density(Protocol):
    """What has an exact density."""

    def log_prob(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Log-density in nats of every row under every class of ``classes``."""
        ...


@runtime_checkable
class Projected(Protocol):
    """A density of which few directions tell classes apart."""

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """Each row's coordinates in those directions."""
        ...

    def log_ratio(self, y: Float[Tensor, "n v"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """Log-density in nats of each row of a `view` under each class, up to a term that all classes share."""
        ...


@runtime_checkable
class Teachable(Protocol):
    """What takes pictures of classes into account without training again.

    Attributes:
        posterior: what is believed since; it has the ids of its ``classes`` and how ``settled`` they are. None:
        nothing.
    """

    posterior: Any

    def gather(
        self, view: Float[Tensor, "n v"], weights: Float[Tensor, "n m"], classes: Int[Tensor, " m"]
    ) -> Float[Tensor, "m p"]:
        """Weighted sums for each of ``classes`` of what is looked at; with the weights' sums, all of it that counts."""
        ...

    def distance(self, view: Float[Tensor, "n v"], classes: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Mean square a dimension of how far each row lies from its class, in units of the spread foreseen."""
        ...

    def believe(
        self, sums: Float[Tensor, "k p"], counts: Float[Tensor, " k"], size: float, *, follow: bool = True
    ) -> None:
        """Take sums into account instead of all that were before.

        ``size`` is that of the errors of predicted means; ``follow`` says whether what is known of means makes the
        covariances smaller that classes are decided with.
        """
        ...

    def apart(self) -> float:
        """The median distance from an unseen class to the nearest other one, in units of that of seen classes."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A baseline that generates nothing."""

    def scores(self, x: Float[Tensor, "n d"], classes: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """How well each row goes with each of ``classes``; only the order of a row's scores has a meaning."""
        ...


@runtime_checkable
class Extensible(Protocol):
    """What takes classes up and gives classes up after training."""

    def extend(self, semantics: Float[Tensor, "m s"]) -> None:
        """Append unseen classes, described as the others are; their ids are K to K + m - 1."""
        ...

    def keep(self, classes: Int[Tensor, " k"]) -> None:
        """Drop all classes but these sorted ids, and renumber them from 0 in that order."""
        ...


class Described(nn.Module):
    """A module that knows its classes by their semantics, and takes up and gives up classes without training again.

    What it gives for a class that was added is what it would give had the class been among the unseen ones in training.

    Args:
        dim: dimension D of the features.
        classes: semantics of all classes, and which are seen.
        kind: map of the semantics; it is fitted on the seen classes.
    """

    stands_on: ClassVar[str | None] = None
    """The name of the closed form that training starts from, if it starts from one."""
    needs_words: ClassVar[bool] = False
    """Whether it looks at nothing but words, which must lie in the space of the features as they are."""
    per_class: ClassVar[tuple[str, ...]] = ()
    """Buffers, beside the semantics, of a row a class."""
    per_seen: ClassVar[tuple[str, ...]] = ()
    """Buffers of a row a seen class, which training needs."""

    semantics: Tensor
    seen: Tensor
    unseen: Tensor

    def __init__(self, dim: int, classes: Classes, kind: SemanticKind = "none"):
        super().__init__()
        self.dim = dim
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.register_buffer("unseen", classes.unseen)
        self.words = classes.words
        self.semantic_map = SemanticMap.fit(classes.semantics[classes.seen], kind)

    @property
    def mapped(self) -> Float[Tensor, "k s"]:
        """The semantics of all classes, mapped."""
        return self.semantic_map(self.semantics)

    def extend(self, semantics: Float[Tensor, "m s"]) -> None:
        """Append unseen classes, described as the others are; their ids are K to K + m - 1.

        Raises:
            InputError: if the semantics have another dimension than those of the other classes.
        """
        count, dim = self.semantics.shape
        if semantics.ndim != 2 or semantics.shape[1] != dim:
            raise InputError(
                f"The new classes are described by semantics of the shape {tuple(semantics.shape)}, those known by "
                f"{dim} dimensions: give a row of {dim} numbers a class."
            )
        self.semantics = torch.cat([self.semantics, semantics.to(self.semantics)])
        self.unseen = torch.cat([self.unseen, torch.arange(count, len(self.semantics)).to(self.unseen)])

    def keep(self, classes: Int[Tensor, " k"]) -> None:
        """Drop all classes but these sorted ids, and renumber them from 0 in that order.

        Raises:
            InputError: if the ids are not distinct and sorted, or there is no such class.
        """
        classes = classes.to(self.seen)
        if (classes.diff() <= 0).any() or not torch.isin(classes, torch.arange(len(self.semantics)).to(classes)).all():
            raise InputError(
                f"The classes to keep are {classes.tolist()}: give distinct sorted ids below {len(self.semantics)}."
            )
        for name in ("semantics", *self.per_class):
            setattr(self, name, getattr(self, name)[classes])
        stay = torch.isin(self.seen, classes)
        for name in self.per_seen:
            setattr(self, name, getattr(self, name)[stay])
        self.seen = torch.searchsorted(classes, self.seen[stay])
        self.unseen = torch.searchsorted(classes, self.unseen[torch.isin(self.unseen, classes)])

    def extra_repr(self) -> str:
        """The dimension of the features and the numbers of classes."""
        return f"dim={self.dim}, seen={len(self.seen)}, unseen={len(self.unseen)}"


class Listed(Described):
    """A closed form whose settings list values: every combination is a candidate.

    Args:
        dim: dimension of the features.
        classes: semantics of all classes, and which are seen.
        settings: lists of values; `candidates` tries all combinations, `fit` takes the first.

    Attributes:
        wanted: whether a choice is to be tried; those that are not wanted are left out of `candidates`.
    """

    details: ClassVar[tuple[str, ...]] = ()
    """Names in a choice that matter less than the others, so that a search need not try them for all of these."""
    wanted: Callable[[Mapping[str, Any]], bool] = staticmethod(lambda choice: True)

    def __init__(self, dim: int, classes: Classes, settings: Any):
        super().__init__(dim, classes, settings.semantics[0])
        self.settings = settings

    def choices(self) -> list[dict[str, Any]]:
        """All that `candidates` tries, in its order, without the fits."""
        lists = self.lists()
        every = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
        return [choice for choice in every if self.wanted(choice)]

    def count(self) -> int:
        """The number of `candidates`."""
        return len(self.choices())

    def lists(self) -> dict[str, tuple[Any, ...]]:
        """The values that are tried, by their name in a choice."""
        return self.listed(self.settings)

    @classmethod
    def listed(cls, settings: Any) -> dict[str, tuple[Any, ...]]:
        """The values that settings list, by their name in a choice.

        Example:
            >>> from gsmflow.settings import PrototypeSettings
            >>> Listed.listed(PrototypeSettings(ridges=(0.1, 1.0)))
            {'ridge': (0.1, 1.0), 'metric': ('euclidean', 'cosine'), 'semantics': ('l2',)}
        """
        listed = {name: values for name, values in vars(settings).items() if isinstance(values, tuple)}
        return {name if name == "semantics" else name.removesuffix("s"): values for name, values in listed.items()}

    def fit(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> None:
        """Fit with the first of each listed setting."""
        next(self.candidates(x, labels))

    def candidates(self, x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"]) -> Iterator[dict[str, Any]]:
        """Fit with every wanted combination of the listed settings in turn; yield each choice while it is in place."""
        raise NotImplementedError

    def describe(self, kind: SemanticKind) -> None:
        """Map the semantics so from now on."""
        self.semantic_map = SemanticMap.fit(self.semantics[self.seen], kind)

    @classmethod
    def only(cls, settings: Section, choice: Mapping[str, Any]) -> Section:
        """Settings that list a choice of `candidates` alone, so that `fit` repeats it.

        Example:
            >>> from gsmflow.settings import DAPSettings
            >>> Listed.only(DAPSettings(), {"semantics": "l2", "ridge": 0.1, "metric": "cosine"})
            DAPSettings(ridges=(0.1,), metrics=('cosine',), semantics=('l2',))
        """
        lists = {name if name == "semantics" else f"{name}s": (value,) for name, value in choice.items()}
        return replace(settings, **lists)


def adopt(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load a state into a freshly built module whose buffers may have other shapes: they follow from data.

    Args:
        module: as `gsmflow.generators.build_generator` makes it.
        tensors: what ``state_dict`` gave.

    Example:
        >>> one, two = nn.BatchNorm1d(2, affine=False), nn.BatchNorm1d(3, affine=False)
        >>> adopt(one, two.state_dict())
        >>> one.running_mean
        tensor([0., 0., 0.])

    Raises:
        RuntimeError: if a name is missing or unknown, or a parameter has another shape.
    """
    for name, buffer in list(module.named_buffers()):
        if name in tensors and tensors[name].shape != buffer.shape:
            owner, _, last = name.rpartition(".")
            setattr(module.get_submodule(owner), last, buffer.new_zeros(tensors[name].shape))
    module.load_state_dict(tensors)


def class_means(
    x: Float[Tensor, "n d"] | Stream, labels: Int[Tensor, " n"], seen: Int[Tensor, " k"]
) -> Float[Tensor, "k d"]:
    """Mean of the rows of each seen class."""
    rows = torch.searchsorted(seen, labels)
    sums = torch.zeros(())
    for place, part in chunks(x):
        sums = class_sums(part, rows[place], len(seen)) + sums.to(part)
    return sums / torch.bincount(rows, minlength=len(seen))[:, None]


def class_sums(x: Float[Tensor, "n d"], rows: Int[Tensor, " n"], count: int) -> Float[Tensor, "k d"]:
    """Sum of the rows of ``x`` that belong to each of ``count`` classes, in memory that does not grow with both."""
    total = x.new_zeros(count, x.shape[1])
    if x.is_cuda:  # the one of the two that adds in the same order every time
        return total.index_put_((rows,), x, accumulate=True)
    return total.index_add_(0, rows, x)
