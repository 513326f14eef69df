"""Relaxation of cells: least enthalpy found by other means, glasses without stress, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from ase.build import bulk
from scipy.optimize import minimize, minimize_scalar

from glass_specimens import copper_zirconium, metallic_specimen
from mechlearn.errors import InputError
from mechlearn.glasses.rest.box_relaxation import relax_cell
from mechlearn.glasses.rest.minimisation import MinimisationSettings
from mechlearn.interactions import FiniteDifferences, read_eam
from mechlearn.structures import StructureBatch
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM


def enthalpy(structure: StructureBatch, pressure: float = 0.0) -> float:
    """E + pV, eV."""
    energy = float(copper_zirconium().evaluate(structure).energies[0])
    return energy + pressure / GPA_PER_EV_PER_CUBIC_ANGSTROM * float(structure.volumes[0])


def copper(side: float, pressure: float = 0.0) -> float:
    return enthalpy(StructureBatch.from_atoms([bulk("Cu", "fcc", a=side)]), pressure)


@pytest.mark.parametrize(("start", "pressure"), [(3.4, 0.0), (4.2, 0.0), (3.6, 30.0)])
def test_a_crystal_has_the_least_enthalpy(start: float, pressure: float) -> None:
    """Though it starts where the crystal has no stiffness left."""
    relaxed = relax_cell(
        copper_zirconium(), StructureBatch.from_atoms([bulk("Cu", "fcc", a=start, cubic=True)]), pressure
    )
    expected = minimize_scalar(partial(copper, pressure=pressure), bracket=(3.3, 3.6), tol=1e-9).x
    assert relaxed.converged
    assert relaxed.structure.cells[0] == pytest.approx(expected * np.eye(3), abs=1e-5)
    np.testing.assert_allclose(relaxed.deformation, expected / start * np.eye(3), atol=1e-5)


def test_a_hexagonal_crystal_finds_its_shape() -> None:
    def zirconium(sides: np.ndarray) -> float:
        return enthalpy(StructureBatch.from_atoms([bulk("Zr", "hcp", a=sides[0], c=sides[1])]))

    expected = minimize(zirconium, [3.2, 5.2], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13}).x
    start = StructureBatch.from_atoms([bulk("Zr", "hcp", a=3.3, c=5.0)])
    relaxed = relax_cell(copper_zirconium(), start, shape=True)
    assert relaxed.converged
    lengths = np.linalg.norm(relaxed.structure.cells[0], axis=1)
    assert lengths[[0, 2]] == pytest.approx(expected, abs=1e-5)
    kept = relax_cell(copper_zirconium(), start)
    assert kept.converged
    np.testing.assert_allclose(kept.structure.cells, start.cells * kept.deformation[0, 0], rtol=1e-12)


def test_a_glass_loses_its_stress() -> None:
    glass = metallic_specimen()
    for shape, pressure in ((False, 0.0), (True, 2.0)):
        relaxed = relax_cell(copper_zirconium(), glass, pressure, shape=shape)
        found = copper_zirconium().evaluate(relaxed.structure)
        stress = found.stresses[0] * GPA_PER_EV_PER_CUBIC_ANGSTROM + pressure * np.array([1, 1, 1, 0, 0, 0])
        assert relaxed.converged
        assert relaxed.residual <= 1e-6
        assert np.abs(found.forces).max() <= 1e-7
        beside = np.abs(stress).max() if shape else abs(stress[:3].mean())
        assert beside <= 1.01e-6
        np.testing.assert_allclose(relaxed.structure.cells[0], glass.cells[0] @ relaxed.deformation.T, rtol=1e-12)
    # Under the same pressure no slight strain of the cell, the atoms carried along, costs no enthalpy.
    rng = np.random.default_rng(0)
    least = enthalpy(relaxed.structure, 2.0)
    for _ in range(5):
        strain = 1e-3 * rng.normal(size=(3, 3))
        map_ = np.eye(3) + 0.5 * (strain + strain.T)
        there = relaxed.structure
        assert enthalpy(replace(there, positions=there.positions @ map_, cells=there.cells @ map_), 2.0) > least


def test_any_potential_will_do() -> None:
    tungsten = read_eam("W_zhou.eam.alloy")
    start = StructureBatch.from_atoms([bulk("W", a=3.25, cubic=True)])
    own, differences = (relax_cell(potential, start) for potential in (tungsten, FiniteDifferences(tungsten)))
    assert differences.converged
    np.testing.assert_allclose(differences.structure.cells, own.structure.cells, rtol=1e-8)


def test_says_so_where_it_does_not_arrive() -> None:
    start = metallic_specimen()
    short = relax_cell(copper_zirconium(), start, steps=1)
    assert (short.converged, short.steps) == (False, 1)
    assert short.residual > 1e-6
    unminimised = replace(start, positions=start.positions + np.random.default_rng(0).normal(0, 0.1, (start.atoms, 3)))
    stopped = relax_cell(copper_zirconium(), unminimised, minimisation=MinimisationSettings(evaluations=2))
    assert (stopped.converged, stopped.steps) == (False, 0)


def test_refuses() -> None:
    crystal = bulk("Cu", cubic=True)
    with pytest.raises(InputError, match="give a positive number"):
        relax_cell(copper_zirconium(), StructureBatch.from_atoms([crystal]), tolerance=0.0)
    with pytest.raises(InputError, match="give a number"):
        relax_cell(copper_zirconium(), StructureBatch.from_atoms([crystal]), np.inf)
    crystal.pbc = (True, True, False)
    with pytest.raises(InputError, match="not periodic"):
        relax_cell(copper_zirconium(), StructureBatch.from_atoms([crystal]))
