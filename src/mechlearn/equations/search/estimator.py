"""The sparse regression as an estimator of scikit-learn, which PySINDy takes for an optimiser too."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mechlearn.equations.search.elimination import Constraints
from mechlearn.equations.search.regression import SparseSettings, sparse_regression


class SparseRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Few columns out of many, with intervals and inclusion probabilities.

    Parameters
    ----------
    criterion : {"information", "held_out"}
        What chooses the number of terms.
    blocks, folds, resamples, level
        As in ``SparseSettings``.
    constraints
        C ξ = d of every target, held in resamples too.
    random_state : int
        Seed of folds and resamples.

    Attributes
    ----------
    coef_ : (terms,) or (targets, terms)
        Coefficients.
    low_, high_, probability_
        Intervals and inclusion probabilities, of the same shape.
    fits_ : tuple of SparseFit
        All that was found, by target.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 5))
    >>> SparseRegressor().fit(x, 2 * x[:, 1] - x[:, 3]).coef_.round(3) + 0.0
    array([ 0.,  2.,  0., -1.,  0.])
    """

    def __init__(
        self,
        *,
        criterion: Literal["information", "held_out"] = "information",
        blocks: int = 50,
        folds: int = 5,
        resamples: int = 200,
        level: float = 0.95,
        constraints: Constraints | None = None,
        random_state: int = 0,
    ) -> None:
        self.criterion = criterion
        self.blocks = blocks
        self.folds = folds
        self.resamples = resamples
        self.level = level
        self.constraints = constraints
        self.random_state = random_state

    def fit(
        self,
        X: Shaped[np.ndarray, "samples terms"],
        y: Shaped[np.ndarray, "..."],
        groups: Shaped[np.ndarray, " samples"] | None = None,
    ) -> SparseRegressor:
        """Fit every target for itself; samples of one group are left out and drawn together."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=float)
        settings = SparseSettings(self.criterion, self.blocks, self.folds, self.resamples, self.level)
        targets = np.asarray(y, dtype=float).reshape(len(X), -1)
        self.fits_ = tuple(
            sparse_regression(
                np.asarray(X),
                target,
                rng=np.random.default_rng(self.random_state),
                groups_of_samples=groups,
                settings=settings,
                constraints=self.constraints,
            )
            for target in targets.T
        )
        found = {"coef_": "coefficients", "low_": "low", "high_": "high", "probability_": "probability"}
        for attribute, name in found.items():
            values = np.stack([getattr(fit, name) for fit in self.fits_])
            setattr(self, attribute, values if y.ndim > 1 else values[0])
        self.intercept_ = 0.0
        return self

    def predict(self, X: Shaped[np.ndarray, "samples terms"]) -> Float[np.ndarray, "..."]:
        """Θ ξ."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype=float) @ self.coef_.T)

    @property
    def complexity(self) -> int:
        """How many coefficients are not zero."""
        check_is_fitted(self)
        return int(np.count_nonzero(self.coef_))
