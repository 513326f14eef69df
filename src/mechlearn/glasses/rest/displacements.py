"""Fields of displacements: how far they go, what they leave of a structure, their part without a translation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mechlearn.structures import StructureBatch


def displaced(structure: StructureBatch, moves: Float[np.ndarray, "atoms 3"]) -> StructureBatch:
    """The structure with its atoms moved."""
    return replace(structure, positions=structure.positions + moves)


def centred(vectors: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    """The vectors without their mean."""
    return vectors - np.add.reduce(vectors, axis=0) / len(vectors)


def furthest(moves: Float[np.ndarray, "atoms 3"]) -> float:
    """The longest of the vectors."""
    return float(np.sqrt(np.square(moves).sum(axis=1).max()))
