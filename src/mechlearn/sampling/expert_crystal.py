"""The crystal an expert set is built around: its lattice, its cells and how far heat moves its atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.data import atomic_masses, atomic_numbers, reference_states
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import Potential
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs
from mechlearn.units import ATOMIC_MASS, BOLTZMANN

Lattice = Literal["bcc", "fcc", "hcp"]

# fmt: off
#: Melting points at ambient pressure, K, rounded (CRC Handbook of Chemistry and Physics, 97th edition).
MELTING_TEMPERATURES: Final = {
    "Li": 454, "Na": 371, "K": 337, "Rb": 312, "Cs": 302, "Be": 1560, "Mg": 923, "Ca": 1115, "Sr": 1050,
    "Ba": 1000, "Sc": 1814, "Y": 1795, "La": 1193, "Ti": 1941, "Zr": 2128, "Hf": 2506, "V": 2183,
    "Nb": 2750, "Ta": 3290, "Cr": 2180, "Mo": 2896, "W": 3687, "Tc": 2430, "Re": 3458, "Fe": 1811,
    "Ru": 2606, "Os": 3306, "Co": 1768, "Rh": 2236, "Ir": 2719, "Ni": 1728, "Pd": 1828, "Pt": 2041,
    "Cu": 1358, "Ag": 1235, "Au": 1337, "Zn": 693, "Cd": 594, "Al": 933, "Pb": 601, "Tl": 577,
    "Th": 2023,
}
# fmt: on

#: Root-mean-square displacement at the melting point over the nearest-neighbour distance (Lindemann 1910).
LINDEMANN_RATIO: Final = 0.1

#: Linear thermal expansion from 0 K to the melting point; nearly one number for all metals (Grüneisen 1912).
EXPANSION_TO_MELTING: Final = 0.02

_CONVENTIONAL_REPEATS: Final[dict[Lattice, tuple[int, int, int]]] = {
    "bcc": (3, 3, 3),
    "fcc": (3, 2, 2),
    "hcp": (3, 2, 2),
}


@dataclass(frozen=True)
class Crystal:
    """A metal in its ground state.

    Attributes
    ----------
    element : str
        Chemical symbol.
    lattice : "bcc", "fcc" or "hcp"
    lattice_constant : float
        a of the conventional cell, Å.
    axial_ratio : float
        c/a of a hexagonal crystal; 1 for a cubic one.
    melting_temperature : float
        K; it scales every temperature and every rattle of the set.

    Examples
    --------
    >>> tungsten = Crystal.of("W")
    >>> tungsten.lattice, tungsten.lattice_constant, len(tungsten.supercell())
    ('bcc', 3.16, 54)
    """

    element: str
    lattice: Lattice
    lattice_constant: float
    axial_ratio: float
    melting_temperature: float

    @classmethod
    def of(
        cls,
        element: str,
        *,
        lattice: str | None = None,
        lattice_constant: float | None = None,
        melting_temperature: float | None = None,
        potential: Potential | None = None,
    ) -> Crystal:
        """The crystal of an element.

        Parameters
        ----------
        element : str
            Chemical symbol.
        lattice : str, optional
            "bcc", "fcc" or "hcp"; the element's own at ambient conditions if left out.
        lattice_constant : float, optional
            Å; if left out, where ``potential`` has its minimum, or the measured one without a potential.
        melting_temperature : float, optional
            K; the measured one if left out.
        potential : Potential, optional
            Relaxes the lattice constant.

        Raises
        ------
        InputError
            If the element, the lattice or a number is not one to build with.
        """
        doing = f"building an expert set for {element!r}"
        if element not in atomic_numbers or element == "X":
            raise InputError(f"{doing}: this is no chemical symbol; give one such as 'W'")
        if potential is not None and potential.elements and element not in potential.elements:
            known = ", ".join(potential.elements)
            raise InputError(f"{doing}: the potential knows only {known}; give a potential for {element}")
        measured = reference_states[atomic_numbers[element]] or {}
        lattice = lattice or str(measured.get("symmetry"))
        if lattice not in get_args(Lattice):
            raise InputError(
                f"{doing}: its crystal is {lattice}, and the groups are those of bcc, fcc and hcp; give another "
                "element, or crystal='bcc', 'fcc' or 'hcp'"
            )
        temperature = MELTING_TEMPERATURES.get(element) if melting_temperature is None else melting_temperature
        if temperature is None:
            raise InputError(f"{doing}: no melting point is on record; give melting_temperature in K")
        for name, value in (("lattice_constant", lattice_constant), ("melting_temperature", temperature)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"{doing}: {name} is {value}; give a positive number")
        own = measured.get("symmetry") == lattice
        if lattice_constant is None and not own and potential is None:
            raise InputError(f"{doing}: it is not {lattice} in nature; give a lattice_constant in Å or a potential")
        guess = cls(
            element=element,
            lattice=cast(Lattice, lattice),
            lattice_constant=lattice_constant or _measured_constant(element, lattice),
            axial_ratio=float(measured["c/a"] if own else np.sqrt(8 / 3)) if lattice == "hcp" else 1.0,
            melting_temperature=float(temperature),
        )
        return guess if lattice_constant or potential is None else guess.relaxed(potential)

    def relaxed(self, potential: Potential) -> Crystal:
        """This crystal at the lattice constant of least energy, c/a held.

        Raises
        ------
        WorkError
            If the energy has no minimum within 12% of this lattice constant.
        """
        primitive = self.primitive()

        def energy(scale: float) -> float:
            scaled = primitive.copy()
            scaled.set_cell(primitive.cell * scale, scale_atoms=True)
            return float(potential.evaluate(StructureBatch.from_atoms([scaled])).energies[0])

        # A coarse scan first: far from its minimum a potential may be flat, or fall without end.
        scales = np.linspace(0.88, 1.12, 25)
        lowest = int(np.argmin([energy(scale) for scale in scales]))
        if lowest in (0, len(scales) - 1):
            raise WorkError(
                f"relaxing {self.lattice} {self.element}: the energy has no minimum within 12% of "
                f"{self.lattice_constant:.3f} Å; give the lattice_constant of this potential"
            )
        bounds = (scales[lowest - 1], scales[lowest + 1])
        best = minimize_scalar(energy, bounds=bounds, method="bounded", options={"xatol": 1e-7})
        return self._at(self.lattice_constant * float(best.x))

    def _at(self, lattice_constant: float) -> Crystal:
        return Crystal(self.element, self.lattice, lattice_constant, self.axial_ratio, self.melting_temperature)

    # ------------------------------------------------------------------ lengths, masses, times

    @property
    def mass(self) -> float:
        """Atomic mass, eV·ps²/Å²."""
        return float(atomic_masses[atomic_numbers[self.element]]) * ATOMIC_MASS

    @property
    def nearest_neighbour(self) -> float:
        """Distance between nearest neighbours, Å."""
        a = self.lattice_constant
        if self.lattice == "bcc":
            return a * float(np.sqrt(3) / 2)
        if self.lattice == "fcc":
            return a / float(np.sqrt(2))
        return a * min(1.0, float(np.sqrt(1 / 3 + self.axial_ratio**2 / 4)))

    @property
    def volume_per_atom(self) -> float:
        """Å³."""
        primitive = self.primitive()
        return float(primitive.cell.volume) / len(primitive)

    @property
    def frequency(self) -> float:
        """The root-mean-square angular frequency of the harmonic crystal, rad/ps.

        ω² = k T_melt / (m s²), with s the amplitude a component of :meth:`rattle_amplitude` has at the
        melting point.
        """
        amplitude = self.rattle_amplitude(self.melting_temperature)
        return float(np.sqrt(BOLTZMANN * self.melting_temperature / self.mass) / amplitude)

    def rattle_amplitude(self, temperature: float) -> float:
        """Standard deviation of each component of an independent displacement at a temperature, Å.

        Lindemann: the displacement has the root mean square 0.1 d √(T/T_melt), d the nearest-neighbour
        distance. The displacements of a real crystal are correlated; independent ones of the same size
        would cost a Debye crystal ⟨ω²⟩⟨ω⁻²⟩ = 9/5 of its energy, so that s² = (5/9) (0.1 d)² (T/T_melt) / 3
        gives about the harmonic energy (3/2) k T an atom.
        """
        share = max(temperature, 0.0) / self.melting_temperature
        return LINDEMANN_RATIO * self.nearest_neighbour * float(np.sqrt(5 / 9 * share / 3))

    def thermal_strain(self, temperature: float) -> float:
        """Linear expansion at a temperature, 0.02 T/T_melt."""
        return EXPANSION_TO_MELTING * temperature / self.melting_temperature

    # ------------------------------------------------------------------ cells

    def primitive(self) -> Atoms:
        """The primitive cell."""
        ratio = self.axial_ratio if self.lattice == "hcp" else None
        return bulk(self.element, self.lattice, a=self.lattice_constant, covera=ratio)

    def conventional(self) -> Atoms:
        """The cubic cell of 2 or 4 atoms; the orthorhombic cell a, √3 a, c of 4 atoms where hexagonal."""
        if self.lattice == "hcp":
            return bulk(self.element, "hcp", a=self.lattice_constant, covera=self.axial_ratio, orthorhombic=True)
        return bulk(self.element, self.lattice, a=self.lattice_constant, cubic=True)

    def supercell(self) -> Atoms:
        """Conventional cells stacked to the nearest to a cube with at most 54 atoms."""
        return self.conventional().repeat(_CONVENTIONAL_REPEATS[self.lattice])

    def oriented(self, directions: Float[np.ndarray, "3 3"]) -> Atoms:
        """The cell spanned by three directions, the first along x and the second in the xy plane.

        Parameters
        ----------
        directions : (3, 3)
            Rows in units of the conventional cell's vectors (halves where the lattice has them),
            right-handed.

        Raises
        ------
        InputError
            If a row is not a vector of the lattice or the rows are not right-handed.

        Examples
        --------
        >>> cell = Crystal.of("W").oriented(np.array([[0.5, 0.5, -0.5], [-1, 1, 0], [1, 1, 2]]))
        >>> len(cell), cell.cell.lengths().round(2).tolist()
        (6, [2.74, 4.47, 7.74])
        """
        primitive = self.primitive()
        target = directions @ self.conventional().cell.array
        multiples = target @ np.linalg.inv(primitive.cell.array)
        whole = np.round(multiples)
        if np.abs(multiples - whole).max() > 1e-8 or np.linalg.det(target) <= 0:
            raise InputError(
                f"orienting {self.lattice} {self.element}: {directions.tolist()} are not three right-handed "
                "vectors of the lattice; give directions in units of the conventional cell"
            )
        atoms = make_supercell(primitive, whole.astype(int))
        atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
        atoms.wrap(eps=1e-9)
        return atoms


def _measured_constant(element: str, lattice: str) -> float:
    """The measured lattice constant of an element, or the one that keeps its volume in another lattice."""
    measured: dict[str, Any] = reference_states[atomic_numbers[element]] or {}
    own = measured.get("symmetry")
    if own == lattice:
        return float(measured["a"])
    atoms_in_cell = {"bcc": 2, "fcc": 4}
    if own in atoms_in_cell:
        volume = measured["a"] ** 3 / atoms_in_cell[own]
    elif own == "hcp":
        volume = np.sqrt(3) / 4 * measured["c/a"] * measured["a"] ** 3
    else:
        # Nothing comparable is on record: start from the volume of touching spheres of 1.4 Å.
        volume = 16.0
    return float(np.cbrt(volume * (np.sqrt(2) if lattice == "hcp" else atoms_in_cell[lattice])))


def closest_pair(atoms: Atoms, cutoff: float) -> float:
    """The smallest distance of two atoms, images included, Å; the cutoff where none is below it."""
    pairs = neighbour_pairs(StructureBatch.from_atoms([atoms]), cutoff, allow_twins=True)
    return 0.0 if (pairs.twins >= 0).any() else float(pairs.distances.min(initial=cutoff))
