"""Compiled fits of the affine motion of each atom's neighbours."""

import numpy as np
from numba import njit

#: A matrix of neighbours with a smaller determinant, its trace being one, is that of a line or a plane.
FLAT = 1e-9


@njit(cache=True, nogil=True)
def affine_fits(starts, second, vectors, weights, displacements):
    """The G that minimises Σ_j ω_ij |w_j − w_i − G r_ij|² for every atom i, the minimum, and whether G is defined.

    G = V W⁻¹ with V = Σ_j ω_ij (w_j − w_i) ⊗ r_ij and W = Σ_j ω_ij r_ij ⊗ r_ij.
    """
    atoms = displacements.shape[0]
    gradients, minima, defined = np.zeros((atoms, 3, 3)), np.zeros(atoms), np.zeros(atoms, dtype=np.bool_)
    W, V, inverse = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for i in range(atoms):
        W[:], V[:] = 0.0, 0.0
        for p in range(starts[i], starts[i + 1]):
            for a in range(3):
                change = displacements[second[p], a] - displacements[i, a]
                for b in range(3):
                    W[a, b] += weights[p] * vectors[p, a] * vectors[p, b]
                    V[a, b] += weights[p] * change * vectors[p, b]
        defined[i] = _invert(W, inverse)
        if not defined[i]:
            continue
        for a in range(3):
            for b in range(3):
                for c in range(3):
                    gradients[i, a, b] += V[a, c] * inverse[c, b]
        # A second pass: the minimum written in sums of the first is a small difference of large numbers.
        for p in range(starts[i], starts[i + 1]):
            for a in range(3):
                rest = displacements[second[p], a] - displacements[i, a]
                for b in range(3):
                    rest -= gradients[i, a, b] * vectors[p, b]
                minima[i] += weights[p] * rest * rest
    return gradients, minima, defined


@njit(cache=True, nogil=True)
def _invert(matrix, inverse):
    """Write the inverse of a symmetric matrix, and say whether it has one."""
    trace = matrix[0, 0] + matrix[1, 1] + matrix[2, 2]
    for a in range(3):
        for b in range(3):
            c, d, e, f = (a + 1) % 3, (a + 2) % 3, (b + 1) % 3, (b + 2) % 3
            inverse[b, a] = matrix[c, e] * matrix[d, f] - matrix[c, f] * matrix[d, e]
    determinant = matrix[0, 0] * inverse[0, 0] + matrix[0, 1] * inverse[1, 0] + matrix[0, 2] * inverse[2, 0]
    if not determinant > FLAT * trace * trace * trace:
        return False
    for a in range(3):
        for b in range(3):
            inverse[a, b] /= determinant
    return True
