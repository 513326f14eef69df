"""Annealing and minimisation of many structures at once, under any potential.

Every structure has its own step, its own velocities and its own random stream, so that its path is the same
whatever else is in the batch.  Masses are one: the paths are a means of search, not of physics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mechlearn.interactions import Potential
from mechlearn.structures import StructureBatch

Positions = Float[np.ndarray, "atoms 3"]


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
    potential: Potential,
    batch: StructureBatch,
    streams: Sequence[np.random.Generator],
    schedule: AnnealingSchedule,
    largest_move: float = 0.12,
) -> StructureBatch:
    """Let every structure fly freely in rounds of falling temperature (velocity Verlet, Andersen's collisions).

    Parameters
    ----------
    potential : Potential
        Gives the forces.
    batch : StructureBatch
        The structures to begin from.
    streams : sequence of numpy.random.Generator
        One a structure.
    schedule : AnnealingSchedule
        Rounds, steps and temperatures.
    largest_move : float
        No atom moves further in a step, Å.
    """
    h = schedule.timestep
    forces = potential.evaluate(batch).forces
    for round_ in range(schedule.rounds):
        width = np.sqrt(schedule.temperature * (1 - round_ / schedule.rounds))
        velocities = width * np.concatenate(
            [stream.standard_normal((size, 3)) for stream, size in zip(streams, batch.sizes, strict=True)]
        )
        for _ in range(schedule.steps):
            velocities = velocities + 0.5 * h * forces
            batch = replace(batch, positions=batch.positions + clipped(h * velocities, largest_move))
            forces = potential.evaluate(batch).forces
            velocities = velocities + 0.5 * h * forces
    return batch


def minimise(potential: Potential, batch: StructureBatch, settings: FireSettings) -> StructureBatch:
    """Go downhill by FIRE for a fixed number of steps.

    Parameters
    ----------
    potential : Potential
        Gives the forces.
    batch : StructureBatch
        The structures to begin from.
    settings : FireSettings
        Number and size of steps.
    """
    count = len(batch)
    total = _summed_over(batch)
    step, mixing = np.full(count, settings.timestep), np.full(count, settings.mixing)
    downhill = np.zeros(count, dtype=int)
    velocities = np.zeros((batch.atoms, 3))
    forces = potential.evaluate(batch).forces
    owner = batch.structure_of_atom
    for _ in range(settings.steps):
        power = total((forces * velocities).sum(axis=1))
        descends = power > 0
        # v ← (1 - α) v + α |v| f/|f| while going downhill; v ← 0 where the path turned uphill.
        speed, push = np.sqrt(total((velocities**2).sum(axis=1))), np.sqrt(total((forces**2).sum(axis=1)))
        steer = np.where(descends, mixing * speed / np.maximum(push, 1e-300), 0.0)
        keep = np.where(descends, 1 - mixing, 0.0)
        velocities = keep[owner, None] * velocities + steer[owner, None] * forces
        patient = descends & (downhill > settings.patience)
        step = np.where(
            patient,
            np.minimum(step * settings.growth, settings.largest_timestep),
            np.where(descends, step, step * settings.shrinkage),
        )
        step = np.maximum(step, 0.05 * settings.timestep)
        mixing = np.where(patient, mixing * settings.mixing_decay, np.where(descends, mixing, settings.mixing))
        downhill = np.where(descends, downhill + 1, 0)
        velocities = velocities + step[owner, None] * forces
        move = clipped(step[owner, None] * velocities, settings.largest_move)
        batch = replace(batch, positions=batch.positions + move)
        forces = potential.evaluate(batch).forces
    return batch


def clipped(move: Positions, largest: float) -> Positions:
    """The same displacements, none longer than ``largest``."""
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return move * np.minimum(1.0, largest / np.maximum(length, 1e-300))


def _summed_over(
    batch: StructureBatch,
) -> Callable[[Float[np.ndarray, " atoms"]], Float[np.ndarray, " structures"]]:
    """A function that adds per-atom numbers up within each structure."""
    starts = batch.offsets[:-1]
    return lambda values: np.add.reduceat(values, starts)
