"""Stored derivatives: one pass through them gives what the two products give."""

from __future__ import annotations

import numpy as np
import pytest

from cells import random_batch
from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError


@pytest.mark.parametrize("twojmax", [2, 4, 6, 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_misfit_of_forces_and_its_slope(twojmax: int, dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(twojmax)
    batch = random_batch(rng, 5)
    jacobian = Bispectrum(cutoff=4.0, twojmax=twojmax).jacobian(batch, dtype)
    gradient = rng.normal(size=jacobian.values.shape)
    forces, weights = rng.normal(size=(batch.atoms, 3)), rng.random(batch.atoms)
    difference = jacobian.pullback(gradient).forces - forces
    misfit, slope = jacobian.force_misfit(gradient, forces, weights)
    assert misfit == pytest.approx(np.sum(weights[:, None] * difference**2), rel=1e-12)
    expected = jacobian.pushforward(-2 * weights[:, None] * difference)
    np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())
    assert jacobian.force_misfit(gradient, forces, weights, with_slope=False) == (misfit, None)


def test_shapes_that_do_not_fit_are_said() -> None:
    jacobian = Bispectrum(twojmax=2).jacobian(random_batch(np.random.default_rng(0), 2))
    with pytest.raises(InputError, match=r"using stored derivatives: gradient has shape \(1, 5\); give"):
        jacobian.pullback(np.zeros((1, 5)))
