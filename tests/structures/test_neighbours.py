"""Neighbours: equal to ASE's, in any cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from cells import random_batch, random_rotation
from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourList, neighbour_pairs


def _sorted(*columns: np.ndarray) -> np.ndarray:
    table = np.column_stack(columns)
    return table[np.lexsort(np.round(table, 5).T)]


@pytest.mark.parametrize("cutoff", [2.5, 4.73, 9.0])
def test_equal_to_ase(cutoff: float) -> None:
    rng = np.random.default_rng(1)
    batch = random_batch(rng, 25, largest=12)
    batch = replace(batch, periodic=rng.random((len(batch), 3)) < 0.7)
    pairs = neighbour_pairs(batch, cutoff)
    for index, atoms in enumerate(batch.to_atoms()):
        i, j, vectors = neighbor_list("ijD", atoms, cutoff)
        own = slice(pairs.starts[batch.offsets[index]], pairs.starts[batch.offsets[index + 1]])
        ours = _sorted(
            pairs.first[own] - batch.offsets[index],
            pairs.second[own] - batch.offsets[index],
            pairs.vectors[own],
        )
        assert ours.shape[0] == len(i)
        np.testing.assert_allclose(ours, _sorted(i, j, vectors), atol=1e-9)


def test_bins_and_brute_force_agree() -> None:
    """A supercell that needs bins has the neighbours of its unit cell."""
    rng = np.random.default_rng(2)
    atoms = bulk("W", cubic=True).repeat(2)
    atoms.rattle(0.1, rng=rng)
    small, large = (StructureBatch.from_atoms([each]) for each in (atoms, atoms.repeat(5)))
    lone, many = neighbour_pairs(small, 4.73), neighbour_pairs(large, 4.73)
    np.testing.assert_array_equal(np.tile(np.diff(lone.starts), 125), np.diff(many.starts))
    np.testing.assert_allclose(np.sort(np.tile(lone.distances, 125)), np.sort(many.distances), atol=1e-9)


def test_turning_changes_nothing_but_vectors() -> None:
    rng = np.random.default_rng(3)
    batch, rotation = random_batch(rng, 10), random_rotation(rng)
    turned = replace(batch, positions=batch.positions @ rotation, cells=batch.cells @ rotation)
    pairs, again = neighbour_pairs(batch, 4.0), neighbour_pairs(turned, 4.0)
    np.testing.assert_array_equal(pairs.starts, again.starts)
    np.testing.assert_allclose(np.sort(pairs.distances), np.sort(again.distances), atol=1e-9)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan")])
def test_refuses_a_cutoff_that_is_none(cutoff: float) -> None:
    with pytest.raises(InputError, match="give a positive number"):
        neighbour_pairs(StructureBatch.from_atoms([bulk("W")]), cutoff)


def test_names_a_singular_cell() -> None:
    batch = StructureBatch.from_arrays(
        np.zeros((1, 3)),
        np.array([np.diag([1.0, 1.0, 0.0])]),
        np.array([74], dtype=np.int32),
        [1],
        names=["flat"],
    )
    with pytest.raises(InputError, match=r"structure 0 \(flat\) has no volume"):
        neighbour_pairs(batch, 3.0)


@pytest.mark.parametrize("cells", [1, 8])
def test_names_atoms_in_one_place(cells: int) -> None:
    """Across the cell too, in a search with bins and in one without."""
    sound = bulk("W", cubic=True).repeat(cells)
    stacked = sound.copy()
    stacked.positions[1] = stacked.positions[0] + stacked.cell[1] - stacked.cell[2]
    batch = replace(StructureBatch.from_atoms([sound, stacked]), names=("sound", "stacked"))
    with pytest.raises(
        InputError, match=r"atoms 0 and 1 of structure 1 \(stacked\) are both at .*; move or remove one"
    ):
        neighbour_pairs(batch, 4.73)
    pairs = neighbour_pairs(batch, 4.73, allow_twins=True)
    assert np.flatnonzero(pairs.twins >= 0).tolist() == [len(sound), len(sound) + 1]
    assert pairs.distances.min() > 1.0


def test_an_image_of_an_atom_is_no_twin() -> None:
    pairs = neighbour_pairs(StructureBatch.from_atoms([bulk("W")] * 2), 9.0)
    assert (pairs.twins == -1).all()


def test_a_list_with_a_skin_gives_what_a_fresh_search_gives() -> None:
    """Along paths of random steps, some of them too long for the skin, in cells of all kinds."""
    rng = np.random.default_rng(4)
    batch = random_batch(rng, 20, largest=12)
    batch = replace(batch, periodic=rng.random((len(batch), 3)) < 0.7)
    calm = np.repeat(rng.random(len(batch)) < 0.5, batch.sizes)
    neighbours = NeighbourList(4.0, skin=0.4)
    for _ in range(12):
        step = np.where(calm, 0.005, 0.08)[:, None] * rng.normal(size=batch.positions.shape)
        batch = replace(batch, positions=batch.positions + step)
        listed, fresh = neighbours.pairs(batch), neighbour_pairs(batch, 4.0)
        np.testing.assert_array_equal(listed.starts, fresh.starts)
        np.testing.assert_allclose(
            _sorted(listed.first, listed.second, listed.vectors),
            _sorted(fresh.first, fresh.second, fresh.vectors),
            atol=1e-9,
        )
    strained = replace(batch, cells=1.1 * batch.cells, positions=1.1 * batch.positions)
    np.testing.assert_array_equal(neighbours.pairs(strained).starts, neighbour_pairs(strained, 4.0).starts)


def test_a_list_with_a_skin_depends_on_no_company() -> None:
    """No bit of a structure's pairs changes with what else is in the batch, and moves far."""
    rng = np.random.default_rng(5)
    batch = random_batch(rng, 6, largest=12)
    alone, together = NeighbourList(4.0, skin=0.4), NeighbourList(4.0, skin=0.4)
    for _ in range(8):
        batch = replace(batch, positions=batch.positions + 0.05 * rng.normal(size=batch.positions.shape))
        one, all_of_them = alone.pairs(batch.select([2])), together.pairs(batch)
        own = slice(all_of_them.starts[batch.offsets[2]], all_of_them.starts[batch.offsets[3]])
        np.testing.assert_array_equal(one.vectors, all_of_them.vectors[own])
        np.testing.assert_array_equal(one.second, all_of_them.second[own] - batch.offsets[2])
