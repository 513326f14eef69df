"""All derivatives ∂B_l/∂r_k of the bispectrum, eight atoms at a time and two of their neighbours at once.

    W_lj[m]     = n_j[m] ∂B_l/∂U_j[m]: the products Z in rows, once an atom          ``adjoint_rows``
    ∂V_j/∂r_k     of V_j = Σ_k w f_c v_j, along x, y and z                            ``density_change``
    ∂B_l/∂r_k   = Σ_j W_lj : ∂V_j/∂r_k                                                ``contract_rows``

The last is a product of matrices, (components) × (elements) × (directions of all neighbours), and most of the
arithmetic: 26 kflop a pair at 2J = 8.  Two components by six directions are summed in registers, so that what is
loaded serves several multiplications; ∂V_j stays in the first cache, and W streams from the second.

See ``bispectrum_kernels`` for v, U, Z and the layout of eight atoms, ``derivative_rows`` for that of W.
"""

from collections import namedtuple

import numpy as np
from numba import njit

from mechlearn.descriptors.bispectrum_drivers_kernels import density_of, lane_atoms, most_neighbours, pairs_of
from mechlearn.descriptors.bispectrum_kernels import WIDE, two_neighbours, two_products
from mechlearn.descriptors.lane_kernels import LANES, aligned, broadcast, load, store, transpose
from mechlearn.descriptors.pair_geometry_kernels import (
    A_SLOPE,
    FADE,
    FADE_SLOPE,
    INVERSE,
    PAIR_NUMBERS,
    Q_SLOPE,
    Q,
    X,
    Y,
    Z,
)

#: Neighbours that are worked on at once.
ABREAST = 2

#: Buffers of one thread for eight atoms: who they are; their pairs; U; v of two neighbours; W; ∂V along six directions;
#: ∂B with the atoms side by side, and ∂B as (neighbours, atoms, 3, components), flat and in this shape.
Workspace = namedtuple("Workspace", "lanes gathered total near far adjoint change values flat blocks")


@njit(cache=True, nogil=True)
def workspace(starts, block, rows):
    """Buffers for atoms with so many neighbours."""
    _, component, start, _ = rows
    # One component more than there are: for the rows that only make a number even.
    components = (component.max() // LANES + 1) * LANES
    flat = aligned(ABREAST * LANES * 3 * components)
    return Workspace(
        np.empty(LANES, dtype=np.int64),
        aligned(most_neighbours(starts) * PAIR_NUMBERS * LANES),
        aligned(block[-1] * WIDE),
        aligned(block[-1] * WIDE),
        aligned(block[-1] * WIDE),
        zeros((start[-1] + 1) * WIDE),
        aligned(3 * ABREAST * (block[-1] - block[-2]) * WIDE),
        aligned(3 * ABREAST * components * LANES),
        flat,
        flat.reshape((ABREAST, LANES, 3, components)),
    )


@njit(cache=True, nogil=True)
def zeros(count):
    """So many zeros, from a cache line on."""
    numbers = aligned(count)
    numbers[:] = 0.0
    return numbers


@njit(cache=True, nogil=True)
def adjoint_rows(total, norms, products, rows, adjoint):
    """W_lj[m] = n_j[m] Z_lj[m]."""
    places, factors, weights = products
    targets = rows[3]
    for n in range(places.shape[0]):
        z_r, z_i, other_r, other_i = two_products(total, places[n, 0], places[n, 1], factors, weights)
        norm, target = norms[places[n, 2]], targets[n, 0] * WIDE
        store(adjoint, target, norm * z_r)
        store(adjoint, target + LANES, norm * z_i)
        norm, target = norms[places[n, 4]], targets[n, 1] * WIDE
        store(adjoint, target, norm * other_r)
        store(adjoint, target + LANES, norm * other_i)


@njit(cache=True, nogil=True)
def component_values(total, tables, rows, work):
    """B_l = ⅓ Σ_j W_lj : V_j by Euler's theorem, as B is of degree three in U; left in the first of ``work.values``."""
    twojmax, block, norms = tables
    first, component, start, _ = rows
    for m in range(block[-1]):
        store(work.near, m * WIDE, (1.0 / norms[m]) * load(total, m * WIDE))
        store(work.near, m * WIDE + LANES, (1.0 / norms[m]) * load(total, m * WIDE + LANES))
    for n in range(0, work.values.shape[0], LANES):
        store(work.values, n, broadcast(0.0))
    for j in range(twojmax + 1):
        for row in range(first[j], first[j + 1]):
            value, m = broadcast(0.0), block[j] * WIDE
            for n in range(start[row] * WIDE, start[row + 1] * WIDE, LANES):
                value = value + load(work.adjoint, n) * load(work.near, m)
                m += LANES
            place = component[row] * LANES
            store(work.values, place, load(work.values, place) + (1.0 / 3.0) * value)


@njit(cache=True, nogil=True)
def density_change(gathered, pair, j, block, v, change, first, apart):
    """∂(w f_c v_j)/∂r of one neighbour: its summed elements along x, y and z, ``apart`` from each other.

    a_r and q depend on r alone, and a_i = -z q, b_r = y q, b_i = -x q: the change is one along r̂, and for each axis
    one of b_i, b_r or a_i at fixed q.
    """
    zero = broadcast(0.0)
    x, y, z = load(gathered, pair + X * LANES), load(gathered, pair + Y * LANES), load(gathered, pair + Z * LANES)
    weight, inverse = load(gathered, pair + FADE * LANES), load(gathered, pair + INVERSE * LANES)
    slope, turn = weight * load(gathered, pair + Q_SLOPE * LANES), weight * load(gathered, pair + Q * LANES)
    da_r, da_i = weight * load(gathered, pair + A_SLOPE * LANES), zero - slope * z
    db_r, db_i = slope * y, zero - slope * x
    d_weight = load(gathered, pair + FADE_SLOPE * LANES)
    x, y, z = x * inverse, y * inverse, z * inverse
    n = first
    for mb in range(j // 2 + 1):
        m = (block[j] + (j + 1) * mb) * WIDE
        here, above = (block[j - 1] + j * mb) * WIDE, (block[j - 1] + j * (mb - 1)) * WIDE
        # (j - mb) v_{j-1}[mb, ma] and [mb, ma-1], mb v_{j-1}[mb-1, ma-1] and [mb-1, ma]: ∂v/∂a*, -∂v/∂b*, ∂v/∂a, ∂v/∂b.
        p_r, p_i, q_r, q_i, s_r, s_i, t_r, t_i = zero, zero, zero, zero, zero, zero, zero, zero
        for ma in range(mb + 1 if 2 * mb == j else j + 1):
            q_r, q_i, s_r, s_i = p_r, p_i, t_r, t_i
            p_r, p_i, t_r, t_i = zero, zero, zero, zero
            if ma < j:
                p_r, p_i = (1.0 * (j - mb)) * load(v, here), (1.0 * (j - mb)) * load(v, here + LANES)
                if mb > 0:
                    t_r, t_i = (1.0 * mb) * load(v, above), (1.0 * mb) * load(v, above + LANES)
            by_a_i_r, by_a_i_i = p_i - s_i, s_r - p_r
            by_b_r_r, by_b_r_i = t_r - q_r, t_i - q_i
            by_b_i_r, by_b_i_i = zero - t_i - q_i, t_r + q_r
            radial_r = da_r * (p_r + s_r) + da_i * by_a_i_r + db_r * by_b_r_r + db_i * by_b_i_r + d_weight * load(v, m)
            radial_i = da_r * (p_i + s_i) + da_i * by_a_i_i + db_r * by_b_r_i + db_i * by_b_i_i
            radial_i = radial_i + d_weight * load(v, m + LANES)
            store(change, n, x * radial_r - turn * by_b_i_r)
            store(change, n + LANES, x * radial_i - turn * by_b_i_i)
            store(change, n + apart, y * radial_r + turn * by_b_r_r)
            store(change, n + apart + LANES, y * radial_i + turn * by_b_r_i)
            store(change, n + 2 * apart, z * radial_r - turn * by_a_i_r)
            store(change, n + 2 * apart + LANES, z * radial_i - turn * by_a_i_i)
            here += WIDE
            above += WIDE
            m += WIDE
            n += WIDE


@njit(cache=True, nogil=True)
def contract_rows(adjoint, first, length, change, values, at_first, at_second, apart):
    """Add W : ∂V of two rows, the second behind the first, along six directions that are ``apart`` in ``values``."""
    zero = broadcast(0.0)
    p0, p1, p2, p3, p4, p5 = zero, zero, zero, zero, zero, zero
    q0, q1, q2, q3, q4, q5 = zero, zero, zero, zero, zero, zero
    for n in range(0, length, LANES):
        p, q = load(adjoint, first + n), load(adjoint, first + length + n)
        x, y, z = load(change, n), load(change, n + length), load(change, n + 2 * length)
        p0, p1, p2 = p0 + p * x, p1 + p * y, p2 + p * z
        q0, q1, q2 = q0 + q * x, q1 + q * y, q2 + q * z
        x, y, z = load(change, n + 3 * length), load(change, n + 4 * length), load(change, n + 5 * length)
        p3, p4, p5 = p3 + p * x, p4 + p * y, p5 + p * z
        q3, q4, q5 = q3 + q * x, q4 + q * y, q5 + q * z
    _add_six(values, at_first, apart, p0, p1, p2, p3, p4, p5)
    _add_six(values, at_second, apart, q0, q1, q2, q3, q4, q5)


@njit(cache=True, nogil=True)
def _add_six(values, at, apart, s0, s1, s2, s3, s4, s5):
    store(values, at, load(values, at) + s0)
    store(values, at + apart, load(values, at + apart) + s1)
    store(values, at + 2 * apart, load(values, at + 2 * apart) + s2)
    store(values, at + 3 * apart, load(values, at + 3 * apart) + s3)
    store(values, at + 4 * apart, load(values, at + 4 * apart) + s4)
    store(values, at + 5 * apart, load(values, at + 5 * apart) + s5)


@njit(cache=True, nogil=True)
def pair_derivatives(k, tables, rows, work):
    """∂B_l/∂r of neighbours k and k + 1 of eight atoms, left in ``work.blocks``."""
    twojmax, block, _ = tables
    first, component, start, _ = rows
    gathered, near, far = work.gathered, work.near, work.far
    values, components = work.values, work.blocks.shape[3]
    pair, next_pair = k * PAIR_NUMBERS * LANES, (k + 1) * PAIR_NUMBERS * LANES
    two_neighbours(gathered, pair, twojmax + 1, block, near, far, near, False)
    for n in range(0, values.shape[0], LANES):
        store(values, n, broadcast(0.0))
    for j in range(twojmax + 1):
        length = (start[first[j] + 1] - start[first[j]]) * WIDE
        density_change(gathered, pair, j, block, near, work.change, 0, length)
        density_change(gathered, next_pair, j, block, far, work.change, 3 * length, length)
        for row in range(first[j], first[j + 1], 2):
            places = component[row] * LANES, component[row + 1] * LANES
            contract_rows(
                work.adjoint, start[row] * WIDE, length, work.change, values, places[0], places[1], components * LANES
            )
    for direction in range(3 * ABREAST):
        neighbour, axis = direction // 3, direction % 3
        for c in range(0, components, LANES):
            place = (3 * neighbour * LANES + axis) * components + c
            transpose(values, (direction * components + c) * LANES, work.flat, place, 3 * components)


@njit(cache=True, nogil=True)
def begin_group(group, atoms, radial, tables, products, memory, rows, work):
    """Pairs, U and W of eight atoms; returns how many atoms are real and the largest number of neighbours."""
    real = lane_atoms(atoms[0], group, work.lanes)
    slots = pairs_of(work.lanes, atoms, radial, True, work.gathered)
    total = density_of(group, work.gathered, slots, tables, memory, work.near, work.far, work.total)
    adjoint_rows(total, tables[2], products, rows, work.adjoint)
    component_values(total, tables, rows, work)
    return real, slots


@njit(cache=True, nogil=True)
def copy_values(real, shift, work, values):
    """B of a group that was just begun, less ``shift``."""
    for lane in range(real):
        for feature in range(values.shape[1]):
            values[work.lanes[lane], feature] = work.values[feature * LANES + lane] - shift[feature]


@njit(cache=True, nogil=True)
def jacobian_range(first, last, atoms, radial, tables, products, memory, rows, shift, values, derivatives):
    """B (less ``shift``) and ∂B_il/∂r_ik, (pairs, 3, features), of groups ``first:last``."""
    starts = atoms[1]
    work = workspace(starts, tables[1], rows)
    for group in range(first, last):
        real, slots = begin_group(group, atoms, radial, tables, products, memory, rows, work)
        copy_values(real, shift, work, values)
        for k in range(0, slots, ABREAST):
            pair_derivatives(k, tables, rows, work)
            for lane in range(real):
                begin, end = starts[work.lanes[lane]] + k, starts[work.lanes[lane] + 1]
                for p in range(begin, min(begin + ABREAST, end)):
                    for axis in range(3):
                        for feature in range(values.shape[1]):
                            derivatives[p, axis, feature] = work.blocks[p - begin, lane, axis, feature]
