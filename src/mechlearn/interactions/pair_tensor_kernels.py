"""Compiled sums over pairs that end in tensors: stress and stiffness of atoms, and the Hessian in 3 × 3 blocks."""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, transpose
from mechlearn.interactions.pair_derivative_kernels import (
    BEND,
    FAR,
    NEAR,
    PAIR_NUMBERS,
    PAIR_X,
    PAIR_Y,
    PAIR_Z,
    TANGENT,
)


@njit(cache=True, nogil=True)
def _read_pair(blocks, slot, numbers):
    """The numbers of one pair; whether it has any."""
    start = slot // LANES * PAIR_NUMBERS * LANES + slot % LANES
    for n in range(PAIR_NUMBERS):
        numbers[n] = blocks[start + n * LANES]
    return numbers[0] != 0.0 or numbers[1] != 0.0 or numbers[2] != 0.0


@njit(cache=True, nogil=True)
def _dyad(numbers, dyad):
    """r ⊗ r as xx, yy, zz, yz, xz, xy."""
    x, y, z = numbers[PAIR_X], numbers[PAIR_Y], numbers[PAIR_Z]
    dyad[0], dyad[1], dyad[2], dyad[3], dyad[4], dyad[5] = x * x, y * y, z * z, y * z, x * z, x * y


@njit(cache=True, nogil=True)
def _owner(lists, atoms, slot):
    """The atom that is the neighbour, or of which it is an image."""
    row = lists.neighbours[slot]
    return row if row < atoms else lists.owners[row - atoms]


@njit(cache=True, nogil=True)
def atomic_tensors(lists, blocks, curvatures):
    """Σ ½ ψ'/r (r⊗r) (atoms, 6), and Σ ½ B (r⊗r)(r⊗r) + F'' (Σ f'/r r⊗r)² (atoms, 6, 6), of every atom's pairs."""
    atoms = lists.block_starts.shape[0] - 1
    stresses, stiffnesses, rates = np.zeros((atoms, 6)), np.zeros((atoms, 6, 6)), np.zeros((atoms, 6))
    numbers, dyad = np.empty(PAIR_NUMBERS), np.empty(6)
    for i in range(atoms):
        for slot in range(LANES * lists.block_starts[i], LANES * lists.block_starts[i + 1]):
            if not _read_pair(blocks, slot, numbers):
                continue
            j = _owner(lists, atoms, slot)
            _dyad(numbers, dyad)
            for a in range(6):
                stresses[i, a] += 0.5 * numbers[TANGENT] * dyad[a]
                stresses[j, a] += 0.5 * numbers[TANGENT] * dyad[a]
                rates[i, a] += numbers[NEAR] * dyad[a]
                rates[j, a] += numbers[FAR] * dyad[a]
                for b in range(a, 6):
                    share = 0.5 * numbers[BEND] * dyad[a] * dyad[b]
                    stiffnesses[i, a, b] += share
                    stiffnesses[j, a, b] += share
    for i in range(atoms):
        for a in range(6):
            for b in range(a, 6):
                stiffnesses[i, a, b] += curvatures[i] * rates[i, a] * rates[i, b]
                stiffnesses[i, b, a] = stiffnesses[i, a, b]
    return stresses, stiffnesses


@njit(cache=True, nogil=True)
def _lay_out_pairs(lists, blocks, pairs):
    """Write the numbers of each pair side by side; the atom at its other end, or -1 where it is not in the Hessian.

    Pairs beyond the cutoff are not, nor is that of an atom with an image of itself.
    """
    atoms = lists.block_starts.shape[0] - 1
    partners = np.full(lists.neighbours.shape[0], -1, dtype=np.int32)
    for i in range(atoms):
        for block in range(lists.block_starts[i], lists.block_starts[i + 1]):
            start = block * PAIR_NUMBERS * LANES
            transpose(blocks, start, pairs, start, PAIR_NUMBERS)
            for slot in range(LANES * block, LANES * (block + 1)):
                p = PAIR_NUMBERS * slot
                if pairs[p + PAIR_X] != 0.0 or pairs[p + PAIR_Y] != 0.0 or pairs[p + PAIR_Z] != 0.0:
                    j = _owner(lists, atoms, slot)
                    partners[slot] = j if j != i else -1
    return partners


@njit(cache=True, nogil=True)
def _both_ways(lists, partners):
    """For every atom its pairs, as centre or as neighbour: starts (atoms + 1), the other atoms in order, and the slots.

    Of pairs as neighbour the slot is -1 - slot.
    """
    atoms = lists.block_starts.shape[0] - 1
    starts = np.zeros(atoms + 1, dtype=np.int64)
    for i in range(atoms):
        for slot in range(LANES * lists.block_starts[i], LANES * lists.block_starts[i + 1]):
            if partners[slot] >= 0:
                starts[i + 1] += 1
                starts[partners[slot] + 1] += 1
    for i in range(atoms):
        starts[i + 1] += starts[i]
    listed, listed_slots, end = np.empty(starts[atoms], np.int32), np.empty(starts[atoms], np.int32), starts[:-1].copy()
    for i in range(atoms):
        for slot in range(LANES * lists.block_starts[i], LANES * lists.block_starts[i + 1]):
            j = partners[slot]
            if j >= 0:
                listed[end[i]], listed_slots[end[i]], listed[end[j]], listed_slots[end[j]] = j, slot, i, -1 - slot
                end[i] += 1
                end[j] += 1
    # Dealt out atom after atom, as what they are to the others, the others come in order.
    others, slots, end = np.empty(starts[atoms], np.int32), np.empty(starts[atoms], np.int32), starts[:-1].copy()
    for j in range(atoms):
        for p in range(starts[j], starts[j + 1]):
            i = listed[p]
            others[end[i]], slots[end[i]] = j, -1 - listed_slots[p]
            end[i] += 1
    return starts, others, slots


@njit(cache=True, nogil=True)
def pairs_of_atoms(lists, blocks, pairs):
    """What :func:`local_hessian` goes by: the numbers of ``pairs``, and every atom's pairs in order of the others."""
    return _both_ways(lists, _lay_out_pairs(lists, blocks, pairs))


@njit(cache=True, nogil=True)
def local_hessian(pairs, pair_starts, others, slots, columns, matrices, gradients):
    """Rows of blocks, columns in order: returns starts; columns, T 1 + B r rᵀ summed (9 blocks), ∂ρ/∂x (3 blocks).

    Entry (i, j) is minus the matrix of the pair, the diagonal their sum; row i of ∂ρ/∂x is that of ρ_i.  Two atoms may
    be neighbours more than once in a small cell; they share a block.  The arrays come from outside, zero: the system
    gives NumPy large pages, and Numba small ones, which cost more than all else that is done here.
    """
    atoms = pair_starts.shape[0] - 1
    starts = np.zeros(atoms + 1, dtype=np.int32)
    count = 0
    for i in range(atoms):
        diagonal = -1
        for p in range(pair_starts[i], pair_starts[i + 1]):
            if diagonal < 0 and others[p] > i:
                diagonal, columns[count] = count, i
                count += 1
            if count == starts[i] or columns[count - 1] != others[p]:
                columns[count] = others[p]
                count += 1
            _take_pair(pairs, slots[p], matrices, gradients, count - 1)
        if diagonal < 0:
            diagonal, columns[count] = count, i
            count += 1
        starts[i + 1] = count
        _balance(matrices, gradients, starts[i], count, diagonal)
    return starts


@njit(cache=True, nogil=True)
def _take_pair(pairs, slot, matrices, gradients, entry):
    """Take T 1 + B r rᵀ from block (i, j), and add ∂ρ_i/∂x_j to the other one.

    r points from centre to neighbour: where i is the centre, ∂ρ_i/∂x_j is f'/r r with what the neighbour adds to the
    centre; where it is the neighbour (a slot below zero), −f'/r r with what the centre adds to the neighbour.
    """
    start = PAIR_NUMBERS * (slot if slot >= 0 else -1 - slot)
    x, y, z = pairs[start + PAIR_X], pairs[start + PAIR_Y], pairs[start + PAIR_Z]
    tangent, bend = pairs[start + TANGENT], pairs[start + BEND]
    rate = pairs[start + NEAR] if slot >= 0 else -pairs[start + FAR]
    matrix, gradient = matrices[9 * entry : 9 * entry + 9], gradients[3 * entry : 3 * entry + 3]
    yz, xz, xy = bend * y * z, bend * x * z, bend * x * y
    matrix[0] -= tangent + bend * x * x
    matrix[4] -= tangent + bend * y * y
    matrix[8] -= tangent + bend * z * z
    matrix[1] -= xy
    matrix[3] -= xy
    matrix[2] -= xz
    matrix[6] -= xz
    matrix[5] -= yz
    matrix[7] -= yz
    gradient[0] += rate * x
    gradient[1] += rate * y
    gradient[2] += rate * z


@njit(cache=True, nogil=True)
def _balance(matrices, gradients, first, last, diagonal):
    """Make the sum of a row zero by its diagonal: moving all atoms together changes nothing."""
    for entry in range(first, last):
        if entry != diagonal:
            for n in range(9):
                matrices[9 * diagonal + n] -= matrices[9 * entry + n]
            for n in range(3):
                gradients[3 * diagonal + n] -= gradients[3 * entry + n]
