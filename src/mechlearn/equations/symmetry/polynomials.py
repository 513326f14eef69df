"""Polynomials in the components of several quantities, and how matrices act on them.

A monomial is x^α = Π_i x_i^{α_i}.  When x goes to R x, the monomials of one degree go to S(R) x^α, S(R) the symmetric
power of R; an infinitesimal X acts as a derivation.  Monomials of several quantities, of degrees (d₁, d₂, …), are the
products of those of each, and the matrices are Kronecker products.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse


def monomials(variables: int, degree: int) -> Int[np.ndarray, "monomials variables"]:
    """The exponents α of all monomials of one degree.

    Examples
    --------
    >>> monomials(2, 2).tolist()
    [[2, 0], [1, 1], [0, 2]]
    """
    chosen = list(combinations_with_replacement(range(variables), degree))
    exponents = np.zeros((len(chosen), variables), dtype=np.int64)
    for row, factors in enumerate(chosen):
        np.add.at(exponents[row], list(factors), 1)
    return exponents


def joined_monomials(variables: Sequence[int], degrees: Sequence[int]) -> Int[np.ndarray, "monomials variables"]:
    """The exponents of the monomials of degrees (d₁, d₂, …) in several quantities, the last varying fastest."""
    joined = np.zeros((1, 0), dtype=np.int64)
    for count, degree in zip(variables, degrees, strict=True):
        own = monomials(count, degree)
        joined = np.concatenate(
            [np.repeat(joined, len(own), axis=0), np.tile(own, (len(joined), 1))], axis=1, dtype=np.int64
        )
    return joined


def monomial_values(
    points: Float[np.ndarray, "samples variables"], exponents: Int[np.ndarray, "monomials variables"]
) -> Float[np.ndarray, "samples monomials"]:
    """x^α of each sample, each monomial from powers made once."""
    highest = int(exponents.max(initial=0))
    powers = np.ones((highest + 1, *points.shape))
    for power in range(1, highest + 1):
        powers[power] = powers[power - 1] * points
    values = np.ones((len(points), len(exponents)))
    for column, exponent in enumerate(exponents):
        for variable in np.flatnonzero(exponent):
            values[:, column] *= powers[exponent[variable], :, variable]
    return values


def symmetric_power(matrix: Float[np.ndarray, "n n"], degree: int) -> Float[np.ndarray, "monomials monomials"]:
    """S with (R x)^α = Σ_β S[α, β] x^β, degree by degree: (R x)^α = (R x)^{α − e_i} Σ_j R_ij x_j.

    Examples
    --------
    >>> symmetric_power(np.array([[0.0, 1.0], [1.0, 0.0]]), 2).tolist()  # x ↔ y: x² ↔ y²
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    variables = len(matrix)
    power = np.ones((1, 1))
    for current in range(1, degree + 1):
        lower, exponents = _places(variables, current - 1), monomials(variables, current)
        here = _places(variables, current)
        # raised[j, β] is the place of β + e_j among the monomials of this degree.
        raised = np.array([[here[_raise(low, j)] for low in lower] for j in range(variables)])
        grown = np.zeros((len(exponents), len(exponents)))
        for row, exponent in enumerate(exponents.tolist()):
            i = max(variable for variable in range(variables) if exponent[variable])
            smaller = power[lower[_raise(tuple(exponent), i, -1)]]
            for j in np.flatnonzero(matrix[i]):
                grown[row, raised[j]] += matrix[i, j] * smaller
        power = grown
    return power


def derivation(matrix: Float[np.ndarray, "n n"], degree: int) -> Float[np.ndarray, "monomials monomials"]:
    """D with d/dθ (exp(θX) x)^α = Σ_β D[α, β] x^β at θ = 0: Σ_ij α_i X_ij x_j x^{α − e_i}."""
    places = _places(len(matrix), degree)
    acted = np.zeros((len(places), len(places)))
    for exponent, row in places.items():
        for i, j in np.argwhere(matrix).tolist():
            if exponent[i]:
                acted[row, places[_raise(_raise(exponent, i, -1), j)]] += exponent[i] * matrix[i, j]
    return acted


def joined_power(matrices: Sequence[Float[np.ndarray, "_ _"]], degrees: Sequence[int]) -> sparse.csr_array:
    """The action of a group element on the monomials of several quantities: S₁ ⊗ S₂ ⊗ …"""
    powers = [symmetric_power(matrix, degree) for matrix, degree in zip(matrices, degrees, strict=True)]
    return _kronecker(powers)


def joined_derivation(matrices: Sequence[Float[np.ndarray, "_ _"]], degrees: Sequence[int]) -> sparse.csr_array:
    """The action of an infinitesimal rotation: D₁ ⊗ 1 ⊗ … + 1 ⊗ D₂ ⊗ … + …"""
    acted = [derivation(matrix, degree) for matrix, degree in zip(matrices, degrees, strict=True)]
    ones = [np.eye(len(matrix)) for matrix in acted]
    total = _kronecker([np.zeros_like(matrix) for matrix in acted])
    for place, matrix in enumerate(acted):
        total = total + _kronecker([*ones[:place], matrix, *ones[place + 1 :]])
    return total


def _kronecker(matrices: Sequence[Float[np.ndarray, "_ _"]]) -> sparse.csr_array:
    joint = sparse.csr_array(np.ones((1, 1)))
    for matrix in matrices:
        # kron answers in another format where there is nothing but zeros.
        joint = sparse.csr_array(sparse.kron(joint, sparse.csr_array(matrix)))
    return joint


def _places(variables: int, degree: int) -> dict[tuple[int, ...], int]:
    return {tuple(exponent): place for place, exponent in enumerate(monomials(variables, degree).tolist())}


def _raise(exponent: tuple[int, ...], variable: int, by: int = 1) -> tuple[int, ...]:
    return (*exponent[:variable], exponent[variable] + by, *exponent[variable + 1 :])
