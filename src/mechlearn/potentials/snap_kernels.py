"""Compiled rows of the least-squares problem of linear and quadratic SNAP."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def expand(values, quadratic, out):
    """Features of each atom: B, and for quadratic SNAP ½ B_a² and B_a B_b (a < b), LAMMPS's order."""
    features = values.shape[1]
    for i in range(values.shape[0]):
        for a in range(features):
            out[i, a] = values[i, a]
        if quadratic:
            place = features
            for a in range(features):
                out[i, place] = 0.5 * values[i, a] * values[i, a]
                place += 1
                for b in range(a + 1, features):
                    out[i, place] = values[i, a] * values[i, b]
                    place += 1


@njit(cache=True, nogil=True)
def derivative_rows(
    starts, second, vectors, structure_of_atom, element, values, derivatives, quadratic, forces, stresses
):
    """-∂Φ/∂r of every atom and Σ r ⊗ ∂Φ/∂r (Voigt) of every structure, Φ the features summed over atoms.

    ``forces`` is (atoms, 3, columns), ``stresses`` (structures, 6, columns); an element's columns follow another's,
    each with its constant first.
    """
    features = values.shape[1]
    columns = 1 + features + (features * (features + 1) // 2 if quadratic else 0)
    row = np.empty(columns)
    with_forces, with_stresses = forces.shape[0] > 0, stresses.shape[0] > 0
    for i in range(starts.shape[0] - 1):
        shift = element[i] * columns
        s = structure_of_atom[i]
        for p in range(starts[i], starts[i + 1]):
            k = second[p]
            for x in range(3):
                row[0] = 0.0
                for a in range(features):
                    row[1 + a] = derivatives[p, x, a]
                if quadratic:
                    place = 1 + features
                    for a in range(features):
                        b_a, d_a = values[i, a], derivatives[p, x, a]
                        row[place] = b_a * d_a
                        for b in range(a + 1, features):
                            row[place + b - a] = b_a * derivatives[p, x, b] + values[i, b] * d_a
                        place += features - a
                if with_forces and k != i:
                    for c in range(columns):
                        forces[k, x, shift + c] -= row[c]
                        forces[i, x, shift + c] += row[c]
                if with_stresses:
                    for y in range(3):
                        # Voigt: xx yy zz yz xz xy; a pair of unequal axes is met twice and halved.
                        v = x if x == y else 6 - x - y
                        scale = vectors[p, y] if x == y else 0.5 * vectors[p, y]
                        for c in range(columns):
                            stresses[s, v, shift + c] += scale * row[c]
