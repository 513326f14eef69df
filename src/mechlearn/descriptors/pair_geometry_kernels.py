"""What the bispectrum needs of each pair of neighbours, eight atoms at a time.

The pairs of eight atoms lie side by side: number ``n`` of their k-th neighbours is eight doubles at
``(k·PAIR_NUMBERS + n)·LANES``.  An atom with fewer neighbours than its company has pairs beyond their reach, which
count nothing, in their place.
"""

import numpy as np
from numba import njit

from mechlearn.descriptors.lane_kernels import LANES, broadcast, load, square_root, store, where_less

#: The numbers of a pair, in this order: where the neighbour is and how far it is seen and counts, R and w, are
#: given; a_r = cos θ, q = sin θ / r, w·f_c, their derivatives by r and 1/r follow from them.
X, Y, Z, REACH, WEIGHT, A, Q, FADE, A_SLOPE, Q_SLOPE, FADE_SLOPE, INVERSE = range(12)
PAIR_NUMBERS = 12

_HALF_PI = np.pi / 2


@njit(cache=True, nogil=True)
def gather_pairs(atoms, starts, second, vectors, elements, reaches, weights, gathered):
    """Lay the pairs of eight atoms side by side: X, Y, Z, REACH, WEIGHT.

    ``reaches`` is R of each pair of elements, ``weights`` w of each element.  Returns the largest number of
    neighbours, made even, as they are worked on by twos.
    """
    slots = 0
    for lane in range(LANES):
        slots = max(slots, starts[atoms[lane] + 1] - starts[atoms[lane]])
    slots += slots % 2
    several = weights.shape[0] > 1
    if not several:
        for k in range(slots):
            store(gathered, (k * PAIR_NUMBERS + REACH) * LANES, broadcast(reaches[0, 0]))
            store(gathered, (k * PAIR_NUMBERS + WEIGHT) * LANES, broadcast(weights[0]))
    for lane in range(LANES):
        atom = atoms[lane]
        first = starts[atom]
        count = starts[atom + 1] - first
        place = lane
        for p in range(first, first + count):
            gathered[place + X * LANES] = vectors[p, 0]
            gathered[place + Y * LANES] = vectors[p, 1]
            gathered[place + Z * LANES] = vectors[p, 2]
            if several:
                gathered[place + REACH * LANES] = reaches[elements[atom], elements[second[p]]]
                gathered[place + WEIGHT * LANES] = weights[elements[second[p]]]
            place += PAIR_NUMBERS * LANES
        for _ in range(count, slots):
            gathered[place + X * LANES] = 2.0 * reaches[0, 0]
            gathered[place + Y * LANES] = 0.0
            gathered[place + Z * LANES] = 0.0
            gathered[place + REACH * LANES] = reaches[0, 0]
            gathered[place + WEIGHT * LANES] = 0.0
            place += PAIR_NUMBERS * LANES
    return slots


@njit(cache=True, nogil=True)
def sine_cosine(angle):
    """Sine and cosine of angles in [0, π], by Taylor series about π/2; the first term left out is 1e-18."""
    y = angle - _HALF_PI
    s = y * y
    cosine = s * (1 / 1124000727777607680000) - 1 / 2432902008176640000
    for coefficient in (
        1 / 6402373705728000, -1 / 20922789888000, 1 / 87178291200, -1 / 479001600,
        1 / 3628800, -1 / 40320, 1 / 720, -1 / 24, 1 / 2, -1.0,
    ):  # fmt: skip
        cosine = cosine * s + coefficient
    sine = s * (1 / 51090942171709440000) - 1 / 121645100408832000
    for coefficient in (
        1 / 355687428096000, -1 / 1307674368000, 1 / 6227020800, -1 / 39916800,
        1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0,
    ):  # fmt: skip
        sine = sine * s + coefficient
    return cosine * -1.0, sine * y * -1.0


@njit(cache=True, nogil=True)
def pair_geometry(gathered, slots, rfac0, rmin0, switch, slopes):
    """Fill in what follows from the places of ``slots`` times eight neighbours, derivatives only if ``slopes``.

    With θ = (r - rmin0) rfac0 π/(R - rmin0), point r on the 3-sphere has the Cayley–Klein parameters
    a = cos θ - i z q and b = q (y - i x), q = sin θ / r; the switching function is
    f_c = ½ (1 + cos(π (r - rmin0)/(R - rmin0))).
    """
    zero, half_turn = broadcast(0.0), broadcast(np.pi)
    for k in range(slots):
        pair = k * PAIR_NUMBERS * LANES
        x, y, z = load(gathered, pair + X * LANES), load(gathered, pair + Y * LANES), load(gathered, pair + Z * LANES)
        reach = load(gathered, pair + REACH * LANES)
        r = square_root(x * x + y * y + z * z)
        inverse = 1.0 / r
        scale = np.pi / (reach - rmin0)
        phase = (r - rmin0) * scale
        # Beyond the reach the angle stays in range, and below rmin0 nothing fades.
        phase = where_less(phase, half_turn, phase, half_turn)
        sine, cosine = sine_cosine(phase * rfac0)
        # LAMMPS takes 1/|sin θ| where this has 1/sin θ: below rmin0 its a and b have the other sign.
        sign = where_less(phase, zero, broadcast(-1.0), broadcast(1.0))
        sine, cosine = sign * sine, sign * cosine
        switch_sine, switch_cosine = sine_cosine(where_less(zero, phase, phase, zero))
        # Beyond its own reach (elements may differ) a pair counts nothing.
        weight = where_less(r, reach, load(gathered, pair + WEIGHT * LANES), zero)
        q = sine * inverse
        store(gathered, pair + A * LANES, cosine)
        store(gathered, pair + Q * LANES, q)
        store(gathered, pair + FADE * LANES, weight * (1.0 - (0.5 * switch) * (1.0 - switch_cosine)))
        if slopes:
            slope = rfac0 * scale
            store(gathered, pair + A_SLOPE * LANES, slope * sine * -1.0)
            store(gathered, pair + Q_SLOPE * LANES, (slope * cosine - q) * inverse)
            store(gathered, pair + FADE_SLOPE * LANES, weight * scale * switch_sine * (-0.5 * switch))
            store(gathered, pair + INVERSE * LANES, inverse)
