"""Clebsch–Gordan coefficients: orthonormal, and the tables as large as LAMMPS says."""

from __future__ import annotations

import numpy as np
import pytest

from mechlearn.descriptors.angular_momentum import bispectrum_tables, clebsch_gordan


@pytest.mark.parametrize(("j1", "j2"), [(1, 1), (3, 2), (8, 5)])
def test_orthonormal(j1: int, j2: int) -> None:
    """Σ_{m1 m2} C^{j m} C^{j' m'} = δ δ: the coefficients are a unitary change of basis."""
    states = [(j, m) for j in range(abs(j1 - j2), j1 + j2 + 1, 2) for m in range(-j, j + 1, 2)]
    products = [(m1, m2) for m1 in range(-j1, j1 + 1, 2) for m2 in range(-j2, j2 + 1, 2)]
    matrix = np.array(
        [[clebsch_gordan(j1, j2, j, m1, m2) if m1 + m2 == m else 0.0 for m1, m2 in products] for j, m in states]
    )
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(states)), atol=1e-13)


@pytest.mark.parametrize("twojmax", [0, 2, 4, 6, 8])
def test_number_of_components(twojmax: int) -> None:
    """(J+1)(J+2)(J+3/2)/3 for whole J: Thompson et al. (2015), below Eq. 12."""
    spin = twojmax // 2
    expected = (spin + 1) * (spin + 2) * (spin + 1.5) / 3
    assert len(bispectrum_tables(twojmax).components) == round(expected)
