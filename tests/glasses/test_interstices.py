"""Interstices: crystals on paper, shares counted with random points, invariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial import ConvexHull

from cells import random_rotation
from mechlearn.errors import InputError
from mechlearn.glasses.description.interstices import interstice_features, metallic_radii
from mechlearn.glasses.description.voronoi import voronoi_cells
from mechlearn.interactions import deformed
from mechlearn.structures import StructureBatch

RADII = {"Cu": 0.9, "Zr": 1.1}


def alloy(seed: int = 1) -> StructureBatch:
    """A shaken alloy in a sheared cell."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", a=4.0, cubic=True) * (2, 2, 2)
    atoms.symbols[rng.random(len(atoms)) < 0.4] = "Zr"
    structure = deformed(StructureBatch.from_atoms([atoms]), np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3)))
    return replace(structure, positions=structure.positions + rng.normal(0.0, 0.2, structure.positions.shape))


def test_close_packed_crystal() -> None:
    """Eight regular tetrahedra and twelve quarters of octahedra around every atom, edges of length one."""
    radius = 0.42
    crystal = StructureBatch.from_atoms([bulk("Cu", a=np.sqrt(2.0), cubic=True)])
    table = interstice_features(crystal, {"Cu": radius})
    bonds = np.full(12, 1.0 - 2.0 * radius)
    angles = 0.5 * np.pi * radius**2
    facets = np.repeat([1.0 - angles / (np.sqrt(3.0) / 4.0), 1.0 - angles / 0.5], [8, 12])
    # The solid angle at a corner of a regular tetrahedron, and of an octahedron, both of volume √2/12 here.
    tetrahedron, octahedron = np.arccos(23.0 / 27.0), 4.0 * np.arcsin(1.0 / 3.0)
    volume = np.sqrt(2.0) / 12.0
    covered = np.repeat([4.0 * tetrahedron, 1.5 * octahedron], [8, 12]) * radius**3 / 3.0
    for kind, values in (("distance", bonds), ("area", facets), ("volume", 1.0 - covered / volume)):
        expected = [values.mean(), values.std(), values.min(), values.max(), values.sum()]
        for name, number in zip(("mean", "deviation", "smallest", "largest", "sum"), expected, strict=True):
            np.testing.assert_allclose(table.column(f"{name} {kind} interstice"), number, rtol=1e-9, atol=1e-12)


def test_a_compound() -> None:
    """CsCl: eight unlike and six like neighbours."""
    compound = StructureBatch.from_atoms([bulk("CuZr", "cesiumchloride", a=3.2)])
    table = interstice_features(compound, RADII)
    unlike, of_copper, of_zirconium = 1.0 - 2.0 / (1.6 * np.sqrt(3.0)), 1.0 - 1.8 / 3.2, 1.0 - 2.2 / 3.2
    expected = [8.0 * unlike + 6.0 * of_copper, 8.0 * unlike + 6.0 * of_zirconium]
    np.testing.assert_allclose(table.column("sum distance interstice"), expected, rtol=1e-9)


def test_equal_shares_of_random_points() -> None:
    """Of points thrown into tetrahedra and triangles those in no sphere; the spheres are too small to stick out."""
    structure, rng = alloy(), np.random.default_rng(4)
    cells = voronoi_cells(structure, face_threshold=0.01)
    table = interstice_features(structure, RADII, cells)
    sizes = np.where(structure.species == 29, 0.9, 1.1)
    weights = {3: rng.dirichlet(np.ones(3), 20000), 4: rng.dirichlet(np.ones(4), 20000)}

    def open_share(corners: np.ndarray, radii: np.ndarray) -> float:
        points = weights[len(corners)] @ corners
        return float((np.linalg.norm(points[:, None] - corners, axis=2) > radii).all(axis=1).mean())

    for atom in (0, 7):
        own = cells.counted & (cells.first == atom)
        vectors, radii = cells.vectors[own], sizes[cells.second[own]]
        facets = ConvexHull(vectors).simplices
        areas = [open_share(vectors[facet], radii[facet]) for facet in facets]
        volumes = [
            open_share(np.vstack([np.zeros(3), vectors[facet]]), np.append(sizes[atom], radii[facet]))
            for facet in facets
        ]
        for kind, shares in (("area", areas), ("volume", volumes)):
            assert table.column(f"mean {kind} interstice")[atom] == pytest.approx(np.mean(shares), abs=0.004)
            assert table.column(f"largest {kind} interstice")[atom] == pytest.approx(np.max(shares), abs=0.015)


def test_symmetries_and_size() -> None:
    structure, rng = alloy(2), np.random.default_rng(0)
    here = interstice_features(structure, RADII).values
    turn, order = random_rotation(rng), rng.permutation(structure.atoms)
    turned = replace(
        structure,
        positions=(structure.positions @ turn.T + rng.normal(size=3))[order],
        cells=structure.cells @ turn.T,
        species=structure.species[order],
    )
    np.testing.assert_allclose(interstice_features(turned, RADII).values, here[order], atol=1e-9)
    twice = StructureBatch.from_atoms([structure.to_atoms()[0] * (2, 1, 1)])
    np.testing.assert_allclose(interstice_features(twice, RADII).values, np.tile(here, (2, 1)), atol=1e-9)


def test_covered_shares_end_at_zero_and_bonds_overlap() -> None:
    table = interstice_features(alloy(), {"Cu": 2.0, "Zr": 2.5})
    assert (table.column("smallest area interstice") == 0.0).all()
    assert (table.column("smallest volume interstice") == 0.0).all()
    assert (table.column("smallest distance interstice") < 0.0).all()


def test_radii() -> None:
    radii = metallic_radii(("Cu", "W"))
    assert radii["Cu"] == pytest.approx(3.61 / np.sqrt(8.0))
    assert radii["W"] == pytest.approx(3.16 * np.sqrt(3.0) / 4.0, rel=2e-3)
    assert not np.array_equal(interstice_features(alloy()).values, interstice_features(alloy(), RADII).values)


def test_refuses() -> None:
    with pytest.raises(InputError, match="the radius of Zr is None"):
        interstice_features(alloy(), {"Cu": 1.28})
    with pytest.raises(InputError, match="no crystal of P is known"):
        metallic_radii(("P",))
    with pytest.raises(InputError, match="give their own"):
        interstice_features(alloy(), RADII, voronoi_cells(StructureBatch.from_atoms([bulk("Cu", a=3.6)])))
    with pytest.raises(InputError, match="do not span space"):
        interstice_features(alloy(), RADII, voronoi_cells(alloy(), face_threshold=0.25))
