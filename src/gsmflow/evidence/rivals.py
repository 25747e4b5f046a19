"""The table of honest rivals: the same information, other methods. To add one, write a function and a line."""

from __future__ import annotations

from ..errors import InputError
from .gaussian_baseline import by_gaussian_baseline
from .given import Rival
from .kinds import Evidence
from .logistic import by_logistic_regression
from .nearest import by_class_means, by_cosine, by_nearest_shots
from .propagation import by_label_propagation
from .transclip import by_transclip

__all__ = ["RIVALS", "rival_named"]

RIVALS: dict[str, Rival] = {
    "class-means": Rival(
        by_class_means,
        {"shrink": (0.1, 0.3, 0.6, 1.0)},
        (True,),
        ("shots",),
        means_for=(),
        sees_queries=False,
        source="linear discriminant analysis on labelled pictures: the same without words",
    ),
    "nearest-shots": Rival(
        by_nearest_shots,
        {},
        (True, False),
        ("shots",),
        means_for=(),
        sees_queries=False,
        source="the nearest labelled picture by cosine",
    ),
    "logistic": Rival(
        by_logistic_regression,
        {"C": (1.0, 10.0, 100.0)},
        (True,),
        ("shots",),
        means_for=(),
        sees_queries=False,
        source="logistic regression of scikit-learn on labelled pictures",
    ),
    "label-propagation": Rival(
        by_label_propagation,
        {"alpha": (0.5, 0.95)},
        (True, False),
        ("unlabelled", "shots"),
        means_for=("unlabelled",),
        sees_queries=True,
        source="LabelSpreading of scikit-learn (Zhou et al. 2004)",
    ),
    "cosine": Rival(
        by_cosine,
        {"weight": (0.5, 1.0, 2.0, 5.0, 10.0)},
        (True, False),
        ("none", "shots"),
        means_for=("none", "shots"),
        sees_queries=False,
        source="cosine to the predicted mean, averaged with the shots",
    ),
    "transclip": Rival(
        by_transclip,
        {"gamma": (0.002, 0.01, 0.02, 0.2), "temperature": (10.0, 100.0)},
        (True, False),
        ("unlabelled", "shots"),
        means_for=("unlabelled", "shots"),
        sees_queries=True,
        source="TransCLIP (Zanella, Gérin, Ben Ayed, NeurIPS 2024)",
    ),
    "gaussian-baseline": Rival(
        by_gaussian_baseline,
        {"alpha": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)},
        (True, False),
        ("shots",),
        means_for=("shots",),
        sees_queries=False,
        source="the Gaussian baseline (Wang et al., ICLR 2024)",
    ),
}
"""By the name that ``method=`` takes."""


def rival_named(name: str, evidence: Evidence) -> Rival:
    """A rival that can use some evidence.

    Raises:
        InputError: if there is none of this name, or it cannot.
    """
    if not isinstance(name, str) or name not in RIVALS:
        raise InputError(f"There is no rival {name!r}; method= takes one of {', '.join(RIVALS)}.")
    found = RIVALS[name]
    if evidence.kind not in found.kinds:
        others = [other for other, rival in RIVALS.items() if evidence.kind in rival.kinds]
        raise InputError(
            f"The rival {name!r} has no use for the evidence {evidence}: it takes "
            f"{' or '.join('shots=N' if kind == 'shots' else kind for kind in found.kinds)}; with {evidence} compare "
            f"{', '.join(others)}."
        )
    return found
