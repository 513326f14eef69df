"""Any potential as an ASE calculator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mechlearn.errors import InputError
from mechlearn.interactions import Potential
from mechlearn.structures import StructureBatch


def calculator(potential: Potential) -> Calculator:
    """Wrap a potential as an ASE calculator, for relaxations, molecular dynamics, phonons and the rest of ASE.

    Energies, forces, the stress (where all three directions are periodic and the potential gives one) and atomic
    energies (where the potential divides its energy among atoms) in ASE's units and signs.

    Raises
    ------
    InputError
        On evaluation: the structure holds an element that the potential does not know.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.engines.lammps import potential_file
    >>> from mechlearn.potentials.lammps_files import read_snap
    >>> atoms = bulk("W")
    >>> atoms.calc = calculator(read_snap(potential_file("W_2940_2017_2.snap")))
    >>> round(atoms.get_potential_energy(), 2), atoms.get_stress().shape
    (-11.07, (6,))
    """
    return PotentialCalculator(potential)


def require_known_elements(known: Sequence[str], present: Iterable[str], doing: str) -> None:
    """Refuse elements that a potential does not know; no ``known`` elements mean that it takes any.

    Raises
    ------
    InputError
        Names the unknown elements and the known ones.

    Examples
    --------
    >>> require_known_elements(("W", "Be"), ["W", "He"], "evaluating")
    Traceback (most recent call last):
    mechlearn.errors.InputError: evaluating: the potential does not know He, only W, Be; use one fitted to it
    """
    unknown = [element for element in dict.fromkeys(present) if known and element not in known]
    if unknown:
        raise InputError(
            f"{doing}: the potential does not know {', '.join(unknown)}, only {', '.join(known)}; use one fitted to it"
        )


class PotentialCalculator(Calculator):  # type: ignore[misc]  # ASE has no types; its calculators are made by inheriting
    """The calculator that :func:`calculator` makes."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress", "energies"]

    def __init__(self, potential: Potential, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate the potential on the structure; ASE calls this."""
        super().calculate(atoms, properties, system_changes)
        require_known_elements(self.potential.elements, self.atoms.get_chemical_symbols(), "calculating an energy")
        bare = Atoms(numbers=self.atoms.numbers, positions=self.atoms.positions, cell=self.atoms.cell, pbc=self.atoms.pbc)
        evaluation = self.potential.evaluate(StructureBatch.from_atoms([bare]))
        energy = float(evaluation.energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": evaluation.forces}
        if self.atoms.pbc.all() and np.isfinite(evaluation.stresses).all():
            self.results["stress"] = evaluation.stresses[0]
        if evaluation.atomic_energies is not None:
            self.results["energies"] = evaluation.atomic_energies
