"""What every potential wears: a batch of structures in; energies, forces and stresses out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mechlearn.structures import StructureBatch


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a potential says of a batch.

    Attributes
    ----------
    energies : (structures,)
        Total energies, eV.
    forces : (atoms, 3)
        eV/Å.
    stresses : (structures, 6)
        Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive; NaN where the potential gives none.
    atomic_energies : (atoms,) or None
        eV; None where the potential does not divide its energy among atoms.
    """

    energies: Float[np.ndarray, " structures"]
    forces: Float[np.ndarray, "atoms 3"]
    stresses: Float[np.ndarray, "structures 6"]
    atomic_energies: Float[np.ndarray, " atoms"] | None = None


@runtime_checkable
class Potential(Protocol):
    """A potential: classical, learned, or any code behind an ASE calculator."""

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows; empty where it takes any."""
        ...

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces and stresses of every structure."""
        ...
