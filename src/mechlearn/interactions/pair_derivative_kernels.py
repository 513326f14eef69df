"""Compiled second derivatives of pair and embedded-atom potentials, and what they make of displacements and strains.

The energy of a pair at fixed F' is ψ = φ + F'_i f_ba + F'_j f_ab, and its matrix of second derivatives by the vector r
from one atom to the other is T 1 + B r rᵀ with T = ψ'/r and B = (ψ'' − ψ'/r)/r².  To this comes F''_i g gᵀ, where
g = ∂ρ_i/∂x ties all neighbours of an atom together.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import (
    LANES,
    add_rows,
    broadcast,
    lane_sum,
    load,
    load_rows,
    square_root,
    store,
    where_less,
)
from mechlearn.interactions.pair_energy_kernels import (
    closed_repulsion,
    first_pair,
    node_before,
    separations,
    table_densities,
    table_repulsion,
)
from mechlearn.interactions.pair_list_kernels import SLOPE, copy_to_images, gather_images

#: The numbers of a pair of a block of eight: where the neighbour is from the centre; ψ'/r; (ψ'' − ψ'/r)/r²; f'/r of
#: what the neighbour adds to the centre's density, and of what the centre adds to the neighbour's.
PAIR_X, PAIR_Y, PAIR_Z, TANGENT, BEND, NEAR, FAR = range(7)
PAIR_NUMBERS = 8


@njit(cache=True, nogil=True)
def pair_derivatives(lists, functions, rows, blocks):
    """Fill in the numbers of all pairs, block by block; of pairs beyond the cutoff all are zero."""
    limit, nothing = broadcast(functions.cutoff * functions.cutoff), broadcast(0.0)
    tables = functions.closed.shape[0] == 0
    per_node = 1.0 / functions.spacing
    for i in range(lists.block_starts.shape[0] - 1):
        pair0, slope_i = first_pair(functions, rows, i), rows[LANES * i + SLOPE]
        for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
            x, y, z, kind, slope_j = separations(rows, lists.neighbours, block, i)
            square = x * x + y * y + z * z
            inside = where_less(square, limit, square, limit)
            near_slope, far_slope = nothing, nothing
            if tables:
                r = square_root(inside)
                node, p = node_before(functions, r)
                _, tangent, bend = table_repulsion(functions, kind + pair0, node, p, r)
                near, far = table_densities(functions, kind + pair0, node, p)
                near_slope, far_slope = near[1] * per_node / r, far[1] * per_node / r
                fall = slope_i * near_slope + slope_j * far_slope
                curvature = (slope_i * near[2] + slope_j * far[2]) * (per_node * per_node)
                tangent, bend = tangent + fall, bend + (curvature - fall) / inside
            else:
                _, tangent, bend = closed_repulsion(functions, kind + pair0, inside)
            start = block * PAIR_NUMBERS * LANES
            store(blocks, start + PAIR_X * LANES, where_less(square, limit, x, nothing))
            store(blocks, start + PAIR_Y * LANES, where_less(square, limit, y, nothing))
            store(blocks, start + PAIR_Z * LANES, where_less(square, limit, z, nothing))
            store(blocks, start + TANGENT * LANES, where_less(square, limit, tangent, nothing))
            store(blocks, start + BEND * LANES, where_less(square, limit, bend, nothing))
            store(blocks, start + NEAR * LANES, where_less(square, limit, near_slope, nothing))
            store(blocks, start + FAR * LANES, where_less(square, limit, far_slope, nothing))


@njit(cache=True, nogil=True)
def change_of_forces(lists, blocks, curvatures, displacements, gradient, embedded):
    """∂²E/∂x∂(v, L): minus the change of all forces as atoms move by v and the whole by the velocity gradient L.

    With d = v_j − v_i + L r a pair gives T d + B r (r·d), and, as the densities change by Σ f'/r r·d, also
    (F''_i ρ̇_i f'_ba + F''_j ρ̇_j f'_ab) r/r; the centre gets minus this, the neighbour this.
    """
    atoms = displacements.shape[0]
    count = atoms + lists.owners.shape[0] + 1
    rows = np.zeros(LANES * count)
    for i in range(atoms):
        for x in range(3):
            rows[LANES * i + x] = displacements[i, x]
    for x in range(3):
        copy_to_images(rows, lists.owners, atoms, x)
    if embedded:
        rates = np.zeros(count)
        _add_rates(lists, blocks, rows, gradient, rates)
        gather_images(rates, lists.owners, atoms, 1)
        for i in range(atoms):
            rows[LANES * i + SLOPE] = curvatures[i] * rates[i]
        copy_to_images(rows, lists.owners, atoms, SLOPE)
    changes = np.zeros(4 * count)
    _add_changes(lists, blocks, rows, gradient, changes)
    gather_images(changes, lists.owners, atoms, 4)
    result = np.empty((atoms, 3))
    for i in range(atoms):
        for x in range(3):
            result[i, x] = changes[4 * i + x]
    return result


@njit(cache=True, nogil=True)
def _stretch(lists, blocks, rows, gradient, block, i):
    """r and d = v_j − v_i + L r of eight pairs, and what F'' ρ̇ the neighbours have."""
    start = block * PAIR_NUMBERS * LANES
    x, y, z = load(blocks, start), load(blocks, start + LANES), load(blocks, start + 2 * LANES)
    move_x, move_y, move_z, _, rate, _, _, _ = load_rows(rows, lists.neighbours, LANES * block)
    d_x = move_x - rows[LANES * i] + gradient[0, 0] * x + gradient[0, 1] * y + gradient[0, 2] * z
    d_y = move_y - rows[LANES * i + 1] + gradient[1, 0] * x + gradient[1, 1] * y + gradient[1, 2] * z
    d_z = move_z - rows[LANES * i + 2] + gradient[2, 0] * x + gradient[2, 1] * y + gradient[2, 2] * z
    return x, y, z, d_x, d_y, d_z, rate


@njit(cache=True, nogil=True)
def _add_rates(lists, blocks, rows, gradient, rates):
    """ρ̇ of every row."""
    for i in range(lists.block_starts.shape[0] - 1):
        own = broadcast(0.0)
        for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
            x, y, z, d_x, d_y, d_z, _ = _stretch(lists, blocks, rows, gradient, block, i)
            longer = x * d_x + y * d_y + z * d_z
            start = block * PAIR_NUMBERS * LANES
            own = own + load(blocks, start + NEAR * LANES) * longer
            add_rows(rates, lists.neighbours, LANES * block, (load(blocks, start + FAR * LANES) * longer,))
        rates[i] += lane_sum(own)


@njit(cache=True, nogil=True)
def _add_changes(lists, blocks, rows, gradient, changes):
    """What each pair gives to its two rows."""
    nothing = broadcast(0.0)
    for i in range(lists.block_starts.shape[0] - 1):
        sum_x, sum_y, sum_z = nothing, nothing, nothing
        for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
            x, y, z, d_x, d_y, d_z, rate = _stretch(lists, blocks, rows, gradient, block, i)
            start = block * PAIR_NUMBERS * LANES
            tangent = load(blocks, start + TANGENT * LANES)
            along = load(blocks, start + BEND * LANES) * (x * d_x + y * d_y + z * d_z)
            along = along + rows[LANES * i + SLOPE] * load(blocks, start + NEAR * LANES)
            along = along + rate * load(blocks, start + FAR * LANES)
            c_x, c_y, c_z = tangent * d_x + along * x, tangent * d_y + along * y, tangent * d_z + along * z
            add_rows(changes, lists.neighbours, LANES * block, (c_x, c_y, c_z, nothing))
            sum_x, sum_y, sum_z = sum_x + c_x, sum_y + c_y, sum_z + c_z
        changes[4 * i] -= lane_sum(sum_x)
        changes[4 * i + 1] -= lane_sum(sum_y)
        changes[4 * i + 2] -= lane_sum(sum_z)
