"""Every value that a recipe or the command line can set, as frozen dataclasses.

A recipe file gives values by section and name (``training: {epochs: 20}``); the command line overrides them one by
one (``--training.epochs 20``). The values below are those of the recipe ``default``, the linear flow on the closed
form, wherever it uses them. Nothing here imports torch, so that help is instant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, MinLen

__all__ = [
    "CVAESettings",
    "CosineSettings",
    "DAPSettings",
    "ESZSLSettings",
    "FlowSettings",
    "GaussianSettings",
    "LinearFlowSettings",
    "PrototypeSettings",
    "SelectionSettings",
    "Settings",
    "SoftmaxSettings",
    "TrainingSettings",
    "WGANSettings",
]


Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(ge=0, lt=1)]
SemanticKind = Literal["none", "l2", "sqrt", "spread"]
"""A map of semantics: as they are, to length 1, that after square roots, or with the spread of their directions evened
out; see `gsmflow.semantics`."""
SemanticKinds = Annotated[tuple[SemanticKind, ...], MinLen(1)]
Distances = Annotated[tuple[Literal["euclidean", "cosine"], ...], MinLen(1)]
Penalties = Annotated[tuple[Positive, ...], MinLen(1)]
Priors = Annotated[tuple[Literal["none", "words"], ...], MinLen(1)]


@dataclass(frozen=True)
class FlowSettings:
    """The conditional flow and the three remedies of GSMFlow (Chen et al. 2021)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    blocks: Count = 5
    """conditional affine coupling blocks"""
    hidden: Count = 2048
    """hidden units of each subnet"""
    position_dim: Count = 1024
    """dimension of the relative position g"""
    anchors: Literal["seen", "all"] = "seen"
    """classes among which the three anchors are looked for"""
    clamp: Positive = 1.0
    """bound of the log-scale: |e(s)| < clamp * 0.636 * pi/2"""
    prototype: NotNegative = 3.0
    """weight of the prototype term"""
    pi: NotNegative = 0.02
    """size of the visual perturbation"""
    dropout: Share = 0.0
    """probability that a dimension is left unperturbed in a batch"""
    semantics: SemanticKind = "none"
    """map of the semantics that it is conditioned on"""


@dataclass(frozen=True)
class GaussianSettings:
    """The closed form. Every combination of the values listed is a candidate of the validated protocol."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    dims: Count = 256
    """principal directions kept"""
    semantics: SemanticKinds = ("l2", "sqrt", "spread")
    """maps of the semantics: to length 1, that after square roots, or with the spread of their directions evened out"""
    kernels: Annotated[tuple[Literal["linear", "rbf"], ...], MinLen(1)] = ("linear", "rbf")
    """kernels on semantics"""
    ridges: Penalties = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    """ridge penalties, in units of the kernel's mean diagonal"""
    shrinks: Annotated[tuple[Share, ...], MinLen(1)] = (0.02, 0.1, 0.3, 0.6)
    """shrinkage of the within-class covariance towards a sphere"""
    widens: Annotated[tuple[NotNegative, ...], MinLen(1)] = (0.0, 0.5, 1.0)
    """share of the left-out errors' covariance that is added to unseen classes"""
    priors: Priors = ("none", "words")
    """what class means are predicted from before the regression: nothing, or a multiple of the words where these lie in
    the space of the features (elsewhere it is not tried)"""


@dataclass(frozen=True)
class LinearFlowSettings:
    """The linear flow on the closed form."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    temperature: Positive = 1.0
    """the log-densities are divided by it before they compete"""
    decay: NotNegative = 1.0
    """weight of the squared distance from the closed form"""


@dataclass(frozen=True)
class CVAESettings:
    """The conditional variational autoencoder."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    hidden: Count = 4096
    """hidden units of encoder and decoder"""
    semantics: SemanticKind = "none"
    """map of the semantics that it is conditioned on"""


@dataclass(frozen=True)
class WGANSettings:
    """f-CLSWGAN (Xian et al. 2018)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    hidden: Count = 4096
    """hidden units of generator and critic"""
    critic_steps: Count = 5
    """updates of the critic for each one of the generator"""
    penalty: NotNegative = 10.0
    """weight of the gradient penalty"""
    classification: NotNegative = 0.01
    """weight of the classification loss"""
    semantics: SemanticKind = "none"
    """map of the semantics that it is conditioned on"""


@dataclass(frozen=True)
class ESZSLSettings:
    """ESZSL (Romera-Paredes & Torr 2015). Every combination is a candidate of the validated protocol."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    gammas: Penalties = (0.001, 0.01, 0.1, 1.0, 10.0)
    """ridge penalties on features, in units of their mean square"""
    lambdas: Penalties = (0.001, 0.01, 0.1, 1.0, 10.0)
    """ridge penalties on semantics, in units of their mean square"""
    semantics: SemanticKinds = ("l2",)
    """maps of the semantics"""


@dataclass(frozen=True)
class PrototypeSettings:
    """Nearest prototype. Every combination is a candidate of the validated protocol."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    ridges: Penalties = (0.001, 0.01, 0.1, 1.0, 10.0)
    """ridge penalties, in units of the kernel's mean diagonal"""
    metrics: Distances = ("euclidean", "cosine")
    """how near is measured"""
    semantics: SemanticKinds = ("l2",)
    """maps of the semantics"""


@dataclass(frozen=True)
class DAPSettings:
    """Attribute regression. Every combination is a candidate of the validated protocol."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    ridges: Penalties = (0.001, 0.01, 0.1, 1.0, 10.0)
    """ridge penalties, in units of the features' mean variance"""
    metrics: Distances = ("euclidean", "cosine")
    """how near is measured"""
    semantics: SemanticKinds = ("l2",)
    """maps of the semantics"""


@dataclass(frozen=True)
class CosineSettings:
    """Zero-shot by cosine (Radford et al. 2021)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    temperature: Positive = 0.01
    """cosines are divided by it; it matters for probabilities alone, where these are not calibrated on folds"""


@dataclass(frozen=True)
class TrainingSettings:
    """Adam with a step schedule on shuffled full batches."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    epochs: Count = 8
    """passes over the training samples"""
    batch: Count = 256
    """samples a step"""
    lr: Positive = 3e-4
    """learning rate of Adam"""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """decay rates of Adam"""
    weight_decay: NotNegative = 0.0
    """L2 penalty inside Adam"""
    lr_step: Count = 15
    """epochs between two drops of the learning rate"""
    lr_gamma: Positive = 1.0
    """factor of each drop"""
    precision: Literal["float32", "auto"] = "float32"
    """of matrix products; auto: bfloat16 where the processor has instructions for it, elsewhere float32"""


@dataclass(frozen=True)
class SoftmaxSettings:
    """One linear layer on real seen and synthesized unseen features."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    samples: Count = 300
    """synthesized features an unseen class"""
    lr: Positive = 1e-3
    """learning rate of Adam (betas 0.5, 0.999)"""
    epochs: Count = 30
    """passes over real and synthesized features"""
    batch: Count = 1000
    """features a step"""
    average: Share = 0.0
    """share of the steps, at the end, whose weights are averaged; 0: the weights of the last step"""
    distinct: Annotated[int, Ge(0)] = 0
    """synthesized features of a class that differ, each met more often for it; 0: all of samples"""
    pool_mb: Positive = 1024.0
    """memory for synthesized features, in MiB; more of them are synthesized block after block"""
    warm: bool = False
    """while the generator trains, start from the weights of the evaluation before instead of from scratch"""


@dataclass(frozen=True)
class SelectionSettings:
    """When candidates are judged and how pseudo-unseen classes are cut out of the seen ones."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    every: Count | None = None
    """iterations between two evaluations while the generator trains (the last one is always evaluated)"""
    after: Annotated[int, Ge(-1)] = -1
    """evaluate only after more iterations than this; -1 evaluates the untrained generator too"""
    evaluations: Count | None = None
    """this many evaluations evenly spread over training, where `every` is not given; default: 8"""
    folds: Count | None = None
    """pseudo-unseen splits of the seen classes that the validated protocol averages over; default: 3, and below 40 seen
    classes as many as take each of them for unseen twice"""
    ratio: Share | None = None
    """share of the seen classes taken as pseudo-unseen; default: the share of unseen among all classes, and below 40
    seen classes a tenth at least"""
    holdout: Share = 0.2
    """share of the remaining samples taken as validation-seen"""


@dataclass(frozen=True)
class Settings:
    """All settings of one run: what a recipe file holds and ``config.yaml`` records.

    Example:
        >>> from dataclasses import replace
        >>> replace(Settings(), generator="gaussian", grid=()).recognizer
        'likelihood'
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    generator: str = "linear-flow"
    """what learns p(features given semantics): linear-flow, gaussian, gsmflow, cvae, wgan, eszsl, prototype, dap or
    cosine"""
    recognizer: str = "likelihood"
    """what decides the class of a feature vector: likelihood, softmax, compatibility, or auto: all that the generator
    supports, chosen by the protocol"""
    scaling: Literal["minmax", "none", "l2", "sqrt-l2"] = "none"
    """scaling of the features: each dimension to [0, 1], nothing, rows to length 1, or that after square roots"""
    text_weight: Positive | None = None
    """what text counts for against 1 for attributes, where semantics are both; default: 1, and the validated protocol
    tries 0.25, 1 and 4"""
    seed: Annotated[int, Ge(0)] = 0
    """the same seed on the same machine gives the same numbers"""
    flow: FlowSettings = field(default_factory=FlowSettings)
    linear_flow: LinearFlowSettings = field(default_factory=LinearFlowSettings)
    gaussian: GaussianSettings = field(default_factory=GaussianSettings)
    cvae: CVAESettings = field(default_factory=CVAESettings)
    wgan: WGANSettings = field(default_factory=WGANSettings)
    eszsl: ESZSLSettings = field(default_factory=ESZSLSettings)
    prototype: PrototypeSettings = field(default_factory=PrototypeSettings)
    dap: DAPSettings = field(default_factory=DAPSettings)
    cosine: CosineSettings = field(default_factory=CosineSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    softmax: SoftmaxSettings = field(default_factory=SoftmaxSettings)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    grid: tuple[str, ...] = ("scaling=none,l2,sqrt-l2", "linear_flow.temperature=1,3")
    """values that the validated protocol tries, each as section.name=value,value (softmax.lr=0.001,0.005)"""
    simpler: tuple[Literal["eszsl", "prototype", "dap"], ...] = ("eszsl", "prototype")
    """simpler methods that the validated protocol tries on the same folds beside a generator that stands on a closed
    form, which is itself one of them: the one that wins is the final model's generator"""
