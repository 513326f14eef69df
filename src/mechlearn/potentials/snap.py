"""SNAP: an energy linear, or quadratic, in the bispectrum of each atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mechlearn.descriptors import Bispectrum
from mechlearn.errors import InputError
from mechlearn.interactions import Evaluation
from mechlearn.interactions.zbl import Zbl
from mechlearn.structures import StructureBatch


def column_count(features: int, quadratic: bool) -> int:
    """How many coefficients an element has: 1 + D, and D(D + 1)/2 more for quadratic SNAP.

    Examples
    --------
    >>> column_count(30, quadratic=False), column_count(30, quadratic=True)
    (31, 496)
    """
    return 1 + features + (features * (features + 1) // 2 if quadratic else 0)


@dataclass(frozen=True, eq=False)
class SnapPotential:
    """E_i = β0 + β·B_i, and ½ B_iᵀ α B_i more for quadratic SNAP, with β0, β and α of the atom's element.

    Attributes
    ----------
    descriptor : Bispectrum
        B.
    coefficients : (elements, columns)
        β0, β, then (quadratic) α's upper triangle row by row, as LAMMPS's ``.snapcoeff`` has them, eV.
    quadratic : bool
        Whether α is there.
    reference : Zbl or None
        A pair potential that is added (strong repulsion at short distance).

    Raises
    ------
    InputError
        If the coefficients do not fit the descriptor.

    Notes
    -----
    Source: Thompson et al., J. Comput. Phys. 285, 316 (2015); Wood & Thompson, J. Chem. Phys. 148, 241721 (2018);
    Montes de Oca Zapiain et al. (2022), Eq. 3.
    """

    descriptor: Bispectrum
    coefficients: Float[np.ndarray, "elements columns"]
    quadratic: bool = False
    reference: Zbl | None = None

    def __post_init__(self) -> None:
        expected = (len(self.descriptor.elements), column_count(self.descriptor.features, self.quadratic))
        if self.coefficients.shape != expected:
            raise InputError(
                f"setting up SNAP: the coefficients have shape {self.coefficients.shape}; {expected} fits "
                f"{len(self.descriptor.elements)} elements at twojmax {self.descriptor.twojmax}"
            )

    @property
    def elements(self) -> tuple[str, ...]:
        """The chemical symbols it knows."""
        return self.descriptor.elements

    @property
    def parameters(self) -> int:
        """How many numbers were fitted, the constants left out (the paper's N_DoF)."""
        return self.coefficients.shape[0] * (self.coefficients.shape[1] - 1)

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies."""
        prepared = self.descriptor.prepare(batch)
        if self.quadratic:
            atomic, gradient = self.atomic_energies(prepared.compute(), prepared.elements)
            pulled = prepared.pullback(gradient)
        else:
            # The gradient is known beforehand, so that one pass gives the energy along with the forces.
            constant, beta = self.coefficients[prepared.elements, 0], self.coefficients[prepared.elements, 1:]
            atomic, pulled = prepared.contract(beta)
            atomic += constant
        energies = np.add.reduceat(atomic, batch.offsets[:-1]) if len(batch) else np.zeros(0)
        evaluation = Evaluation(energies, pulled.forces, pulled.stresses(batch.volumes), atomic)
        if self.reference is None:
            return evaluation
        added = self.reference.evaluate(batch)
        return Evaluation(
            evaluation.energies + added.energies,
            evaluation.forces + added.forces,
            evaluation.stresses + added.stresses,
            None if added.atomic_energies is None else atomic + added.atomic_energies,
        )

    def atomic_energies(
        self, values: Float[np.ndarray, "atoms features"], element: Int[np.ndarray, " atoms"]
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms features"]]:
        """E_i and ∂E_i/∂B_i = β + α B_i, from the descriptors' values and the index of each atom's element."""
        features = values.shape[1]
        beta = self.coefficients[element, 1 : 1 + features]
        energies = self.coefficients[element, 0] + (beta * values).sum(axis=1)
        gradient = beta
        if self.quadratic:
            for index in range(len(self.elements)):
                mine = element == index
                turned = values[mine] @ self._alpha(index)
                energies[mine] += 0.5 * (turned * values[mine]).sum(axis=1)
                gradient[mine] += turned
        return energies, gradient

    def _alpha(self, index: int) -> Float[np.ndarray, "features features"]:
        """The symmetric matrix α of one element."""
        features = self.descriptor.features
        upper = np.zeros((features, features))
        upper[np.triu_indices(features)] = self.coefficients[index, 1 + features :]
        return upper + np.triu(upper, 1).T
