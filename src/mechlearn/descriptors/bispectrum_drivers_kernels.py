"""The bispectrum over many atoms: gather eight, work, scatter.  Each function takes a range of groups of eight,
so that threads can share the work; what they write does not overlap, and no atom's numbers depend on the range.

Its first arguments are tuples: ``atoms`` (order, starts, second, vectors, elements) says who is near whom; ``radial``
(reaches, weights, rfac0, rmin0, switch) how a distance counts; ``tables`` (twojmax, block, norms) and the lists of
``products`` what U and Z are made of; ``memory`` (U of each group, whether it is there already) what is kept.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.bispectrum_kernels import (
    WIDE,
    add_density_change,
    adjoint_matrices,
    cayley_klein,
    contract_products,
    density_matrices,
    euler_values,
    pair_gradients,
    parameter_adjoint,
    wigner_matrices,
)
from mechlearn.descriptors.lane_kernels import LANES, aligned, load, store
from mechlearn.descriptors.pair_geometry_kernels import PAIR_NUMBERS, gather_pairs, pair_geometry


@njit(cache=True, nogil=True)
def most_neighbours(starts):
    """The largest number of neighbours, made even, as they are worked on by twos."""
    most = 2
    for i in range(starts.shape[0] - 1):
        most = max(most, starts[i + 1] - starts[i])
    return most + most % 2


@njit(cache=True, nogil=True)
def lane_atoms(order, group, lanes):
    """The atoms of a group of eight; a last, incomplete group repeats its last atom.  Returns how many are real."""
    real = min(LANES, order.shape[0] - group * LANES)
    for lane in range(LANES):
        lanes[lane] = order[group * LANES + min(lane, real - 1)]
    return real


@njit(cache=True, nogil=True)
def pairs_of(lanes, atoms, radial, slopes, gathered):
    """The pairs of eight atoms side by side, with their geometry; returns the largest number of neighbours."""
    _, starts, second, vectors, elements = atoms
    reaches, weights, rfac0, rmin0, switch = radial
    slots = gather_pairs(lanes, starts, second, vectors, elements, reaches, weights, gathered)
    pair_geometry(gathered, slots, rfac0, rmin0, switch, slopes)
    return slots


@njit(cache=True, nogil=True)
def density_of(group, gathered, slots, tables, memory, near, far, total):
    """U of eight atoms, from memory if it is there; into memory if it has room."""
    twojmax, block, norms = tables
    kept, known = memory
    if kept.shape[0] > 0:
        total = kept[group]
    if not known:
        density_matrices(gathered, slots, 1.0, twojmax, block, norms, near, far, total)
    return total


@njit(cache=True, nogil=True)
def compute_range(first, last, atoms, radial, tables, products, memory, shift, out):
    """B of the atoms of groups ``first:last``, less ``shift``."""
    places, factors, weights = products
    _, block, _ = tables
    lanes = np.empty(LANES, dtype=np.int64)
    gathered = aligned(most_neighbours(atoms[1]) * PAIR_NUMBERS * LANES)
    near, far, total = aligned(block[-1] * WIDE), aligned(block[-1] * WIDE), aligned(block[-1] * WIDE)
    features = out.shape[1]
    values = aligned(features * LANES)
    for group in range(first, last):
        real = lane_atoms(atoms[0], group, lanes)
        slots = 0
        if not memory[1]:
            slots = pairs_of(lanes, atoms, radial, False, gathered)
        density = density_of(group, gathered, slots, tables, memory, near, far, total)
        contract_products(density, density, places, factors, weights, values)
        for lane in range(real):
            for feature in range(features):
                out[lanes[lane], feature] = values[feature * LANES + lane] - shift[feature]


@njit(cache=True, nogil=True)
def pullback_range(first, last, atoms, radial, tables, products, memory, gradient, out_values, out):
    """Σ_l gradient[i, l] B_il of every atom, and Σ_l gradient[i, l] ∂B_il/∂r_ik of every pair (i, k), of groups
    ``first:last``."""
    places, factors, weights = products
    twojmax, block, norms = tables
    starts = atoms[1]
    lanes = np.empty(LANES, dtype=np.int64)
    most = most_neighbours(starts)
    gathered, gradients = aligned(most * PAIR_NUMBERS * LANES), aligned(most * 3 * LANES)
    near, far, total = aligned(block[-1] * WIDE), aligned(block[-1] * WIDE), aligned(block[-1] * WIDE)
    adjoint, folded = aligned(block[-1] * WIDE), aligned(4 * block[-1] * WIDE)
    features = gradient.shape[1]
    lane_gradient, values = aligned(features * LANES), aligned(LANES)
    for group in range(first, last):
        real = lane_atoms(atoms[0], group, lanes)
        slots = pairs_of(lanes, atoms, radial, True, gathered)
        for lane in range(LANES):
            for feature in range(features):
                lane_gradient[feature * LANES + lane] = gradient[lanes[lane], feature]
        density = density_of(group, gathered, slots, tables, memory, near, far, total)
        adjoint_matrices(density, lane_gradient, places, factors, weights, adjoint)
        store(values, 0, euler_values(density, adjoint, twojmax, block))
        parameter_adjoint(adjoint, twojmax, block, norms, folded)
        pair_gradients(gathered, slots, adjoint, twojmax, block, folded, near, far, gradients)
        for lane in range(real):
            out_values[lanes[lane]] = values[lane]
            begin = starts[lanes[lane]]
            for k in range(starts[lanes[lane] + 1] - begin):
                for axis in range(3):
                    out[begin + k, axis] = gradients[(k * 3 + axis) * LANES + lane]


@njit(cache=True, nogil=True)
def pushforward_range(first, last, atoms, radial, tables, products, memory, displacements, out):
    """Σ_k ∂B_il/∂r_ik · (d_k - d_i) of the atoms of groups ``first:last``."""
    places, factors, weights = products
    twojmax, block, norms = tables
    _, starts, second, _, _ = atoms
    lanes = np.empty(LANES, dtype=np.int64)
    most = most_neighbours(starts)
    gathered, moved = aligned(most * PAIR_NUMBERS * LANES), aligned(most * 3 * LANES)
    near, far, total = aligned(block[-1] * WIDE), aligned(block[-1] * WIDE), aligned(block[-1] * WIDE)
    change = aligned(block[-1] * WIDE)
    # Pairs that count nothing do not move either.
    moved[:] = 0.0
    features = out.shape[1]
    values = aligned(features * LANES)
    for group in range(first, last):
        real = lane_atoms(atoms[0], group, lanes)
        slots = pairs_of(lanes, atoms, radial, True, gathered)
        for lane in range(LANES):
            i = lanes[lane]
            for k in range(starts[i + 1] - starts[i]):
                for axis in range(3):
                    d = displacements[second[starts[i] + k], axis] - displacements[i, axis]
                    moved[(k * 3 + axis) * LANES + lane] = d
        density = density_of(group, gathered, slots, tables, memory, near, far, total)
        change[:] = 0.0
        for k in range(slots):
            pair = k * PAIR_NUMBERS * LANES
            a_r, a_i, b_r, b_i = cayley_klein(gathered, pair)
            wigner_matrices(a_r, a_i, b_r, b_i, twojmax + 1, block, near)
            d = k * 3 * LANES
            add_density_change(
                gathered, pair, load(moved, d), load(moved, d + LANES), load(moved, d + 2 * LANES),
                twojmax, block, norms, near, change,
            )  # fmt: skip
        contract_products(density, change, places, factors, weights, values)
        for lane in range(real):
            for feature in range(features):
                out[lanes[lane], feature] = values[feature * LANES + lane]


@njit(cache=True, nogil=True)
def forces_from_pairs(starts, second, vectors, structure_of_atom, pair_gradient, forces, virials):
    """f_i = +Σ g_ik, f_k = -Σ g_ik and W = -Σ r_ik ⊗ g_ik, always added in the order of the pairs."""
    for i in range(starts.shape[0] - 1):
        f_x, f_y, f_z = 0.0, 0.0, 0.0
        w_xx, w_xy, w_xz, w_yx, w_yy, w_yz, w_zx, w_zy, w_zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for p in range(starts[i], starts[i + 1]):
            k = second[p]
            x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
            g_x, g_y, g_z = pair_gradient[p, 0], pair_gradient[p, 1], pair_gradient[p, 2]
            f_x, f_y, f_z = f_x + g_x, f_y + g_y, f_z + g_z
            w_xx, w_xy, w_xz = w_xx + x * g_x, w_xy + x * g_y, w_xz + x * g_z
            w_yx, w_yy, w_yz = w_yx + y * g_x, w_yy + y * g_y, w_yz + y * g_z
            w_zx, w_zy, w_zz = w_zx + z * g_x, w_zy + z * g_y, w_zz + z * g_z
            forces[k, 0] -= g_x
            forces[k, 1] -= g_y
            forces[k, 2] -= g_z
        forces[i, 0] += f_x
        forces[i, 1] += f_y
        forces[i, 2] += f_z
        virial = virials[structure_of_atom[i]]
        virial[0, 0], virial[0, 1], virial[0, 2] = virial[0, 0] - w_xx, virial[0, 1] - w_xy, virial[0, 2] - w_xz
        virial[1, 0], virial[1, 1], virial[1, 2] = virial[1, 0] - w_yx, virial[1, 1] - w_yy, virial[1, 2] - w_yz
        virial[2, 0], virial[2, 1], virial[2, 2] = virial[2, 0] - w_zx, virial[2, 1] - w_zy, virial[2, 2] - w_zz
