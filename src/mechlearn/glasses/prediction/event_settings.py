"""What a model of where glasses yield is told: its kind, its features, and how rare atoms are made to count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, TypeAlias

from mechlearn.errors import InputError
from mechlearn.glasses.loading.labels import THRESHOLD

Kind: TypeAlias = Literal["gat", "svm", "boosting", "ranking"]
Imbalance: TypeAlias = Literal["none", "weights", "undersampling", "oversampling", "focal"]
Scaling: TypeAlias = Literal["set", "run", "both"]

#: What a person calls the kinds.
KINDS: Final[dict[str, str]] = {
    "gat": "graph attention",
    "svm": "linear SVM",
    "boosting": "gradient boosting",
    "ranking": "ranking",
}

#: What each kind can do about rare atoms, its default first.  A focal loss needs a model whose loss can be chosen.
IMBALANCES: Final[dict[str, tuple[Imbalance, ...]]] = {
    "gat": ("weights", "none", "undersampling", "oversampling", "focal"),
    "svm": ("weights", "none", "undersampling", "oversampling"),
    "boosting": ("weights", "none", "undersampling", "oversampling"),
    "ranking": ("none",),
}

#: How each kind takes the features, its default first.
SCALINGS: Final[dict[str, tuple[Scaling, ...]]] = {
    "gat": ("run", "set", "both"),
    "svm": ("run", "set", "both"),
    "boosting": ("both", "run", "set"),
    "ranking": ("set", "run"),
}


@dataclass(frozen=True)
class ModelSettings:
    """A model of where glasses yield.

    Attributes
    ----------
    kind : str
        ``"gat"``, a graph attention network (Lee and Ryu 2022); ``"svm"``, a linear support vector machine, whose
        distance from the plane is known as softness (Cubuk et al. 2015); ``"boosting"``, gradient-boosted trees;
        ``"ranking"``, atoms in the order of one feature, of which training sets nothing but where to call.
    features : tuple of str
        Their names.
    threshold : float
        Of D²min, Å²: an atom above it is positive.
    imbalance : str or None
        ``"none"``; ``"weights"``; ``"undersampling"``, negative atoms left out at random; ``"oversampling"``, positive
        atoms repeated at random; ``"focal"``, the focal loss (graph attention alone).  None takes class weights, and
        none for a ranking.
    balance : float
        What all negative atoms together count beside all positive ones, once weighted or drawn.
    focusing : float
        γ of the focal loss.
    equal_runs : bool
        Whether the positive atoms of every run together count the same, however many there are; otherwise an avalanche
        counts as much as a hundred small events.
    scaling : str or None
        By what features are centred and scaled
        (:class:`~mechlearn.glasses.prediction.feature_scaling.FeatureScaling`): ``"set"``, the training set; ``"run"``,
        the atoms of the run itself; ``"both"``, side by side.  None takes the run for graph attention and the SVM, both
        for boosting, and the set for a ranking.
    title : str
        What a reader calls the model, where it is not to be made up.
    layers, width, heads, dense, residual : int, int, int, tuple of int, bool
        Of graph attention (see :class:`~mechlearn.learning.graph_attention.GraphAttentionShape`).
    epochs, learning_rate, patience, stop_after : int, float, int, int or None
        Of graph attention (see :class:`~mechlearn.learning.TrainingSettings`).
    batch_size : int
        Runs in a minibatch of graph attention.
    precision : str
        Of graph attention while it is trained: ``"single"`` or ``"double"``.
    trees, leaves, leaf_atoms, shrinkage : int, int, int, float
        Of boosting: how many trees at most, how many leaves each, the fewest atoms in a leaf, and what each tree's
        word is multiplied by.
    regularisation : float
        Of the SVM: λ in ½ λ |w|² + mean of w_i max(0, 1 − y_i f_i)².

    Raises
    ------
    InputError
        A value is out of range, or the kind cannot do what is asked for.

    Examples
    --------
    >>> settings = ModelSettings("gat", ("Voronoi volume", "potential energy"))
    >>> settings.name, settings.imbalance, settings.scaling
    ('graph attention 4 × 15 × 9, 2 features', 'weights', 'run')
    >>> ModelSettings("svm", ("Voronoi volume",), imbalance="focal")
    Traceback (most recent call last):
    mechlearn.errors.InputError: a linear SVM: 'focal' is no imbalance for it; choose from weights, none, undersampling,
    oversampling
    """

    kind: Kind
    features: tuple[str, ...]
    threshold: float = THRESHOLD
    imbalance: Imbalance | None = None
    balance: float = 1.0
    focusing: float = 2.0
    equal_runs: bool = False
    scaling: Scaling | None = None
    title: str = ""
    layers: int = 4
    width: int = 15
    heads: int = 9
    dense: tuple[int, ...] = (64, 32)
    residual: bool = False
    epochs: int = 100
    learning_rate: float = 3e-3
    patience: int = 4
    stop_after: int | None = 12
    batch_size: int = 6
    precision: Literal["single", "double"] = "single"
    trees: int = 300
    leaves: int = 15
    leaf_atoms: int = 20
    shrinkage: float = 0.05
    regularisation: float = 1e-4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a model: its kind is {self.kind!r}; choose from {', '.join(KINDS)}")
        for name, choices in (("imbalance", IMBALANCES[self.kind]), ("scaling", SCALINGS[self.kind])):
            given = getattr(self, name)
            if given is None:
                object.__setattr__(self, name, choices[0])
            elif given not in choices:
                raise InputError(
                    f"a {KINDS[self.kind]}: {given!r} is no {name} for it; choose from {', '.join(choices)}"
                )
        if not self.features or len(set(self.features)) < len(self.features):
            raise InputError(f"a {KINDS[self.kind]}: its features are {self.features}; give each once, at least one")
        if self.kind == "ranking" and len(self.features) > 1:
            raise InputError(
                f"a ranking: {len(self.features)} features were given; give the one that atoms are ranked by"
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        whole: tuple[str, ...] = ("layers", "width", "heads", "epochs", "patience", "batch_size", "trees", "leaf_atoms")
        positive = ("threshold", "balance", "learning_rate", "shrinkage", "regularisation")
        if self.stop_after is not None:
            whole += ("stop_after",)
        for name in whole:
            if getattr(self, name) < 1:
                raise InputError(f"a {KINDS[self.kind]}: {name} is {getattr(self, name)}; give 1 or more")
        for name in positive:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"a {KINDS[self.kind]}: {name} is {value}; give a positive number")
        if self.leaves < 2 or any(nodes < 1 for nodes in self.dense) or not 0 <= self.focusing < math.inf:
            raise InputError(
                f"a {KINDS[self.kind]}: leaves {self.leaves}, dense {self.dense}, focusing {self.focusing}; give 2 "
                "leaves or more, dense layers of 1 node or more, and a focusing of 0 or more"
            )
        if self.precision not in ("single", "double"):
            raise InputError(f"a {KINDS[self.kind]}: precision is {self.precision!r}; give 'single' or 'double'")

    @property
    def name(self) -> str:
        """What a reader calls it."""
        if self.title:
            return self.title
        if self.kind == "ranking":
            return f"ranking by {self.features[0]}"
        size = f" {self.layers} × {self.width} × {self.heads}" if self.kind == "gat" else ""
        size += " with residuals" if self.kind == "gat" and self.residual else ""
        count = f"{len(self.features)} features" if len(self.features) > 1 else self.features[0]
        treated = "" if self.imbalance == IMBALANCES[self.kind][0] else f", {self.imbalance}"
        treated += ", runs alike" if self.equal_runs else ""
        return f"{KINDS[self.kind]}{size}, {count}{treated}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ModelSettings:
        """The settings that :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            A setting is not known, or kind and features are missing.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(stored) - known)
        missing = sorted({"kind", "features"} - set(stored))
        if unknown or missing:
            raise InputError(
                f"settings of a model: {', '.join([*unknown, *missing])} unknown or missing; known are "
                f"{', '.join(sorted(known))}"
            )
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        return cls(**given)
