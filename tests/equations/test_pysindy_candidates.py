"""Candidates of fields serve in PySINDy, and equations become its models."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from mechlearn.equations import DiscoverySettings, Field, SparseRegressor, SparseSettings, discover_ode
from mechlearn.equations.equation import Coefficient, Equation, Term
from mechlearn.errors import InputError

pysindy = pytest.importorskip("pysindy")

X, T = np.linspace(0, 12, 120), np.linspace(0, 3, 80)
SETTINGS = DiscoverySettings(degree=2, derivative_order=2, regression=SparseSettings(resamples=10))


@pytest.fixture(scope="module")
def heat():
    """u_t = 0.3 u_xx − 0.5 u_x, in closed form."""
    waves = [(1.0, 0.9, 0.2), (0.7, 1.7, 1.0), (0.6, 2.3, 2.0)]
    u = sum(a * np.exp(-0.3 * k * k * T) * np.sin(k * (X[:, None] - 0.5 * T) + p) for a, k, p in waves)
    return u + 0.02 * u.std() * np.random.default_rng(0).normal(size=u.shape)


@pytest.mark.parametrize("optimizer", [SparseRegressor(resamples=10), pysindy.STLSQ(threshold=0.1)])
def test_pysindy_finds_a_pde_with_them(heat, optimizer):
    from mechlearn.equations.peers.pysindy_candidates import CandidateFeatures

    features = CandidateFeatures({"x": X, "t": T}, SETTINGS)
    model = clone(pysindy.SINDy(feature_library=features, optimizer=optimizer))
    model.fit(heat[..., None], t=T, feature_names=["u"])
    found = dict(zip(model.get_feature_names(), model.coefficients()[0], strict=True))
    assert {name: value for name, value in found.items() if value} == pytest.approx(
        {"u_x": -0.5, "u_xx": 0.3}, rel=0.05
    )
    assert model.score(heat[..., None], t=T) > 0.99


def test_strong_features_are_the_derivatives_of_monomials():
    """∂_x and ∂_xx of u = sin x · t and of its square, and the trajectories of two fields."""
    from mechlearn.equations.peers.pysindy_candidates import CandidateFeatures

    u = np.sin(X)[:, None] * T
    features = CandidateFeatures({"x": X, "t": T}, DiscoverySettings(degree=2, derivative_order=2, form="strong"))
    values = features.fit_transform(u[..., None])
    known = {"1": 1, "u": u, "u^2": u**2, "u_x": np.cos(X)[:, None] * T, "u u_x": np.outer(np.sin(2 * X) / 2, T**2)}
    known |= {"u_xx": -u, "(u^2)_xx": np.outer(2 * np.cos(2 * X), T**2)}
    assert features.get_feature_names(["u"]) == list(known)
    for number, exact in enumerate(known.values()):
        np.testing.assert_allclose(values[..., number], np.broadcast_to(exact, u.shape), atol=5e-3)


def test_an_ode_goes_through_a_pipeline_of_scikit_learn():
    from mechlearn.equations.peers.pysindy_candidates import CandidateFeatures

    t = np.linspace(0, 20, 500)
    features = CandidateFeatures({"t": t}, DiscoverySettings(degree=2, derivative_order=0, form="strong"))
    states, rates = np.column_stack([np.sin(t), np.cos(t)]), np.column_stack([np.cos(t), -np.sin(t)])
    pipeline = make_pipeline(features, SparseRegressor(criterion="held_out", resamples=10)).fit(states, rates)
    assert pipeline.score(states, rates) > 0.999


def test_equations_become_a_model_that_simulates():
    from mechlearn.equations.peers.pysindy_candidates import pysindy_model

    t = np.linspace(0, 20, 500)
    field = Field({"q": np.sin(t), "p": np.cos(t)}, {"t": t})
    model = pysindy_model(discover_ode(field, SETTINGS).equations, field)
    np.testing.assert_allclose(model.simulate([0.0, 1.0], t[:200])[:, 0], np.sin(t[:200]), atol=1e-3)
    assert model.get_feature_names() == ["p", "q"]


def test_a_model_of_a_pde_predicts_its_rate(heat):
    """The rate of a wave of the heat equation, away from the rim."""
    from mechlearn.equations.peers.pysindy_candidates import pysindy_model

    equation = Equation(Term("u_t"), (Coefficient(Term("u_x"), -0.5), Coefficient(Term("u_xx"), 0.3)))
    u = np.exp(-0.3 * T) * np.sin(X[:, None] - 0.5 * T)
    model = pysindy_model([equation], Field({"u": u}, {"x": X, "t": T}))
    exact = -0.3 * u - 0.5 * np.exp(-0.3 * T) * np.cos(X[:, None] - 0.5 * T)
    predicted = np.asarray(model.predict(u[..., None]))[..., 0]
    np.testing.assert_allclose(predicted[10:-10], exact[10:-10], atol=1e-6)


def test_what_does_not_fit_is_said(heat):
    from mechlearn.equations.peers.pysindy_candidates import CandidateFeatures, pysindy_model

    with pytest.raises(InputError, match="the coordinates are t, x; time, named t, is the last"):
        CandidateFeatures({"t": T, "x": X}, SETTINGS).fit(heat.T[..., None])
    with pytest.raises(InputError, match=r"has the shape \(119, 80\)"):
        CandidateFeatures({"x": X, "t": T}, SETTINGS).fit(heat[1:, :, None])
    with pytest.raises(InputError, match="no equation for u_t, only for v_t"):
        pysindy_model([Equation(Term("v_t"), ())], Field({"u": heat}, {"x": X, "t": T}))
