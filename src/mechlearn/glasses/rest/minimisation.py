"""Minimising an energy until the largest force is as small as stated: a truncated Newton method, and FIRE behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.fire import fire
from mechlearn.glasses.rest.newton_direction import block_inverses, newton_direction
from mechlearn.interactions import FiniteDifferencePoint, SmoothPoint, SmoothPotential
from mechlearn.structures import StructureBatch

#: H s = f is solved to this share of the forces while they are large, to a smaller one as they fall.
_LARGEST_SHARE = 0.1

#: And never better than this share of the force that a minimum may have.
_SMALLEST_SHARE = 0.1

#: A step counts if the energy falls by this share of what the model says.
_LEAST_GAIN = 1e-4

#: Below this share of themselves two energies say nothing by their difference.
_ROUNDING = 1e-9

#: A trusted distance below this means that the quadratic model is no model, Å; FIRE then goes on for so many steps.
_SHORTEST, _FIRE_STEPS = 1e-7, 200


@dataclass(frozen=True)
class MinimisationSettings:
    """How far to minimise, and how boldly.

    Attributes
    ----------
    largest_force : float
        The largest component of a force at the minimum, eV/Å.
    longest_step : float
        The longest way of an atom in one step, Å.
    evaluations : int
        How many structures to evaluate at most, products with the Hessian apart.
    """

    largest_force: float = 1e-6
    longest_step: float = 0.1
    evaluations: int = 5000

    def __post_init__(self) -> None:
        for name in ("largest_force", "longest_step", "evaluations"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"minimising: {name} is {getattr(self, name)}; give a positive number")


@dataclass(frozen=True)
class Effort:
    """What a minimisation cost.

    Attributes
    ----------
    evaluations : int
        How many structures were evaluated.
    products : int
        How many products with the Hessian were made; by finite differences each is two more evaluations.
    """

    evaluations: int = 0
    products: int = 0

    def __add__(self, other: Effort) -> Effort:
        return Effort(self.evaluations + other.evaluations, self.products + other.products)


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a minimisation ended, at a minimum or not.

    Attributes
    ----------
    point : SmoothPoint
        The potential there.
    largest_force : float
        The largest component of a force, eV/Å.
    converged : bool
        Whether that is no more than was asked for.
    effort : Effort
        What it cost.
    inverses : (atoms, 3, 3)
        The preconditioner, of use to a minimisation nearby; Å²/eV.
    """

    point: SmoothPoint
    largest_force: float
    converged: bool
    effort: Effort
    inverses: Float[np.ndarray, "atoms 3 3"]


def minimise(
    potential: SmoothPotential,
    structure: StructureBatch,
    settings: MinimisationSettings | None = None,
    nearby: Minimum | None = None,
    within: float = np.inf,
) -> Minimum:
    """Move the atoms until no component of a force is larger than stated; the cell stays as it is.

    Every step solves H s = f by preconditioned conjugate gradients, to a share of the forces that falls with them
    (a truncated Newton method: Nocedal and Wright, Numerical Optimization, chapter 7).  A direction in which the energy
    curves down is followed as far as trusted; that distance grows and shrinks with how well the model foretold the
    energy.  Close to a minimum energies differ by less than their rounding: there the work of the forces,
    ½ (f₀ + f₁)·s, stands for their difference.  Where no distance is trusted any more, FIRE goes on for a while.

    Parameters
    ----------
    potential
        With second derivatives (see :func:`mechlearn.interactions.with_derivatives`).
    structure
        A batch of one.
    settings
        By default the largest force is 1e-6 eV/Å.
    nearby
        A minimum of a similar structure: its neighbours and its preconditioner are used.
    within
        Give up once an atom is further than this from where it began, Å.

    Returns
    -------
    minimum
        Where it ended; ``converged`` says whether it is a minimum.

    Raises
    ------
    InputError
        As the potential's ``at``.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> shaken = bulk("Cu", cubic=True).repeat(2)
    >>> shaken.rattle(0.05, seed=1)
    >>> minimum = minimise(read_eam("CuZr_mm.eam.fs"), StructureBatch.from_atoms([shaken]))
    >>> minimum.converged, minimum.largest_force <= 1e-6
    (True, True)
    """
    settings = settings or MinimisationSettings()
    point = potential.at(structure, None if nearby is None else nearby.point.kept)
    inverses = preconditioner(point) if nearby is None else nearby.inverses
    start, effort = structure.positions, Effort(1)
    descent = _Descent(potential, settings, inverses)
    while not descent.ended(point, effort) and furthest(centred(point.structure.positions - start)) <= within:
        if descent.trusted >= _SHORTEST:
            descent, point, spent = descent.newton_step(point)
        else:
            descent, point, spent = descent.fire_steps(point, settings.evaluations - effort.evaluations)
        effort += spent
    size = largest_component(point.forces)
    return Minimum(point, size, size <= settings.largest_force, effort, descent.inverses)


@dataclass(frozen=True, eq=False)
class _Descent:
    """What a minimisation knows from one step to the next."""

    potential: SmoothPotential
    settings: MinimisationSettings
    inverses: Float[np.ndarray, "atoms 3 3"]
    trust: float | None = None

    @property
    def trusted(self) -> float:
        return self.settings.longest_step if self.trust is None else self.trust

    def ended(self, point: SmoothPoint, effort: Effort) -> bool:
        enough = largest_component(point.forces) <= self.settings.largest_force
        return enough or effort.evaluations >= self.settings.evaluations

    def newton_step(self, point: SmoothPoint) -> tuple[_Descent, SmoothPoint, Effort]:
        """Go to the minimum of the quadratic model, as far as it is trusted."""
        size = largest_component(point.forces)
        residual = max(min(_LARGEST_SHARE, np.sqrt(size)) * size, _SMALLEST_SHARE * self.settings.largest_force)
        way = newton_direction(
            point.hessian_product, centred(point.forces), self.inverses, self.trusted, float(residual)
        )
        there = self.potential.at(displaced(point.structure, way.step), point.kept)
        met = _energy_fall(point, there, way.step) / way.gain
        trusted = self.trusted
        if not met >= 0.25:
            trusted = 0.25 * furthest(way.step)
        elif met > 0.7 and not way.inside:
            trusted = min(2.0 * trusted, self.settings.longest_step)
        return replace(self, trust=trusted), there if met > _LEAST_GAIN else point, Effort(1, way.products)

    def fire_steps(self, point: SmoothPoint, most: int) -> tuple[_Descent, SmoothPoint, Effort]:
        """Follow the forces for a while, and trust the model again."""
        settings = self.settings
        most = min(most, _FIRE_STEPS)
        point, made, products = fire(self.potential, point, settings.largest_force, settings.longest_step, most)
        return replace(self, trust=None), point, Effort(made, products)


def preconditioner(point: SmoothPoint) -> Float[np.ndarray, "atoms 3 3"]:
    """The inverses of the 3 × 3 blocks of the atoms; of a potential without second derivatives of its own, none.

    There the blocks would cost as much as the whole Hessian.
    """
    if isinstance(point, FiniteDifferencePoint):
        return np.tile(np.eye(3), (point.structure.atoms, 1, 1))
    return block_inverses(point.hessian().diagonal_blocks())


def renewed(minimum: Minimum) -> Minimum:
    """The minimum with the preconditioner of its own place."""
    return replace(minimum, inverses=preconditioner(minimum.point))


def largest_component(forces: Float[np.ndarray, "atoms 3"]) -> float:
    """The largest component of a force, eV/Å."""
    return float(np.abs(forces).max())


def _energy_fall(before: SmoothPoint, after: SmoothPoint, step: Float[np.ndarray, "atoms 3"]) -> float:
    """By how much the energy fell in a step, eV; by the work of the forces where rounding hides the difference."""
    fall = before.energy - after.energy
    if abs(fall) < _ROUNDING * abs(before.energy):
        return 0.5 * float(np.vdot(before.forces + after.forces, step))
    return fall
