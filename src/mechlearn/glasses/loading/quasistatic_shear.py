"""Athermal quasi-static deformation: strain by small steps, every one at rest, each instability found by bisection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.loading.events import PlasticEvent, critical_mode
from mechlearn.glasses.loading.nonaffine import local_deformation
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.glasses.rest.minimisation import (
    Effort,
    MinimisationSettings,
    Minimum,
    largest_component,
    minimise,
    renewed,
)
from mechlearn.glasses.rest.newton_direction import newton_direction
from mechlearn.interactions import Potential, SmoothPotential, deformed, with_derivatives
from mechlearn.structures import StructureBatch


def _senses() -> Mapping[str, Float[np.ndarray, "3 3"]]:
    senses = {}
    for sign, prefix in ((1.0, ""), (-1.0, "-")):
        for name, place in (("xy", (0, 1)), ("yz", (1, 2)), ("xz", (0, 2))):
            gradient = np.zeros((3, 3))
            gradient[place] = sign
            gradient.flags.writeable = False
            senses[prefix + name] = gradient
    return MappingProxyType(senses)


#: The six simple shears as velocity gradients: in ``"xy"`` atoms move along x by their height y, as in LAMMPS.
SENSES = _senses()

#: To this share of Ξ the first guess of the non-affine displacements is solved, where none is longer than this, Å.
_FIRST_GUESS, _LONGEST_GUESS = 1e-2, 1e6


@dataclass(frozen=True)
class ShearSettings:
    """How to strain, how finely, and when to stop.

    Attributes
    ----------
    step : float
        The strain between two reports.
    resolution : float
        How finely the strain of an instability is found.
    final_strain : float
        Where to end at the latest.
    stop_at_event : bool
        Whether to end at the first event in which D²min of an atom is above the threshold.
    threshold : float
        Å².
    cutoff : float
        Up to where atoms are neighbours in D²min, Å.
    elastic_jump : float
        While elastic, no atom comes to rest further than this from where the last step says, Å.
    minimisation : MinimisationSettings
        How well every step is at rest.
    """

    step: float = 1e-4
    resolution: float = 1e-6
    final_strain: float = 0.1
    stop_at_event: bool = True
    threshold: float = 0.1
    cutoff: float = 3.8
    elastic_jump: float = 0.02
    minimisation: MinimisationSettings = field(default_factory=MinimisationSettings)

    def __post_init__(self) -> None:
        for name in ("step", "resolution", "final_strain", "threshold", "cutoff", "elastic_jump"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"shear: {name} is {getattr(self, name)}; give a positive number")
        if self.resolution > self.step:
            raise InputError(f"shear: the resolution {self.resolution:g} is coarser than the step {self.step:g}")


@dataclass(frozen=True, eq=False)
class ShearState:
    """A structure at rest under strain, all that the next step needs.

    Attributes
    ----------
    strain : float
        γ, measured along the path.
    minimum : Minimum
        At rest, or as close as the minimisation came.
    gradient : (3, 3)
        L, along which it was strained.
    motion : (atoms, 3)
        The non-affine displacements for L, those of the last step over its strain or −H⁻¹ Ξ; Å for a strain of 1.
    """

    strain: float
    minimum: Minimum
    gradient: Float[np.ndarray, "3 3"]
    motion: Float[np.ndarray, "atoms 3"]

    @property
    def structure(self) -> StructureBatch:
        """The atoms and the cell."""
        return self.minimum.point.structure


@dataclass(frozen=True, eq=False)
class ShearStep:
    """What is reported of one strain.

    Attributes
    ----------
    strain : float
        γ.
    stress : (6,)
        Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive.
    loading_stress : float
        σ : L, the stress along the loading; σ_xy in a shear of sense xy, eV/Å³.
    energy : float
        eV.
    largest_d2min : float
        Of any atom, against the step before; sums over neighbours, Å².
    largest_force : float
        The largest component of a force that is left, eV/Å.
    converged : bool
        Whether that is no more than was asked for.
    effort : Effort
        What the step cost, trials of a bisection included.
    """

    strain: float
    stress: Float[np.ndarray, " 6"]
    loading_stress: float
    energy: float
    largest_d2min: float
    largest_force: float
    converged: bool
    effort: Effort


@dataclass(frozen=True, eq=False)
class ShearPath:
    """A deformation so far.

    Attributes
    ----------
    steps : tuple of ShearStep
        One for each strain of the grid that was reached, the start included.
    events : tuple of PlasticEvent
        All instabilities, the first first.
    state : ShearState
        Where it ended; give it to :func:`shear` to go on.
    ended : {"event", "final strain", "not at rest"}
        Why it ended.  ``"not at rest"``: the minimiser could not reach the force that was asked for.
    """

    steps: tuple[ShearStep, ...]
    events: tuple[PlasticEvent, ...]
    state: ShearState
    ended: Literal["event", "final strain", "not at rest"]

    @property
    def strains(self) -> Float[np.ndarray, " steps"]:
        """γ of every step."""
        return np.array([step.strain for step in self.steps])

    @property
    def loading_stresses(self) -> Float[np.ndarray, " steps"]:
        """σ : L of every step, eV/Å³."""
        return np.array([step.loading_stress for step in self.steps])

    @property
    def effort(self) -> Effort:
        """What all steps cost together."""
        return sum((step.effort for step in self.steps), Effort())


def shear(
    potential: Potential | SmoothPotential,
    start: StructureBatch | ShearState,
    gradient: Float[np.ndarray, "3 3"],
    settings: ShearSettings | None = None,
) -> ShearPath:
    """Strain a structure step by step, at rest in each, to its first event or to a final strain.

    Cell and atoms follow the velocity gradient L, dr/dγ = L r, so that a step δ is r → exp(δ L) r; the atoms begin at
    what the non-affine displacements of the last step foretell, and come to rest from there.  Where one comes to rest
    further away than while elastic, or does not, the step is halved until an instability lies between two strains that
    differ by the resolution.  It is an event if the structure, strained back by that much, does not come back.

    Parameters
    ----------
    potential
        Any; without second derivatives of its own it gets them by finite differences.
    start
        A batch of one, minimised first; or the state of an earlier path, which goes on, along another gradient too.
    gradient
        L, such as ``SENSES["xy"]``; no symmetry, no size is asked of it.
    settings
        By default steps of 1e-4 to the first event.

    Returns
    -------
    path
        The steps, the events, and the state for the next part.

    Raises
    ------
    InputError
        The gradient is not a 3 × 3 matrix of numbers; or as the potential.

    References
    ----------
    Maloney and Lemaître, Physical Review E 74, 016118 (2006).

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM
    >>> crystal = StructureBatch.from_atoms([bulk("Cu", a=3.639, cubic=True)])
    >>> settings = ShearSettings(step=1e-3, final_strain=2e-3)
    >>> path = shear(read_eam("CuZr_mm.eam.fs"), crystal, SENSES["xy"], settings)
    >>> path.ended, (path.loading_stresses[1:] * GPA_PER_EV_PER_CUBIC_ANGSTROM).round(3).tolist()
    ('final strain', [0.084, 0.169])
    """
    settings = settings or ShearSettings()
    loading = _Loading(with_derivatives(potential), _checked(gradient), settings)
    steps: list[ShearStep] = []
    events: list[PlasticEvent] = []
    if not isinstance(start, ShearState):
        state, effort = loading.at_rest(0.0, minimise(loading.potential, start, settings.minimisation))
        steps.append(loading.report(state, state, state.minimum.effort + effort))
    elif np.array_equal(start.gradient, loading.gradient):
        state = start
    else:
        state, _ = loading.at_rest(start.strain, start.minimum)
    while state.minimum.converged and state.strain < settings.final_strain * (1.0 - 1e-12):
        before = state
        state, found, effort = loading.next_step(state)
        events += found
        steps.append(loading.report(before, state, effort))
        if settings.stop_at_event and any(event.group(settings.threshold).size for event in found):
            return ShearPath(tuple(steps), tuple(events), state, "event")
    return ShearPath(tuple(steps), tuple(events), state, "final strain" if state.minimum.converged else "not at rest")


@dataclass(frozen=True, eq=False)
class _Loading:
    """What stays the same along a path."""

    potential: SmoothPotential
    gradient: Float[np.ndarray, "3 3"]
    settings: ShearSettings

    def at_rest(self, strain: float, minimum: Minimum) -> tuple[ShearState, Effort]:
        """A state of which no step has shown yet how it moves: u = −H⁻¹ Ξ, to a few digits."""
        point = minimum.point
        forces = -centred(point.nonaffine_forces(self.gradient[None])[:, :, 0])
        motion, effort = np.zeros_like(forces), Effort()
        residual = _FIRST_GUESS * largest_component(forces)
        if residual > 0.0:
            way = newton_direction(point.hessian_product, forces, minimum.inverses, _LONGEST_GUESS, residual)
            motion, effort = way.step if way.inside else motion, Effort(0, way.products)
        return ShearState(strain, minimum, self.gradient, motion), effort

    def next_step(self, state: ShearState) -> tuple[ShearState, list[PlasticEvent], Effort]:
        """To the next strain of the grid, or to where a path that ends with an event ends."""
        settings = self.settings
        target = min((np.floor(state.strain / settings.step + 1e-6) + 1.0) * settings.step, settings.final_strain)
        events: list[PlasticEvent] = []
        total = Effort()
        while state.strain < target:
            before, after, effort = self._to_instability(state, float(target))
            total += effort
            if before is None:
                return after, events, total
            event = self._event(before, after)
            events.append(event)
            # What was known of the old minimum is of no use in the new one.
            state, effort = self.at_rest(after.strain, renewed(after.minimum))
            total += effort
            if settings.stop_at_event and event.group(settings.threshold).size:
                break
        return state, events, total

    def _to_instability(self, state: ShearState, target: float) -> tuple[ShearState | None, ShearState, Effort]:
        """The states before and after the first instability on the way to the target, or None and the target's."""
        settings = self.settings
        total, beyond = Effort(), np.inf
        while state.strain < target:
            last = beyond - state.strain <= settings.resolution
            aim = beyond if last else min(target, 0.5 * (state.strain + beyond))
            trial, jump = self._strained(state, aim, np.inf if last else settings.elastic_jump)
            total += trial.minimum.effort
            elastic = trial.minimum.converged and jump <= settings.elastic_jump
            if not (elastic or last):
                beyond = aim
                continue
            if not trial.minimum.converged:
                return None, trial, total
            if not elastic:
                returned, effort = self._comes_back(state, trial)
                total += effort
                if not returned:
                    return state, trial, total
            state, beyond = trial, np.inf if last else beyond
        return None, state, total

    def _strained(self, state: ShearState, strain: float, within: float) -> tuple[ShearState, float]:
        """The state at another strain, and how far an atom came to rest from where it was expected, Å."""
        from scipy.linalg import expm

        change = strain - state.strain
        carrying = expm(change * self.gradient)
        expected = deformed(displaced(state.structure, change * state.motion), carrying)
        minimum = minimise(self.potential, expected, self.settings.minimisation, state.minimum, within)
        rest = minimum.point.structure.positions
        motion = centred(rest - state.structure.positions @ carrying.T) / change
        return ShearState(strain, minimum, self.gradient, motion), furthest(centred(rest - expected.positions))

    def _comes_back(self, before: ShearState, after: ShearState) -> tuple[bool, Effort]:
        """Whether a state strained back to the one before comes to rest there."""
        still = replace(after, motion=np.zeros_like(after.motion))
        back, _ = self._strained(still, before.strain, np.inf)
        away = furthest(centred(back.structure.positions - before.structure.positions))
        return back.minimum.converged and away <= 0.5 * self.settings.elastic_jump, back.minimum.effort

    def _event(self, before: ShearState, after: ShearState) -> PlasticEvent:
        settings, change = self.settings, after.strain - before.strain
        work = float(before.structure.volumes[0]) * self.along(before) * change
        return PlasticEvent(
            strain=before.strain,
            resolution=change,
            stress_drop=self.along(before) - self.along(after),
            energy_drop=before.minimum.point.energy + work - after.minimum.point.energy,
            d2min=local_deformation(before.structure, after.structure, settings.cutoff).d2min,
            before=before.structure,
            after=after.structure,
            mode=critical_mode(before.minimum.point, before.motion),
        )

    def along(self, state: ShearState) -> float:
        """σ : L, eV/Å³."""
        xx, yy, zz, yz, xz, xy = state.minimum.point.stress
        return float(np.vdot(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), self.gradient))

    def report(self, before: ShearState, state: ShearState, effort: Effort) -> ShearStep:
        """What is said of a step."""
        minimum = state.minimum
        return ShearStep(
            strain=state.strain,
            stress=minimum.point.stress,
            loading_stress=self.along(state),
            energy=minimum.point.energy,
            largest_d2min=float(local_deformation(before.structure, state.structure, self.settings.cutoff).d2min.max()),
            largest_force=minimum.largest_force,
            converged=minimum.converged,
            effort=effort,
        )


def _checked(gradient: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    gradient = np.asarray(gradient, dtype=np.float64)
    if gradient.shape != (3, 3) or not np.isfinite(gradient).all() or not gradient.any():
        raise InputError(
            f"shear: the velocity gradient is {gradient.tolist()}; give a 3 × 3 matrix of numbers such as SENSES['xy']"
        )
    return gradient
