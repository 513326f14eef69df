"""Clebsch–Gordan tables and the index lists of the bispectrum, in LAMMPS's order.

All angular momenta are doubled, so that they are whole numbers: ``j`` here is 2j of the physics books, and
``twojmax`` is the paper's 2J.  Matrices U_j have rows ``mb`` and columns ``ma``, both from 0 to j, stored row by
row.  Because u[j - mb, j - ma] = (-1)^(ma - mb) u[mb, ma]*, only rows 2·mb ≤ j are summed; ``half_weights`` holds
their weights (1, and on the middle row of an even j: 1 left of the diagonal, ½ on it, 0 right of it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import factorial, sqrt

import numpy as np
from jaxtyping import Float, Int


def clebsch_gordan(j1: int, j2: int, j: int, m1: int, m2: int) -> float:
    """Clebsch–Gordan coefficient ⟨j1 m1; j2 m2 | j m1+m2⟩, every argument doubled.

    Source: Racah's closed formula; Varshalovich, Moskalev & Khersonskii (1988), 8.2.1 Eq. 3.

    Examples
    --------
    >>> round(clebsch_gordan(1, 1, 0, 1, -1) ** 2, 12)  # two spins ½ to a singlet
    0.5
    """
    m = m1 + m2
    if abs(m1) > j1 or abs(m2) > j2 or abs(m) > j or not abs(j1 - j2) <= j <= j1 + j2 or (j1 + j2 + j) % 2:
        return 0.0
    lowest = max(0, (j2 - j - m1) // 2, (j1 - j + m2) // 2)
    highest = min((j1 + j2 - j) // 2, (j1 - m1) // 2, (j2 + m2) // 2)
    total = sum(
        (-1) ** z
        / (
            factorial(z)
            * factorial((j1 + j2 - j) // 2 - z)
            * factorial((j1 - m1) // 2 - z)
            * factorial((j2 + m2) // 2 - z)
            * factorial((j - j2 + m1) // 2 + z)
            * factorial((j - j1 - m2) // 2 + z)
        )
        for z in range(lowest, highest + 1)
    )
    triangle = (
        factorial((j1 + j2 - j) // 2)
        * factorial((j1 - j2 + j) // 2)
        * factorial((j2 - j1 + j) // 2)
        / factorial((j1 + j2 + j) // 2 + 1)
    )
    spins = [(j1 + m1) // 2, (j1 - m1) // 2, (j2 + m2) // 2, (j2 - m2) // 2, (j + m) // 2, (j - m) // 2]
    product = (j + 1) * triangle
    for spin in spins:
        product *= factorial(spin)
    return total * sqrt(product)


@dataclass(frozen=True, eq=False)
class BispectrumTables:
    """What the kernels look up for one ``twojmax``.

    Attributes
    ----------
    twojmax : int
        2J.
    block : (twojmax + 2,)
        Where U_j begins in the flat list of matrix elements; the last entry is their number.
    roots : (twojmax + 2,)
        √n.
    norms : (elements,)
        n of u_j[mb, ma] = n v_j[mb, ma], √(ma! (j - ma)! / (mb! (j - mb)!)): v has no square roots.
    half_weights : (elements,)
        The weight of each matrix element in a sum over half of the matrix.
    components : (features, 3)
        (j1, j2, j) of each bispectrum component, j2 ≤ j1 ≤ j.
    triples : (triples, 5)
        (j1, j2, j, component, start of its coefficients) for each product U_j1 ⊗ U_j2 → j.
    factors : (triples,)
        How often the product counts in the derivative of its component (the symmetry of B in its three U's).
    coefficients : (all coefficients,)
        ⟨j1 m1; j2 m2 | j m⟩, one (j1 + 1) × (j2 + 1) block a triple.
    """

    twojmax: int
    block: Int[np.ndarray, " blocks"]
    roots: Float[np.ndarray, " roots"]
    norms: Float[np.ndarray, " elements"]
    half_weights: Float[np.ndarray, " elements"]
    components: Int[np.ndarray, "features 3"]
    triples: Int[np.ndarray, "triples 5"]
    factors: Float[np.ndarray, " triples"]
    coefficients: Float[np.ndarray, " coefficients"]


@lru_cache
def bispectrum_tables(twojmax: int) -> BispectrumTables:
    """The tables for one ``twojmax``, made once.

    Examples
    --------
    >>> [len(bispectrum_tables(twojmax).components) for twojmax in (2, 4, 6, 8)]
    [5, 14, 30, 55]
    """
    coupled = [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
    ]
    components = [(j1, j2, j) for j1, j2, j in coupled if j >= j1]
    component_index = {component: index for index, component in enumerate(components)}
    triples: list[tuple[int, ...]] = []
    factors: list[float] = []
    coefficients: list[float] = []
    for j1, j2, j in coupled:
        largest_first = sorted((j1, j2, j))
        component = (largest_first[1], largest_first[0], largest_first[2])
        triples.append((j1, j2, j, component_index[component], len(coefficients)))
        factors.append(_multiplicity(j1, j2, j))
        coefficients += [
            clebsch_gordan(j1, j2, j, 2 * m1 - j1, 2 * m2 - j2) for m1 in range(j1 + 1) for m2 in range(j2 + 1)
        ]
    block = np.cumsum([0] + [(j + 1) ** 2 for j in range(twojmax + 1)])
    return BispectrumTables(
        twojmax=twojmax,
        block=block,
        roots=np.sqrt(np.arange(twojmax + 2)),
        norms=np.concatenate([_norms(j).ravel() for j in range(twojmax + 1)]),
        half_weights=np.concatenate([_half_weights(j).ravel() for j in range(twojmax + 1)]),
        components=np.array(components, dtype=np.int64),
        triples=np.array(triples, dtype=np.int64),
        factors=np.array(factors, dtype=np.float64),
        coefficients=np.array(coefficients, dtype=np.float64),
    )


def _multiplicity(j1: int, j2: int, j: int) -> float:
    """∂B/∂U_j* = (this) × (U_j1 ⊗ U_j2)_j, from B's symmetry in its three matrices.

    Moving j from the place of the largest costs the ratio of dimensions (j1 + 1)/(j + 1); equal indices add up.
    """
    if j >= j1:
        if j1 == j:
            return 3.0 if j2 == j else 2.0
        return 1.0
    ratio = (j1 + 1) / (j + 1)
    return 2.0 * ratio if j == j2 else ratio


def _norms(j: int) -> Float[np.ndarray, "rows columns"]:
    sizes = np.sqrt([float(factorial(m) * factorial(j - m)) for m in range(j + 1)])
    return sizes[None, :] / sizes[:, None]


def _half_weights(j: int) -> Float[np.ndarray, "rows columns"]:
    weights = np.zeros((j + 1, j + 1))
    weights[: (j + 1) // 2] = 1.0
    if j % 2 == 0:
        middle = j // 2
        weights[middle, :middle] = 1.0
        weights[middle, middle] = 0.5
    return weights
