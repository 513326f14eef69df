"""Embedded-atom files as they are and as they should not be, and points that keep their neighbours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from glassy_cells import random_structure
from mechlearn.engines import potential_file
from mechlearn.errors import InputError
from mechlearn.interactions import EamPotential, deformed, read_eam
from mechlearn.structures import StructureBatch

NODES = 12


@pytest.fixture(scope="module")
def copper_zirconium() -> EamPotential:
    return read_eam("CuZr_mm.eam.fs")


def small_file(folder: Path, style: str = "alloy") -> Path:
    """Two elements whose functions are polynomials of low degree, which the cubics meet."""
    r, rho = np.arange(NODES) * 0.5, np.arange(NODES) * 0.25
    density = (5.5 - r) ** 2
    lines = ["one", "two", "three", "2 Cu Zr", f"{NODES} 0.25 {NODES} 0.5 5.5"]
    for number, factor in ((29, 1.0), (40, 2.0)):
        lines.append(f"{number} 60.0 3.6 fcc")
        tables = [-factor * rho, factor * density, *([0.1 * density] if style == "fs" else [])]
        lines += [" ".join(f"{value:.16g}" for value in table) for table in tables]
    lines += [" ".join(f"{scale * value:.16g}" for value in r * density) for scale in (1.0, 2.0, 3.0)]
    path = folder / f"test.eam.{style}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("style", ["alloy", "fs"])
def test_a_file_of_polynomials_is_the_formula(style: str, tmp_path: Path) -> None:
    """Two atoms far inside the tables: E = F_a(f_b) + F_b(f_a) + φ_ab."""
    potential = read_eam(small_file(tmp_path, style))
    r = 3.3
    pair = Atoms("CuZr", [[0, 0, 0], [0, 0, r]], cell=[20, 20, 20], pbc=True)
    density = (5.5 - r) ** 2
    # In eam/fs the first table of an element is what it makes at Cu, the second what it makes at Zr.
    at_copper, at_zirconium = (2.0 * density, density) if style == "alloy" else (2.0 * density, 0.1 * density)
    expected = -at_copper - 2.0 * at_zirconium + 2.0 * density
    found = potential.evaluate(StructureBatch.from_atoms([pair]))
    # Beyond the table of F, at ρ = 2.75, it goes on straight, and it is straight.
    assert found.energies[0] == pytest.approx(expected, rel=1e-12)
    assert found.forces[0, 2] == pytest.approx(expected / density * -2.0 * (5.5 - r), rel=1e-12)


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], " ".join(lines[-1].split()[:5])]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"the file ends at line 14, before r φ of Zr and Zr \(5 of 12 numbers"):
        read_eam(path)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (3, "2 Cu Qq", "line 4 should hold the count of the elements and their symbols"),
        (3, "3 Cu Zr", "line 4 should hold the count of the elements"),
        (4, "12 0.25 12 0.5", "line 5 should hold the line 'Nrho drho Nr dr cutoff'"),
        (4, "12 0.25 12 -0.5 5.5", "line 5 should hold 'Nrho drho Nr dr cutoff', all above zero"),
        (6, "1 2 3", "numbers of the density of Cu|numbers of the embedding function of Cu"),
        (7, "1 2 three 4 5 6 7 8 9 10 11 12", "line 8 should hold numbers of the density of Cu, .* holds 'three'"),
        (7, "1 2 nan 4 5 6 7 8 9 10 11 12", "line 8 should hold finite numbers of the density of Cu, .* 'nan'"),
    ],
)
def test_a_file_that_is_none(line: int, text: str, message: str, tmp_path: Path) -> None:
    path = small_file(tmp_path)
    lines = path.read_text("utf-8").splitlines()
    lines[line] = text
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_eam(path)


def test_a_file_of_the_other_style(tmp_path: Path) -> None:
    path = small_file(tmp_path, "fs")
    with pytest.raises(InputError, match="is it an eam/alloy file"):
        read_eam(path.rename(tmp_path / "test.eam.alloy"))
    with pytest.raises(InputError, match=r"is it an eam/fs file"):
        read_eam(small_file(tmp_path).rename(tmp_path / "other.eam.fs"))


def test_names_that_lead_nowhere() -> None:
    with pytest.raises(InputError, match="it knows Cu, Zr, not Ti"):
        read_eam("CuZr_mm.eam.fs", ("Cu", "Ti"))
    with pytest.raises(InputError, match="not a file of kind eam/alloy or eam/fs by its name"):
        read_eam(potential_file("Cu_u3.eam"))
    with pytest.raises(InputError, match="there is no file"):
        read_eam("nowhere/x.eam.fs")


def test_neighbours_are_kept_while_they_hold(copper_zirconium: EamPotential) -> None:
    rng = np.random.default_rng(4)
    structure = random_structure(("Cu", "Zr"), 40, 15.0, rng)
    kept = copper_zirconium.at(structure).kept
    gradient, searched = np.eye(3), 0
    for _ in range(30):
        gradient = gradient + np.array([[0.0, 0.004, 0.0], [0.0, 0.0, 0.002], [0.0, 0.0, -0.001]])
        moved = replace(structure, positions=structure.positions + rng.uniform(-0.02, 0.02, (40, 3)))
        moved = deformed(moved, gradient)
        point = copper_zirconium.at(moved, kept)
        searched += point.kept is not kept
        kept = point.kept
        fresh = copper_zirconium.evaluate(moved)
        assert point.energy == pytest.approx(fresh.energies[0], rel=1e-12)
        assert np.allclose(point.forces, fresh.forces, atol=1e-11 * np.abs(fresh.forces).max())
    assert 1 <= searched <= 10


def test_kept_neighbours_of_another_structure_are_not_used(copper_zirconium: EamPotential) -> None:
    first, second = (random_structure(("Cu", "Zr"), 20, 15.0, np.random.default_rng(seed)) for seed in (1, 2))
    kept = copper_zirconium.at(first).kept
    assert copper_zirconium.at(second, kept).energy == pytest.approx(copper_zirconium.at(second).energy, rel=1e-12)
    swapped = replace(first, species=first.species[::-1].copy())
    assert copper_zirconium.at(swapped, kept).energy == pytest.approx(copper_zirconium.at(swapped).energy, rel=1e-12)


def test_turning_and_renumbering_change_nothing(copper_zirconium: EamPotential) -> None:
    rng = np.random.default_rng(6)
    structure = random_structure(("Cu", "Zr"), 25, 15.0, rng)
    turn, order = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.permutation(25)
    other = replace(deformed(structure, turn), species=structure.species[order].copy())
    other = replace(other, positions=other.positions[order] + 3.0)
    here, there = copper_zirconium.at(structure), copper_zirconium.at(other)
    scale = np.abs(here.forces).max()
    assert there.energy == pytest.approx(here.energy, rel=1e-12)
    assert np.allclose(there.forces, here.forces[order] @ turn.T, atol=1e-11 * scale)
    assert np.allclose(there.atomic_energies, here.atomic_energies[order], rtol=1e-11)
    traces = [point.atomic_stresses[:, :3].sum(axis=1) for point in (here, there)]
    assert np.allclose(traces[1], traces[0][order], atol=1e-10 * np.abs(traces[0]).max())


def test_atoms_outside_their_cell_are_where_their_images_are(copper_zirconium: EamPotential) -> None:
    rng = np.random.default_rng(7)
    structure = random_structure(("Cu", "Zr"), 20, 15.0, rng)
    moved = replace(structure, positions=structure.positions + rng.integers(-3, 4, (20, 3)) @ structure.cells[0])
    here, there = copper_zirconium.at(structure), copper_zirconium.at(moved)
    assert there.energy == pytest.approx(here.energy, rel=1e-12)
    assert np.allclose(there.forces, here.forces, atol=1e-10 * np.abs(here.forces).max())
    v = rng.normal(size=(20, 3))
    assert np.allclose(there.hessian_product(v), here.hessian_product(v), rtol=1e-7, atol=1e-7)


def test_two_atoms_in_one_place(copper_zirconium: EamPotential) -> None:
    pair = Atoms("CuZr", [[1, 1, 1], [1, 1, 11]], cell=[10, 10, 10], pbc=True)
    with pytest.raises(InputError, match=r"atoms . and . of structure 0 \(unnamed\) are both at"):
        copper_zirconium.evaluate(StructureBatch.from_atoms([pair]))


def test_an_empty_batch_and_a_batch_where_one_structure_is_wanted(copper_zirconium: EamPotential) -> None:
    assert copper_zirconium.evaluate(StructureBatch.empty()).energies.shape == (0,)
    with pytest.raises(InputError, match="given a batch of 0 structures; give one"):
        copper_zirconium.at(StructureBatch.empty())
