"""Equations held against data: the true one agrees within noise, another does not, and files keep them."""

from dataclasses import replace

import numpy as np
import pytest

from mechlearn.equations import (
    Coefficient,
    ComparisonSettings,
    DiscoverySettings,
    Equation,
    Field,
    Term,
    burgers_field,
    compare_equations,
    discover_pde,
    known_equations,
    lorenz_trajectory,
    read_equations,
    write_equations,
)
from mechlearn.equations.search.comparison import simulation_errors
from mechlearn.errors import InputError


@pytest.fixture(scope="module")
def burgers():
    return burgers_field()


def noisy(field, share, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: u + share * np.nanstd(u) * rng.normal(size=u.shape) for name, u in field.values.items()}
    return replace(field, values=values)


def law(**terms):
    return [Equation(Term("u_t"), tuple(Coefficient(Term(name.replace("__", " ")), c) for name, c in terms.items()))]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_true_equation_agrees_within_noise(burgers, share):
    compared = compare_equations(known_equations("burgers"), noisy(burgers, share))
    assert compared.failure == ""
    assert compared.horizon is None
    assert compared.error < 1e-6 + 0.5 * share
    assert compared.residual_square < 1.3
    assert share == 0 or compared.residual_square > 0.7
    assert compared.residual_share < 1e-4 + 0.5 * share


def test_the_error_of_a_wrong_coefficient_grows_and_is_seen_where_it_acts(burgers):
    compared = compare_equations(law(u__u_x=-1.3, u_xx=0.1), noisy(burgers, 0.05))
    assert 0 < compared.horizon < 2
    assert compared.error > 0.2
    assert compared.residual_square > 10
    windows = np.abs(compared.residual.values["u"])
    far = np.abs(compared.residual.coordinates["x"][:, None] - 0.4 * compared.residual.coordinates["t"] + 1) > 5
    assert windows[far].max() < 5 < windows[~far].max()


def test_residuals_have_unit_deviation(burgers):
    """Over draws of noise, for the true equation."""
    squares = [
        compare_equations(known_equations("burgers"), noisy(burgers, 0.2, seed), ComparisonSettings(rows=100))
        for seed in range(3)
    ]
    assert np.mean([one.residual_square for one in squares]) == pytest.approx(1.0, abs=0.15)


def test_errors_are_those_of_the_definition(burgers):
    """Of a field that is off by a tenth of its deviation everywhere; noise of the data is taken off."""
    u = burgers.values["u"]
    off = replace(burgers, values={"u": u + 0.1 * u.std()})
    assert simulation_errors(off, burgers, [0.0], 0.1) == pytest.approx(np.full(101, 0.1))
    blurred = noisy(burgers, 0.2)
    assert simulation_errors(off, blurred, [0.2 * u.std()], 0.1) == pytest.approx(np.full(101, 0.1), abs=0.06)


def test_chaos_has_a_horizon():
    field = lorenz_trajectory(2000, 10.0)
    exact = compare_equations(known_equations("lorenz"), field)
    assert exact.horizon is None
    first, *others = known_equations("lorenz")
    other = replace(first, coefficients=tuple(replace(c, value=c.value * 1.001) for c in first.coefficients))
    assert 1 < compare_equations([other, *others], field).horizon < 9


def test_what_cannot_be_simulated_has_residuals_all_the_same(burgers):
    compared = compare_equations(law(u_xx=-0.1), burgers)
    assert compared.simulation is None
    assert "by the term -0.1 u_xx" in compared.failure
    assert compared.horizon == 0.0
    assert np.isnan(compared.error)
    assert compared.residual_share > 0.5
    assert compared.to_dict()["error"] is None
    assert compared.to_dict()["errors"] == [None] * 101


def test_an_equation_that_ends_early_has_a_horizon_to_there():
    t = np.linspace(0, 1, 60)
    field = Field({"u": 1 + t}, {"t": t})
    compared = compare_equations(law(**{"u^2": 3.0}), field)
    assert "t = 0.3" in compared.failure
    assert compared.horizon < 0.34
    assert np.isnan(compared.errors[-1])


def test_gaps_are_stepped_over(burgers):
    values = burgers.values["u"].copy()
    values[100:110, 40:60] = np.nan
    compared = compare_equations(known_equations("burgers"), replace(burgers, values={"u": values}))
    assert compared.horizon is None
    assert np.isnan(compared.residual.values["u"]).any()
    assert np.isfinite(compared.errors).all()


def test_too_few_data_for_windows_are_simulated_only():
    t = np.linspace(0, 2, 12)
    compared = compare_equations(law(u=-1.0), Field({"u": np.exp(-t)}, {"t": t}))
    assert compared.residual is None
    assert compared.error < 1e-6


def test_files_keep_equations_with_their_units(tmp_path, burgers):
    field = replace(burgers, units={"u": "m/s", "x": "m", "t": "s"})
    found = discover_pde(field, DiscoverySettings(degree=2, derivative_order=2))
    write_equations(tmp_path / "a.json", found.equations, {"noise": list(found.noise)})
    (again,) = read_equations(tmp_path / "a.json")
    assert str(again) == str(found.equations[0])
    assert again.coefficient_units() == found.equations[0].coefficient_units() == ("1", "m^2/s")
    assert [c.low for c in again.coefficients] == [c.low for c in found.equations[0].coefficients]


def test_files_without_equations_are_refused(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="there is no file"):
        read_equations(path)
    for text, said in (
        ("[1]", "has no list 'equations'"),
        ("{}", "has no list 'equations'"),
        ('{"equations": [{"lhs": "u_t"}]}', r"equations\[0\]: .*it needs lhs and terms"),
        ('{"equations": [3]}', r"equations\[0\]"),
        ("no", "is no file of JSON"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_equations(path)
