"""A plane in the space of features: the linear support vector machine, and the order of one feature."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit
from threadpoolctl import threadpool_limits

from mechlearn.errors import WorkError
from mechlearn.glasses.prediction.event_settings import ModelSettings


@dataclass(frozen=True, eq=False)
class LinearScore:
    """f = w·z + b; an atom is called positive where f ≥ 0.

    Attributes
    ----------
    weights : (columns,)
        w.
    offset : float
        b.

    Examples
    --------
    >>> LinearScore(np.array([2.0, 0.0]), -2.0).confidences(np.array([[1.0, 5.0]])).tolist()
    [0.5]
    """

    weights: Float[np.ndarray, " columns"]
    offset: float

    def confidences(self, values: Float[np.ndarray, "atoms columns"]) -> Float[np.ndarray, " atoms"]:
        """1/(1 + e^−f): in the order of f, no probabilities."""
        return np.asarray(expit(values @ self.weights + self.offset))

    def arrays(self) -> dict[str, np.ndarray]:
        """All there is to it, by name."""
        return {"weights": self.weights, "offset": np.array(self.offset)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LinearScore:
        """What :meth:`arrays` gave."""
        return cls(arrays["weights"], float(arrays["offset"]))


def fit_linear_machine(
    values: Float[np.ndarray, "atoms columns"],
    positive: Bool[np.ndarray, " atoms"],
    weights: Float[np.ndarray, " atoms"],
    settings: ModelSettings,
    seed: int,
) -> LinearScore:
    """The linear support vector machine that minimises ½ λ |w|² + mean of w_i max(0, 1 − y_i f_i)².

    λ is beside a mean, so that it means the same for more atoms.

    Parameters
    ----------
    values
        Scaled features.
    positive
        Which atoms are: y = 1, of the others −1.
    weights
        What each counts; those that count 0 are left out.
    settings
        λ.
    seed
        Of scikit-learn, which draws nothing here.

    Raises
    ------
    WorkError
        It does not converge.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    chosen = weights > 0
    machine = LinearSVC(
        C=1.0 / (settings.regularisation * len(values)),
        dual=False,
        intercept_scaling=10.0,
        max_iter=10_000,
        random_state=seed,
    )
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            machine.fit(values[chosen], positive[chosen], sample_weight=weights[chosen])
        except ConvergenceWarning as error:
            raise WorkError(
                f"fitting a linear SVM: it does not converge with a regularisation of {settings.regularisation:g}; "
                "give a larger one"
            ) from error
    return LinearScore(machine.coef_[0].astype(np.float64), float(machine.intercept_[0]))


def call_share(values: Float[np.ndarray, " atoms"], share: float) -> LinearScore:
    """The order of one column, as many atoms called positive as this share.

    Examples
    --------
    >>> call_share(np.array([0.0, 1.0, 2.0, 3.0]), 0.25).confidences(np.array([[2.0], [3.0]])).round(2).tolist()
    [0.44, 0.68]
    """
    return LinearScore(np.ones(1), -float(np.quantile(values, 1.0 - share)))
