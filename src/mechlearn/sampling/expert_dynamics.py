"""Heat in an expert set: harmonic rattles, and Langevin dynamics of many structures at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from jaxtyping import Float
from scipy.optimize import minimize

from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import Potential
from mechlearn.sampling.expert_crystal import Crystal, closest_pair
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs
from mechlearn.units import BOLTZMANN


@dataclass(frozen=True)
class Ramp:
    """A temperature that goes linearly from one value to another, K.

    Examples
    --------
    >>> Ramp(2000.0, 300.0).at(0.5)
    1150.0
    """

    start: float
    end: float

    def at(self, share: float) -> float:
        """The temperature when this share (0 to 1) of the run is done, K."""
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class LangevinSettings:
    """How a Langevin run is integrated, in units of the crystal's mean angular frequency ω.

    Attributes
    ----------
    steps : int
        Number of time steps.
    timestep : float
        ω δt; 0.15 is about 40 steps a vibration, 4 fs in tungsten.
    friction : float
        γ / ω.
    """

    steps: int = 100
    timestep: float = 0.15
    friction: float = 0.2

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.timestep > 0 or not self.friction >= 0:
            raise InputError(
                f"setting up Langevin dynamics: steps {self.steps}, timestep {self.timestep}, friction "
                f"{self.friction}; give at least one step, a positive timestep and no negative friction"
            )


def rattled(atoms: Atoms, crystal: Crystal, temperature: float, rng: np.random.Generator) -> Atoms:
    """The structure with each atom moved by a Gaussian of the harmonic crystal at a temperature (K)."""
    moved = atoms.copy()
    moved.positions += rng.normal(scale=crystal.rattle_amplitude(temperature), size=(len(atoms), 3))
    return moved


def langevin(
    batch: StructureBatch,
    ramps: Sequence[Ramp],
    crystal: Crystal,
    potential: Potential,
    rngs: Sequence[np.random.Generator],
    settings: LangevinSettings = LangevinSettings(),
) -> StructureBatch:
    """The structures after a Langevin run at constant volume, each along its own temperature ramp.

    The splitting BAOAB: half a kick, half a drift, the exact Ornstein–Uhlenbeck step
    v ← e^(−γδt) v + √((1 − e^(−2γδt)) kT/m) ξ, half a drift, half a kick.  All structures take each step
    together, but each has its own random numbers, so that a structure does not depend on its companions.

    Parameters
    ----------
    batch : StructureBatch
        Starting structures; velocities are drawn at the start of each ramp.
    ramps, rngs : sequences, one a structure
    crystal : Crystal
        Its mass is every atom's; its frequency is the unit of time.
    potential : Potential
    settings : LangevinSettings, optional

    Raises
    ------
    WorkError
        If an atom's velocity leaves every physical range.

    References
    ----------
    Leimkuhler & Matthews, J. Chem. Phys. 138, 174102 (2013).
    """
    if not len(batch):
        return batch
    sizes = batch.sizes
    timestep = settings.timestep / crystal.frequency
    kept = float(np.exp(-settings.friction * settings.timestep))

    def thermal_velocities(share: float) -> Float[np.ndarray, "atoms 3"]:
        speeds = np.sqrt([BOLTZMANN * ramp.at(share) / crystal.mass for ramp in ramps])
        noise = [rng.standard_normal((size, 3)) for rng, size in zip(rngs, sizes, strict=True)]
        return np.concatenate(noise) * np.repeat(speeds, sizes)[:, None]

    def acceleration(positions: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        return potential.evaluate(replace(batch, positions=positions)).forces / crystal.mass

    # Ten nearest-neighbour distances in one vibration: no atom of a metal does this.
    speed_limit = 10 * crystal.nearest_neighbour * crystal.frequency / (2 * np.pi)
    positions, velocities = batch.positions.copy(), thermal_velocities(0.0)
    kick = acceleration(positions)
    for step in range(settings.steps):
        velocities += 0.5 * timestep * kick
        positions += 0.5 * timestep * velocities
        velocities = kept * velocities + np.sqrt(1 - kept**2) * thermal_velocities((step + 1) / settings.steps)
        positions += 0.5 * timestep * velocities
        kick = acceleration(positions)
        velocities += 0.5 * timestep * kick
        if not np.abs(velocities).max() < speed_limit:
            culprit = int(batch.structure_of_atom[np.argmax(~(np.abs(velocities).max(axis=1) < speed_limit))])
            raise WorkError(
                f"running Langevin dynamics: structure {culprit} ({batch.names[culprit]}) flew apart at step "
                f"{step}; the potential has no repulsive core there: give another, or none"
            )
    return replace(batch, positions=positions)


def pushed_apart(atoms: Atoms, distance: float) -> Atoms:
    """The structure with its atoms moved until no two are closer than a distance (Å).

    Minimises the overlap Σ_pairs ½ (1 − r/d)² over pairs with r < d, d one hundredth above the distance
    asked.

    Raises
    ------
    WorkError
        If the atoms do not fit.
    """
    target = 1.01 * distance
    moved, batch = atoms.copy(), StructureBatch.from_atoms([atoms])

    def overlap(
        coordinates: Float[np.ndarray, " coordinates"],
    ) -> tuple[float, Float[np.ndarray, " coordinates"]]:
        pairs = neighbour_pairs(replace(batch, positions=coordinates.reshape(-1, 3)), target)
        depth = 1 - pairs.distances / target
        # Each pair is listed twice, once from either end: half the energy, and the whole gradient of one end.
        pulls = (depth / np.maximum(pairs.distances, 1e-9))[:, None] * pairs.vectors / target
        gradient = np.zeros((len(moved), 3))
        np.add.at(gradient, pairs.first, pulls)
        return float(0.25 * depth @ depth), gradient.ravel()

    settled = minimize(
        overlap,
        atoms.positions.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-9},
    )
    moved.positions = settled.x.reshape(-1, 3)
    found = closest_pair(moved, distance)
    if found < 0.97 * distance:
        raise WorkError(
            f"pushing {len(atoms)} atoms apart: two are left at {found:.2f} Å where {distance:.2f} Å was "
            "asked; give them more volume"
        )
    return moved
