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


needs_gpaw = pytest.mark.skipif(
    importlib.util.find_spec("gpaw") is None or "GPAW_SETUP_PATH" not in os.environ,
    reason="needs the extra 'dft' and GPAW_SETUP_PATH",
)

# Eight k-points along each vector of all these cells: between 7 and 8 the energy would jump.
DENSITY = 3.75


@pytest.mark.dft
@needs_gpaw
@pytest.mark.parametrize(
    ("setups", "lattice", "modulus"),
    [
        # PBE with all electrons gives 3.17 to 3.19 Å and 300 to 315 GPa; W.6 freezes the 5p states.
        ({}, 3.183, 303.0),
        ({"W": "6"}, 3.204, 305.0),
    ],
)
def test_two_atoms_of_tungsten_are_bulk_tungsten(setups: dict[str, str], lattice: float, modulus: float) -> None:
    lengths = np.array([3.14, 3.17, 3.20, 3.23])
    batch = StructureBatch.from_atoms([bulk("W", a=length, cubic=True) for length in lengths])
    evaluation = gpaw_potential(kpoint_density=DENSITY, setups=setups).evaluate(batch)

    energy = np.polynomial.Polynomial.fit(lengths, evaluation.energies, 3)
    minimum = next(root.real for root in energy.deriv().roots() if 3.1 < root.real < 3.3)
    assert minimum == pytest.approx(lattice, abs=0.005)
    # B = V E''(V), with V = a³ and E''(V) = E''(a)/(9 a⁴) at the minimum
    curvature = energy.deriv(2)(minimum)
    assert curvature / (9.0 * minimum) * GPA_PER_EV_PER_CUBIC_ANGSTROM == pytest.approx(modulus, abs=10.0)

    # σ = E'(a)/(3 a²) of a cubic cell, up to the plane waves that a growing cell gains: 0.5 GPa at most
    stresses = energy.deriv()(lengths) / (3.0 * lengths**2)
    assert np.allclose(evaluation.stresses[:, :3], stresses[:, None], atol=0.003)
    assert np.abs(evaluation.forces).max() < 1e-3


@pytest.mark.dft
@needs_gpaw
def test_forces_are_derivatives_of_the_energy() -> None:
    images = []
    for shift in (0.08, 0.10, 0.12):
        atoms = bulk("W", a=3.18, cubic=True)
        atoms.positions[1, 0] += shift
        images.append(atoms)
    evaluation = gpaw_potential(cutoff=300.0, kpoint_density=2.0).evaluate(StructureBatch.from_atoms(images))
    slope = (evaluation.energies[2] - evaluation.energies[0]) / 0.04
    assert slope > 0.1
    assert evaluation.forces[3, 0] == pytest.approx(-slope, rel=0.02)
    assert evaluation.forces[2, 0] == pytest.approx(slope, rel=0.02)
