"""GPAW gives tungsten's bulk physics (minutes; needs the extra 'dft')."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.errors import InputError
from mechlearn.interactions import gpaw_potential
from mechlearn.structures import StructureBatch
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM


@pytest.mark.parametrize("name", ["cutoff", "kpoint_density", "smearing"])
def test_parameters_that_make_no_sense(name: str) -> None:
    with pytest.raises(InputError, match=f"setting up GPAW: {name} is 0.0; give a number above 0"):
        gpaw_potential(**{name: 0.0})


@pytest.mark.dft
@pytest.mark.skipif(importlib.util.find_spec("gpaw") is None, reason="needs the extra 'dft'")
@pytest.mark.skipif("GPAW_SETUP_PATH" not in os.environ, reason="GPAW_SETUP_PATH is not set")
def test_two_atoms_of_tungsten_are_bulk_tungsten() -> None:
    # Coarse, and yet PBE's lattice parameter (3.17 to 3.19 Å) and bulk modulus (300 to 315 GPa) come out.
    potential = gpaw_potential(cutoff=300.0, kpoint_density=3.0)
    lengths = np.array([3.10, 3.18, 3.26])
    perturbed = bulk("W", a=3.18, cubic=True)
    perturbed.positions[1, 0] += 0.1
    batch = StructureBatch.from_atoms([*(bulk("W", a=a, cubic=True) for a in lengths), perturbed])
    evaluation = potential.evaluate(batch)

    curvature, slope, _ = np.polyfit(lengths, evaluation.energies[:3], 2)
    lattice = -slope / (2.0 * curvature)
    # B = V E''(V), with V = a³ and E''(V) = E''(a)/(9 a⁴) at the minimum
    modulus = 2.0 * curvature / (9.0 * lattice) * GPA_PER_EV_PER_CUBIC_ANGSTROM
    assert lattice == pytest.approx(3.18, abs=0.03)
    assert modulus == pytest.approx(308.0, abs=45.0)

    assert np.abs(evaluation.forces[:6]).max() < 1e-3
    force = evaluation.forces[7, 0]
    assert force < -0.1  # back to the middle
    assert evaluation.forces[6, 0] == pytest.approx(-force, abs=0.02)
    assert evaluation.stresses[0, 0] < 0.0 < evaluation.stresses[2, 0]  # tension is positive
