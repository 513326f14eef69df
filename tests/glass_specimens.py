"""Small disordered alloys at rest, quick to make."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from ase.build import bulk

from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import EamPotential, LennardJones, SmoothPotential, deformed, kob_andersen, read_eam
from mechlearn.structures import StructureBatch

#: The velocity gradient of a shear of sense xy.
SHEAR = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


@lru_cache
def copper_zirconium() -> EamPotential:
    return read_eam("CuZr_mm.eam.fs")


@lru_cache
def model_glass() -> LennardJones:
    """Kob and Andersen's, whose derivatives are smooth as those of tables are not."""
    return kob_andersen()


@lru_cache
def metallic_specimen(seed: int = 0, repeats: int = 3) -> StructureBatch:
    """About Cu64Zr36, at rest."""
    return _at_rest(copper_zirconium(), 4.0, ("Cu", "Zr"), 0.36, seed, repeats)


@lru_cache
def model_specimen(seed: int = 0, repeats: int = 4) -> StructureBatch:
    """Four parts of A to one of B, at rest."""
    return _at_rest(model_glass(), 1.494, ("Ni", "P"), 0.2, seed, repeats)


def _at_rest(
    potential: SmoothPotential, side: float, symbols: tuple[str, str], share: float, seed: int, repeats: int
) -> StructureBatch:
    """A random alloy in a sheared cell, shaken out of its lattice and brought to rest."""
    rng = np.random.default_rng(seed)
    atoms = bulk(symbols[0], "fcc", a=side, cubic=True) * (repeats, repeats, repeats)
    atoms.symbols[rng.random(len(atoms)) < share] = symbols[1]
    start = deformed(StructureBatch.from_atoms([atoms]), np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3)))
    start = replace(start, positions=start.positions + rng.normal(0.0, 0.125 * side, start.positions.shape))
    minimum = minimise(potential, start, MinimisationSettings(largest_force=1e-10, longest_step=0.025 * side))
    assert minimum.converged
    return minimum.point.structure
