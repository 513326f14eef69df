"""Expert structures without a lattice: liquids and glasses, as packings of soft spheres or from dynamics."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dynamics import pushed_apart
from mechlearn.sampling.expert_perfect import named, random_strain, strained


def random_packing(crystal: Crystal, volume_ratio: float, distance: float, rng: np.random.Generator) -> Atoms:
    """A supercell's number of atoms at random, pushed apart.

    Parameters
    ----------
    volume_ratio : float
        Volume over the crystal's.
    distance : float
        The least distance of two atoms, over the crystal's nearest-neighbour distance.
    """
    atoms = crystal.supercell()
    atoms.set_cell(atoms.cell * np.cbrt(volume_ratio), scale_atoms=True)
    atoms.set_scaled_positions(rng.random((len(atoms), 3)))
    return pushed_apart(strained(atoms, random_strain(rng, 0.03)), distance * crystal.nearest_neighbour)


def liquid(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A loose packing: 1.0 to 1.15 times the crystal's volume, no pair below 0.78 to 0.88 of its bonds."""
    volume, distance = rng.uniform(1.0, 1.15), rng.uniform(0.78, 0.88)
    return named(random_packing(crystal, volume, distance, rng), f"volume {volume:.3f} distance {distance:.2f}")


def amorphous(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A dense packing: 0.99 to 1.07 times the crystal's volume, no pair below 0.86 to 0.92 of its bonds."""
    volume, distance = rng.uniform(0.99, 1.07), rng.uniform(0.86, 0.92)
    return named(random_packing(crystal, volume, distance, rng), f"volume {volume:.3f} distance {distance:.2f}")
