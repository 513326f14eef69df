"""What the mechanism of yielding says of every atom: non-affine motion under a loading, and modes that soften in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.features import AtomicPoint
from mechlearn.glasses.description.modes import Modes
from mechlearn.glasses.loading.loading_axes import strain_of_loading
from mechlearn.glasses.loading.nonaffine import fading_weights, nonaffine_squares
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.minimisation import preconditioner
from mechlearn.glasses.rest.newton_direction import newton_direction
from mechlearn.interactions import (
    SmoothPoint,
    SmoothPotential,
    deformed,
    nonaffine_displacements,
    softenings,
)
from mechlearn.structures.neighbours import neighbour_pairs

#: For second differences atoms move so far at most, Å, and the strain is no larger than this.
_LONGEST_MOVE, _LARGEST_STRAIN = 0.02, 1e-3

#: To this share of its largest component the force of second order is balanced.
_RESIDUAL = 1e-6

_NONAFFINE = "Maloney and Lemaître 2006"
_MODES = "after Widmer-Cooper et al. 2008; Manning and Liu 2011"


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
    strain = min(_LARGEST_STRAIN, _LONGEST_MOVE / max(furthest(first), 1e-12))
    forces = np.zeros_like(first)
    for sign in (1.0, -1.0):
        moved = deformed(displaced(point.structure, sign * strain * first), np.eye(3) + sign * strain * gradient)
        # A force left at rest is no part of the response.
        forces += potential.at(moved, point.kept).forces - point.forces
    forces = centred(forces) / strain**2
    largest = float(np.abs(forces).max())
    # Where symmetry forbids any motion what is left is rounding.
    if largest * strain**2 < 1e-12:
        return NonaffineResponse(first, np.zeros_like(first))
    way = newton_direction(point.hessian_product, forces, inverses, np.inf, _RESIDUAL * largest)
    if not way.inside:
        raise WorkError(
            "solving for the non-affine displacements of second order: the energy falls along some displacement; "
            "the structure is not at a minimum: minimise it first"
        )
    return NonaffineResponse(first, way.step)


def mechanism_features(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    modes: Modes | None = None,
    cutoff: float = 5.0,
    ahead: float = 1e-2,
) -> FeatureTable:
    """What tells where a loading will set off the first shear transformation.

    The point may be one at a finite strain: taken just before, the features say more.

    Parameters
    ----------
    potential
        With second derivatives.
    point
        The potential at a structure at rest.
    gradient
        L; its size counts as a unit of strain.
    modes
        From :func:`~mechlearn.glasses.lowest_modes` without masses; left out, so are the features of modes.
        They do not depend on the loading: find them once a specimen.
    cutoff
        Up to where atoms are neighbours, in D²min and in the local modulus, Å; their weight falls to zero there, so
        that it is longer than that of a label.
    ahead
        γ at which D²min is foretold from the response of second order.

    Raises
    ------
    WorkError
        As :func:`nonaffine_response`.

    References
    ----------
    Maloney and Lemaître, Physical Review E 74, 016118 (2006), for u and its divergence; Widmer-Cooper, Perry, Harrowell
    and Reichman, Nature Physics 4, 711 (2008) and Manning and Liu, Physical Review Letters 107, 108302 (2011), for soft
    modes; Tsamados, Tanguy, Goldenberg and Barrat, Physical Review E 80, 026112 (2009), for local moduli.
    """
    response = nonaffine_response(potential, point, gradient)
    tables = [_of_response(point, response, cutoff, ahead)]
    if isinstance(point, AtomicPoint):
        tables.append(_local_modulus(potential, point, gradient, response, cutoff))
    if modes is not None:
        tables.append(_of_modes(potential, point, gradient, response, modes))
    return FeatureTable.joined(tables)


def _of_response(point: SmoothPoint, response: NonaffineResponse, cutoff: float, ahead: float) -> FeatureTable:
    """D²min is quadratic in the displacements: D²(u + γ w) = D²(u) + 2 γ B(u, w) + γ² D²(w)."""
    u, w = response.first, response.second
    of_u, of_w, of_both = (nonaffine_squares(point.structure, field, cutoff, smooth=True) for field in (u, w, u + w))
    mixed = 0.5 * (of_both - of_u - of_w)
    features = (
        Feature("non-affine displacement", "|u|²", "Å²", _NONAFFINE),
        Feature("D²min of u", "D²(u)", "Å²", f"{_NONAFFINE}; Falk and Langer 1998"),
        Feature("growth of D²min", "B(u, w)", "Å²", "here; second order in the loading"),
        Feature("D²min of w", "D²(w)", "Å²", "here; second order in the loading"),
        Feature("D²min ahead", "D²(u + γ w)", "Å²", "here; second order in the loading"),
    )
    foretold = np.maximum(of_u + 2.0 * ahead * mixed + ahead**2 * of_w, 0.0)
    return FeatureTable(features, np.stack([np.square(u).sum(axis=1), of_u, mixed, of_w, foretold], axis=1))


def _local_modulus(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    response: NonaffineResponse,
    cutoff: float,
) -> FeatureTable:
    """dσ/dγ along the loading, of an atom and its neighbours, with their non-affine motion."""
    strain = min(_LARGEST_STRAIN, _LONGEST_MOVE / max(furthest(response.first), 1e-12))
    conjugate = strain_of_loading(gradient)
    stresses = []
    for sign in (1.0, -1.0):
        moved = displaced(point.structure, sign * strain * response.first)
        there = potential.at(deformed(moved, np.eye(3) + sign * strain * gradient), point.kept)
        if not isinstance(there, AtomicPoint):
            raise InputError(f"features: {type(there).__name__} gives no stress of single atoms")
        stresses.append(there.atomic_stresses @ conjugate)
    changes = (stresses[0] - stresses[1]) / (2.0 * strain)
    pairs = neighbour_pairs(point.structure, cutoff)
    weights = fading_weights(pairs.distances, cutoff)
    around = changes + np.bincount(pairs.first, weights * changes[pairs.second], point.structure.atoms)
    shares = 1.0 + np.bincount(pairs.first, weights, point.structure.atoms)
    volume = point.structure.volumes[0] / point.structure.atoms * shares
    return FeatureTable(
        (Feature("local shear modulus", "μ", "eV/Å³", "Tsamados et al. 2009"),), (around / volume)[:, None]
    )


def _of_modes(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    response: NonaffineResponse,
    modes: Modes,
) -> FeatureTable:
    """Sums over soft modes v of curvature λ, with c = Ξ·v their coupling to the loading and s = dλ/dγ."""
    forces = point.nonaffine_forces(gradient[None])[:, :, 0]
    soft, vectors = modes.curvatures, modes.vectors
    if soft[0] <= 0.0:
        raise WorkError("features of modes: the softest has no stiffness; the structure is not at a minimum")
    couplings = np.einsum("kia,ia->k", vectors, forces)
    changes = softenings(potential, point, vectors, gradient, response.first)
    shares = np.square(vectors).sum(axis=2)
    displacements = (couplings / soft) ** 2
    features = (
        Feature("vibrality", "Σ|v|²/λ", "Å²/eV", _MODES),
        Feature("soft non-affine displacement", "Σ|v|²(c/λ)²", "Å²", _MODES),
        Feature("softening", "Σ|v|² max(0, −s/λ)", "1", "here"),
        Feature("coupled softening", "Σ|v|²(c/λ)² max(0, −s/λ)", "Å²", "here"),
    )
    # A mode that stiffens holds nothing up where another softens: only those that soften are counted.
    softened = np.maximum(0.0, -changes / soft)
    weights = (1.0 / soft, displacements, softened, displacements * softened)
    return FeatureTable(features, np.stack([weight @ shares for weight in weights], axis=1))
