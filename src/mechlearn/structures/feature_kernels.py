"""Compiled sums over neighbours: simple features of every atom, for judging labels."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _radial(r, cutoff, values):
    """φ_k(r) = (1 − x²)² sin(kπx) / x with x = r / cutoff, k = 1 … K: zero with its slope at the cutoff."""
    if r >= cutoff:
        values[:] = 0.0
        return
    x = r / cutoff
    window = (1.0 - x * x) ** 2 / max(x, 1e-6)
    # sin((k+1)θ) = 2 cos θ sin(kθ) − sin((k−1)θ) spares all sines but the first.
    turn = 2.0 * np.cos(np.pi * x)
    before, now = 0.0, np.sin(np.pi * x)
    for k in range(len(values)):
        values[k] = window * now
        before, now = now, turn * now - before


@njit(cache=True, nogil=True)
def atomic_features(starts, second, vectors, distances, kinds, kind_count, scale, cutoff, radial, coupled):
    """Two- and three-body invariants of every atom, with all lengths multiplied by ``scale``.

    With A_k = Σ_j φ_k, v_k = Σ_j φ_k r̂ and T_k = Σ_j φ_k r̂r̂ over the neighbours j: A_k over each kind of
    neighbour (k ≤ radial); and A_k A_l, v_k·v_l, T_k:T_l over all neighbours (k ≤ l ≤ coupled).  Returns
    (atoms, features).
    """
    width = kind_count * radial + 3 * (coupled * (coupled + 1) // 2)
    features = np.zeros((len(starts) - 1, width))
    values = np.empty(radial)
    moments = np.empty((coupled, 10))
    for i in range(len(starts) - 1):
        row = features[i]
        moments[:] = 0.0
        for n in range(starts[i], starts[i + 1]):
            _radial(distances[n] * scale, cutoff, values)
            column = kinds[second[n]] * radial
            for k in range(radial):
                row[column + k] += values[k]
            x = vectors[n, 0] / distances[n]
            y = vectors[n, 1] / distances[n]
            z = vectors[n, 2] / distances[n]
            for k in range(coupled):
                value = values[k]
                moments[k, 0] += value
                moments[k, 1] += value * x
                moments[k, 2] += value * y
                moments[k, 3] += value * z
                moments[k, 4] += value * x * x
                moments[k, 5] += value * y * y
                moments[k, 6] += value * z * z
                moments[k, 7] += value * y * z
                moments[k, 8] += value * x * z
                moments[k, 9] += value * x * y
        _couple(moments, row[kind_count * radial :])
    return features


@njit(cache=True, nogil=True)
def _couple(moments, row):
    """Write A_k A_l, v_k·v_l and T_k:T_l of one atom into its row."""
    column = 0
    for k in range(len(moments)):
        for m in range(k, len(moments)):
            row[column] += moments[k, 0] * moments[m, 0]
            for a in range(1, 4):
                row[column + 1] += moments[k, a] * moments[m, a]
            for a in range(4, 7):
                # T is symmetric: its three off-diagonal places count twice.
                row[column + 2] += moments[k, a] * moments[m, a] + 2.0 * moments[k, a + 3] * moments[m, a + 3]
            column += 3
