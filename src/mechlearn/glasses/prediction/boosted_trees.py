"""Gradient-boosted trees as plain arrays: grown by scikit-learn, kept and evaluated without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from threadpoolctl import threadpool_limits

from mechlearn.errors import InputError
from mechlearn.glasses.prediction.boosted_tree_kernels import add_trees
from mechlearn.glasses.prediction.event_settings import ModelSettings

#: The fields of scikit-learn's nodes, by what they are called here.
_FIELDS: Final = {
    "feature": ("feature_idx", np.int32),
    "threshold": ("num_threshold", np.float64),
    "left": ("left", np.int32),
    "right": ("right", np.int32),
    "leaf": ("value", np.float64),
}


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A sum of decision trees, the logarithm of the odds that an atom is positive.

    Attributes
    ----------
    columns : int
        Features that the trees ask for.
    baseline : float
        What the sum begins with.
    roots : (trees,)
        Where the nodes of each tree begin.
    feature, threshold, left, right, leaf : (nodes,)
        An atom goes left where that feature is no larger than the threshold; ``left`` is −1 in a leaf.

    Raises
    ------
    InputError
        The arrays are no trees.
    """

    columns: int
    baseline: float
    roots: Int[np.ndarray, " trees"]
    feature: Int[np.ndarray, " nodes"]
    threshold: Float[np.ndarray, " nodes"]
    left: Int[np.ndarray, " nodes"]
    right: Int[np.ndarray, " nodes"]
    leaf: Float[np.ndarray, " nodes"]

    def __post_init__(self) -> None:
        nodes = np.arange(len(self.left))
        inner = self.left >= 0
        # A child stands behind its parent, so that every walk ends.
        sound = (
            all(len(array) == len(nodes) for array in (self.feature, self.threshold, self.right, self.leaf))
            and (np.minimum(self.left, self.right)[inner] > nodes[inner]).all()
            and (np.maximum(self.left, self.right)[inner] < len(nodes)).all()
            and ((self.feature[inner] >= 0) & (self.feature[inner] < self.columns)).all()
            and ((self.roots >= 0) & (self.roots < len(nodes))).all()
        )
        if not sound:
            raise InputError("building boosted trees: the arrays do not make trees; give those that were saved")

    def __len__(self) -> int:
        return len(self.roots)

    @classmethod
    def of_scikit_learn(cls, classifier: Any) -> BoostedTrees:
        """The trees of a fitted ``HistGradientBoostingClassifier`` of two classes and numbers alone."""
        each = [trees[0].nodes for trees in classifier._predictors]
        starts = np.concatenate([[0], np.cumsum([len(nodes) for nodes in each])])
        joined = {
            name: np.concatenate([nodes[field].astype(dtype) for nodes in each])
            for name, (field, dtype) in _FIELDS.items()
        }
        leaves = np.concatenate([nodes["is_leaf"].astype(bool) for nodes in each])
        shift = np.repeat(starts[:-1], np.diff(starts)).astype(np.int32)
        for side in ("left", "right"):
            joined[side] = np.where(leaves, -1, joined[side] + shift).astype(np.int32)
        baseline = float(np.ravel(classifier._baseline_prediction)[0])
        return cls(int(classifier.n_features_in_), baseline, starts[:-1].astype(np.int32), **joined)

    def log_odds(self, values: Float[np.ndarray, "atoms columns"]) -> Float[np.ndarray, " atoms"]:
        """The baseline and the leaves that each atom ends in, summed.

        Raises
        ------
        InputError
            There are other columns than the trees ask for.
        """
        if values.shape[1] != self.columns:
            raise InputError(f"boosted trees: {values.shape[1]} columns were given, {self.columns} are asked for")
        sums = np.full(len(values), self.baseline)
        self._add(values, self.roots, sums)
        return sums

    def shortened(
        self,
        values: Float[np.ndarray, "atoms columns"],
        positive: Bool[np.ndarray, " atoms"],
        weights: Float[np.ndarray, " atoms"],
    ) -> BoostedTrees:
        """As many of the trees, from the first, as give the lowest weighted cross-entropy on these atoms."""
        sums, signs = np.full(len(values), self.baseline), np.where(positive, -1.0, 1.0)
        losses = []
        for tree in range(len(self)):
            self._add(values, self.roots[tree : tree + 1], sums)
            losses.append(float(weights @ np.logaddexp(0.0, signs * sums)))
        kept = int(np.argmin(losses)) + 1
        end = self.roots[kept] if kept < len(self) else len(self.left)
        parts = {name: getattr(self, name)[:end] for name in _FIELDS}
        return BoostedTrees(self.columns, self.baseline, self.roots[:kept], **parts)

    def confidences(self, values: Float[np.ndarray, "atoms columns"]) -> Float[np.ndarray, " atoms"]:
        """Probabilities: 1/(1 + e^−sum)."""
        return np.asarray(expit(self.log_odds(values)))

    def arrays(self) -> dict[str, np.ndarray]:
        """All there is to it, by name."""
        parts = {name: getattr(self, name) for name in _FIELDS}
        return {**parts, "roots": self.roots, "baseline": np.array(self.baseline), "columns": np.array(self.columns)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> BoostedTrees:
        """What :meth:`arrays` gave."""
        parts = {name: arrays[name] for name in _FIELDS}
        return cls(int(arrays["columns"]), float(arrays["baseline"]), arrays["roots"], **parts)

    def _add(
        self,
        values: Float[np.ndarray, "atoms columns"],
        roots: Int[np.ndarray, " chosen"],
        sums: Float[np.ndarray, " atoms"],
    ) -> None:
        add_trees(values, self.feature, self.threshold, self.left, self.right, self.leaf, roots, sums)


def fit_boosted_trees(
    values: Float[np.ndarray, "atoms columns"],
    positive: Bool[np.ndarray, " atoms"],
    weights: Float[np.ndarray, " atoms"],
    settings: ModelSettings,
    seed: int,
) -> BoostedTrees:
    """Grow trees on scaled features, with one thread, so that a seed means one model.

    Parameters
    ----------
    values
        Scaled features.
    positive
        Which atoms are.
    weights
        What each counts; those that count 0 are left out.
    settings
        Trees, leaves, shrinkage.
    seed
        Of the draw of atoms that thresholds are taken from, where there are more than 200,000.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    chosen = weights > 0
    classifier = HistGradientBoostingClassifier(
        learning_rate=settings.shrinkage,
        max_iter=settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf_atoms,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        classifier.fit(values[chosen], positive[chosen], sample_weight=weights[chosen])
    return BoostedTrees.of_scikit_learn(classifier)
