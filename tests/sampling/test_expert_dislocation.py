"""The screw quadrupole: its Burgers vectors, its periodicity, its strain, its energy."""

from __future__ import annotations

import numpy as np
import pytest

from mechlearn.interactions.lammps import LammpsPotential
from mechlearn.sampling.expert_crystal import Crystal
from mechlearn.sampling.expert_dislocation import (
    QUADRUPOLE_DIRECTIONS,
    core_sites,
    dipole_displacement,
    dipole_tilt,
    quadrupole,
    theta,
)
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

TUNGSTEN = Crystal.of("W")
BURGERS = TUNGSTEN.nearest_neighbour
CELL = TUNGSTEN.oriented(np.array(QUADRUPOLE_DIRECTIONS)).cell.array[:2, :2]
#: A pair that is neither along a cell vector nor half of one.
CORES = np.array([[3.0, 2.0], [19.0, 7.5]])


def jump(values: np.ndarray) -> np.ndarray:
    """What is left of a displacement beside whole Burgers vectors."""
    return values - BURGERS * np.round(values / BURGERS)


def circuit(centre: np.ndarray, radius: float) -> float:
    """The Burgers vector that a circle encloses: its displacements' steps, added up."""
    angles = np.linspace(0, 2 * np.pi, 721)
    points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return float(jump(np.diff(dipole_displacement(points, CELL, CORES, BURGERS))).sum())


def test_theta_has_its_zero_and_its_quasi_periods() -> None:
    tau = 0.3 + 0.7j
    z = np.array([0.4 + 0.2j, -1.1 + 0.5j])
    assert abs(theta(np.array([0j]), tau)[0]) < 1e-14
    np.testing.assert_allclose(theta(z + np.pi, tau), -theta(z, tau), rtol=1e-12)
    expected = -np.exp(-1j * np.pi * tau - 2j * z) * theta(z, tau)
    np.testing.assert_allclose(theta(z + np.pi * tau, tau), expected, rtol=1e-12)


@pytest.mark.parametrize("radius", [0.1, 1.0, 4.0])
def test_burgers_circuits_close_with_the_burgers_vector(radius: float) -> None:
    assert circuit(CORES[0], radius) == pytest.approx(BURGERS)
    assert circuit(CORES[1], radius) == pytest.approx(-BURGERS)
    assert circuit(CORES.mean(axis=0), 0.1) == pytest.approx(0.0, abs=1e-9)


def test_the_images_have_it_too() -> None:
    assert circuit(CORES[0] + CELL[1] - CELL[0], 1.0) == pytest.approx(BURGERS)


def test_the_field_is_periodic_in_the_tilted_cell() -> None:
    points = np.random.default_rng(0).random((50, 2)) @ CELL
    here = dipole_displacement(points, CELL, CORES, BURGERS)
    for vector, tilt in zip(CELL, dipole_tilt(CELL, CORES, BURGERS), strict=True):
        there = dipole_displacement(points + vector, CELL, CORES, BURGERS)
        np.testing.assert_allclose(jump(there - here - tilt), 0.0, atol=1e-9)


def test_the_field_is_harmonic_and_near_a_core_that_of_one_dislocation() -> None:
    points, step = np.array([[10.0, 12.0], [25.0, 3.0]]), 1e-2
    around = [step * np.array(side) for side in ([1, 0], [-1, 0], [0, 1], [0, -1])]
    centre = dipole_displacement(points, CELL, CORES, BURGERS)
    sides = [jump(dipole_displacement(points + side, CELL, CORES, BURGERS) - centre) for side in around]
    np.testing.assert_allclose(np.sum(sides, axis=0), 0.0, atol=1e-8)
    radius = 1e-3
    shear = jump(
        dipole_displacement(CORES[:1] + np.array([radius, radius * step]), CELL, CORES, BURGERS)
        - dipole_displacement(CORES[:1] + np.array([radius, 0.0]), CELL, CORES, BURGERS)
    )
    assert shear[0] / (radius * step) == pytest.approx(BURGERS / (2 * np.pi * radius), rel=1e-3)


def test_the_mean_elastic_strain_is_zero() -> None:
    fractions = (np.arange(300) + 0.5) / 300
    points = np.stack(np.meshgrid(fractions, fractions, indexing="ij"), axis=-1).reshape(-1, 2) @ CELL
    for side in 1e-4 * np.eye(2):
        rise = dipole_displacement(points + side, CELL, CORES, BURGERS) - dipole_displacement(
            points - side, CELL, CORES, BURGERS
        )
        assert abs(jump(rise).mean() / 2e-4) < 2e-4  # the strains themselves are about 0.1


def test_cores_lie_in_triangles_of_columns_that_wind_opposite_ways() -> None:
    atoms = TUNGSTEN.oriented(np.array(QUADRUPOLE_DIRECTIONS))
    side = np.sqrt(2 / 3) * TUNGSTEN.lattice_constant
    windings = []
    for core in core_sites(TUNGSTEN, CELL) + atoms.positions[0, :2]:
        images = (atoms.positions[:, None, None] + np.array([-1, 0, 1])[:, None, None] * atoms.cell[0])[:, :, 0]
        columns = np.concatenate([images.reshape(-1, 3) + shift * atoms.cell[1] for shift in (-1, 0, 1)])
        distance = np.linalg.norm(columns[:, :2] - core, axis=1)
        around = columns[np.argsort(distance)[:3]]
        np.testing.assert_allclose(np.sort(distance)[:3], side / np.sqrt(3), rtol=1e-6)
        angles = np.arctan2(*(around[:, :2] - core).T[::-1])
        heights = around[np.argsort(angles), 2]
        steps = np.diff(np.append(heights, heights[0])) / BURGERS
        windings.append(np.round(3 * (steps - np.round(steps))).astype(int).tolist())
    assert sorted(windings) == [[-1, -1, -1], [1, 1, 1]]


def test_the_quadrupole_is_135_atoms_of_the_crystal() -> None:
    atoms = quadrupole(TUNGSTEN)
    assert len(atoms) == 135
    assert atoms.cell.volume == pytest.approx(135 * TUNGSTEN.volume_per_atom)
    assert atoms.cell.lengths()[2] == pytest.approx(BURGERS)
    # Away from the cores every atom keeps its fourteen neighbours of two shells.
    pairs = neighbour_pairs(StructureBatch.from_atoms([atoms]), 1.3 * BURGERS)
    assert (np.diff(pairs.starts) == 14).sum() > 110


def test_the_quadrupole_has_the_energy_of_dislocations_and_no_shear_stress() -> None:
    eam = LammpsPotential.from_files("W_zhou.eam.alloy", elements=("W",))
    crystal = Crystal.of("W", potential=eam)
    perfect, easy, hard = (
        eam.evaluate(StructureBatch.from_atoms([atoms]))
        for atoms in (crystal.primitive(), quadrupole(crystal), quadrupole(crystal, sign=-1))
    )
    bulk = 135 * float(perfect.energies[0])
    # Two lines, about 1.3 eV/Å each with their elastic fields, b = 2.74 Å.
    assert 5.0 < float(easy.energies[0]) - bulk < float(hard.energies[0]) - bulk < 10.0
    # The plastic strain sits in the cell: xz and yz stay below 0.1 GPa, where 1% of strain would be 1.6 GPa.
    assert np.abs(easy.stresses[0, 3:5]).max() * 160.2 < 0.1


def test_a_shift_by_one_valley_is_the_same_dislocation() -> None:
    first, second = quadrupole(TUNGSTEN), quadrupole(TUNGSTEN, shift=1.0)
    profiles = [
        np.sort(neighbour_pairs(StructureBatch.from_atoms([atoms]), 3.6).distances) for atoms in (first, second)
    ]
    np.testing.assert_allclose(profiles[0], profiles[1], atol=1e-8)
