"""The compiled path of the generator: LAMMPS's numbers, the entropy potential's own forces, and steps that stay put."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.engines import lammps_session
from mechlearn.engines.lammps import lammps_cell
from mechlearn.sampling import AnnealingSchedule, EntropyPotential, FireSettings, RepulsiveCore, anneal, minimise
from mechlearn.sampling.entropy import has_closed_form
from mechlearn.structures import StructureBatch

SCALE = np.array([70.0, 5.0, 0.7, 7.0, 1.5])

SESSION = """
units metal
atom_style atomic
atom_modify map array sort 0 0.0
box tilt large
region box prism 0 {xx} 0 {yy} 0 {zz} {xy} {xz} {yz} units box
create_box {atoms} box
mass * 1.0
pair_style zero 4.73
pair_coeff * *
neighbor 0.0 bin
compute values all sna/atom 4.73 0.99363 2 {ones} rmin0 0 bzeroflag 1
compute slopes all snad/atom 4.73 0.99363 2 {ones} rmin0 0 bzeroflag 1
dump keep all custom 1 /dev/null c_values[1] c_slopes[1]
"""


def _potential(batch: StructureBatch, weight: float, **settings: float) -> EntropyPotential:
    core = RepulsiveCore(np.full(len(batch), 2.4))
    weights = np.where(np.arange(len(batch)) % 2, weight, -weight)
    return EntropyPotential(Bispectrum(twojmax=2, **settings), SCALE, core, weights)


def _spread(seed: int, structures: int = 40, largest: int = 12) -> StructureBatch:
    """Cells of 2 to ``largest`` atoms, sheared, most of them smaller than the cutoff."""
    batch = random_batch(np.random.default_rng(seed), structures, largest=largest)
    return batch.select(batch.sizes > 1)


def _lammps_forces(lammps, potential: EntropyPotential, batch: StructureBatch, index: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    """κ N ∂S/∂r from ``snad/atom``, every atom of a type of its own, and plain NumPy."""
    own = slice(batch.offsets[index], batch.offsets[index + 1])
    count = own.stop - own.start
    cell, rotation = lammps_cell(batch.cells[index])
    ones = " ".join(["0.5"] * count + ["1.0"] * count)
    lammps.command("clear")
    lammps.commands_string(
        SESSION.format(
            xx=cell[0, 0], yy=cell[1, 1], zz=cell[2, 2], xy=cell[1, 0], xz=cell[2, 0], yz=cell[2, 1],
            atoms=count, ones=ones,
        )
    )  # fmt: skip
    placed = batch.positions[own] @ rotation
    placed -= np.floor(placed @ np.linalg.inv(cell)) @ cell
    lammps.create_atoms(count, list(range(1, count + 1)), list(range(1, count + 1)), placed.ravel().tolist())
    lammps.command("run 0 post no")
    order = lammps.numpy.extract_atom("id")[:count] - 1
    points = np.empty((count, 5))
    points[order] = lammps.numpy.extract_compute("values", 1, 2)[:count] / SCALE
    differences = points[:, None] - points
    squares = (differences**2).sum(axis=2) + np.diag(np.full(count, np.inf))
    nearest = squares.argmin(axis=1)
    pulls = differences[range(count), nearest] / (squares.min(axis=1) + potential.floor**2)[:, None]
    gradient = pulls.copy()
    np.subtract.at(gradient, nearest, pulls)
    slopes = lammps.numpy.extract_compute("slopes", 1, 2)[:count].reshape(count, count, 3, 5)
    forces = np.empty((count, 3))
    forces[order] = np.einsum("kixl,il->kx", slopes, -potential.weights[index] * gradient / SCALE)
    return forces @ rotation.T


def test_entropy_forces_against_lammps() -> None:
    batch = _spread(1)
    potential = replace(_potential(batch, 0.3), core=RepulsiveCore(np.full(len(batch), 2.4), strength=0.0))
    forces = potential.forces_along(batch)(batch.positions)
    with lammps_session() as lammps:
        for index in range(len(batch)):
            theirs = _lammps_forces(lammps, potential, batch, index)
            ours = forces[batch.offsets[index] : batch.offsets[index + 1]]
            # Where all that acts cancels, measure against what usually acts.
            assert np.abs(ours - theirs).max() < 1e-9 * max(np.abs(theirs).max(), 1.0)


@pytest.mark.parametrize("weight", [0.0, 0.2])
def test_same_forces_as_the_potential(weight: float) -> None:
    """The closed form against the general kernels, core included, up to more than a word of atoms and images."""
    batch = StructureBatch.concatenate([_spread(2), _spread(3, structures=3, largest=90)])
    potential = _potential(batch, weight)
    expected = potential.evaluate(batch).forces
    forces = potential.forces_along(batch)(batch.positions)
    np.testing.assert_allclose(forces, expected, rtol=0.0, atol=1e-9 * np.abs(expected).max())


def test_other_descriptors_go_the_general_way() -> None:
    batch = _spread(4, structures=4)
    core, weights = RepulsiveCore(np.full(len(batch), 2.4)), np.ones(len(batch))
    other = Bispectrum(twojmax=2, rmin0=0.3)
    potential = EntropyPotential(other, SCALE, core, weights)
    assert has_closed_form(Bispectrum(twojmax=2, element_radii=(0.4,)))
    assert not has_closed_form(other)
    assert not has_closed_form(Bispectrum(twojmax=4))
    forces = potential.forces_along(batch)(batch.positions)
    np.testing.assert_array_equal(forces, potential.evaluate(batch).forces)


def _springs(batch: StructureBatch):  # type: ignore[no-untyped-def]
    """Every atom on a spring of 2 eV/Å² to the origin."""
    return lambda positions: -2.0 * positions


def test_minimisation_finds_the_bottom() -> None:
    batch = _spread(5, structures=5)
    batch = replace(batch, positions=0.3 * batch.positions)
    relaxed = minimise(_springs(batch), batch, FireSettings(steps=300))
    assert np.abs(relaxed.positions).max() < 1e-3


def test_flight_on_springs() -> None:
    """One round on springs ends where the exact flight does, to second order in the step."""
    batch = _spread(6, structures=5)
    begin = 0.1 * batch.positions
    drifts = []
    for steps in (20, 40):
        schedule = AnnealingSchedule(rounds=1, steps=steps, temperature=0.1, timestep=1.0 / steps)
        streams = [np.random.default_rng(index) for index in range(len(batch))]
        draws = [np.random.default_rng(index).standard_normal((size, 3)) for index, size in enumerate(batch.sizes)]
        end = anneal(_springs(batch), replace(batch, positions=begin), streams, schedule, largest_move=10.0)
        # The exact flight: r cos ωt + v sin ωt / ω, ω² = 2.
        exact = begin * np.cos(np.sqrt(2)) + np.sqrt(0.1) * np.concatenate(draws) * np.sin(np.sqrt(2)) / np.sqrt(2)
        drifts.append(np.abs(end.positions - exact).max())
    assert drifts[0] / drifts[1] == pytest.approx(4.0, rel=0.05)


def test_no_atom_moves_further_than_allowed() -> None:
    batch = _spread(7, structures=5)
    settings = FireSettings(steps=1, timestep=1.0, largest_move=0.05)
    moved = minimise(lambda positions: np.full_like(positions, 1e3), batch, settings).positions - batch.positions
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 0.05, rtol=1e-9)
