"""The noise of weak rows: how it goes from window to window, and from term to term.

A term a = D^α Π u_f^{a_f} of noisy fields u + ε differs from the true one by noise whose covariance between windows k
and l is

    C_ab(k, l) = Σ_{q ≠ 0} s_a^q(k) s_b^q(l) ρ_αβ(k, l),
    s_a^q = Π_f binom(a_f, q_f) √(q_f!) σ_f^{q_f} u_f^{a_f − q_f},

with the multi-index q over fields (orders of the noise), the window's mean for u, and the overlap of two windows

    ρ_αβ(k, l) = Σ_points D^αψ_k D^βψ_l,

a product over axes.  For an equation with v = (−ξ, 1), the residual's covariance is Σ = Σ_ab v_a v_b C_ab.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as member
from itertools import product as every
from math import comb, factorial, prod

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_solve, cholesky, solve_triangular

from mechlearn.equations.library import Candidate
from mechlearn.equations.weak import WeakRows, Windows, window

#: Added to the diagonal of Σ, as a share of it.
_JITTER = 1e-6

_Orders = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class NoisyTerms:
    """The candidates and the target as columns with noise of known covariance.

    Attributes
    ----------
    columns : (rows, terms + 1)
        The candidates, then the target.
    candidates : tuple of Candidate
        What the columns are.
    """

    columns: Float[np.ndarray, "rows columns"]
    candidates: tuple[Candidate, ...]
    _orders: list[_Orders] = member(repr=False)
    _overlaps: dict[tuple[_Orders, _Orders], Float[np.ndarray, "rows rows"]] = member(repr=False)
    _sensitivities: dict[_Orders, Float[np.ndarray, "orders rows columns"]] = member(repr=False)

    @staticmethod
    def of_rows(
        rows: WeakRows,
        candidates: Sequence[Candidate],
        target: int,
        windows: Windows,
        steps: tuple[float, ...],
        noises: Sequence[float],
        time_axis: int,
    ) -> NoisyTerms:
        """Overlaps of all windows, and sensitivities of all columns."""
        fields = rows.means.shape[1]
        lhs = Candidate(
            tuple(int(f == target) for f in range(fields)),
            tuple(int(axis == time_axis) for axis in range(len(steps))),
        )
        columns = (*candidates, lhs)
        derivatives = sorted({candidate.derivatives for candidate in columns})
        axes = [
            _axis_overlaps(windows, axis, step, rows.places[:, axis], {d[axis] for d in derivatives})
            for axis, step in enumerate(steps)
        ]
        overlaps = {
            (a, b): np.prod([axes[axis][a[axis], b[axis]] for axis in range(len(steps))], axis=0)
            for a in derivatives
            for b in derivatives
            if a <= b
        }
        degree = max(sum(candidate.powers) for candidate in columns)
        orders = [q for q in every(*(range(degree + 1) for _ in range(fields))) if 0 < sum(q) <= degree]
        sensitivities = {d: np.zeros((len(orders), len(rows.means), len(columns))) for d in derivatives}
        for number, candidate in enumerate(columns):
            for at, q in enumerate(orders):
                sensitivities[candidate.derivatives][at, :, number] = candidate.factor * _sensitivity(
                    candidate.powers, q, rows.means, noises
                )
        return NoisyTerms(
            np.column_stack([rows.columns, rows.targets[:, target]]), columns, orders, overlaps, sensitivities
        )

    def covariance(self, v: Float[np.ndarray, " columns"]) -> Float[np.ndarray, "rows rows"]:
        """Σ = Σ_ab v_a v_b C_ab."""
        kernels = {d: s @ v for d, s in self._sensitivities.items()}
        total = np.zeros((len(self.columns), len(self.columns)))
        for (a, b), overlap in self._overlaps.items():
            if kernels[a].any() and kernels[b].any():
                part = overlap * (kernels[a].T @ kernels[b])
                total += part if a == b else part + part.T
        total[np.diag_indices_from(total)] *= 1 + _JITTER
        return total

    def residual(self, v: Float[np.ndarray, " columns"]) -> tuple[float, float]:
        """rᵀ Σ⁻¹ r and ln |Σ| of the residual r = y − Θξ, v = (−ξ, 1)."""
        factor = cholesky(self.covariance(v), lower=True, check_finite=False)
        white = solve_triangular(factor, self.columns @ v, lower=True, check_finite=False)
        return float(white @ white), 2 * float(np.log(np.diag(factor)).sum())

    def whiten(self, v: Float[np.ndarray, " columns"], chosen: Int[np.ndarray, " chosen"] | None = None) -> Whitened:
        """Rows whose residuals y − Θξ have unit covariance for v = (−ξ, 1), and what noise adds to their moments."""
        chosen = np.arange(self.columns.shape[1]) if chosen is None else chosen
        factor = cholesky(self.covariance(v), lower=True, check_finite=False)
        columns = solve_triangular(factor, self.columns[:, chosen], lower=True, check_finite=False)
        weight = cho_solve((factor, True), np.eye(len(factor)), check_finite=False)
        bias = np.zeros((len(chosen), len(chosen)))
        degree = max(sum(self.candidates[number].powers) for number in chosen)
        used = [at for at, q in enumerate(self._orders) if sum(q) <= degree]
        parts = {d: s[used][:, :, chosen] for d, s in self._sensitivities.items()}
        for (a, b), overlap in self._overlaps.items():
            if parts[a].any() and parts[b].any():
                weighted = (weight * overlap) @ parts[b]
                part = np.tensordot(parts[a], weighted, axes=((0, 1), (0, 1)))
                bias += part if a == b else part + part.T
        return Whitened(columns, bias)


@dataclass(frozen=True, eq=False)
class Whitened:
    """Rows with residuals of unit covariance.

    Attributes
    ----------
    columns : (rows, columns)
        R⁻¹[Θ | y] with Σ = R Rᵀ.
    bias : (columns, columns)
        What noise adds to the moments of these columns on average, B_ab = Σ_kl (Σ⁻¹)_kl C_ab(k, l).
    """

    columns: Float[np.ndarray, "rows columns"]
    bias: Float[np.ndarray, "columns columns"]

    def calibrated(self) -> tuple[Float[np.ndarray, "rows terms"], Float[np.ndarray, " rows"]]:
        """Columns and target whose plain least squares are free of the noise's bias (regression calibration).

        With G = ΘᵀΘ, the columns become Θ(I − G⁻¹B_ΘΘ), the best linear guess of what they are without noise, and the
        target y − ΘG⁻¹B_Θy: the normal equations are then those of (G − B_ΘΘ)ξ = Θᵀy − B_Θy, weighted as the residual's
        noise asks.  Directions that are nothing but noise are set to zero.
        """
        terms = self.columns.shape[1] - 1
        scale = np.linalg.norm(self.columns[:, :terms], axis=0)
        columns = self.columns[:, :terms] / scale
        values, vectors = np.linalg.eigh(columns.T @ columns)
        values = np.maximum(values, 1e-10 * values[-1])
        root = vectors / np.sqrt(values)
        shares, directions = np.linalg.eigh(root.T @ (self.bias[:terms, :terms] / np.outer(scale, scale)) @ root)
        basis = columns @ root @ directions
        back = directions.T @ (vectors * np.sqrt(values)).T
        kept = 1 - np.clip(shares, 0.0, 1.0 - 1e-3)
        shift = directions.T @ (root.T @ (self.bias[:terms, terms] / scale))
        return (basis * kept) @ back * scale, self.columns[:, terms] - basis @ shift


def _sensitivity(
    powers: _Orders, q: _Orders, means: Float[np.ndarray, "rows fields"], noises: Sequence[float]
) -> Float[np.ndarray, " rows"]:
    """s_a^q of the module's head, zero where q exceeds the powers."""
    if any(order > power for order, power in zip(q, powers, strict=True)):
        return np.zeros(len(means))
    weight = prod(
        comb(power, order) * factorial(order) ** 0.5 * noise**order
        for power, order, noise in zip(powers, q, noises, strict=True)
    )
    left = np.array(powers) - np.array(q)
    return weight * np.prod(means**left, axis=1)


def _axis_overlaps(
    windows: Windows, axis: int, step: float, places: Int[np.ndarray, " rows"], orders: set[int]
) -> dict[tuple[int, int], Float[np.ndarray, "rows rows"]]:
    """Σ_points D^aψ_k D^bψ_l along one axis for all pairs of windows, by the lag between them."""
    half, stride = windows.half_widths[axis], windows.strides[axis]
    lags = (places[None, :] - places[:, None]) * stride
    inside = np.abs(lags) <= 2 * half
    found = {}
    for a in orders:
        for b in orders:
            full = np.correlate(window(windows.power, half, a, step), window(windows.power, half, b, step), "full")
            found[a, b] = np.where(inside, full[np.where(inside, lags + 2 * half, 0)], 0.0)
    return found
