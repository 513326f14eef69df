"""Our embedded-atom potentials are LAMMPS's: energies, forces, virials, and what it gives to each atom."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.engines import lammps_cell, lammps_session, potential_file
from mechlearn.interactions import EamPotential, LammpsPotential, read_eam
from mechlearn.structures import StructureBatch

FILES = {"CuZr_mm.eam.fs": 15.0, "W_zhou.eam.alloy": 15.9, "ZrCuAl2011.eam.alloy": 16.0}


def file_of(name: str) -> Path:
    """The file, of LAMMPS's own or of the data set."""
    if not name.startswith("ZrCuAl"):
        return potential_file(name)
    data = os.environ.get("MECHLEARN_DATA")
    if not data:
        pytest.skip("MECHLEARN_DATA is not set: it names the folder that holds eam/ZrCuAl2011.eam.alloy")
    path = Path(data) / "eam" / name
    if not path.is_file():
        pytest.skip(f"MECHLEARN_DATA has no {path}")
    return path


def random_batch(seed: int, symbols: tuple[str, ...], volume: float, structures: int = 4) -> StructureBatch:
    """Cells of one to twenty atoms, sheared, the smallest far smaller than the cutoff, some too dense to last."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(structures):
        count = int(rng.integers(1, 21))
        cell = (np.eye(3) + rng.uniform(-0.4, 0.4, (3, 3))) * (volume * rng.uniform(0.7, 1.3) * count) ** (1 / 3)
        images.append(Atoms(rng.choice(symbols, count), rng.random((count, 3)) @ cell, cell=cell, pbc=True))
    return StructureBatch.from_atoms(images)


def assert_equal(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    # Forces of random structures cancel; they are compared with the pulls they are made of.
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-11 * max(1.0, np.abs(expected).max())), name


@pytest.mark.parametrize("name", FILES)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_cells(name: str, seed: int) -> None:
    ours, lammps = potentials(name)
    batch = random_batch(seed, ours.elements, FILES[name])
    expected, found = lammps.evaluate(batch), ours.evaluate(batch)
    for quantity in ("energies", "forces", "stresses", "atomic_energies"):
        assert_equal(getattr(found, quantity), getattr(expected, quantity), quantity)


_POTENTIALS: dict[str, tuple[EamPotential, LammpsPotential]] = {}


def potentials(name: str) -> tuple[EamPotential, LammpsPotential]:
    if name not in _POTENTIALS:
        path = file_of(name)
        _POTENTIALS[name] = read_eam(path), LammpsPotential.from_files(path)
    return _POTENTIALS[name]


@pytest.mark.parametrize("name", ["CuZr_mm.eam.fs", "ZrCuAl2011.eam.alloy"])
def test_elements_in_another_order(name: str) -> None:
    ours, lammps = potentials(name)
    batch = random_batch(3, ours.elements, FILES[name])
    turned = read_eam(file_of(name), tuple(reversed(ours.elements)))
    assert turned.elements == tuple(reversed(ours.elements))
    assert_equal(turned.evaluate(batch).forces, lammps.evaluate(batch).forces, "forces")
    one = read_eam(file_of(name), ours.elements[-1:])
    crystal = StructureBatch.from_atoms([bulk(ours.elements[-1], "fcc", a=4.0, cubic=True)])
    assert_equal(one.evaluate(crystal).energies, lammps.evaluate(crystal).energies, "energies")


def test_structures_that_repeat_along_some_directions_only() -> None:
    rng = np.random.default_rng(5)
    ours, lammps = potentials("CuZr_mm.eam.fs")
    images = [
        Atoms(rng.choice(["Cu", "Zr"], 12), rng.random((12, 3)) * 6.0, cell=np.eye(3) * 6.0, pbc=periodic)
        for periodic in ((True, True, False), (False, True, False), (False, False, False))
    ]
    batch = StructureBatch.from_atoms(images)
    expected, found = lammps.evaluate(batch), ours.evaluate(batch)
    for quantity in ("energies", "forces", "stresses"):
        assert_equal(getattr(found, quantity), getattr(expected, quantity), quantity)


def test_atomic_stresses() -> None:
    ours, _ = potentials("CuZr_mm.eam.fs")
    batch = random_batch(11, ours.elements, 15.0, structures=1)
    assert_equal(ours.at(batch).atomic_stresses, lammps_atomic_stresses(batch), "stress/atom")


def lammps_atomic_stresses(batch: StructureBatch) -> np.ndarray:
    """``compute stress/atom NULL virial`` of one structure in the frame of its cell, eV."""
    box, turn = lammps_cell(batch.cells[0])
    fractions = np.linalg.solve(box.T, (batch.positions @ turn).T).T
    types = np.where(batch.species == 29, 1, 2).tolist()
    with lammps_session() as session:
        session.commands_string(
            f"""
            units metal
            atom_modify map array sort 0 0.0
            box tilt large
            region box prism 0 {box[0, 0]:.17g} 0 {box[1, 1]:.17g} 0 {box[2, 2]:.17g} &
                {box[1, 0]:.17g} {box[2, 0]:.17g} {box[2, 1]:.17g} units box
            create_box 2 box
            mass * 1.0
            pair_style eam/fs
            pair_coeff * * {potential_file("CuZr_mm.eam.fs")} Cu Zr
            neigh_modify one 20000 page 200000
            compute s all stress/atom NULL virial
            """
        )
        placed = (fractions - np.floor(fractions)) @ box
        session.create_atoms(batch.atoms, list(range(1, batch.atoms + 1)), types, placed.ravel().tolist())
        session.command("run 0 post no")
        order = np.argsort(session.numpy.extract_atom("id")[: batch.atoms])
        unit = session.extract_global("nktv2p")
        xx, yy, zz, xy, xz, yz = session.numpy.extract_compute("s", 1, 2)[: batch.atoms][order].T / unit
    tensors = np.moveaxis(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), 2, 0)
    turned = np.einsum("ab,ibc,dc->iad", turn, tensors, turn)
    return turned[:, (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]


@pytest.mark.parametrize(
    ("name", "crystal"),
    [("W_zhou.eam.alloy", bulk("W", a=3.165, cubic=True)), ("CuZr_mm.eam.fs", bulk("Cu", a=3.639, cubic=True))],
)
def test_elastic_constants_are_curvatures_of_lammps_energies(name: str, crystal: Atoms) -> None:
    """C11, C12 and C44 at the lattice constant without stress, from energies of strained crystals.

    The files' digits end at 1e-8 or so, which makes the curvature of the cubics jump by a percent from node to node:
    the strains are so small that no distance passes a node.
    """
    ours, lammps = potentials(name)
    crystal = at_rest(ours, crystal)
    step, volume = 2e-5, crystal.get_volume()

    def curvature(strain: np.ndarray) -> float:
        images = []
        for sign in (1.0, 0.0, -1.0):
            # Green's strain of the deformation is the strain asked for, to second order.
            gradient = np.eye(3) + sign * step * strain - 0.5 * step**2 * (strain @ strain) * abs(sign)
            image = crystal.copy()
            image.set_cell(crystal.cell.array @ gradient.T, scale_atoms=True)
            images.append(image)
        ahead, here, behind = lammps.evaluate(StructureBatch.from_atoms(images)).energies
        return float(ahead - 2.0 * here + behind) / step**2 / volume

    constants = ours.at(StructureBatch.from_atoms([crystal])).born_stiffness()
    c11 = curvature(np.diag([1.0, 0.0, 0.0]))
    c12 = (curvature(np.diag([1.0, 1.0, 0.0])) - 2.0 * c11) / 2.0
    c44 = curvature(np.array([[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    expected = np.array([c11, c12, c44])
    assert np.allclose(constants[(0, 0, 5), (0, 1, 5)], expected, rtol=5e-4), (constants, expected)


def at_rest(potential: EamPotential, crystal: Atoms) -> Atoms:
    """The cubic crystal at the lattice constant where its pressure is zero, by the secant rule."""
    image, scale = crystal.copy(), 1.0
    scales, pressures = [0.998, 1.002], []
    for value in scales:
        image.set_cell(crystal.cell.array * value, scale_atoms=True)
        pressures.append(potential.evaluate(StructureBatch.from_atoms([image])).stresses[0, 0])
    for _ in range(20):
        scale = scales[-1] - pressures[-1] * (scales[-1] - scales[-2]) / (pressures[-1] - pressures[-2])
        image.set_cell(crystal.cell.array * scale, scale_atoms=True)
        scales.append(scale)
        pressures.append(potential.evaluate(StructureBatch.from_atoms([image])).stresses[0, 0])
        if abs(pressures[-1]) < 1e-10:
            return image
    raise AssertionError(f"not at rest: {pressures[-1]:.1e} eV/Å³")
