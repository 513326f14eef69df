"""Elastic constants, the non-affine displacements of the atoms that they depend on, and the softening of modes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, cg

from mechlearn.errors import WorkError
from mechlearn.interactions.smooth import VOIGT_STRAINS, SmoothPoint, SmoothPotential, deformed

#: By this much the softening of a mode is measured ahead and behind; the strain of the difference.
_STRAIN_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class ElasticConstants:
    """∂²E/∂η∂η over the volume, in Voigt's order with engineering shears, eV/Å³.

    η is Green's strain: the constants have all symmetries at any stress.  Those that say how the stress itself changes
    are :meth:`of_stress`; where the stress is zero they are the same.

    Attributes
    ----------
    born : (6, 6)
        Atoms carried along with the cell.
    nonaffine : (6, 6)
        −Ξᵀ H⁻¹ Ξ over the volume: what the relaxation of the atoms adds, never stiffer.
    stress : (6,)
        At which they hold, tension positive, eV/Å³.
    """

    born: Float[np.ndarray, "6 6"]
    nonaffine: Float[np.ndarray, "6 6"]
    stress: Float[np.ndarray, " 6"]

    @property
    def total(self) -> Float[np.ndarray, "6 6"]:
        """Born's and the non-affine part together."""
        return self.born + self.nonaffine

    def of_stress(self) -> Float[np.ndarray, "6 6"]:
        """dσ/dε, the change of Cauchy's stress with a strain without rotation.

        B_ijkl = C_ijkl + ½ (δ_ik σ_jl + δ_jk σ_il + δ_il σ_jk + δ_jl σ_ik) − σ_ij δ_kl (Barron and Klein,
        Proceedings of the Physical Society 85, 523, 1965); not symmetric unless the stress is a pressure.
        """
        xx, yy, zz, yz, xz, xy = self.stress
        stress, unit = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]), np.eye(3)
        change = 0.5 * (
            np.einsum("ik,jl->ijkl", unit, stress)
            + np.einsum("jk,il->ijkl", unit, stress)
            + np.einsum("il,jk->ijkl", unit, stress)
            + np.einsum("jl,ik->ijkl", unit, stress)
        ) - np.einsum("ij,kl->ijkl", stress, unit)
        first, second = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
        return self.total + change[first[:, None], second[:, None], first, second]


def elastic_constants(point: SmoothPoint, tolerance: float = 1e-8) -> ElasticConstants:
    """The elastic constants of a structure at a minimum of its energy.

    Parameters
    ----------
    point
        A potential at the structure, all forces zero.
    tolerance
        Of the residual |Ξ − H u| over |Ξ|.

    Raises
    ------
    WorkError
        The structure is not at a minimum of its energy, or the iteration does not converge.

    References
    ----------
    Lutsko, Journal of Applied Physics 65, 2991 (1989); Lemaître and Maloney, Journal of Statistical Physics 123, 415
    (2006).

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> from mechlearn.structures import StructureBatch
    >>> from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM
    >>> crystal = StructureBatch.from_atoms([bulk("W", a=3.1652)])
    >>> constants = elastic_constants(read_eam("W_zhou.eam.alloy").at(crystal))
    >>> (constants.total[(0, 0, 3), (0, 1, 3)] * GPA_PER_EV_PER_CUBIC_ANGSTROM).round().tolist()
    [522.0, 204.0, 160.0]
    """
    forces = point.nonaffine_forces()
    displacements = nonaffine_displacements(point, tolerance=tolerance)
    volume = float(point.structure.volumes[0])
    correction = np.einsum("ixa,ixb->ab", forces, displacements) / volume
    return ElasticConstants(point.born_stiffness(), 0.5 * (correction + correction.T), point.stress)


def nonaffine_displacements(
    point: SmoothPoint,
    gradients: Float[np.ndarray, "strains 3 3"] = VOIGT_STRAINS,
    tolerance: float = 1e-8,
    inverses: Float[np.ndarray, "atoms 3 3"] | None = None,
) -> Float[np.ndarray, "atoms 3 strains"]:
    """u = −H⁻¹ Ξ: how the atoms of a structure at rest move beside the strain, Å for a strain of 1.

    Solved by conjugate gradients, preconditioned by the 3 × 3 blocks of the atoms, with the three translations
    projected out; the cost of an iteration is linear in the number of atoms.

    Parameters
    ----------
    point
        A potential at a structure at a minimum of its energy.
    gradients
        Velocity gradients; by default the six strains of Voigt's order.
    tolerance
        Of the residual |Ξ + H u| over |Ξ|.
    inverses
        The preconditioner, positive; by default the inverses of the blocks, which take the whole Hessian.

    Raises
    ------
    WorkError
        The structure is not at a minimum of its energy, or the iteration does not converge.
    """
    forces = point.nonaffine_forces(gradients)
    inverses = _inverted(point.hessian().diagonal_blocks()) if inverses is None else inverses
    results = [_solved(point, -forces[:, :, column], inverses, tolerance) for column in range(len(gradients))]
    return np.stack(results, axis=2)


def _solved(
    point: SmoothPoint,
    right: Float[np.ndarray, "atoms 3"],
    inverses: Float[np.ndarray, "atoms 3 3"],
    tolerance: float,
) -> Float[np.ndarray, "atoms 3"]:
    """H⁻¹ f without translations."""
    right = right - right.mean(axis=0)
    size, shape = right.size, right.shape
    # Where symmetry forbids a force (in many crystals) what is left is rounding.
    if np.abs(right).max() <= 1e-12 / np.abs(inverses).max():
        return np.zeros(shape)

    def product(vector: Any) -> Any:
        change = point.hessian_product(_without_translation(vector.reshape(shape)))
        if np.vdot(vector, change) < 0.0:
            raise WorkError(
                "solving for the non-affine displacements: the energy falls along some displacement; "
                "the structure is not at a minimum: minimise it first"
            )
        return _without_translation(change).ravel()

    def precondition(vector: Any) -> Any:
        step = np.einsum("iab,ib->ia", inverses, _without_translation(vector.reshape(shape)))
        return _without_translation(step).ravel()

    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    preconditioner = LinearOperator((size, size), matvec=precondition, dtype=np.float64)
    limit = 20 * size + 1000
    solution, failed = cg(operator, right.ravel(), rtol=tolerance, maxiter=limit, M=preconditioner)
    if failed:
        raise WorkError(
            f"solving for the non-affine displacements: no convergence to {tolerance:g} in {limit} iterations; "
            "is the structure at a minimum of its energy?"
        )
    return _without_translation(solution.reshape(shape))


def _without_translation(vectors: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    return vectors - vectors.mean(axis=0)


def _inverted(blocks: Float[np.ndarray, "atoms 3 3"]) -> Float[np.ndarray, "atoms 3 3"]:
    """The inverse of every block, made positive where a block is not: an atom in a cage that is about to open."""
    values, vectors = np.linalg.eigh(0.5 * (blocks + blocks.transpose(0, 2, 1)))
    largest = np.abs(values).max() or 1.0
    values = np.maximum(np.abs(values), 1e-3 * largest)
    return np.einsum("iab,ib,icb->iac", vectors, 1.0 / values, vectors)


def softening(
    potential: SmoothPotential,
    point: SmoothPoint,
    mode: Float[np.ndarray, "atoms 3"],
    gradient: Float[np.ndarray, "3 3"],
    displacement: Float[np.ndarray, "atoms 3"] | None = None,
) -> float:
    """vᵀ (dH/dγ) v of one mode (see :func:`softenings`), eV/Å² times the squares of v.

    Parameters
    ----------
    potential
        With second derivatives.
    point
        The potential at the structure.
    mode
        v.
    gradient
        L.
    displacement
        u; by default the non-affine displacements for L.

    Raises
    ------
    WorkError
        As :func:`nonaffine_displacements`.
    """
    return float(softenings(potential, point, mode[None], gradient, displacement)[0])


def softenings(
    potential: SmoothPotential,
    point: SmoothPoint,
    modes: Float[np.ndarray, "modes atoms 3"],
    gradient: Float[np.ndarray, "3 3"],
    displacement: Float[np.ndarray, "atoms 3"] | None = None,
) -> Float[np.ndarray, " modes"]:
    """vᵀ (dH/dγ) v: how the stiffness of each mode changes as the structure is loaded, eV/Å² times the squares of v.

    Below zero the loading softens the mode, and −γ stiffens it: this tells the two senses of a loading apart, whose
    non-affine displacements differ in sign alone.  Along the loading all atoms follow the cell, r → (1 + γ L) r, and
    move by γ u beside it.  The structures ahead and behind are made once for all modes.

    Parameters
    ----------
    potential
        With second derivatives.
    point
        The potential at the structure.
    modes
        The v.
    gradient
        L.
    displacement
        u; by default the non-affine displacements for L.

    Returns
    -------
    (modes,)
        One number a mode.

    Raises
    ------
    WorkError
        As :func:`nonaffine_displacements`.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.interactions import read_eam
    >>> from mechlearn.structures import StructureBatch
    >>> crystal = StructureBatch.from_atoms([bulk("W", a=3.1652, cubic=True)])
    >>> potential, apart = read_eam("W_zhou.eam.alloy"), np.array([np.eye(3), -np.eye(3)]).transpose(1, 0, 2)
    >>> swelling = softenings(potential, potential.at(crystal), apart, np.eye(3))
    >>> bool((swelling < 0.0).all() and np.ptp(swelling) < 1e-6)  # the three optical modes soften alike
    True
    """
    if displacement is None:
        displacement = nonaffine_displacements(point, gradient[None])[:, :, 0]
    curvatures = []
    for sign in (1.0, -1.0):
        step = sign * _STRAIN_STEP
        moved = replace(point.structure, positions=point.structure.positions + step * displacement)
        # u is measured in the unstrained frame; that it is strained too is of second order.
        there = potential.at(deformed(moved, np.eye(3) + step * gradient), point.kept)
        curvatures.append(np.array([np.vdot(mode, there.hessian_product(mode)) for mode in modes], dtype=np.float64))
    return (curvatures[0] - curvatures[1]) / (2.0 * _STRAIN_STEP)
