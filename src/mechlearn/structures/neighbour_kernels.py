"""Compiled search for neighbours: ghost atoms around each cell, binned where there are many.

Every periodic image that can matter is laid out as a *ghost* first.  What remains is a search among plain
points, so tiny cells, sheared cells and cutoffs larger than the cell need no case of their own.
"""

import numpy as np
from numba import njit

#: Up to this many ghosts, comparing all of them is quicker than sorting them into bins.
_BRUTE_FORCE_GHOSTS = 1500


@njit(cache=True, nogil=True)
def _ghosts(positions, cell, periodic, cutoff):
    """Wrapped positions, and all images within ``cutoff`` of the cell: (x, y, z) and the atom each one is."""
    atoms = positions.shape[0]
    inverse = np.linalg.inv(cell)
    # Distance from the cell's faces in fractional coordinates: cutoff / height, height_k = 1 / |column k|.
    reach = np.empty(3)
    for k in range(3):
        reach[k] = cutoff * np.sqrt(inverse[0, k] ** 2 + inverse[1, k] ** 2 + inverse[2, k] ** 2)
    fractional = np.empty((atoms, 3))
    wrapped = np.empty((atoms, 3))
    for i in range(atoms):
        for k in range(3):
            f = positions[i, 0] * inverse[0, k] + positions[i, 1] * inverse[1, k] + positions[i, 2] * inverse[2, k]
            fractional[i, k] = f - np.floor(f) if periodic[k] else f
        for k in range(3):
            wrapped[i, k] = (
                fractional[i, 0] * cell[0, k] + fractional[i, 1] * cell[1, k] + fractional[i, 2] * cell[2, k]
            )
    span = np.zeros(3, dtype=np.int64)
    for k in range(3):
        if periodic[k]:
            span[k] = int(np.floor(reach[k])) + 1
    capacity = atoms * (2 * span[0] + 1) * (2 * span[1] + 1) * (2 * span[2] + 1)
    points = np.empty((3, capacity))
    owner = np.empty(capacity, dtype=np.int64)
    count = 0
    for s0 in range(-span[0], span[0] + 1):
        for s1 in range(-span[1], span[1] + 1):
            for s2 in range(-span[2], span[2] + 1):
                for j in range(atoms):
                    f0 = fractional[j, 0] + s0
                    f1 = fractional[j, 1] + s1
                    f2 = fractional[j, 2] + s2
                    if periodic[0] and (f0 < -reach[0] or f0 > 1.0 + reach[0]):
                        continue
                    if periodic[1] and (f1 < -reach[1] or f1 > 1.0 + reach[1]):
                        continue
                    if periodic[2] and (f2 < -reach[2] or f2 > 1.0 + reach[2]):
                        continue
                    for k in range(3):
                        points[k, count] = wrapped[j, k] + s0 * cell[0, k] + s1 * cell[1, k] + s2 * cell[2, k]
                    owner[count] = j
                    count += 1
    return wrapped, points[:, :count].copy(), owner[:count].copy()


@njit(cache=True, nogil=True)
def _bins(points, cutoff):
    """Sort points into cubes of at least ``cutoff`` a side: grid shape, lower corner, side, starts, order."""
    count = points.shape[1]
    low = np.empty(3)
    shape = np.empty(3, dtype=np.int64)
    side = cutoff
    for k in range(3):
        low[k] = points[k].min()
    # A very sheared cell has a bounding box much larger than itself: widen the cubes rather than hold empty ones.
    while True:
        total = 1
        for k in range(3):
            shape[k] = int((points[k].max() - low[k]) / side) + 1
            total *= shape[k]
        if total <= 4 * count + 64:
            break
        side *= 1.26
    cube = np.empty(count, dtype=np.int64)
    starts = np.zeros(total + 1, dtype=np.int64)
    for g in range(count):
        c0 = int((points[0, g] - low[0]) / side)
        c1 = int((points[1, g] - low[1]) / side)
        c2 = int((points[2, g] - low[2]) / side)
        cube[g] = (c0 * shape[1] + c1) * shape[2] + c2
        starts[cube[g] + 1] += 1
    for c in range(total):
        starts[c + 1] += starts[c]
    cursor = starts[:-1].copy()
    order = np.empty(count, dtype=np.int64)
    for g in range(count):
        order[cursor[cube[g]]] = g
        cursor[cube[g]] += 1
    return shape, low, side, starts, order


@njit(cache=True, nogil=True)
def _grown(second, vectors, distances, needed):
    """The same lists with room for ``needed`` entries."""
    capacity = max(needed, 2 * second.shape[0])
    new_second = np.empty(capacity, dtype=np.int64)
    new_vectors = np.empty((capacity, 3))
    new_distances = np.empty(capacity)
    new_second[: second.shape[0]] = second
    new_vectors[: second.shape[0]] = vectors
    new_distances[: second.shape[0]] = distances
    return new_second, new_vectors, new_distances


@njit(cache=True, nogil=True)
def neighbour_lists(positions, cells, offsets, periodic, cutoff):
    """Full neighbour lists of every atom of every structure, sorted by the first atom.

    Returns ``starts`` (atoms + 1), ``second``, ``vectors`` and ``distances`` (pairs); the neighbours of atom
    ``i`` are the entries ``starts[i]:starts[i + 1]``.  Last come ``twins`` (atoms): another atom in the very
    place of this one, which is not among its neighbours, or -1.
    """
    atoms = positions.shape[0]
    starts = np.zeros(atoms + 1, dtype=np.int64)
    twins = np.full(atoms, -1, dtype=np.int64)
    capacity = 32 * atoms + 64
    second = np.empty(capacity, dtype=np.int64)
    vectors = np.empty((capacity, 3))
    distances = np.empty(capacity)
    square = cutoff * cutoff
    pairs = 0
    for s in range(cells.shape[0]):
        base = offsets[s]
        wrapped, points, owner = _ghosts(positions[base : offsets[s + 1]], cells[s], periodic[s], cutoff)
        ghosts = owner.shape[0]
        binned = ghosts > _BRUTE_FORCE_GHOSTS
        if binned:
            shape, low, side, bin_starts, order = _bins(points, cutoff)
            sorted_points = points[:, order].copy()
            sorted_owner = owner[order]
        else:
            sorted_points = points
            sorted_owner = owner
        squares = np.empty(ghosts)
        for i in range(wrapped.shape[0]):
            x, y, z = wrapped[i, 0], wrapped[i, 1], wrapped[i, 2]
            if pairs + ghosts > second.shape[0]:
                second, vectors, distances = _grown(second, vectors, distances, pairs + ghosts)
            if binned:
                c0, c1, c2 = int((x - low[0]) / side), int((y - low[1]) / side), int((z - low[2]) / side)
                for b0 in range(max(c0 - 1, 0), min(c0 + 2, shape[0])):
                    for b1 in range(max(c1 - 1, 0), min(c1 + 2, shape[1])):
                        row = (b0 * shape[1] + b1) * shape[2]
                        first_ghost = bin_starts[row + max(c2 - 1, 0)]
                        last_ghost = bin_starts[row + min(c2 + 2, shape[2])]
                        pairs = _append_close(
                            sorted_points, sorted_owner, first_ghost, last_ghost, x, y, z, square, squares,
                            base, i, second, vectors, distances, twins, pairs,
                        )  # fmt: skip
            else:
                pairs = _append_close(
                    sorted_points, sorted_owner, 0, ghosts, x, y, z, square, squares,
                    base, i, second, vectors, distances, twins, pairs,
                )  # fmt: skip
            starts[base + i + 1] = pairs
    return starts, second[:pairs].copy(), vectors[:pairs].copy(), distances[:pairs].copy(), twins


@njit(cache=True, nogil=True)
def _append_close(
    points, owner, first_ghost, last_ghost, x, y, z, square, squares,
    base, atom, second, vectors, distances, twins, pairs,
):  # fmt: skip
    """Append the ghosts ``first_ghost:last_ghost`` within the cutoff of ``atom`` at (x, y, z), itself left out."""
    # Squared distances first: without a branch this loop runs on all SIMD lanes.
    for g in range(first_ghost, last_ghost):
        dx = points[0, g] - x
        dy = points[1, g] - y
        dz = points[2, g] - z
        squares[g] = dx * dx + dy * dy + dz * dz
    for g in range(first_ghost, last_ghost):
        d2 = squares[g]
        if not d2 < square:
            continue
        if d2 > 1e-20:
            second[pairs] = base + owner[g]
            vectors[pairs, 0] = points[0, g] - x
            vectors[pairs, 1] = points[1, g] - y
            vectors[pairs, 2] = points[2, g] - z
            distances[pairs] = np.sqrt(d2)
            pairs += 1
        elif owner[g] != atom:
            twins[base + atom] = base + owner[g]
    return pairs
