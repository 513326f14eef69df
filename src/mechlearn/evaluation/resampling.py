"""Intervals of confidence by resampling independent groups.

Atoms of one structure, and structures cut from one trajectory, are not independent: what is drawn again
is the *group* (a structure, a specimen), whole.  Every statistic here is a function of column totals,
θ = f(Σ_g t_g), where t_g is the sum over group g.  A bootstrap draw is then one product of integer weights
with the totals, and leaving a group out is one subtraction, which makes 10⁵ groups quick.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import ndtr, ndtri

from mechlearn.errors import InputError

#: From column totals, one row a draw, to the statistic of each draw.
Statistic = Callable[[Float[np.ndarray, "draws columns"]], Float[np.ndarray, " draws"]]

#: From how often each group counts, one row a draw, to the statistic of each draw.
WeightStatistic = Callable[[Float[np.ndarray, "draws groups"]], Float[np.ndarray, " draws"]]

#: Anything that names the independent group of each value.
GroupLabels = Sequence[Hashable] | Shaped[np.ndarray, " values"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval of confidence.

    Attributes
    ----------
    estimate : float
        The statistic of the data as they are.
    low, high : float
        The ends of the interval; NaN where fewer than two groups leave nothing to resample.
    level : float
        The probability with which such intervals hold the true value.
    groups : int
        How many independent groups were resampled.
    """

    estimate: float
    low: float
    high: float
    level: float
    groups: int


def bootstrap_interval(
    statistic: Statistic,
    values: Float[np.ndarray, "values columns"],
    groups: GroupLabels,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 1000,
) -> Interval:
    """Find the interval of a statistic of column totals by drawing whole groups again.

    The interval is the bias-corrected and accelerated one (BCa): with z₀ the normal quantile of the share of
    draws below the estimate, and a the acceleration from leaving out each group in turn, the ends are
    the draws' quantiles at Φ(z₀ + (z₀ + z)/(1 − a(z₀ + z))), z = Φ⁻¹((1 ± level)/2).

    Parameters
    ----------
    statistic
        From totals (draws, columns) to values (draws,); for instance the RMSE from the columns 1 and e².
    values : (values, columns)
        What is summed.
    groups : (values,)
        The independent group of each row: integers, names, anything hashable.
    rng
        The source of random numbers; the same state gives the same interval.
    level
        Between 0 and 1.
    draws
        How many times the groups are drawn again.

    Raises
    ------
    InputError
        If the lengths differ, there is nothing to resample, or the level is not inside (0, 1).

    References
    ----------
    B. Efron, J. Am. Stat. Assoc. 82, 171 (1987).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> errors = rng.normal(scale=2.0, size=400)
    >>> columns = np.stack([np.ones(400), errors**2], axis=1)
    >>> interval = bootstrap_interval(lambda t: np.sqrt(t[:, 1] / t[:, 0]), columns, np.arange(400), rng)
    >>> interval.low < 2.0 < interval.high
    True
    """
    return bootstrap_intervals({"": statistic}, values, groups, rng, level, draws)[""]


def bootstrap_intervals(
    statistics: Mapping[str, Statistic],
    values: Float[np.ndarray, "values columns"],
    groups: GroupLabels,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 1000,
) -> dict[str, Interval]:
    """Find the intervals of several statistics of the same totals from the same draws.

    See :func:`bootstrap_interval` for the parameters, the method and the errors raised.
    """
    _check_level(level)
    totals = totals_of_groups(values, groups)
    resampled = resampled_totals(totals, rng, draws)
    return {name: _accelerated(statistic, totals, resampled, level) for name, statistic in statistics.items()}


def weighted_intervals(
    statistics: Mapping[str, WeightStatistic],
    count: int,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 1000,
) -> dict[str, Interval]:
    """Find the intervals of statistics that are no function of column totals, such as those of a ranking.

    The method is that of :func:`bootstrap_interval`, its draws being told as weights: how often each group counts.

    Parameters
    ----------
    statistics
        From weights (draws, groups) to values (draws,); ones give the statistic of the data as they are.
    count
        How many groups there are.
    rng, level, draws
        As in :func:`bootstrap_interval`.

    Raises
    ------
    InputError
        If there are no groups, or the level is not inside (0, 1).

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0, 6.0])
    >>> mean = lambda weights: weights @ values / weights.sum(axis=1)
    >>> weighted_intervals({"mean": mean}, 4, np.random.default_rng(0))["mean"].estimate
    3.0
    """
    _check_level(level)
    if count < 1:
        raise InputError("resampling groups: there are no values; give at least one")
    drawn = np.stack([_drawn_weights(count, rng) for _ in range(draws)])
    left_out = 1.0 - np.eye(count)
    found = {}
    for name, statistic in statistics.items():
        estimate = float(statistic(np.ones((1, count)))[0])
        low, high = np.nan, np.nan
        if count > 1 and np.isfinite(estimate):
            low, high = _accelerated_ends(estimate, statistic(drawn), statistic(left_out), level)
        found[name] = Interval(estimate, low, high, level, count)
    return found


def totals_of_groups(
    values: Float[np.ndarray, "values columns"], groups: GroupLabels
) -> Float[np.ndarray, "groups columns"]:
    """Sum the rows of each group, in the order in which the groups first appear.

    Examples
    --------
    >>> totals_of_groups(np.array([[1.0], [2.0], [4.0]]), ["b", "a", "b"]).tolist()
    [[5.0], [2.0]]
    """
    if len(values) != len(groups):
        raise InputError(
            f"resampling groups: {len(values)} values but {len(groups)} group labels; give one label a value"
        )
    if len(values) == 0:
        raise InputError("resampling groups: there are no values; give at least one")
    index = _group_index(groups)
    return np.stack([np.bincount(index, weights=column) for column in values.T], axis=1)


def resampled_totals(
    totals: Float[np.ndarray, "groups columns"], rng: np.random.Generator, draws: int
) -> Float[np.ndarray, "draws columns"]:
    """Draw as many groups as there are, with replacement, and sum their totals; once a draw."""
    count = len(totals)
    resampled = np.empty((draws, totals.shape[1]))
    for draw in range(draws):
        resampled[draw] = _drawn_weights(count, rng) @ totals
    return resampled


def _drawn_weights(count: int, rng: np.random.Generator) -> Float[np.ndarray, " groups"]:
    """How often each group is drawn when as many are drawn as there are."""
    return np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"finding a bootstrap interval: the level is {level}; give one between 0 and 1, as 0.95")


def _group_index(groups: GroupLabels) -> Int[np.ndarray, " values"]:
    """Number the groups 0, 1, … by first appearance."""
    if isinstance(groups, np.ndarray) and groups.dtype.kind in "iub":
        _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in groups], dtype=np.int64)


def _accelerated(
    statistic: Statistic,
    totals: Float[np.ndarray, "groups columns"],
    resampled: Float[np.ndarray, "draws columns"],
    level: float,
) -> Interval:
    """The BCa interval of one statistic; NaN ends where it cannot be had."""
    whole = totals.sum(axis=0)
    estimate = float(statistic(whole[None])[0])
    if len(totals) < 2 or not np.isfinite(estimate):
        return Interval(estimate, np.nan, np.nan, level, len(totals))
    left_out = statistic(totals.sum(axis=0) - totals)
    low, high = _accelerated_ends(estimate, statistic(resampled), left_out, level)
    return Interval(estimate, low, high, level, len(totals))


def _accelerated_ends(
    estimate: float,
    drawn: Float[np.ndarray, " draws"],
    left_out: Float[np.ndarray, " groups"],
    level: float,
) -> tuple[float, float]:
    """The ends of the BCa interval from the values of the draws and those with each group left out."""
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return np.nan, np.nan
    below = np.mean(drawn < estimate) + 0.5 * np.mean(drawn == estimate)
    bias = ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    normal = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    shares = ndtr(bias + normal / (1 - _acceleration(left_out) * normal))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def _acceleration(left_out: Float[np.ndarray, " groups"]) -> float:
    """a = Σ d³ / (6 (Σ d²)^{3/2}), d the mean of the leave-one-out values minus each of them."""
    left_out = left_out[np.isfinite(left_out)]
    deviation = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = np.sum(deviation**2)
    # Deviations at the level of rounding say nothing about the skewness.
    if spread <= (np.finfo(float).eps * np.abs(left_out).max(initial=0.0)) ** 2 * len(deviation):
        return 0.0
    return float(np.sum(deviation**3) / (6 * spread**1.5))
