"""Libraries hold every term that a group allows (counted by characters), and none that it forbids."""

from itertools import product

import numpy as np
import pytest

from equations.quantity_cases import FIELD, LAWS, SPIN, STRAIN, STRESS, TENSOR, VECTOR, law_name
from mechlearn.equations.symmetry.equivariants import count_equivariants, equivariant_library
from mechlearn.equations.symmetry.groups import symmetry_group, turn
from mechlearn.equations.symmetry.quantities import Quantity
from mechlearn.errors import InputError


def random_inputs(inputs, rng, samples=5):
    return {quantity.name: rng.normal(size=(samples, len(quantity.indices))) for quantity in inputs}


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_terms_turn_with_the_inputs(law):
    inputs, output, group, degree = law
    library = equivariant_library(inputs, output, group, degree)
    rng = np.random.default_rng(1)
    for element in library.group.random_elements(5, rng):
        values = random_inputs(inputs, rng)
        turned = {one.name: values[one.name] @ one.representation(element).T for one in inputs}
        expected = library.evaluate(values) @ output.representation(element).T
        scale = np.abs(expected).max(axis=(0, 2), keepdims=True)
        assert (np.abs(library.evaluate(turned) - expected) <= 1e-10 * np.maximum(scale, 1)).all()


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_characters_count_the_terms_of_every_degree(law):
    inputs, output, group, degree = law
    library = equivariant_library(inputs, output, group, degree)
    found = [term.degrees for term in library.terms]
    for degrees in product(range(degree + 1), repeat=len(inputs)):
        if sum(degrees) <= degree:
            assert found.count(degrees) == count_equivariants(inputs, output, library.group, degrees)


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_terms_are_independent_and_named_apart(law):
    inputs, output, group, degree = law
    library = equivariant_library(inputs, output, group, degree)
    assert len(set(library.names)) == len(library)
    table = library.polynomial.coefficients.reshape(len(library), -1)
    assert np.linalg.matrix_rank(table / np.linalg.norm(table, axis=1, keepdims=True)) == len(library)


@pytest.mark.parametrize(
    ("group", "constants"),
    # Independent elastic constants without the symmetry C_ij = C_ji that an energy gives (Nye, §VIII).
    [
        ("isotropic", 2),
        ("cubic", 3),
        ("hexagonal", 6),
        ("transversely isotropic", 6),
        ("orthotropic", 12),
        ("none", 36),
    ],
)
def test_linear_elasticity_has_as_many_constants_as_textbooks_say(group, constants):
    library = equivariant_library([STRAIN], STRESS, group, 1)
    assert sum(term.degrees == (1,) for term in library.terms) == constants


def test_isotropic_laws_have_the_classical_representation():
    # Reiner–Rivlin: φ₀ I + φ₁ E + φ₂ E², φ polynomials in three invariants.
    names = equivariant_library([STRAIN], STRESS, "isotropic", 2).names
    assert set(names) == {"I", "E", "tr(E) I", "E²", "tr(E) E", "tr(E²) I", "tr(E)² I"}
    assert equivariant_library([VECTOR, FIELD], Quantity("F", "vector"), "isotropic", 2).names == ("v", "v × B")
    assert "(E W − W E)" in equivariant_library([STRAIN, SPIN], STRESS, "isotropic", 2).names


def test_named_terms_are_what_their_names_say():
    rng = np.random.default_rng(2)
    full = rng.normal(size=(6, 3, 3))
    library = equivariant_library([TENSOR], TENSOR, "isotropic", 2)
    values = TENSOR.tensors(library.evaluate({"T": full})[:, library.names.index("T Tᵀ")])
    np.testing.assert_allclose(values, full @ full.swapaxes(1, 2), atol=1e-12)
    strain = full + full.swapaxes(1, 2)
    cubic = equivariant_library([STRAIN], STRESS, "cubic", 2)
    values = STRESS.tensors(cubic.evaluate({"E": strain})[:, cubic.names.index("(E diag(E) + diag(E) E)")])
    diagonal = np.eye(3) * strain
    np.testing.assert_allclose(values, strain @ diagonal + diagonal @ strain, atol=1e-12)


def test_an_oriented_crystal_is_the_crystal_turned():
    rng = np.random.default_rng(3)
    axes = turn(0, 0.4) @ turn(2, 1.1)
    straight = equivariant_library([STRAIN], STRESS, "cubic", 2)
    oriented = equivariant_library([STRAIN], STRESS, "cubic", 2, orientation=axes)
    strain = rng.normal(size=(4, 6))
    in_crystal = strain @ STRAIN.representation(axes).T
    expected = straight.evaluate({"E": in_crystal}) @ STRESS.representation(axes.T).T
    np.testing.assert_allclose(oriented.evaluate({"E": strain}), expected, atol=1e-10)
    moved = axes.T @ turn(2, np.pi / 2) @ axes
    again = oriented.evaluate({"E": strain @ STRAIN.representation(moved).T})
    np.testing.assert_allclose(again, oriented.evaluate({"E": strain}) @ STRESS.representation(moved).T, atol=1e-9)


def test_columns_make_an_ordinary_regression():
    rng = np.random.default_rng(4)
    library = equivariant_library([STRAIN], STRESS, "isotropic", 2)
    strain, truth = rng.normal(size=(30, 6)), rng.normal(size=len(library))
    stress = np.einsum("t,stc->sc", truth, library.evaluate({"E": strain}))
    found = np.linalg.lstsq(library.columns({"E": strain}), library.target(stress), rcond=None)[0]
    np.testing.assert_allclose(found, truth, atol=1e-10)


def test_the_highest_degree_of_an_input_is_kept():
    library = equivariant_library([STRAIN, SPIN], STRESS, "isotropic", 3, highest={"W": 1})
    assert max(term.degrees[1] for term in library.terms) == 1


def test_terms_know_their_units():
    strain, rate = Quantity("E", "symmetric tensor", "1"), Quantity("D", "symmetric tensor", "1/s")
    library = equivariant_library([strain, rate], STRESS, "isotropic", 2)
    units = dict(zip(library.names, (term.unit for term in library.equation_terms()), strict=True))
    assert units["tr(D) D"] == "1/s^2"
    assert units["(E D + D E)"] == "1/s"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: equivariant_library([], STRESS, "cubic"), "there are no inputs"),
        (lambda: equivariant_library([STRAIN, STRAIN], STRESS, "cubic"), "names repeat"),
        (lambda: equivariant_library([Quantity("I", "tensor")], STRESS, "cubic"), "an input is called 'I'"),
        (
            lambda: equivariant_library([STRAIN], STRESS, symmetry_group("SO(2)", 2)),
            "rotations in 2 dimensions does not act on E, a symmetric tensor in 3",
        ),
        (
            lambda: equivariant_library([Quantity("u", "vector", dimension=2)], STRESS, "cubic"),
            "does not act on u, a vector in 2",
        ),
        (lambda: equivariant_library([STRAIN], STRESS, "cubic", orientation=np.ones((3, 3))), "perpendicular"),
        (lambda: equivariant_library([TENSOR], TENSOR, "cubic", 5), "lower the degree"),
        (lambda: equivariant_library([STRAIN], STRESS, "cubic").evaluate({}), "there are no values of E"),
        (
            lambda: equivariant_library([STRAIN, SPIN], STRESS, "cubic").evaluate(
                {"E": np.ones((3, 6)), "W": np.ones((4, 3))}
            ),
            "give as many of each",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
