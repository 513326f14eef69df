"""Pair and embedded-atom potentials at work: batches, and one structure with all that second derivatives give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from mechlearn.interactions.checks import check_geometry, species_indices
from mechlearn.interactions.pair_functions import PairFunctions
from mechlearn.interactions.pair_list import PairList, pair_list
from mechlearn.interactions.potential import Evaluation
from mechlearn.interactions.smooth import VOIGT_STRAINS, Hessian, one_structure
from mechlearn.structures import StructureBatch


@dataclass(frozen=True, eq=False)
class _Sums:
    """What one pass over all pairs gives."""

    forces: Float[np.ndarray, "atoms 3"]
    atomic_energies: Float[np.ndarray, " atoms"]
    virials: Float[np.ndarray, "structures 6"]
    curvatures: Float[np.ndarray, " atoms"]
    rows: Float[np.ndarray, " eight_rows"]


@dataclass(frozen=True, eq=False)
class PairSystem:
    """Pair functions with the elements they are for.

    Attributes
    ----------
    functions : PairFunctions
        Of pairs and densities.
    elements : tuple of str
        Chemical symbols, in the order of the functions.
    name : str
        How messages call the potential.
    """

    functions: PairFunctions
    elements: tuple[str, ...]
    name: str

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies of every structure."""
        kinds = self.kinds(batch)
        sums = self.sums(batch, kinds, pair_list(batch, kinds, self.functions.cutoff))
        return Evaluation(
            energies=_sums_of(sums.atomic_energies, batch),
            forces=sums.forces,
            stresses=sums.virials / batch.volumes[:, None],
            atomic_energies=sums.atomic_energies,
        )

    def at(self, structure: StructureBatch, kept: PairList | None, skin: float) -> PairPoint:
        """The potential at one structure, with the pairs of an earlier step where these hold."""
        kinds = self.kinds(one_structure(structure))
        if kept is None or not kept.holds(structure, self.functions.cutoff):
            kept = pair_list(structure, kinds, self.functions.cutoff + skin)
        sums = self.sums(structure, kinds, kept)
        return PairPoint(
            structure=structure,
            functions=self.functions,
            kept=kept,
            energy=float(sums.atomic_energies.sum()),
            forces=sums.forces,
            stress=sums.virials[0] / structure.volumes[0],
            atomic_energies=sums.atomic_energies,
            _sums=sums,
        )

    def kinds(self, batch: StructureBatch) -> Int[np.ndarray, " atoms"]:
        """The place of every atom's element, all of the batch checked."""
        check_geometry(batch, self.name)
        return species_indices(batch, self.elements, self.name)

    def sums(self, batch: StructureBatch, kinds: Int[np.ndarray, " atoms"], pairs: PairList) -> _Sums:
        """One pass over all pairs."""
        from mechlearn.interactions.pair_energy_kernels import evaluate_lists

        return _Sums(
            *evaluate_lists(
                pairs.lists,
                self.functions,
                batch.positions,
                batch.cells,
                batch.offsets,
                batch.structure_of_atom,
                kinds,
            )
        )


@dataclass(frozen=True, eq=False)
class PairPoint:
    """A pair or embedded-atom potential at one structure.

    Attributes
    ----------
    structure : StructureBatch
        A batch of one.
    functions : PairFunctions
        Of the potential.
    kept : PairList
        The pairs, for the next step.
    energy : float
        eV.
    forces : (atoms, 3)
        eV/Å.
    stress : (6,)
        Voigt order xx, yy, zz, yz, xz, xy, eV/Å³, tension positive.
    atomic_energies : (atoms,)
        F_i and half of the energy of each pair, eV.
    """

    structure: StructureBatch
    functions: PairFunctions
    kept: PairList
    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, " 6"]
    atomic_energies: Float[np.ndarray, " atoms"]
    _sums: _Sums

    # ------------------------------------------------------------------ tensors of atoms

    @property
    def atomic_stresses(self) -> Float[np.ndarray, "atoms 6"]:
        """Stress times volume of every atom, ½ Σ_j ψ'/r (r ⊗ r), eV, Voigt order, tension positive.

        Each pair gives half to either atom, as in LAMMPS's ``compute stress/atom … virial``, whose sign and meaning
        it has (its unit is bar Å³).  The sum over atoms is the stress times the volume of the cell.
        """
        return self._tensors[0]

    @property
    def atomic_stiffnesses(self) -> Float[np.ndarray, "atoms 6 6"]:
        """Born stiffness times volume of every atom, eV: ½ Σ_j (ψ'' − ψ'/r)/r² (r⊗r)⊗(r⊗r) + F'' (Σ_j f'/r r⊗r)².

        Derivatives by Green's strain, Voigt order with engineering shears, halves as for stresses; the sum over atoms
        is :meth:`born_stiffness` times the volume of the cell.
        """
        return self._tensors[1]

    def born_stiffness(self) -> Float[np.ndarray, "6 6"]:
        """∂²E/∂η∂η over the volume, η Green's strain, atoms carried along with the cell, eV/Å³."""
        return self.atomic_stiffnesses.sum(axis=0) / self.structure.volumes[0]

    # ------------------------------------------------------------------ second derivatives

    def hessian_product(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
        """H·v without the matrix, eV/Å² times the unit of v, in about the time of the forces."""
        return self._change(displacements, np.zeros((3, 3)))

    def nonaffine_forces(
        self, gradients: Float[np.ndarray, "strains 3 3"] = VOIGT_STRAINS
    ) -> Float[np.ndarray, "atoms 3 strains"]:
        """Ξ = −∂f/∂ε, atoms carried along with the cell, eV/Å.

        Parameters
        ----------
        gradients
            Velocity gradients L, r → (1 + ε L) r; by default the six strains of Voigt's order, engineering shears.
        """
        rest = np.zeros_like(self.structure.positions)
        return np.stack([self._change(rest, gradient) for gradient in gradients], axis=2)

    def hessian(self) -> Hessian:
        """H = ∂²E/∂x∂x, what couples neighbours and what couples the neighbours of an atom apart."""
        from mechlearn.interactions.pair_tensor_kernels import local_hessian, pairs_of_atoms

        pairs = np.empty_like(self._blocks)
        both_ways = pairs_of_atoms(self.kept.lists, self._blocks, pairs)
        atoms = self.structure.atoms
        most = len(both_ways[1]) + atoms
        columns, matrices, gradients = np.zeros(most, dtype=np.int32), np.zeros(9 * most), np.zeros(3 * most)
        starts = local_hessian(pairs, *both_ways, columns, matrices, gradients)
        count = int(starts[-1])
        columns, matrices, gradients = columns[:count], matrices[: 9 * count], gradients[: 3 * count]
        local = sparse.bsr_array((matrices.reshape(-1, 3, 3), columns, starts), shape=(3 * atoms, 3 * atoms))
        densities = None
        if self._embedded:
            densities = sparse.bsr_array((gradients.reshape(-1, 1, 3), columns, starts), shape=(atoms, 3 * atoms))
        return Hessian(local, densities, self._sums.curvatures)

    def _change(
        self, displacements: Float[np.ndarray, "atoms 3"], gradient: Float[np.ndarray, "3 3"]
    ) -> Float[np.ndarray, "atoms 3"]:
        from mechlearn.interactions.pair_derivative_kernels import change_of_forces

        moves, gradient = (np.ascontiguousarray(array, dtype=np.float64) for array in (displacements, gradient))
        return change_of_forces(self.kept.lists, self._blocks, self._sums.curvatures, moves, gradient, self._embedded)

    @property
    def _embedded(self) -> bool:
        return len(self.functions.closed) == 0

    @cached_property
    def _blocks(self) -> Float[np.ndarray, " numbers"]:
        """First and second derivatives of all pairs, as the kernels keep them."""
        from mechlearn.interactions.pair_derivative_kernels import PAIR_NUMBERS, pair_derivatives

        blocks = np.zeros(PAIR_NUMBERS * len(self.kept.lists.neighbours))
        pair_derivatives(self.kept.lists, self.functions, self._sums.rows, blocks)
        return blocks

    @cached_property
    def _tensors(self) -> tuple[Float[np.ndarray, "atoms 6"], Float[np.ndarray, "atoms 6 6"]]:
        from mechlearn.interactions.pair_tensor_kernels import atomic_tensors

        return atomic_tensors(self.kept.lists, self._blocks, self._sums.curvatures)


def _sums_of(values: Float[np.ndarray, " atoms"], batch: StructureBatch) -> Float[np.ndarray, " structures"]:
    """The sum of the values of each structure's atoms."""
    return np.bincount(batch.structure_of_atom, values, len(batch)).astype(np.float64, copy=False)
