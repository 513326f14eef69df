"""How atoms move beside the cell under a loading, to first and to second order in the strain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.errors import WorkError
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.minimisation import preconditioner
from mechlearn.glasses.rest.newton_direction import newton_direction
from mechlearn.interactions import SmoothPoint, SmoothPotential, deformed, nonaffine_displacements

#: For second differences atoms move so far at most, Å, and the strain is no larger than this.
LONGEST_MOVE = 0.02
_LARGEST_STRAIN = 1e-3

#: To this share of its largest component the force of second order is balanced.
_RESIDUAL = 1e-6


@dataclass(frozen=True, eq=False)
class NonaffineResponse:
    """How atoms move beside a loading of strain γ: γ u + ½ γ² w.

    Attributes
    ----------
    first : (atoms, 3)
        u, Å for a strain of 1; of −γ it has the other sign.
    second : (atoms, 3)
        w, Å for a strain of 1 squared; of −γ it is the same, and so tells the two senses apart.
    """

    first: Float[np.ndarray, "atoms 3"]
    second: Float[np.ndarray, "atoms 3"]


def nonaffine_response(
    potential: SmoothPotential, point: SmoothPoint, gradient: Float[np.ndarray, "3 3"]
) -> NonaffineResponse:
    """The non-affine displacements of first and second order, one sparse solve each.

    First H u = −Ξ.  Along γ u the forces stay zero to first order; what is left, f(γ) = ½ γ² f₂ + …, drives the motion
    of second order, H w = f₂, with f₂ = (f(γ) + f(−γ))/γ².

    Parameters
    ----------
    potential
        With second derivatives.
    point
        The potential at a structure at rest.
    gradient
        L, r → (1 + γ L) r.

    Raises
    ------
    WorkError
        The structure is not at a minimum of its energy, or an iteration does not converge.
    """
    inverses = preconditioner(point)
    first = nonaffine_displacements(point, gradient[None], inverses=inverses)[:, :, 0]
    forces = second_order_forces(potential, point, gradient, first)
    return NonaffineResponse(first, balanced(point, forces, inverses, _RESIDUAL))


def difference_strain(first: Float[np.ndarray, "atoms 3"]) -> float:
    """The strain at which differences along a response are taken."""
    return min(_LARGEST_STRAIN, LONGEST_MOVE / max(furthest(first), 1e-12))


def second_order_forces(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    first: Float[np.ndarray, "atoms 3"],
) -> Float[np.ndarray, "atoms 3"]:
    """f₂ = (f(γ) + f(−γ))/γ² along the response of first order, eV/Å for a strain of 1 squared."""
    strain = difference_strain(first)
    forces = np.zeros_like(first)
    for sign in (1.0, -1.0):
        moved = deformed(displaced(point.structure, sign * strain * first), np.eye(3) + sign * strain * gradient)
        # A force left at rest is no part of the response.
        forces += potential.at(moved, point.kept).forces - point.forces
    forces = centred(forces)
    # Where symmetry forbids any motion what is left is rounding.
    return np.zeros_like(first) if np.abs(forces).max() < 1e-12 else forces / strain**2


def balanced(
    point: SmoothPoint,
    forces: Float[np.ndarray, "atoms 3"],
    inverses: Float[np.ndarray, "atoms 3 3"],
    residual: float,
) -> Float[np.ndarray, "atoms 3"]:
    """H⁻¹ f, to a share of the largest component of f.

    Raises
    ------
    WorkError
        The structure is not at a minimum of its energy.
    """
    largest = float(np.abs(forces).max())
    if largest == 0.0:
        return np.zeros_like(forces)
    way = newton_direction(point.hessian_product, forces, inverses, np.inf, residual * largest)
    if not way.inside:
        raise WorkError(
            "solving for a response of second order: the energy falls along some displacement; "
            "the structure is not at a minimum: minimise it first"
        )
    return way.step
