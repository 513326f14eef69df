"""Any ASE calculator as a potential: a DFT code, a foundation model, one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from jaxtyping import Float

from mechlearn.errors import MechlearnError, WorkError
from mechlearn.interactions.checks import check_geometry, species_indices, structure_name
from mechlearn.interactions.potential import Evaluation
from mechlearn.structures import StructureBatch


@dataclass(frozen=True)
class AsePotential:
    """An ASE calculator worn as a potential.

    The energy is the one whose derivative the forces are: the free energy, where a calculator with smeared
    electrons gives one.

    Attributes
    ----------
    calculator_factory : callable
        Makes a calculator, such as the class ``ase.calculators.emt.EMT``. To compute in other processes it
        has to be a function or class of a module.
    elements : tuple of str
        The chemical symbols it knows; empty where it takes any.
    fresh : bool
        Whether each structure gets a calculator of its own; where not, one serves all of a batch, which saves
        what it costs to make (the parameters of a large network).
    name : str
        How messages call it.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> evaluation = AsePotential(EMT).evaluate(StructureBatch.from_atoms([bulk("Cu")]))
    >>> round(float(evaluation.energies[0]), 4)
    -0.0057
    """

    calculator_factory: Callable[[], Any]
    elements: tuple[str, ...] = ()
    fresh: bool = False
    name: str = "the ASE calculator"

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses (NaN where it gives none) and, if it has them, atomic energies.

        Raises
        ------
        InputError
            A structure holds an element that is not among ``elements``, or has no sound geometry.
        WorkError
            The calculator fails on a structure.
        """
        check_geometry(batch, self.name)
        if self.elements:
            species_indices(batch, self.elements, self.name)
        calculator = None
        results = []
        for index, atoms in enumerate(batch.without_labels().to_atoms()):
            if calculator is None or self.fresh:
                calculator = self._made()
            try:
                results.append(_evaluated(atoms, calculator))
            except MechlearnError:
                raise
            except Exception as error:
                raise WorkError(
                    f"evaluating {structure_name(batch, index)} with {self.name}: "
                    f"{type(error).__name__}: {' '.join(str(error).split())}"
                ) from error
        return _assembled(batch, results)

    def _made(self) -> Any:
        try:
            return self.calculator_factory()
        except MechlearnError:
            raise
        except Exception as error:
            raise WorkError(f"making {self.name}: {type(error).__name__}: {' '.join(str(error).split())}") from error


_Result = tuple[float, np.ndarray, np.ndarray, np.ndarray | None]


def _evaluated(atoms: Atoms, calculator: Any) -> _Result:
    """Energy, forces, stress and atomic energies of one structure."""
    atoms.calc = calculator
    forces = atoms.get_forces(apply_constraint=False)
    try:
        stress = atoms.get_stress(apply_constraint=False) if atoms.pbc.all() else np.full(6, np.nan)
    except PropertyNotImplementedError:
        stress = np.full(6, np.nan)
    try:
        energy = atoms.get_potential_energy(force_consistent=True)
    except PropertyNotImplementedError:
        energy = atoms.get_potential_energy()
    atomic = calculator.results.get("energies") if hasattr(calculator, "results") else None
    return float(energy), np.array(forces), np.array(stress), None if atomic is None else np.array(atomic)


def _assembled(batch: StructureBatch, results: list[_Result]) -> Evaluation:
    """The results of all structures as flat arrays."""
    atomic: Float[np.ndarray, " atoms"] | None = None
    parts = [energies for *_, energies in results if energies is not None]
    if results and len(parts) == len(results):
        atomic = np.concatenate(parts).astype(np.float64)
    return Evaluation(
        energies=np.array([energy for energy, *_ in results], dtype=np.float64),
        forces=np.concatenate([np.empty((0, 3)), *(forces for _, forces, *_ in results)]).astype(np.float64),
        stresses=np.array([stress for _, _, stress, _ in results], dtype=np.float64).reshape(len(batch), 6),
        atomic_energies=atomic,
    )
