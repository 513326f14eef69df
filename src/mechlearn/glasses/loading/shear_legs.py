"""One glass sheared in legs, the state stored after each: what a kill costs is one leg, and no bit of the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.glasses.loading.events import PlasticEvent
from mechlearn.glasses.loading.quasistatic_shear import ShearPath, ShearSettings, ShearState, shear
from mechlearn.glasses.loading.shear_runs import Ending, ShearRun
from mechlearn.glasses.rest.minimisation import Effort, Minimum, minimise, preconditioner
from mechlearn.interactions import SmoothPotential
from mechlearn.learning import load_arrays, save_arrays
from mechlearn.records import plain
from mechlearn.structures import StructureBatch

#: The steps of a leg.
LEG_STEPS: Final = 50


def shear_in_legs(
    potential: SmoothPotential,
    structure: StructureBatch,
    specimen: str,
    sense: str,
    gradient: Float[np.ndarray, "3 3"],
    settings: ShearSettings,
    *,
    part: Path,
    leg_steps: int = LEG_STEPS,
) -> ShearRun:
    """Bring a glass to rest and shear it, leg by leg, from the stored state of the last one in every case.

    Parameters
    ----------
    potential
        With second derivatives.
    structure
        As it is given, a batch of one.
    specimen, sense
        What the run says of itself.
    gradient
        L.
    settings
        How to shear.
    part
        Where the state is stored.  A file of other settings there is passed over.
    leg_steps
        Steps of a leg.

    Raises
    ------
    InputError
        The stored state is cut short: the message names the file.
    """
    claim = plain({"specimen": specimen, "settings": asdict(settings), "gradient": gradient, "leg_steps": leg_steps})
    progress = _read(part, claim, structure) or _brought_to_rest(potential, structure, settings)
    while progress.ended is None:
        progress = _next_leg(progress, potential, gradient, settings, leg_steps)
        if progress.ended is None:
            _write(progress, part, claim)
            # What is read goes on, as it would after a kill: with it goes all that a file does not hold.
            progress = _read(part, claim, structure) or progress
    return _run_of(progress, specimen, sense, gradient, settings)


@dataclass(frozen=True, eq=False)
class _Event:
    """What is kept of the first event whose D²min passes the threshold."""

    numbers: Float[np.ndarray, " strain_resolution_stress_energy"]
    d2min: Float[np.ndarray, " atoms"]
    mode_weights: Float[np.ndarray, " atoms"]

    @classmethod
    def of(cls, event: PlasticEvent) -> _Event:
        """Those of an event."""
        numbers = np.array([event.strain, event.resolution, event.stress_drop, event.energy_drop])
        return cls(numbers, event.d2min, event.mode.weights)


@dataclass(frozen=True, eq=False)
class _State:
    """Where a leg ended."""

    positions: Float[np.ndarray, "atoms 3"]
    cells: Float[np.ndarray, "1 3 3"]
    motion: Float[np.ndarray, "atoms 3"]
    strain_and_force: Float[np.ndarray, " 2"]


@dataclass(frozen=True, eq=False)
class _Progress:
    """A run so far: its glass at rest, its curve (γ, σ : L, energy and largest force of each step), what it cost."""

    rest: StructureBatch
    curve: Float[np.ndarray, "steps 4"]
    effort: Effort
    state: _State | None = None
    event: _Event | None = None
    ended: Ending | None = None


def _brought_to_rest(potential: SmoothPotential, structure: StructureBatch, settings: ShearSettings) -> _Progress:
    """Before any strain; ended already where the glass does not come to rest."""
    minimum = minimise(potential, structure, settings.minimisation)
    rest = minimum.point.structure.without_labels()
    if minimum.converged:
        return _Progress(rest, np.zeros((0, 4)), minimum.effort)
    first = np.array([[0.0, np.nan, minimum.point.energy, minimum.largest_force]])
    return _Progress(rest, first, minimum.effort, ended="not at rest")


def _next_leg(
    progress: _Progress,
    potential: SmoothPotential,
    gradient: Float[np.ndarray, "3 3"],
    settings: ShearSettings,
    leg_steps: int,
) -> _Progress:
    """As far as so many more steps of the grid, or to where the run ends."""
    start, effort = _start(progress, potential, gradient)
    reached = start.strain if isinstance(start, ShearState) else 0.0
    legs = np.floor(reached / (leg_steps * settings.step) + 1e-6) + 1.0
    aim = min(float(legs) * leg_steps * settings.step, settings.final_strain)
    path = shear(potential, start, gradient, replace(settings, final_strain=aim))
    event = progress.event
    if event is None:
        passing = (found for found in path.events if found.group(settings.threshold).size)
        event = next((_Event.of(found) for found in passing), None)
    goes_on = path.ended == "final strain" and aim < settings.final_strain
    return replace(
        progress,
        curve=np.concatenate([progress.curve, _curve(path)]),
        effort=effort + path.effort,
        state=_kept(path.state),
        event=event,
        ended=None if goes_on else path.ended,
    )


def _start(
    progress: _Progress, potential: SmoothPotential, gradient: Float[np.ndarray, "3 3"]
) -> tuple[StructureBatch | ShearState, Effort]:
    """Where the next leg begins, a state made anew from what is stored of it, and what all cost so far."""
    stored = progress.state
    if stored is None:
        return progress.rest, progress.effort
    strain, force = (float(value) for value in stored.strain_and_force)
    point = potential.at(replace(progress.rest, positions=stored.positions, cells=stored.cells))
    minimum = Minimum(point, force, True, Effort(1), preconditioner(point))
    return ShearState(strain, minimum, gradient, stored.motion), progress.effort + minimum.effort


def _kept(state: ShearState) -> _State:
    """What is stored of a state."""
    numbers = np.array([state.strain, state.minimum.largest_force])
    return _State(state.structure.positions, state.structure.cells, state.motion, numbers)


def _curve(path: ShearPath) -> Float[np.ndarray, "steps 4"]:
    rows = [(step.strain, step.loading_stress, step.energy, step.largest_force) for step in path.steps]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _run_of(
    progress: _Progress, specimen: str, sense: str, gradient: Float[np.ndarray, "3 3"], settings: ShearSettings
) -> ShearRun:
    """A run that has ended."""
    assert progress.ended is not None
    nothing = np.zeros(progress.rest.atoms)
    event = progress.event or _Event(np.full(4, np.nan), nothing, nothing)
    strains, stresses, energies, forces = progress.curve.T
    strain, resolution, stress_drop, energy_drop = (float(number) for number in event.numbers)
    return ShearRun(
        specimen=specimen,
        sense=sense,
        gradient=gradient,
        structure=progress.rest,
        strain=strain,
        resolution=resolution,
        stress_drop=stress_drop,
        energy_drop=energy_drop,
        d2min=event.d2min,
        mode_weights=event.mode_weights,
        strains=strains,
        loading_stresses=stresses,
        energies=energies,
        force_evaluations=progress.effort.evaluations,
        largest_force=float(forces.max()),
        ended=progress.ended,
        threshold=settings.threshold,
        hessian_products=progress.effort.products,
    )


# ---------------------------------------------------------------------- the stored state


def _write(progress: _Progress, part: Path, claim: Any) -> None:
    """Store a run that goes on."""
    state = progress.state
    assert state is not None
    arrays = {
        "rest": progress.rest.positions,
        "curve": progress.curve,
        "positions": state.positions,
        "cells": state.cells,
        "motion": state.motion,
        "strain_and_force": state.strain_and_force,
    }
    if progress.event is not None:
        event = progress.event
        arrays |= {"numbers": event.numbers, "d2min": event.d2min, "mode_weights": event.mode_weights}
    effort = progress.effort
    save_arrays(part, arrays, {"claim": claim, "evaluations": effort.evaluations, "products": effort.products})


def _read(part: Path, claim: Any, structure: StructureBatch) -> _Progress | None:
    """The run that goes on from here; None where there is none, or one made otherwise."""
    if not part.exists():
        return None
    try:
        arrays, record = load_arrays(part)
    except InputError as error:
        raise InputError(f"{error}; or remove it, and this run begins anew") from error
    if record["claim"] != claim:
        return None
    event = None
    if "d2min" in arrays:
        event = _Event(arrays["numbers"], arrays["d2min"], arrays["mode_weights"])
    return _Progress(
        rest=replace(structure, positions=arrays["rest"]).without_labels(),
        curve=arrays["curve"],
        effort=Effort(record["evaluations"], record["products"]),
        state=_State(arrays["positions"], arrays["cells"], arrays["motion"], arrays["strain_and_force"]),
        event=event,
    )
