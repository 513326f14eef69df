"""Compiled sums of the entropy potential: nearest neighbours in descriptor space, and the repulsive core."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def nearest_neighbour_entropy(points, offsets, floor, entropies, gradient):
    """S of each structure, and N ∂S/∂(point) of each atom.

    N S = Σ_i ½ ln(N² (d_i² + floor²)), d_i the distance to the nearest other point of the structure.
    """
    for s in range(offsets.shape[0] - 1):
        first, last = offsets[s], offsets[s + 1]
        count = last - first
        total = 0.0
        for i in range(first, last):
            nearest, least = -1, np.inf
            for j in range(first, last):
                if j == i:
                    continue
                square = 0.0
                for component in range(points.shape[1]):
                    difference = points[i, component] - points[j, component]
                    square += difference * difference
                if square < least:
                    least, nearest = square, j
            if nearest < 0:
                continue
            softened = least + floor * floor
            total += 0.5 * np.log(count * count * softened)
            for component in range(points.shape[1]):
                pull = (points[i, component] - points[nearest, component]) / softened
                gradient[i, component] += pull
                gradient[nearest, component] -= pull
        entropies[s] = total / count


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
