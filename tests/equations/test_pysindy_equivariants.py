"""Equivariant terms serve in PySINDy, and keep one coefficient for all components."""

import numpy as np
import pytest
from sklearn.base import clone

from equations.quantity_cases import FIELD, STRAIN, STRESS, VECTOR
from mechlearn.equations.symmetry.equivariants import equivariant_library
from mechlearn.errors import InputError

pysindy = pytest.importorskip("pysindy")


def test_pysindy_finds_a_vector_law_with_them():
    from mechlearn.equations.peers.pysindy_equivariants import EquivariantFeatures, EquivariantRegression

    rng = np.random.default_rng(0)
    velocity, field = rng.normal(size=(2, 300, 3))
    rate = 0.7 * np.cross(velocity, field) - 0.3 * velocity + 0.01 * rng.normal(size=(300, 3))
    library = equivariant_library([VECTOR, FIELD], VECTOR, "isotropic", 3)
    features = EquivariantFeatures(library)
    model = clone(pysindy.SINDy(feature_library=features, optimizer=EquivariantRegression(library)))
    model.fit(velocity, t=0.1, x_dot=rate, u=field)
    expected = np.zeros((3, len(library), 3))
    expected[:, library.names.index("v")] = -0.3 * np.eye(3)
    expected[:, library.names.index("v × B")] = 0.7 * np.eye(3)
    np.testing.assert_allclose(model.coefficients(), expected.reshape(3, -1), atol=5e-3)
    assert np.count_nonzero(model.coefficients()) == 6
    assert np.abs(model.predict(velocity, u=field) - rate).max() < 0.06
    assert "v × B .x" in model.get_feature_names()


def test_constraints_leave_one_coefficient_a_term():
    from mechlearn.equations.peers.pysindy_equivariants import EquivariantFeatures

    library = equivariant_library([STRAIN], STRESS, "cubic", 1)
    matrix, values = EquivariantFeatures(library).constraints()
    assert matrix.shape[1] - np.linalg.matrix_rank(matrix) == len(library)
    coefficients = np.kron(np.random.default_rng(1).normal(size=len(library)), np.eye(6))
    np.testing.assert_allclose(matrix @ coefficients.ravel(), values, atol=1e-15)


def test_wrong_columns_are_named():
    from mechlearn.equations.peers.pysindy_equivariants import EquivariantFeatures

    features = EquivariantFeatures(equivariant_library([STRAIN], STRESS, "cubic", 1))
    with pytest.raises(InputError, match="the data have 3 columns, the inputs E 6 components"):
        features.fit(np.ones((5, 3)))
