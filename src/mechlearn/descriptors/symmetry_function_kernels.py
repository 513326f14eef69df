"""Compiled symmetry functions: values of every atom, and their gradients contracted pair by pair.

Angular functions share factors: exp(−η r²) depends on η alone, (1 + λ cos θ)^ζ on ζ and λ alone.  Both are made once
a triple for each of their distinct parameters, and the functions are products of them.
"""

from collections import namedtuple

import numpy as np
from numba import njit

#: What is known of the neighbours of one atom within the angular cutoff, each in a row: the pair it is, its element,
#: where it is and how far, f_c with its slope, exp(−η r²) for every η.
Near = namedtuple("Near", "pairs kinds vectors distances fades slopes decays")


@njit(cache=True, nogil=True)
def _fade(distance, cutoff):
    """f_c = ½ (1 + cos(π r/r_c))."""
    return 0.5 * (1.0 + np.cos(np.pi * distance / cutoff)) if distance < cutoff else 0.0


@njit(cache=True, nogil=True)
def _fade_slope(distance, cutoff):
    """df_c/dr."""
    return -0.5 * np.pi / cutoff * np.sin(np.pi * distance / cutoff) if distance < cutoff else 0.0


@njit(cache=True, nogil=True)
def _power(base, exponent):
    """base^exponent, by squaring where the exponent is a whole number."""
    whole = int(exponent)
    if whole != exponent:
        return base**exponent
    result = 1.0
    while whole > 0:
        if whole % 2:
            result *= base
        base *= base
        whole //= 2
    return result


@njit(cache=True, nogil=True)
def _room(starts, angular):
    """Rows for the neighbours of any atom."""
    most = 1
    for i in range(starts.shape[0] - 1):
        most = max(most, starts[i + 1] - starts[i])
    etas = angular.etas.shape[0]
    return Near(
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.empty((most, 3)),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty((most, etas)),
    )


@njit(cache=True, nogil=True)
def _gather(i, pairs, kinds, angular, near):
    """Fill in the neighbours of atom i within the angular cutoff; returns how many they are."""
    starts, second, vectors, distances = pairs
    count = 0
    for p in range(starts[i], starts[i + 1]):
        r = distances[p]
        if r >= angular.cutoff:
            continue
        near.pairs[count], near.kinds[count], near.distances[count] = p, kinds[second[p]], r
        near.fades[count], near.slopes[count] = _fade(r, angular.cutoff), _fade_slope(r, angular.cutoff)
        for x in range(3):
            near.vectors[count, x] = vectors[p, x]
        for e in range(angular.etas.shape[0]):
            near.decays[count, e] = np.exp(-angular.etas[e] * r * r)
        count += 1
    return count


@njit(cache=True, nogil=True)
def _triple(j, k, near, angular, decays):
    """cos θ, and the distance of two neighbours with f_c and its slope; exp(−η …) of the triple to ``decays``.

    G5 does not look at that distance: there f_c is 1.
    """
    dot, square = 0.0, 0.0
    for x in range(3):
        dot += near.vectors[j, x] * near.vectors[k, x]
        square += (near.vectors[k, x] - near.vectors[j, x]) ** 2
    cosine, across = dot / (near.distances[j] * near.distances[k]), np.sqrt(square)
    fade, slope = 1.0, 0.0
    if angular.third_side:
        fade, slope = _fade(across, angular.cutoff), _fade_slope(across, angular.cutoff)
    if fade > 0.0:
        for e in range(angular.etas.shape[0]):
            third = np.exp(-angular.etas[e] * square) if angular.third_side else 1.0
            decays[e] = near.decays[j, e] * near.decays[k, e] * third
    return cosine, across, fade, slope


@njit(cache=True, nogil=True)
def compute_range(first, last, pairs, kinds, radial, angular, out):
    """The functions of atoms ``first:last``."""
    starts, second, _, distances = pairs
    near = _room(starts, angular)
    decays, turns = np.empty(angular.etas.shape[0]), np.empty(angular.zetas.shape[0])
    for i in range(first, last):
        for n in range(out.shape[1]):
            out[i, n] = 0.0
        for p in range(starts[i], starts[i + 1]):
            fade = _fade(distances[p], radial.cutoff)
            if fade > 0.0:
                place = kinds[second[p]] * radial.etas.shape[0]
                for n in range(radial.etas.shape[0]):
                    away = distances[p] - radial.centres[n]
                    out[i, place + n] += np.exp(-radial.etas[n] * away * away) * fade
        count = _gather(i, pairs, kinds, angular, near) if angular.eta_of.shape[0] > 0 else 0
        for j in range(count):
            for k in range(j + 1, count):
                cosine, _, fade, _ = _triple(j, k, near, angular, decays)
                if fade == 0.0:
                    continue
                fade *= near.fades[j] * near.fades[k]
                for n in range(turns.shape[0]):
                    opening = max(0.5 * (1.0 + angular.lambdas[n] * cosine), 0.0)
                    turns[n] = 2.0 * fade * _power(opening, angular.zetas[n])
                place = angular.places[near.kinds[j], near.kinds[k]]
                for n in range(angular.eta_of.shape[0]):
                    out[i, place + n] += turns[angular.turn_of[n]] * decays[angular.eta_of[n]]


@njit(cache=True, nogil=True)
def pullback_range(first, last, pairs, kinds, radial, angular, gradient, pair_gradient):
    """Σ_n g_in ∂D_in/∂r of every pair of atoms ``first:last``, r from the atom to its neighbour."""
    starts = pairs[0]
    near = _room(starts, angular)
    turns = angular.zetas.shape[0]
    room = np.empty(angular.etas.shape[0]), np.empty(turns), np.empty(turns)
    for i in range(first, last):
        _radial_gradients(i, pairs, kinds, radial, gradient[i], pair_gradient)
        if angular.eta_of.shape[0] > 0:
            _angular_gradients(_gather(i, pairs, kinds, angular, near), near, angular, gradient[i], room, pair_gradient)


@njit(cache=True, nogil=True)
def _radial_gradients(i, pairs, kinds, radial, weights, pair_gradient):
    """Those of the radial functions of atom i, written."""
    starts, second, vectors, distances = pairs
    for p in range(starts[i], starts[i + 1]):
        r, slope = distances[p], 0.0
        if r < radial.cutoff:
            fade, fade_slope = _fade(r, radial.cutoff), _fade_slope(r, radial.cutoff)
            place = kinds[second[p]] * radial.etas.shape[0]
            for n in range(radial.etas.shape[0]):
                away = r - radial.centres[n]
                decay = weights[place + n] * np.exp(-radial.etas[n] * away * away)
                slope += decay * (fade_slope - 2.0 * radial.etas[n] * away * fade)
        for x in range(3):
            pair_gradient[p, x] = slope * vectors[p, x] / r


@njit(cache=True, nogil=True)
def _angular_gradients(count, near, angular, weights, room, pair_gradient):
    """Those of the angular functions of one atom, added."""
    decays, turns, turn_slopes = room
    for j in range(count):
        for k in range(j + 1, count):
            cosine, across, fade, fade_slope = _triple(j, k, near, angular, decays)
            if fade == 0.0:
                continue
            for n in range(turns.shape[0]):
                opening, zeta = max(0.5 * (1.0 + angular.lambdas[n] * cosine), 0.0), angular.zetas[n]
                lower = _power(opening, zeta - 1.0)
                turns[n], turn_slopes[n] = 2.0 * opening * lower, zeta * angular.lambdas[n] * lower
            # Σ g A E, Σ g A E η and Σ g dA/dcos θ E.
            value, spread, turn = 0.0, 0.0, 0.0
            place = angular.places[near.kinds[j], near.kinds[k]]
            for n in range(angular.eta_of.shape[0]):
                weight = weights[place + n] * decays[angular.eta_of[n]]
                value += weight * turns[angular.turn_of[n]]
                spread += weight * turns[angular.turn_of[n]] * angular.etas[angular.eta_of[n]]
                turn += weight * turn_slopes[angular.turn_of[n]]
            fade_j, fade_k = near.fades[j], near.fades[k]
            all_fades = fade_j * fade_k * fade
            r_j, r_k = near.distances[j], near.distances[k]
            # By |r_j|, |r_k| and |r_k − r_j| at a given angle, over that length; and by the angle.
            along_j = (near.slopes[j] * fade_k * fade * value) / r_j - 2.0 * all_fades * spread
            along_k = (fade_j * near.slopes[k] * fade * value) / r_k - 2.0 * all_fades * spread
            along_third = 0.0
            if angular.third_side:
                along_third = fade_j * fade_k * fade_slope * value / across - 2.0 * all_fades * spread
            turn *= all_fades
            for x in range(3):
                x_j, x_k = near.vectors[j, x], near.vectors[k, x]
                third = along_third * (x_k - x_j)
                by_j = turn * (x_k / (r_j * r_k) - cosine * x_j / (r_j * r_j))
                by_k = turn * (x_j / (r_j * r_k) - cosine * x_k / (r_k * r_k))
                pair_gradient[near.pairs[j], x] += along_j * x_j - third + by_j
                pair_gradient[near.pairs[k], x] += along_k * x_k + third + by_k
