"""Random periodic structures for tests: tiny, sheared, crowded."""

from __future__ import annotations

import numpy as np

from mechlearn.structures import StructureBatch

ATOMIC_NUMBER = {"W": 74, "Be": 4}


def random_cell(rng: np.random.Generator, size: int, volume: float = 15.9, shear: float = 0.6) -> np.ndarray:
    """A lower-triangular cell (LAMMPS's own form) of ``size`` atoms."""
    side = (size * volume) ** (1 / 3)
    cell = np.diag(rng.uniform(0.7, 1.4, 3)) * side
    cell[1, 0], cell[2, 0] = rng.uniform(-shear, shear, 2) * cell[0, 0]
    cell[2, 1] = rng.uniform(-shear, shear) * cell[1, 1]
    return cell


def random_batch(
    rng: np.random.Generator, structures: int, elements: tuple[str, ...] = ("W",), largest: int = 16
) -> StructureBatch:
    """Structures of 1 to ``largest`` atoms at random places."""
    sizes = rng.integers(1, largest + 1, structures)
    cells = [random_cell(rng, int(size)) for size in sizes]
    positions = [rng.random((size, 3)) @ cell for size, cell in zip(sizes, cells, strict=True)]
    numbers = np.array([ATOMIC_NUMBER[element] for element in elements], dtype=np.int32)
    return StructureBatch.from_arrays(
        np.concatenate(positions), np.stack(cells), rng.choice(numbers, int(sizes.sum())), sizes
    )


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A proper rotation, evenly drawn."""
    matrix, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = matrix * np.sign(np.diag(upper))
    return matrix if np.linalg.det(matrix) > 0 else -matrix
