"""The same as a scikit-learn estimator: fit, predict, pipelines, searches."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .data import Provenance, ZeroShotDataset
from .data.splits import pseudo_unseen_count
from .errors import DataWarning, InputError
from .experiment import named_recipe, train
from .recipes import Recipe
from .selection.folds import share
from .settings import SelectionSettings, Settings

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float, Int

    from .model import Adaptation

__all__ = ["ZeroShotClassifier"]

NAME = "data"
"""How data are called that come without a name."""

ONE_HOT = "one-hot"
"""Semantics of classes that nothing was said of."""

USUAL = ".* cannot be measured"
"""Warnings about a data set that are no news here: nobody hands test samples to ``fit``."""


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):
    """`gsmflow.train` as a scikit-learn classifier, which also predicts classes that it was given no sample of.

    What tells of such classes are the ``semantics`` handed to `fit`. Without them it is an ordinary classifier: each
    class is described by nothing but itself, so that nothing can be tried on classes left out, and the protocol
    ``fixed`` stands in for ``validated``. With them ``validated`` needs three seen classes at least, as many as there
    are folds, and more classes of two samples than are taken for pseudo-unseen; where there are fewer, ``fixed`` is
    used and a `gsmflow.errors.DataWarning` says so. ``result_.config.protocol`` is the one that was used.

    Features are taken as float32, two of them at least. ``score`` is plain accuracy, the share of samples that are
    recognised; `gsmflow.evaluate` measures U, S and H. Where features are of different units, let a ``StandardScaler``
    go before: the spread within classes is shrunk towards a sphere.

    Args:
        method: ``default``, ``gsmflow``, a recipe's name or file, a `Recipe`, or all `Settings`; see `gsmflow.train`.
        protocol: ``validated`` chooses on pseudo-unseen classes; ``fixed`` chooses nothing and takes the first of each
            value that the method lists. (``published`` chooses on test samples, and there are none.)
        random_state: the seed, as `gsmflow.train` takes it; None: that of the method, so that `fit` gives the same
            each time; a ``RandomState``: drawn from it.
        constant: calibration constant, subtracted from the scores of seen classes; None: what the protocol chose.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: CPU threads; by default as many as help.

    Attributes:
        classes_: ``(K,)``, labels of all classes, seen and unseen, sorted; columns of `predict_proba`.
        n_features_in_: D.
        feature_names_in_: ``(D,)``, where ``X`` was a table whose columns have names.
        model_: `ZeroShotModel`, whose class ids are places in ``classes_``, and whose names are those labels as texts.
        result_: `Result`. It holds the training samples: pickle ``model_``, or ``save`` it, to hand on the model alone.

    Example:
        >>> import gsmflow
        >>> data = gsmflow.load("digits")
        >>> X, y, seen, unseen = data.features, data.labels, data.trainval, data.test_unseen
        >>> classifier = ZeroShotClassifier("gaussian", random_state=0)
        >>> classifier = classifier.fit(X[seen], y[seen], semantics=dict(enumerate(data.semantics)))
        >>> sorted(set(classifier.classes_.tolist()) - set(y[seen].tolist()))
        [3, 6]
        >>> classifier.score(X[unseen], y[unseen]) > 0.5
        True
    """

    def __init__(
        self,
        method: str | Recipe | Settings = "default",
        *,
        protocol: str = "validated",
        random_state: int | np.random.RandomState | None = None,
        constant: float | None = None,
        device: str = "auto",
        threads: int | None = None,
    ):
        self.method = method
        self.protocol = protocol
        self.random_state = random_state
        self.constant = constant
        self.device = device
        self.threads = threads

    def fit(
        self,
        X: Float[np.ndarray, "n d"],
        y: Sequence[Any],
        semantics: Mapping[Any, Sequence[float]] | Float[np.ndarray, "k s"] | None = None,
        class_names: Sequence[Any] | None = None,
    ) -> Self:
        """Learn from samples of seen classes.

        A search hands ``semantics`` on as they are, unless there are as many classes as samples: then it would take
        them for samples.

        Args:
            X: ``(n, D)``, features.
            y: n labels, numbers or texts.
            semantics: of seen and unseen classes: S numbers by label, or ``(K, S)``. The unseen ones are those without
                samples.
            class_names: K labels, one for each row of an array of semantics.

        Raises:
            InputError, ValueError: if these are not features and labels, a class has no semantics, or the method cannot
                work on them.
        """
        X, labels = validate_data(self, X, y, dtype="float32", ensure_min_features=2)  # type: ignore[arg-type]
        check_classification_targets(labels)
        data, classes = as_dataset(X, labels, semantics, class_names)  # type: ignore[arg-type]
        result = train(
            data,
            self.method,
            protocol=usable_protocol(self.protocol, self.method, data),
            seed=seed_of(self.random_state),
            device=self.device,
            threads=self.threads,
        )
        if self.constant is not None:
            result.model.constant = self.constant
        self.classes_, self.result_, self.model_ = classes, result, result.model
        return self

    def predict(self, X: Float[np.ndarray, "n d"]) -> np.ndarray:
        """Decide the class of each sample, among seen and unseen ones: n labels.

        Raises:
            NotFittedError: before `fit`.
            ValueError: if these are no features, or not as many as `fit` was given.
        """
        X = self._checked(X)
        return self.classes_[self.model_.predict_ids(X)]

    def predict_proba(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Probability of each class, in the order of ``classes_``. Raises as `predict` does."""
        X = self._checked(X)
        parts = [self.model_.probabilities(scores) for _, scores in self.model_.calibrated(X)]
        return torch.cat(parts).cpu().numpy()

    def _checked(self, X: Any) -> Float[np.ndarray, "n d"]:
        """Features as `fit` was given them."""
        check_is_fitted(self, "model_")
        return validate_data(self, X, dtype="float32", reset=False)  # type: ignore[return-value]

    def add_classes(self, classes: Mapping[Any, Sequence[float]]) -> Self:
        """Let it know unseen classes that `fit` was not told of; they come last in ``classes_``.

        Args:
            classes: S numbers by label.

        Raises:
            InputError: as `ZeroShotModel.add_classes` does. All is as it was before.
        """
        check_is_fitted(self, "model_")
        labels = as_labels(list(classes), like=self.classes_)
        self.model_.add_classes(dict(zip(map(str, labels), classes.values(), strict=True)))
        self.classes_ = np.concatenate([self.classes_, labels])
        return self

    def remove_classes(self, classes: Sequence[Any]) -> Self:
        """Let it forget classes, seen or unseen.

        Raises:
            InputError: as `ZeroShotModel.remove_classes` does. All is as it was before.
        """
        check_is_fitted(self, "model_")
        labels = as_labels(classes, like=self.classes_)
        self.model_.remove_classes([str(label) for label in labels])
        self.classes_ = self.classes_[~np.isin(self.classes_, labels)]
        return self

    def learn(self, X: Float[np.ndarray, "n d"], y: Sequence[Any], *, evidence: str | None = None) -> str:
        """Let it learn samples of classes that it knows, seen or unseen, without fitting again.

        Args:
            X: ``(n, D)``, features.
            y: n labels among ``classes_``.
            evidence: an id, by which ``model_.forget`` takes them back.

        Returns:
            The id.

        Raises:
            InputError, ValueError: as `ZeroShotModel.learn` does. All is as it was before.
        """
        X, labels = self._checked(X), as_labels(y, like=self.classes_)
        return self.model_.learn(X, [str(label) for label in labels], evidence=evidence)

    def adapt(self, X: Float[np.ndarray, "n d"]) -> Adaptation:
        """Adapt unseen classes to a pile of unlabelled samples, if it is believed. See `ZeroShotModel.adapt`.

        Raises:
            InputError, ValueError: as `ZeroShotModel.adapt` does.
        """
        return self.model_.adapt(self._checked(X))


def as_dataset(X: np.ndarray, y: np.ndarray, semantics: Any, class_names: Any) -> tuple[ZeroShotDataset, np.ndarray]:
    """All samples as trainval, and the sorted labels that class ids stand for.

    Raises:
        InputError, ValueError: as `described` and `ZeroShotDataset` do.
    """
    classes, rows = described(y, semantics, class_names)
    ids, names = np.searchsorted(classes, y.astype(classes.dtype)), tuple(map(str, classes))
    source = Provenance(semantics=ONE_HOT if semantics is None else "semantics")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", USUAL, DataWarning)
        return ZeroShotDataset(NAME, X, ids, rows, names, np.arange(len(ids)), provenance=source), classes


def usable_protocol(protocol: str, method: str | Recipe | Settings, data: ZeroShotDataset) -> str:
    """The protocol asked for; ``fixed`` where that is ``validated`` and no classes can be taken for unseen.

    It warns of that, unless the semantics are one-hot: to describe no class is not to ask for unseen ones.
    """
    if protocol != "validated":
        return protocol
    if data.provenance.semantics == ONE_HOT:
        return "fixed"
    selection = named_recipe(method, data.name)[1].settings.selection
    counts = np.bincount(data.labels, minlength=data.num_classes)
    if can_be_cut(counts, selection):
        return protocol
    warnings.warn(
        f"{len(data.seen)} seen classes, {(counts > 1).sum()} of them with two samples, are too few to take any for "
        "unseen: the protocol fixed is used, which chooses nothing.",
        DataWarning,
        stacklevel=3,
    )
    return "fixed"


def described(y: np.ndarray, semantics: Any, class_names: Any) -> tuple[np.ndarray, Float[np.ndarray, "k s"]]:
    """The sorted labels of all classes, and their semantics: one-hot rows where there are none.

    Example:
        >>> described(np.array(["ape", "cat"]), {"zebra": [0, 1], "cat": [1, 0], "ape": [1, 1]}, None)
        (array(['ape', 'cat', 'zebra'], dtype='<U5'), array([[1., 1.],
               [1., 0.],
               [0., 1.]], dtype=float32))

    Raises:
        InputError: if labels and semantics do not belong together.
        ValueError: if the semantics are no table of finite numbers.
    """
    if semantics is None:
        if class_names is not None:
            raise InputError("class_names are those of the rows of semantics, and there are none: give semantics too.")
        classes = np.unique(y)
        return classes, np.eye(len(classes), dtype=np.float32)
    if isinstance(semantics, Mapping):
        if class_names is not None:
            raise InputError("The semantics are given by label: leave class_names out.")
        class_names, semantics = list(semantics), list(semantics.values())
    elif class_names is None:
        raise InputError("The semantics are an array: say by class_names which class each row is of.")
    rows = check_array(semantics, dtype="float32", input_name="semantics")
    labels = as_labels(class_names, like=y)
    if len(labels) != len(rows):
        raise InputError(f"{len(rows)} rows of semantics but {len(labels)} class_names: give one for each.")
    classes, order = np.unique(labels, return_index=True)
    if len(classes) < len(labels):
        raise InputError(
            f"{len(labels) - len(classes)} of {len(labels)} class_names stand there before: name each once."
        )
    lacking = np.setdiff1d(y.astype(classes.dtype), classes)
    if len(lacking):
        some = ", ".join(map(str, lacking[:5]))
        raise InputError(f"{len(lacking)} classes in y have no semantics: {some}; give them, or drop their samples.")
    return classes, rows[order]


def as_labels(labels: Any, like: np.ndarray) -> np.ndarray:
    """Labels in the type that holds them and those that are there.

    Raises:
        InputError: if one are numbers and the other texts.
    """
    labels = column_or_1d(labels)
    if is_numeric(labels) != is_numeric(like) and len(labels):
        kinds = ("numbers", "texts") if is_numeric(labels) else ("texts", "numbers")
        raise InputError(f"These labels of classes are {kinds[0]}, such as {labels[0]}, and those in y are {kinds[1]}.")
    return labels.astype(np.result_type(labels, like))


def is_numeric(labels: np.ndarray) -> bool:
    """Whether labels are numbers, and no texts."""
    return labels.dtype.kind in "biuf"


def can_be_cut(counts: Int[np.ndarray, " k"], selection: SelectionSettings) -> bool:
    """Whether every fold of pseudo-unseen classes leaves two classes to learn, and a sample to hold back.

    Args:
        counts: number of training samples of each class, 0 for an unseen one.
        selection: how they are cut.

    Example:
        >>> [can_be_cut(np.array(counts), SelectionSettings()) for counts in ([5, 5, 1, 0], [5, 5, 0])]
        [True, False]
    """
    seen = np.count_nonzero(counts)
    taken = pseudo_unseen_count(int(seen), share(selection, int(seen), len(counts) - int(seen)))
    return bool(seen >= max(3, selection.folds or 0) and np.count_nonzero(counts > 1) > taken)


def seed_of(random_state: Any) -> int | None:
    """The seed that scikit-learn's ``random_state`` stands for; None where the method's own shall do.

    Raises:
        ValueError: if it stands for none.
    """
    if random_state is None:
        return None
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
