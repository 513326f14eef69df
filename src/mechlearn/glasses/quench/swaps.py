"""Monte Carlo swaps of unlike atoms: each trades places with one of another element, as no dynamics would let it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ase.data import atomic_numbers

from mechlearn.errors import InputError
from mechlearn.interactions import EamPotential, LennardJones
from mechlearn.interactions.checks import species_indices
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs


@dataclass(frozen=True, eq=False)
class Swapped:
    """A structure after swaps.

    Attributes
    ----------
    structure : StructureBatch
        The same places, other elements in them; no labels.
    tried, accepted : int
        How many swaps.
    energy : float
        By which its energy changed, eV.
    """

    structure: StructureBatch
    tried: int
    accepted: int
    energy: float


def swap_unlike_atoms(
    potential: EamPotential | LennardJones, structure: StructureBatch, thermal_energy: float, trials: int, seed: int = 0
) -> Swapped:
    """Try swaps of unlike atoms at a temperature, each accepted so that Boltzmann's distribution is kept.

    Nothing moves, so that distances are found once; a swap is judged by what is known of each of its atoms at the
    start, and only the few that pass are worked out, at the cost of the neighbours of two atoms, not of all (delayed
    acceptance: J. A. Christen and C. Fox, J. Comput. Graph. Stat. 14, 795 (2005)).

    Parameters
    ----------
    potential
        EAM or Lennard-Jones.
    structure
        A batch of one.
    thermal_energy
        k_B T, eV.
    trials
        How many.
    seed
        Same seed, same swaps.

    Raises
    ------
    InputError
        All atoms are of one element, the potential does not know one, or a number is out of range.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import kob_andersen
    >>> atoms = bulk("Ni", cubic=True, a=1.6).repeat(3)
    >>> atoms.symbols[::5] = "P"
    >>> swapped = swap_unlike_atoms(kob_andersen(), StructureBatch.from_atoms([atoms]), 1.0, trials=1000)
    >>> swapped.tried, swapped.accepted > 0
    (1000, True)
    """
    doing = "swapping atoms"
    if not (np.isfinite(thermal_energy) and thermal_energy > 0 and trials >= 0):
        raise InputError(f"{doing}: {trials} trials at a k_B T of {thermal_energy}; give positive numbers")
    kinds = species_indices(structure, potential.elements, potential.name)
    if (kinds == kinds[0]).all():
        raise InputError(f"{doing}: all atoms are of one element; leave the swaps out")
    from mechlearn.glasses.quench.swap_kernels import swap_unlike

    functions = potential.functions
    pairs = neighbour_pairs(structure, functions.cutoff)
    accepted, energy = swap_unlike(
        functions,
        pairs.starts,
        pairs.second,
        pairs.distances,
        kinds,
        1.0 / thermal_energy,
        trials,
        np.random.default_rng(seed),
    )
    numbers = np.array([atomic_numbers[element] for element in potential.elements], dtype=structure.species.dtype)
    return Swapped(replace(structure.without_labels(), species=numbers[kinds]), trials, int(accepted), float(energy))
