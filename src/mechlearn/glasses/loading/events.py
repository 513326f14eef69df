"""Plastic events: what an instability under strain moved, and the mode that became unstable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mechlearn.errors import InputError
from mechlearn.glasses.description.modes import lowest_modes
from mechlearn.interactions import SmoothPoint
from mechlearn.structures import StructureBatch


@dataclass(frozen=True, eq=False)
class CriticalMode:
    """The softest displacement of a structure at rest.

    Attributes
    ----------
    vector : (atoms, 3)
        v, |v| = 1; its sign is the one in which the structure was moving.
    stiffness : float
        κ = v·H v, eV/Å²; zero at an instability.
    """

    vector: Float[np.ndarray, "atoms 3"]
    stiffness: float

    @property
    def weights(self) -> Float[np.ndarray, " atoms"]:
        """|v_i|², the share of each atom; their sum is one."""
        return np.square(self.vector).sum(axis=1)

    def core(self, share: float = 0.5) -> Int[np.ndarray, " core_atoms"]:
        """The fewest atoms that have this share of the mode, the foremost first."""
        if not 0.0 < share <= 1.0:
            raise InputError(f"core of a mode: the share is {share}; give a number above 0 and up to 1")
        order = np.argsort(-self.weights, kind="stable")
        return order[: int(np.searchsorted(np.cumsum(self.weights[order]), share)) + 1]


@dataclass(frozen=True, eq=False)
class PlasticEvent:
    """An instability: strained a little further, the atoms leave their minimum, and do not come back.

    Attributes
    ----------
    strain : float
        Just before.
    resolution : float
        How much further the structure was strained.
    stress_drop : float
        By how much the stress along the loading, σ : L, fell; eV/Å³.
    energy_drop : float
        By how much the energy fell, beside the work of the strain; eV.
    d2min : (atoms,)
        From before to after, the sum over neighbours before, Å².
    before, after : StructureBatch
        The structures at rest.
    mode : CriticalMode
        The softest mode before: its core is the trigger, while D²min has the avalanche too.
    """

    strain: float
    resolution: float
    stress_drop: float
    energy_drop: float
    d2min: Float[np.ndarray, " atoms"]
    before: StructureBatch
    after: StructureBatch
    mode: CriticalMode

    def group(self, threshold: float = 0.1) -> Int[np.ndarray, " group_atoms"]:
        """The atoms whose D²min is above a threshold, Å²."""
        return np.flatnonzero(self.d2min > threshold)

    @property
    def trigger(self) -> int:
        """The foremost atom of the critical mode."""
        return int(self.mode.weights.argmax())


def critical_mode(point: SmoothPoint, motion: Float[np.ndarray, "atoms 3"]) -> CriticalMode:
    """The softest mode of a structure at rest, in the sense in which the structure moves under strain.

    Close to an instability the non-affine displacements diverge along it: κ goes to zero as √(γ_c − γ), and they as
    1/κ.

    Parameters
    ----------
    point
        The potential at the structure.
    motion
        Its non-affine displacements under the loading.

    References
    ----------
    Maloney and Lemaître, Physical Review E 74, 016118 (2006).
    """
    modes = lowest_modes(point, 1)
    vector = modes.vectors[0]
    return CriticalMode(vector if np.vdot(vector, motion) >= 0.0 else -vector, float(modes.curvatures[0]))
