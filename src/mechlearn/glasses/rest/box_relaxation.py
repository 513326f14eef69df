"""Bringing a structure to rest at a given pressure: its atoms, and its cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.rest.minimisation import Effort, MinimisationSettings, Minimum, minimise
from mechlearn.interactions import VOIGT_STRAINS, ElasticConstants, SmoothPoint, SmoothPotential, deformed
from mechlearn.interactions.smooth import one_structure
from mechlearn.structures import StructureBatch
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM

#: No component of the strain of a step is larger; a modulus counts as this share of the largest one at least.
_LONGEST_STEP, _SOFTEST = 0.03, 0.02

#: A strain that changes the volume alone, in Voigt's order.
_SWELLING = np.array([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])


@dataclass(frozen=True, eq=False)
class RelaxedCell:
    """Where a relaxation of atoms and cell ended, at rest at the pressure or not.

    Attributes
    ----------
    point : SmoothPoint
        The potential there.
    deformation : (3, 3)
        F, by which the cell came from the first one, r → F r; symmetric where it swelled alone.
    pressure : float
        That was asked for, GPa.
    residual : float
        The largest component of the stress beside that pressure, GPa; where the shape was kept, of the mean stress.
    largest_force : float
        The largest component of a force, eV/Å.
    converged : bool
        Whether forces and residual are no more than was asked for.
    steps : int
        How often the cell changed.
    effort : Effort
        What all minimisations cost.
    """

    point: SmoothPoint
    deformation: Float[np.ndarray, "3 3"]
    pressure: float
    residual: float
    largest_force: float
    converged: bool
    steps: int
    effort: Effort

    @property
    def structure(self) -> StructureBatch:
        """The structure there, a batch of one."""
        return self.point.structure


def relax_cell(
    potential: SmoothPotential,
    structure: StructureBatch,
    pressure: float = 0.0,
    *,
    shape: bool = False,
    tolerance: float = 1e-6,
    minimisation: MinimisationSettings | None = None,
    steps: int = 50,
) -> RelaxedCell:
    """Bring a structure to rest and its stress to a given pressure, at 0 K.

    After every change of the cell the atoms are minimised in it.  The cell is strained by −B⁻¹ (σ + p), where B is what
    the stress of atoms at rest changes with strain: Born's at first, r → F r for all atoms, which costs no more than
    forces; from then on it learns from each step how the stress changed (Broyden's method), and so takes up what the
    atoms do beside the cell.  An atom that slips on the way is no obstacle: what counts is where it ends.

    Parameters
    ----------
    potential
        With second derivatives (see :func:`mechlearn.interactions.with_derivatives`).
    structure
        A batch of one, periodic in all directions.
    pressure
        GPa.
    shape
        Whether all six components of the stress are relaxed, so that the cell shears too; else it swells or shrinks
        until the mean stress is −p, and keeps its shape.  No step turns the cell.
    tolerance
        Of the stress, GPa.
    minimisation
        Of the atoms; by default to a largest force of 1e-7 eV/Å, as the rest of a force is felt in the stress.
    steps
        Changes of the cell at most.

    Returns
    -------
    relaxed
        Where it ended; ``converged`` says whether it is at rest at the pressure.

    Raises
    ------
    InputError
        Not one periodic structure, or a number that makes no sense; else as the potential's ``at``.

    References
    ----------
    Broyden, Mathematics of Computation 19, 577 (1965); Barron and Klein, Proceedings of the Physical Society 85, 523
    (1965), for dσ/dε under stress.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> relaxed = relax_cell(read_eam("W_zhou.eam.alloy"), StructureBatch.from_atoms([bulk("W", a=3.3, cubic=True)]))
    >>> relaxed.converged, round(float(relaxed.structure.cells[0, 0, 0]), 4)
    (True, 3.1648)
    """
    _check(structure, pressure, tolerance, steps)
    settings = minimisation or MinimisationSettings(largest_force=1e-7)
    ways = np.eye(6) if shape else _SWELLING
    readings = ways / np.square(ways).sum(axis=1, keepdims=True)
    target = readings @ np.array([-pressure] * 3 + [0.0] * 3) / GPA_PER_EV_PER_CUBIC_ANGSTROM
    limit = tolerance / GPA_PER_EV_PER_CUBIC_ANGSTROM

    minimum = minimise(potential, structure, settings)
    effort, deformation = minimum.effort, np.eye(3)
    residual = readings @ minimum.point.stress - target
    stiffness = born = _stiffness(minimum.point, ways, readings)
    made = 0
    while minimum.converged and made < steps and np.abs(residual).max() > limit:
        change, stiffness = _change(residual, stiffness, born)
        gradient = np.eye(3) + np.tensordot(change @ ways, VOIGT_STRAINS, axes=1)
        minimum = minimise(potential, deformed(minimum.point.structure, gradient), settings, nearby=minimum)
        after = readings @ minimum.point.stress - target
        stiffness = stiffness + np.outer(after - residual - stiffness @ change, change) / (change @ change)
        residual, deformation, effort, made = after, gradient @ deformation, effort + minimum.effort, made + 1
    return _relaxed(minimum, deformation, pressure, float(np.abs(residual).max()), limit, made, effort)


def _relaxed(
    minimum: Minimum,
    deformation: Float[np.ndarray, "3 3"],
    pressure: float,
    residual: float,
    limit: float,
    steps: int,
    effort: Effort,
) -> RelaxedCell:
    return RelaxedCell(
        point=minimum.point,
        deformation=deformation,
        pressure=pressure,
        residual=residual * GPA_PER_EV_PER_CUBIC_ANGSTROM,
        largest_force=minimum.largest_force,
        converged=minimum.converged and residual <= limit,
        steps=steps,
        effort=effort,
    )


def _stiffness(
    point: SmoothPoint, ways: Float[np.ndarray, "ways 6"], readings: Float[np.ndarray, "ways 6"]
) -> Float[np.ndarray, "ways ways"]:
    """dσ/dε of atoms that follow the cell, made positive: far from rest a crystal may have no stiffness."""
    constants = ElasticConstants(point.born_stiffness(), np.zeros((6, 6)), point.stress).of_stress()
    matrix = readings @ constants @ ways.T
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    values = np.maximum(np.abs(values), _SOFTEST * np.abs(values).max())
    return (vectors * values) @ vectors.T


def _change(
    residual: Float[np.ndarray, " ways"],
    stiffness: Float[np.ndarray, "ways ways"],
    born: Float[np.ndarray, "ways ways"],
) -> tuple[Float[np.ndarray, " ways"], Float[np.ndarray, "ways ways"]]:
    """The strain that takes the residual away, and the stiffness that it was had with.

    What is under tension has to shrink: a stiffness that says otherwise has learnt from an atom's slip, and is dropped.
    """
    change = -np.linalg.lstsq(stiffness, residual, rcond=None)[0]
    if not change @ residual < 0.0:
        stiffness = born
        change = -np.linalg.solve(born, residual)
    return change * min(1.0, _LONGEST_STEP / np.abs(change).max()), stiffness


def _check(structure: StructureBatch, pressure: float, tolerance: float, steps: int) -> None:
    """Refuse what cannot be relaxed."""
    if not one_structure(structure).periodic.all():
        raise InputError("relaxing a cell: the structure is not periodic in all directions; a free side has no stress")
    if not np.isfinite(pressure):
        raise InputError(f"relaxing a cell: the pressure is {pressure} GPa; give a number")
    if not (np.isfinite(tolerance) and tolerance > 0.0 and steps >= 0):
        raise InputError(
            f"relaxing a cell: the tolerance is {tolerance} GPa, the steps are {steps}; give a positive number and one "
            "from 0 on"
        )
