"""The screened nuclear repulsion of Ziegler, Biersack and Littmark, as LAMMPS switches it off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.descriptors import Pullback
from mechlearn.errors import InputError
from mechlearn.interactions.checks import check_geometry, species_indices
from mechlearn.interactions.potential import Evaluation
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

# LAMMPS's e²/4πε₀ in its metal units, eV·Å; the next digits of CODATA differ.
_COULOMB = 14.399645
_SCREENING_LENGTH = 0.46850
_SCREENING_POWER = 0.23
_WEIGHTS = (0.02817, 0.28022, 0.50986, 0.18175)
_DECAYS = (0.20162, 0.40290, 0.94229, 3.19980)


@dataclass(frozen=True)
class Zbl:
    """Screened nuclear repulsion, equal to LAMMPS's ``pair_style zbl inner outer``.

    The energy of two nuclei Z₁ and Z₂ at a distance r is

        E(r) = Z₁ Z₂ e²/(4πε₀ r) φ(r/a) + S(r),   a = 0.46850 Å / (Z₁^0.23 + Z₂^0.23)

        φ(x) = 0.18175 e^(−3.19980 x) + 0.50986 e^(−0.94229 x)
             + 0.28022 e^(−0.40290 x) + 0.02817 e^(−0.20162 x)

    and S(r) = C up to ``inner``, then C + A/3 (r − inner)³ + B/4 (r − inner)⁴, with A, B and C such that the
    energy and its first two derivatives are zero at ``outer``.

    Attributes
    ----------
    elements : tuple of str
        The chemical symbols it is to be used for.
    inner, outer : float
        Where the switching begins, and where the interaction ends, Å.

    References
    ----------
    Ziegler, Biersack and Littmark, *The Stopping and Range of Ions in Matter* (1985); LAMMPS's manual,
    ``pair_style zbl``.

    Examples
    --------
    >>> from ase.build import bulk
    >>> evaluation = Zbl(("W",)).evaluate(StructureBatch.from_atoms([bulk("W", a=3.1803)]))
    >>> round(float(evaluation.energies[0]), 4)
    6.7982
    """

    elements: tuple[str, ...]
    inner: float = 4.0
    outer: float = 4.8

    def __post_init__(self) -> None:
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if unknown or not self.elements:
            raise InputError(f"ZBL: the elements {self.elements} are not chemical symbols such as 'W'")
        if not 0.0 < self.inner < self.outer < np.inf:
            raise InputError(f"ZBL: inner is {self.inner} Å and outer {self.outer} Å; give 0 < inner < outer")

    def pair_energy(
        self, distances: Float[np.ndarray, " pairs"], first: str, second: str
    ) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
        """E(r) and dE/dr of two elements at distances up to ``outer``, eV and eV/Å."""
        ends = _bare(np.array([self.outer]), first, second)
        energy, slope, curvature = (float(value[0]) for value in ends)
        width = self.outer - self.inner
        cubic = (-3.0 * slope + width * curvature) / width**2
        quartic = (2.0 * slope - width * curvature) / width**3
        constant = -energy + width / 2.0 * slope - width**2 / 12.0 * curvature
        depth = np.maximum(distances - self.inner, 0.0)
        bare, bare_slope, _ = _bare(distances, first, second)
        energies = bare + constant + depth**3 * (cubic / 3.0 + quartic / 4.0 * depth)
        return energies, bare_slope + depth**2 * (cubic + quartic * depth)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies of every structure.

        Each atom has half of the energy of each of its pairs; the stress of a structure of volume V is
        σ = 1/(2V) Σ dE/dr (r ⊗ r)/r over its ordered pairs.

        Raises
        ------
        InputError
            A structure holds another element, a position that is not a number or a cell without volume.
        """
        from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs

        check_geometry(batch, "ZBL")
        kinds = species_indices(batch, self.elements, "ZBL")
        pairs = neighbour_pairs(batch, self.outer)
        energies, slopes = self._of_pairs(
            pairs.distances, kinds[pairs.first] * len(self.elements) + kinds[pairs.second]
        )
        # Both orders of a pair are in the list, and each has half of its energy.
        gradients = pairs.vectors * (0.5 * slopes / pairs.distances)[:, None]
        forces, virials, owner = np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3)), batch.structure_of_atom
        forces_from_pairs(pairs.starts, pairs.second, pairs.vectors, owner, gradients, forces, virials)
        atomic_energies = _sums(pairs.first, energies / 2.0, batch.atoms)
        return Evaluation(
            energies=_sums(owner, atomic_energies, len(batch)),
            forces=forces,
            stresses=Pullback(forces, virials).stresses(batch.volumes),
            atomic_energies=atomic_energies,
        )

    def _of_pairs(
        self, distances: Float[np.ndarray, " pairs"], kinds: Int[np.ndarray, " pairs"]
    ) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
        """E(r) and dE/dr of every pair, element pair by element pair."""
        energies, slopes = np.zeros_like(distances), np.zeros_like(distances)
        for row, first in enumerate(self.elements):
            for column, second in enumerate(self.elements):
                chosen = np.flatnonzero(kinds == row * len(self.elements) + column)
                energies[chosen], slopes[chosen] = self.pair_energy(distances[chosen], first, second)
        return energies, slopes


def _sums(
    owners: Int[np.ndarray, " entries"], values: Float[np.ndarray, " entries"], count: int
) -> Float[np.ndarray, " owners"]:
    """The sum of the values of each owner; of no values at all, ``bincount`` would make integers."""
    return np.bincount(owners, values, count).astype(np.float64, copy=False)


def _bare(
    distances: Float[np.ndarray, " pairs"], first: str, second: str
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Z₁Z₂e²/(4πε₀r) φ(r/a) and its first two derivatives with respect to r."""
    charges = atomic_numbers[first], atomic_numbers[second]
    length = _SCREENING_LENGTH / (charges[0] ** _SCREENING_POWER + charges[1] ** _SCREENING_POWER)
    screen, falling, bending = (np.zeros_like(distances) for _ in range(3))
    for weight, decay in zip(_WEIGHTS, _DECAYS, strict=True):
        term = weight * np.exp(-decay / length * distances)
        screen += term
        falling -= decay / length * term
        bending += (decay / length) ** 2 * term
    coulomb = _COULOMB * charges[0] * charges[1] / distances
    return (
        coulomb * screen,
        coulomb * (falling - screen / distances),
        coulomb * (bending - 2.0 * falling / distances + 2.0 * screen / distances**2),
    )
