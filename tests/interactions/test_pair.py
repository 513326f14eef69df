"""Lennard-Jones: the formula, LAMMPS, and what a pair potential cannot help but obey."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from glassy_cells import random_structure
from mechlearn.errors import InputError
from mechlearn.interactions import LammpsPotential, LennardJones, kob_andersen
from mechlearn.structures import StructureBatch


def pair_at(distances: np.ndarray, symbols: str = "ArAr") -> StructureBatch:
    images = [Atoms(symbols, [[0, 0, 0], [r, 0, 0]], cell=[50, 50, 50], pbc=True) for r in distances]
    return StructureBatch.from_atoms(images)


def test_two_atoms_are_the_formula() -> None:
    r = np.linspace(0.9, 2.49, 40)
    found = LennardJones.of_one("Ar", 1.0, 1.0, 2.5, "cut").evaluate(pair_at(r))
    assert np.allclose(found.energies, 4.0 * (r**-12 - r**-6), rtol=1e-12)
    assert np.allclose(found.forces[1::2, 0], 4.0 * (12.0 * r**-13 - 6.0 * r**-7), rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_lammps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = StructureBatch.concatenate(random_structure(("Ni", "P"), n, 1.1, rng) for n in (2, 9, 40))
    lammps = LammpsPotential("lj/cut 2.5", ("1 1 1.0 1.0 2.5", "1 2 1.5 0.8 2.0", "2 2 0.5 0.88 2.2"), ("Ni", "P"))
    expected, found = lammps.evaluate(batch), kob_andersen("cut").evaluate(batch)
    for name in ("energies", "forces", "stresses", "atomic_energies"):
        scale = np.abs(getattr(expected, name)).max()
        assert np.allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12 * scale), name


def test_endings() -> None:
    """Shifted: the energy ends at zero. Smoothed: with the third power of the distance to the cutoff."""
    near = 2.5 - np.array([1e-3, 2e-3])
    assert LennardJones.of_one("Ar", 1.0, 1.0, 2.5, "cut").evaluate(pair_at(near)).energies[0] < -0.015
    shifted = LennardJones.of_one("Ar", 1.0, 1.0, 2.5, "shifted").evaluate(pair_at(near))
    assert np.abs(shifted.energies).max() < 1e-4
    assert np.abs(shifted.forces).max() > 0.03
    smoothed = LennardJones.of_one("Ar", 1.0, 1.0, 2.5).evaluate(pair_at(near))
    assert smoothed.energies[1] / smoothed.energies[0] == pytest.approx(8.0, rel=0.01)
    assert smoothed.forces[2, 0] / smoothed.forces[0, 0] == pytest.approx(4.0, rel=0.01)


def test_cauchy_relations() -> None:
    """Pair forces make C_ijkl symmetric in all four indices, at any stress, before the atoms relax."""
    structure = random_structure(("Ni", "P"), 30, 1.0, np.random.default_rng(1))
    point = kob_andersen().at(structure)
    assert np.abs(point.stress).max() > 0.1
    for stiffness in (point.born_stiffness(), *point.atomic_stiffnesses[:3]):
        # C12 = C66, C13 = C55, C23 = C44, C14 = C56, C25 = C46, C36 = C45.
        for a, b, c, d in ((1, 2, 6, 6), (1, 3, 5, 5), (2, 3, 4, 4), (1, 4, 5, 6), (2, 5, 4, 6), (3, 6, 4, 5)):
            assert stiffness[a - 1, b - 1] == pytest.approx(stiffness[c - 1, d - 1], rel=1e-12)


def test_a_crystal_that_fills_its_cell_once_or_many_times() -> None:
    potential = LennardJones.of_one("Ar", 0.0103, 3.4, 8.5)
    small = potential.at(StructureBatch.from_atoms([bulk("Ar", a=5.3)]))
    large = potential.at(StructureBatch.from_atoms([bulk("Ar", a=5.3, cubic=True).repeat(3)]))
    assert small.energy == pytest.approx(large.energy / 108, rel=1e-12)
    assert np.allclose(small.born_stiffness(), large.born_stiffness(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elements": ("Xx",)}, "not chemical symbols"),
        ({"lengths": np.array([[0.0]])}, "lengths is .* give positive numbers"),
        ({"cutoffs": np.array([[np.nan]])}, "give a symmetric matrix"),
        ({"energies": np.array([[-1.0]])}, "energies is .* give positive numbers"),
    ],
)
def test_parameters_that_make_no_sense(changes: dict[str, object], message: str) -> None:
    one = np.array([[1.0]])
    sound = {"elements": ("Ar",), "energies": one, "lengths": one, "cutoffs": 2.5 * one, "ending": "cut"}
    with pytest.raises(InputError, match=message):
        LennardJones(**{**sound, **changes})  # type: ignore[arg-type]


def test_a_matrix_that_is_not_symmetric() -> None:
    skew = np.array([[1.0, 2.0], [1.0, 1.0]])
    with pytest.raises(InputError, match=r"energies is .* give a symmetric matrix"):
        LennardJones(("Ni", "P"), skew, np.ones((2, 2)), 2.5 * np.ones((2, 2)))


def test_an_unknown_element() -> None:
    with pytest.raises(InputError, match="it holds Cu, and Kob–Andersen knows Ni, P only"):
        kob_andersen().evaluate(StructureBatch.from_atoms([bulk("Cu")]))
