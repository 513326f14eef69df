"""What relaxation never leaves behind: free surfaces, and crystals whose atoms come too close to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

#: So often a displacement is halved; then it is left out.
_HALVINGS = 6


@dataclass(frozen=True)
class Disturbance:
    """What becomes of some relaxed structures: cut and opened, or shaken.

    Lengths are in units of the cube root of the ambient volume of an atom.

    Attributes
    ----------
    opened : float
        The share of structures that are cut along a random lattice plane and opened.
    widest_gap : float
        How far apart the two sides are at most; evenly drawn.
    shaken : float
        The share of structures whose atoms are displaced.
    largest_displacement : float
        The deviation of a coordinate, normally distributed; evenly drawn for each structure up to this.
    closest : float
        A displacement is halved until no two atoms are closer than this.

    Raises
    ------
    InputError
        The shares are none, or a length is negative.
    """

    opened: float = 0.0
    widest_gap: float = 2.4
    shaken: float = 0.0
    largest_displacement: float = 0.12
    closest: float = 0.6

    def __post_init__(self) -> None:
        if min(self.opened, self.shaken) < 0 or self.opened + self.shaken > 1:
            raise InputError(
                f"generating structures: {self.opened} of them opened and {self.shaken} shaken; "
                "give shares from 0 to 1 that sum to no more than 1"
            )
        for name in ("widest_gap", "largest_displacement", "closest"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"generating structures: {name} is {getattr(self, name)}; give 0 or more")


def disturbed(
    batch: StructureBatch, disturbance: Disturbance, length: float, streams: Sequence[np.random.Generator]
) -> StructureBatch:
    """Open or shake each structure, or leave it, as its stream draws.

    Parameters
    ----------
    batch
        Relaxed structures.
    disturbance
        How many, and how far.
    length
        The cube root of the ambient volume of an atom, Å.
    streams
        The random numbers of each structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> crystal = StructureBatch.from_atoms([bulk("W", cubic=True)])
    >>> open_ = disturbed(crystal, Disturbance(opened=1.0), 2.5, [np.random.default_rng(1)])
    >>> bool(open_.volumes[0] > crystal.volumes[0])
    True
    """
    cells, positions = batch.cells.copy(), batch.positions.copy()
    for index, stream in enumerate(streams):
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        draw = stream.random()
        if draw < disturbance.opened:
            gap = length * disturbance.widest_gap * stream.random()
            positions[own], cells[index] = _opened(positions[own], cells[index], gap, stream)
        elif draw < disturbance.opened + disturbance.shaken:
            shift = stream.normal(size=(own.stop - own.start, 3))
            shift *= length * disturbance.largest_displacement * stream.random()
            positions[own] += _bearable(batch.select([index]), shift, length * disturbance.closest)
    return replace(batch, positions=positions, cells=cells)


def _opened(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    gap: float,
    stream: np.random.Generator,
) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
    """Cut between lattice planes, with the cut at the boundary of the cell, and draw the sides apart."""
    axis = int(stream.integers(3))
    places = positions @ np.linalg.inv(cell)
    places[:, axis] += stream.random()
    normal = np.cross(cell[(axis + 1) % 3], cell[(axis + 2) % 3])
    normal *= np.sign(normal @ cell[axis]) / np.linalg.norm(normal)
    wider = cell.copy()
    wider[axis] += gap * normal
    return (places - np.floor(places)) @ cell, wider


def _bearable(
    structure: StructureBatch, shift: Float[np.ndarray, "atoms 3"], closest: float
) -> Float[np.ndarray, "atoms 3"]:
    """The displacement, halved until no two atoms come too close; zero where that does not help."""
    for _ in range(_HALVINGS):
        moved = replace(structure, positions=structure.positions + shift)
        if not len(neighbour_pairs(moved, closest, allow_twins=True).distances):
            return shift
        shift = 0.5 * shift
    return np.zeros_like(shift)
