"""Diversity against Gaussians, for which every width is known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.errors import InputError
from mechlearn.evaluation import Moments, principal_components, structure_entropy, zca_comparison


def exact_rows(covariance, count=400, mean=0.0, seed=0):
    """Rows whose sample covariance is exactly the one asked for."""
    rows = np.random.default_rng(seed).normal(size=(count, len(covariance)))
    rows -= rows.mean(axis=0)
    values, vectors = np.linalg.eigh(rows.T @ rows / count)
    return rows @ (vectors / np.sqrt(values)) @ vectors.T @ np.linalg.cholesky(covariance).T + mean


def random_covariance(size, seed):
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def test_widths_are_the_generalised_eigenvalues():
    first, second = random_covariance(6, 1), random_covariance(6, 2)
    found = zca_comparison(exact_rows(first), exact_rows(second))
    expected = np.sqrt(np.sort(np.linalg.eigvals(np.linalg.solve(first, second)).real)[::-1])
    assert found.widths == pytest.approx(expected, rel=1e-8)
    assert found.directions == 6
    assert found.broader == (expected > 1).sum()
    assert found.narrowest == pytest.approx(expected[-1])


def test_uncorrelated_descriptors_have_their_own_widths_on_the_axes():
    ratios = np.array([10.0, 6.0, 1.5, 0.6])
    found = zca_comparison(
        exact_rows(np.diag([1.0, 1e-6, 1e4, 3.0])), exact_rows(np.diag([1.0, 1e-6, 1e4, 3.0])) * ratios
    )
    assert found.axis_widths == pytest.approx(ratios)
    assert found.widths == pytest.approx(ratios)
    assert (found.broader, found.broader_5x, found.axes_broader, found.axes_broader_5x) == (3, 2, 3, 2)
    assert found.axes_narrowest == pytest.approx(0.6)


def test_axes_never_reach_past_the_principal_directions():
    found = zca_comparison(exact_rows(random_covariance(8, 3)), exact_rows(random_covariance(8, 4)))
    assert found.axis_widths.max() <= found.widths[0] * (1 + 1e-10)
    assert found.axis_widths.min() >= found.widths[-1] * (1 - 1e-10)


@given(st.integers(0, 1000))
def test_widths_do_not_depend_on_units(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(60, 4)), 2 * rng.normal(size=(50, 4))
    units = 10 ** rng.uniform(-3, 3, size=4)
    assert zca_comparison(first * units + 5, second * units).widths == pytest.approx(
        zca_comparison(first, second).widths, rel=1e-6
    )


def test_a_set_against_itself_is_as_broad():
    rows = exact_rows(random_covariance(5, 0), mean=3.0)
    found = zca_comparison(rows, rows)
    assert found.widths == pytest.approx(np.ones(5))
    assert found.shift == pytest.approx(0, abs=1e-10)


def test_shift_is_counted_in_standard_deviations():
    rows = exact_rows(np.diag([4.0, 9.0]))
    assert zca_comparison(rows, rows + np.array([2.0, 3.0])).shift == pytest.approx(1.0)


def test_streamed_moments_are_those_of_the_whole():
    rows = exact_rows(random_covariance(5, 0), count=1001, mean=1e3)
    streamed = Moments.of_batches(np.array_split(rows, 7))
    assert streamed.count == 1001
    assert streamed.covariance == pytest.approx(random_covariance(5, 0), rel=1e-9)
    assert zca_comparison(streamed, rows).widths == pytest.approx(np.ones(5))


def test_what_varies_in_neither_set_is_dropped():
    first = np.concatenate([exact_rows(np.eye(2)), np.full((400, 1), 7.0)], axis=1)
    found = zca_comparison(first, first * np.array([3.0, 2.0, 1.0]))
    assert (found.directions, found.dropped, found.regularised) == (2, 1, 0)
    assert found.widths == pytest.approx([3.0, 2.0])
    assert np.isnan(found.axis_widths[2])
    assert found.axes_narrowest == pytest.approx(2.0)


def test_a_dependent_descriptor_is_dropped_too():
    def with_sum(rows):
        return np.concatenate([rows, rows.sum(axis=1, keepdims=True)], axis=1)

    found = zca_comparison(with_sum(exact_rows(np.eye(3))), with_sum(2 * exact_rows(np.eye(3), seed=1)))
    assert (found.directions, found.dropped) == (3, 1)
    assert found.widths == pytest.approx([2.0, 2.0, 2.0])


def test_where_only_the_reference_has_no_spread_is_counted_and_said():
    flat = exact_rows(np.eye(3)) * np.array([1.0, 1.0, 0.0])
    found = zca_comparison(flat, exact_rows(np.eye(3)))
    assert (found.directions, found.regularised, found.dropped) == (3, 1, 0)
    assert found.widths[0] > 1e5
    assert found.widths[1:] == pytest.approx([1.0, 1.0], rel=1e-3)
    assert "no spread in 1 of them" in str(found)


def test_diversity_is_json():
    first = np.concatenate([exact_rows(np.eye(2)), np.full((400, 1), 7.0)], axis=1)
    stored = json.loads(json.dumps(zca_comparison(first, first).to_dict(), allow_nan=False))
    assert stored["directions"] == 2
    assert stored["axis_widths"][2] is None


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((4, 3)), np.ones((4, 2)), "the reference has 3 descriptors, the other set 2"),
        (np.ones((4, 3)), np.ones((4, 3)), "no descriptor varies in either set"),
        (np.ones((0, 3)), np.ones((4, 3)), r"an array of shape \(0, 3\)"),
        (np.full((4, 3), np.nan), np.ones((4, 3)), "4 of 4 rows are not finite"),
    ],
)
def test_bad_input_is_named(first, second, message):
    with pytest.raises(InputError, match=message):
        zca_comparison(first, second)


def test_principal_components_both_ways():
    rows = exact_rows(np.array([[1.0, 0.8], [0.8, 1.0]]))
    other = exact_rows(np.array([[1.0, -0.8], [-0.8, 1.0]]), mean=2.0)
    found = principal_components(rows, other)
    assert found.explained == pytest.approx([0.9, 0.1])
    assert found.explained_projected == pytest.approx([0.1, 0.9])
    assert found.components[:, 0] == pytest.approx(np.full(2, np.sqrt(0.5)))
    assert found.fitted.var(axis=0) == pytest.approx([1.8, 0.2])
    assert found.projected.mean(axis=0) == pytest.approx([2 * np.sqrt(2), 0.0], abs=1e-9)


def test_entropy_of_points_on_a_lattice():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 3.0]])
    found = structure_entropy(points, np.array([0, 4, 6]), np.array([2.0, 2.0]))
    assert found == pytest.approx([np.log(4 * 0.5), np.log(2 * 1.5)])


def test_entropy_grows_with_spread_and_counts_the_scale():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(64, 5))
    offsets = np.array([0, 64])
    narrow, broad = (structure_entropy(factor * points, offsets, np.ones(5))[0] for factor in (1.0, 10.0))
    assert broad - narrow == pytest.approx(np.log(10))
    assert structure_entropy(points, offsets, np.full(5, 0.1))[0] == pytest.approx(broad)


def test_entropy_of_equal_environments_is_the_floor_and_never_nan():
    offsets = np.array([0, 3, 4, 4])
    found = structure_entropy(np.zeros((4, 2)), offsets, np.ones(2), floor=1e-6)
    assert found[:2] == pytest.approx([np.log(3e-6), np.log(1e-6)])
    assert np.isnan(found[2])


@pytest.mark.parametrize(("scale", "message"), [(np.zeros(2), "not positive"), (np.ones(3), "one scale a descriptor")])
def test_entropy_scale_is_checked(scale, message):
    with pytest.raises(InputError, match=message):
        structure_entropy(np.zeros((4, 2)), np.array([0, 4]), scale)
