"""Compiled search for the neighbours of one small periodic cell whose atoms move at every step.

All periodic images that can matter are laid out side by side, and each atom is compared with all of them, eight at a
time and without a branch: up to a few hundred images that is quicker than keeping lists that have to be renewed.
Sets of atoms and of images are bits of 64-bit words.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, load, store
from mechlearn.sampling.lane_choice_kernels import bit_count, gather, lanes_below, lowest_bit

#: Bits of a word: sets of images are counted in words.
WORD = 64

#: Where no atom is, Å; its square is still a number.
_NOWHERE = 1e30


@njit(cache=True, nogil=True)
def words_for(count):
    """How many words hold ``count`` bits."""
    return (count + WORD - 1) // WORD


@njit(cache=True, nogil=True)
def _wrap(positions, cell, inverse, x, y, z, fraction):
    """The atoms' images in the cell itself, and their fractional coordinates."""
    for i in range(positions.shape[0]):
        for k in range(3):
            f = positions[i, 0] * inverse[0, k] + positions[i, 1] * inverse[1, k] + positions[i, 2] * inverse[2, k]
            fraction[k, i] = f - np.floor(f)
        f0, f1, f2 = fraction[0, i], fraction[1, i], fraction[2, i]
        x[i] = f0 * cell[0, 0] + f1 * cell[1, 0] + f2 * cell[2, 0]
        y[i] = f0 * cell[0, 1] + f1 * cell[1, 1] + f2 * cell[2, 1]
        z[i] = f0 * cell[0, 2] + f1 * cell[1, 2] + f2 * cell[2, 2]


@njit(cache=True, nogil=True)
def _atoms_inside(fraction, reach, most, inside):
    """Which atoms are within reach of the cell after n shifts along each axis: bits of ``inside[axis, n + most]``."""
    for k in range(3):
        for n in range(-most[k], most[k] + 1):
            low, high = -reach[k] - n, 1.0 + reach[k] - n
            for part in range(inside.shape[2]):
                inside[k, n + most[k], part] = np.uint64(0)
            for j in range(fraction.shape[1]):
                if low <= fraction[k, j] <= high:
                    inside[k, n + most[k], j >> 6] |= np.uint64(1) << np.uint64(j & 63)


@njit(cache=True, nogil=True)
def lay_out_images(positions, cell, inverse, cutoff, x, y, z, owner):
    """All images within the cutoff of the cell, and the atom that each is; the atoms themselves first.

    Returns how many there are; what is left of the last word is filled up with points far away.
    """
    atoms = positions.shape[0]
    fraction, reach, most = np.empty((3, atoms)), np.empty(3), np.empty(3, dtype=np.int64)
    for k in range(3):
        # The cutoff in fractional coordinates: cutoff / height, where height_k = 1 / |column k of the inverse|.
        reach[k] = cutoff * np.sqrt(inverse[0, k] ** 2 + inverse[1, k] ** 2 + inverse[2, k] ** 2)
        most[k] = int(reach[k]) + 1
    inside = np.empty((3, 2 * max(most[0], most[1], most[2]) + 1, words_for(atoms)), dtype=np.uint64)
    _wrap(positions, cell, inverse, x, y, z, fraction)
    _atoms_inside(fraction, reach, most, inside)
    for i in range(atoms):
        owner[i] = i
    count = atoms
    for n0 in range(-most[0], most[0] + 1):
        for n1 in range(-most[1], most[1] + 1):
            for n2 in range(-most[2], most[2] + 1):
                if n0 == 0 and n1 == 0 and n2 == 0:
                    continue
                shift_x = n0 * cell[0, 0] + n1 * cell[1, 0] + n2 * cell[2, 0]
                shift_y = n0 * cell[0, 1] + n1 * cell[1, 1] + n2 * cell[2, 1]
                shift_z = n0 * cell[0, 2] + n1 * cell[1, 2] + n2 * cell[2, 2]
                for part in range(inside.shape[2]):
                    word = inside[0, n0 + most[0], part] & inside[1, n1 + most[1], part]
                    word &= inside[2, n2 + most[2], part]
                    while word != np.uint64(0):
                        j = WORD * part + lowest_bit(word)
                        word &= word - np.uint64(1)
                        x[count], y[count], z[count] = x[j] + shift_x, y[j] + shift_y, z[j] + shift_z
                        owner[count] = j
                        count += 1
    for g in range(count, WORD * words_for(count)):
        x[g], y[g], z[g] = _NOWHERE, _NOWHERE, _NOWHERE
    return count


@njit(cache=True, nogil=True)
def mark_neighbours(x, y, z, count, cutoff, words, found):
    """Mark, for each of the first atoms, the images closer than the cutoff, itself left out; ``found`` are how many.

    Atom i has the words from ``i · words_for(count)`` on.
    """
    parts = words_for(count)
    square, marks = broadcast(cutoff * cutoff), words.view(np.uint8)
    for i in range(found.shape[0]):
        x_0, y_0, z_0 = broadcast(x[i]), broadcast(y[i]), broadcast(z[i])
        begin = i * parts * LANES
        for part in range(LANES * parts):
            dx, dy, dz = load(x, LANES * part) - x_0, load(y, LANES * part) - y_0, load(z, LANES * part) - z_0
            marks[begin + part] = lanes_below(dx * dx + dy * dy + dz * dz, square)
        words[i * parts + (i >> 6)] &= ~(np.uint64(1) << np.uint64(i & 63))
        found[i] = 0
        for part in range(i * parts, (i + 1) * parts):
            found[i] += bit_count(words[part])


@njit(cache=True, nogil=True)
def gather_neighbours(words, count, x, y, z, first, filling, near, blocks, stride):
    """Lay the vectors from each atom to its marked images into blocks of eight; ``near`` says which images they are.

    Block b is ``stride`` numbers, eight x, eight y and eight z before others; those of atom i are
    ``first[i]:first[i + 1]``.  Places left over in the last one hold (``filling``, 0, 0).
    """
    parts = words_for(count)
    for i in range(first.shape[0] - 1):
        found = LANES * first[i]
        for part in range(parts):
            word = words[i * parts + part]
            while word != np.uint64(0):
                near[found] = WORD * part + lowest_bit(word)
                word &= word - np.uint64(1)
                found += 1
        for n in range(found, LANES * first[i + 1]):
            near[n] = i
        x_0, y_0, z_0 = broadcast(x[i]), broadcast(y[i]), broadcast(z[i])
        for b in range(first[i], first[i + 1]):
            store(blocks, b * stride, gather(x, near, LANES * b) - x_0)
            store(blocks, b * stride + LANES, gather(y, near, LANES * b) - y_0)
            store(blocks, b * stride + 2 * LANES, gather(z, near, LANES * b) - z_0)
        for n in range(found, LANES * first[i + 1]):
            blocks[(n >> 3) * stride + (n & 7)] = filling
