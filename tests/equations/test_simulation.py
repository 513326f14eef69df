"""Simulations against closed forms, conservation, orders of convergence; what has no solution is refused."""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from mechlearn.equations import (
    Coefficient,
    Equation,
    Field,
    SimulationSettings,
    Term,
    burgers_field,
    kdv_field,
    known_equations,
    lorenz_trajectory,
    reaction_diffusion_field,
    read_field,
    simulate,
)
from mechlearn.equations.motion.domains import Measured, period_points
from mechlearn.equations.motion.simulation import follow
from mechlearn.equations.motion.spectral import phi_functions
from mechlearn.equations.search.library import candidate_of, candidates
from mechlearn.errors import InputError, WorkError

X = np.linspace(0, 2 * np.pi, 64, endpoint=False)
T = np.linspace(0, 2, 21)
COARSE = SimulationSettings(tolerance=1e-5)
ONE_STEP = SimulationSettings(tolerance=np.inf)


def equation(lhs, terms):
    return Equation(Term(lhs), tuple(Coefficient(Term(name), value) for name, value in terms.items()))


def noisy(field, share, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: u + share * np.nanstd(u) * rng.normal(size=u.shape) for name, u in field.values.items()}
    return replace(field, values=values)


@lru_cache
def burgers():
    return burgers_field()


def front(points=120, viscosity=0.1):
    """A front between u = 1 and u = 0 that travels with speed 1/2 under Burgers' equation, on a domain with ends."""
    x, t = np.linspace(-3, 4, points), np.linspace(0, 2, 41)
    u = 0.5 - 0.5 * np.tanh((x[:, None] - t / 2) / (4 * viscosity))
    return Field({"u": u}, {"x": x, "t": t}), [equation("u_t", {"u u_x": -1.0, "u_xx": viscosity})]


def largest_error(simulation, field):
    return max(float(np.nanmax(np.abs(simulation.values[name] - field.values[name]))) for name in field.names)


def test_names_of_terms_are_read_as_they_are_written():
    field = Field({"u": np.zeros((2, 2, 2)), "v2": np.zeros((2, 2, 2))}, dict.fromkeys("xyt", np.arange(2.0)))
    library = candidates(field, 3, 3)
    assert [candidate_of(one.term(field).name, field.names, field.axes) for one in library] == list(library)
    with pytest.raises(InputError, match="the term u v_x is no derivative of a product"):
        candidate_of("u v_x", ["u", "v"], ["x"])
    with pytest.raises(InputError, match="no field w among u, v"):
        candidate_of("u w", ["u", "v"], ["x"])
    with pytest.raises(InputError, match="no coordinate y among x, t"):
        candidate_of("u_yy", ["u"], ["x", "t"])
    with pytest.raises(InputError, match="cannot be read at"):
        candidate_of("sin(u)", ["u"], ["x"])


def test_phi_functions_are_those_of_the_matrix_exponential():
    """exp([[z, 1, 0], [0, 0, 1], [0, 0, 0]]) has φ_0, φ_1, φ_2 of the matrix z in its first row."""
    rng = np.random.default_rng(0)
    for size in (1e-9, 0.1, 3.0, 40.0):
        z = size * (rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))
        z -= max(0.0, np.linalg.eigvals(z).real.max()) * np.eye(2)
        whole = np.block([[z, np.eye(2), np.zeros((2, 2))], [np.zeros((2, 4)), np.eye(2)], [np.zeros((2, 6))]])
        expected = expm(whole)[:2].reshape(2, 3, 2).transpose(1, 0, 2)
        np.testing.assert_allclose(np.array(phi_functions(z[..., None], 2))[..., 0], expected, rtol=1e-9, atol=1e-12)


def test_every_mode_of_a_linear_equation_decays_at_its_own_rate():
    y = np.linspace(0, 3, 20, endpoint=False)
    grid = np.meshgrid(X, y, T, indexing="ij")
    k, q = 2.0, 2 * np.pi / 3 * 2
    rate = 0.3 * k**2 + 0.05 * q**2 - 0.1 * k * q
    u = np.exp(-rate * grid[2]) * np.cos(k * (grid[0] - 0.7 * grid[2]) + q * grid[1])
    field = Field({"u": u}, {"x": X, "y": y, "t": T})
    law = [equation("u_t", {"u_x": -0.7, "u_xx": 0.3, "u_yy": 0.05, "u_xy": -0.1})]
    assert largest_error(simulate(law, field), field) < 1e-11


def test_coupled_linear_fields_are_exact_too():
    """The wave equation as two fields, whose matrix for k = 0 has no basis of eigenvectors; and Schrödinger's."""
    u, v = np.cos(3 * X[:, None] - 3 * T) + T, 3 * np.sin(3 * X[:, None] - 3 * T) + 1
    wave = Field({"u": u, "v": v}, {"x": X, "t": T})
    assert largest_error(simulate([equation("u_t", {"v": 1.0}), equation("v_t", {"u_xx": 1.0})], wave), wave) < 1e-10
    packet = Field({"u": np.cos(5 * X[:, None] - 25 * T), "v": np.sin(5 * X[:, None] - 25 * T)}, wave.coordinates)
    assert (
        largest_error(simulate([equation("u_t", {"v_xx": -1.0}), equation("v_t", {"u_xx": 1.0})], packet), packet)
        < 1e-9
    )


def test_burgers_equation_against_cole_and_hopf():
    """u = −2ν φ_x/φ with φ_t = ν φ_xx: φ = 2 + exp(−νt) cos x."""
    decay, viscosity = np.exp(-0.1 * T), 0.1
    u = 2 * viscosity * decay * np.sin(X)[:, None] / (2 + decay * np.cos(X)[:, None])
    field = Field({"u": u}, {"x": X, "t": T})
    assert largest_error(simulate(known_equations("burgers"), field), field) < 1e-8


def test_kdv_soliton_and_the_collision_of_two():
    x, t = np.linspace(-20, 20, 256, endpoint=False), np.linspace(0, 4, 9)
    soliton = Field({"u": 0.5 / np.cosh(0.5 * (x[:, None] - t + 2)) ** 2}, {"x": x, "t": t})
    assert largest_error(simulate(known_equations("kdv"), soliton), soliton) < 2e-6
    two = kdv_field(256, 51, 20.0)
    assert largest_error(simulate(known_equations("kdv"), two, settings=COARSE), two) < 2e-3


def test_steps_in_time_are_of_fourth_order():
    decay = np.exp(-0.1 * 2.0)
    u = 0.2 * np.sin(X) / (1.2 + np.cos(X))
    exact = 0.2 * decay * np.sin(X) / (1.2 + decay * np.cos(X))
    start = Field({"u": u[:, None]}, {"x": X, "t": np.array([0.0])})
    steps, errors = np.array([10, 20, 40]), []
    for count in steps:
        run = simulate(known_equations("burgers"), start, np.linspace(0, 2, count + 1), ONE_STEP)
        errors.append(np.abs(run.values["u"][:, -1] - exact).max())
    orders = -np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert orders == pytest.approx(4.0, abs=0.5)


def test_differences_are_of_sixth_order_where_the_rim_is_measured():
    points, errors = np.array([60, 120]), []
    for count in points:
        field, law = front(count, viscosity=0.2)
        errors.append(largest_error(simulate(law, field, settings=SimulationSettings(tolerance=1e-10)), field))
    assert np.log(errors[0] / errors[1]) / np.log(119 / 59) == pytest.approx(6.0, abs=0.7)


def test_fields_on_a_plane_with_a_measured_rim():
    x, y, t = np.linspace(0, 5, 26), np.linspace(0, 4, 24), np.linspace(0, 1, 11)
    grid = np.meshgrid(x, y, t, indexing="ij")
    u = np.exp(-0.6 * grid[2]) * np.sin(grid[0]) * np.sin(grid[1] + 0.3)
    v = np.exp(-0.1 * grid[2]) * np.cos(grid[0])
    field = Field({"u": u, "v": v}, {"x": x, "y": y, "t": t})
    run = simulate([equation("u_t", {"u_xx": 0.3, "u_yy": 0.3}), equation("v_t", {"v_xx": 0.1})], field)
    assert largest_error(run, field) < 1e-5


@pytest.mark.parametrize(("name", "bound"), [("burgers", 1e-5), ("kdv", 3e-4)])
def test_published_fields_follow_from_their_equations(name, bound):
    path = Path(os.environ.get("MECHLEARN_DATA", "")) / "equations" / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"MECHLEARN_DATA has no equations/{name}.mat")
    field = read_field(path)
    assert largest_error(simulate(known_equations(name), field, settings=COARSE), field) < bound


def test_lorenz_against_tight_tolerances():
    field = lorenz_trajectory(501, 10.0)

    def rates(_, x):
        return [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]

    path = solve_ivp(
        rates, (0, 10), [-8, 8, 27], method="DOP853", t_eval=field.coordinates["t"], rtol=1e-13, atol=1e-13
    )
    for name, values in zip("xyz", path.y, strict=True):
        np.testing.assert_allclose(field.values[name], values, atol=1e-3)  # errors grow by exp(0.9 t)


def test_conservative_equations_keep_what_they_conserve():
    """∫u of any equation of derivatives; for Korteweg and de Vries also ∫u² and ∫(u³ − u_x²/2)."""
    u = 1 + 0.5 * np.cos(X) + 0.3 * np.sin(2 * X)
    start = Field({"u": u[:, None]}, {"x": X, "t": T[:1]})
    run = simulate([equation("u_t", {"u^2 u_x": -0.4, "(u^3)_xx": 0.02, "u_xxxx": -0.01})], start, T).values["u"]
    np.testing.assert_allclose(run.mean(axis=0), u.mean(), rtol=1e-13)
    run = simulate(known_equations("kdv"), start, T).values["u"]
    slopes = np.fft.irfft(1j * np.arange(33)[:, None] * np.fft.rfft(run, axis=0), 64, axis=0)
    for kept, bound in ((run, 1e-12), (run**2, 1e-5), (run**3 - slopes**2 / 2, 1e-4)):
        np.testing.assert_allclose(kept.mean(axis=0), kept.mean(axis=0)[0], rtol=bound)


def test_a_shift_and_a_mirror_of_the_start_shift_and_mirror_the_end():
    u, times = np.exp(np.sin(X[::2])) / 2, T[:3]

    def end(start, factor):
        law = equation("u_t", {"u u_x": -6.0 * factor, "u_xxx": -factor})
        initial = Field({"u": start[:, None]}, {"x": X[::2], "t": times[:1]})
        return simulate([law], initial, times).values["u"][:, -1]

    np.testing.assert_allclose(end(np.roll(u, 7), 1.0), np.roll(end(u, 1.0), 7), atol=1e-9)
    np.testing.assert_allclose(end(u[::-1], -1.0)[::-1], end(u, 1.0), atol=1e-9)


def test_a_turning_spiral():
    """A λ–ω system turns by A² in time: far from the core it stays on A = 1 and u + iv turns by −t."""
    field = reaction_diffusion_field(32, 5, 1.0)
    u = field.values["u"] + 1j * field.values["v"]
    core = (slice(8, 24), slice(8, 24))
    turned = np.angle(np.mean(u[core][..., -1] * np.conj(u[core][..., 0])))
    assert turned == pytest.approx(-1.0, abs=0.15)
    assert np.abs(u).max() < 1.1
    again = simulate(known_equations("reaction-diffusion"), field, settings=SimulationSettings("periodic", noise=0.0))
    assert largest_error(again, field) < 1e-4


@pytest.mark.parametrize(
    ("terms", "blamed"),
    [
        ({"u u_x": -1.0, "u_xx": -0.1}, r"-0\.1 u_xx"),
        ({"u_xx": 0.1, "u_xxxx": 0.02}, r"0\.02 u_xxxx"),
        ({"u_xx": 0.05, "(u^2)_xx": -0.3}, r"-0\.3 \(u\^2\)_xx"),
    ],
)
@pytest.mark.parametrize("make", [burgers, lambda: front()[0]])
def test_growth_of_the_shortest_waves_is_named_at_once(terms, blamed, make):
    field = make()
    assert follow([equation("u_t", terms)], field).field is None
    with pytest.raises(
        WorkError, match=rf"the shortest waves along x grow the fastest, as exp\(.* by the term {blamed}"
    ):
        simulate([equation("u_t", terms)], field)


def test_growth_of_long_waves_is_no_obstacle():
    """Kuramoto and Sivashinsky's equation: long waves grow, short ones decay."""
    start = Field({"u": np.cos(X)[:, None]}, {"x": X, "t": T[:1]})
    run = simulate(
        [equation("u_t", {"u u_x": -1.0, "u_xx": -1.0, "u_xxxx": -0.2})], start, np.linspace(0, 40, 41), COARSE
    )
    assert 0.5 < np.abs(run.values["u"][:, -1]).max() < 20


def test_what_blows_up_is_followed_to_there():
    """u_t = 2u² is without bounds at t = 1/2 for u = 1; along a trajectory also."""
    start = Field({"u": (0.9 + 0.1 * np.cos(X))[:, None]}, {"x": X, "t": T[:1]})
    for initial in (start, Field({"u": np.array([1.0])}, {"t": T[:1]})):
        run = follow([equation("u_t", {"u^2": 2.0})], initial, np.linspace(0, 2, 21))
        assert "grow beyond all bounds at t = 0." in run.failure
        assert run.field.coordinates["t"][-1] == pytest.approx(0.4, abs=0.11)
        with pytest.raises(WorkError, match=r"simulating u_t = 2 u\^2: .* t = 0\."):
            simulate([equation("u_t", {"u^2": 2.0})], initial, np.linspace(0, 2, 21))


def test_stiff_products_are_taken_implicitly():
    start = Field({"u": (1 + 0.5 * np.cos(X))[:, None]}, {"x": X, "t": T[:1]})
    run = simulate([equation("u_t", {"(u^3)_xxxx": -0.5})], start, T).values["u"]
    np.testing.assert_allclose(run[:, -1], 1.0, atol=0.05)
    np.testing.assert_allclose(run.mean(axis=0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_the_data_say_whether_the_domain_is_periodic(share):
    x = np.linspace(0, 2 * np.pi, 65)
    rounds = Field({"u": np.sin(x[:, None] - T)}, {"x": x, "t": T})
    ends = Field({"u": np.sin(0.9 * x[:, None] - T)}, {"x": x, "t": T})
    assert period_points(Measured.of(noisy(rounds, share))) in {(64,), (65,) if share else (64,)}
    assert period_points(Measured.of(noisy(burgers(), share))) == (256,)
    assert period_points(Measured.of(noisy(kdv_field(), share))) == (512,)
    assert period_points(Measured.of(noisy(ends, share))) is None
    assert period_points(Measured.of(noisy(front()[0], share))) is None


@pytest.mark.parametrize("make", [lambda: (burgers(), known_equations("burgers")), front])
def test_noise_and_gaps_at_the_start_do_little(make):
    field, law = make()
    damaged = noisy(field, 0.1).values["u"]
    damaged[:, 0] = np.nan
    damaged[np.random.default_rng(0).random(damaged.shape) < 0.05] = np.nan
    damaged[[0, 50]] = np.nan  # never measured, at an end and inside
    run = simulate(law, replace(field, values={"u": damaged}))
    assert run.coordinates["t"][0] == field.coordinates["t"][1]
    differences = run.values["u"] - field.values["u"][:, 1:]
    assert np.sqrt(np.mean(differences**2)) < 0.05 * field.values["u"].std()


def test_times_and_axes_are_as_asked():
    field = burgers_field(64, 11)
    turned = Field({"u": field.values["u"].T}, {"t": field.coordinates["t"], "x": field.coordinates["x"]})
    times = np.array([0.3, 1.7, 12.0])
    late, also = (simulate(known_equations("burgers"), one, times).values["u"] for one in (field, turned))
    np.testing.assert_allclose(late, also.T, atol=1e-12)
    again = simulate(known_equations("burgers"), field, np.linspace(0, 12, 41)).values["u"][:, -1]
    np.testing.assert_allclose(late[:, -1], again, atol=1e-6)
    with pytest.raises(InputError, match="times wanted must rise from the first of the data, t = 0"):
        simulate(known_equations("burgers"), field, np.array([-1.0, 2.0]))
    with pytest.raises(InputError, match="its rim was measured until t = 2 only"):
        simulate(front()[1], front()[0], np.array([0.0, 3.0]))


def test_equations_and_fields_must_fit():
    field = burgers_field(64, 3)
    with pytest.raises(InputError, match="needs one equation for each of u_t; there are u_t, v_t"):
        simulate([equation("u_t", {"u_xx": 1.0}), equation("v_t", {"u": 1.0})], field)
    with pytest.raises(InputError, match="no field w among u"):
        simulate([equation("u_t", {"w": 1.0})], field)
    stretched = Field(field.values, {"x": field.coordinates["x"] ** 3, "t": field.coordinates["t"]})
    with pytest.raises(InputError, match="x is not uniform"):
        simulate([equation("u_t", {"u": 1.0})], stretched)
    few = Field({"u": np.outer(np.arange(6.0) ** 2, T)}, {"x": np.arange(6.0), "t": T})
    with pytest.raises(InputError, match="x has 6 points; the derivatives need at least 10"):
        simulate([equation("u_t", {"u_xxxx": -1.0})], few)
