"""Any potential in ASE: numerical derivatives, a relaxation, an element it does not know."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from mechlearn.engines.lammps import potential_file
from mechlearn.errors import InputError
from mechlearn.interactions import Evaluation
from mechlearn.potentials import calculator
from mechlearn.potentials.lammps_files import read_snap
from mechlearn.potentials.snap import SnapPotential
from mechlearn.structures import StructureBatch


@pytest.fixture(scope="module")
def tungsten() -> SnapPotential:
    """The published SNAP potential of tungsten, with its ZBL repulsion."""
    return read_snap(potential_file("W_2940_2017_2.snap"))


@pytest.fixture
def atoms(tungsten: SnapPotential) -> Atoms:
    """A strained, rattled cell of four atoms."""
    cell = bulk("W", "bcc", a=3.2, cubic=True) * (1, 1, 2)
    cell.set_cell(
        cell.cell.array @ (np.eye(3) + np.random.default_rng(0).uniform(-0.05, 0.05, (3, 3))),
        scale_atoms=True,
    )
    cell.rattle(0.1, seed=1)
    cell.calc = calculator(tungsten)
    return cell


def test_forces_are_the_gradient(atoms: Atoms) -> None:
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-6)


def test_stress_is_the_gradient(atoms: Atoms) -> None:
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-5), atol=1e-7)


def test_energies_add_up(atoms: Atoms) -> None:
    energy = atoms.get_potential_energy()
    assert atoms.get_potential_energy(force_consistent=True) == energy
    assert atoms.get_potential_energies().sum() == pytest.approx(energy, rel=1e-12)


def test_relaxation_finds_the_lattice_constant(tungsten: SnapPotential) -> None:
    cell = bulk("W", "bcc", a=3.3)
    cell.calc = calculator(tungsten)
    assert BFGS(FrechetCellFilter(cell), logfile=None).run(fmax=1e-5, steps=50)
    side = (2.0 * cell.get_volume()) ** (1.0 / 3.0)
    assert side == pytest.approx(3.1803, abs=2e-3)
    np.testing.assert_allclose(cell.get_stress(), 0.0, atol=1e-6)


def test_a_slab_has_no_stress(tungsten: SnapPotential) -> None:
    slab = bulk("W", "bcc", a=3.2, cubic=True)
    slab.pbc = (True, True, False)
    slab.calc = calculator(tungsten)
    assert np.isfinite(slab.get_forces()).all()
    with pytest.raises(PropertyNotImplementedError):
        slab.get_stress()


def test_unknown_element_is_named(tungsten: SnapPotential) -> None:
    alloy = bulk("W", "bcc", a=3.2, cubic=True)
    alloy.symbols[1] = "Ta"
    alloy.calc = calculator(tungsten)
    with pytest.raises(InputError, match=r"it holds Ta, and SnapPotential knows W only"):
        alloy.get_potential_energy()


class _WithoutStress:
    """A potential that gives neither stress nor atomic energies, for any element."""

    elements: tuple[str, ...] = ()

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Zero, for all."""
        return Evaluation(np.zeros(len(batch)), np.zeros((batch.atoms, 3)), np.full((len(batch), 6), np.nan))


def test_what_a_potential_does_not_give_is_not_there() -> None:
    cell = bulk("Cu")
    cell.calc = calculator(_WithoutStress())
    assert cell.get_potential_energy() == 0.0
    for ask in (cell.get_stress, cell.get_potential_energies):
        with pytest.raises(PropertyNotImplementedError):
            ask()
