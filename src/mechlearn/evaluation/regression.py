"""How far predictions are from what they should be.

With the error e = prediction − reference, the root squared error of one value is √(e²) = |e|.  Energies are
compared per atom (eV/atom), forces per Cartesian component (eV/Å), stresses per Voigt component (GPa).
A reference that is NaN is no label and is left out; a prediction that is not finite is a failure of
the model and is never left out in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.errors import InputError, WorkError

#: A sum of squares below this is no variation in any unit, and dividing by it would overflow.
NO_VARIATION = 1e-200


@dataclass(frozen=True)
class RegressionErrors:
    """The errors of predictions, in the unit of what was predicted (R² has none).

    Attributes
    ----------
    count : int
        How many labelled values were compared.
    rmse : float
        Root mean square error, √⟨e²⟩.
    mae : float
        Mean absolute error, ⟨|e|⟩.
    r2 : float
        Coefficient of determination, 1 − Σe²/Σ(r − ⟨r⟩)²; NaN where the reference does not vary.
    bias : float
        Mean signed error, ⟨e⟩.
    maximum : float
        The largest root squared error.
    median, worst_percent : float
        The root squared error that half of the values stay below, and that 99% of them do.
    """

    count: int
    rmse: float
    mae: float
    r2: float
    bias: float
    maximum: float
    median: float
    worst_percent: float


def regression_errors(
    predicted: Float[np.ndarray, "..."], reference: Float[np.ndarray, "*shape"], what: str = "values"
) -> RegressionErrors:
    """Compare predictions with their reference, value by value.

    Parameters
    ----------
    predicted, reference : arrays of one shape
        Both in the same unit; NaN in the reference where there is no label.
    what
        What is compared, for the message of an error.

    Raises
    ------
    InputError
        If the shapes differ or no value has a label.
    WorkError
        If a prediction that has a label is not finite.

    Examples
    --------
    >>> errors = regression_errors(np.array([1.0, 2.0, 5.0]), np.array([1.0, 3.0, np.nan]))
    >>> errors.count, round(errors.rmse, 3), errors.mae, errors.r2
    (2, 0.707, 0.5, 0.5)
    """
    labelled = labelled_values(predicted, reference, what)
    if not labelled.any():
        raise InputError(f"comparing {what}: none of {reference.size} reference values is a number; give labels")
    truth = reference[labelled]
    error = predicted[labelled] - truth
    root_squared = np.abs(error)
    variation = np.sum((truth - truth.mean()) ** 2)
    median, worst_percent = np.quantile(root_squared, [0.5, 0.99])
    return RegressionErrors(
        count=int(error.size),
        rmse=float(np.sqrt(np.mean(error**2))),
        mae=float(root_squared.mean()),
        r2=float(1 - np.sum(error**2) / variation) if variation > NO_VARIATION else np.nan,
        bias=float(error.mean()),
        maximum=float(root_squared.max()),
        median=float(median),
        worst_percent=float(worst_percent),
    )


def labelled_values(
    predicted: Float[np.ndarray, "..."], reference: Float[np.ndarray, "*shape"], what: str = "values"
) -> Bool[np.ndarray, "*shape"]:
    """Where the reference holds a label, once the two arrays are known to be comparable.

    Raises
    ------
    InputError
        If the shapes differ.
    WorkError
        If a prediction that has a label is not finite.
    """
    if predicted.shape != reference.shape:
        raise InputError(
            f"comparing {what}: predictions of shape {predicted.shape} but references of shape "
            f"{reference.shape}; give one prediction a reference, in the same order"
        )
    labelled: Bool[np.ndarray, "*shape"] = np.isfinite(reference)
    failed = labelled & ~np.isfinite(predicted)
    if failed.any():
        first = tuple(int(index) for index in np.argwhere(failed)[0])
        raise WorkError(
            f"comparing {what}: {int(failed.sum())} of {int(labelled.sum())} predictions are not finite, "
            f"the first at index {first}; the model fails there, find out why before scoring it"
        )
    return labelled


# What follows are statistics of column totals, in the form that resampling takes.


def error_columns(
    predicted: Float[np.ndarray, " values"],
    reference: Float[np.ndarray, " values"],
    threshold: float = np.inf,
) -> Float[np.ndarray, "values 6"]:
    """The columns 1, |e|, e², r, r² and [|e| ≤ threshold], whose totals give every metric below.

    The reference r is counted from its mean, which leaves R² as it is and keeps its digits.
    """
    error = predicted - reference
    centred = reference - reference.mean()
    within = (np.abs(error) <= threshold).astype(np.float64)
    return np.stack([np.ones_like(error), np.abs(error), error**2, centred, centred**2, within], axis=1)


def root_mean_square(totals: Float[np.ndarray, "draws 6"]) -> Float[np.ndarray, " draws"]:
    """√(Σe²/n) of each draw."""
    return np.asarray(np.sqrt(totals[:, 2] / totals[:, 0]))


def mean_absolute(totals: Float[np.ndarray, "draws 6"]) -> Float[np.ndarray, " draws"]:
    """Σ|e|/n of each draw."""
    return np.asarray(totals[:, 1] / totals[:, 0])


def determination(totals: Float[np.ndarray, "draws 6"]) -> Float[np.ndarray, " draws"]:
    """R² = 1 − Σe²/(Σr² − (Σr)²/n) of each draw; NaN where the reference does not vary."""
    variation = totals[:, 4] - totals[:, 3] ** 2 / totals[:, 0]
    # Rounding leaves a trace of the squares; below it the reference is constant.
    constant = variation <= np.maximum(1e-14 * totals[:, 4], NO_VARIATION)
    return np.where(constant, np.nan, 1 - totals[:, 2] / np.where(constant, 1.0, variation))


def share_within(totals: Float[np.ndarray, "draws 6"]) -> Float[np.ndarray, " draws"]:
    """The share of values whose root squared error is at most the threshold, of each draw."""
    return np.asarray(totals[:, 5] / totals[:, 0])
