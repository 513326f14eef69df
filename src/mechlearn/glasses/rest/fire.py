"""FIRE: molecular dynamics that stops whenever it runs uphill, for where a quadratic model of the energy fails."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mechlearn.glasses.rest.displacements import displaced, furthest
from mechlearn.interactions import SmoothPoint, SmoothPotential

#: The paper's: when to speed up, how, and by how much to mix velocity and force.
_PATIENCE, _FASTER, _SLOWER, _MIXING, _LESS_MIXING = 5, 1.1, 0.5, 0.1, 0.99

#: Time steps, in units of the stiffest vibration's 1/ω: the first, and the longest.
_FIRST, _LONGEST = 0.1, 1.0

#: The products with the Hessian that find the stiffest vibration.
_ROUNDS = 8


def fire(
    potential: SmoothPotential,
    point: SmoothPoint,
    largest_force: float,
    longest_step: float,
    evaluations: int,
) -> tuple[SmoothPoint, int, int]:
    """Follow the forces with inertia until none is larger than stated, or as many structures are evaluated.

    Parameters
    ----------
    potential
        Of any kind; after a few products with the Hessian, which say how stiff it is, forces alone are used.
    point
        Where to begin.
    largest_force
        The largest component of a force to end with, eV/Å.
    longest_step
        Of an atom, Å.
    evaluations
        How many structures to evaluate before it ends anyway.

    Returns
    -------
    point
        Where it ended.
    evaluations, products
        How many structures were evaluated, and how many products with the Hessian were made.

    References
    ----------
    Bitzek, Koskinen, Gähler, Moseler and Gumbsch, Physical Review Letters 97, 170201 (2006), integrated as in Guénolé
    et al., Computational Materials Science 175, 109584 (2020).
    """
    unit = 1.0 / np.sqrt(_stiffest(point))
    velocity = step = np.zeros_like(point.forces)
    pace, mixing, downhill, made = _FIRST * unit, _MIXING, 0, 0
    while made < evaluations and np.abs(point.forces).max() > largest_force:
        if np.vdot(point.forces, velocity) >= 0.0:
            downhill += 1
            if downhill > _PATIENCE:
                pace, mixing = min(_FASTER * pace, _LONGEST * unit), _LESS_MIXING * mixing
        else:
            # Half a step back, and from rest again.
            point, made = potential.at(displaced(point.structure, -0.5 * step), point.kept), made + 1
            velocity, pace, mixing, downhill = np.zeros_like(velocity), _SLOWER * pace, _MIXING, 0
        velocity = velocity + pace * point.forces
        along = point.forces * (np.linalg.norm(velocity) / (np.linalg.norm(point.forces) or 1.0))
        velocity = (1.0 - mixing) * velocity + mixing * along
        step = pace * velocity
        step *= min(1.0, longest_step / (furthest(step) or 1.0))
        point, made = potential.at(displaced(point.structure, step), point.kept), made + 1
    return point, made, _ROUNDS


def _stiffest(point: SmoothPoint) -> float:
    """About the largest stiffness of any displacement, by repeated products with the Hessian, eV/Å²."""
    direction: Float[np.ndarray, "atoms 3"] = np.random.default_rng(0).normal(size=point.forces.shape)
    stiffness = 1.0
    for _ in range(_ROUNDS):
        direction = direction / np.linalg.norm(direction)
        change = point.hessian_product(direction)
        stiffness = float(np.linalg.norm(change))
        direction = change
    return stiffness or 1.0
