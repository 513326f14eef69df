"""The explicit derivatives of the bispectrum: what the pullback says, the other way round."""

from __future__ import annotations

import numpy as np
import pytest

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.descriptors.derivative_rows import derivative_rows
from mechlearn.descriptors.products import product_lists


@pytest.mark.parametrize("twojmax", [0, 1, 2, 5, 8])
def test_derivatives_are_those_of_the_pullback(twojmax: int) -> None:
    rng = np.random.default_rng(40 + twojmax)
    batch = random_batch(rng, 11, ("W", "Be"))
    descriptor = Bispectrum(("W", "Be"), cutoff=3.7, twojmax=twojmax, element_weights=(1.0, 0.8))
    prepared = descriptor.prepare(batch)
    derivatives = prepared.jacobian(np.float64)
    np.testing.assert_allclose(derivatives.values, prepared.compute(), rtol=1e-11, atol=1e-11)
    gradient = rng.normal(size=derivatives.values.shape)
    ours, theirs = derivatives.pullback(gradient), prepared.pullback(gradient)
    size = np.abs(theirs.forces).max()
    np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-11 * max(size, 1.0))
    np.testing.assert_allclose(ours.virials, theirs.virials, atol=1e-10 * max(size, 1.0))


@pytest.mark.parametrize("twojmax", [3, 8])
def test_each_element_of_a_row_is_made_once(twojmax: int) -> None:
    """Every summed element of every true row is the target of one product, and of no other."""
    rows, places = derivative_rows(twojmax), product_lists(twojmax)[1].places
    features = int(rows.component.max())
    made = np.bincount(rows.targets.ravel(), minlength=rows.start[-1] + 1)[:-1]
    wanted = np.repeat((rows.component < rows.component.max()).astype(int), np.diff(rows.start))
    assert features == places[:, (3, 5)].max() + 1
    np.testing.assert_array_equal(made, wanted)
