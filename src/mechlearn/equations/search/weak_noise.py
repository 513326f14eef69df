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
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from mechlearn.equations.search.library import Candidate
from mechlearn.equations.search.weak import WeakRows, Windows, window

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

    @staticmethod
    def stacked(equations: Sequence[NoisyTerms]) -> NoisyTerms:
        """Several equations over the same windows as one, each with coefficients of its own for all candidates.

        Rows stand equation by equation, so do the columns, and the target is last.  The noise of two equations goes
        together: ρ does not depend on the equation.
        """
        first, count = equations[0], len(equations)
        if count == 1:
            return first
        terms = first.columns.shape[1] - 1
        own = [np.append(np.arange(terms) + number * terms, count * terms) for number in range(count)]

        def beside(blocks: Sequence[Float[np.ndarray, "*_ rows columns"]]) -> Float[np.ndarray, "*_ more_rows more"]:
            *ahead, rows, _ = blocks[0].shape
            whole = np.zeros((*ahead, count * rows, count * terms + 1))
            for number, block in enumerate(blocks):
                whole[..., number * rows : (number + 1) * rows, own[number]] = block
            return whole

        return NoisyTerms(
            beside([equation.columns for equation in equations]),
            (*(candidate for equation in equations for candidate in equation.candidates[:-1]), first.candidates[-1]),
            first._orders,
            {pair: np.tile(overlap, (count, count)) for pair, overlap in first._overlaps.items()},
            {d: beside([equation._sensitivities[d] for equation in equations]) for d in first._sensitivities},
        )

    def combined(self, weights: Float[np.ndarray, "terms sums"]) -> NoisyTerms:
        """Weighted sums of the candidates as candidates; the target stays."""
        terms, sums = weights.shape
        whole = np.zeros((terms + 1, sums + 1))
        whole[:terms, :sums], whole[-1, -1] = weights, 1.0
        return NoisyTerms(
            self.columns @ whole,
            # Only the degree of a sum is asked for, that of its highest part.
            tuple(
                max((self.candidates[place] for place in np.flatnonzero(column)), key=lambda one: sum(one.powers))
                for column in whole.T
            ),
            self._orders,
            self._overlaps,
            {d: sensitivities @ whole for d, sensitivities in self._sensitivities.items()},
        )

    def covariance(self, v: Float[np.ndarray, " columns"]) -> Float[np.ndarray, "rows rows"]:
        """Σ = Σ_ab v_a v_b C_ab."""
        kernels = {d: s @ v for d, s in self._sensitivities.items()}
        present = {d for d, kernel in kernels.items() if kernel.any()}
        half = np.zeros((len(self.columns), len(self.columns)))
        for (a, b), overlap in self._overlaps.items():
            if {a, b} <= present:
                half += overlap * ((0.5 if a == b else 1.0) * kernels[a].T @ kernels[b])
        total = half + half.T
        total[np.diag_indices_from(total)] *= 1 + _JITTER
        return total

    def residual(
        self, v: Float[np.ndarray, " columns"]
    ) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
        """What each row adds to rᵀ Σ⁻¹ r and to ln |Σ|, given the rows before it: e_i² and 2 ln R_ii.

        r = y − Θξ is the residual, v = (−ξ, 1), Σ = R Rᵀ and e = R⁻¹ r.
        """
        factor = cholesky(self.covariance(v), lower=True, check_finite=False)
        white = solve_triangular(factor, self.columns @ v, lower=True, check_finite=False)
        return white**2, 2 * np.log(np.diag(factor))

    def whiten(self, v: Float[np.ndarray, " columns"], chosen: Int[np.ndarray, " chosen"] | None = None) -> Whitened:
        """Rows whose residuals y − Θξ have unit covariance for v = (−ξ, 1), and what noise adds to their moments."""
        chosen = np.arange(self.columns.shape[1]) if chosen is None else chosen
        factor = cholesky(self.covariance(v), lower=True, check_finite=False)
        columns = solve_triangular(factor, self.columns[:, chosen], lower=True, check_finite=False)
        lower = dpotri(factor, lower=1)[0]  # of the inverse; zero above the diagonal, as the factor is
        inverse = lower + lower.T
        inverse[np.diag_indices_from(inverse)] /= 2
        return Whitened(columns, self._bias(inverse, chosen))

    def _bias(
        self, inverse: Float[np.ndarray, "rows rows"], chosen: Int[np.ndarray, " chosen"]
    ) -> Float[np.ndarray, "chosen chosen"]:
        """B_ab = Σ_kl (Σ⁻¹)_kl C_ab(k, l); a column has a part in the sums of its own derivatives only."""
        bias = np.zeros((len(chosen), len(chosen)))
        degree = max(sum(self.candidates[number].powers) for number in chosen)
        used = [at for at, q in enumerate(self._orders) if sum(q) <= degree]
        parts = {}
        for derivatives, sensitivities in self._sensitivities.items():
            part = sensitivities[used][:, :, chosen].transpose(1, 0, 2)
            present = np.flatnonzero(part.any(axis=(0, 1)))
            if len(present):
                parts[derivatives] = present, part[:, :, present].reshape(len(part), -1)
        for (a, b), overlap in self._overlaps.items():
            if a in parts and b in parts:
                (at_a, of_a), (at_b, of_b) = parts[a], parts[b]
                there = of_b.any(axis=0)  # u^m has no noise of orders above m
                weighted = np.zeros_like(of_b)
                weighted[:, there] = (inverse * overlap) @ of_b[:, there]
                part = of_a.reshape(-1, len(at_a)).T @ weighted.reshape(-1, len(at_b))
                bias[np.ix_(at_a, at_b)] += part
                if a != b:
                    bias[np.ix_(at_b, at_a)] += part.T
        return bias


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

    def part(self, chosen: Int[np.ndarray, " chosen"]) -> Whitened:
        """Some of the columns."""
        return Whitened(self.columns[:, chosen], self.bias[np.ix_(chosen, chosen)])

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
