"""Neighbours within a cutoff, for every atom of a batch at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from mechlearn.errors import InputError
from mechlearn.structures.batch import StructureBatch


@dataclass(frozen=True, eq=False)
class NeighbourPairs:
    """All ordered pairs (i, j) closer than a cutoff, periodic images included.

    Attributes
    ----------
    starts : (atoms + 1,)
        The pairs of atom ``i`` are the entries ``starts[i]:starts[i + 1]``.
    second : (pairs,)
        The index of the neighbour within the batch.
    vectors : (pairs, 3)
        From the atom to its neighbour's image, Å.
    distances : (pairs,)
        Å.
    twins : (atoms,)
        An atom in the very place of this one, which no pair has, or -1; all -1 unless they were allowed.
    """

    starts: Int[np.ndarray, " atoms_and_one"]
    second: Int[np.ndarray, " pairs"]
    vectors: Float[np.ndarray, "pairs 3"]
    distances: Float[np.ndarray, " pairs"]
    twins: Int[np.ndarray, " atoms"]

    @cached_property
    def first(self) -> Int[np.ndarray, " pairs"]:
        """The index of the central atom within the batch."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def neighbour_pairs(batch: StructureBatch, cutoff: float, *, allow_twins: bool = False) -> NeighbourPairs:
    """Find all ordered pairs of atoms closer than ``cutoff``.

    Any cell will do: tiny, sheared, or smaller than the cutoff.  The cost is linear in the number of atoms.

    Parameters
    ----------
    batch : StructureBatch
        The structures; directions that are not periodic have no images.
    cutoff : float
        Å, above zero.
    allow_twins : bool
        Whether two atoms may be in one place.  Their pair has no direction, so that no force could part them.

    Raises
    ------
    InputError
        If the cutoff is not a positive finite number, a cell is singular, or two atoms are in one place.

    Examples
    --------
    >>> from ase.build import bulk
    >>> pairs = neighbour_pairs(StructureBatch.from_atoms([bulk("W", a=3.18)]), cutoff=3.3)
    >>> len(pairs.second)  # 8 nearest and 6 next-nearest images of the one atom
    14
    """
    from mechlearn.structures.neighbour_kernels import neighbour_lists

    if not (np.isfinite(cutoff) and cutoff > 0):
        raise InputError(f"searching neighbours: the cutoff is {cutoff} Å; give a positive number")
    check_cells(batch)
    pairs = NeighbourPairs(*neighbour_lists(batch.positions, batch.cells, batch.offsets, batch.periodic, float(cutoff)))
    if not allow_twins and (pairs.twins >= 0).any():
        raise _twins_error(batch, pairs.twins)
    return pairs


@dataclass(frozen=True, eq=False)
class _Lists:
    """Neighbours within cutoff and skin, and where the atoms were when each structure was searched."""

    starts: Int[np.ndarray, " atoms_and_one"]
    second: Int[np.ndarray, " pairs"]
    translations: Float[np.ndarray, "pairs 3"]
    positions: Float[np.ndarray, "atoms 3"]


class NeighbourList:
    """Neighbours of structures under way: a structure is searched anew only when one of its atoms moved far.

    All pairs within the cutoff and a skin are kept.  As long as no atom of a structure moved further than half of
    the skin, every pair within the cutoff is among them.  The pairs are those of :func:`neighbour_pairs`, in the
    order that they had when their structure was last searched; whether it is searched depends on its own path alone.

    Parameters
    ----------
    cutoff : float
        Of the pairs that are wanted, Å.
    skin : float
        How much further the kept pairs reach, Å.

    Raises
    ------
    InputError
        If the skin is not a positive finite number.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("W", a=3.18, cubic=True)
    >>> neighbours = NeighbourList(cutoff=3.3)
    >>> for _ in range(3):
    ...     atoms.rattle(0.01)
    ...     pairs = neighbours.pairs(StructureBatch.from_atoms([atoms]))
    >>> len(pairs.second)
    28
    """

    def __init__(self, cutoff: float, skin: float = 0.5) -> None:
        if not (np.isfinite(skin) and skin > 0):
            raise InputError(f"searching neighbours: the skin is {skin} Å; give a positive number")
        self.cutoff, self.skin = float(cutoff), float(skin)
        self._frame: StructureBatch | None = None
        self._lists: _Lists | None = None

    def pairs(self, batch: StructureBatch) -> NeighbourPairs:
        """All ordered pairs of atoms closer than the cutoff.

        Parameters
        ----------
        batch : StructureBatch
            The structures of the last call after some steps; other cells or sizes start afresh.

        Raises
        ------
        InputError
            As :func:`neighbour_pairs`.
        """
        from mechlearn.structures.neighbour_kernels import close_pairs

        lists = self._lists_for(batch)
        pairs = NeighbourPairs(
            *close_pairs(lists.starts, lists.second, lists.translations, batch.positions, self.cutoff)
        )
        if (pairs.twins >= 0).any():
            raise _twins_error(batch, pairs.twins)
        self._frame, self._lists = batch, lists
        return pairs

    def _lists_for(self, batch: StructureBatch) -> _Lists:
        """The lists that hold for these positions: the old ones but for the structures that moved far."""
        from mechlearn.structures.neighbour_kernels import moved_structures, renewed_lists

        old = self._lists
        if old is None or self._frame is None or not _same_cells(self._frame, batch):
            return self._searched(batch)
        stale = moved_structures(batch.positions, old.positions, batch.offsets, 0.5 * self.skin)
        if not stale.any():
            return old
        new = self._searched(batch if stale.all() else batch.select(stale))
        if stale.all():
            return new
        starts, second, translations = renewed_lists(
            batch.offsets, stale, old.second, old.starts, old.translations, new.second, new.starts, new.translations
        )
        positions = np.where(stale[batch.structure_of_atom, None], batch.positions, old.positions)
        return _Lists(starts, second, translations, positions)

    def _searched(self, batch: StructureBatch) -> _Lists:
        """The lists of a batch, all of it searched."""
        from mechlearn.structures.neighbour_kernels import translations_of_pairs

        wide = neighbour_pairs(batch, self.cutoff + self.skin)
        translations = translations_of_pairs(wide.starts, wide.second, wide.vectors, batch.positions)
        return _Lists(wide.starts, wide.second, translations, batch.positions.copy())


def _same_cells(first: StructureBatch, second: StructureBatch) -> bool:
    """Whether two batches have the same cells with the same numbers of atoms."""
    return all(
        getattr(first, name) is getattr(second, name) or np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("offsets", "cells", "periodic")
    )


def _twins_error(batch: StructureBatch, twins: Int[np.ndarray, " atoms"]) -> InputError:
    """What to say of the first two atoms in one place."""
    atom = int(np.argmax(twins >= 0))
    index = int(batch.structure_of_atom[atom])
    start = int(batch.offsets[index])
    return InputError(
        f"searching neighbours: atoms {atom - start} and {int(twins[atom]) - start} of structure {index} "
        f"({batch.names[index] or 'unnamed'}) are both at {batch.positions[atom].tolist()} Å, or at images of it; "
        "move or remove one"
    )


def check_cells(batch: StructureBatch) -> None:
    """Raise :class:`InputError` if a cell has no volume or a position is not finite."""
    if len(batch) == 0:
        return
    lengths = np.linalg.norm(batch.cells, axis=2).prod(axis=1)
    with np.errstate(invalid="ignore"):
        singular = ~(batch.volumes > 1e-9 * np.maximum(lengths, 1e-300))
    if singular.any():
        index = int(np.argmax(singular))
        raise InputError(
            f"searching neighbours: the cell of structure {index} ({batch.names[index] or 'unnamed'}) has no volume: "
            f"{batch.cells[index].tolist()}; give three independent lattice vectors"
        )
    if not np.isfinite(batch.positions).all():
        atom = int(np.argmax(~np.isfinite(batch.positions).all(axis=1)))
        raise InputError(
            f"searching neighbours: the position of atom {atom} is {batch.positions[atom].tolist()}; "
            "give finite numbers"
        )
