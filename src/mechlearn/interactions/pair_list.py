"""Which atoms are neighbours, kept from one step to the next while it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import check_cells, neighbour_pairs


class HalfLists(NamedTuple):
    """Every pair of neighbours once (see :func:`mechlearn.structures.half_list_kernels.half_lists`)."""

    block_starts: Int[np.ndarray, " atoms_and_one"]
    neighbours: Int[np.ndarray, " eight_blocks"]
    owners: Int[np.ndarray, " images"]
    shifts: Int[np.ndarray, " three_rows"]


@dataclass(frozen=True, eq=False)
class PairList:
    """The pairs of a batch that were closer than ``reach`` when they were searched.

    Attributes
    ----------
    lists : HalfLists
        The pairs.
    frame : StructureBatch
        The structures as they were.
    reach : float
        Å.
    """

    lists: HalfLists
    frame: StructureBatch
    reach: float

    def holds(self, batch: StructureBatch, cutoff: float) -> bool:
        """Whether every pair of these structures that is closer than ``cutoff`` is listed.

        With F the map from the old cell to the new one (row vectors, h = h₀ F) and u = x − x₀F what an atom moved
        beside it, a pair that was further apart than the reach R still has a length above σ R − 2 max|u|, where σ is
        the smallest singular value of F.  So the list outlives a strain as well as displacements.

        Parameters
        ----------
        batch
            The structures of the list after some steps; of others it does not hold.
        cutoff
            Å.
        """
        old = self.frame
        if batch is old:
            return self.reach >= cutoff
        if not all(np.array_equal(getattr(old, name), getattr(batch, name)) for name in ("offsets", "species")):
            return False
        if not np.array_equal(old.periodic, batch.periodic):
            return False
        maps = np.linalg.solve(old.cells, batch.cells)
        stretch = np.linalg.svd(maps, compute_uv=False)[:, -1]
        for index in range(len(batch)):
            own = slice(batch.offsets[index], batch.offsets[index + 1])
            moved = batch.positions[own] - old.positions[own] @ maps[index]
            # A shift of all atoms together changes no pair.
            furthest = np.sqrt(np.square(moved - moved.mean(axis=0)).sum(axis=1).max())
            if not stretch[index] * self.reach - 2.0 * furthest >= cutoff:
                return False
        return True


def pair_list(batch: StructureBatch, kinds: Int[np.ndarray, " atoms"], reach: float) -> PairList:
    """Search all pairs closer than ``reach``.

    Parameters
    ----------
    batch
        The structures.
    kinds
        The place of each atom's element among the potential's.
    reach
        The cutoff, and a skin where the list is to be kept, Å.

    Raises
    ------
    InputError
        As :func:`mechlearn.structures.neighbours.neighbour_pairs`.
    """
    from mechlearn.descriptors.lane_kernels import LANES
    from mechlearn.structures.half_list_kernels import half_lists

    check_cells(batch)
    *lists, twins = half_lists(batch.positions, batch.cells, batch.offsets, batch.periodic, kinds, float(reach), LANES)
    if twins:
        neighbour_pairs(batch, reach)  # which says where
    return PairList(HalfLists(*lists), batch, float(reach))
