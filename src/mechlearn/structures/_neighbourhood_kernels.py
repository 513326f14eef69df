"""Compiled loops over the periodic neighbours of every atom: nearest distances and simple local features.

Both walk a list of bins in fractional coordinates.  Along a lattice direction of height h (the distance between
its two faces) there are n = max(1, ⌊h / cutoff⌋) bins, and ⌈n·cutoff / h⌉ bins to either side are looked into, so
one code serves a cell of one atom, where the same bin is met again as its own image, and one of a million.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

Array = Any


@njit(cache=True)
def _bins_of(positions: Array, cell: Array, periodic: Array, cutoff: float) -> tuple[Array, ...]:
    """Sort the atoms of one structure into bins.

    Returns the wrapped positions, each atom's bin (atoms, 3), bins a direction, reach a direction,
    the first atom of each bin, and the atoms in the order of their bins.
    """
    count = len(positions)
    inverse = np.linalg.inv(cell)
    number = np.ones(3, np.int64)
    reach = np.zeros(3, np.int64)
    for k in range(3):
        if periodic[k]:
            height = 1.0 / np.sqrt(inverse[0, k] ** 2 + inverse[1, k] ** 2 + inverse[2, k] ** 2)
            # More bins than atoms along an edge gain nothing and would make an empty cell slow.
            number[k] = min(max(1, int(height / cutoff)), 1 + count)
            reach[k] = int(np.ceil(number[k] * cutoff / height))
    wrapped = np.empty((count, 3))
    where = np.zeros((count, 3), np.int64)
    for i in range(count):
        for k in range(3):
            fraction = 0.0
            for a in range(3):
                fraction += positions[i, a] * inverse[a, k]
            if periodic[k]:
                fraction -= np.floor(fraction)
                where[i, k] = min(int(fraction * number[k]), number[k] - 1)
            wrapped[i, k] = fraction
    cartesian = wrapped @ cell
    total = number[0] * number[1] * number[2]
    first = np.zeros(total + 1, np.int64)
    for i in range(count):
        first[(where[i, 0] * number[1] + where[i, 1]) * number[2] + where[i, 2] + 1] += 1
    first = np.cumsum(first)
    order = np.empty(count, np.int64)
    filled = first[:-1].copy()
    for i in range(count):
        home = (where[i, 0] * number[1] + where[i, 1]) * number[2] + where[i, 2]
        order[filled[home]] = i
        filled[home] += 1
    return cartesian, where, number, reach, first, order


@njit(cache=True)
def _collect(
    i: int,
    bins: tuple[Array, ...],
    cell: Array,
    cutoff: float,
    vectors: Array,
    owners: Array,
) -> tuple[int, Array, Array]:
    """Every r_j − r_i shorter than the cutoff, periodic images counted; the buffers grow where they must."""
    cartesian, where, number, reach, first, order = bins
    found = 0
    for u in range(where[i, 0] - reach[0], where[i, 0] + reach[0] + 1):
        image_u = np.floor(u / number[0])
        for v in range(where[i, 1] - reach[1], where[i, 1] + reach[1] + 1):
            image_v = np.floor(v / number[1])
            for w in range(where[i, 2] - reach[2], where[i, 2] + reach[2] + 1):
                image_w = np.floor(w / number[2])
                home = ((u % number[0]) * number[1] + v % number[1]) * number[2] + w % number[2]
                at_home = image_u == 0 and image_v == 0 and image_w == 0
                sx = image_u * cell[0, 0] + image_v * cell[1, 0] + image_w * cell[2, 0] - cartesian[i, 0]
                sy = image_u * cell[0, 1] + image_v * cell[1, 1] + image_w * cell[2, 1] - cartesian[i, 1]
                sz = image_u * cell[0, 2] + image_v * cell[1, 2] + image_w * cell[2, 2] - cartesian[i, 2]
                for slot in range(first[home], first[home + 1]):
                    j = order[slot]
                    if at_home and j == i:
                        continue
                    x = cartesian[j, 0] + sx
                    y = cartesian[j, 1] + sy
                    z = cartesian[j, 2] + sz
                    if x * x + y * y + z * z >= cutoff * cutoff:
                        continue
                    if found == len(owners):
                        vectors = np.concatenate((vectors, np.empty_like(vectors)))
                        owners = np.concatenate((owners, np.empty_like(owners)))
                    vectors[found, 0] = x
                    vectors[found, 1] = y
                    vectors[found, 2] = z
                    owners[found] = j
                    found += 1
    return found, vectors, owners


@njit(cache=True, parallel=True)
def nearest(positions: Array, cells: Array, periodic: Array, offsets: Array, cutoff: float) -> tuple[Array, Array]:
    """Distance and index (within the batch) of each atom's nearest neighbour; cutoff and -1 where there is none."""
    distances = np.full(len(positions), cutoff)
    partners = np.full(len(positions), -1, np.int64)
    for s in prange(len(cells)):
        start, stop = offsets[s], offsets[s + 1]
        bins = _bins_of(positions[start:stop], cells[s], periodic[s], cutoff)
        vectors, owners = np.empty((64, 3)), np.empty(64, np.int64)
        for i in range(stop - start):
            found, vectors, owners = _collect(i, bins, cells[s], cutoff, vectors, owners)
            for n in range(found):
                r = np.sqrt(vectors[n, 0] ** 2 + vectors[n, 1] ** 2 + vectors[n, 2] ** 2)
                if r < distances[start + i]:
                    distances[start + i] = r
                    partners[start + i] = start + owners[n]
    return distances, partners


@njit(cache=True)
def _radial(r: float, cutoff: float, values: Array) -> None:
    """φ_k(r) = (1 − (r/c)²)² · sin(kπ r/c) / (r/c), k = 1 … K: smooth, and zero with its slope at the cutoff."""
    x = r / cutoff
    window = (1.0 - x * x) ** 2 / max(x, 1e-6)
    for k in range(len(values)):
        values[k] = window * np.sin((k + 1) * np.pi * x)


@njit(cache=True, parallel=True)
def local_features(
    positions: Array,
    cells: Array,
    periodic: Array,
    offsets: Array,
    kinds: Array,
    kind_count: int,
    cutoff: float,
    radial: int,
    coupled: int,
) -> Array:
    """Sums over the atoms of each structure of two- and three-body invariants, one block for each central kind.

    With A_k = Σ_j φ_k, v_k = Σ_j φ_k r̂ and T_k = Σ_j φ_k r̂r̂ over an atom's neighbours, a block holds: 1; A_k of each
    kind of neighbour (k ≤ radial); and A_k A_l, v_k·v_l, T_k:T_l over all neighbours (k ≤ l ≤ coupled).
    """
    pairs = coupled * (coupled + 1) // 2
    width = 1 + kind_count * radial + 3 * pairs
    features = np.zeros((len(cells), kind_count * width))
    for s in prange(len(cells)):
        start, stop = offsets[s], offsets[s + 1]
        bins = _bins_of(positions[start:stop], cells[s], periodic[s], cutoff)
        vectors, owners = np.empty((256, 3)), np.empty(256, np.int64)
        values = np.empty(radial)
        for i in range(stop - start):
            found, vectors, owners = _collect(i, bins, cells[s], cutoff, vectors, owners)
            base = kinds[start + i] * width
            features[s, base] += 1.0
            moments = np.zeros((coupled, 13))
            for n in range(found):
                x, y, z = vectors[n, 0], vectors[n, 1], vectors[n, 2]
                r = np.sqrt(x * x + y * y + z * z)
                _radial(r, cutoff, values)
                column = base + 1 + kinds[start + owners[n]] * radial
                for k in range(radial):
                    features[s, column + k] += values[k]
                unit = (x / max(r, 1e-6), y / max(r, 1e-6), z / max(r, 1e-6))
                for k in range(coupled):
                    moments[k, 0] += values[k]
                    for a in range(3):
                        moments[k, 1 + a] += values[k] * unit[a]
                        for b in range(3):
                            moments[k, 4 + 3 * a + b] += values[k] * unit[a] * unit[b]
            column = base + 1 + kind_count * radial
            for k in range(coupled):
                for l in range(k, coupled):
                    features[s, column] += moments[k, 0] * moments[l, 0]
                    for a in range(1, 4):
                        features[s, column + 1] += moments[k, a] * moments[l, a]
                    for a in range(4, 13):
                        features[s, column + 2] += moments[k, a] * moments[l, a]
                    column += 3
    return features
