"""Known equations come back from fields and trajectories, with noise and gaps."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mechlearn.equations import DiscoverySettings, Field, SparseSettings, discover_ode, discover_pde, read_field
from mechlearn.errors import InputError

QUICK = SparseSettings(resamples=20)


@pytest.fixture(scope="module")
def heat():
    """u_t = 0.3 u_xx − 0.5 u_x, in closed form: waves that decay and move."""
    x, t = np.linspace(0, 12, 120), np.linspace(0, 3, 80)
    waves = [(1.0, 0.9, 0.2), (0.7, 1.7, 1.0), (0.6, 2.3, 2.0)]
    u = sum(a * np.exp(-0.3 * k * k * t) * np.sin(k * (x[:, None] - 0.5 * t) + p) for a, k, p in waves)
    return Field({"u": u}, {"x": x, "t": t}, {"u": "K", "x": "m", "t": "s"})


def noisy(field, share, seed):
    rng = np.random.default_rng(seed)
    return Field(
        {name: u + share * np.nanstd(u) * rng.normal(size=u.shape) for name, u in field.values.items()},
        field.coordinates,
        field.units,
    )


def terms(discovery, equation=0):
    return {c.term.name: c.value for c in discovery.equations[equation].coefficients}


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_heat_equation(heat, share):
    found = discover_pde(noisy(heat, share, 0), DiscoverySettings(degree=2, derivative_order=3, regression=QUICK))
    assert terms(found) == pytest.approx({"u_x": -0.5, "u_xx": 0.3}, rel=0.05)
    assert found.equations[0].coefficient_units() == ("m/s", "m^2/s")
    assert found.noise[0] == pytest.approx(max(share, 1e-3), rel=0.1)
    for coefficient in found.equations[0].coefficients:
        assert coefficient.low <= coefficient.value <= coefficient.high


def test_weak_form_goes_on_over_gaps_where_the_strong_form_refuses(heat):
    values = noisy(heat, 0.02, 0).values["u"].copy()
    values[60:62, 40:42] = np.nan
    holed = Field({"u": values}, heat.coordinates)
    weak = discover_pde(holed, DiscoverySettings(degree=2, derivative_order=2, regression=QUICK))
    assert terms(weak) == pytest.approx({"u_x": -0.5, "u_xx": 0.3}, rel=0.05)
    with pytest.raises(InputError, match="u is not a number at 4 of 9600 points, first at x ="):
        discover_pde(holed, DiscoverySettings(form="strong"))


def test_strong_form_on_clean_data(heat):
    pytest.importorskip("pysindy")
    settings = DiscoverySettings(degree=2, derivative_order=2, form="strong", regression=QUICK)
    assert terms(discover_pde(heat, settings)) == pytest.approx({"u_x": -0.5, "u_xx": 0.3}, rel=1e-2)


def test_lorenz():
    t = np.linspace(0, 10, 2000)

    def lorenz(_, x):
        return [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]

    path = solve_ivp(lorenz, (0, 10), [-8, 8, 27], t_eval=t, rtol=1e-10, atol=1e-10).y
    field = noisy(Field(dict(zip("xyz", path, strict=True)), {"t": t}), 0.01, 0)
    found = discover_ode(field, DiscoverySettings(degree=2, rows=200, regression=QUICK))
    assert terms(found, 0) == pytest.approx({"x": -10, "y": 10}, rel=0.02)
    assert terms(found, 1) == pytest.approx({"x": 28, "y": -1, "x z": -1}, rel=0.05)
    assert terms(found, 2) == pytest.approx({"z": -8 / 3, "x y": 1}, rel=0.02)


def test_an_ode_has_time_alone(heat):
    with pytest.raises(InputError, match="use discover_pde"):
        discover_ode(heat)


def test_same_seed_same_answer(heat):
    settings = DiscoverySettings(degree=2, derivative_order=2, regression=QUICK)
    first, second = (discover_pde(noisy(heat, 0.1, 1), settings).to_dict() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("name", "truth"), [("burgers", {"u u_x": -1.0, "u_xx": 0.1}), ("kdv", {"u u_x": -6.0, "u_xxx": -1.0})]
)
def test_published_fields_at_20_percent_noise(name, truth):
    path = Path(os.environ.get("MECHLEARN_DATA", "")) / "equations" / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"MECHLEARN_DATA has no equations/{name}.mat")
    found = discover_pde(noisy(read_field(path), 0.2, 0), DiscoverySettings(regression=QUICK))
    assert terms(found) == pytest.approx(truth, rel=0.05)
