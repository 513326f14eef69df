"""Compiled search for each pair of neighbours once, in the form that kernels of pair potentials take."""

import numpy as np
from numba import njit

from mechlearn.structures.neighbour_kernels import (
    SAME_PLACE,
    cell_inverse,
    find_close,
    gather_surroundings,
    lay_out_ghosts,
    lengthened,
    sort_into_bins,
)


@njit(cache=True, nogil=True)
def half_lists(positions, cells, offsets, periodic, kinds, cutoff, width):
    """Each pair of neighbours once: block_starts, neighbours, owners, shifts, and whether two atoms are in one place.

    The centre of a pair is the atom of the lower kind, of two of one kind the one that comes first.  Neighbours are
    *rows*: the atoms, then those of their images that are neighbours, ``owners`` naming the atoms of these.  Row ``n``
    stands ``shifts[3 n : 3 n + 3]`` lattice vectors from its atom's position, for an atom is searched in the cell,
    wherever it is.  The neighbours of atom ``i`` are ``neighbours[width block_starts[i] : width block_starts[i + 1]]``,
    filled up to a multiple of ``width`` with the row after all images.
    """
    atoms = positions.shape[0]
    begin, count = np.zeros(atoms, dtype=np.int64), np.zeros(atoms, dtype=np.int64)
    found = np.empty(80 * atoms + 64, dtype=np.int32)
    owners, shifts = np.empty(4 * atoms + 64, dtype=np.int32), np.empty(15 * atoms + 192, dtype=np.int32)
    pairs, images, twins = 0, 0, False
    for s in range(cells.shape[0]):
        base, inverse = offsets[s], cell_inverse(cells[s])
        own = positions[base : offsets[s + 1]]
        points, owner = lay_out_ghosts(own, cells[s], periodic[s], cutoff)
        points, owner, shape, starts = sort_into_bins(points, owner, cutoff)
        near, index = np.empty((3, owner.shape[0])), np.empty(owner.shape[0], dtype=np.int64)
        squares, hits = np.empty(owner.shape[0]), np.empty(owner.shape[0] + 1, dtype=np.int64)
        row = np.full(owner.shape[0], -1, dtype=np.int32)
        if images + owner.shape[0] > owners.shape[0]:
            owners = lengthened(owners, 2 * (images + owner.shape[0]))
            shifts = lengthened(shifts, 3 * atoms + 6 * (images + owner.shape[0]))
        for cube in range(starts.shape[0] - 1):
            around = 0
            for h in range(starts[cube], starts[cube + 1]):
                if owner[h] >= 0:
                    continue
                if around == 0:
                    c0, c1, c2 = cube // (shape[1] * shape[2]), cube // shape[2] % shape[1], cube % shape[2]
                    around = gather_surroundings(points, shape, starts, c0, c1, c2, near, index)
                if pairs + around > found.shape[0]:
                    found = lengthened(found, 2 * (pairs + around))
                i = base - 1 - owner[h]
                x, y, z = points[0, h], points[1, h], points[2, h]
                close = find_close(near, index, around, x, y, z, cutoff * cutoff, squares, hits, 0)
                begin[i] = pairs
                _find_shift(points, h, positions, i, inverse, shifts, 3 * i)
                for n in range(close):
                    g = hits[n]
                    j = base + (owner[g] if owner[g] >= 0 else -1 - owner[g])
                    if kinds[j] < kinds[i] or (kinds[j] == kinds[i] and j < i) or g == h:
                        continue
                    dx, dy, dz = points[0, g] - x, points[1, g] - y, points[2, g] - z
                    if dx * dx + dy * dy + dz * dz <= SAME_PLACE:
                        twins = True
                    # Of an image of the atom itself and the opposite one, either will do, but one only.
                    if j == i and not (dx > 0.0 or (dx == 0.0 and (dy > 0.0 or (dy == 0.0 and dz > 0.0)))):
                        continue
                    if owner[g] >= 0 and row[g] < 0:
                        row[g], owners[images] = atoms + images, j
                        _find_shift(points, g, positions, j, inverse, shifts, 3 * (atoms + images))
                        images += 1
                    found[pairs] = row[g] if owner[g] >= 0 else j
                    pairs += 1
                count[i] = pairs - begin[i]
    starts, neighbours = _blocks_of(begin, count, found, width, atoms + images)
    return starts, neighbours, owners[:images].copy(), shifts[: 3 * (atoms + images)].copy(), twins


@njit(cache=True, nogil=True)
def _find_shift(points, g, positions, j, inverse, shifts, place):
    """The lattice vectors between atom j, wherever it is, and point g, which is it or an image of it."""
    x, y, z = points[0, g] - positions[j, 0], points[1, g] - positions[j, 1], points[2, g] - positions[j, 2]
    for k in range(3):
        shifts[place + k] = int(np.rint(x * inverse[0, k] + y * inverse[1, k] + z * inverse[2, k]))


@njit(cache=True, nogil=True)
def _blocks_of(begin, count, found, width, filler):
    """The entries ``begin[i] : begin[i] + count[i]``, atom after atom, each filled up to a multiple of ``width``."""
    starts = np.zeros(begin.shape[0] + 1, dtype=np.int64)
    for i in range(begin.shape[0]):
        starts[i + 1] = starts[i] + (count[i] + width - 1) // width
    blocks = np.full(width * starts[-1], filler, dtype=np.int32)
    for i in range(begin.shape[0]):
        for n in range(count[i]):
            blocks[width * starts[i] + n] = found[begin[i] + n]
    return starts, blocks
