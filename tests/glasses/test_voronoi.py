"""Voronoi cells: LAMMPS's and OVITO's numbers, crystals, and what thresholds do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mechlearn.engines import lammps_cell, lammps_session
from mechlearn.errors import InputError
from mechlearn.glasses.description.voronoi import voronoi_cells
from mechlearn.interactions import deformed
from mechlearn.structures import StructureBatch


def disordered(seed: int = 1, repeats: int = 3) -> StructureBatch:
    """A crystal rattled beyond recognition in a sheared cell."""
    rng = np.random.default_rng(seed)
    crystal = StructureBatch.from_atoms([bulk("Cu", a=3.9, cubic=True) * (repeats, repeats, repeats)])
    structure = deformed(crystal, np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3)))
    return replace(structure, positions=structure.positions + rng.normal(0.0, 0.25, structure.positions.shape))


def test_crystals() -> None:
    """Their cells have no faces to spare; a rattle opens tiny ones at corners where many meet."""
    rattled = bulk("Cu", a=3.6, cubic=True) * (2, 2, 2)
    rattled.rattle(0.01, seed=1)
    perfect, loose, strict = (
        voronoi_cells(StructureBatch.from_atoms([atoms]), face_threshold=threshold, edge_threshold=edge)
        for atoms, threshold, edge in ((bulk("Cu", a=3.6), 0.0, 0.0), (rattled, 0.0, 0.0), (rattled, 0.01, 0.3))
    )
    assert perfect.indices.tolist() == [[0, 12, 0, 0]]
    assert loose.coordination.mean() > 12.5
    assert (strict.indices == [0, 12, 0, 0]).all()


def test_icosahedron() -> None:
    golden = 0.5 * (1.0 + np.sqrt(5.0))
    corners = [[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)]
    places = np.array([np.roll(corner, turn) for corner in corners for turn in range(3)] + [[0, 0, 0]]) * 1.4
    # Far from its images a cluster's outer cells are huge, that of its centre is what it is.
    cells = voronoi_cells(StructureBatch.from_atoms([Atoms("Zr12Cu", places, cell=[9, 9.1, 9.2], pbc=True)]))
    assert cells.indices[12].tolist() == [0, 0, 12, 0]


@pytest.mark.parametrize("repeats", [1, 3])
def test_cells_fill_space_and_faces_have_two_sides(repeats: int) -> None:
    structure = disordered(repeats=repeats)
    cells = voronoi_cells(structure)
    assert cells.volumes.sum() == pytest.approx(structure.volumes[0], rel=1e-12)
    there = {(i, j, *np.round(v, 6)) for i, j, v in zip(cells.first, cells.second, cells.vectors, strict=True)}
    back = {(j, i, *np.round(-v, 6) + 0.0) for i, j, v in zip(cells.first, cells.second, cells.vectors, strict=True)}
    assert there == back
    # Faces close: the sum of their area vectors is zero.
    normals = cells.areas[:, None] * cells.vectors / np.linalg.norm(cells.vectors, axis=1)[:, None]
    for axis in range(3):
        assert np.abs(np.bincount(cells.first, normals[:, axis])).max() < 1e-9
    assert sorted(map(tuple, cells.edges.T)) == sorted((j, i) for i, j in cells.edges.T)


def test_equals_lammps() -> None:
    structure = disordered(seed=2)
    cell = lammps_cell(structure.cells[0])[0]
    places = structure.positions @ np.linalg.inv(structure.cells[0])
    count = structure.atoms
    with lammps_session() as lammps:
        lammps.commands_string(
            f"""
            units metal
            box tilt large
            region cell prism 0 {cell[0, 0]} 0 {cell[1, 1]} 0 {cell[2, 2]} &
                {cell[1, 0]} {cell[2, 0]} {cell[2, 1]} units box
            create_box 1 cell
            mass 1 1.0
            pair_style zero 6.0
            pair_coeff * *
            comm_modify cutoff 10.0
            """
        )
        lammps.create_atoms(count, np.arange(1, count + 1), [1] * count, ((places - np.floor(places)) @ cell).ravel())
        lammps.commands_string("compute cells all voronoi/atom\nrun 0")
        order = np.argsort(lammps.numpy.extract_atom("id")[:count])
        volumes, faces = lammps.numpy.extract_compute("cells", 1, 2)[:count][order, :2].T
    found = voronoi_cells(structure)
    assert np.allclose(found.volumes, volumes, rtol=1e-9)
    assert np.array_equal(found.coordination, faces)


@pytest.mark.parametrize(("face", "edge"), [(0.0, 0.0), (0.01, 0.0), (0.05, 0.5)])
def test_equals_ovito(face: float, edge: float) -> None:
    modifiers = pytest.importorskip("ovito.modifiers", reason="OVITO is not installed: pip install ovito")
    from ovito.io.ase import ase_to_ovito
    from ovito.pipeline import Pipeline, StaticSource

    structure = disordered(seed=3)
    pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(structure.to_atoms()[0])))
    pipeline.modifiers.append(
        modifiers.VoronoiAnalysisModifier(compute_indices=True, relative_face_threshold=face, edge_threshold=edge)
    )
    particles = pipeline.compute().particles
    found = voronoi_cells(structure, face, edge)
    assert np.allclose(found.volumes, particles["Atomic Volume"][...], rtol=1e-9)
    assert np.array_equal(found.coordination, particles["Coordination"][...])
    # OVITO's first column is of faces with one edge.
    assert np.array_equal(found.indices, particles["Voronoi Index"][...][:, 2:6])


def test_refusals() -> None:
    crystal = bulk("W", a=3.2, cubic=True)
    surface = crystal.copy()
    surface.pbc = (True, True, False)
    double = crystal.copy()
    double.positions[1] = double.positions[0]
    for atoms, message in ((surface, "not periodic in all directions"), (double, "very place of atom 1")):
        with pytest.raises(InputError, match=message):
            voronoi_cells(StructureBatch.from_atoms([atoms]))
    with pytest.raises(InputError, match="share between 0 and 1"):
        voronoi_cells(StructureBatch.from_atoms([crystal]), face_threshold=5.0)
