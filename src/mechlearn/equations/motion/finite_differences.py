"""Fields on a grid followed in time by finite differences, implicitly; the measured rim holds them where they end.

Derivatives are central differences of sixth order as sparse matrices D^α on the whole grid, so that the equations and
their Jacobian are

    ∂u_i/∂t = Σ_j c_ij D^α_j m_j(u),   ∂(∂u_i/∂t)/∂u_g = Σ_j c_ij D^α_j diag(∂m_j/∂u_g),

with monomials m_j.  Radau's method of fifth order takes them in time, whose steps stiffness does not bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.integrate import Radau
from scipy.interpolate import CubicSpline
from scipy.sparse import block_array, csr_array, diags_array, kron

from mechlearn.equations.motion.domains import Measured
from mechlearn.equations.motion.evolution import Evolution
from mechlearn.equations.motion.trajectories import solver_outputs
from mechlearn.errors import InputError

#: Order of accuracy of the differences.
_ACCURACY = 6

#: Cubic splines need so many times.
_LEAST_TIMES = 4


def difference_weights(order: int) -> Float[np.ndarray, " stencil"]:
    """Weights of the central difference for d^order/dx^order on a grid of spacing one.

    They are exact on polynomials: Σ_s w_s sⁿ = n! δ_{n,order}.

    Examples
    --------
    >>> ((60 * difference_weights(1)).round(6) + 0.0).tolist()
    [-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]
    """
    half = half_stencil(order)
    points = np.arange(-half, half + 1.0)
    right = np.zeros(2 * half + 1)
    right[order] = np.prod(np.arange(1.0, order + 1))
    return np.linalg.solve(np.vander(points, increasing=True).T, right)


def half_stencil(order: int) -> int:
    """Points on each side of the middle."""
    return (order + 1) // 2 - 1 + _ACCURACY // 2 if order else 0


@dataclass(frozen=True, eq=False)
class DifferenceEquations:
    """Equations on a grid, some points of which are followed and the others are given.

    Attributes
    ----------
    evolution : Evolution
        The equations.
    operators : dict of tuple of int to sparse matrix
        D^α by α: (inside, grid).
    inside : (grid,)
        Which points are followed.
    """

    evolution: Evolution
    operators: dict[tuple[int, ...], csr_array]
    inside: Bool[np.ndarray, " grid"]

    @staticmethod
    def of(evolution: Evolution, shape: Sequence[int], steps: Sequence[float], periodic: bool) -> DifferenceEquations:
        """Set up D^α for all terms; the rim is as wide as the widest of them asks.

        Raises
        ------
        InputError
            If an axis is too short for them.
        """
        orders = {term.candidate.derivatives for term in evolution.terms} or {(0,) * len(shape)}
        rims = [0 if periodic else half_stencil(max(alpha[axis] for alpha in orders)) for axis in range(len(shape))]
        for axis, points, alphas in zip(evolution.axes, shape, zip(*orders, strict=True), strict=True):
            least = 2 * half_stencil(max(alphas)) + 2
            if points < least:
                raise InputError(f"simulating: {axis} has {points} points; the derivatives need at least {least}")
        operators = {
            alpha: csr_array(
                reduce(_product, (_difference(*along) for along in zip(shape, steps, alpha, rims, strict=True)))
            )
            for alpha in orders
        }
        inside = np.zeros(tuple(shape), dtype=bool)
        inside[tuple(slice(rim, points - rim) for rim, points in zip(rims, shape, strict=True))] = True
        return DifferenceEquations(evolution, operators, inside.ravel())

    def rates(self, values: Float[np.ndarray, "fields grid"]) -> Float[np.ndarray, " unknowns"]:
        """∂u/∂t inside, field after field."""
        found = np.zeros((len(values), int(self.inside.sum())))
        for term in self.evolution.terms:
            monomial = term.coefficient * term.candidate.factor * term.candidate.monomial(values)
            found[term.equation] += self.operators[term.candidate.derivatives] @ monomial
        return found.ravel()

    def jacobian(self, values: Float[np.ndarray, "fields grid"]) -> csr_array:
        """∂(∂u/∂t)/∂u inside."""
        fields, places = len(values), np.flatnonzero(self.inside)
        empty = csr_array((len(places), len(places)))
        blocks = [[empty for _ in range(fields)] for _ in range(fields)]
        for term in self.evolution.terms:
            for field, slope in term.candidate.slopes(values):
                part = self.operators[term.candidate.derivatives] @ diags_array(term.coefficient * slope)
                blocks[term.equation][field] = blocks[term.equation][field] + part[:, places]
        return csr_array(block_array(blocks))


def _product(one: csr_array, other: csr_array) -> csr_array:
    return csr_array(kron(one, other))


def _difference(points: int, step: float, order: int, rim: int) -> csr_array:
    """One axis of D^α: the rows of the points inside its rim; without a rim it goes around."""
    half = half_stencil(order)
    rows = np.arange(rim, points - rim)
    columns: Int[np.ndarray, "inside stencil"] = (rows[:, None] + np.arange(-half, half + 1)) % points
    weights = np.tile(difference_weights(order) / step**order, len(rows))
    places = np.repeat(np.arange(len(rows)), 2 * half + 1)
    return csr_array((weights, (places, columns.ravel())), shape=(len(rows), points))


@dataclass(frozen=True, eq=False)
class Rim:
    """Measured values where a domain ends: they are given outside the followed points, and pull at those near by.

    The pull is γ(x)(measured − u) with γ falling to zero away from the ends (Davies, Q. J. R. Meteorol. Soc. 102, 405,
    1976).  It takes up waves that values with noise, given at the ends, would throw back.

    Attributes
    ----------
    inside : (grid,)
        Which points are followed.
    pulls : (grid,)
        γ.
    used : (grid,)
        Where measured values are needed.
    measured : callable or None
        Of time, (fields, points where they are needed), by cubic splines between the measured times; None where no
        point needs them.
    """

    inside: Bool[np.ndarray, " grid"]
    pulls: Float[np.ndarray, " grid"]
    used: Bool[np.ndarray, " grid"]
    measured: Callable[[float], Float[np.ndarray, "fields used"]] | None

    @staticmethod
    def of(inside: Bool[np.ndarray, " grid"], pulls: Float[np.ndarray, " grid"], measured: Measured) -> Rim:
        """Hold the values that are needed.

        Raises
        ------
        InputError
            If there are too few times to go by.
        """
        used = ~inside | (pulls > 0)
        if not used.any():
            return Rim(inside, pulls, used, None)
        if len(measured.times) < _LEAST_TIMES:
            raise InputError(
                f"simulating: the domain is not periodic and its rim was measured at {len(measured.times)} times; "
                f"give at least {_LEAST_TIMES}, or say that the boundary is periodic"
            )
        values = measured.quiet().reshape(*measured.values.shape[:2], -1)[:, :, used]
        return Rim(inside, pulls, used, CubicSpline(measured.times, values, axis=1))

    def whole(self, followed: Float[np.ndarray, " unknowns"], time: float) -> Float[np.ndarray, "fields grid"]:
        """The fields on the whole grid."""
        parts = followed.reshape(-1, int(self.inside.sum()))
        values = np.empty((len(parts), len(self.inside)))
        if self.measured is not None:
            values[:, self.used] = self.measured(time)
        values[:, self.inside] = parts
        return values

    def pull(self, values: Float[np.ndarray, "fields grid"], time: float) -> Float[np.ndarray, " unknowns"]:
        """γ(x)(measured − u) inside, field after field."""
        found = np.zeros_like(values)
        if self.measured is not None and self.pulls.any():
            found[:, self.used] = self.pulls[self.used] * (self.measured(time) - values[:, self.used])
        return found[:, self.inside].ravel()


def pulls_near_ends(shape: Sequence[int], rate: float) -> Float[np.ndarray, " grid"]:
    """γ = rate (1 − d/w)² at a distance d from the nearest end, w an eighth of the axis.

    Examples
    --------
    >>> pulls_near_ends([24], 1.0).round(2)[:5]
    array([1.  , 0.44, 0.11, 0.  , 0.  ])
    """
    nearness = np.zeros(tuple(shape))
    for axis, points in enumerate(shape):
        steps = np.minimum(np.arange(points), np.arange(points)[::-1])
        along = np.clip(1 - steps / (points / 8), 0, 1)
        nearness = np.maximum(nearness, along.reshape([-1 if a == axis else 1 for a in range(len(shape))]))
    return (rate * nearness**2).ravel()


@dataclass(frozen=True, eq=False)
class ImplicitSteps:
    """Radau's steps from output to output."""

    equations: DifferenceEquations
    rim: Rim
    scales: Float[np.ndarray, " fields"]
    bounds: Float[np.ndarray, " fields"]
    tolerance: float
    most_steps: int

    def outputs(
        self, start: Float[np.ndarray, "fields grid"], times: Sequence[float]
    ) -> Iterator[Float[np.ndarray, "fields grid"]]:
        """The fields on the whole grid at every time, the first of which is the start's.

        Raises
        ------
        WorkError
            If the fields grow beyond all bounds, or steps become too many or too short.
        """
        yield start
        if len(times) == 1:
            return
        inside = self.equations.inside
        pulls = diags_array(np.tile(self.rim.pulls[inside], len(start)))
        errors: Any = np.repeat(self.tolerance * self.scales, int(inside.sum()))

        def rates(time: float, followed: Float[np.ndarray, " unknowns"]) -> Float[np.ndarray, " unknowns"]:
            values = self.rim.whole(followed, time)
            return self.equations.rates(values) + self.rim.pull(values, time)

        def jacobian(time: float, followed: Float[np.ndarray, " unknowns"]) -> csr_array:
            return csr_array(self.equations.jacobian(self.rim.whole(followed, time)) - pulls)

        beginning = start[:, inside].ravel()
        solver = Radau(rates, times[0], beginning, times[-1], rtol=self.tolerance, atol=errors, jac=jacobian)
        followed = solver_outputs(solver, times[1:], self.bounds, self.most_steps)
        yield from (self.rim.whole(*output) for output in zip(followed, times[1:], strict=True))
