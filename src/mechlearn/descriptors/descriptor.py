"""What every descriptor wears: numbers for each atom, and gradients carried back to forces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.structures import StructureBatch


@dataclass(frozen=True, eq=False)
class Pullback:
    """The forces and virials that belong to an energy's gradient in descriptor space.

    Attributes
    ----------
    forces : (atoms, 3)
        f = -Σ_i g_i · ∂D_i/∂r, eV/Å.
    virials : (structures, 3, 3)
        W = Σ r ⊗ f, eV; the stress, tension positive, is -W/volume.
    """

    forces: Float[np.ndarray, "atoms 3"]
    virials: Float[np.ndarray, "structures 3 3"]

    def stresses(self, volumes: Float[np.ndarray, " structures"]) -> Float[np.ndarray, "structures 6"]:
        """Voigt stress (xx, yy, zz, yz, xz, xy), eV/Å³, tension positive."""
        symmetric = 0.5 * (self.virials + np.swapaxes(self.virials, 1, 2))
        voigt = symmetric[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        return -voigt / volumes[:, None]


@runtime_checkable
class Descriptor(Protocol):
    """Numbers for each atom that know how to give forces."""

    @property
    def features(self) -> int:
        """How many numbers an atom gets."""
        ...

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows."""
        ...

    def compute(self, batch: StructureBatch) -> Float[np.ndarray, "atoms features"]:
        """The descriptor of every atom."""
        ...

    def pullback(self, batch: StructureBatch, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient with respect to the descriptor is ``gradient``."""
        ...


def check_shape(doing: str, name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    """Refuse an array that has not a row of the right length for every atom.

    Raises
    ------
    InputError
        If its shape is another one.
    """
    if array.shape != expected:
        raise InputError(f"{doing}: {name} has shape {array.shape}; give {expected}, one row an atom")
