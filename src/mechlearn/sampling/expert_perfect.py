"""Expert structures without defects: strained crystals, equations of state, crystals at a temperature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from ase import Atoms
from ase.build import bulk
from jaxtyping import Float

from mechlearn.sampling.expert_crystal import Crystal, closest_pair
from mechlearn.sampling.expert_dynamics import rattled

#: The largest strain component a strained crystal may have.
LARGEST_STRAIN: Final = 0.1

#: Volumes of the equations of state over each lattice's reference volume.
VOLUME_RANGE: Final = (0.7, 1.4)

#: The shortest bonds of a lattice at its reference volume, over the crystal's own.
SHORTEST_BOND: Final = 0.92


def random_strain(rng: np.random.Generator, largest: float) -> Float[np.ndarray, "3 3"]:
    """A symmetric strain with every component uniform in ±``largest``."""
    draw = rng.uniform(-largest, largest, size=(3, 3))
    return np.tril(draw) + np.tril(draw, -1).T


def strained(atoms: Atoms, strain: Float[np.ndarray, "3 3"]) -> Atoms:
    """The structure deformed homogeneously by F = 1 + ε."""
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return deformed


def named(atoms: Atoms, name: str) -> Atoms:
    """The structure, with its name in ``info``."""
    atoms.info["name"] = name
    return atoms


# ---------------------------------------------------------------------- the groups


def strained_crystal(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A crystal under a random strain of up to ±10%: the primitive cell, or eight of them rattled."""
    largest = rng.uniform(0.005, LARGEST_STRAIN)
    strain = random_strain(rng, largest)
    if rng.random() < 0.5:
        return named(strained(crystal.primitive(), strain), f"primitive ±{largest:.3f}")
    temperature = rng.uniform(0.05, 0.5) * crystal.melting_temperature
    moved = rattled(strained(crystal.primitive().repeat(2), strain), crystal, temperature, rng)
    return named(moved, f"rattled ±{largest:.3f} {temperature:.0f} K")


def a15(element: str) -> Atoms:
    """The A15 structure of one element (β-W), a = 1 Å."""
    corner = [(0, 0, 0), (0.5, 0.5, 0.5)]
    chains = [(0.25, 0, 0.5), (0.75, 0, 0.5), (0.5, 0.25, 0), (0.5, 0.75, 0), (0, 0.5, 0.25), (0, 0.5, 0.75)]
    return Atoms([element] * 8, scaled_positions=corner + chains, cell=np.eye(3), pbc=True)


#: Lattices of the equations of state; only their shape counts, each is scaled to its volume.
EQUATION_LATTICES: Final[dict[str, Callable[[str], Atoms]]] = {
    "bcc": lambda element: bulk(element, "bcc", a=1.0, cubic=True),
    "fcc": lambda element: bulk(element, "fcc", a=1.0, cubic=True),
    "hcp": lambda element: bulk(element, "hcp", a=1.0, covera=np.sqrt(8 / 3)),
    "sc": lambda element: bulk(element, "sc", a=1.0),
    "diamond": lambda element: bulk(element, "diamond", a=1.0, cubic=True),
    "A15": a15,
}


def lattice_at_volume(crystal: Crystal, lattice: str, ratio: float) -> Atoms:
    """A lattice at a ratio to its reference volume.

    The reference is the crystal's own volume an atom, but never so little that bonds are shorter than 0.92 of
    the crystal's, so that open lattices (sc, diamond) start from bonds rather than from a density.
    """
    atoms = EQUATION_LATTICES[lattice](crystal.element)
    bond = closest_pair(atoms, 2.0) / np.cbrt(atoms.cell.volume / len(atoms))
    by_bond = (SHORTEST_BOND * crystal.nearest_neighbour / bond) ** 3
    volume = ratio * max(crystal.volume_per_atom, by_bond)
    atoms.set_cell(atoms.cell * np.cbrt(volume * len(atoms) / atoms.cell.volume), scale_atoms=True)
    return atoms


def equation_of_state(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A perfect bcc, fcc, hcp, sc, diamond or A15 lattice at 0.7 to 1.4 times its reference volume."""
    lattice = str(rng.choice(list(EQUATION_LATTICES)))
    ratio = rng.uniform(*VOLUME_RANGE)
    return named(lattice_at_volume(crystal, lattice, ratio), f"{lattice} volume {ratio:.3f}")


def hot_crystal(crystal: Crystal, temperature: float, rng: np.random.Generator) -> Atoms:
    """A supercell at the thermal expansion of a temperature (K), rattled: where dynamics starts."""
    grown = strained(crystal.supercell(), crystal.thermal_strain(temperature) * np.eye(3))
    return named(rattled(grown, crystal, temperature, rng), f"{temperature:.0f} K")
