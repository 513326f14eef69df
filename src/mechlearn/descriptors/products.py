"""The Clebsch–Gordan products Z = U_j1 ⊗ U_j2 as one flat list of terms, which a kernel runs through.

    Z_j[mb, ma] = Σ ⟨j1 mb1; j2 mb2 | j mb⟩ ⟨j1 ma1; j2 ma2 | j ma⟩ U_j1[mb1, ma1] U_j2[mb2, ma2]

over mb1 + mb2 = mb + h and ma1 + ma2 = ma + h, h = (j1 + j2 - j)/2.  The products U U at one place
(mb1 + mb2, ma1 + ma2) serve every j that the two momenta couple to: here two at a time.  Where j1 = j2 the terms
come in equal pairs, of which one is kept.  What else multiplies a term is in its weights, so that

    B_l  = Σ_places U* : Z   and   Y = Σ_places g_l Z

are all that is left to do.  Angular momenta are doubled, as in ``angular_momentum``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from mechlearn.descriptors.angular_momentum import BispectrumTables, bispectrum_tables


@dataclass(frozen=True, eq=False)
class ProductList:
    """Places, and the terms that are summed at each.

    Attributes
    ----------
    places : (places, 6)
        First and one past the last term; then for two angular momenta the matrix element of Z and the component of
        the bispectrum.  Where there is but one, the weights of the other are zero.
    factors : (2·terms,)
        The matrix elements of U_j1 and U_j2 that are multiplied, term by term.
    weights : (2·terms,)
        What multiplies the product for the one and for the other angular momentum, term by term.
    """

    places: Int[np.ndarray, "places 6"]
    factors: Int[np.ndarray, " two_a_term"]
    weights: Float[np.ndarray, " two_a_term"]


@dataclass(frozen=True, eq=False)
class _Coupling:
    """U_j1 ⊗ U_j2 → j: the component that it belongs to, how often it counts, its Clebsch–Gordan coefficients."""

    j1: int
    j2: int
    j: int
    component: int
    scale: float
    coefficients: Float[np.ndarray, "rows columns"]

    @property
    def shift(self) -> int:
        """h of m1 + m2 = m + h."""
        return (self.j1 + self.j2 - self.j) // 2

    def element(self, tables: BispectrumTables, row: int, column: int) -> int | None:
        """The summed matrix element of Z_j with mb1 + mb2 = row and ma1 + ma2 = column, if there is one."""
        mb, ma = row - self.shift, column - self.shift
        if not (0 <= mb <= self.j and 0 <= ma <= self.j):
            return None
        element = int(tables.block[self.j]) + (self.j + 1) * mb + ma
        return element if tables.half_weights[element] > 0 else None


@lru_cache
def product_lists(twojmax: int) -> tuple[ProductList, ProductList]:
    """The products that the bispectrum needs, and those that its derivative by U needs.

    B_{j1 j2 j}/(j + 1) is symmetric in its three momenta.  The bispectrum is contracted where the third is smallest:
    that way most products are shared.  Its derivative needs the third in all places.

    Examples
    --------
    >>> values, slopes = product_lists(8)
    >>> len(values.weights) // 2, len(slopes.weights) // 2  # terms
    (9180, 19793)
    """
    tables = bispectrum_tables(twojmax)
    values: dict[tuple[int, int], list[_Coupling]] = defaultdict(list)
    slopes: dict[tuple[int, int], list[_Coupling]] = defaultdict(list)
    for (j1, j2, j, component, start), factor in zip(tables.triples.tolist(), tables.factors.tolist(), strict=True):
        coefficients = tables.coefficients[start : start + (j1 + 1) * (j2 + 1)].reshape(j1 + 1, j2 + 1)
        slopes[j1, j2].append(_Coupling(j1, j2, j, component, factor, coefficients))
        if j <= j2:
            values[j1, j2].append(_Coupling(j1, j2, j, component, (j1 + 1) / (j + 1), coefficients))
    return _listed(tables, values.values()), _listed(tables, slopes.values())


def _listed(tables: BispectrumTables, groups: Iterable[list[_Coupling]]) -> ProductList:
    """The list of all places of all groups, each the couplings of one pair (j1, j2)."""
    places: list[tuple[int, ...]] = []
    factors: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    count = 0
    for group in groups:
        for row, column, couplings in _places(tables, group):
            own_factors, own_weights = _terms(tables, row, column, couplings)
            targets = [
                number
                for coupling in (couplings[0], couplings[-1])
                for number in (coupling.element(tables, row, column) or 0, coupling.component)
            ]
            places.append((count, count + len(own_factors), *targets))
            factors.append(own_factors)
            weights.append(own_weights)
            count += len(own_factors)
    return ProductList(np.array(places), np.concatenate(factors).ravel(), np.concatenate(weights).ravel())


def _places(tables: BispectrumTables, group: list[_Coupling]) -> Iterator[tuple[int, int, list[_Coupling]]]:
    """Every place (mb1 + mb2, ma1 + ma2), and the couplings that have an element there, two at a time."""
    total = group[0].j1 + group[0].j2
    for row in range(total // 2 + 1):
        for column in range(total + 1):
            here = [coupling for coupling in group if coupling.element(tables, row, column) is not None]
            for first in range(0, len(here), 2):
                yield row, column, here[first : first + 2]


def _terms(
    tables: BispectrumTables, row: int, column: int, couplings: Sequence[_Coupling]
) -> tuple[Int[np.ndarray, "terms 2"], Float[np.ndarray, "terms 2"]]:
    """The factors and weights of all terms at one place."""
    j1, j2 = couplings[0].j1, couplings[0].j2
    mb1, ma1 = (
        grid.ravel()
        for grid in np.meshgrid(
            *(np.arange(max(0, both - j2), min(j1, both) + 1) for both in (row, column)), indexing="ij"
        )
    )
    mb2, ma2 = row - mb1, column - ma1
    first, second = tables.block[j1] + (j1 + 1) * mb1 + ma1, tables.block[j2] + (j2 + 1) * mb2 + ma2
    weights = np.zeros((len(mb1), 2))
    for place, coupling in enumerate(couplings):
        element = coupling.element(tables, row, column)
        weights[:, place] = coupling.coefficients[mb1, mb2] * coupling.coefficients[ma1, ma2]
        # Half of the matrix is summed, and counts twice.
        weights[:, place] *= 2.0 * coupling.scale * tables.half_weights[element]
    if j1 == j2:
        weights[first < second] *= 2.0
    kept = (weights != 0).any(axis=1) & ((first <= second) | (j1 != j2))
    return np.column_stack([first, second])[kept].astype(np.int16), weights[kept]
