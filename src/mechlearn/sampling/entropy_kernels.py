"""Compiled sums of the entropy potential: nearest neighbours in descriptor space, and the repulsive core."""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, aligned, broadcast, load, store, where_less
from mechlearn.sampling.lane_choice_kernels import lane_least, lanes_below, lowest_bit

#: Where no point is, in units of the scale; its square is still a number.
_NOWHERE = 1e30


@njit(cache=True, nogil=True)
def lane_count(atoms):
    """How many numbers a row of ``atoms`` takes in whole groups of lanes."""
    return (atoms + LANES - 1) // LANES * LANES


@njit(cache=True, nogil=True)
def nearest_neighbour_entropy(points, offsets, floor, entropies, gradient):
    """S of each structure, N S = Σ_i ½ ln(N² (d_i² + floor²)), and N ∂S/∂(point) of each atom."""
    features = points.shape[1]
    for s in range(offsets.shape[0] - 1):
        first, last = offsets[s], offsets[s + 1]
        atoms, stride = last - first, lane_count(last - first)
        rows, slopes = aligned(features * stride), aligned(features * stride)
        softened = np.empty(atoms)
        for feature in range(features):
            for i in range(atoms):
                rows[feature * stride + i] = points[first + i, feature]
        entropy_gradient(rows, stride, features, floor, softened, slopes)
        for feature in range(features):
            for i in range(atoms):
                gradient[first + i, feature] = slopes[feature * stride + i]
        entropies[s] = 0.5 * np.log(atoms * atoms * softened).mean() if atoms > 1 else 0.0


@njit(cache=True, nogil=True)
def entropy_gradient(points, stride, features, floor, softened, gradient):
    """N ∂S/∂(point) of one structure, and d² + floor² of its atoms; ``softened`` has one place an atom.

    Feature l of atom i is at ``l · stride + i``, of the points and of the gradient.
    """
    atoms = softened.shape[0]
    squares, infinite = aligned(stride), broadcast(np.inf)
    # An atom is no neighbour of itself: its own place is this far away.
    apart = np.zeros(2 * stride)
    apart[stride] = np.inf
    for feature in range(features):
        points[feature * stride + atoms : (feature + 1) * stride] = _NOWHERE
    gradient[:] = 0.0
    if atoms < 2:
        return
    for i in range(atoms):
        least = infinite
        for j in range(0, stride, LANES):
            square = load(apart, stride + j - i)
            for place in range(0, features * stride, stride):
                difference = load(points, place + j) - broadcast(points[place + i])
                square = square + difference * difference
            store(squares, j, square)
            least = where_less(square, least, square, least)
        nearest = _first_at(squares, stride, lane_least(least))
        softened[i] = squares[nearest] + floor * floor
        inverse = 1.0 / softened[i]
        for place in range(0, features * stride, stride):
            pull = (points[place + i] - points[place + nearest]) * inverse
            gradient[place + i] += pull
            gradient[place + nearest] -= pull


@njit(cache=True, nogil=True)
def _first_at(numbers, count, least):
    """The first place that holds the least of the numbers."""
    for j in range(0, count, LANES):
        no_more = np.uint64(lanes_below(broadcast(least), load(numbers, j)) ^ np.uint8(255))
        if no_more != np.uint64(0):
            return j + lowest_bit(no_more)
    return 0


@njit(cache=True, nogil=True)
def core_repulsion(starts, distances, vectors, structure_of_atom, strength, radii, energies, pair_gradient):
    """V = Σ_pairs ε (1 - r/r_core)³ below each structure's r_core; ∂V/∂r_k of ordered pairs to ``pair_gradient``."""
    for i in range(starts.shape[0] - 1):
        s = structure_of_atom[i]
        radius = radii[s]
        for p in range(starts[i], starts[i + 1]):
            r = distances[p]
            if r < radius:
                depth = 1.0 - r / radius
                # Each pair is met twice: half its energy and half its gradient each time.
                energies[s] += 0.5 * strength * depth**3
                slope = -1.5 * strength * depth**2 / (radius * r)
                for x in range(3):
                    pair_gradient[p, x] = slope * vectors[p, x]
            else:
                for x in range(3):
                    pair_gradient[p, x] = 0.0
