"""The sparse regression finds planted terms, holds constraints, and its intervals hold the truth."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from mechlearn.equations import Constraints, MomentBlocks, SparseRegressor, SparseSettings, sparse_regression
from mechlearn.equations.search.elimination import eliminate
from mechlearn.errors import InputError


def planted(seed, samples=600, terms=12, noise=0.2):
    """Correlated columns, three of which make the target."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(samples, terms)) @ (np.eye(terms) + 0.3 * rng.normal(size=(terms, terms)))
    truth = np.zeros(terms)
    truth[[1, 4, 9]] = 1.0, -0.5, 0.8
    return columns, columns @ truth + noise * rng.normal(size=samples), truth


@pytest.mark.parametrize("criterion", ["information", "held_out"])
def test_planted_terms_are_found(criterion):
    found = 0
    for seed in range(10):
        columns, target, truth = planted(seed)
        settings = SparseSettings(criterion=criterion, resamples=20)
        fit = sparse_regression(columns, target, rng=np.random.default_rng(0), settings=settings)
        found += np.array_equal(fit.support, truth != 0)
        assert (fit.probability[truth != 0] >= 0.9).all()
    assert found >= 6


def test_path_is_least_squares_of_each_set():
    columns, target, _ = planted(0)
    fit = sparse_regression(columns, target, rng=np.random.default_rng(0), settings=SparseSettings(resamples=2))
    assert fit.path.sizes.tolist() == list(range(12, -1, -1))
    for support, coefficients in zip(fit.path.supports[:-1], fit.path.coefficients, strict=False):
        oracle = LinearRegression(fit_intercept=False).fit(columns[:, support], target).coef_
        np.testing.assert_allclose(coefficients[support], oracle, rtol=1e-8)


def test_elimination_removes_the_term_that_is_missed_least():
    columns, target, _ = planted(3, terms=10)
    augmented = np.column_stack([columns, target])
    paths = eliminate((augmented.T @ augmented)[None], np.ones(10))
    for before, after in zip(paths.supports[0], paths.supports[0][1:], strict=False):
        squares = {}
        for out in np.flatnonzero(before):
            kept = before.copy()
            kept[out] = False
            squares[out] = np.linalg.lstsq(columns[:, kept], target)[1].sum() if kept.any() else target @ target
        assert min(squares, key=squares.get) == np.flatnonzero(before & ~after)[0]


def test_intervals_hold_the_truth():
    held = []
    for seed in range(40):
        columns, target, truth = planted(seed)
        fit = sparse_regression(columns, target, rng=np.random.default_rng(seed))
        inside = (fit.low <= truth) & (truth <= fit.high)
        held.extend(inside[truth != 0].tolist())
    assert 0.88 <= np.mean(held) <= 0.99


def test_constraints_hold_in_every_fit_and_resample():
    columns, target, _ = planted(0)
    matrix = np.zeros((2, 12))
    matrix[0, [1, 4]] = 1.0
    matrix[1, 9] = 1.0
    held = Constraints(matrix, np.array([0.4, 0.7]))
    fit = sparse_regression(columns, target, rng=np.random.default_rng(0), constraints=held)
    np.testing.assert_allclose(matrix @ fit.coefficients, held.values, atol=1e-10)
    np.testing.assert_allclose(fit.path.coefficients @ matrix.T, np.tile(held.values, (13, 1)), atol=1e-9)
    blocks = MomentBlocks.of_samples(columns, target)
    draws = blocks.weighted(np.random.default_rng(1).multinomial(50, np.full(50, 0.02), size=30).astype(float))
    for coefficients in eliminate(draws, np.ones(12), held).coefficients:
        np.testing.assert_allclose(coefficients @ matrix.T, np.tile(held.values, (13, 1)), atol=1e-9)
    assert fit.low[9] == pytest.approx(0.7)
    assert fit.high[9] == pytest.approx(0.7)


def test_streamed_moments_are_those_of_the_samples():
    columns, target, _ = planted(2)
    whole = MomentBlocks.of_samples(columns, target, np.arange(600) // 100)
    streamed = MomentBlocks.of_batches((columns[i : i + 100], target[i : i + 100]) for i in range(0, 600, 100))
    np.testing.assert_allclose(whole.moments, streamed.moments, rtol=1e-10)


def test_units_of_columns_do_not_matter():
    columns, target, _ = planted(5)
    scale = 10.0 ** np.arange(-6, 6)
    plain = sparse_regression(columns, target, rng=np.random.default_rng(0))
    scaled = sparse_regression(columns * scale, target, rng=np.random.default_rng(0))
    np.testing.assert_allclose(scaled.coefficients * scale, plain.coefficients, rtol=1e-6, atol=1e-12)


def test_a_term_that_costs_more_goes_first():
    columns, target, _ = planted(0)
    dear = np.ones(12)
    dear[4] = 1e6
    fit = sparse_regression(columns, target, rng=np.random.default_rng(0), costs=dear)
    assert not fit.support[4]


@pytest.mark.parametrize(
    ("columns", "target", "groups", "words"),
    [
        (np.ones((3, 5)), np.ones(3), None, "only 3 samples"),
        (np.eye(6)[:, :4] * [1, 1, 0, 1], np.ones(6), None, "candidate term 2 is zero"),
        (np.full((9, 2), np.nan), np.ones(9), None, "not finite"),
        (np.eye(6)[:, :4], np.ones(6), np.zeros(6), "one group"),
    ],
)
def test_what_cannot_be_fitted_is_refused(columns, target, groups, words):
    with pytest.raises(InputError, match=words):
        sparse_regression(columns, target, rng=np.random.default_rng(0), groups_of_samples=groups)


def test_estimator_is_one_of_scikit_learn_and_serves_pysindy():
    columns, target, truth = planted(0)
    regressor = clone(SparseRegressor(resamples=10)).fit(columns, target)
    assert regressor.score(columns, target) > 0.9
    assert np.array_equal(regressor.coef_ != 0, truth != 0)
    pysindy = pytest.importorskip("pysindy")
    t = np.linspace(0, 10, 400)
    model = pysindy.SINDy(
        feature_library=pysindy.PolynomialLibrary(degree=2),
        optimizer=SparseRegressor(criterion="held_out", resamples=10),
    )
    model.fit(np.column_stack([np.sin(t), np.cos(t)]), t=t)
    assert np.count_nonzero(np.abs(model.coefficients()) > 1e-3) == 2
