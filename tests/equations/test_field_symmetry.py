"""The spatial symmetry of noisy fields is found, no larger and no smaller than it is, and the law within it."""

import json

import numpy as np
import pytest

from mechlearn.equations import DiscoverySettings, Field, Quantity, SparseSettings, SymmetrySettings, symmetry_group
from mechlearn.equations.examples.example_pdes import EXAMPLE_PDES, example_pde_equations, example_pde_field
from mechlearn.equations.motion.simulation import SimulationSettings, simulate
from mechlearn.equations.search.library import candidates
from mechlearn.equations.search.weak import Windows, weak_rows
from mechlearn.equations.search.weak_noise import NoisyTerms
from mechlearn.equations.symmetry.field_library import FieldQuantities
from mechlearn.equations.symmetry.field_symmetry import discover_pde_symmetry
from mechlearn.errors import InputError

U, V = Quantity("u", "scalar", dimension=2), Quantity("v", "vector", dimension=2)
QUICK = SymmetrySettings(resamples=12)


def settings(degree=2, order=2, rows=100, **more):
    return DiscoverySettings(
        degree=degree, derivative_order=order, rows=rows, regression=SparseSettings(resamples=20), **more
    )


def discover(name, field, degree=None, **more):
    example = EXAMPLE_PDES[name]
    own = settings(degree or example.degree, example.derivative_order)
    return discover_pde_symmetry(field, [example.quantity], settings=own, symmetry=QUICK, **more)


def declared(quantities, degree, order, axes="xyt"):
    names = [label.replace("_", "") for quantity in quantities for label in quantity.labels]
    grid = np.arange(2.0 ** len(axes)).reshape((2,) * len(axes))
    field = Field(dict.fromkeys(names, grid), {axis: np.arange(2.0) for axis in axes}, {"x": "m", "y": "m", "t": "s"})
    return FieldQuantities.declared(field, quantities, degree, order)


def components(own, term):
    """The terms of the equation of every field that a term brings, by name."""
    return [
        {each.term.name: each.value for each in equation.coefficients} for equation in own.equations(term.coefficients)
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Δv", [{"vx_xx": 1, "vx_yy": 1}, {"vy_xx": 1, "vy_yy": 1}]),
        ("∇(∇·v)", [{"vx_xx": 1, "vy_xy": 1}, {"vx_xy": 1, "vy_yy": 1}]),
        ("∇·(v ⊗ v)", [{"vx vx_x": 2, "(vx*vy)_y": 1}, {"(vx*vy)_x": 1, "vy vy_y": 2}]),
        ("∇|v|²", [{"vx vx_x": 2, "vy vy_x": 2}, {"vx vx_y": 2, "vy vy_y": 2}]),
        ("Δ(J v)", [{"vy_xx": -1, "vy_yy": -1}, {"vx_xx": 1, "vx_yy": 1}]),
    ],
)
@pytest.mark.parametrize("axes", ["xyt", "tyx"])
def test_terms_are_the_operators_that_they_are_called(name, expected, axes):
    own = declared([V], 2, 2, axes)
    terms = {term.term.name: term for term in own.library(symmetry_group("rotations", 2)).terms}

    def sorted_axes(found):
        return [{key.replace("yx", "xy"): value for key, value in one.items()} for one in found]

    assert sorted_axes(components(own, terms[name])) == expected


def test_libraries_are_complete_and_have_units():
    own = declared([U], 2, 4)
    count = {name: len(own.library(symmetry_group(name, 2))) for name in ("isotropic", "square", "orthotropic", "none")}
    # In ∂ alone: 1, |∂|², |∂|⁴ and with fourfold axes one more of degree four; times u and u²; and the constant.
    assert count == {"isotropic": 1 + 2 * 3, "square": 1 + 2 * 4, "orthotropic": 1 + 2 * 6, "none": 1 + 2 * 15}
    units = {
        term.term.name: term.term.unit
        for term in declared([Quantity("u", "scalar", "K", 2)], 2, 4).library(symmetry_group("isotropic", 2)).terms
    }
    assert units["Δ²(u²)"] == "K^2/m^4"


def test_noise_of_stacked_equations_is_that_of_many_draws():
    """Σ of u_t − (u v)_x + 0.2 v_xx beside v_t − u_x against draws of noise on constant fields, where it is exact."""
    rng, sigma, windows = np.random.default_rng(0), (0.1, 0.05), Windows((12, 12), (12, 12))
    x, t = np.linspace(-3, 3, 50), np.linspace(0, 2, 40)
    flat = {"u": np.full((50, 40), 0.8), "v": np.full((50, 40), -0.5)}
    library = candidates(Field(flat, {"x": x, "t": t}), 2, 2)
    at = {(one.powers, one.derivatives): place for place, one in enumerate(library)}

    first, second = np.zeros((2, len(library), 2))
    first[at[(1, 1), (1, 0)], 0], first[at[(0, 1), (2, 0)], 0] = 1.0, -0.2
    second[at[(1, 0), (1, 0)], 1] = 1.0
    draws = []
    for _ in range(200):
        noisy = {name: u + s * rng.normal(size=u.shape) for (name, u), s in zip(flat.items(), sigma, strict=True)}
        rows = weak_rows(Field(noisy, {"x": x, "t": t}), library, windows, sigma)
        draws.append((rows.targets - np.stack([(rows.columns @ one).sum(axis=1) for one in (first, second)], axis=1)).T)
    field = Field(flat, {"x": x, "t": t})
    rows = weak_rows(field, library, windows, sigma)
    equations = [NoisyTerms.of_rows(rows, library, number, windows, field.steps(), sigma, 1) for number in (0, 1)]
    still = NoisyTerms.stacked(equations).combined(np.concatenate([first, second]))
    v = np.array([-1.0, -1.0, 1.0])
    predicted, measured = still.covariance(v), np.cov(np.array(draws).reshape(200, -1).T)
    deviation = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    half = len(predicted) // 2
    assert np.abs(predicted[:half, half:] / deviation[:half, half:]).max() > 0.1  # the equations share their noise
    assert np.abs((measured - predicted) / deviation).max() < 5 / np.sqrt(200)


@pytest.mark.parametrize("name", ["diffusion", "crystal surface", "orthotropic diffusion", "momentum", "odd medium"])
def test_the_group_and_the_law_are_found(name):
    example, field = EXAMPLE_PDES[name], example_pde_field(name, np.random.default_rng(1))
    found = discover(name, field)
    assert found.group == example.group
    law = {each.term.name: each for each in found.laws[0].coefficients}
    assert set(law) == set(example.law)
    for term, value in example.law.items():
        assert law[term].value == pytest.approx(value, rel=0.1)
    for equation, truth in zip(found.equations, example_pde_equations(name), strict=True):
        values = {each.term.name: each.value for each in truth.coefficients}
        assert {each.term.name for each in equation.coefficients} == set(values)
        for each in equation.coefficients:
            assert each.low <= each.value <= each.high
            assert each.value == pytest.approx(values[each.term.name], rel=0.15)


def test_a_cubic_crystal_in_space():
    groups = [symmetry_group(name) for name in ("isotropic", "cubic", "tetragonal", "none")]
    found = discover("cubic crystal", example_pde_field("cubic crystal", np.random.default_rng(0)), groups=groups)
    assert found.group == "cubic"
    assert {each.term.name for each in found.laws[0].coefficients} == set(EXAMPLE_PDES["cubic crystal"].law)


def turned(field):
    """The data a quarter turn on: u′(x, y) = u(y, −x), v′ = (−v_y, v_x)."""
    moved = {name: np.rot90(values, axes=(0, 1)) for name, values in field.values.items()}
    if "vx" in moved:
        moved = {"vx": -moved["vy"], "vy": moved["vx"]}
    return Field(moved, field.coordinates)


def test_turned_data_have_the_same_law():
    field = example_pde_field("elastic crystal", np.random.default_rng(2))
    found, after = (discover("elastic crystal", one, degree=1) for one in (field, turned(field)))
    assert after.group == found.group == "square"
    values = [{each.term.name: each.value for each in one.laws[0].coefficients} for one in (found, after)]
    assert values[1] == pytest.approx(values[0], rel=0.02)
    assert values[0] == pytest.approx(dict(EXAMPLE_PDES["elastic crystal"].law), rel=0.05)


def test_stretched_and_sheared_data_are_not_called_isotropic():
    field = example_pde_field("diffusion", np.random.default_rng(3))
    u, coordinates = field.values["u"], dict(field.coordinates)
    stretched = Field({"u": u}, coordinates | {"x": 1.15 * coordinates["x"]})
    assert discover("diffusion", stretched, degree=1).group == "orthotropic"
    rows = np.arange(u.shape[0])
    sheared = Field({"u": np.stack([u[(rows + shift) % len(rows), shift] for shift in rows], axis=1)}, coordinates)
    found = discover("diffusion", sheared, degree=1)  # x′ = x − y: u_x′x′ twice, and −2 u_x′y′
    assert found.group == "inversion"
    law = {each.term.name: each.value for each in found.laws[0].coefficients}
    assert law == pytest.approx({"u_xx": 0.2, "u_xy": -0.2, "u_yy": 0.1}, rel=0.1)


def test_a_turned_crystal_is_square_in_its_own_axes_only():
    angle = np.pi / 8
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    own = declared([U], 2, 4)
    straight, tilted = (own.library(symmetry_group("square", 2), orientation) for orientation in (None, axes))
    law = {"Δu": 0.05, "(u_xxxx + u_yyyy)": -0.004}
    values = np.array([law.get(term.term.name, 0.0) for term in straight.terms])
    start = example_pde_field("crystal surface", np.random.default_rng(4), noise=0.0)
    first = Field({"u": start.values["u"][..., :1]}, start.coordinates | {"t": start.coordinates["t"][:1]})
    law_of_fields = own.equations(np.tensordot(values, tilted.coefficients(), axes=1))
    clean = simulate(law_of_fields, first, start.coordinates["t"], SimulationSettings(boundary="periodic", noise=0.0))
    u = clean.values["u"]
    field = Field({"u": u + 0.05 * u.std() * np.random.default_rng(4).normal(size=u.shape)}, clean.coordinates)
    assert discover("crystal surface", field, degree=1, orientation=axes).group == "square"
    assert discover("crystal surface", field, degree=1).group == "inversion"


def test_same_seed_same_answer_and_it_is_json():
    field = example_pde_field("elastic medium", np.random.default_rng(5))
    first, second = (discover("elastic medium", field, degree=1).to_dict() for _ in range(2))
    assert first == second
    written = json.loads(json.dumps(first))
    assert written["group"] == "isotropic"
    assert [equation["lhs"] for equation in written["equations"]] == ["vx_t", "vy_t"]
    assert written["laws"][0]["lhs"] == "v_t"
    rows = {row["group"]: row for row in written["evidence"]}
    assert rows["isotropic"]["alike"] == ["hexagonal"]  # six axes are seen from fourth derivatives of a vector on


@pytest.mark.parametrize(
    ("quantities", "more", "message"),
    [
        ([V], {}, "v, a vector, needs the fields vx, vy; vx is not among u"),
        ([Quantity("u", "scalar")], {}, "declared in 3 dimensions, the grid has 2"),
        ([], {}, "no quantity is declared"),
        ([U, U], {}, "two quantities share a field"),
        ([U], {"settings": settings(form="strong")}, "only the weak form"),
        (
            [U],
            {"settings": settings(windows=Windows((6, 6, 6), (9, 9, 9)))},
            "8 windows give 8 numbers",
        ),
        ([U], {"groups": []}, "no groups to choose from"),
        ([U], {"groups": [symmetry_group("cubic")]}, "in 3 dimensions does not act on"),
    ],
)
def test_bad_input_is_named(quantities, more, message):
    rng = np.random.default_rng(6)
    x, t = np.linspace(0, 1, 28), np.linspace(0, 1, 28)
    field = Field({"u": rng.normal(size=(28, 28, 28))}, {"x": x, "y": x, "t": t})
    with pytest.raises(InputError, match=message):
        discover_pde_symmetry(field, quantities, **more)


def test_data_without_noise_are_not_called_anisotropic_for_the_errors_of_sums():
    field = example_pde_field("diffusion", np.random.default_rng(7), noise=0.0)
    found = discover("diffusion", field, degree=1)
    assert found.group == "isotropic"
    assert {each.term.name: each.value for each in found.laws[0].coefficients} == pytest.approx({"Δu": 0.1}, rel=1e-3)


def test_a_line_has_no_directions():
    x = np.linspace(0, 1, 30)
    with pytest.raises(InputError, match="coordinates x, t; give fields over x, y and t"):
        discover_pde_symmetry(Field({"u": np.outer(x, x)}, {"x": x, "t": x}), [U])
