"""Expert structures with plane defects: free surfaces and γ-surfaces, with and without a vacancy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from jaxtyping import Float

from mechlearn.sampling.expert_crystal import Crystal, Lattice, closest_pair
from mechlearn.sampling.expert_dynamics import rattled
from mechlearn.sampling.expert_perfect import named, random_strain, strained

#: Vacuum between a slab and its image, Å: more than two cutoffs of 4.73 Å.
VACUUM: Final = 10.0

#: How close atoms on either side of a stacking fault may be, over the nearest-neighbour distance.
FAULT_DISTANCE: Final = 0.85


@dataclass(frozen=True)
class Plane:
    """A crystal plane: two vectors of the lattice in it, a third normal to it, and the cells along the third.

    Directions are in units of the conventional cell's vectors; ``glides`` says whether slip is usual on it.
    """

    name: str
    directions: tuple[tuple[float | int, ...], ...]
    repeats: int
    glides: bool = False

    def block(self, crystal: Crystal) -> Atoms:
        """The periodic block with the plane's normal along z."""
        return crystal.oriented(np.array(self.directions, dtype=np.float64)).repeat((1, 1, self.repeats))


PLANES: Final[dict[Lattice, tuple[Plane, ...]]] = {
    "bcc": (
        Plane("100", ((1, 0, 0), (0, 1, 0), (0, 0, 1)), 6),
        Plane("110", ((-1, 1, 0), (0, 0, 1), (1, 1, 0)), 3, glides=True),
        Plane("111", ((1, -1, 0), (0, 1, -1), (0.5, 0.5, 0.5)), 4),
        Plane("112", ((0.5, 0.5, -0.5), (-1, 1, 0), (1, 1, 2)), 2, glides=True),
    ),
    "fcc": (
        Plane("100", ((0.5, 0.5, 0), (-0.5, 0.5, 0), (0, 0, 1)), 5),
        Plane("110", ((-0.5, 0.5, 0), (0, 0, 1), (0.5, 0.5, 0)), 6),
        Plane("111", ((0.5, -0.5, 0), (0, 0.5, -0.5), (1, 1, 1)), 3, glides=True),
    ),
    "hcp": (
        Plane("0001", ((1, 0, 0), (0.5, 0.5, 0), (0, 0, 1)), 5, glides=True),
        Plane("1-100", ((0, 0, 1), (1, 0, 0), (0, 1, 0)), 3, glides=True),
    ),
}


def glide_planes(crystal: Crystal) -> tuple[Plane, ...]:
    """The planes of the γ-surfaces: {110} and {112} in bcc."""
    return tuple(plane for plane in PLANES[crystal.lattice] if plane.glides)


def _drawn(planes: tuple[Plane, ...], rng: np.random.Generator) -> Plane:
    return planes[int(rng.integers(len(planes)))]


# ---------------------------------------------------------------------- surfaces


def ideal_surface(crystal: Crystal, plane: Plane) -> Atoms:
    """A slab between vacuums of 10 Å, bulk-like."""
    atoms = plane.block(crystal)
    atoms.center(vacuum=0.5 * VACUUM, axis=2)
    return atoms


def surface(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A {100}, {110}, {111} or {112} slab under vacuum, strained by up to ±2%, rattled."""
    plane = _drawn(PLANES[crystal.lattice], rng)
    temperature = rng.uniform(0.02, 0.4) * crystal.melting_temperature
    atoms = strained(ideal_surface(crystal, plane), random_strain(rng, 0.02))
    return named(rattled(atoms, crystal, temperature, rng), f"{plane.name} {temperature:.0f} K")


# ---------------------------------------------------------------------- γ-surfaces


def stacking_fault(crystal: Crystal, plane: Plane, shift: Float[np.ndarray, "2"], repeats: int = 1) -> Atoms:
    """A block cut along a plane, one half displaced by ``shift`` in units of the plane's two lattice vectors.

    The displacement tilts the third cell vector, c ← c + s₁ a + s₂ b, which leaves one fault in the cell,
    between its top and its image's bottom.  The fault opens along the normal, as relaxed ones do, until no
    bond across it is shorter than 0.85 nearest-neighbour distances.

    Parameters
    ----------
    repeats : int
        Blocks along each of the plane's two vectors.
    """
    atoms = plane.block(crystal)
    cell = atoms.cell.array.copy()
    cell[2] += shift @ cell[:2]
    atoms.set_cell(cell)
    allowed = FAULT_DISTANCE * crystal.nearest_neighbour
    while closest_pair(atoms, 1.2 * allowed) < allowed:
        cell[2, 2] += 0.02 * crystal.nearest_neighbour
        atoms.set_cell(cell)
    return atoms.repeat((repeats, repeats, 1))


def _fault(crystal: Crystal, repeats: int, rng: np.random.Generator) -> tuple[Atoms, str]:
    """A stacking fault at a random displacement, its cell strained by up to ±1%; its name."""
    plane, shift = _drawn(glide_planes(crystal), rng), rng.random(2)
    atoms = strained(stacking_fault(crystal, plane, shift, repeats), random_strain(rng, 0.01))
    return atoms, f"{plane.name} ({shift[0]:.3f}, {shift[1]:.3f})"


def gamma_surface(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A point of a γ-surface: a displacement anywhere in the plane's cell, rattled."""
    atoms, name = _fault(crystal, 1, rng)
    temperature = rng.uniform(0.02, 0.3) * crystal.melting_temperature
    return named(rattled(atoms, crystal, temperature, rng), f"{name} {temperature:.0f} K")


def gamma_surface_vacancy(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A point of a γ-surface with 2 × 2 cells in the plane, and an atom missing anywhere."""
    atoms, name = _fault(crystal, 2, rng)
    del atoms[int(rng.integers(len(atoms)))]
    temperature = rng.uniform(0.02, 0.3) * crystal.melting_temperature
    return named(rattled(atoms, crystal, temperature, rng), f"{name} {temperature:.0f} K")
