"""Potentials with second derivatives: what a driver of deformation asks of them, and any potential made into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy import sparse

from mechlearn.errors import InputError
from mechlearn.interactions.potential import Evaluation, Potential
from mechlearn.structures import StructureBatch

_VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))


def _voigt_strains() -> Float[np.ndarray, "6 3 3"]:
    strains = np.zeros((6, 3, 3))
    for row, (a, b) in enumerate(zip(*_VOIGT, strict=True)):
        strains[row, a, b] += 0.5
        strains[row, b, a] += 0.5
    strains.flags.writeable = False
    return strains


#: The six strains xx, yy, zz, yz, xz, xy as velocity gradients; a shear of 1 is an engineering strain γ = 2 ε of 1.
VOIGT_STRAINS: Float[np.ndarray, "6 3 3"] = _voigt_strains()

_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Hessian:
    """The second derivatives of an energy by all positions, H = K + Gᵀ D G.

    K holds what couples neighbours.  In an embedded-atom potential the neighbours of an atom are coupled by its density
    ρ_i too, twice the cutoff apart: G = ∂ρ/∂x and D = F'' say that in far fewer numbers than the matrix has.

    Attributes
    ----------
    local : sparse (3 atoms, 3 atoms)
        K, eV/Å².
    densities : sparse (atoms, 3 atoms) or None
        G; None where there is no embedding.
    curvatures : (atoms,)
        The diagonal D.
    """

    local: sparse.bsr_array
    densities: sparse.bsr_array | None
    curvatures: Float[np.ndarray, " atoms"]

    def product(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """H·v, eV/Å² times the unit of v."""
        vector = displacements.ravel()
        result = self.local @ vector
        if self.densities is not None:
            result = result + self.densities.T @ (self.curvatures * (self.densities @ vector))
        return result.reshape(-1, 3)

    def matrix(self) -> sparse.csr_array:
        """All of H as one sparse matrix, (3 atoms, 3 atoms)."""
        local = self.local.tocsr()
        if self.densities is None:
            return local
        gradients = self.densities.tocsr()
        return (local + gradients.T @ (sparse.diags_array(self.curvatures) @ gradients)).tocsr()

    def diagonal_blocks(self) -> Float[np.ndarray, "atoms 3 3"]:
        """The block of each atom with itself."""
        atoms = len(self.curvatures)
        rows = np.repeat(np.arange(atoms), np.diff(self.local.indptr))
        own = rows == self.local.indices
        blocks = np.zeros((atoms, 3, 3))
        blocks[rows[own]] = self.local.data[own]
        if self.densities is not None:
            gradients = self.densities.data[:, 0, :]
            rows = np.repeat(np.arange(atoms), np.diff(self.densities.indptr))
            shares = self.curvatures[rows, None, None] * gradients[:, :, None] * gradients[:, None, :]
            for a in range(3):
                for b in range(3):
                    blocks[:, a, b] += np.bincount(self.densities.indices, shares[:, a, b], atoms)
        return blocks


@runtime_checkable
class SmoothPoint(Protocol):
    """A potential at one structure: energy, forces and stress, and second derivatives for who asks."""

    @property
    def structure(self) -> StructureBatch:
        """The structure, a batch of one."""
        ...

    @property
    def energy(self) -> float:
        """eV."""
        ...

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """eV/Å."""
        ...

    @property
    def stress(self) -> Float[np.ndarray, " 6"]:
        """Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive."""
        ...

    @property
    def kept(self) -> Any:
        """What the potential wants back at the next step, such as a list of neighbours."""
        ...

    def hessian(self) -> Hessian:
        """H = ∂²E/∂x∂x."""
        ...

    def hessian_product(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """H·v without the matrix."""
        ...

    def nonaffine_forces(
        self, gradients: Float[np.ndarray, "strains 3 3"] = VOIGT_STRAINS
    ) -> Float[np.ndarray, "atoms 3 strains"]:
        """Ξ = −∂f/∂ε for strains or velocity gradients, atoms carried along with the cell."""
        ...

    def born_stiffness(self) -> Float[np.ndarray, "6 6"]:
        """∂²E/∂η∂η over the volume, η Green's strain, atoms carried along with the cell, eV/Å³."""
        ...


@runtime_checkable
class SmoothPotential(Protocol):
    """A potential that has second derivatives, and keeps its neighbours from step to step in the caller's hands."""

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows; empty where it takes any."""
        ...

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces and stresses of every structure."""
        ...

    def at(self, structure: StructureBatch, kept: Any = None) -> SmoothPoint:
        """The potential at one structure; ``kept`` is that of an earlier point, and is used while it holds."""
        ...


def with_derivatives(potential: Potential, step: float = 1e-4) -> SmoothPotential:
    """The potential itself where it has second derivatives, else with finite differences of its forces for them.

    Parameters
    ----------
    potential
        Any potential.
    step
        How far an atom moves, and how large a strain is, for a difference; Å and 1.

    Examples
    --------
    >>> from mechlearn.interactions import Zbl, read_eam
    >>> type(with_derivatives(Zbl(("W",)))).__name__
    'FiniteDifferences'
    >>> type(with_derivatives(read_eam("W_zhou.eam.alloy"))).__name__
    'EamPotential'
    """
    if isinstance(potential, SmoothPotential):
        return potential
    return FiniteDifferences(potential, step)


@dataclass(frozen=True)
class FiniteDifferences:
    """A potential without second derivatives of its own, with central differences of its forces for them.

    Their error is of second order in the step; single precision asks for a longer one (1e-2).

    Attributes
    ----------
    potential : Potential
        Any.
    step : float
        How far an atom moves, and how large a strain is, for a difference; Å and 1.
    """

    potential: Potential
    step: float = 1e-4

    def __post_init__(self) -> None:
        if not (np.isfinite(self.step) and self.step > 0):
            raise InputError(f"finite differences: the step is {self.step}; give a positive number such as 1e-4")

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows; empty where it takes any."""
        return self.potential.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces and stresses of every structure."""
        return self.potential.evaluate(batch)

    def at(self, structure: StructureBatch, kept: Any = None) -> FiniteDifferencePoint:
        """The potential at one structure; it keeps nothing."""
        return FiniteDifferencePoint(one_structure(structure), self.potential, self.step)


@dataclass(frozen=True, eq=False)
class FiniteDifferencePoint:
    """Any potential at one structure, second derivatives by central differences (see :class:`SmoothPoint`)."""

    structure: StructureBatch
    potential: Potential
    step: float
    kept: None = None

    @cached_property
    def _evaluation(self) -> Evaluation:
        return self.potential.evaluate(self.structure)

    @property
    def energy(self) -> float:
        """eV."""
        return float(self._evaluation.energies[0])

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """eV/Å."""
        return self._evaluation.forces

    @property
    def stress(self) -> Float[np.ndarray, " 6"]:
        """Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive."""
        return self._evaluation.stresses[0]

    def hessian(self) -> Hessian:
        """H = ∂²E/∂x∂x by six evaluations an atom, made symmetric."""
        atoms = self.structure.atoms
        moves = (_unit(atoms, place) for place in range(3 * atoms))
        columns = [change.ravel() for change in self._changes(moves)]
        matrix = np.array(columns)
        matrix = 0.5 * (matrix + matrix.T)
        return Hessian(sparse.bsr_array(matrix, blocksize=(3, 3)), None, np.zeros(atoms))

    def hessian_product(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """H·v by two evaluations, the furthest atom moved by the step."""
        furthest = float(np.sqrt(np.square(displacements).sum(axis=1).max()))
        if furthest == 0.0:
            return np.zeros_like(displacements)
        return next(self._changes(iter([displacements / furthest]))) * furthest

    def nonaffine_forces(
        self, gradients: Float[np.ndarray, "strains 3 3"] = VOIGT_STRAINS
    ) -> Float[np.ndarray, "atoms 3 strains"]:
        """Ξ = −∂f/∂ε by two evaluations a strain."""
        results = []
        for gradient in gradients:
            ahead, behind = self._strained_pair(gradient)
            results.append((behind.forces - ahead.forces) / (2.0 * self.step))
        return np.stack(results, axis=2)

    def born_stiffness(self) -> Float[np.ndarray, "6 6"]:
        """∂S/∂η, with S = J F⁻¹ σ F⁻ᵀ (second Piola–Kirchhoff), by two evaluations a strain, made symmetric."""
        columns = []
        for strain in VOIGT_STRAINS:
            stresses = [
                _piola_kirchhoff(evaluation.stresses[0], np.eye(3) + sign * self.step * strain)
                for sign, evaluation in zip((1.0, -1.0), self._strained_pair(strain), strict=True)
            ]
            columns.append((stresses[0] - stresses[1]) / (2.0 * self.step))
        matrix = np.array(columns)
        return 0.5 * (matrix + matrix.T)

    def _strained_pair(self, gradient: Float[np.ndarray, "3 3"]) -> tuple[Evaluation, Evaluation]:
        ahead, behind = (
            self.potential.evaluate(deformed(self.structure, np.eye(3) + sign * self.step * gradient))
            for sign in (1.0, -1.0)
        )
        return ahead, behind

    def _changes(self, moves: Iterator[Float[np.ndarray, "atoms 3"]]) -> Iterator[Float[np.ndarray, "atoms 3"]]:
        """−∂f along each of the moves, a chunk of structures an evaluation."""
        while chunk := list(islice(moves, _CHUNK)):
            shifted = [
                replace(self.structure, positions=self.structure.positions + sign * self.step * move)
                for move in chunk
                for sign in (1.0, -1.0)
            ]
            forces = self.potential.evaluate(StructureBatch.concatenate(shifted)).forces
            pairs = forces.reshape(len(chunk), 2, self.structure.atoms, 3)
            yield from (pairs[:, 1] - pairs[:, 0]) / (2.0 * self.step)


def one_structure(batch: StructureBatch) -> StructureBatch:
    """The batch, if it is of one structure.

    Raises
    ------
    InputError
        It is not.
    """
    if len(batch) != 1:
        raise InputError(
            f"second derivatives: given a batch of {len(batch)} structures; give one, such as batch.select([0])"
        )
    return batch


def deformed(structure: StructureBatch, gradient: Float[np.ndarray, "3 3"]) -> StructureBatch:
    """The structures with r → F r for all atoms and cell vectors, F the deformation gradient."""
    return replace(structure, positions=structure.positions @ gradient.T, cells=structure.cells @ gradient.T)


def _unit(atoms: int, place: int) -> Float[np.ndarray, "atoms 3"]:
    """One atom moved along one axis."""
    move = np.zeros(3 * atoms)
    move[place] = 1.0
    return move.reshape(atoms, 3)


def _piola_kirchhoff(stress: Float[np.ndarray, " 6"], gradient: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    """J F⁻¹ σ F⁻ᵀ of Cauchy's stress, both in Voigt's order."""
    xx, yy, zz, yz, xz, xy = stress
    inverse = np.linalg.inv(gradient)
    tensor = inverse @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ inverse.T * np.linalg.det(gradient)
    return tensor[_VOIGT]
