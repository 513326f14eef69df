"""Compiled search for neighbours: ghost atoms around each cell, binned where there are many.

Every periodic image that can matter is laid out as a *ghost* first.  What remains is a search among plain
points, so tiny cells, sheared cells and cutoffs larger than the cell need no case of their own.  The points are
sorted into bins; what surrounds a bin is gathered once for all of its atoms, and compared with each of them in a
loop without a branch.

Loops are written out where a line of NumPy would do: Numba compiles them in a fifth of the time, which is part of
the wait for a first result.
"""

import numpy as np
from numba import njit

#: Up to this many ghosts, comparing all of them is quicker than sorting them into several bins.
_GHOSTS_OF_ONE_BIN = 600

#: Two points closer than this (squared, Å²) are in one place.
SAME_PLACE = 1e-20


@njit(cache=True, nogil=True)
def cell_inverse(cell):
    """The inverse of a cell: LAPACK's costs more than all else that a cell of two atoms needs."""
    inverse = np.empty((3, 3))
    for k in range(3):
        a, b = (k + 1) % 3, (k + 2) % 3
        for x in range(3):
            y, z = (x + 1) % 3, (x + 2) % 3
            inverse[x, k] = cell[a, y] * cell[b, z] - cell[a, z] * cell[b, y]
    volume = cell[0, 0] * inverse[0, 0] + cell[0, 1] * inverse[1, 0] + cell[0, 2] * inverse[2, 0]
    for k in range(3):
        for x in range(3):
            inverse[x, k] /= volume
    return inverse


@njit(cache=True, nogil=True)
def _wrapped_fractions(positions, inverse, periodic):
    """Fractional coordinates, in [0, 1) along periodic directions."""
    fractions = np.empty_like(positions)
    for i in range(positions.shape[0]):
        for k in range(3):
            f = positions[i, 0] * inverse[0, k] + positions[i, 1] * inverse[1, k] + positions[i, 2] * inverse[2, k]
            fractions[i, k] = f - np.floor(f) if periodic[k] else f
    return fractions


@njit(cache=True, nogil=True)
def _image_ranges(fractions, inverse, periodic, cutoff):
    """For every atom and lattice vector the first and one past the last shift s for which fraction + s lies within
    the cutoff of the cell; and how many images that makes in all."""
    ranges = np.empty((fractions.shape[0], 3, 2), dtype=np.int64)
    for k in range(3):
        # The cutoff in fractional coordinates: cutoff / height, where height_k = 1 / |column k of the inverse|.
        reach = cutoff * np.sqrt(inverse[0, k] ** 2 + inverse[1, k] ** 2 + inverse[2, k] ** 2)
        for j in range(fractions.shape[0]):
            ranges[j, k, 0] = -int(np.floor(fractions[j, k] + reach)) if periodic[k] else 0
            ranges[j, k, 1] = 1 + int(np.floor(1.0 - fractions[j, k] + reach)) if periodic[k] else 1
    images = 0
    for j in range(fractions.shape[0]):
        images += (
            (ranges[j, 0, 1] - ranges[j, 0, 0])
            * (ranges[j, 1, 1] - ranges[j, 1, 0])
            * (ranges[j, 2, 1] - ranges[j, 2, 0])
        )
    return ranges, images


@njit(cache=True, nogil=True)
def lay_out_ghosts(positions, cell, periodic, cutoff):
    """All images within ``cutoff`` of the cell: places (3, ghosts), and the atom each one is.

    An image of atom j is j; the atom itself, in the cell, is -1 - j.
    """
    inverse = cell_inverse(cell)
    fractions = _wrapped_fractions(positions, inverse, periodic)
    ranges, images = _image_ranges(fractions, inverse, periodic, cutoff)
    points, owner = np.empty((3, images)), np.empty(images, dtype=np.int64)
    count = 0
    for j in range(positions.shape[0]):
        for s0 in range(ranges[j, 0, 0], ranges[j, 0, 1]):
            f0 = fractions[j, 0] + s0
            for s1 in range(ranges[j, 1, 0], ranges[j, 1, 1]):
                f1 = fractions[j, 1] + s1
                x = f0 * cell[0, 0] + f1 * cell[1, 0]
                y = f0 * cell[0, 1] + f1 * cell[1, 1]
                z = f0 * cell[0, 2] + f1 * cell[1, 2]
                for s2 in range(ranges[j, 2, 0], ranges[j, 2, 1]):
                    f2 = fractions[j, 2] + s2
                    points[0, count] = x + f2 * cell[2, 0]
                    points[1, count] = y + f2 * cell[2, 1]
                    points[2, count] = z + f2 * cell[2, 2]
                    owner[count] = -1 - j if s0 == 0 and s1 == 0 and s2 == 0 else j
                    count += 1
    return points, owner


@njit(cache=True, nogil=True)
def sort_into_bins(points, owner, cutoff):
    """Points sorted into cubes of at least ``cutoff`` a side: places, owners, the grid's shape, starts."""
    count = points.shape[1]
    shape = np.ones(3, dtype=np.int64)
    if count <= _GHOSTS_OF_ONE_BIN:
        starts = np.zeros(2, dtype=np.int64)
        starts[1] = count
        return points, owner, shape, starts
    low, extent = np.empty(3), np.empty(3)
    for k in range(3):
        low[k] = high = points[k, 0]
        for g in range(count):
            low[k], high = min(low[k], points[k, g]), max(high, points[k, g])
        extent[k] = high - low[k]
    side = cutoff
    # A very sheared cell has a bounding box much larger than itself: widen the cubes rather than hold empty ones.
    while True:
        for k in range(3):
            shape[k] = int(extent[k] / side) + 1
        if shape[0] * shape[1] * shape[2] <= 4 * count + 64:
            break
        side *= 1.26
    cube = np.zeros(count, dtype=np.int64)
    starts = np.zeros(shape[0] * shape[1] * shape[2] + 1, dtype=np.int64)
    for g in range(count):
        for k in range(3):
            cube[g] = cube[g] * shape[k] + min(int((points[k, g] - low[k]) / side), shape[k] - 1)
        starts[cube[g] + 1] += 1
    cursor = np.empty_like(starts)
    for c in range(starts.shape[0] - 1):
        cursor[c] = starts[c]
        starts[c + 1] += starts[c]
    sorted_points, sorted_owner = np.empty_like(points), np.empty_like(owner)
    for g in range(count):
        place = cursor[cube[g]]
        cursor[cube[g]] += 1
        sorted_owner[place] = owner[g]
        for k in range(3):
            sorted_points[k, place] = points[k, g]
    return sorted_points, sorted_owner, shape, starts


@njit(cache=True, nogil=True)
def gather_surroundings(points, shape, starts, c0, c1, c2, near, index):
    """Gather the points of a bin and of the bins that touch it into ``near``; returns how many they are."""
    count = 0
    for b0 in range(max(c0 - 1, 0), min(c0 + 2, shape[0])):
        for b1 in range(max(c1 - 1, 0), min(c1 + 2, shape[1])):
            row = (b0 * shape[1] + b1) * shape[2]
            for g in range(starts[row + max(c2 - 1, 0)], starts[row + min(c2 + 2, shape[2])]):
                near[0, count] = points[0, g]
                near[1, count] = points[1, g]
                near[2, count] = points[2, g]
                index[count] = g
                count += 1
    return count


@njit(cache=True, nogil=True)
def find_close(near, index, count, x, y, z, square, squares, hits, found):
    """Write which of ``count`` points are within the cutoff of (x, y, z) to ``hits`` from ``found`` on."""
    # Distances first: without a branch this loop runs on all SIMD lanes.
    for g in range(count):
        dx, dy, dz = near[0, g] - x, near[1, g] - y, near[2, g] - z
        squares[g] = dx * dx + dy * dy + dz * dz
    # Every index is written, and overwritten unless it is a hit: hits are rare and no branch could be foretold.
    for g in range(count):
        hits[found] = index[g]
        found += squares[g] < square
    return found


@njit(cache=True, nogil=True)
def lengthened(array, count):
    """The same flat array with room for ``count`` entries."""
    longer = np.empty(count, dtype=array.dtype)
    for n in range(array.shape[0]):
        longer[n] = array[n]
    return longer


@njit(cache=True, nogil=True)
def _all_close(points, owner, shape, starts, cutoff, atoms):
    """The points near each atom, ``hits[first[i]:last[i]]``, and how many they are in all."""
    near, index = np.empty((3, owner.shape[0])), np.empty(owner.shape[0], dtype=np.int64)
    squares = np.empty(owner.shape[0])
    first, last = np.empty(atoms, dtype=np.int64), np.empty(atoms, dtype=np.int64)
    hits = np.empty(48 * atoms + owner.shape[0] + 1, dtype=np.int64)
    found = 0
    for cube in range(starts.shape[0] - 1):
        count = 0
        c0, c1, c2 = cube // (shape[1] * shape[2]), cube // shape[2] % shape[1], cube % shape[2]
        for h in range(starts[cube], starts[cube + 1]):
            if owner[h] >= 0:
                continue
            if count == 0:
                count = gather_surroundings(points, shape, starts, c0, c1, c2, near, index)
            if found + count >= hits.shape[0]:
                hits = lengthened(hits, 2 * hits.shape[0])
            i = -1 - owner[h]
            first[i] = found
            found = find_close(
                near, index, count, points[0, h], points[1, h], points[2, h], cutoff * cutoff, squares, hits, found
            )
            last[i] = found
    return hits, first, last, found


@njit(cache=True, nogil=True)
def _places(owner, atoms):
    """Where each atom itself, rather than an image of it, is among the points."""
    places = np.empty(atoms, dtype=np.int64)
    for g in range(owner.shape[0]):
        if owner[g] < 0:
            places[-1 - owner[g]] = g
    return places


@njit(cache=True, nogil=True)
def neighbour_lists(positions, cells, offsets, periodic, cutoff):
    """Full neighbour lists of every atom of every structure, sorted by the first atom.

    Returns ``starts`` (atoms + 1), ``second``, ``vectors`` and ``distances`` (pairs); the neighbours of atom
    ``i`` are the entries ``starts[i]:starts[i + 1]``.  Last come ``twins`` (atoms): another atom in the very
    place of this one, which is not among its neighbours, or -1.
    """
    atoms = positions.shape[0]
    starts = np.zeros(atoms + 1, dtype=np.int64)
    twins = np.empty(atoms, dtype=np.int64)
    capacity = 32 * atoms + 64
    second, vectors, distances = np.empty(capacity, dtype=np.int64), np.empty(3 * capacity), np.empty(capacity)
    pairs = 0
    for s in range(cells.shape[0]):
        base, size = offsets[s], offsets[s + 1] - offsets[s]
        points, owner = lay_out_ghosts(positions[base : base + size], cells[s], periodic[s], cutoff)
        points, owner, shape, bin_starts = sort_into_bins(points, owner, cutoff)
        hits, first, last, found = _all_close(points, owner, shape, bin_starts, cutoff, size)
        places = _places(owner, size)
        if pairs + found > capacity:
            capacity = max(pairs + found, 2 * capacity)
            second, distances = lengthened(second, capacity), lengthened(distances, capacity)
            vectors = lengthened(vectors, 3 * capacity)
        for i in range(size):
            twins[base + i] = -1
            x, y, z = points[0, places[i]], points[1, places[i]], points[2, places[i]]
            for h in range(first[i], last[i]):
                g = hits[h]
                j = owner[g] if owner[g] >= 0 else -1 - owner[g]
                dx, dy, dz = points[0, g] - x, points[1, g] - y, points[2, g] - z
                square = dx * dx + dy * dy + dz * dz
                if square > SAME_PLACE:
                    second[pairs] = base + j
                    vectors[3 * pairs], vectors[3 * pairs + 1], vectors[3 * pairs + 2] = dx, dy, dz
                    distances[pairs] = np.sqrt(square)
                    pairs += 1
                elif j != i:
                    twins[base + i] = base + j
            starts[base + i + 1] = pairs
    return starts, second[:pairs], vectors[: 3 * pairs].reshape((pairs, 3)), distances[:pairs], twins


@njit(cache=True, nogil=True)
def translations_of_pairs(starts, second, vectors, positions):
    """What the lattice adds to x_j - x_i in the vector of each pair."""
    translations = np.empty_like(vectors)
    for i in range(starts.shape[0] - 1):
        for p in range(starts[i], starts[i + 1]):
            for k in range(3):
                translations[p, k] = vectors[p, k] - (positions[second[p], k] - positions[i, k])
    return translations


@njit(cache=True, nogil=True)
def moved_structures(positions, reference, offsets, largest):
    """Whether any atom of each structure is further than ``largest`` from its place in ``reference``."""
    moved = np.zeros(offsets.shape[0] - 1, dtype=np.bool_)
    for s in range(offsets.shape[0] - 1):
        furthest = 0.0
        for i in range(offsets[s], offsets[s + 1]):
            square = 0.0
            for k in range(3):
                square += (positions[i, k] - reference[i, k]) ** 2
            furthest = max(furthest, square)
        moved[s] = not furthest <= largest * largest
    return moved


@njit(cache=True, nogil=True)
def close_pairs(starts, second, translations, positions, cutoff):
    """Of listed pairs those within the cutoff now; the arrays of ``neighbour_lists``."""
    atoms = starts.shape[0] - 1
    close_starts = np.zeros(atoms + 1, dtype=np.int64)
    twins = np.full(atoms, -1, dtype=np.int64)
    close_second = np.empty(second.shape[0], dtype=np.int64)
    vectors, distances = np.empty((second.shape[0], 3)), np.empty(second.shape[0])
    pairs = 0
    for i in range(atoms):
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        for p in range(starts[i], starts[i + 1]):
            j = second[p]
            dx = positions[j, 0] - x + translations[p, 0]
            dy = positions[j, 1] - y + translations[p, 1]
            dz = positions[j, 2] - z + translations[p, 2]
            square = dx * dx + dy * dy + dz * dz
            if square <= SAME_PLACE:
                twins[i] = j
            # Written in any case, and overwritten unless it is close: no branch to foretell.
            close_second[pairs] = j
            vectors[pairs, 0], vectors[pairs, 1], vectors[pairs, 2] = dx, dy, dz
            distances[pairs] = np.sqrt(square)
            pairs += square < cutoff * cutoff and square > SAME_PLACE
        close_starts[i + 1] = pairs
    return close_starts, close_second[:pairs], vectors[:pairs], distances[:pairs], twins


@njit(cache=True, nogil=True)
def renewed_lists(offsets, stale, old, old_starts, old_vectors, new, new_starts, new_vectors):
    """The lists of all structures: of the stale ones anew, whose atoms are counted without the others', of the
    others as they were."""
    starts = np.zeros(offsets[-1] + 1, dtype=np.int64)
    fresh = 0
    for s in range(stale.shape[0]):
        for i in range(offsets[s], offsets[s + 1]):
            if stale[s]:
                count = new_starts[fresh + 1] - new_starts[fresh]
                fresh += 1
            else:
                count = old_starts[i + 1] - old_starts[i]
            starts[i + 1] = starts[i] + count
    second, vectors = np.empty(starts[-1], dtype=np.int64), np.empty((starts[-1], 3))
    fresh = 0
    for s in range(stale.shape[0]):
        first, last = starts[offsets[s]], starts[offsets[s + 1]]
        if stale[s]:
            begin = new_starts[fresh]
            second[first:last] = new[begin : begin + last - first] + (offsets[s] - fresh)
            vectors[first:last] = new_vectors[begin : begin + last - first]
            fresh += offsets[s + 1] - offsets[s]
        else:
            begin = old_starts[offsets[s]]
            second[first:last] = old[begin : begin + last - first]
            vectors[first:last] = old_vectors[begin : begin + last - first]
    return starts, second, vectors
