"""What every potential needs of a batch, said in one line where it is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Int

from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch

# A cell this much flatter than a box of its sides is taken for a slip of the pen.
_FLAT = 1e-9


def structure_name(batch: StructureBatch, index: int) -> str:
    """How a message calls a structure: its index, and its name where it has one."""
    name = batch.names[index]
    return f"structure {index} ({name})" if name else f"structure {index}"


def species_indices(batch: StructureBatch, elements: Sequence[str], potential: str) -> Int[np.ndarray, " atoms"]:
    """The place of every atom's element in ``elements``.

    Raises
    ------
    InputError
        An element of the batch is not among ``elements``.
    """
    place = np.full(len(chemical_symbols), -1, dtype=np.int64)
    place[[atomic_numbers[element] for element in elements]] = np.arange(len(elements))
    indices = place[batch.species]
    if np.any(indices < 0):
        atom = int(np.argmax(indices < 0))
        structure = int(batch.structure_of_atom[atom])
        raise InputError(
            f"evaluating {structure_name(batch, structure)} with {potential}: it holds "
            f"{chemical_symbols[batch.species[atom]]}, and {potential} knows {', '.join(elements)} only"
        )
    return indices


def check_geometry(batch: StructureBatch, potential: str) -> None:
    """Make sure that all positions are numbers and that all periodic cells have a volume.

    Raises
    ------
    InputError
        The first structure for which it is not so.
    """
    finite = np.isfinite(batch.positions).all(axis=1)
    if not finite.all():
        atom = int(np.argmin(finite))
        structure = int(batch.structure_of_atom[atom])
        raise InputError(
            f"evaluating {structure_name(batch, structure)} with {potential}: the position of its atom "
            f"{atom - int(batch.offsets[structure])} is {batch.positions[atom].tolist()}; give finite numbers"
        )
    empty = np.flatnonzero(batch.sizes == 0)
    if len(empty):
        raise InputError(f"evaluating {structure_name(batch, int(empty[0]))} with {potential}: it has no atoms")
    sides = np.linalg.norm(batch.cells, axis=2).prod(axis=1)
    singular = np.flatnonzero(batch.periodic.all(axis=1) & ~(batch.volumes > _FLAT * sides))
    if len(singular):
        structure = int(singular[0])
        raise InputError(
            f"evaluating {structure_name(batch, structure)} with {potential}: its cell "
            f"{batch.cells[structure].tolist()} has no volume"
        )
