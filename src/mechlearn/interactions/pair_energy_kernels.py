"""Compiled energies, forces and virials of pair and embedded-atom potentials, eight neighbours of an atom at a time.

E = Σ_pairs φ_ab(r) + Σ_i F_a(ρ_i),  ρ_i = Σ_j f_ba(r_ij)

In the first pass each pair adds to the densities of both of its atoms; then F and F' follow; in the second pass the
pair pulls its atoms towards each other with ψ' = φ' + F'_i f'_ba + F'_j f'_ab.  Neighbours beyond the cutoff, listed
for the skin or to fill the last eight, are worked on like others and then left out: no branch has to be foretold.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import (
    LANES,
    add_rows,
    broadcast,
    lane_sum,
    load_places,
    load_rows,
    square_root,
    where_less,
    whole_part,
)
from mechlearn.interactions.pair_list_kernels import KIND, SLOPE, X, Y, Z, copy_to_images, gather_images, lay_out_rows


@njit(cache=True, nogil=True)
def cubic(here, slope_here, there, slope_there, p):
    """Value, slope and curvature, per node, of the cubic between two nodes at the share p of the way."""
    rise = there - here
    third = slope_here + slope_there - 2.0 * rise
    second = rise - slope_here - third
    value = here + p * (slope_here + p * (second + p * third))
    slope = slope_here + p * (2.0 * second + 3.0 * p * third)
    return value, slope, 2.0 * second + 6.0 * p * third


@njit(cache=True, nogil=True)
def node_before(functions, r):
    """The node below each distance, a whole number, and the share of the way to the next."""
    place = r * (1.0 / functions.spacing)
    last = broadcast(functions.nodes - 2.0)
    node = whole_part(place)
    node = where_less(node, last, node, last)
    share, one = place - node, broadcast(1.0)
    return node, where_less(share, one, share, one)


@njit(cache=True, nogil=True)
def table_densities(functions, pair, node, p):
    """ρ from the neighbour at the centre and back, with slopes and curvatures per node."""
    near, near_slope, far, far_slope, near2, near_slope2, far2, far_slope2 = load_places(
        functions.densities, (pair * functions.nodes + node) * 4.0
    )
    return cubic(near, near_slope, near2, near_slope2, p), cubic(far, far_slope, far2, far_slope2, p)


@njit(cache=True, nogil=True)
def table_repulsion(functions, pair, node, p, r):
    """φ, φ'/r and (φ'' − φ'/r)/r² of a table of r φ."""
    here, slope_here, there, slope_there, _, _, _, _ = load_places(
        functions.repulsions, (pair * functions.nodes + node) * 2.0
    )
    value, slope, curvature = cubic(here, slope_here, there, slope_there, p)
    per_node, inverse = 1.0 / functions.spacing, 1.0 / r
    energy = value * inverse
    fall = (slope * per_node - energy) * inverse
    bend = (curvature * (per_node * per_node) - 2.0 * fall) * inverse
    return energy, fall * inverse, (bend - fall * inverse) * inverse * inverse


@njit(cache=True, nogil=True)
def closed_repulsion(functions, pair, square):
    """φ, φ'/r, (φ'' − φ'/r)/r² of A/r¹² − B/r⁶ + c₀ + c₁r² + c₂r⁴, zero beyond the cutoff of the pair.

    With q = r² these are φ, 2 dφ/dq and 4 d²φ/dq².
    """
    repulsive, attractive, c0, c1, c2, limit, _, _ = load_places(functions.closed, pair * 8.0)
    u = 1.0 / square
    u3 = u * u * u
    energy = u3 * (repulsive * u3 - attractive) + c0 + square * (c1 + square * c2)
    tangent = 2.0 * (c1 + 2.0 * c2 * square - u * u3 * (6.0 * repulsive * u3 - 3.0 * attractive))
    bend = 4.0 * (2.0 * c2 + u * u * u3 * (42.0 * repulsive * u3 - 12.0 * attractive))
    nothing = broadcast(0.0)
    return (
        where_less(square, limit, energy, nothing),
        where_less(square, limit, tangent, nothing),
        where_less(square, limit, bend, nothing),
    )


@njit(cache=True, nogil=True)
def first_pair(functions, rows, i):
    """The place of the pair (a, 0), a the element of atom i, were it one."""
    a = rows[LANES * i + KIND]
    return a * functions.elements - 0.5 * a * (a + 1.0)


@njit(cache=True, nogil=True)
def separations(rows, neighbours, block, i):
    """From atom i to eight of its neighbours, and their kinds and F'."""
    x, y, z, kind, slope, _, _, _ = load_rows(rows, neighbours, LANES * block)
    return (
        x - rows[LANES * i + X],
        y - rows[LANES * i + Y],
        z - rows[LANES * i + Z],
        kind,
        slope,
    )


@njit(cache=True, nogil=True)
def add_densities(lists, functions, rows, density):
    """ρ of every row: each pair adds to both of its atoms."""
    limit, nothing = broadcast(functions.cutoff * functions.cutoff), broadcast(0.0)
    for i in range(lists.block_starts.shape[0] - 1):
        pair0, own = first_pair(functions, rows, i), nothing
        for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
            x, y, z, kind, _ = separations(rows, lists.neighbours, block, i)
            square = x * x + y * y + z * z
            node, p = node_before(functions, square_root(where_less(square, limit, square, limit)))
            near, far = table_densities(functions, kind + pair0, node, p)
            own = own + where_less(square, limit, near[0], nothing)
            add_rows(density, lists.neighbours, LANES * block, (where_less(square, limit, far[0], nothing),))
        density[i] += lane_sum(own)


@njit(cache=True, nogil=True)
def embedding(functions, kind, density):
    """F, F' and F'' of an element at a density.

    Beyond the table F goes on straight from its end, as it does in LAMMPS; below zero density its first cubic goes on.
    """
    nodes, per_node = functions.embedding.shape[1], 1.0 / functions.density_spacing
    table = functions.embedding[kind]
    place = density * per_node
    node = int(min(max(np.floor(place), 0.0), nodes - 2.0))
    p = min(place - node, 1.0)
    value, slope, curvature = cubic(table[node, 0], table[node, 1], table[node + 1, 0], table[node + 1, 1], p)
    beyond = max(place - (nodes - 1.0), 0.0)
    return value + beyond * slope, slope * per_node, 0.0 if beyond > 0.0 else curvature * per_node * per_node


@njit(cache=True, nogil=True)
def embed(functions, kinds, density, energies, slopes, curvatures):
    """F, F' and F'' at the density of every atom."""
    for i in range(kinds.shape[0]):
        energies[i], slopes[i], curvatures[i] = embedding(functions, kinds[i], density[i])


@njit(cache=True, nogil=True)
def add_pulls(lists, functions, rows, offsets, pulls, virials):
    """Force and energy, (fx, fy, fz, e), of every row, and Σ ψ'/r (xx, yy, zz, yz, xz, xy) of every structure."""
    limit, nothing = broadcast(functions.cutoff * functions.cutoff), broadcast(0.0)
    tables = functions.closed.shape[0] == 0
    for s in range(offsets.shape[0] - 1):
        xx, yy, zz, yz, xz, xy = nothing, nothing, nothing, nothing, nothing, nothing
        for i in range(offsets[s], offsets[s + 1]):
            pair0, slope_i = first_pair(functions, rows, i), rows[LANES * i + SLOPE]
            force_x, force_y, force_z, energy_i = nothing, nothing, nothing, nothing
            for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
                x, y, z, kind, slope_j = separations(rows, lists.neighbours, block, i)
                square = x * x + y * y + z * z
                inside = where_less(square, limit, square, limit)
                if tables:
                    r = square_root(inside)
                    node, p = node_before(functions, r)
                    energy, tangent, _ = table_repulsion(functions, kind + pair0, node, p, r)
                    near, far = table_densities(functions, kind + pair0, node, p)
                    tangent = tangent + (slope_i * near[1] + slope_j * far[1]) * ((1.0 / functions.spacing) / r)
                else:
                    energy, tangent, _ = closed_repulsion(functions, kind + pair0, inside)
                energy = where_less(square, limit, 0.5 * energy, nothing)
                tangent = where_less(square, limit, tangent, nothing)
                pull_x, pull_y, pull_z = tangent * x, tangent * y, tangent * z
                add_rows(pulls, lists.neighbours, LANES * block, (pull_x * -1.0, pull_y * -1.0, pull_z * -1.0, energy))
                force_x, force_y, force_z = force_x + pull_x, force_y + pull_y, force_z + pull_z
                energy_i = energy_i + energy
                xx, yy, zz = xx + pull_x * x, yy + pull_y * y, zz + pull_z * z
                yz, xz, xy = yz + pull_y * z, xz + pull_x * z, xy + pull_x * y
            pulls[4 * i] += lane_sum(force_x)
            pulls[4 * i + 1] += lane_sum(force_y)
            pulls[4 * i + 2] += lane_sum(force_z)
            pulls[4 * i + 3] += lane_sum(energy_i)
        virials[s, 0], virials[s, 1], virials[s, 2] = lane_sum(xx), lane_sum(yy), lane_sum(zz)
        virials[s, 3], virials[s, 4], virials[s, 5] = lane_sum(yz), lane_sum(xz), lane_sum(xy)


@njit(cache=True, nogil=True)
def evaluate_lists(lists, functions, positions, cells, offsets, structures, kinds):
    """Forces (atoms, 3), atomic energies, virials (structures, 6), F'' (atoms), and the rows with F' of every atom."""
    atoms, images = positions.shape[0], lists.owners.shape[0]
    count = atoms + images + 1
    rows = np.zeros(LANES * count)
    lay_out_rows(positions, cells, structures, kinds, lists.owners, lists.shifts, rows)
    energies, curvatures = np.zeros(atoms), np.zeros(atoms)
    if functions.closed.shape[0] == 0:
        density, slopes = np.zeros(count), np.empty(atoms)
        add_densities(lists, functions, rows, density)
        gather_images(density, lists.owners, atoms, 1)
        embed(functions, kinds, density, energies, slopes, curvatures)
        for i in range(atoms):
            rows[LANES * i + SLOPE] = slopes[i]
        copy_to_images(rows, lists.owners, atoms, SLOPE)
    pulls, virials = np.zeros(4 * count), np.zeros((offsets.shape[0] - 1, 6))
    add_pulls(lists, functions, rows, offsets, pulls, virials)
    gather_images(pulls, lists.owners, atoms, 4)
    forces = np.empty((atoms, 3))
    for i in range(atoms):
        for x in range(3):
            forces[i, x] = pulls[4 * i + x]
        energies[i] += pulls[4 * i + 3]
    return forces, energies, virials, curvatures, rows
