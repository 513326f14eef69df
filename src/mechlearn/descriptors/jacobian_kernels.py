"""Products with stored derivatives of descriptors; ``values`` is (pairs, 3, features), flat.

All are bound by reading it: 1.4 numbers of arithmetic go with each byte.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, lane_sum, load, load_first, store


@njit(cache=True, nogil=True, inline="always")
def _copy(source, row, features, target):
    for feature in range(features):
        target[feature] = source[row, feature]


@njit(cache=True, nogil=True)
def _lanes_of(features):
    """Room for one number a feature, filled up with zeros to whole lanes."""
    return np.zeros(-(-features // LANES) * LANES)


@njit(cache=True, nogil=True, inline="always")
def _contracted(values, at, features, gradient):
    """Σ_l gradient[l] values[at + axis·features + l] along each axis."""
    x, y, z = broadcast(0.0), broadcast(0.0), broadcast(0.0)
    whole = (features - 1) // LANES * LANES
    for n in range(0, whole, LANES):
        g = load(gradient, n)
        x = x + g * load(values, at + n)
        y = y + g * load(values, at + features + n)
        z = z + g * load(values, at + 2 * features + n)
    g = load(gradient, whole)
    x = x + g * load_first(values, at + whole, features - whole)
    y = y + g * load_first(values, at + features + whole, features - whole)
    z = z + g * load_first(values, at + 2 * features + whole, features - whole)
    return lane_sum(x), lane_sum(y), lane_sum(z)


@njit(cache=True, nogil=True, inline="always")
def _add_pushed(values, at, features, x, y, z, change):
    """change[l] += x values[at + l] + y values[at + features + l] + z values[at + 2·features + l]."""
    whole = (features - 1) // LANES * LANES
    for n in range(0, whole, LANES):
        along = load(change, n) + x * load(values, at + n)
        along = along + y * load(values, at + features + n)
        store(change, n, along + z * load(values, at + 2 * features + n))
    along = load(change, whole) + x * load_first(values, at + whole, features - whole)
    along = along + y * load_first(values, at + features + whole, features - whole)
    store(change, whole, along + z * load_first(values, at + 2 * features + whole, features - whole))


@njit(cache=True, nogil=True)
def contract_jacobian(starts, values, gradient, out):
    """out[p, axis] = Σ_l gradient[i, l] values[p, axis, l]."""
    features = gradient.shape[1]
    own = _lanes_of(features)
    for i in range(starts.shape[0] - 1):
        _copy(gradient, i, features, own)
        for p in range(starts[i], starts[i + 1]):
            out[p, 0], out[p, 1], out[p, 2] = _contracted(values, p * 3 * features, features, own)


@njit(cache=True, nogil=True)
def push_jacobian(first, last, starts, second, values, displacements, out):
    """out[i, l] = Σ_k values[p, axis, l] (d_k - d_i)[axis] of the atoms ``first:last``."""
    features = out.shape[1]
    change = _lanes_of(features)
    for i in range(first, last):
        change[:] = 0.0
        d_x, d_y, d_z = displacements[i, 0], displacements[i, 1], displacements[i, 2]
        for p in range(starts[i], starts[i + 1]):
            k = second[p]
            _add_pushed(
                values,
                p * 3 * features,
                features,
                displacements[k, 0] - d_x,
                displacements[k, 1] - d_y,
                displacements[k, 2] - d_z,
                change,
            )
        for feature in range(features):
            out[i, feature] = change[feature]


@njit(cache=True, nogil=True)
def _pull_forces(first, last, starts, second, values, gradient, forces):
    """f_i = Σ_k g_i·∂B_i/∂r_k, f_k = -Σ_i g_i·∂B_i/∂r_k, of the atoms ``first:last`` of one structure."""
    features = gradient.shape[1]
    own = _lanes_of(features)
    forces[first:last] = 0.0
    for i in range(first, last):
        _copy(gradient, i, features, own)
        f_x, f_y, f_z = 0.0, 0.0, 0.0
        for p in range(starts[i], starts[i + 1]):
            x, y, z = _contracted(values, p * 3 * features, features, own)
            f_x += x
            f_y += y
            f_z += z
            k = second[p]
            forces[k, 0] -= x
            forces[k, 1] -= y
            forces[k, 2] -= z
        forces[i, 0] += f_x
        forces[i, 1] += f_y
        forces[i, 2] += f_z


@njit(cache=True, nogil=True)
def force_misfit(offsets, starts, second, values, gradient, targets, weights, with_slope, slope):
    """Σ_k w_k |f_k - F_k|² and, where asked for, its ``slope`` by the gradient.

    Structure by structure: its derivatives, read once from memory, are still in the cache for the way back.
    """
    forces = np.empty_like(targets)
    misfit = 0.0
    for s in range(offsets.shape[0] - 1):
        first, last = offsets[s], offsets[s + 1]
        _pull_forces(first, last, starts, second, values, gradient, forces)
        for i in range(first, last):
            for axis in range(3):
                difference = forces[i, axis] - targets[i, axis]
                misfit += weights[i] * difference**2
                # f falls where B grows along a displacement: the slope is the descriptor's change along this one.
                forces[i, axis] = -2.0 * weights[i] * difference
        if with_slope:
            push_jacobian(first, last, starts, second, values, forces, slope)
    return misfit
