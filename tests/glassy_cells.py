"""Disordered structures for the tests of potentials with second derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase import Atoms

from mechlearn.interactions import SmoothPotential
from mechlearn.structures import StructureBatch

#: The shortest distance between two atoms, as a share of the mean spacing.
_CLOSEST = 0.72


def random_structure(
    symbols: tuple[str, ...], count: int, volume: float, rng: np.random.Generator, skew: float = 0.3
) -> StructureBatch:
    """Atoms at random, none too close to another, in a sheared cell with ``volume`` an atom, Å³."""
    cell = (np.eye(3) + rng.uniform(-skew, skew, (3, 3))) * (volume * count) ** (1 / 3)
    closest = _CLOSEST * volume ** (1 / 3)
    shifts = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]) @ cell
    places: list[np.ndarray] = []
    while len(places) < count:
        trial = rng.random(3) @ cell
        if all(np.linalg.norm(trial - place + shifts, axis=1).min() > closest for place in places):
            places.append(trial)
    species = [*symbols, *rng.choice(symbols, count)][:count]
    return StructureBatch.from_atoms([Atoms(species, np.array(places), cell=cell, pbc=True)])


def relaxed(potential: SmoothPotential, structure: StructureBatch, largest: float = 1e-11) -> StructureBatch:
    """The structure at a minimum of its energy, by steepest descent first and by Newton's steps at the end."""
    rate = 0.005
    point = potential.at(structure)
    for _ in range(20000):
        size = np.abs(point.forces).max()
        if size < 0.01:
            break
        step = np.clip(rate * point.forces, -0.05, 0.05)
        trial = potential.at(replace(structure, positions=structure.positions + step), point.kept)
        if trial.energy < point.energy:
            structure, point, rate = trial.structure, trial, 1.2 * rate
        else:
            rate *= 0.5
    for _ in range(50):
        if np.abs(point.forces).max() < largest:
            return structure
        values, vectors = np.linalg.eigh(point.hessian().matrix().toarray())
        softened = np.where(np.abs(values) > 1e-6, 1.0 / np.maximum(np.abs(values), 1e-6), 0.0)
        step = (vectors @ (softened * (vectors.T @ point.forces.ravel()))).reshape(-1, 3)
        structure = replace(structure, positions=structure.positions + np.clip(step, -0.1, 0.1))
        point = potential.at(structure, point.kept)
    raise AssertionError(f"not at rest: {np.abs(point.forces).max():.1e} eV/Å")
