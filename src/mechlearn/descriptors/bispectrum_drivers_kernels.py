"""The bispectrum over many atoms: gather eight, work, scatter.  Each function takes a range of groups of eight,
so that threads can share the work; what they write does not overlap, and no atom's numbers depend on the range."""

import numpy as np
from numba import njit

from mechlearn.descriptors.bispectrum_kernels import (
    PAIR_NUMBERS,
    WIDE,
    add_density_change,
    adjoint_matrices,
    cayley_klein,
    contracted_products,
    density_matrices,
    gather_pairs,
    pair_gradients,
    parameter_adjoint,
    product_element,
    wigner_matrices,
)
from mechlearn.descriptors.lane_kernels import LANES, broadcast, load, store


@njit(cache=True, nogil=True)
def _most_neighbours(starts):
    most = 0
    for i in range(starts.shape[0] - 1):
        most = max(most, starts[i + 1] - starts[i])
    return most


@njit(cache=True, nogil=True)
def _lane_atoms(order, group, atoms):
    """The atoms of a group of eight; a last, incomplete group repeats its last atom.  Returns how many are real."""
    real = min(LANES, order.shape[0] - group * LANES)
    for lane in range(LANES):
        atoms[lane] = order[group * LANES + min(lane, real - 1)]
    return real


@njit(cache=True, nogil=True)
def compute_range(
    first, last, order, starts, geometry, self_weight, twojmax, block, roots, half_weights, triples, factors,
    coefficients, shift, out,
):  # fmt: skip
    """B of the atoms of groups ``first:last``, less ``shift``."""
    atoms = np.empty(LANES, dtype=np.int64)
    gathered = np.empty(max(_most_neighbours(starts), 1) * PAIR_NUMBERS * LANES)
    u, total = np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE)
    features = out.shape[1]
    values = np.empty(features * LANES)
    for group in range(first, last):
        real = _lane_atoms(order, group, atoms)
        slots = gather_pairs(atoms, starts, geometry, PAIR_NUMBERS, gathered)
        density_matrices(gathered, slots, self_weight, twojmax, block, roots, u, total)
        contracted_products(total, total, False, block, half_weights, triples, factors, coefficients, values)
        for lane in range(real):
            for feature in range(features):
                out[atoms[lane], feature] = values[feature * LANES + lane] - shift[feature]


@njit(cache=True, nogil=True)
def pullback_range(
    first, last, order, starts, geometry, self_weight, twojmax, block, roots, half_weights, triples, factors,
    coefficients, gradient, out,
):  # fmt: skip
    """Σ_l gradient[i, l] ∂B_il/∂r_ik of every pair (i, k) of groups ``first:last``."""
    atoms = np.empty(LANES, dtype=np.int64)
    most = max(_most_neighbours(starts), 1)
    gathered = np.empty(most * PAIR_NUMBERS * LANES)
    gradients = np.empty(most * 3 * LANES)
    u, total, adjoint = np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE)
    folded = np.empty(4 * block[-1] * WIDE)
    features = gradient.shape[1]
    lane_gradient = np.empty(features * LANES)
    for group in range(first, last):
        real = _lane_atoms(order, group, atoms)
        slots = gather_pairs(atoms, starts, geometry, PAIR_NUMBERS, gathered)
        for lane in range(LANES):
            for feature in range(features):
                lane_gradient[feature * LANES + lane] = gradient[atoms[lane], feature]
        density_matrices(gathered, slots, self_weight, twojmax, block, roots, u, total)
        adjoint_matrices(total, lane_gradient, block, half_weights, triples, factors, coefficients, adjoint)
        parameter_adjoint(adjoint, twojmax, block, roots, folded)
        pair_gradients(gathered, slots, adjoint, twojmax, block, roots, folded, u, gradients)
        for lane in range(real):
            begin = starts[atoms[lane]]
            for k in range(starts[atoms[lane] + 1] - begin):
                for axis in range(3):
                    out[begin + k, axis] = gradients[(k * 3 + axis) * LANES + lane]


@njit(cache=True, nogil=True)
def pushforward_range(
    first, last, order, starts, geometry, self_weight, twojmax, block, roots, half_weights, triples, factors,
    coefficients, pair_displacements, out,
):  # fmt: skip
    """Σ_k ∂B_il/∂r_ik · d_ik of the atoms of groups ``first:last``; ``pair_displacements`` is (3, pairs)."""
    atoms = np.empty(LANES, dtype=np.int64)
    most = max(_most_neighbours(starts), 1)
    gathered = np.empty(most * PAIR_NUMBERS * LANES)
    moved = np.empty(most * 3 * LANES)
    u, total, change = np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE)
    features = out.shape[1]
    values = np.empty(features * LANES)
    for group in range(first, last):
        real = _lane_atoms(order, group, atoms)
        slots = gather_pairs(atoms, starts, geometry, PAIR_NUMBERS, gathered)
        gather_pairs(atoms, starts, pair_displacements, 3, moved)
        density_matrices(gathered, slots, self_weight, twojmax, block, roots, u, total)
        change[:] = 0.0
        for k in range(slots):
            offset = k * PAIR_NUMBERS * LANES
            a_r, a_i, b_r, b_i = cayley_klein(gathered, offset)
            wigner_matrices(a_r, a_i, b_r, b_i, twojmax + 1, block, roots, u)
            v = k * 3 * LANES
            add_density_change(
                gathered, offset, load(moved, v), load(moved, v + LANES), load(moved, v + 2 * LANES),
                twojmax, block, roots, u, change,
            )  # fmt: skip
        contracted_products(total, change, True, block, half_weights, triples, factors, coefficients, values)
        for lane in range(real):
            for feature in range(features):
                out[atoms[lane], feature] = values[feature * LANES + lane]


@njit(cache=True, nogil=True)
def _all_products(total, block, half_weights, triples, factors, coefficients, products):
    """2 · factor · weight · Z of every product and every summed element, one after the other."""
    position = 0
    for t in range(triples.shape[0]):
        j1, j2, j, start = triples[t, 0], triples[t, 1], triples[t, 2], triples[t, 4]
        for mb in range(j // 2 + 1):
            for ma in range(mb + 1 if 2 * mb == j else j + 1):
                z_r, z_i = product_element(total, coefficients, start, block[j1], block[j2], j1, j2, j, mb, ma)
                scale = 2.0 * factors[t] * half_weights[block[j] + (j + 1) * mb + ma]
                store(products, position, scale * z_r)
                store(products, position + LANES, scale * z_i)
                position += WIDE


@njit(cache=True, nogil=True)
def _contract_directions(products, change_x, change_y, change_z, block, triples, features, values):
    """values[(axis·features + l)·8 + lane] = Σ_t→l Σ_m dU_axis[m] : products_t[m]."""
    zero = broadcast(0.0)
    for n in range(0, 3 * features * LANES, LANES):
        store(values, n, zero)
    position = 0
    for t in range(triples.shape[0]):
        j, component = triples[t, 2], triples[t, 3]
        along_x, along_y, along_z = zero, zero, zero
        for mb in range(j // 2 + 1):
            m = (block[j] + (j + 1) * mb) * WIDE
            for _ in range(mb + 1 if 2 * mb == j else j + 1):
                z_r, z_i = load(products, position), load(products, position + LANES)
                along_x = along_x + z_r * load(change_x, m) + z_i * load(change_x, m + LANES)
                along_y = along_y + z_r * load(change_y, m) + z_i * load(change_y, m + LANES)
                along_z = along_z + z_r * load(change_z, m) + z_i * load(change_z, m + LANES)
                m += WIDE
                position += WIDE
        at_x, at_y, at_z = component * LANES, (features + component) * LANES, (2 * features + component) * LANES
        store(values, at_x, load(values, at_x) + along_x)
        store(values, at_y, load(values, at_y) + along_y)
        store(values, at_z, load(values, at_z) + along_z)


@njit(cache=True, nogil=True)
def jacobian_range(
    first, last, order, starts, geometry, self_weight, twojmax, block, roots, half_weights, triples, factors,
    coefficients, shift, out_values, out,
):  # fmt: skip
    """B (less ``shift``) and ∂B_il/∂r_ik, (pairs, 3, features), of groups ``first:last``."""
    atoms = np.empty(LANES, dtype=np.int64)
    gathered = np.empty(max(_most_neighbours(starts), 1) * PAIR_NUMBERS * LANES)
    u, total = np.empty(block[-1] * WIDE), np.empty(block[-1] * WIDE)
    change_x, change_y, change_z = (
        np.empty(block[-1] * WIDE),
        np.empty(block[-1] * WIDE),
        np.empty(block[-1] * WIDE),
    )
    elements = 0
    for t in range(triples.shape[0]):
        elements += (triples[t, 2] // 2 + 1) * (triples[t, 2] + 1)
    products = np.empty(elements * WIDE)
    features = out.shape[2]
    values = np.empty(3 * features * LANES)
    one, zero = broadcast(1.0), broadcast(0.0)
    for group in range(first, last):
        real = _lane_atoms(order, group, atoms)
        slots = gather_pairs(atoms, starts, geometry, PAIR_NUMBERS, gathered)
        density_matrices(gathered, slots, self_weight, twojmax, block, roots, u, total)
        contracted_products(
            total, total, False, block, half_weights, triples, factors, coefficients, values[: features * LANES]
        )
        for lane in range(real):
            for feature in range(features):
                out_values[atoms[lane], feature] = values[feature * LANES + lane] - shift[feature]
        _all_products(total, block, half_weights, triples, factors, coefficients, products)
        for k in range(slots):
            offset = k * PAIR_NUMBERS * LANES
            a_r, a_i, b_r, b_i = cayley_klein(gathered, offset)
            wigner_matrices(a_r, a_i, b_r, b_i, twojmax + 1, block, roots, u)
            change_x[:] = 0.0
            change_y[:] = 0.0
            change_z[:] = 0.0
            add_density_change(gathered, offset, one, zero, zero, twojmax, block, roots, u, change_x)
            add_density_change(gathered, offset, zero, one, zero, twojmax, block, roots, u, change_y)
            add_density_change(gathered, offset, zero, zero, one, twojmax, block, roots, u, change_z)
            _contract_directions(products, change_x, change_y, change_z, block, triples, features, values)
            for lane in range(real):
                begin = starts[atoms[lane]]
                if k < starts[atoms[lane] + 1] - begin:
                    for axis in range(3):
                        for feature in range(features):
                            out[begin + k, axis, feature] = values[(axis * features + feature) * LANES + lane]


@njit(cache=True, nogil=True)
def forces_from_pairs(starts, second, vectors, structure_of_atom, pair_gradient, forces, virials):
    """f_i = +Σ g_ik, f_k = -Σ g_ik and W = -Σ r_ik ⊗ g_ik, always added in the order of the pairs."""
    for i in range(starts.shape[0] - 1):
        s = structure_of_atom[i]
        for p in range(starts[i], starts[i + 1]):
            k = second[p]
            for x in range(3):
                g = pair_gradient[p, x]
                forces[i, x] += g
                forces[k, x] -= g
                for y in range(3):
                    virials[s, y, x] -= vectors[p, y] * g


@njit(cache=True, nogil=True)
def contract_jacobian(starts, second, values, gradient, out):
    """out[p, axis] = Σ_l gradient[i, l] values[p, axis, l]."""
    for i in range(starts.shape[0] - 1):
        for p in range(starts[i], starts[i + 1]):
            for axis in range(3):
                total = 0.0
                for feature in range(gradient.shape[1]):
                    total += gradient[i, feature] * values[p, axis, feature]
                out[p, axis] = total


@njit(cache=True, nogil=True)
def push_jacobian(starts, second, values, displacements, out):
    """out[i, l] = Σ_k values[p, axis, l] (d_k - d_i)[axis]."""
    for i in range(starts.shape[0] - 1):
        for p in range(starts[i], starts[i + 1]):
            k = second[p]
            for axis in range(3):
                d = displacements[k, axis] - displacements[i, axis]
                for feature in range(out.shape[1]):
                    out[i, feature] += d * values[p, axis, feature]
