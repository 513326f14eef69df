"""Annealing and minimisation of many structures at once, under any forces.

Every structure has its own step, its own velocities and its own random stream, so that its path is the same
whatever else is in the batch.  Masses are one: the paths are a means of search, not of physics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from mechlearn.structures import StructureBatch

Positions = Float[np.ndarray, "atoms 3"]

#: Where the atoms of a batch are, to the forces on them, eV/Å.
ForceField: TypeAlias = Callable[[Positions], Positions]


@dataclass(frozen=True)
class AnnealingSchedule:
    """Rounds of free flight, each with fresh velocities colder than the last.

    Attributes
    ----------
    rounds, steps : int
        How many rounds, and how many steps in each.
    temperature : float
        kT of the first round, eV; it falls linearly to zero over the rounds.
    timestep : float
        In √(Å²/eV), for unit mass.
    """

    rounds: int = 8
    steps: int = 15
    temperature: float = 0.2
    timestep: float = 0.12


@dataclass(frozen=True)
class FireSettings:
    """The fast inertial relaxation engine, with the parameters its authors give.

    Source: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006).
    """

    steps: int = 60
    timestep: float = 0.06
    largest_timestep: float = 0.25
    largest_move: float = 0.12
    patience: int = 5
    growth: float = 1.1
    shrinkage: float = 0.5
    mixing: float = 0.1
    mixing_decay: float = 0.99


def anneal(
    forces: ForceField,
    batch: StructureBatch,
    streams: Sequence[np.random.Generator],
    schedule: AnnealingSchedule,
    largest_move: float = 0.12,
) -> StructureBatch:
    """Let every structure fly freely in rounds of falling temperature (velocity Verlet, Andersen's collisions).

    Parameters
    ----------
    forces : callable
        Gives the forces on the atoms of the batch, wherever they are.
    batch : StructureBatch
        The structures to begin from.
    streams : sequence of numpy.random.Generator
        One a structure.
    schedule : AnnealingSchedule
        Rounds, steps and temperatures.
    largest_move : float
        No atom moves further in a step, Å.
    """
    from mechlearn.sampling.relaxation_kernels import drift, kick

    h = schedule.timestep
    positions = batch.positions.copy()
    force = forces(positions)
    for round_ in range(schedule.rounds):
        width = np.sqrt(schedule.temperature * (1 - round_ / schedule.rounds))
        velocities = width * np.concatenate(
            [stream.standard_normal((size, 3)) for stream, size in zip(streams, batch.sizes, strict=True)]
        )
        for _ in range(schedule.steps):
            kick(velocities, force, 0.5 * h)
            drift(positions, velocities, h, largest_move)
            force = forces(positions)
            kick(velocities, force, 0.5 * h)
    return replace(batch, positions=positions)


def minimise(forces: ForceField, batch: StructureBatch, settings: FireSettings) -> StructureBatch:
    """Go downhill by FIRE for a fixed number of steps.

    Parameters
    ----------
    forces : callable
        Gives the forces on the atoms of the batch, wherever they are.
    batch : StructureBatch
        The structures to begin from.
    settings : FireSettings
        Number and size of steps.
    """
    from mechlearn.sampling.relaxation_kernels import fire_step

    count = len(batch)
    step, mixing = np.full(count, settings.timestep), np.full(count, settings.mixing)
    downhill = np.zeros(count, dtype=np.int64)
    positions, velocities = batch.positions.copy(), np.zeros((batch.atoms, 3))
    for _ in range(settings.steps):
        fire_step(
            positions, velocities, forces(positions), batch.offsets, step, mixing, downhill,
            settings.largest_timestep, 0.05 * settings.timestep, settings.largest_move, settings.patience,
            settings.growth, settings.shrinkage, settings.mixing, settings.mixing_decay,
        )  # fmt: skip
    return replace(batch, positions=positions)
