"""Signed errors, prediction − reference, of one set: what every summary of them needs."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError, WorkError
from mechlearn.evaluation.scorecard import Metric
from mechlearn.evaluation.tables import significant


def squares(errors: Float[np.ndarray, " values"]) -> Float[np.ndarray, "values 2"]:
    """The columns 1 and e²."""
    return np.stack([np.ones_like(errors), errors**2], axis=1)


def root_mean_square(totals: Float[np.ndarray, "draws 2"]) -> Float[np.ndarray, " draws"]:
    """√(Σe²/Σ1) of sums over the columns of ``squares``."""
    return np.asarray(np.sqrt(totals[:, 1] / totals[:, 0]))


def times_worse(ratio: Metric) -> str:
    """ "is 40 times worse (36 to 47) than", or the fitting words where it is no worse."""
    known = math.isfinite(ratio.low) and math.isfinite(ratio.high)
    between = f" ({significant(ratio.low, 2)} to {significant(ratio.high, 2)})" if known else ""
    if not math.isfinite(ratio.value):
        return "cannot be compared with"
    if known and ratio.low <= 1 <= ratio.high:
        return f"is not measurably different (ratio {significant(ratio.value, 2)}{between}) from"
    if ratio.value >= 1:
        return f"is {significant(ratio.value, 2)} times worse{between} than"
    return f"is better, its error {significant(ratio.value, 2)} times{between} that of"


def check_errors(what: str, values: Float[np.ndarray, " values"]) -> None:
    """Refuse none at all, and errors that are not finite.

    Raises
    ------
    InputError
        If there are none.
    WorkError
        If one is not finite.
    """
    if len(values) == 0:
        raise InputError(f"{what}: there are no errors; test it on at least one structure")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise WorkError(f"{what}: {bad} of {len(values)} errors are not finite; find where the model fails")
