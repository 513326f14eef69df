"""Is a glass a glass? The share of atoms whose surroundings repeat in the same orientation nearby."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Complex

from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

#: The orders of the spherical harmonics that describe surroundings.
_ORDERS: Final = (4, 6, 8)

#: How far surroundings reach, and how far their repetitions are sought, in mean spacings (V/N)^(1/3).
_SHELL, _SEARCH = 1.5, 2.7

#: Surroundings are the same where they overlap by this much; this often they have to repeat.
_OVERLAP, _REPETITIONS = 0.8, 4


def crystalline_atoms(structure: StructureBatch) -> Bool[np.ndarray, " atoms"]:
    """Find the atoms whose surroundings repeat, unturned, around atoms of the same element nearby.

    What surrounds an atom within 1.5 mean spacings is told by

        q_lm(i) = Σ_j Y_lm(r_ij), l = 4, 6 and 8, as a unit vector;   overlap(i, j) = Re Σ q_lm(i) q_lm*(j)

    An atom is crystalline if four atoms of its element within 2.7 spacings overlap with it by 0.8 or more.  Icosahedra
    of a glass are alike but turned against each other.  As it compares atoms of one sublattice, it knows every crystal,
    Laves phases too, whose neighbours have unlike surroundings.

    Parameters
    ----------
    structure
        A batch of one, at rest or nearly so; each width of its cell at least 5.4 mean spacings.

    Raises
    ------
    InputError
        If it is not one structure, or a cell or position is none.

    References
    ----------
    Steinhardt, Nelson and Ronchetti, Physical Review B 28, 784 (1983); the comparison with neighbours is that of
    ten Wolde, Ruiz-Montero and Frenkel, Journal of Chemical Physics 104, 9932 (1996).

    Examples
    --------
    >>> from ase.build import bulk
    >>> crystal = bulk("Cu", cubic=True).repeat(4)
    >>> crystal.rattle(0.1, seed=1)
    >>> float(crystalline_atoms(StructureBatch.from_atoms([crystal])).mean())
    1.0
    """
    if len(structure) != 1:
        raise InputError(f"looking for crystals: {len(structure)} structures were given; give one at a time")
    spacing = float(np.cbrt(structure.volumes[0] / structure.atoms))
    surroundings = _surroundings(structure, _SHELL * spacing)
    pairs = neighbour_pairs(structure, _SEARCH * spacing)
    # An atom's own image would always be the same as it.
    alike = (structure.species[pairs.first] == structure.species[pairs.second]) & (pairs.first != pairs.second)
    first, second = pairs.first[alike], pairs.second[alike]
    overlap = np.einsum("pm,pm->p", surroundings[first], surroundings[second].conj()).real
    repetitions = np.bincount(first[overlap >= _OVERLAP], minlength=structure.atoms)
    return np.asarray(repetitions >= _REPETITIONS)


def refuse_crystals(structure: StructureBatch, largest_share: float, doing: str) -> float:
    """The share of crystalline atoms, refused where it is too large for a glass.

    Raises
    ------
    InputError
        If it is above ``largest_share``.
    """
    share = float(crystalline_atoms(structure).mean())
    if share > largest_share:
        raise InputError(
            f"{doing}: it crystallised, {share:.0%} of its atoms have crystalline surroundings (up to "
            f"{largest_share:.0%} is taken for a glass); quench faster, or choose a composition that forms a glass"
        )
    return share


def _surroundings(structure: StructureBatch, reach: float) -> Complex[np.ndarray, "atoms components"]:
    """q_lm of every atom as a unit vector; zero where nothing is near."""
    from scipy.special import sph_harm_y

    pairs = neighbour_pairs(structure, reach)
    polar = np.arccos(np.clip(pairs.vectors[:, 2] / pairs.distances, -1.0, 1.0))
    azimuth = np.arctan2(pairs.vectors[:, 1], pairs.vectors[:, 0])
    columns = []
    for order in _ORDERS:
        # The rest follows from Y_l,−m = (−1)^m Y_lm*: it doubles the share of m > 0.
        for m in range(order + 1):
            values = sph_harm_y(order, m, polar, azimuth) * (np.sqrt(2.0) if m else 1.0)
            real, imaginary = (
                np.bincount(pairs.first, part, minlength=structure.atoms) for part in (values.real, values.imag)
            )
            columns.append(real + 1j * imaginary)
    vectors = np.stack(columns, axis=1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))
