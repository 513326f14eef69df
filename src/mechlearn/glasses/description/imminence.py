"""How soon a loading makes the plastic modes of a glass unstable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.glasses.description.nonlinear_modes import PlasticModes
from mechlearn.glasses.description.response import NonaffineResponse
from mechlearn.interactions import SmoothPoint, SmoothPotential, softenings


@dataclass(frozen=True, eq=False)
class Imminences:
    """1/γ of the strain γ at which a loading makes each mode unstable; 0 of those that it does not.

    Attributes
    ----------
    first : (modes,)
        By λ, τ and what drives the mode.
    second : (modes,)
        With what changes in proportion to the strain.
    fourth : (modes,)
        As the first, with the term of fourth order along the mode.
    """

    first: Float[np.ndarray, " modes"]
    second: Float[np.ndarray, " modes"]
    fourth: Float[np.ndarray, " modes"]


def imminences(
    potential: SmoothPotential,
    point: SmoothPoint,
    gradient: Float[np.ndarray, "3 3"],
    response: NonaffineResponse,
    modes: PlasticModes,
) -> Imminences:
    """How soon a loading makes each mode unstable, by three expansions.

    Under γ L a mode is driven by c = −Ξ·v, and rests at s with λ s − τ s²/2 = c γ until, at γ = λ²/(2 τ c), there is
    no such s.

    *Second order in γ.*  Its stiffness becomes λ + b γ and what drives it c γ + ½ d γ².  The place of rest is lost with
    the discriminant (λ + b γ)² − 2 τ (c γ + ½ d γ²): 1/γ is then the larger root x of

        λ² x² + 2 (λ b − τ c) x + b² − τ d = 0.

    b and d are what dλ/dγ and f₂·v hold beside the mode's own motion a = c/λ:  b = v·(dH/dγ) v + τ a,
    d = v·H w − τ a² + 2 a b.

    *Fourth order in s.*  The stiffness λ − τ s + ½ χ s² is zero at s* = 2 λ/(τ + √(τ² − 2 λ χ)), and
    γ = (λ s* − ½ τ s*² + χ s*³/6)/c; where τ² < 2 λ χ the mode is held up and never unstable.

    Parameters
    ----------
    potential, point
        With second derivatives, at the structure.
    gradient
        L.
    response
        To L, of first and second order.
    modes
        Of the structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.glasses import SENSES, glass_potential, minimise, nonaffine_response, plastic_modes
    >>> from mechlearn.structures import StructureBatch
    >>> atoms = bulk("Ni", "fcc", a=1.494, cubic=True) * 3
    >>> atoms.numbers[::5] = 15
    >>> atoms.rattle(0.3, seed=0)
    >>> potential = glass_potential("kob-andersen", ("Ni", "P"))
    >>> point = minimise(potential, StructureBatch.from_atoms([atoms])).point
    >>> modes = plastic_modes(potential, point, cutoff=1.8)
    >>> there, back = SENSES["xy"], SENSES["-xy"]
    >>> forth = imminences(potential, point, there, nonaffine_response(potential, point, there), modes)
    >>> other = imminences(potential, point, back, nonaffine_response(potential, point, back), modes)
    >>> bool((forth.first * other.first == 0.0).all())  # no mode is driven both ways
    True
    """
    if not len(modes):
        return Imminences(np.zeros(0), np.zeros(0), np.zeros(0))
    driven = np.einsum("kia,ia->k", modes.vectors, -point.nonaffine_forces(gradient[None])[:, :, 0])
    own = driven / modes.stiffnesses
    softened = softenings(potential, point, modes.vectors, gradient, response.first)
    changed = softened + modes.asymmetries * own
    pulled = np.einsum("kia,ia->k", modes.vectors, point.hessian_product(response.second))
    bent = pulled - modes.asymmetries * own**2 + 2.0 * own * changed
    return Imminences(
        2.0 * modes.asymmetries * np.maximum(driven, 0.0) / modes.stiffnesses**2,
        _second_order(modes, driven, changed, bent),
        np.maximum(driven, 0.0) * _inverse_largest_pull(modes),
    )


def _second_order(
    modes: PlasticModes,
    driven: Float[np.ndarray, " modes"],
    changed: Float[np.ndarray, " modes"],
    bent: Float[np.ndarray, " modes"],
) -> Float[np.ndarray, " modes"]:
    """The larger root x of λ² x² + 2 (λ b − τ c) x + b² − τ d, or 0."""
    square = modes.stiffnesses**2
    middle = modes.asymmetries * driven - modes.stiffnesses * changed
    left = middle**2 - square * (changed**2 - modes.asymmetries * bent)
    return np.maximum(np.where(left >= 0.0, middle + np.sqrt(np.maximum(left, 0.0)), 0.0) / square, 0.0)


def _inverse_largest_pull(modes: PlasticModes) -> Float[np.ndarray, " modes"]:
    """1/(λ s* − ½ τ s*² + χ s*³/6), what a mode can bear at most along v; 0 where it bears any."""
    left = modes.asymmetries**2 - 2.0 * modes.stiffnesses * modes.stiffenings
    gives = left > 0.0
    root = np.sqrt(np.where(gives, left, 1.0))
    end = 2.0 * modes.stiffnesses / (modes.asymmetries + root)
    pull = modes.stiffnesses * end - 0.5 * modes.asymmetries * end**2 + modes.stiffenings * end**3 / 6.0
    return np.where(gives & (pull > 0.0), 1.0 / np.where(pull > 0.0, pull, 1.0), 0.0)
