"""Any potential as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mechlearn.interactions import Potential
from mechlearn.interactions.checks import species_indices
from mechlearn.structures import StructureBatch


def calculator(potential: Potential) -> Calculator:
    """Wrap a potential as an ASE calculator, for relaxations, molecular dynamics and the rest of ASE.

    It gives energies, forces, the stress (where all three directions are periodic and the potential has one)
    and atomic energies (where the potential divides its energy among atoms), in ASE's units and signs.

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
    (-11.02, (6,))
    """
    return PotentialCalculator(potential)


def bare_batch(atoms: Atoms) -> StructureBatch:
    """One structure as a batch, without asking its calculator for labels."""
    return StructureBatch.from_atoms(
        [Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)]
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
        batch = bare_batch(self.atoms)
        if self.potential.elements:
            species_indices(batch, self.potential.elements, type(self.potential).__name__)
        evaluation = self.potential.evaluate(batch)
        energy = float(evaluation.energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": evaluation.forces}
        if self.atoms.pbc.all() and np.isfinite(evaluation.stresses).all():
            self.results["stress"] = evaluation.stresses[0]
        if evaluation.atomic_energies is not None:
            self.results["energies"] = evaluation.atomic_energies
