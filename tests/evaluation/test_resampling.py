"""Bootstrap intervals hold the truth as often as they say."""

import time

import numpy as np
import pytest

from mechlearn.errors import InputError
from mechlearn.evaluation.resampling import bootstrap_interval, totals_of_groups


def rmse(totals):
    return np.sqrt(totals[:, 1] / totals[:, 0])


def mean(totals):
    return totals[:, 1] / totals[:, 0]


def squares(errors):
    return np.stack([np.ones_like(errors), errors**2], axis=1)


def coverage(statistic, sample, truth, trials=300):
    """The share of trials whose interval holds the truth; sample(rng) gives (columns, groups)."""
    inside = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        columns, groups = sample(rng)
        interval = bootstrap_interval(statistic, columns, groups, rng, draws=400)
        inside += interval.low <= truth <= interval.high
    return inside / trials


def test_coverage_of_rmse_of_normal_errors():
    found = coverage(rmse, lambda rng: (squares(rng.normal(scale=3.0, size=80)), np.arange(80)), truth=3.0)
    assert 0.91 < found < 0.98


def test_coverage_of_rmse_of_heavy_tailed_errors():
    # Laplace errors of scale 1 have a mean square of 2.
    def sample(rng):
        return squares(rng.laplace(size=150)), np.arange(150)

    assert coverage(rmse, sample, truth=np.sqrt(2.0)) > 0.89


def correlated(rng, groups=60, size=12):
    """Errors that share most of their variance within a group, as atoms of one structure do."""
    shared = np.repeat(rng.normal(size=groups), size)
    return shared + 0.3 * rng.normal(size=groups * size), np.repeat(np.arange(groups), size)


def test_coverage_of_correlated_values_needs_their_groups():
    def by_group(rng):
        errors, groups = correlated(rng)
        return squares(errors), groups

    def by_value(rng):
        errors, _ = correlated(rng)
        return squares(errors), np.arange(len(errors))

    truth = np.sqrt(1 + 0.3**2)
    assert coverage(rmse, by_group, truth) > 0.89
    # Taking the values for independent is what must not be done: the interval is far too narrow.
    assert coverage(rmse, by_value, truth, trials=100) < 0.6


def test_interval_of_a_mean_is_the_normal_one_for_many_groups():
    rng = np.random.default_rng(3)
    values = rng.normal(loc=5.0, size=4000)
    columns = np.stack([np.ones_like(values), values], axis=1)
    interval = bootstrap_interval(mean, columns, np.arange(4000), rng, draws=4000)
    half = 1.96 * values.std() / np.sqrt(4000)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.06)
    assert interval.estimate == pytest.approx(values.mean())


def test_same_seed_same_interval():
    columns = squares(np.random.default_rng(1).normal(size=50))
    first, second = (bootstrap_interval(rmse, columns, np.arange(50), np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_names_and_numbers_of_groups_are_alike():
    columns = squares(np.random.default_rng(1).normal(size=6))
    names = ["b", "a", "b", "c", "a", "b"]
    numbers = np.array([9, 4, 9, 7, 4, 9])
    assert np.array_equal(totals_of_groups(columns, names), totals_of_groups(columns, numbers))
    first = bootstrap_interval(rmse, columns, names, np.random.default_rng(0))
    assert first == bootstrap_interval(rmse, columns, numbers, np.random.default_rng(0))
    assert first.groups == 3


def test_one_group_gives_no_interval():
    interval = bootstrap_interval(rmse, squares(np.ones(5)), np.zeros(5, dtype=int), np.random.default_rng(0))
    assert interval.estimate == 1.0
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_constant_errors_give_an_interval_of_no_width():
    interval = bootstrap_interval(rmse, squares(np.full(40, 0.1)), np.arange(40), np.random.default_rng(0))
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)


def test_a_hundred_thousand_structures_take_seconds():
    columns = squares(np.random.default_rng(0).normal(size=100_000))
    start = time.perf_counter()
    bootstrap_interval(rmse, columns, np.arange(100_000), np.random.default_rng(0))
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    ("columns", "groups", "level", "message"),
    [
        (np.ones((3, 2)), [0, 1], 0.95, "3 values but 2 group labels"),
        (np.ones((0, 2)), [], 0.95, "no values"),
        (np.ones((3, 2)), [0, 1, 2], 95.0, "the level is 95.0"),
    ],
)
def test_bad_input_is_named(columns, groups, level, message):
    with pytest.raises(InputError, match=message):
        bootstrap_interval(rmse, columns, groups, np.random.default_rng(0), level)
