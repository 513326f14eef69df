"""The equivariant terms as a feature library of PySINDy.

PySINDy fits every component of ẋ with coefficients of its own.  A term of a tensor law is a tensor with one
coefficient, so that its components become features, and equal coefficients a constraint C vec(Ξ) = 0: component c of
the law takes component c of each term, all with the same coefficient.  ``EquivariantRegression`` is an optimiser that
holds this by construction; ``constraints`` gives C for PySINDy's ``ConstrainedSR3`` (which needs cvxpy).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.equations.peers.pysindy_interface import (
    AxesArray,
    BaseFeatureLibrary,
    BaseOptimizer,
    comprehend_axes,
    x_sequence_or_item,
)
from mechlearn.equations.search.regression import SparseSettings, sparse_regression
from mechlearn.equations.symmetry.equivariants import EquivariantLibrary
from mechlearn.errors import InputError


class EquivariantFeatures(BaseFeatureLibrary):  # type: ignore[misc]  # PySINDy asks for the subclass
    """The components of every equivariant term as features, term by term.

    Parameters
    ----------
    library
        The terms; the columns of PySINDy's data are the components of its inputs, one input after another.

    Examples
    --------
    >>> from mechlearn.equations.symmetry.equivariants import equivariant_library
    >>> from mechlearn.equations.symmetry.quantities import Quantity
    >>> velocity, field = Quantity("v", "vector"), Quantity("B", "axial vector")
    >>> features = EquivariantFeatures(equivariant_library([velocity, field], velocity, "isotropic", 2))
    >>> features.fit(np.ones((4, 6))).get_feature_names()
    ['v .x', 'v .y', 'v .z', 'v × B .x', 'v × B .y', 'v × B .z']
    """

    def __init__(self, library: EquivariantLibrary) -> None:
        self.library = library

    @x_sequence_or_item  # type: ignore[untyped-decorator]
    def fit(self, x_full: Any, y: Any = None) -> EquivariantFeatures:
        """Check that the data have as many columns as the inputs have components."""
        expected = sum(len(quantity.indices) for quantity in self.library.inputs)
        self.n_features_in_ = x_full[0].shape[x_full[0].ax_coord]
        if self.n_features_in_ != expected:
            raise InputError(
                f"fitting equivariant terms: the data have {self.n_features_in_} columns, the inputs "
                f"{', '.join(one.name for one in self.library.inputs)} {expected} components; give these columns"
            )
        self.n_output_features_ = len(self.library) * len(self.library.output.indices)
        return self

    @x_sequence_or_item  # type: ignore[untyped-decorator]
    def transform(self, x_full: Any) -> list[Any]:
        """The components of all terms at every sample."""
        return [self._features(x) for x in x_full]

    def get_feature_names(self, input_features: Any = None) -> list[str]:
        """The name of each term with the component."""
        labels = [label.partition("_")[2] for label in self.library.output.labels]
        return [f"{name} .{label}" if label else name for name in self.library.names for label in labels]

    def constraints(self) -> tuple[Float[np.ndarray, "constraints unknowns"], Float[np.ndarray, " constraints"]]:
        """C and d with C vec(Ξ) = d, in PySINDy's order ``"target"``, for ``ConstrainedSR3``.

        The targets are the components of the output; unknown (c, t, c′) is the coefficient in target c of component
        c′ of term t.  It is zero for c′ ≠ c, and for c′ = c it is that of target 0.
        """
        components, terms = len(self.library.output.indices), len(self.library)
        place = np.arange(components * terms * components).reshape(components, terms, components)
        rows = []
        for target in range(components):
            for term in range(terms):
                for component in range(components):
                    row = np.zeros(place.size)
                    row[place[target, term, component]] = 1.0
                    if component == target and target > 0:
                        row[place[0, term, 0]] = -1.0
                    if component != target or target > 0:
                        rows.append(row)
        return np.array(rows).reshape(-1, place.size), np.zeros(len(rows))

    def _features(self, x: Any) -> Any:
        data = np.asarray(x, dtype=float)
        ends = np.cumsum([len(quantity.indices) for quantity in self.library.inputs])[:-1]
        parts = np.split(data.reshape(-1, data.shape[-1]), ends, axis=1)
        values = {quantity.name: part for quantity, part in zip(self.library.inputs, parts, strict=True)}
        features = self.library.evaluate(values).reshape(*data.shape[:-1], -1)
        return AxesArray(features, comprehend_axes(features))


class EquivariantRegression(BaseOptimizer):  # type: ignore[misc]  # PySINDy asks for the subclass
    """An optimiser of PySINDy that gives every term one coefficient in all components, and few terms.

    Parameters
    ----------
    library
        The terms of ``EquivariantFeatures``.
    settings
        How the sparse regression chooses.
    seed
        Of its resamples.
    """

    def __init__(
        self,
        library: EquivariantLibrary,
        settings: SparseSettings = SparseSettings(),  # noqa: B008 - frozen
        seed: int = 0,
    ) -> None:
        # Unbiasing would fit the components apart from each other again.
        super().__init__(unbias=False)
        self.library = library
        self.settings = settings
        self.seed = seed

    def _reduce(self, x: Any, y: Any) -> EquivariantRegression:
        components = len(self.library.output.indices)
        weights = np.sqrt(self.library.output.metric)
        features = np.asarray(x, dtype=float).reshape(len(x), len(self.library), components) * weights
        blocks = np.arange(len(x)) * min(self.settings.blocks, len(x)) // len(x)
        self.fit_ = sparse_regression(
            features.swapaxes(1, 2).reshape(-1, len(self.library)),
            (np.asarray(y, dtype=float) * weights).ravel(),
            rng=np.random.default_rng(self.seed),
            groups_of_samples=np.repeat(blocks, components),
            settings=self.settings,
        )
        self.coef_ = np.kron(self.fit_.coefficients, np.eye(components)) + 0.0
        self.ind_ = self.coef_ != 0
        return self
