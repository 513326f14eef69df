"""The weak form: exact on polynomials, its noise as predicted, gaps stepped over."""

import numpy as np
import pytest

from mechlearn.equations import Field, Windows
from mechlearn.equations.data.noise import noise_level, unbiased_powers
from mechlearn.equations.search.library import candidates
from mechlearn.equations.search.weak import choose_windows, weak_rows, window, window_sums
from mechlearn.equations.search.weak_noise import NoisyTerms
from mechlearn.errors import InputError

X, T = np.linspace(-3, 3, 90), np.linspace(0, 2, 60)
WINDOWS = Windows((20, 16), (9, 7))
LIGHT = Windows((20, 16), (18, 14))


def smooth():
    return Field({"u": np.exp(-((X[:, None] - T) ** 2))}, {"x": X, "t": T})


def test_derivatives_move_onto_the_window():
    """∫ψ ∂_t u of a wave u(x − t) is −∫ψ ∂_x u."""
    field = smooth()
    library = candidates(field, 1, 2)
    rows = weak_rows(field, library, WINDOWS, [0.0])
    names = [candidate.term(field).name for candidate in library]
    np.testing.assert_allclose(rows.targets[:, 0], -rows.columns[:, names.index("u_x")], atol=1e-7)


def test_sums_over_windows_are_those_written_out():
    values = np.random.default_rng(0).normal(size=(23, 30, 26))
    windows, steps = Windows((8, 9, 10), (3, 4, 5)), (0.1, 0.2, 0.3)
    found = window_sums(values, windows, [(0, 0, 0), (2, 0, 0), (0, 1, 1), (2, 1, 0)], steps)
    for orders, sums in found.items():
        weights = [window(8, *axis) for axis in zip(windows.half_widths, orders, steps, strict=True)]
        expected = np.empty((3, 3, 2))
        for place in np.ndindex(expected.shape):
            starts = np.multiply(place, windows.strides)
            part = values[tuple(slice(at, at + len(w)) for at, w in zip(starts, weights, strict=True))]
            expected[place] = np.einsum("ijk,i,j,k", part, *weights)
        np.testing.assert_allclose(sums, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_windows_step_over_gaps():
    field = smooth()
    whole = weak_rows(field, candidates(field, 2, 1), WINDOWS, [0.0])
    values = field.values["u"].copy()
    values[5, 5] = np.nan
    holed = weak_rows(Field({"u": values}, field.coordinates), candidates(field, 2, 1), WINDOWS, [0.0])
    assert 0 < len(holed.places) < len(whole.places)
    at = {tuple(place): row for place, row in zip(whole.places.tolist(), whole.columns, strict=True)}
    kept = np.array([at[tuple(place)] for place in holed.places.tolist()])
    np.testing.assert_allclose(holed.columns, kept, atol=1e-12)
    with pytest.raises(InputError, match="every window meets a gap"):
        weak_rows(
            Field({"u": np.where(np.arange(90)[:, None] % 9, values, np.nan)}, field.coordinates),
            candidates(field, 1, 1),
            WINDOWS,
            [0.0],
        )


def test_powers_of_noisy_values_are_right_on_average():
    rng = np.random.default_rng(0)
    powers = unbiased_powers(0.7 + 0.4 * rng.normal(size=(400_000,)), 4, 0.4)
    for power, values in enumerate(powers):
        assert values.mean() == pytest.approx(0.7**power, abs=5 * values.std() / 600 + 1e-12)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_noise_is_measured(share):
    u = smooth().values["u"]
    noise = share * u.std()
    assert noise_level(u + noise * np.random.default_rng(0).normal(size=u.shape)) == pytest.approx(noise, rel=0.05)


def test_covariance_is_that_of_many_draws():
    """Σ of the residual u_t − (u²)_x/2 − u_xx against 300 draws of noise on a constant field, where it is exact."""
    rng = np.random.default_rng(0)
    flat, sigma = np.full((90, 60), 0.8), 0.1
    flat[0, 0] += 1e-9
    field = Field({"u": flat}, {"x": X, "t": T})
    library = candidates(field, 2, 2)
    names = [candidate.term(field).name for candidate in library]
    v = np.zeros(len(library) + 1)
    v[[names.index("u u_x"), names.index("u_xx"), -1]] = 1.0, -0.1, 1.0
    draws = []
    for _ in range(300):
        noisy = Field({"u": flat + sigma * rng.normal(size=flat.shape)}, field.coordinates)
        rows = weak_rows(noisy, library, LIGHT, [sigma])
        draws.append(np.column_stack([rows.columns, rows.targets]) @ v)
    still = weak_rows(field, library, LIGHT, [sigma])
    predicted = NoisyTerms.of_rows(still, library, 0, LIGHT, field.steps(), [sigma], 1).covariance(v)
    measured = np.cov(np.array(draws).T)
    deviation = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    assert np.abs((measured - predicted) / deviation).max() < 5 / np.sqrt(300)


def test_what_noise_adds_to_moments_is_its_covariance():
    """vᵀBv = Σ_kl (Σ⁻¹)_kl Σ_ab v_a v_b C_ab(k, l) = tr(Σ⁻¹Σ), the number of rows; a part of B is B of a part."""
    field = smooth()
    library = candidates(field, 3, 2)
    rows = weak_rows(field, library, WINDOWS, [0.1])
    noisy = NoisyTerms.of_rows(rows, library, 0, WINDOWS, field.steps(), [0.1], 1)
    v = np.append(np.random.default_rng(0).normal(size=len(library)), 1.0)
    bias = noisy.whiten(v).bias
    assert v @ bias @ v == pytest.approx(len(rows.columns), rel=1e-5)
    some = np.array([1, 4, 6, len(library)])
    np.testing.assert_allclose(noisy.whiten(v, some).bias, bias[np.ix_(some, some)], rtol=1e-10, atol=1e-12)


def test_windows_are_chosen_for_the_noise():
    field = smooth()
    fine, coarse = choose_windows(field, [1e-6]), choose_windows(field, [0.3])
    assert all(a <= b for a, b in zip(fine.half_widths, coarse.half_widths, strict=True))
    with pytest.raises(InputError, match="at least 24 points along every axis; t has 10"):
        choose_windows(Field({"u": smooth().values["u"][:, :10]}, {"x": X, "t": T[:10]}), [0.1])
