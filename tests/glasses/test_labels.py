"""Labels: the first step above each threshold, and clusters through the boundaries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mechlearn.errors import InputError
from mechlearn.glasses.loading.labels import first_groups, transformed_group
from mechlearn.glasses.loading.nonaffine import local_deformation
from mechlearn.interactions import deformed
from mechlearn.structures import StructureBatch

CUTOFF = 3.2


def crystal(repeats: int = 4) -> StructureBatch:
    return StructureBatch.from_atoms([bulk("Cu", a=3.6, cubic=True) * (repeats, repeats, repeats)])


def moved(structure: StructureBatch, atom: int, by: float) -> StructureBatch:
    positions = structure.positions.copy()
    positions[atom, 0] += by
    return replace(structure, positions=positions)


def test_each_threshold_has_its_own_first_step() -> None:
    start = crystal()
    shear = np.eye(3)
    shear[0, 1] = 0.01
    # An elastic step, a small hop of one atom, a large hop of another, in a cell that goes on shearing.
    steps = [start, deformed(start, shear)]
    steps.append(moved(deformed(steps[-1], shear), 10, 0.1))
    steps.append(moved(deformed(steps[-1], shear), 200, 0.8))
    thresholds = [0.3, 0.01, 100.0]
    groups = first_groups(iter(steps), thresholds, CUTOFF)
    assert [group.step for group in groups] == [2, 1, -1]
    squares = local_deformation(steps[1], steps[2], CUTOFF).d2min
    assert np.array_equal(groups[1].members, squares > 0.01)
    assert groups[0].members[200]
    assert not groups[0].members[10]
    assert groups[2].members.sum() == 0
    assert groups[2].prevalence == 0.0
    # Thresholds are swept, so that a higher one never has more atoms at one step.
    counts = [transformed_group(steps[1], squares, CUTOFF, threshold).members.sum() for threshold in (0.001, 0.01, 0.1)]
    assert counts == sorted(counts, reverse=True)
    assert first_groups(steps, [0.3], CUTOFF, smallest=500)[0].step == -1


def test_clusters_reach_through_the_boundaries() -> None:
    structure = crystal()
    places = structure.positions / 3.6
    edge = (places[:, 0] < 0.1) & (places[:, 1] < 0.1) & (places[:, 2] < 0.1)
    beyond = (places[:, 0] > 3.4) & (places[:, 1] > 3.4) & (places[:, 2] < 0.1)
    apart = (places == [2.0, 2.0, 2.0]).all(axis=1)
    squares = 0.5 * (edge | beyond | apart)
    group = transformed_group(structure, squares, connection=2.6)
    assert group.sizes.tolist() == [2, 1]
    assert group.clusters[apart] == 1
    assert (group.clusters[edge | beyond] == 0).all()


def test_refusals() -> None:
    with pytest.raises(InputError, match="threshold of D²min is 0"):
        transformed_group(crystal(1), np.zeros(4), 3.0, threshold=0.0)
    with pytest.raises(InputError, match="fewer than two configurations"):
        first_groups([crystal(1)], [0.1], CUTOFF)
