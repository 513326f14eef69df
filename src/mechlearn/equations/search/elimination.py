"""Backward elimination: from all terms to none, each time without the term that is missed least.

The least-squares solution under C ξ = d, and its covariance up to the variance of noise, are

    ξ = ξ₀ − V₀Cᵀ(C V₀ Cᵀ)⁻¹(C ξ₀ − d),   V = V₀ − V₀Cᵀ(C V₀ Cᵀ)⁻¹C V₀,   V₀ = G⁻¹,  ξ₀ = V₀ b.

To do without term j is one more constraint, ξ_j = 0.  It raises the sum of squares by ξ_j²/V_jj and changes

    ξ ← ξ − V_j ξ_j/V_jj,   V ← V − V_j V_jᵀ/V_jj,

so that a whole path costs one inverse and as much again, and constraints hold at every step.  All runs over many
draws at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

#: Eigenvalues of the correlation matrix below this share of the largest are raised to it.
_FLOOR = 1e-11

#: A term of less variance is held fixed by the constraints: without them, columns of norm 1 have 1 at least.
_HELD = 1e-9


@dataclass(frozen=True, eq=False)
class Constraints:
    """C ξ = d."""

    matrix: Float[np.ndarray, "constraints terms"]
    values: Float[np.ndarray, " constraints"]


@dataclass(frozen=True, eq=False)
class Paths:
    """Sets of falling size, for every draw.

    Attributes
    ----------
    supports : (draws, steps, terms)
        Which terms are in; step s has s terms fewer than all.
    coefficients : (draws, steps, terms)
        Zero for those that are not.
    """

    supports: Bool[np.ndarray, "draws steps terms"]
    coefficients: Float[np.ndarray, "draws steps terms"]

    def squares(self, moments: Float[np.ndarray, "draws columns columns"]) -> Float[np.ndarray, "draws steps"]:
        """Σ (y − Θξ)² = vᵀ M v with v = (−ξ, 1), on samples of these moments."""
        ones = np.ones((*self.coefficients.shape[:2], 1))
        v = np.concatenate([-self.coefficients, ones], axis=2)
        return np.einsum("rsi,rij,rsj->rs", v, moments, v, optimize=True)


def eliminate(
    moments: Float[np.ndarray, "draws columns columns"],
    costs: Float[np.ndarray, " terms"],
    constraints: Constraints | None = None,
) -> Paths:
    """Take out terms one by one, each time the one whose absence costs least for what it counts.

    Parameters
    ----------
    moments : (draws, columns, columns)
        AᵀA of A = [Θ | y].
    costs : (terms,)
        What each term counts for.
    constraints
        C ξ = d.

    Returns
    -------
    Paths
        Of terms + 1 steps; a term that the constraints hold away from zero stays to the end.
    """
    draws, terms = len(moments), moments.shape[1] - 1
    scale = np.sqrt(np.maximum(np.einsum("rii->ri", moments)[:, :terms], np.finfo(float).tiny))
    solution, covariance = least_squares(moments, constraints, scale)
    active = np.ones((draws, terms), dtype=bool)
    supports, coefficients = [], []
    each = np.arange(draws)
    for _ in range(terms + 1):
        supports.append(active.copy())
        coefficients.append(np.where(active, solution, 0.0) / scale)
        variance = np.einsum("rii->ri", covariance)
        free = active & (variance > _HELD)
        missed = np.where(free, solution**2 / np.where(free, variance, 1.0) / costs, np.inf)
        out = np.argmin(missed, axis=1)
        goes = free[each, out]
        column = covariance[each, :, out] / np.where(goes, variance[each, out], 1.0)[:, None]
        column[~goes] = 0.0
        solution = solution - column * solution[each, out][:, None]
        covariance = covariance - column[:, :, None] * covariance[each, out, :][:, None, :]
        active[each[goes], out[goes]] = False
    return Paths(np.stack(supports, axis=1), np.stack(coefficients, axis=1))


def least_squares(
    moments: Float[np.ndarray, "draws columns columns"],
    constraints: Constraints | None,
    scale: Float[np.ndarray, "draws terms"],
) -> tuple[Float[np.ndarray, "draws terms"], Float[np.ndarray, "draws terms terms"]]:
    """ξ·scale under the constraints, and its covariance up to the variance of noise."""
    terms = moments.shape[1] - 1
    gram = moments[:, :terms, :terms] / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(gram)
    floored = np.maximum(values, _FLOOR * values[:, -1:])
    covariance = (vectors / floored[:, None, :]) @ vectors.transpose(0, 2, 1)
    solution = np.einsum("rij,rj->ri", covariance, moments[:, :terms, terms] / scale)
    if constraints is None or not len(constraints.values):
        return solution, covariance
    matrix = constraints.matrix[None] / scale[:, None, :]
    leverage = covariance @ matrix.transpose(0, 2, 1)
    gain = leverage @ np.linalg.pinv(matrix @ leverage, hermitian=True)
    excess = np.einsum("rci,ri->rc", matrix, solution) - constraints.values
    return solution - np.einsum("ric,rc->ri", gain, excess), covariance - gain @ leverage.transpose(0, 2, 1)
