"""Small sets of structures that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from mechlearn.structures import StructureBatch

ARRAYS = ("positions", "cells", "species", "offsets", "periodic", "energies", "forces", "stresses", "seeds")
TEXTS = ("groups", "origins", "names")


def random_batch(count: int, seed: int = 0) -> StructureBatch:
    """Random structures of two elements, every fourth label absent."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, count)
    atoms = int(sizes.sum())
    batch = StructureBatch.from_arrays(
        positions=rng.uniform(-9, 9, (atoms, 3)),
        cells=rng.normal(size=(count, 3, 3)) + 6 * np.eye(3),
        species=rng.choice([29, 40], atoms),
        sizes=sizes,
        periodic=rng.random((count, 3)) < 0.8,
        energies=np.where(rng.random(count) < 0.75, rng.normal(size=count), np.nan),
        forces=rng.normal(size=(atoms, 3)),
        stresses=np.where(rng.random((count, 1)) < 0.75, rng.normal(size=(count, 6)), np.nan),
        groups=[("bcc", "grain, boundary/Σ5", "")[index % 3] for index in range(count)],
        origins=["random"] * count,
        names=[f"s{index}" for index in range(count)],
        seeds=np.where(rng.random(count) < 0.5, rng.integers(0, 2**40, count), -1),
    )
    absent = np.repeat(rng.random(count) < 0.25, sizes)
    return replace(batch, forces=np.where(absent[:, None], np.nan, batch.forces))


def labelled_copper(count: int, seed: int = 0) -> StructureBatch:
    """Strained and shaken copper in four groups, with EMT's energies, forces and stresses."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        cubic = index % 2 == 0
        atoms = bulk("Cu", cubic=cubic) * ((1, 1, 1) if cubic else (2, 2, 1))
        strain = np.eye(3) + 0.04 * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.03, rng=rng)
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_stress()
        atoms.info["group"] = f"group{index % 4}"
        images.append(atoms)
    return StructureBatch.from_atoms(images, origin="EMT")


def differences(first: StructureBatch, second: StructureBatch, ignored: tuple[str, ...] = ()) -> list[str]:
    """The names of the fields in which two batches differ, to the last bit; NaN equals NaN."""
    arrays = [
        name
        for name in ARRAYS
        if not np.array_equal(
            getattr(first, name), getattr(second, name), equal_nan=getattr(first, name).dtype.kind == "f"
        )
    ]
    texts = [name for name in TEXTS if getattr(first, name) != getattr(second, name)]
    return [name for name in arrays + texts if name not in ignored]
