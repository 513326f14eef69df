"""Quantities turn as their kinds say, and groups hold what they should."""

import numpy as np
import pytest

from mechlearn.equations.symmetry.groups import symmetry_group, symmetry_groups, turn
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.errors import InputError

KINDS = ["scalar", "pseudoscalar", "vector", "axial vector", "tensor", "symmetric tensor", "antisymmetric tensor"]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def values(quantity, rng):
    return quantity.tensors(rng.normal(size=(4, len(quantity.indices))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_after_a_turn_is_the_turn_of_both(kind, rng):
    quantity = Quantity("q", kind)
    first, second = symmetry_group("isotropic").random_elements(2, rng)
    joint = quantity.representation(first @ second)
    np.testing.assert_allclose(quantity.representation(first) @ quantity.representation(second), joint, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_infinitesimal_turns_are_the_slopes_of_small_ones(kind):
    quantity, angle = Quantity("q", kind), 1e-6
    for axis, rotation in enumerate(symmetry_group("rotations").rotations):
        slope = (quantity.representation(turn(axis, angle)) - quantity.representation(turn(axis, -angle))) / (2 * angle)
        np.testing.assert_allclose(quantity.derivative(rotation), slope, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_components_and_tensors_are_one_value(kind, rng):
    quantity = Quantity("q", kind)
    full = values(quantity, rng)
    components = quantity.components(full)
    np.testing.assert_allclose(quantity.tensors(components), full)
    np.testing.assert_allclose(components**2 @ quantity.metric, np.sum(full.reshape(4, -1) ** 2, axis=1))


def test_tensors_turn_by_sandwich_and_torques_as_axial_vectors(rng):
    mirror = symmetry_group("isotropic").random_elements(20, rng)
    mirror = mirror[np.linalg.det(mirror) < 0][0]
    stress, torque, force = (Quantity("q", kind) for kind in ("symmetric tensor", "axial vector", "vector"))
    full = values(stress, rng)
    turned = stress.components(full) @ stress.representation(mirror).T
    np.testing.assert_allclose(stress.tensors(turned), mirror @ full @ mirror.T, atol=1e-12)
    arm, push = rng.normal(size=(2, 5, 3))
    moved = np.cross(arm @ mirror.T, push @ mirror.T)
    np.testing.assert_allclose(moved, np.cross(arm, push) @ torque.representation(mirror).T, atol=1e-12)
    assert not np.allclose(moved, np.cross(arm, push) @ force.representation(mirror).T)


@pytest.mark.parametrize("dimension", [2, 3])
def test_groups_contain_the_elements_of_their_subgroups(dimension, rng):
    orders = {
        "cubic": 48,
        "cubic rotations": 24,
        "hexagonal": 24 if dimension == 3 else 12,
        "trigonal": 12,
        "square": 8,
    }
    for group in symmetry_groups(dimension):
        if group.name in orders:
            assert len(group.closure()) == orders[group.name]
        elements = group.random_elements(30, rng)
        np.testing.assert_allclose(
            elements @ elements.swapaxes(1, 2), np.tile(np.eye(dimension), (30, 1, 1)), atol=1e-12
        )
        for other in symmetry_groups(dimension):
            if not other.rotations and not group.rotations:
                inside = all(
                    np.isclose(element, group.closure(), atol=1e-9).all(axis=(1, 2)).any()
                    for element in other.closure()
                )
                assert group.contains(other) == inside


def test_averages_over_groups_are_exact(rng):
    # ⟨χ_v(g)²⟩ counts invariant bilinear forms: 1 for isotropic and cubic, 2 about an axis, 3 orthotropic, 9 without.
    for name, count in {"isotropic": 1, "rotations": 1, "cubic": 1, "transversely isotropic": 2, "hexagonal": 2,
                        "orthotropic": 3, "monoclinic": 5, "none": 9}.items():  # fmt: skip
        elements, weights = symmetry_group(name).quadrature(2)
        assert weights @ np.trace(elements, axis1=1, axis2=2) ** 2 == pytest.approx(count)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantity("q", "spinor"), "said to be a 'spinor'"),
        (lambda: Quantity("q", "vector", dimension=4), "has 4 dimensions"),
        (lambda: Quantity("q", "axial vector", dimension=2), "call it a pseudoscalar"),
        (lambda: symmetry_group("icosahedral"), "there is no 'icosahedral'"),
        (lambda: Quantity("q", "vector").representation(np.eye(2)), "a group in 2 dimensions does not act on a vector"),
        (lambda: Quantity("q", "symmetric tensor").components(np.ones((4, 5))), "has 6 components or the shape"),
        (
            lambda: Quantity("q", "symmetric tensor").components(np.triu(np.ones((1, 3, 3)))),
            "differ by 1 from a symmetric tensor",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
