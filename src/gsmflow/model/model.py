"""A trained model as one object: scaling, generator, recognizer, calibration, and all that it knows of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import TrainingSet
from ..errors import InputError
from ..evaluation.calibration import soften
from ..generators import Classes, Extensible, Sampler, adopt, build_generator
from ..recognizers import Recognizer, build_recognizer
from ..scaling import Scaling
from ..seeds import generator as seeded
from ..semantics import SemanticWeighting, Words
from ..settings import Settings
from ..streams import CHUNK
from .about import About, read_model, write_model
from .evidence import Adaptation, Piece, Pieces
from .inputs import as_ids, as_rows, as_semantics, checked_chunks
from .teaching import adapt, believe_all, checked_examples, forget, learn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from .explain import Explanation

__all__ = ["ZeroShotModel"]

CHUNK_SCORES = 2**24
"""Scores (rows x classes) held at once: beside its result, asking a model takes no more than 0.7 GiB, whatever
the number of rows and up to 21,841 classes."""

SHOWN = (
    *(
        "about",
        "adapt",
        "add_classes",
        "class_names",
        "class_semantics",
        "constant",
        "dim",
        "evidence",
        "explain",
        "forget",
    ),
    *("generate", "generator", "learn"),
    *("is_seen", "predict", "predict_ids", "predict_proba", "recognizer", "remove_classes", "save", "scaling"),
    *("semantic_dim", "settings", "to", "top_k"),
)


class ZeroShotModel(nn.Module):
    """From raw features to named classes, seen and unseen.

    Args:
        scaling: fitted on the training samples.
        generator: trained.
        recognizer: fitted on the generator.
        classes: the classes it decides among.
        about: what it says of itself.

    Attributes:
        about: names, settings, calibration constant, provenance: all that its file says.

    Example:
        >>> import gsmflow
        >>> model = gsmflow.train(gsmflow.load("synthetic"), "gaussian").model
        >>> model.predict(gsmflow.load("synthetic").features[:2]).tolist()
        ['class 1', 'class 1']
    """

    scaling: Scaling
    recognizer: Recognizer
    semantics: Tensor
    seen: Tensor
    unseen: Tensor
    settled: Tensor | None
    taught: Pieces

    def __init__(
        self,
        scaling: Scaling,
        generator: nn.Module,
        recognizer: Recognizer,
        classes: Classes,
        about: About,
    ):
        super().__init__()
        self.scaling, self.generator, self.recognizer, self.about = scaling, generator, recognizer, about
        self.weighting = SemanticWeighting(about.semantic_parts, about.settings.text_weight)
        self.register_buffer("semantics", classes.semantics)
        self.register_buffer("seen", classes.seen)
        self.register_buffer("unseen", classes.unseen)
        self.register_buffer("settled", None, persistent=False)
        self.taught = Pieces()

    @classmethod
    def of(
        cls,
        training: TrainingSet,
        scaling: Scaling,
        generator: nn.Module,
        recognizer: Recognizer,
        about: About,
    ) -> ZeroShotModel:
        """A model of what was fitted to a training set."""
        return cls(scaling, generator, recognizer, Classes.of(training, scaling.offset.device), about)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], about: About) -> ZeroShotModel:
        """Rebuild a model from what ``state_dict`` gave.

        Raises:
            KeyError, RuntimeError: if the tensors are not those of such a model.
        """
        dim = len(tensors["scaling.offset"])
        classes = Classes(tensors["semantics"], tensors["seen"], tensors["unseen"])
        scaling = Scaling(dim, about.settings.scaling)
        weighting = SemanticWeighting(about.semantic_parts, about.settings.text_weight)
        words = Words.among(about.semantic_parts, scaling) if about.one_space else None
        generator = build_generator(dim, classes.for_generator(weighting, words), about.settings)
        recognizer = build_recognizer(about.recognizer, dim, classes, generator)
        model = cls(scaling, generator, recognizer, classes, about)
        adopt(model, tensors)
        model.taught.check(len(about.evidence), len(model.semantics))
        if about.evidence:
            believe_all(model)
        return model.eval()

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> ZeroShotModel:
        """Read what `save` wrote.

        Raises:
            InputError: if the file is missing, damaged, of a newer version, or no model of gsmflow.
        """
        tensors, about = read_model(Path(path))
        try:
            model = cls.from_tensors(tensors, about)
            if len(model.semantics) != len(about.class_names):
                raise RuntimeError(f"{len(about.class_names)} class names for {len(model.semantics)} classes")
        except (AttributeError, KeyError, RuntimeError, IndexError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} is damaged: its tensors do not fit its settings ({reason}).") from error
        return model.to(device)

    def save(self, path: str | Path) -> None:
        """Write the model as **one** safetensors file that says all: it can be moved anywhere and read by `load_model`.

        Raises:
            InputError: if it cannot be written.
        """
        write_model(Path(path), self.state_dict(), self.about)

    @property
    def settings(self) -> Settings:
        """Settings of the final model: what was chosen stands in them alone."""
        return self.about.settings

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of ids."""
        return self.about.class_names

    @property
    def class_semantics(self) -> Float[np.ndarray, "k s"]:
        """The semantics of each class as they were given, a row a class."""
        return self.semantics.cpu().numpy()

    @property
    def is_seen(self) -> np.ndarray:
        """Whether each class had training features: K booleans."""
        return np.isin(np.arange(len(self.class_names)), self.seen.cpu().numpy())

    @property
    def dim(self) -> int:
        """D, the dimension of the features."""
        return len(self.scaling.offset)

    @property
    def semantic_dim(self) -> int:
        """S, the dimension of the semantics."""
        return self.semantics.shape[1]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.seen.device

    @property
    def constant(self) -> float:
        """Calibration constant, which is subtracted from the scores of seen classes."""
        return self.about.constant

    @constant.setter
    def constant(self, value: float) -> None:
        if not isinstance(value, int | float | np.floating) or not np.isfinite(value):
            raise InputError(f"The calibration constant must be a finite number; found {value!r}.")
        self.about = replace(self.about, constant=float(value))

    def view(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """What the recognizer looks at: scaled features, or what is left of them where few directions matter."""
        return self.recognizer.view(self.scaling(x))

    def scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scores over all classes, without the calibration constant."""
        return self.scores_of(self.view(x))

    def scores_of(self, view: Float[Tensor, "n v"]) -> Float[Tensor, "n k"]:
        """Scores over all classes of a `view`.

        An unseen class that pictures were seen of needs less of the constant in its favour: it pays its share itself.
        """
        scores = self.recognizer.scores(self.recognizer.widen(view))
        return scores if self.settled is None else scores - (self.constant * self.settled).to(scores)

    def unseen_scores(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n ku"] | None:
        """Scores over the unseen classes alone; None where `scores` has them."""
        return self.recognizer.unseen_scores(self.view(x))

    def tensor(self, features: Any) -> Tensor:
        """Features as a float32 tensor where the model is."""
        return torch.tensor(np.asarray(features, np.float32), device=self.device)

    @torch.no_grad()
    def calibrated(self, rows: Any) -> Iterator[tuple[slice, Float[Tensor, "n k"]]]:
        """Scores less the constant of seen classes, in double precision: a bounded number of rows, and their place."""
        self.eval()
        step = max(1, min(CHUNK, CHUNK_SCORES // len(self.semantics)))
        for number, x in enumerate(checked_chunks(rows, step, self.device)):
            scores = self.scores(x)
            scores = (scores.cpu() if scores.device.type == "mps" else scores).double()  # MPS has no double precision
            scores[:, self.seen.to(scores.device)] -= self.constant
            wrong = (~scores.isfinite()).any(1).nonzero()
            if len(wrong):
                raise InputError(
                    f"Row {number * step + int(wrong[0])} of features (counted from 0) is so large that the model has "
                    "no scores for it: repair or drop it."
                )
            yield slice(number * step, number * step + len(x)), scores

    def probabilities(self, scores: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """What scores that `calibrated` gives are worth: the softmax of them at the model's temperature.

        Without one, bit for bit the softmax of the scores.
        """
        return soften(scores, self.about.temperature, self.about.tail).softmax(1)

    def predict_ids(self, features: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
        """Decide the class id of each feature vector, among all classes.

        Args:
            features: array, list, tensor, ``(n, D)`` or one row.

        Raises:
            InputError: if they are not finite numbers, or of another dimension than the model was trained on.
        """
        rows = as_rows(features, self.dim)
        ids = np.empty(
            len(rows), np.int64
        )  # made at once: small pieces would keep the large ones' memory from being freed
        for place, scores in self.calibrated(rows):
            ids[place] = scores.argmax(1).cpu().numpy()
        return ids

    def predict(self, features: Float[np.ndarray, "n d"]) -> np.ndarray:
        """Decide the class of each feature vector: n names. See `predict_ids`."""
        return np.array(self.class_names)[self.predict_ids(features)]

    def predict_proba(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Probability of each class, calibrated as constant and temperature say: the softmax of the softened scores.

        The result alone takes 4 n K bytes; `top_k` does without. Raises as `predict_ids` does.
        """
        rows = as_rows(features, self.dim)
        probabilities = np.empty((len(rows), len(self.class_names)), np.float32)
        for place, scores in self.calibrated(rows):
            probabilities[place] = self.probabilities(scores).cpu().numpy()
        return probabilities

    def top_k(self, features: Float[np.ndarray, "n d"], k: int = 5) -> tuple[np.ndarray, Float[np.ndarray, "n k"]]:
        """The ``k`` most probable classes of each feature vector.

        Returns:
            ``(n, k)`` names and ``(n, k)`` probabilities, the most probable first.

        Raises:
            InputError: if there are not so many classes; else as `predict_ids` does.
        """
        if not 1 <= k <= len(self.class_names):
            raise InputError(f"k must be from 1 to the number of classes, {len(self.class_names)}; found {k}.")
        rows = as_rows(features, self.dim)
        ids, probabilities = np.empty((len(rows), k), np.int64), np.empty((len(rows), k), np.float32)
        for place, scores in self.calibrated(rows):
            best = self.probabilities(scores).topk(k)
            ids[place], probabilities[place] = best.indices.cpu().numpy(), best.values.cpu().numpy()
        return np.array(self.class_names)[ids], probabilities

    @torch.no_grad()
    def generate(
        self, classes: Sequence[str] | Sequence[int] | Int[np.ndarray, " n"], *, rng: torch.Generator | None = None
    ) -> Float[np.ndarray, "n d"]:
        """Generate one raw feature vector for each class name or id.

        Args:
            classes: n names or ids; the same one may come many times.
            rng: source of the noise, on the model's device; by default the same noise each time.

        Raises:
            InputError: if the model generates nothing, or there is no such class.
        """
        if not isinstance(self.generator, Sampler):
            raise InputError(f"The generator {self.settings.generator!r} generates no features.")
        ids = torch.as_tensor(self.ids(classes), device=self.device)
        rng = seeded(self.device, 0, "generate") if rng is None else rng
        return self.scaling.inverse(self.generator.sample(ids, rng=rng)).cpu().numpy()

    def explain(self, features: Float[np.ndarray, "n d"], *, most: int = 5) -> list[Explanation]:
        """Why each feature vector is taken for its class: the nearest classes, and what speaks for and against.

        See `gsmflow.model.Explanation`.
        """
        from .explain import explain

        return explain(self, features, most)

    def ids(self, classes: Any) -> Int[np.ndarray, " n"]:
        """The ids of classes given by name or id.

        Raises:
            InputError: if there is no such class.
        """
        return as_ids(classes, self.class_names)

    @property
    def evidence(self) -> tuple[Piece, ...]:
        """What the model was shown after training."""
        return self.about.evidence

    def learn(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Sequence[str] | Sequence[int] | Int[np.ndarray, " n"],
        *,
        evidence: str | None = None,
    ) -> str:
        """Take labelled pictures of classes into account, seen or unseen, without training again.

        The mean of a class moves from where words put it to that of its pictures, by Bayes' rule; pieces may come in
        any order. It takes milliseconds.

        Args:
            features: n rows as `predict` takes them.
            labels: n names or ids of classes that the model knows; others come with `add_classes`.
            evidence: an id, by which `forget` takes the pictures back; by default one made of what they hold.

        Returns:
            The id.

        Example:
            >>> import gsmflow
            >>> data = gsmflow.load("synthetic")
            >>> model = gsmflow.train(data, "gaussian").model
            >>> shown, rest = data.test_unseen[::40], np.delete(data.test_unseen, np.s_[::40])
            >>> asked, truth = data.features[rest], np.array(data.class_names)[data.labels[rest]]
            >>> before = (model.predict(asked) == truth).mean()
            >>> model.learn(data.features[shown], data.labels[shown], evidence="one of each")
            'one of each'
            >>> after = (model.predict(asked) == truth).mean()
            >>> bool(after >= before)
            True

        Raises:
            InputError: if the model cannot learn without training again, there is no such class, the id is taken, or
                features are none. The model is as it was before.
        """
        return learn(self, features, labels, evidence)

    def forget(self, evidence: str) -> None:
        """Take back what was learnt: the model is as if it had never been shown these pictures.

        Args:
            evidence: the id that `learn` gave, or ``unlabelled`` for the pile of `adapt`.

        Raises:
            InputError: if nothing was learnt under this id.
        """
        forget(self, evidence)

    def adapt(self, features: Float[np.ndarray, "n d"], *, sure: bool = False) -> Adaptation:
        """Adapt unseen classes to a pile of unlabelled pictures, such as those that are to be sorted.

        The pile is weighed by what the model takes its pictures for, in rounds; how, was chosen on pseudo-unseen
        classes, and so was when such a pile is not believed: where it is small, of few classes or of others. The model
        is as it was before then, and a sentence says why. A later pile takes the place of this one.

        Args:
            features: n rows as `predict` takes them, of seen and unseen classes alike.
            sure: that the pile holds pictures of all unseen classes, and of no class that the model does not know: it
                is believed without a test.

        Raises:
            InputError: if the model cannot adapt without training again, or features are none.
        """
        return adapt(self, features, sure=sure)

    def add_classes(
        self,
        classes: Mapping[str, Sequence[float] | Float[np.ndarray, " s"]],
        examples: Mapping[str, Float[np.ndarray, "n d"]] | None = None,
    ) -> None:
        """Let the model know classes that it was not trained with, without training it again.

        Args:
            classes: semantics of each, by name, as the model's own classes have them: S numbers.
            examples: features of labelled pictures of some of them, by name; they are learnt as `learn` does.

        Example:
            >>> import gsmflow
            >>> model = gsmflow.train(gsmflow.load("synthetic"), "gaussian").model
            >>> model.add_classes({"okapi": model.class_semantics[:2].mean(0)})
            >>> model.class_names[-1]
            'okapi'

        Raises:
            InputError: if a class is known already, its semantics are no S finite numbers, or the recognizer has to be
                fitted again for it. The model is as it was before.
        """
        if not classes and not examples:
            return
        for name in classes:
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                raise InputError(f"A class needs a name that is a text, and can be printed; found {name!r}.")
            if name in self.class_names:
                raise InputError(
                    f"The model knows a class {name!r} already: choose another name, or remove that first."
                )
        rows = np.stack([as_semantics(name, vector, self.semantic_dim) for name, vector in classes.items()])
        shown = checked_examples(self, classes, examples or {})
        added = torch.as_tensor(rows, device=self.device)
        generator = self.extensible()
        self.recognizer.extend(len(added))
        generator.extend(self.weighting(added))
        count = len(self.semantics)
        self.semantics = torch.cat([self.semantics, added])
        self.unseen = torch.cat([self.unseen, torch.arange(count, len(self.semantics), device=self.device)])
        change = f"added {', '.join(classes)}"
        names, changes = (*self.class_names, *classes), (*self.about.changes, change)
        self.about = replace(self.about, class_names=names, changes=changes)
        believe_all(self)
        if shown:
            try:
                self.learn(*shown)
            except BaseException:
                self.remove_classes(list(classes))
                self.about = replace(self.about, changes=changes[:-1])
                raise

    def extensible(self) -> Extensible:
        """The generator, if classes can come and go.

        Raises:
            InputError: if they cannot.
        """
        if not isinstance(self.generator, Extensible):
            raise InputError(f"The generator {self.settings.generator!r} knows the classes of its training alone.")
        return self.generator

    def remove_classes(self, classes: Sequence[str]) -> None:
        """Let the model forget classes, seen or unseen; ids are counted anew.

        Raises:
            InputError: if there is no such class, or none would be left. The model is as it was before.
        """
        gone = self.ids([classes] if isinstance(classes, str) else list(classes))
        kept = np.setdiff1d(np.arange(len(self.class_names)), gone)
        if not len(kept):
            raise InputError("A model needs at least one class: these are all that it has.")
        keep = torch.as_tensor(kept, device=self.device)
        generator = self.extensible()
        self.recognizer.keep(keep, self.unseen)
        generator.keep(keep)
        self.semantics = self.semantics[keep]
        self.seen, self.unseen = (torch.isin(keep, ids).nonzero()[:, 0] for ids in (self.seen, self.unseen))
        change = f"removed {', '.join(self.class_names[k] for k in gone)}"
        names, changes = tuple(self.class_names[k] for k in kept), (*self.about.changes, change)
        self.about = replace(self.about, class_names=names, changes=changes)
        self.taught.keep(keep)
        for number, piece in reversed(list(enumerate(self.evidence))):  # what all classes of are gone, is gone
            here = self.taught.piece == number
            left = tuple(name for name in piece.classes if name in names)
            if left and left != piece.classes:  # it is no longer what its id was made of
                piece = replace(piece, classes=left, pictures=round(float(self.taught.counts[here].sum())))
            pieces = (piece,) if here.any() else ()
            if not here.any():
                self.taught.drop(number)
            evidence = self.evidence[:number] + pieces + self.evidence[number + 1 :]
            self.about = replace(self.about, evidence=evidence)
        believe_all(self)

    def __dir__(self) -> list[str]:
        return list(SHOWN)

    def __repr__(self) -> str:
        a = self.about
        return (
            f"ZeroShotModel({len(self.seen)} seen and {len(self.unseen)} unseen classes"
            f"{f' of {a.dataset}' if a.dataset else ''}, features of {self.dim} dimensions, semantics of "
            f"{self.semantic_dim}, generator {a.settings.generator}, recognizer {a.recognizer}, calibration constant "
            f"{self.constant:.4g})"
        )
