"""Equations held against the data: how long their simulation agrees, and what they leave over in every window.

Errors are in standard deviations of the fields, with the part that the data's noise σ has in them taken off,

    e²(t) = mean over fields of (⟨(simulated − measured)²⟩ − σ²)/(variance − σ²).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.noise import field_noises
from mechlearn.equations.equation import Equation
from mechlearn.equations.motion.simulation import SimulationSettings, follow
from mechlearn.equations.search.library import candidate_of
from mechlearn.equations.search.weak import WeakRows, Windows, choose_windows, weak_rows
from mechlearn.equations.search.weak_noise import NoisyTerms
from mechlearn.errors import InputError


@dataclass(frozen=True)
class ComparisonSettings:
    """How equations are held against data.

    Attributes
    ----------
    simulation : SimulationSettings
        Boundary, tolerance.
    horizon : float
        The error up to which a simulation agrees.
    rows : int
        How many windows at most.
    noise : float or None
        Standard deviation of the noise over that of the field; measured where None.
    """

    simulation: SimulationSettings = SimulationSettings()  # noqa: RUF009 - frozen
    horizon: float = 0.1
    rows: int = 300
    noise: float | None = None


@dataclass(frozen=True, eq=False)
class EquationComparison:
    """How equations agree with data.

    Attributes
    ----------
    simulation : Field or None
        What follows from the start of the data; up to where it went, None where that is nowhere.
    errors : (times,)
        e at every time of the data; NaN where there is no simulation.
    error : float
        Root mean square of ``errors``; NaN where the simulation did not come to the end.
    horizon : float or None
        How long the error stays within the limit; None where it does to the end.
    failure : str
        Why the simulation ended early; empty where it did not.
    residual : Field or None
        ∫ψ(u_t − …) of every window over its standard deviation by noise, at the windows' middles; NaN where a window
        meets a gap.  None where data are too few for windows.
    residual_share : float
        ‖∫ψ(u_t − …)‖/‖∫ψ u_t‖, noise included.
    residual_square : float
        Mean square of ``residual``: near 1 where noise explains all that is left over.
    """

    simulation: Field | None
    errors: Float[np.ndarray, " times"]
    error: float
    horizon: float | None
    failure: str
    residual: Field | None
    residual_share: float
    residual_square: float

    def to_dict(self) -> dict[str, Any]:
        """A form for JSON, without the fields; what is not a number is null."""
        return {
            "error": _number(self.error),
            "errors": [_number(error) for error in self.errors.tolist()],
            "horizon": self.horizon,
            "failure": self.failure,
            "residual_share": _number(self.residual_share),
            "residual_square": _number(self.residual_square),
        }


def compare_equations(
    equations: Sequence[Equation], field: Field, settings: ComparisonSettings = ComparisonSettings()
) -> EquationComparison:
    """Simulate equations from the start of data, and test them by windows all over the data.

    Parameters
    ----------
    equations
        ∂u/∂t of every field, once.
    field
        The data; gaps and noise do no harm.
    settings
        Limit of the error, windows, noise.

    Raises
    ------
    InputError
        If equations and data do not fit, the grid is not uniform, or a field is the same everywhere.

    Examples
    --------
    >>> from mechlearn.equations.equation import Coefficient, Term
    >>> t = np.linspace(0, 10, 400)
    >>> decay = Field({"u": np.exp(-0.3 * t)}, {"t": t})
    >>> guess = Equation(Term("u_t"), (Coefficient(Term("u"), -0.25),))
    >>> compared = compare_equations([guess], decay)
    >>> round(float(compared.horizon), 2), round(compared.residual_share, 2)
    (0.63, 0.17)
    """
    field.require_change()
    noises = field_noises(field, settings.noise)
    run = follow(equations, field, settings=replace(settings.simulation, noise=settings.noise))
    errors = simulation_errors(run.field, field, noises, settings.horizon)
    share = square = float("nan")
    residual = None
    windows = _windows(field, noises, settings.rows)
    if windows is not None:
        residual, share, square = _residual(equations, field, noises, windows)
    return EquationComparison(
        simulation=run.field,
        errors=errors,
        error=float("nan") if run.failure else float(np.sqrt(np.nanmean(errors**2))),
        horizon=_horizon(errors, field.coordinates["t"], settings.horizon),
        failure=run.failure,
        residual=residual,
        residual_share=share,
        residual_square=square,
    )


def simulation_errors(
    simulation: Field | None, field: Field, noises: Sequence[float], limit: float
) -> Float[np.ndarray, " times"]:
    """e of the module's head at every time of the data, NaN where there is no simulation.

    Where fields have so few points that noise alone might pass the limit, as of trajectories, squares are averaged over
    neighbouring times.
    """
    times = field.coordinates["t"]
    total = np.full(len(times), np.nan)
    if simulation is None:
        return total
    begin = int(np.searchsorted(times, simulation.coordinates["t"][0]))
    span = slice(begin, begin + len(simulation.coordinates["t"]))
    parts = []
    for name, noise in zip(field.names, noises, strict=True):
        measured = np.moveaxis(field.values[name], field.time_axis, 0)[span].reshape(span.stop - begin, -1)
        simulated = np.moveaxis(simulation.values[name], field.time_axis, 0).reshape(measured.shape)
        variance = max(float(np.nanvar(field.values[name])) - noise**2, np.finfo(float).tiny)
        known = np.isfinite(measured).sum(axis=1)
        squares = np.nansum((simulated - measured) ** 2, axis=1)
        points = max(float(known.mean()), 1.0)
        wanted = 2 * (8 * noise**2 / variance / limit**2) ** 2 / points
        size = int(np.clip(wanted, 1, max(len(known) / 10, 1)))
        counts = np.maximum(_running(known.astype(float), size), np.finfo(float).tiny)
        parts.append(np.maximum(_running(squares, size) / counts - noise**2, 0.0) / variance)
    total[span] = np.sqrt(np.mean(parts, axis=0))
    return total


def _running(values: Float[np.ndarray, " times"], size: int) -> Float[np.ndarray, " times"]:
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(values, size, mode="nearest") if size > 1 else values


def _horizon(errors: Float[np.ndarray, " times"], times: Float[np.ndarray, " times"], limit: float) -> float | None:
    """From the start to the first time at which the simulation is wrong, or is no more."""
    simulated = np.flatnonzero(np.isfinite(errors))
    if not len(simulated):
        return 0.0
    wrong = np.flatnonzero(~(errors[simulated[0] :] <= limit))
    return float(times[simulated[0] + wrong[0]] - times[simulated[0]]) if len(wrong) else None


def _windows(field: Field, noises: Sequence[float], rows: int) -> Windows | None:
    """Windows for the data, None where these are too few."""
    try:
        return choose_windows(field, noises, rows)
    except InputError:
        return None


def _residual(
    equations: Sequence[Equation], field: Field, noises: Sequence[float], windows: Windows
) -> tuple[Field, float, float]:
    """The map of residuals, their share, and their mean square."""
    names = list(dict.fromkeys(c.term.name for equation in equations for c in equation.coefficients)) or ["1"]
    library = [candidate_of(name, field.names, field.axes) for name in names]
    rows = weak_rows(field, library, windows, noises)
    maps, shares = {}, []
    by_lhs = {equation.lhs.name: equation for equation in equations}
    for number, name in enumerate(field.names):
        v = np.append(np.zeros(len(names)), 1.0)
        for coefficient in by_lhs[f"{name}_t"].coefficients:
            v[names.index(coefficient.term.name)] -= coefficient.value
        noisy = NoisyTerms.of_rows(rows, library, number, windows, field.steps(), noises, field.time_axis)
        residuals = noisy.columns @ v
        shares.append(np.sum(residuals**2) / np.sum(rows.targets[:, number] ** 2))
        maps[name] = residuals / np.sqrt(np.diag(noisy.covariance(v)))
    square = float(np.mean([values**2 for values in maps.values()]))
    return _map(field, windows, rows, maps), float(np.sqrt(np.mean(shares))), square


def _map(field: Field, windows: Windows, rows: WeakRows, values: dict[str, Float[np.ndarray, " rows"]]) -> Field:
    """Numbers of windows as fields on the grid of their middles."""
    shape = tuple(rows.places.max(axis=0) + 1)
    maps = {}
    for name, numbers in values.items():
        maps[name] = np.full(shape, np.nan)
        maps[name][tuple(rows.places.T)] = numbers
    middles = {
        axis: points[half + stride * np.arange(count)]
        for (axis, points), half, stride, count in zip(
            field.coordinates.items(), windows.half_widths, windows.strides, shape, strict=True
        )
    }
    return Field(maps, middles, field.units)


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
