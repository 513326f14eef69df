"""Orbits of index tuples count what projections and characters count, and carry the tensors with the symmetry."""

import numpy as np
import pytest

from mechlearn.crystals.interactions import (
    FCC_INTERACTIONS,
    fcc_interaction_names,
    independent_entries,
    interaction_orbits,
    symmetry_projector,
)
from mechlearn.crystals.slip import slip_systems
from mechlearn.errors import InputError

KINDS = [
    (2, (), ()),
    (2, (0, 1), ()),
    (2, (), (1,)),
    (2, (0, 1), (0, 1)),
    (3, (), ()),
    (3, (1, 2), ()),
    (3, (1, 2), (1, 2)),
    (3, (), (0, 2)),
]


def crystal(name):
    lattice, _, families = name.partition(": ")
    return slip_systems(lattice, families.split(", ") if families else ())


CRYSTALS = ["fcc", "bcc: 110", "bcc: twin", "hcp: basal a, pyramidal II c+a, tension twin"]


def turned(tensor, systems, image, sense, signed):
    """The tensor after a point operation: T_π(i)π(j)… = ± T_ij…."""
    signs = [sense if slot in signed else np.ones_like(sense) for slot in range(tensor.ndim)]
    result = np.empty_like(tensor)
    result[np.ix_(*[image] * tensor.ndim)] = tensor * np.prod(np.array(np.meshgrid(*signs, indexing="ij")), axis=0)
    return result


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize(("order", "symmetric", "signed"), KINDS)
def test_orbits_characters_and_projection_count_the_same(name, order, symmetric, signed):
    systems = crystal(name)
    orbits = interaction_orbits(systems, order, symmetric, signed)
    assert len(orbits) == independent_entries(systems, order, symmetric, signed)
    projector = symmetry_projector(systems, order, symmetric, signed)
    assert projector.trace() == pytest.approx(len(orbits))
    tensor = np.random.default_rng(0).normal(size=(len(systems),) * order)
    projected = (projector @ tensor.ravel()).reshape(tensor.shape)
    assert np.abs(projected - orbits.expand(orbits.mean(tensor))).max() < 1e-13


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize(("order", "symmetric", "signed"), KINDS)
def test_tensors_written_from_independent_entries_have_the_symmetry(name, order, symmetric, signed):
    systems = crystal(name)
    orbits = interaction_orbits(systems, order, symmetric, signed)
    values = np.random.default_rng(1).normal(size=len(orbits))
    tensor = orbits.expand(values)
    for image, sense in zip(*systems.action(), strict=True):
        assert np.array_equal(turned(tensor, systems, image, sense, signed), tensor)
    if symmetric:
        assert np.array_equal(np.swapaxes(tensor, *symmetric), tensor)
    assert np.allclose(orbits.mean(tensor), values)
    assert tensor[tuple(orbits.representatives.T)] == pytest.approx(values)


def test_fcc_hardening_matrix_is_the_null_space_of_dimension_seven():
    """Without permutations: H is free where (R ⊗ R) H = H for rotations acting on Schmid tensors."""
    systems = slip_systems("fcc")
    tensors = systems.schmid_tensors.reshape(12, 9)
    conditions = []
    for matrix in systems.point_group:
        overlap = np.kron(matrix, matrix) @ tensors.T
        moved = np.abs(tensors @ overlap).T > 1 - 1e-9
        conditions.append(np.kron(moved, moved) - np.eye(144))
    assert 144 - np.linalg.matrix_rank(np.vstack(conditions)) == 7


def test_fcc_coefficients_are_those_of_the_field():
    systems = slip_systems("fcc")
    orbits = interaction_orbits(systems, 2)
    sizes = dict(zip(fcc_interaction_names(systems, orbits), orbits.sizes.tolist(), strict=True))
    # Each system has 1 self, 2 coplanar, 1 collinear, 2 Hirth, 2 + 2 glissile and 2 Lomer partners.
    expected = (1, 2, 1, 2, 2, 2, 2)
    assert sizes == {name: 12 * partners for name, partners in zip(FCC_INTERACTIONS, expected, strict=True)}


def test_the_two_glissile_classes_are_each_other_s_transpose():
    systems = slip_systems("fcc")
    orbits = interaction_orbits(systems, 2)
    names = fcc_interaction_names(systems, orbits)
    i, j = (names.index(f"glissile, junction in the plane of {which}") for which in "ij")
    assert np.array_equal(orbits.labels == i, (orbits.labels == j).T)
    symmetric = interaction_orbits(systems, 2, symmetric=(0, 1))
    assert len(symmetric) == 6
    assert len(np.unique(symmetric.labels[(orbits.labels == i) | (orbits.labels == j)])) == 1


def test_hcp_with_39_systems():
    systems = slip_systems("hcp")
    assert len(interaction_orbits(systems, 2)) == 152
    assert len(interaction_orbits(systems, 3)) == independent_entries(systems, 3) == 5121
    assert len(interaction_orbits(systems, 3, symmetric=(1, 2))) == 2697
    assert symmetry_projector(systems, 3).trace() == pytest.approx(5121)


def test_entries_are_those_that_are_not_zero():
    systems = slip_systems("hcp", ["basal a", "prismatic a"])
    orbits = interaction_orbits(systems, 3, signed=(1, 2))
    values = np.where(np.arange(len(orbits)) % 5 == 0, 1.5, 0.0)
    indices, entries = orbits.entries(values)
    tensor = np.zeros((6, 6, 6))
    tensor[tuple(indices.T)] = entries
    assert np.array_equal(tensor, orbits.expand(values))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "give an order of 1 or more"),
        ((2, (0, 2)), "there is no index 2; count them from 0 to 1"),
        ((3, (1, 2), (1,)), "some are signed; give all or none"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        interaction_orbits(slip_systems("fcc"), *arguments)


def test_only_fcc_pairs_have_names():
    systems = slip_systems("bcc")
    with pytest.raises(InputError, match="these are 2 indices of bcc's 110, 112"):
        fcc_interaction_names(systems, interaction_orbits(systems, 2))
