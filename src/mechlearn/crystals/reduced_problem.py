"""The linear problem of an interaction tensor on its independent entries, made loading case by loading case.

With H_ij = h_o for all pairs of an orbit o (K alike), the column of h_o in the equation of system i is the sum of
the products over the orbit's tuples that begin with i.  The products of one loading case are all that is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Int

from mechlearn.crystals.interactions import Orbits
from mechlearn.crystals.slip import SlipSystems
from mechlearn.equations import MomentBlocks

#: From a loading case to its products (samples, tuples without the first index) and targets (samples, systems).
Samples = Callable[[int], tuple[Float[np.ndarray, "samples products"], Float[np.ndarray, "samples systems"]]]


@dataclass(frozen=True, eq=False)
class ReducedProblem:
    """The linear problem of one tensor.

    Tuples that begin in one family stay in it under the point group, so that each family has a problem of its own.

    Attributes
    ----------
    samples
        From a loading case to the products that the tensor's rows multiply, and the left-hand sides.
    cases : (grains,)
        The loading case of each grain.
    systems, orbits
        The slip systems, and which index tuples belong together.
    constant : bool
        Whether each family has a constant beside the tensor; it is the first column.
    """

    samples: Samples
    cases: Int[np.ndarray, " grains"]
    systems: SlipSystems
    orbits: Orbits
    constant: bool

    def columns(self, family: int) -> Int[np.ndarray, " columns"]:
        """The orbits whose tuples begin in the family."""
        return np.flatnonzero(self.systems.family[self.orbits.representatives[:, 0]] == family)

    def batches(
        self, family: int, columns: Int[np.ndarray, " columns"]
    ) -> Iterator[tuple[Float[np.ndarray, "rows terms"], Float[np.ndarray, " rows"]]]:
        """The chosen columns and the target, one loading case after another in rising order."""
        members = np.flatnonzero(self.systems.family == family)
        sums = [self._sums(int(system), columns) for system in members]
        for case in np.unique(self.cases).tolist():
            products, targets = self.samples(case)
            matrix = np.concatenate([np.asarray(products @ summed) for summed in sums])
            if self.constant:
                matrix = np.column_stack([np.ones(len(matrix)), matrix])
            yield matrix, targets[:, members].T.ravel()

    def moments(
        self, family: int, columns: Int[np.ndarray, " columns"], folds: Int[np.ndarray, " cases"]
    ) -> MomentBlocks:
        """The moments of each fold; ``folds`` says to which each loading case belongs, cases in rising order."""
        size, count = len(columns) + self.constant + 1, int(folds.max()) + 1
        moments, samples = np.zeros((count, size, size)), np.zeros(count)
        for fold, (matrix, target) in zip(folds, self.batches(family, columns), strict=True):
            augmented = np.column_stack([matrix, target])
            moments[fold] += augmented.T @ augmented
            samples[fold] += len(target)
        return MomentBlocks(moments, samples)

    def _sums(self, system: int, columns: Int[np.ndarray, " columns"]) -> sparse.csr_array:
        """What takes products to columns: 1 (or a sign) where the tuple with ``system`` in front is of the orbit."""
        place = np.full(len(self.orbits) + 1, -1)
        place[columns] = np.arange(len(columns))
        column = place[self.orbits.labels[system].ravel()]
        product = np.flatnonzero(column >= 0)
        signs = self.orbits.signs[system].ravel()[product].astype(np.float64)
        return sparse.csr_array((signs, (product, column[product])), shape=(len(column), len(columns)))
