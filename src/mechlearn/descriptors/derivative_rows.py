"""Where the derivatives ∂B_l/∂U_j[m] of one atom lie, so that a kernel can run through them as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int

from mechlearn.descriptors.angular_momentum import bispectrum_tables
from mechlearn.descriptors.products import product_lists


@dataclass(frozen=True, eq=False)
class DerivativeRows:
    """One row for each component l and each angular momentum j among its three, over the summed elements of U_j.

    The rows of one j follow those of another; there is an even number of each, so that two can be worked on at once.

    Attributes
    ----------
    first : (twojmax + 2,)
        The rows of j are ``first[j]:first[j + 1]``.
    component : (rows,)
        The component of each row; a row that only makes a number even has the one after the last.
    start : (rows + 1,)
        Where each row begins in the list of all rows' elements.
    targets : (places, 2)
        The elements of rows that the two Z of each place of the product list belong to; a second Z that is not there
        goes behind the last row.
    """

    first: Int[np.ndarray, " momenta_and_one"]
    component: Int[np.ndarray, " rows"]
    start: Int[np.ndarray, " rows_and_one"]
    targets: Int[np.ndarray, "places 2"]

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All four, as kernels take them."""
        return self.first, self.component, self.start, self.targets


@lru_cache
def derivative_rows(twojmax: int) -> DerivativeRows:
    """The rows for one ``twojmax``, made once.

    Examples
    --------
    >>> np.diff(derivative_rows(2).first)
    array([4, 2, 4])
    """
    tables = bispectrum_tables(twojmax)
    places = product_lists(twojmax)[1].places
    elements, components = places[:, (2, 4)], places[:, (3, 5)]
    momenta = np.searchsorted(tables.block, elements, side="right") - 1
    features = len(tables.components)
    # Momentum and component as one number, which sorts as the rows do.
    kinds, kind = np.unique(momenta * features + components, return_inverse=True)
    counts = np.bincount(kinds // features, minlength=twojmax + 1)
    first = np.concatenate([[0], np.cumsum(counts + counts % 2)])
    row = np.concatenate([first[j] + np.arange(count) for j, count in enumerate(counts)])
    component = np.full(first[-1], features)
    component[row] = kinds % features
    lengths = np.add.reduceat(tables.half_weights > 0, tables.block[:-1])
    start = np.concatenate([[0], np.cumsum(np.repeat(lengths, np.diff(first)))])
    targets = start[row[kind.reshape(elements.shape)]] + elements - tables.block[momenta]
    targets[targets[:, 0] == targets[:, 1], 1] = start[-1]
    return DerivativeRows(first, component, start, targets)
