"""What the mechanism of yielding says of every atom: non-affine motion under a loading, and modes that soften in it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError, WorkError
from mechlearn.glasses.description.feature_table import Feature, FeatureTable
from mechlearn.glasses.description.features import AtomicPoint
from mechlearn.glasses.description.imminence import imminences
from mechlearn.glasses.description.modes import Modes
from mechlearn.glasses.description.nonlinear_modes import PlasticModes
from mechlearn.glasses.description.response import NonaffineResponse, difference_strain, nonaffine_response
from mechlearn.glasses.loading.loading_axes import strain_of_loading
from mechlearn.glasses.loading.nonaffine import fading_weights, nonaffine_squares
from mechlearn.glasses.rest.displacements import displaced
from mechlearn.interactions import (
    SmoothPoint,
    SmoothPotential,
    deformed,
    softenings,
)
from mechlearn.structures.neighbours import neighbour_pairs

_NONAFFINE = "Maloney and Lemaître 2006"
_PLASTIC = "after Lerner 2016"
_MODES = "after Widmer-Cooper et al. 2008; Manning and Liu 2011"


def mechanism_features(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    modes: Modes | None = None,
    cutoff: float = 5.0,
    ahead: float = 1e-2,
    plastic: PlasticModes | None = None,
    threshold: float = 0.1,
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
    plastic
        From :func:`~mechlearn.glasses.plastic_modes` with the same cutoff, also once a specimen; left out, so are their
        features.
    threshold
        D²min above which an atom takes part, as in the shear, Å²: a mode whose slip moves no atom so far is no event.

    Raises
    ------
    WorkError
        As :func:`nonaffine_response`.

    References
    ----------
    Maloney and Lemaître, Physical Review E 74, 016118 (2006), for u and its divergence; Widmer-Cooper, Perry, Harrowell
    and Reichman, Nature Physics 4, 711 (2008) and Manning and Liu, Physical Review Letters 107, 108302 (2011), for soft
    modes; Tsamados, Tanguy, Goldenberg and Barrat, Physical Review E 80, 026112 (2009), for local moduli; Lerner,
    Physical Review E 93, 053004 (2016), for plastic modes.
    """
    response = nonaffine_response(potential, point, gradient)
    tables = [_of_response(point, response, cutoff, ahead)]
    if isinstance(point, AtomicPoint):
        tables.append(_local_modulus(potential, point, gradient, response, cutoff))
    if modes is not None:
        tables.append(_of_modes(potential, point, gradient, response, modes))
    if plastic is not None:
        tables.append(_of_plastic_modes(potential, point, gradient, response, plastic, cutoff, threshold))
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
    strain = difference_strain(response.first)
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


def _of_plastic_modes(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    response: NonaffineResponse,
    modes: PlasticModes,
    cutoff: float,
    threshold: float,
) -> FeatureTable:
    """What the foremost mode at an atom says, p = D²(v)/max D²(v) being the atom's part in a mode."""
    features = (
        Feature("imminence", "max p/γ₁", "1", _PLASTIC),
        Feature("imminence to second order", "max p/γ₂", "1", "here; second order in the loading"),
        Feature("imminence to fourth order", "max p/γ₄", "1", "here; fourth order along the mode"),
        Feature("plastic softness", "max p/λ", "Å²/eV", "after Gartner and Lerner 2016"),
        Feature("reach of the instability", "D²(v) (λ/τ)²", "Å²", "here"),
        Feature("stiffening on the way", "p 2λχ/τ²", "1", "here"),
        Feature("imminence of an event", "max p/γ₄, D²(v) Δs² ≥ D²min", "1", "here"),
        Feature("slip of the instability", "D²(v) Δs²", "Å²", "here"),
    )
    values = np.zeros((point.structure.atoms, len(features)))
    if len(modes):
        soon = imminences(potential, point, gradient, response, modes)
        parts = modes.squares / modes.squares.max(axis=1, keepdims=True)
        driven, every = parts * soon.first[:, None], np.arange(point.structure.atoms)
        foremost = driven.argmax(axis=0)
        values[:, 0] = driven[foremost, every]
        values[:, 1] = (parts * soon.second[:, None]).max(axis=0)
        values[:, 3] = (parts / modes.stiffnesses[:, None]).max(axis=0)
        # At γ₁ a mode has moved by λ/τ; one that nothing drives moves nowhere.
        moved = np.where(soon.first > 0.0, modes.stiffnesses / np.maximum(modes.asymmetries, np.finfo(float).tiny), 0.0)
        held = 2.0 * modes.stiffenings * np.square(moved) / modes.stiffnesses
        values[:, 4] = modes.squares[foremost, every] * np.square(moved[foremost])
        values[:, 5] = parts[foremost, every] * held[foremost]
        to_fourth = parts * soon.fourth[:, None]
        foremost = to_fourth.argmax(axis=0)
        values[:, 2] = to_fourth[foremost, every]
        # Of a slip further than the neighbours are, an expansion says no more than that it is far.
        slips = np.where(soon.fourth > 0.0, np.minimum(modes.slips, cutoff), 0.0)
        event = modes.squares.max(axis=1) * np.square(slips) >= threshold
        values[:, 6] = (to_fourth * event[:, None]).max(axis=0)
        values[:, 7] = modes.squares[foremost, every] * np.square(slips[foremost])
    return FeatureTable(features, values)
