"""Hessians, non-affine forces, stiffnesses and elastic constants beside differences of forces and stresses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from glassy_cells import random_structure, relaxed
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import (
    FiniteDifferences,
    SmoothPotential,
    Zbl,
    deformed,
    elastic_constants,
    kob_andersen,
    nonaffine_displacements,
    read_eam,
    softening,
    softenings,
    with_derivatives,
)
from mechlearn.structures import StructureBatch

#: Elements, atoms and volume an atom of each potential's structure.  LAMMPS's cubics have jumps in their curvature,
#: which differences see as they step over a node: hence the tolerance.
CASES = {
    "pairs": (("Ni", "P"), 30, 0.95, 1e-6),
    "eam/fs": (("Cu", "Zr"), 30, 15.0, 1e-4),
    "eam/alloy": (("W",), 9, 15.9, 1e-3),
}


def potential_of(case: str) -> SmoothPotential:
    if case == "pairs":
        return kob_andersen()
    return read_eam("CuZr_mm.eam.fs" if case == "eam/fs" else "W_zhou.eam.alloy")


@pytest.fixture(scope="module", params=CASES)
def smooth(request: pytest.FixtureRequest) -> tuple[SmoothPotential, StructureBatch, float]:
    symbols, count, volume, tolerance = CASES[request.param]
    structure = random_structure(symbols, count, volume, np.random.default_rng(8))
    return potential_of(request.param), structure, tolerance


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_derivatives_are_those_of_forces(smooth: tuple[SmoothPotential, StructureBatch, float]) -> None:
    potential, structure, tolerance = smooth
    point, differences = potential.at(structure), FiniteDifferences(potential, 1e-5).at(structure)
    matrix = point.hessian().matrix().toarray()
    assert_close(matrix, differences.hessian().matrix().toarray(), tolerance)
    assert_close(point.nonaffine_forces(), differences.nonaffine_forces(), tolerance)
    assert_close(point.born_stiffness(), differences.born_stiffness(), tolerance)
    # A simple shear turns the structure too.
    shear = np.array([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.3, 0.0, 0.0]]])
    assert_close(point.nonaffine_forces(shear), differences.nonaffine_forces(shear), tolerance)


def test_the_hessian_in_three_forms(smooth: tuple[SmoothPotential, StructureBatch, float]) -> None:
    potential, structure, _ = smooth
    point = potential.at(structure)
    hessian = point.hessian()
    matrix = hessian.matrix().toarray()
    v = np.random.default_rng(0).normal(size=(structure.atoms, 3))
    expected = (matrix @ v.ravel()).reshape(-1, 3)
    assert_close(point.hessian_product(v), expected, 1e-12)
    assert_close(hessian.product(v), expected, 1e-12)
    blocks = hessian.diagonal_blocks()
    assert_close(blocks, np.array([matrix[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] for i in range(len(blocks))]), 1e-12)
    assert_close(matrix, matrix.T, 1e-13)
    assert np.all(np.diff(hessian.local.indices[: hessian.local.indptr[1]]) > 0)
    # Moving all atoms together changes no force.
    assert np.abs(matrix.reshape(-1, structure.atoms, 3).sum(axis=1)).max() < 1e-11 * np.abs(matrix).max()


def test_tensors_of_atoms_add_up(smooth: tuple[SmoothPotential, StructureBatch, float]) -> None:
    potential, structure, _ = smooth
    point = potential.at(structure)
    assert_close(point.atomic_stresses.sum(axis=0) / structure.volumes[0], point.stress, 1e-11)
    stiffness = point.born_stiffness()
    assert_close(stiffness, stiffness.T, 1e-13)


def test_the_hessian_turns_with_the_structure(smooth: tuple[SmoothPotential, StructureBatch, float]) -> None:
    potential, structure, _ = smooth
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    v = np.random.default_rng(0).normal(size=(structure.atoms, 3))
    expected = potential.at(structure).hessian_product(v) @ turn.T
    assert_close(potential.at(deformed(structure, turn)).hessian_product(v @ turn.T), expected, 1e-10)


@pytest.mark.parametrize(("case", "step", "tolerance"), [("pairs", 1e-4, 1e-5), ("eam/fs", 2e-6, 2e-3)])
def test_elastic_constants_are_changes_of_the_relaxed_stress(case: str, step: float, tolerance: float) -> None:
    """A glass under its residual stress, strained a little and brought to rest again."""
    symbols, count, volume, _ = CASES[case]
    potential = potential_of(case)
    glass = relaxed(potential, random_structure(symbols, count, volume, np.random.default_rng(3), skew=0.1))
    constants = elastic_constants(potential.at(glass))
    assert np.linalg.eigvalsh(constants.nonaffine).max() < 1e-9
    assert np.abs(constants.stress).max() > 1e-3 * np.abs(constants.born).max()
    for column in (0, 3):
        strain = np.zeros((3, 3))
        a, b = ((0, 0), (1, 2))[column // 3]
        strain[a, b] += 0.5 * step
        strain[b, a] += 0.5 * step
        ahead, behind = (
            potential.at(relaxed(potential, deformed(glass, np.eye(3) + sign * strain))).stress for sign in (1.0, -1.0)
        )
        assert_close(constants.of_stress()[:, column], (ahead - behind) / (2.0 * step), tolerance)


def test_a_mode_softens_one_way_and_stiffens_the_other() -> None:
    potential = kob_andersen()
    glass = relaxed(potential, random_structure(("Ni", "P"), 30, 0.95, np.random.default_rng(3), skew=0.1))
    point = potential.at(glass)
    values, vectors = np.linalg.eigh(point.hessian().matrix().toarray())
    mode = vectors[:, 3].reshape(-1, 3)
    shear = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    found = softening(potential, point, mode, shear)
    assert softening(potential, point, mode, -shear) == pytest.approx(-found, rel=1e-3)
    several = vectors[:, 3:8].T.reshape(5, -1, 3)
    np.testing.assert_array_equal(softenings(potential, point, several, shear)[0], found)
    one_by_one = [softening(potential, point, each, shear) for each in several]
    np.testing.assert_array_equal(softenings(potential, point, several, shear), one_by_one)
    # The eigenvalue changes as its mode does, to first order.
    step = 2e-4
    strained = [relaxed(potential, deformed(glass, np.eye(3) + sign * step * shear)) for sign in (1.0, -1.0)]
    ahead, behind = (np.linalg.eigvalsh(potential.at(one).hessian().matrix().toarray())[3] for one in strained)
    assert values[3] > 1e-3
    assert found == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-3)


def test_atoms_of_a_crystal_of_one_atom_have_nowhere_to_go() -> None:
    crystal = StructureBatch.from_atoms([bulk("W", a=3.165)])
    point = read_eam("W_zhou.eam.alloy").at(crystal)
    assert np.array_equal(nonaffine_displacements(point), np.zeros((1, 3, 6)))


def test_a_saddle_is_refused() -> None:
    potential = kob_andersen()
    structure = random_structure(("Ni", "P"), 30, 0.95, np.random.default_rng(8))
    with pytest.raises(WorkError, match="not at a minimum"):
        nonaffine_displacements(potential.at(structure))


def test_any_potential_gets_differences() -> None:
    structure = random_structure(("W",), 4, 15.9, np.random.default_rng(1))
    point = with_derivatives(Zbl(("W",)), 1e-4).at(structure)
    v = np.random.default_rng(0).normal(size=(4, 3))
    assert_close(point.hessian_product(v), point.hessian().product(v), 1e-5)
    assert_close(point.hessian().diagonal_blocks()[0], point.hessian().matrix().toarray()[:3, :3], 1e-12)
    assert np.array_equal(point.hessian_product(np.zeros((4, 3))), np.zeros((4, 3)))
    assert point.energy == pytest.approx(Zbl(("W",)).evaluate(structure).energies[0])
    moved = replace(structure, positions=structure.positions + 1e-4)
    assert with_derivatives(Zbl(("W",))).at(moved, point.kept).energy == pytest.approx(point.energy)
    with pytest.raises(InputError, match=r"the step is 0\.0"):
        with_derivatives(Zbl(("W",)), 0.0)
