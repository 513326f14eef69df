"""The search for plastic modes: where it begins, how it goes on, when it has settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mechlearn.glasses.description.response import LONGEST_MOVE, balanced, second_order_forces
from mechlearn.glasses.loading.nonaffine import nonaffine_squares
from mechlearn.glasses.rest.displacements import centred, displaced, furthest
from mechlearn.interactions import SmoothPoint, SmoothPotential, nonaffine_displacements
from mechlearn.structures import StructureBatch

#: In units of the cutoff: how wide a search begins, how far apart searches are, and how far a mode may reach until it
#: has found its place.
_WIDTH, _APART, _WINDOW = 1.0, 0.8, 1.6

#: A search has found its place where the overlap of v with the last v is that close to one, if in so many rounds.
_STILL, _MOST_ROUNDS = 1e-2, 12

#: Then it goes on without a window until the overlap is that close to one, or for so many rounds.
_EXACT, _LAST_ROUNDS = 1e-3, 8

#: In units of the cutoff: how far the foremost atom moves where the term of fourth order is measured.
_WAY = 0.04

#: To these shares of its largest component a force is balanced: on the way, and close to a mode.
_RESIDUAL, _LAST_RESIDUAL = 1e-2, 1e-3


def _shears() -> Float[np.ndarray, "5 3 3"]:
    """Symmetric and without trace, orthonormal: sums of squares over them are the same in any frame."""
    half = np.sqrt(0.5)
    xy, yz, xz = np.zeros((3, 3, 3))
    xy[0, 1] = xy[1, 0] = yz[1, 2] = yz[2, 1] = xz[0, 2] = xz[2, 0] = half
    return np.stack([xy, yz, xz, np.diag([half, -half, 0.0]), np.diag([1.0, 1.0, -2.0]) / np.sqrt(6.0)])


@dataclass(frozen=True, eq=False)
class FoundMode:
    """A mode, its force H v, and its stiffness."""

    vector: Float[np.ndarray, "atoms 3"]
    force: Float[np.ndarray, "atoms 3"]
    stiffness: float

    @classmethod
    def of(cls, point: SmoothPoint, vector: Float[np.ndarray, "atoms 3"]) -> FoundMode:
        force = point.hessian_product(vector)
        return cls(vector, force, float(np.vdot(vector, force)))


@dataclass(frozen=True, eq=False)
class SearchStart:
    """Where a search begins: v, and the atoms too far away to begin there too."""

    vector: Float[np.ndarray, "atoms 3"]
    elsewhere: Bool[np.ndarray, " atoms"]


@dataclass(frozen=True, eq=False)
class ModeSearch:
    """Looks for fixed points of v → H⁻¹ U‴ v v in one structure.

    Attributes
    ----------
    potential, point
        With second derivatives, at the structure at rest.
    inverses : (atoms, 3, 3)
        The preconditioner.
    cutoff : float
        The length by which all others go, Å.
    """

    potential: SmoothPotential
    point: SmoothPoint
    inverses: Float[np.ndarray, "atoms 3 3"]
    cutoff: float

    def start(self, field: Float[np.ndarray, "atoms 3"], free: Bool[np.ndarray, " atoms"]) -> SearchStart:
        """W around the highest peak of its D²min among atoms where no search began."""
        structure = self.point.structure
        squares = nonaffine_squares(structure, field, self.cutoff, smooth=True)
        away = distances_from(structure, int(np.argmax(np.where(free, squares, -np.inf)))) / self.cutoff
        return SearchStart(_unit(field * np.exp(-np.square(away / _WIDTH))[:, None]), away > _APART)

    def follow(
        self, start: Float[np.ndarray, "atoms 3"], found: list[FoundMode]
    ) -> Float[np.ndarray, "atoms 3"] | None:
        """The mode that a start leads to, orthogonal in H to what is known; None where it does not settle."""
        vector = start
        for _ in range(_MOST_ROUNDS):
            vector, change = self._round(vector, found, within_window=True)
            if change < _STILL:
                break
        else:
            return None
        for _ in range(_LAST_ROUNDS):
            vector, change = self._round(vector, found, within_window=False)
            if change < _EXACT:
                break
        return vector

    def _round(
        self, vector: Float[np.ndarray, "atoms 3"], found: list[FoundMode], *, within_window: bool
    ) -> tuple[Float[np.ndarray, "atoms 3"], float]:
        """The next v, orthogonal in H to what is known, and by how much less than one the two overlap."""
        ahead = without(found, self._next(vector, _RESIDUAL if within_window else _LAST_RESIDUAL))
        if within_window:
            # What is known came in with H⁻¹ and is far larger than what is looked for: it goes before a window cuts it.
            ahead = without(found, self._within_window(ahead))
        ahead = _unit(ahead)
        return ahead, 1.0 - abs(float(np.vdot(ahead, vector)))

    def anharmonic_response(self) -> Float[np.ndarray, "atoms 3"]:
        """W = H⁻¹ Σ f₂ over the five shears."""
        shears = _shears()
        first = nonaffine_displacements(self.point, shears, inverses=self.inverses, tolerance=1e-5)
        forces = sum(
            second_order_forces(self.potential, self.point, shear, first[:, :, place])
            for place, shear in enumerate(shears)
        )
        return balanced(self.point, np.asarray(forces), self.inverses, _LAST_RESIDUAL)

    def third(self, vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """U‴ v v, by a second difference of the forces."""
        length = LONGEST_MOVE / furthest(vector)
        forces = -2.0 * self.point.forces
        for sign in (1.0, -1.0):
            moved = displaced(self.point.structure, sign * length * vector)
            forces = forces + self.potential.at(moved, self.point.kept).forces
        return -centred(forces) / length**2

    def fourth(self, mode: FoundMode) -> float:
        """U⁗ v v v v, from the odd part of the force along v, −λ s − χ s³/6, some way off."""
        length = _WAY * self.cutoff / furthest(mode.vector)
        ahead, behind = (
            self.potential.at(displaced(self.point.structure, sign * length * mode.vector), self.point.kept).forces
            for sign in (1.0, -1.0)
        )
        odd = 0.5 * float(np.vdot(mode.vector, behind - ahead))
        return 6.0 * (odd - mode.stiffness * length) / length**3

    def _next(self, vector: Float[np.ndarray, "atoms 3"], share: float) -> Float[np.ndarray, "atoms 3"]:
        """H⁻¹ U‴ v v, begun with the multiple of v that is nearest to it."""
        third, force = self.third(vector), self.point.hessian_product(vector)
        length = np.vdot(vector, third) / np.vdot(vector, force)
        left = centred(third - length * force)
        # To a share of U‴ v v itself: close to a mode there is little left to balance.
        largest, residual = float(np.abs(left).max()), share * float(np.abs(third).max())
        if largest <= residual:
            return length * vector
        return length * vector + balanced(self.point, left, self.inverses, residual / largest)

    def _within_window(self, vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """The vector around its own core."""
        core = int(np.square(vector).sum(axis=1).argmax())
        away = distances_from(self.point.structure, core) / (_WINDOW * self.cutoff)
        return vector * np.exp(-(away**4))[:, None]


def distances_from(structure: StructureBatch, atom: int) -> Float[np.ndarray, " atoms"]:
    """How far the nearest image of every atom is from one, Å."""
    from ase.geometry import find_mic

    vectors = structure.positions - structure.positions[atom]
    return np.asarray(find_mic(vectors, structure.cells[0], pbc=structure.periodic[0])[1])


def without(found: list[FoundMode], vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    """The part of a vector that is orthogonal in H to what is known."""
    for mode in found:
        vector = vector - mode.vector * (np.vdot(mode.force, vector) / mode.stiffness)
    return vector


def _unit(vector: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    return vector / np.linalg.norm(vector)
