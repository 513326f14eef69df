"""Slip systems are those of crystallography, and the point group moves them as rotations do."""

import numpy as np
import pytest

from mechlearn.crystals.slip import FAMILIES, slip_systems
from mechlearn.errors import InputError

#: How many systems the textbooks count in each family.
COUNTS = {
    "fcc": {"octahedral": 12, "cube": 6, "twin": 12},
    "bcc": {"110": 12, "112": 12, "123": 24, "twin": 12},
    "hcp": {
        "basal a": 3,
        "prismatic a": 3,
        "prismatic c": 3,
        "prismatic c+a": 6,
        "pyramidal I a": 6,
        "pyramidal I c+a": 12,
        "pyramidal II c+a": 6,
        "tension twin": 6,
        "tension twin II": 6,
        "compression twin": 6,
        "compression twin I": 6,
    },
}


def everything(lattice, c_over_a=1.6):
    return slip_systems(lattice, tuple(FAMILIES[lattice]), c_over_a)


def rotations(systems):
    """The point group's elements as matrices on Cartesian vectors, found from what they do to directions."""
    moved = np.einsum("gij,sj->gsi", systems.point_group, systems.directions)
    if systems.lattice == "hcp":
        basal, axis = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [-0.5, -np.sqrt(3) / 2, 0]]), [0, 0, 1.6]
        frame = np.vstack([basal, axis])
    else:
        frame = np.eye(3)
    before, after = systems.directions @ frame, moved @ frame
    return np.array([np.linalg.lstsq(before, image, rcond=None)[0].T for image in after])


@pytest.mark.parametrize("lattice", COUNTS)
def test_families_have_the_number_of_systems_that_textbooks_count(lattice):
    systems = everything(lattice)
    assert dict(zip(systems.families, np.bincount(systems.family).tolist(), strict=True)) == COUNTS[lattice]


def test_the_hcp_crystal_has_39_slip_systems():
    systems = slip_systems("hcp")
    assert len(systems) == 39
    assert not systems.one_way.any()


@pytest.mark.parametrize("lattice", COUNTS)
@pytest.mark.parametrize("c_over_a", [1.57, 1.6, 1.9])
def test_directions_lie_in_planes_and_no_system_comes_twice(lattice, c_over_a):
    systems = everything(lattice, c_over_a)
    assert np.abs(np.einsum("si,si->s", systems.normals, systems.vectors)).max() < 1e-14
    assert np.abs(np.linalg.norm(systems.normals, axis=1) - 1).max() < 1e-14
    slip = systems.schmid_tensors[~systems.one_way].reshape(-1, 9)
    alike = np.abs(slip @ slip.T)
    assert np.all(alike - np.eye(len(slip)) < 1 - 1e-9)


@pytest.mark.parametrize("lattice", COUNTS)
def test_the_point_group_acts_on_schmid_tensors_as_orthogonal_matrices_do(lattice):
    systems = everything(lattice)
    matrices = rotations(systems)
    assert np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert len({tuple(matrix.round(6).ravel() + 0.0) for matrix in matrices}) == {"hcp": 24}.get(lattice, 48)
    images, signs = systems.action()
    turned = np.einsum("gij,sjk,glk->gsil", matrices, systems.schmid_tensors, matrices)
    assert np.abs(turned - signs[..., None, None] * systems.schmid_tensors[images]).max() < 1e-12
    assert np.all(signs[:, systems.one_way] == 1)


def test_hexagonal_angles_follow_the_ratio_of_axes():
    systems = slip_systems("hcp", ["pyramidal I a", "pyramidal II c+a"], c_over_a=1.624)
    first, second = systems.normals[systems.family == 0], systems.normals[systems.family == 1]
    # The inclination of {10-11} to the basal plane is atan(2c/√3a), that of {11-22} is atan(c/a).
    assert np.tan(np.arccos(first[:, 2])) == pytest.approx(2 / np.sqrt(3) * 1.624)
    assert np.tan(np.arccos(second[:, 2])) == pytest.approx(1.624)


def primitive_cell(lattice, c_over_a):
    """Primitive lattice vectors as columns."""
    if lattice == "hcp":
        return np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, c_over_a]]).T
    return (np.ones((3, 3)) - np.eye(3)) / 2 if lattice == "fcc" else np.ones((3, 3)) / 2 - np.eye(3)


@pytest.mark.parametrize(
    ("lattice", "family", "shear"),
    [
        ("fcc", "twin", lambda r: 1 / np.sqrt(2)),
        ("bcc", "twin", lambda r: 1 / np.sqrt(2)),
        ("hcp", "tension twin", lambda r: abs(3 - r**2) / (np.sqrt(3) * r)),
        ("hcp", "tension twin II", lambda r: 1 / r),
        ("hcp", "compression twin", lambda r: 2 * (r**2 - 2) / (3 * r)),
        ("hcp", "compression twin I", lambda r: (4 * r**2 - 9) / (4 * np.sqrt(3) * r)),
    ],
)
@pytest.mark.parametrize("c_over_a", [1.586, 1.624, 1.856])
def test_twins_shear_the_lattice_into_its_mirror_image_in_their_sense_only(lattice, family, shear, c_over_a):
    """F = 1 + s b⊗n, mirrored in the plane, maps cubic lattices onto themselves, hexagonal ones' sublattices."""
    systems = slip_systems(lattice, [family], c_over_a)
    cell = primitive_cell(lattice, c_over_a)

    def misfit(normal, vector):
        mirror = np.eye(3) - 2 * np.outer(normal, normal)
        moved = mirror @ (np.eye(3) + shear(c_over_a) * np.outer(vector, normal)) @ cell
        coordinates = (12 if lattice == "hcp" else 1) * np.linalg.solve(cell, moved)
        return np.abs(coordinates - coordinates.round()).max()

    for normal, vector in zip(systems.normals, systems.vectors, strict=True):
        assert misfit(normal, vector) < 1e-9
        assert misfit(normal, -vector) > 1e-3


def test_slip_and_twinning_on_the_same_planes_are_two_families():
    systems = slip_systems("bcc", ["112", "twin"])
    images, _ = systems.action()
    assert np.all(systems.family[images] == systems.family)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sc",), "no lattice 'sc' is known; give one of fcc, bcc, hcp"),
        (("fcc", ["basal a"]), "fcc has no family 'basal a'; choose from octahedral, cube, twin"),
        (("fcc", ["cube", "cube"]), "named twice"),
        (("hcp", [], -1.6), "c/a is -1.6; give a positive ratio"),
        (("hcp", [], float("nan")), "c/a is nan"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        slip_systems(*arguments)
