"""The weak form: equations tested by smooth windows, derivatives on the window instead of the data.

For a window ψ_k(x) = Π_axes (1 − s²)^p, s = (x − x_k)/w, zero with its derivatives at its edge,

    ∫ ψ_k D^α f = (−1)^|α| ∫ f D^α ψ_k.

Each term of an equation then gives one number a window, and no derivative of noisy data is taken.  Windows lie on a
grid and ψ is a product over axes, so that the sums are done axis after axis, those of all derivatives of a monomial
together; cost is linear in samples.  Windows that meet a gap are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.polynomial import Polynomial

from mechlearn.equations.data.fields import Field
from mechlearn.equations.data.noise import corner_frequencies, unbiased_powers
from mechlearn.equations.search.library import Candidate
from mechlearn.errors import InputError

#: A window may take this share of an axis at most, half of it on each side.
_LARGEST = 0.4

#: A window of power p and half width w has a spectrum about √(2p)/w wide: half widths per corner's wave length.
_PER_WAVE = 1.3

#: Windows that stand farther apart than this share of their half width do not see all of the data.
_FARTHEST = 0.6

#: Windows that stand so many half widths apart only touch.
_SIDE_BY_SIDE = 2.0


@dataclass(frozen=True)
class Windows:
    """Sizes of the windows, in grid steps along every axis.

    Attributes
    ----------
    half_widths : tuple of int
        w.
    strides : tuple of int
        From one window to the next.
    power : int
        p of (1 − s²)^p; more than the highest derivative.
    """

    half_widths: tuple[int, ...]
    strides: tuple[int, ...]
    power: int = 8


def choose_windows(field: Field, noises: Sequence[float], rows: int = 300, power: int = 8) -> Windows:
    """Windows as wide as the finest waves that can be seen above noise, a third of their half width apart or more.

    Parameters
    ----------
    field
        The data.
    noises
        Standard deviation of every field's noise.
    rows
        About how many windows there may be; where there would be more they stand farther apart, then are wider, then
        stand farther apart still.
    power
        p of the windows.

    Raises
    ------
    InputError
        If an axis is too short for windows.
    """
    shape = np.array([len(points) for points in field.coordinates.values()])
    if shape.min() < 3 * power:
        axis = field.axes[int(np.argmin(shape))]
        raise InputError(
            f"the weak form needs at least {3 * power} points along every axis; {axis} has {shape.min()}; "
            "give more points or use the strong form"
        )
    corners = np.array(corner_frequencies(list(field.values.values()), noises))
    largest = _LARGEST / 2 * shape
    half = np.clip(_PER_WAVE * shape / corners, power, largest)
    apart = 1 / 3
    while np.prod(_windows_along(shape, half, apart)) > rows:
        if apart < _FARTHEST:
            apart += 0.02
        elif (half < largest).any():
            half = np.minimum(1.05 * half, largest)
        elif apart < _SIDE_BY_SIDE:  # in space and time there are many windows however wide
            apart += 0.02
        else:
            break
    half = half.astype(int)
    strides = np.maximum((apart * half).astype(int), 1)
    return Windows(tuple(map(int, half)), tuple(map(int, strides)), power)


def _windows_along(
    shape: Int[np.ndarray, " axes"], half: Float[np.ndarray, " axes"], apart: float
) -> Float[np.ndarray, " axes"]:
    return (shape - 2 * half - 1) // np.maximum(apart * half, 1) + 1


@dataclass(frozen=True, eq=False)
class WeakRows:
    """One row a window: the numbers of all candidates, and what is needed to know their noise.

    Attributes
    ----------
    columns : (rows, terms)
        ∫ψ D^α(monomial), by candidate.
    targets : (rows, fields)
        ∫ψ ∂_t u, by field.
    means : (rows, fields)
        Mean of the field over the window, weighted by ψ.
    places : (rows, axes)
        Numbers of the windows along the axes.
    """

    columns: Float[np.ndarray, "rows terms"]
    targets: Float[np.ndarray, "rows fields"]
    means: Float[np.ndarray, "rows fields"]
    places: Int[np.ndarray, "rows axes"]


def weak_rows(field: Field, candidates: Sequence[Candidate], windows: Windows, noises: Sequence[float]) -> WeakRows:
    """Test every candidate and the time derivative of every field by all windows without gaps.

    Raises
    ------
    InputError
        If the grid is not uniform, or no window is free of gaps.
    """
    time = tuple(int(axis == field.time_axis) for axis in range(len(field.axes)))
    still = (0,) * len(field.axes)
    gaps = ~np.logical_and.reduce([np.isfinite(values) for values in field.values.values()])
    kept = ~_meets(gaps, windows)
    if not kept.any():
        raise InputError("the weak form: every window meets a gap; use smaller windows or fill the gaps")
    degree = max((power for candidate in candidates for power in candidate.powers), default=1)
    powers = [
        unbiased_powers(np.where(gaps, 0.0, values), max(degree, 1), noise)
        for values, noise in zip(field.values.values(), noises, strict=True)
    ]
    nothing = (0,) * len(powers)
    alone = [tuple(int(f == one) for f in range(len(powers))) for one in range(len(powers))]
    wanted: dict[tuple[int, ...], set[tuple[int, ...]]] = {nothing: {still}} | {one: {still, time} for one in alone}
    for candidate in candidates:
        wanted.setdefault(candidate.powers, set()).add(candidate.derivatives)
    tested = {}
    for monomial, derivatives in wanted.items():
        product = reduce(np.multiply, [powers[f][power] for f, power in enumerate(monomial) if power] or [powers[0][0]])
        for order, sums in window_sums(product, windows, derivatives, field.steps()).items():
            tested[monomial, order] = sums[kept]
    return WeakRows(
        columns=np.column_stack([c.factor * tested[c.powers, c.derivatives] for c in candidates]),
        targets=np.column_stack([tested[one, time] for one in alone]),
        means=np.column_stack([tested[one, still] / tested[nothing, still] for one in alone]),
        places=np.argwhere(kept),
    )


@lru_cache(maxsize=128)
def window(power: int, half_width: int, derivative: int, step: float) -> Float[np.ndarray, " points"]:
    """(−1)^n d^n/dx^n (1 − s²)^p, times the step, on the points |s| ≤ 1."""
    s = np.arange(-half_width, half_width + 1) / half_width
    polynomial = Polynomial([1.0, 0.0, -1.0]) ** power
    values = polynomial.deriv(derivative)(s) if derivative else polynomial(s)
    return (-1.0) ** derivative * step * values / (half_width * step) ** derivative


def window_sums(
    values: Float[np.ndarray, "*grid"],
    windows: Windows,
    derivatives: Collection[tuple[int, ...]],
    steps: tuple[float, ...],
) -> dict[tuple[int, ...], Float[np.ndarray, "*windows"]]:
    """∫ψ_k D^α f for all windows k, by α.

    An axis with few orders of derivatives comes first (time, as a rule), since what it leaves is many times smaller.
    """
    axes = sorted(range(values.ndim), key=lambda axis: len({orders[axis] for orders in derivatives}))
    partial: dict[tuple[int, ...], Float[np.ndarray, "*_"]] = {(): values}
    for depth, axis in enumerate(axes):
        longer = {}
        for done, sums in partial.items():
            matching = [orders for orders in derivatives if tuple(orders[a] for a in axes[:depth]) == done]
            next_orders = sorted({orders[axis] for orders in matching})
            half, stride, step = windows.half_widths[axis], windows.strides[axis], steps[axis]
            weights = np.stack([window(windows.power, half, order, step) for order in next_orders])
            for order, summed in zip(next_orders, _sums_along(sums, axis, weights, stride), strict=True):
                longer[(*done, order)] = summed
        partial = longer
    return {orders: partial[tuple(orders[a] for a in axes)] for orders in derivatives}


def _sums_along(
    values: Float[np.ndarray, "*grid"], axis: int, weights: Float[np.ndarray, "orders points"], stride: int
) -> list[Float[np.ndarray, "*_"]]:
    """Σ_p weights[o, p] values[…, k stride + p, …] for all windows k, by o."""
    points = weights.shape[1]
    ahead = np.moveaxis(values, axis, 0)
    flat = ahead.reshape(len(ahead), -1)
    sums = np.stack([weights @ flat[at : at + points] for at in range(0, len(flat) - points + 1, stride)], axis=1)
    return [np.moveaxis(one.reshape(-1, *ahead.shape[1:]), 0, axis) for one in sums]


def _meets(gaps: Bool[np.ndarray, "*grid"], windows: Windows) -> Bool[np.ndarray, "*rows"]:
    """Whether each window holds a gap, from cumulative counts."""
    counts = gaps.astype(np.int64)
    for axis, (half, stride) in enumerate(zip(windows.half_widths, windows.strides, strict=True)):
        sums = np.cumsum(counts, axis=axis)
        sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis=axis)), sums], axis=axis)
        size = 2 * half + 1
        ahead = np.take(sums, np.arange(size, sums.shape[axis]), axis=axis)
        behind = np.take(sums, np.arange(0, sums.shape[axis] - size), axis=axis)
        counts = np.take(ahead - behind, np.arange(0, ahead.shape[axis], stride), axis=axis)
    return counts > 0
