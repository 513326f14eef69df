"""The effective potential whose low-energy structures are diverse (or ordered) by construction.

    V = V_repulsive - K·S({D})                                                       (Eq. 1)
    S = (1/N) Σ_i ln(N · min_{j≠i} ‖D_i - D_j‖)        nearest-neighbour estimator of the entropy

Source: Montes de Oca Zapiain et al. (2022), Eq. 1; Karabin & Perez, J. Chem. Phys. 153, 094110 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mechlearn.descriptors import Bispectrum
from mechlearn.interactions import Evaluation
from mechlearn.sampling.relaxation import ForceField, Positions
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import check_cells


@dataclass(frozen=True, eq=False)
class RepulsiveCore:
    """V = Σ_pairs ε (1 - r/r_core)³ for r < r_core: smooth, short, finite.

    Attributes
    ----------
    radii : (structures,)
        r_core in each structure, Å.
    strength : float
        ε, eV.
    """

    radii: Float[np.ndarray, " structures"]
    strength: float = 300.0


@dataclass(frozen=True, eq=False)
class EntropyPotential:
    """V = V_repulsive - κ N S of every structure of a batch.

    K of Eq. 1 is κ N here, so that the force on an atom does not fade as structures grow.

    Attributes
    ----------
    descriptor : Bispectrum
        D; the paper takes the five components of 2J = 2.
    scale : (features,)
        The spread of each component over a fixed reference ensemble.  D is divided by it, so that every component
        counts alike; it is the same for all structures, so that none is diverse by its own measure.
    core : RepulsiveCore
        V_repulsive.
    weights : (structures,)
        κ of each structure, eV: positive maximises its entropy, negative minimises it, zero leaves the core alone.
    floor : float
        Two atoms with equal descriptors would make ln 0: d is taken as √(d² + floor²), in units of the scale.
    """

    descriptor: Bispectrum
    scale: Float[np.ndarray, " features"]
    core: RepulsiveCore
    weights: Float[np.ndarray, " structures"]
    floor: float = 0.02

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows."""
        return self.descriptor.elements

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """V, its forces and its stress."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs
        from mechlearn.sampling.entropy_kernels import core_repulsion

        prepared = self.descriptor.prepare(batch)
        pairs = prepared.pairs
        energies, forces, virials = np.zeros(len(batch)), np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3))
        owner = batch.structure_of_atom
        pair_gradient = np.empty((len(pairs.second), 3))
        core_repulsion(
            pairs.starts, pairs.distances, pairs.vectors, owner, self.core.strength, self.core.radii,
            energies, pair_gradient,
        )  # fmt: skip
        forces_from_pairs(pairs.starts, pairs.second, pairs.vectors, owner, pair_gradient, forces, virials)
        if np.any(self.weights):
            entropies, gradient = self.entropy(prepared.compute(), batch)
            energies -= self.weights * batch.sizes * entropies
            pulled = prepared.pullback(-self.weights[owner, None] * gradient)
            forces += pulled.forces
            virials += pulled.virials
        symmetric = virials[:, [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        return Evaluation(energies, forces, -symmetric / batch.volumes[:, None])

    def forces_along(self, batch: StructureBatch) -> ForceField:
        """What gives the forces on the atoms of a batch wherever they move; cells and elements stay as they are.

        The forces are those of :meth:`evaluate` to the last digits.  Where the closed form of 2J = 2 holds
        (:func:`has_closed_form`) they take a tenth of the time.
        """
        within = bool(batch.periodic.all() and (self.core.radii < self.descriptor.reach).all())
        if within and has_closed_form(self.descriptor):
            return _ClosedForm(self, batch)
        return lambda positions: self.evaluate(replace(batch, positions=positions)).forces

    def entropy(
        self, values: Float[np.ndarray, "atoms features"], batch: StructureBatch
    ) -> tuple[Float[np.ndarray, " structures"], Float[np.ndarray, "atoms features"]]:
        """S of each structure and N ∂S/∂D of each atom, from the descriptors' values."""
        from mechlearn.sampling.entropy_kernels import nearest_neighbour_entropy

        entropies, gradient = np.zeros(len(batch)), np.zeros_like(values)
        nearest_neighbour_entropy(values / self.scale, batch.offsets, self.floor, entropies, gradient)
        return entropies, gradient / self.scale


def has_closed_form(descriptor: Bispectrum) -> bool:
    """Whether the components are the five of 2J = 2, of neighbours that count alike and fade out from r = 0 on.

    Examples
    --------
    >>> has_closed_form(Bispectrum(twojmax=2)), has_closed_form(Bispectrum(twojmax=4))
    (True, False)
    """
    radii, weights = set(descriptor.element_radii or ()), set(descriptor.element_weights or ())
    return (
        descriptor.twojmax == 2
        and descriptor.rmin0 == 0.0
        and descriptor.switch
        and len(radii) == 1
        and weights == {1.0}
    )


@dataclass(frozen=True, eq=False)
class _ClosedForm:
    """The forces of an entropy potential at 2J = 2 on periodic structures whose atoms move."""

    potential: EntropyPotential
    batch: StructureBatch

    def __post_init__(self) -> None:
        check_cells(self.batch)
        self.potential.descriptor.element_indices(self.batch)

    def __call__(self, positions: Positions) -> Positions:
        from mechlearn.sampling.path_kernels import entropy_forces

        potential, forces = self.potential, np.empty_like(positions)
        entropy_forces(
            positions, self.batch.cells, self._inverses, self.batch.offsets, self._cutoffs, self._most_images,
            potential.descriptor.rfac0, potential.weights, potential.scale, potential.floor,
            potential.core.strength, potential.core.radii, forces,
        )  # fmt: skip
        return forces

    @cached_property
    def _inverses(self) -> Float[np.ndarray, "structures 3 3"]:
        return np.linalg.inv(self.batch.cells)

    @cached_property
    def _cutoffs(self) -> Float[np.ndarray, " structures"]:
        """How far an atom sees: where its structure has no entropy to change, only the core matters."""
        return np.where(self.potential.weights == 0.0, self.potential.core.radii, self.potential.descriptor.reach)

    @cached_property
    def _most_images(self) -> int:
        """No atom has more than 1 + ⌊1 + 2·reach⌋ images within reach of the cell along an axis."""
        reach = self._cutoffs[:, None] * np.linalg.norm(self._inverses, axis=1)
        return int((self.batch.sizes * np.prod(2 + np.floor(1 + 2 * reach), axis=1)).max())
