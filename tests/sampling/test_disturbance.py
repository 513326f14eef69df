"""Structures opened and shaken: what moves, what stays, and how many."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.errors import InputError
from mechlearn.sampling import Disturbance, disturbed
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

LENGTH = 2.5


def crystals(count: int) -> StructureBatch:
    return StructureBatch.from_atoms([bulk("W", a=3.16, cubic=True).repeat(3)] * count)


def streams(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, index]) for index in range(count)]


def test_an_opened_crystal_is_a_slab() -> None:
    """A gap w across a cube of side a adds a² w; beside the bonds that cross the cut all distances stay."""
    before = crystals(6)
    after = disturbed(before, Disturbance(opened=1.0), LENGTH, streams(6))
    side = 3 * 3.16
    gaps = (after.volumes - before.volumes) / side**2
    assert gaps.min() > 0
    assert gaps.max() <= 2.4 * LENGTH
    bond = np.sqrt(3) / 2 * 3.16
    for index in range(6):
        pairs = neighbour_pairs(after.select([index]), 2.9)
        np.testing.assert_allclose(pairs.distances[pairs.distances < bond + 1e-6], bond)
        if gaps[index] > 0.2:
            # Of a (100) cut 3 × 3 × 4 bonds are gone, each counted from both ends; stretched ones may still be short.
            bonds = np.isclose(pairs.distances, bond).sum()
            assert bonds == 54 * 8 - 2 * 36


def test_shaken_atoms_keep_apart_and_their_cell_stays() -> None:
    before = crystals(20)
    wild = Disturbance(shaken=1.0, largest_displacement=0.3, closest=0.7)
    after = disturbed(before, wild, LENGTH, streams(20))
    np.testing.assert_array_equal(after.cells, before.cells)
    assert neighbour_pairs(after, 2.0).distances.min() >= 0.7 * LENGTH
    moved = (after.positions - before.positions).reshape(20, -1)
    assert moved.std(axis=1).min() > 0
    # Means of 54 normal displacements a coordinate: no drift.
    assert np.abs(moved.mean()) < 4 * moved.std() / np.sqrt(moved.size)


def test_shares_are_those_asked_for() -> None:
    """Of 400 structures 100 opened and 120 shaken, within four deviations; all others are left as they are."""
    before = StructureBatch.from_atoms([bulk("W", a=3.16, cubic=True)] * 400)
    after = disturbed(before, Disturbance(opened=0.25, shaken=0.3), LENGTH, streams(400))
    opened = after.volumes > before.volumes
    moved = np.abs(after.positions - before.positions).reshape(400, -1).max(axis=1) > 0
    assert abs(opened.sum() - 100) < 4 * np.sqrt(400 * 0.25 * 0.75)
    assert abs((moved & ~opened).sum() - 120) < 4 * np.sqrt(400 * 0.3 * 0.7)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"opened": 0.6, "shaken": 0.6}, "sum to no more than 1"), ({"closest": -1.0}, "closest is -1.0")],
)
def test_refuses(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Disturbance(**change)
