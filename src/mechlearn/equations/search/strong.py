"""The strong form: derivatives of the data themselves, by PySINDy's differentiation; for data with little noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.search.library import Candidate
from mechlearn.errors import InputError, installation

#: Order of accuracy of the finite differences.
_ACCURACY = 6


def strong_rows(
    field: Field, candidates: Sequence[Candidate]
) -> tuple[Float[np.ndarray, "samples terms"], Float[np.ndarray, "samples fields"]]:
    """Every candidate and the time derivative of every field at every point, the rim of the grid left out.

    Raises
    ------
    InputError
        If the grid is not uniform, has gaps or is too short, or PySINDy is not installed.
    """
    field.require_complete()
    steps = field.steps()
    rim = _ACCURACY * 2
    for axis, points in field.coordinates.items():
        if len(points) < 3 * rim:
            raise InputError(
                f"the strong form needs at least {3 * rim} points along every axis; {axis} has {len(points)}"
            )
    inside = (slice(rim, -rim),) * len(steps)
    values = [np.asarray(values, dtype=float) for values in field.values.values()]
    columns = [
        candidate.factor * finite_difference(candidate.monomial(values), candidate.derivatives, steps)[inside].ravel()
        for candidate in candidates
    ]
    time = tuple(int(axis == field.time_axis) for axis in range(len(steps)))
    targets = [finite_difference(value, time, steps)[inside].ravel() for value in values]
    return np.column_stack(columns), np.column_stack(targets)


def finite_difference(
    values: Float[np.ndarray, "*grid"], orders: tuple[int, ...], steps: tuple[float, ...]
) -> Float[np.ndarray, "*grid"]:
    """D^orders of values on a uniform grid, one-sided at its rim.

    Raises
    ------
    InputError
        If PySINDy is not installed.
    """
    try:
        from pysindy.differentiation import FiniteDifference
    except ImportError as error:
        raise InputError(f"the strong form needs PySINDy: {installation('equations')}") from error
    for axis, (order, step) in enumerate(zip(orders, steps, strict=True)):
        if order:
            values = np.asarray(FiniteDifference(order=_ACCURACY, d=order, axis=axis)._differentiate(values, step))
    return values
