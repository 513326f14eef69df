"""The step of a truncated Newton method: conjugate gradients on H s = f, within a trusted distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.glasses.rest.displacements import centred, furthest

#: How small the stiffness of an atom may be beside the stiffest, where a cage is about to open.
_SOFTEST = 1e-3

Product = Callable[[Float[np.ndarray, "atoms 3"]], Float[np.ndarray, "atoms 3"]]


@dataclass(frozen=True, eq=False)
class NewtonDirection:
    """Where a quadratic model of the energy goes down.

    Attributes
    ----------
    step : (atoms, 3)
        s, Å.
    gain : float
        By how much the model falls, f·s − ½ s·H s, eV.
    products : int
        Products H·v that it took.
    inside : bool
        Whether the step is that of the model itself, not cut short at the trusted distance.
    """

    step: Float[np.ndarray, "atoms 3"]
    gain: float
    products: int
    inside: bool


def newton_direction(
    product: Product,
    forces: Float[np.ndarray, "atoms 3"],
    inverses: Float[np.ndarray, "atoms 3 3"],
    trusted: float,
    residual: float,
) -> NewtonDirection:
    """Solve H s = f by preconditioned conjugate gradients, as far as no atom moves further than trusted.

    Along a direction p that has no positive curvature the energy falls without end in the model: the step then goes
    along it to the trusted distance (Steihaug, SIAM Journal on Numerical Analysis 20, 626, 1983; distances here are the
    largest of an atom's).

    Parameters
    ----------
    product
        v → H v.
    forces
        f, their sum zero, eV/Å.
    inverses
        Those of the 3 × 3 blocks of the atoms, the preconditioner.
    trusted
        The longest way of an atom, Å.
    residual
        Where to stop: the largest component of f − H s, eV/Å.
    """
    step = np.zeros_like(forces)
    left = forces
    ahead = precondition(inverses, left)
    direction, weight = ahead, float(np.vdot(left, ahead))
    gain = 0.0
    for products in range(1, 3 * len(forces) + 100):
        change = product(direction)
        curvature = float(np.vdot(direction, change))
        length = weight / curvature if curvature > 0.0 else np.inf
        if length == np.inf or furthest(step + length * direction) > trusted:
            length = distance_left(step, direction, trusted)
            gain += length * weight - 0.5 * length**2 * curvature
            return NewtonDirection(step + length * direction, gain, products, False)
        gain += 0.5 * length * weight
        step, left = step + length * direction, left - length * change
        if np.abs(left).max() <= residual:
            break
        ahead = precondition(inverses, left)
        before, weight = weight, float(np.vdot(left, ahead))
        direction = ahead + (weight / before) * direction
    return NewtonDirection(step, gain, products, True)


def precondition(
    inverses: Float[np.ndarray, "atoms 3 3"], vectors: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, "atoms 3"]:
    """Each atom's block on its vector, without a translation of all."""
    return centred(np.matmul(inverses, vectors[:, :, None])[:, :, 0])


def block_inverses(blocks: Float[np.ndarray, "atoms 3 3"]) -> Float[np.ndarray, "atoms 3 3"]:
    """The inverse of every block, made positive where a block is not."""
    values, vectors = np.linalg.eigh(0.5 * (blocks + blocks.transpose(0, 2, 1)))
    largest = np.abs(values).max() or 1.0
    values = np.maximum(np.abs(values), _SOFTEST * largest)
    return np.matmul(vectors / values[:, None, :], vectors.transpose(0, 2, 1))


def distance_left(step: Float[np.ndarray, "atoms 3"], direction: Float[np.ndarray, "atoms 3"], trusted: float) -> float:
    """The t ≥ 0 at which the first atom of s + t p is as far as trusted."""
    a, b = np.square(direction).sum(axis=1), (step * direction).sum(axis=1)
    c = np.square(step).sum(axis=1) - trusted**2
    moving = a > 0.0
    a, b, c = a[moving], b[moving], np.minimum(c[moving], 0.0)
    return float(((np.sqrt(b * b - a * c) - b) / a).min())
