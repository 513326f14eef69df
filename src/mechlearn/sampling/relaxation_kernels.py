"""Compiled steps of annealing and minimisation: every structure with its own step and its own velocities."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def kick(velocities, forces, time):
    """v ← v + f t, for unit mass."""
    for i in range(velocities.shape[0]):
        for x in range(3):
            velocities[i, x] += time * forces[i, x]


@njit(cache=True, nogil=True)
def drift(positions, velocities, time, largest_move):
    """r ← r + v t, no atom further than ``largest_move``."""
    for i in range(positions.shape[0]):
        _move(positions, velocities, time, largest_move, i)


@njit(cache=True, nogil=True)
def _move(positions, velocities, time, largest_move, i):
    length = time * np.sqrt(velocities[i, 0] ** 2 + velocities[i, 1] ** 2 + velocities[i, 2] ** 2)
    shortened = time * largest_move / length if length > largest_move else time
    for x in range(3):
        positions[i, x] += shortened * velocities[i, x]


@njit(cache=True, nogil=True)
def fire_step(
    positions, velocities, forces, offsets, step, mixing, downhill,
    largest_step, smallest_step, largest_move, patience, growth, shrinkage, mixing_at_start, mixing_decay,
):  # fmt: skip
    """One step of FIRE for every structure, in place.

    While its path goes downhill (f·v > 0) a structure steers, v ← (1 - α) v + α |v| f/|f|, and after a while takes
    longer steps with less steering; where the path turned uphill it stops, v ← 0, and begins anew with shorter ones.
    """
    for s in range(offsets.shape[0] - 1):
        first, last = offsets[s], offsets[s + 1]
        power, speed, push = 0.0, 0.0, 0.0
        for i in range(first, last):
            for x in range(3):
                power += forces[i, x] * velocities[i, x]
                speed += velocities[i, x] ** 2
                push += forces[i, x] ** 2
        keep, steer = 0.0, 0.0
        if power > 0.0:
            keep, steer = 1.0 - mixing[s], mixing[s] * np.sqrt(speed / push)
            if downhill[s] > patience:
                step[s] = min(step[s] * growth, largest_step)
                mixing[s] *= mixing_decay
            downhill[s] += 1
        else:
            step[s] = max(step[s] * shrinkage, smallest_step)
            mixing[s] = mixing_at_start
            downhill[s] = 0
        for i in range(first, last):
            for x in range(3):
                velocities[i, x] = keep * velocities[i, x] + (steer + step[s]) * forces[i, x]
            _move(positions, velocities, step[s], largest_move, i)
