"""Expert structures with point defects: vacancies, divacancies, self-interstitials."""

from __future__ import annotations

from typing import Final

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mechlearn.sampling.expert_crystal import Crystal, Lattice
from mechlearn.sampling.expert_dynamics import pushed_apart, rattled
from mechlearn.sampling.expert_perfect import named, random_strain, strained

#: How close two atoms of an interstitial may start, over the nearest-neighbour distance.
INTERSTITIAL_DISTANCE: Final = 0.78

#: Dumbbell axes in units of the conventional cell's vectors.
DUMBBELLS: Final[dict[Lattice, dict[str, tuple[float, float, float]]]] = {
    "bcc": {"100": (1, 0, 0), "110": (1, 1, 0), "111": (1, 1, 1)},
    "fcc": {"100": (1, 0, 0), "110": (1, 1, 0), "111": (1, 1, 1)},
    "hcp": {"a": (1, 0, 0), "c": (0, 0, 1)},
}

#: Interstitial sites, relative to an atom at the origin, in units of the conventional cell's vectors.
SITES: Final[dict[Lattice, dict[str, tuple[float, float, float]]]] = {
    "bcc": {"octahedral": (0.5, 0.5, 0.0), "tetrahedral": (0.5, 0.25, 0.0)},
    "fcc": {"octahedral": (0.5, 0.5, 0.5), "tetrahedral": (0.25, 0.25, 0.25)},
    "hcp": {"octahedral": (0.5, -1 / 6, 0.25), "tetrahedral": (0.0, 0.0, 0.375)},
}


def _disturbed(atoms: Atoms, crystal: Crystal, rng: np.random.Generator) -> tuple[Atoms, float]:
    """The structure strained by up to ±1% and rattled at up to 0.4 of the melting point; the temperature."""
    temperature = rng.uniform(0.02, 0.4) * crystal.melting_temperature
    return rattled(strained(atoms, random_strain(rng, 0.01)), crystal, temperature, rng), temperature


def vacancy(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A supercell of about 54 atoms that lacks one."""
    atoms, temperature = _disturbed(crystal.supercell()[1:], crystal, rng)
    return named(atoms, f"{temperature:.0f} K")


def divacancy(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A supercell that lacks two atoms, first to third neighbours of each other."""
    atoms = crystal.supercell()
    _, distances = find_mic(atoms.positions - atoms.positions[0], atoms.cell)
    shells = np.unique(np.round(distances[1:], 3))[:3]
    shell = int(rng.integers(len(shells)))
    second = int(rng.choice(np.flatnonzero(np.abs(distances - shells[shell]) < 1e-2)))
    del atoms[[0, second]]
    atoms, temperature = _disturbed(atoms, crystal, rng)
    return named(atoms, f"neighbours {shell + 1} {temperature:.0f} K")


def interstitial_kinds(crystal: Crystal) -> tuple[str, ...]:
    """The interstitials of a lattice: its dumbbells by their axis, and its sites."""
    return (*DUMBBELLS[crystal.lattice], *SITES[crystal.lattice])


def ideal_interstitial(crystal: Crystal, kind: str) -> Atoms:
    """A supercell with one atom more, unrelaxed."""
    atoms = crystal.supercell()
    frame = crystal.conventional().cell.array
    if kind in DUMBBELLS[crystal.lattice]:
        axis = np.array(DUMBBELLS[crystal.lattice][kind]) @ frame
        half = 0.5 * INTERSTITIAL_DISTANCE * crystal.nearest_neighbour * axis / np.linalg.norm(axis)
        added = atoms.positions[0] + half
        atoms.positions[0] -= half
    else:
        added = atoms.positions[0] + np.array(SITES[crystal.lattice][kind]) @ frame
    atoms.append(crystal.element)
    atoms.positions[-1] = added
    return atoms


def interstitial(crystal: Crystal, rng: np.random.Generator) -> Atoms:
    """A supercell with one atom more: a dumbbell along ⟨100⟩, ⟨110⟩ or ⟨111⟩, octahedral or tetrahedral.

    Its atoms are pushed apart to 0.78 nearest-neighbour distances after the rattle, which breaks the
    symmetry that would hold a row of atoms jammed.
    """
    kind = str(rng.choice(interstitial_kinds(crystal)))
    atoms, temperature = _disturbed(ideal_interstitial(crystal, kind), crystal, rng)
    atoms = pushed_apart(atoms, INTERSTITIAL_DISTANCE * crystal.nearest_neighbour)
    return named(atoms, f"{kind} {temperature:.0f} K")
