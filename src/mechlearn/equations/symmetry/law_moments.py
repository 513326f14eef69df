"""The sums over blocks of samples that serve the fits of every symmetry.

A polynomial law is y = P z, z the monomials of the inputs.  Its squared error on a block of samples,
Σ|y − P z|² = Σ_c w_c (P_c·M P_cᵀ − 2 P_c·b_c + |y_c|²), needs M = ZᵀZ and b = Zᵀy alone, whatever the group that
made P; so the samples are gone through once, in time and memory linear in their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import linalg, sparse

from mechlearn.equations.symmetry.equivariants import EquivariantLibrary, LawPolynomial
from mechlearn.equations.symmetry.polynomials import monomial_values

#: Samples whose monomials are held at once.
_SAMPLES = 4096


@dataclass(frozen=True, eq=False)
class LawMoments:
    """Sums over blocks of samples: ZᵀZ, ZᵀY and |y|² by component, and how many rows each block has."""

    monomials: Float[np.ndarray, "blocks monomials monomials"]
    mixed: Float[np.ndarray, "blocks monomials components"]
    squares: Float[np.ndarray, "blocks components"]
    rows: Float[np.ndarray, " blocks"]
    metric: Float[np.ndarray, " components"]

    @staticmethod
    def of_samples(
        points: Float[np.ndarray, "samples variables"],
        target: Float[np.ndarray, "rows components"],
        polynomial: LawPolynomial,
        metric: Float[np.ndarray, " components"],
        labels: Shaped[np.ndarray, " rows"] | None,
        windows: sparse.csr_array | None,
        count: int,
    ) -> LawMoments:
        """Sum over blocks; with windows over samples, over windows first."""
        rows = len(target)
        block = np.arange(rows) * min(count, rows) // rows
        if labels is not None:
            block = np.unique(np.asarray(labels), return_inverse=True)[1]
        number, size = int(block.max()) + 1, len(polynomial.exponents)
        monomials, mixed = np.zeros((number, size, size)), np.zeros((number, size, target.shape[1]))
        for each in range(number):
            chosen = np.flatnonzero(block == each)
            for start in range(0, len(chosen), _SAMPLES):
                part = chosen[start : start + _SAMPLES]
                values = _window_values(points, polynomial, part, windows)
                monomials[each] += values.T @ values
                mixed[each] += values.T @ target[part]
        squares = np.stack([np.bincount(block, column**2, number) for column in target.T], axis=1)
        return LawMoments(monomials, mixed, squares, np.bincount(block).astype(float), metric)

    @staticmethod
    def of_columns(
        columns: Float[np.ndarray, "rows monomials"],
        target: Float[np.ndarray, " rows"],
        labels: Int[np.ndarray, " rows"],
    ) -> LawMoments:
        """Sum over blocks what is given as one column a monomial and one number a row."""
        parts = [(columns[labels == block], target[labels == block]) for block in range(int(labels.max()) + 1)]
        return LawMoments(
            np.stack([own.T @ own for own, _ in parts]),
            np.stack([own.T @ values for own, values in parts])[:, :, None],
            np.array([[values @ values] for _, values in parts]),
            np.array([float(len(values)) for _, values in parts]),
            np.ones(1),
        )

    def weighted(self, weights: Float[np.ndarray, " blocks"]) -> LawMoments:
        """What the blocks sum to, each taken so many times, as one block."""
        return LawMoments(
            np.tensordot(weights, self.monomials, axes=1)[None],
            np.tensordot(weights, self.mixed, axes=1)[None],
            (weights @ self.squares)[None],
            np.array([weights @ self.rows]),
            self.metric,
        )

    def residual(self, law: Float[np.ndarray, "components monomials"]) -> Float[np.ndarray, " blocks"]:
        """Σ |y − f(x)|² of every block for a law with these coefficients."""
        quadratic = np.einsum("cm,bmn,cn->bc", law, self.monomials, law, optimize=True)
        return np.maximum((quadratic - 2 * np.einsum("cm,bmc->bc", law, self.mixed) + self.squares) @ self.metric, 0.0)

    def fit(self, terms: Float[np.ndarray, "terms components monomials"]) -> Float[np.ndarray, "components monomials"]:
        """The law of least squares in the span of these terms, from the first block's sums."""
        weighted = terms * self.metric[:, None]
        images = np.matmul(weighted, self.monomials[0]).reshape(len(terms), -1)
        normal = images @ terms.reshape(len(terms), -1).T
        right = np.einsum("tcm,mc->t", weighted, self.mixed[0])
        scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
        # A trace of ridge decides what the data leave open (components that are zero throughout).
        normal = normal * np.outer(scale, scale) + 1e-11 * np.eye(len(terms))
        coefficients = scale * linalg.solve(normal, scale * right, assume_a="pos")
        return np.tensordot(coefficients, terms, axes=1)


def common_polynomials(
    libraries: Sequence[EquivariantLibrary],
) -> tuple[LawPolynomial, list[Float[np.ndarray, "_ _ _"]]]:
    """All libraries over the monomials of the largest, which are all there are in any."""
    tables = [library.polynomial for library in libraries]
    exponents = np.unique(np.concatenate([table.exponents for table in tables]), axis=0)
    place = {tuple(exponent): number for number, exponent in enumerate(exponents.tolist())}
    spread = []
    for table in tables:
        columns = [place[tuple(exponent)] for exponent in table.exponents.tolist()]
        coefficients = np.zeros((*table.coefficients.shape[:2], len(exponents)))
        coefficients[:, :, columns] = table.coefficients
        spread.append(coefficients)
    return LawPolynomial(exponents, spread[-1]), spread


def _window_values(
    points: Float[np.ndarray, "samples variables"],
    polynomial: LawPolynomial,
    part: Shaped[np.ndarray, " rows"],
    windows: sparse.csr_array | None,
) -> Float[np.ndarray, "rows monomials"]:
    if windows is None:
        return monomial_values(points[part], polynomial.exponents)
    weights = sparse.csr_array(windows)[part]
    reached = np.unique(weights.indices)
    return np.asarray(weights[:, reached] @ monomial_values(points[reached], polynomial.exponents))
