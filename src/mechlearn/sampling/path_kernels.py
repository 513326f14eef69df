"""Compiled forces of the entropy potential at 2J = 2, for structures that move step by step.

One structure after the other goes through all stages, images, neighbours, moments, entropy, gradients, forces, so
that what it needs stays in the core's own cache.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, aligned
from mechlearn.sampling.entropy_kernels import entropy_gradient, lane_count
from mechlearn.sampling.image_kernels import (
    WORD,
    gather_neighbours,
    lay_out_images,
    mark_neighbours,
    words_for,
)
from mechlearn.sampling.moment_kernels import (
    BLOCK,
    MOMENTS,
    add_gradients,
    adjoint_of_moments,
    angles_and_weights,
    components_of_moments,
    core_slopes,
    density_moments,
    pair_gradients,
    radial_gradients,
)


@njit(cache=True, nogil=True)
def entropy_forces(
    positions, cells, inverses, offsets, cutoffs, most_images, rfac0, weights, scale, floor, strength, radii, forces,
):  # fmt: skip
    """-∂V/∂r of every atom, V = V_repulsive - κ N S.

    Each structure has its κ (``weights``), its r_core (``radii``) and its cutoff; none has more than ``most_images``.
    """
    room = WORD * words_for(most_images)
    x, y, z, owner = aligned(room), aligned(room), aligned(room), np.empty(room, dtype=np.int64)
    blocks, near = aligned(0), np.empty(0, dtype=np.int64)
    forces[:] = 0.0
    for s in range(offsets.shape[0] - 1):
        begin, end = offsets[s], offsets[s + 1]
        atoms = end - begin
        count = lay_out_images(positions[begin:end], cells[s], inverses[s], cutoffs[s], x, y, z, owner)
        words, found = np.empty(atoms * words_for(count), dtype=np.uint64), np.empty(atoms, dtype=np.int64)
        mark_neighbours(x, y, z, count, cutoffs[s], words, found)
        first = np.zeros(atoms + 1, dtype=np.int64)
        for i in range(atoms):
            first[i + 1] = first[i] + (found[i] + LANES - 1) // LANES
        if LANES * first[-1] > near.shape[0]:
            blocks, near = aligned(2 * first[-1] * BLOCK), np.empty(2 * first[-1] * LANES, dtype=np.int64)
        gather_neighbours(words, count, x, y, z, first, cutoffs[s], near, blocks, BLOCK)
        core_slopes(blocks, first[-1], strength, radii[s])
        if weights[s] == 0.0:
            radial_gradients(blocks, first[-1])
        else:
            _entropy_gradients(blocks, first, cutoffs[s], rfac0, weights[s], scale, floor)
        add_gradients(blocks, first, found, near, owner, forces[begin:end])


@njit(cache=True, nogil=True)
def _entropy_gradients(blocks, first, cutoff, rfac0, weight, scale, floor):
    """∂V/∂r of all neighbours of one structure; the blocks of atom i are ``first[i]:first[i + 1]``."""
    atoms, features = first.shape[0] - 1, scale.shape[0]
    stride = lane_count(atoms)
    moments, adjoint = aligned(MOMENTS * stride), aligned(MOMENTS * stride)
    points, gradient = aligned(features * stride), aligned(features * stride)
    moments[:] = 0.0
    angles_and_weights(blocks, first[-1], cutoff, rfac0)
    density_moments(blocks, first, stride, moments)
    components_of_moments(moments, stride, points)
    for feature in range(features):
        for place in range(feature * stride, (feature + 1) * stride):
            points[place] /= scale[feature]
    entropy_gradient(points, stride, features, floor, np.empty(atoms), gradient)
    for feature in range(features):
        for place in range(feature * stride, (feature + 1) * stride):
            gradient[place] *= -weight / scale[feature]
    adjoint_of_moments(moments, stride, gradient, adjoint)
    pair_gradients(blocks, first, adjoint, stride, rfac0 * np.pi / cutoff)
