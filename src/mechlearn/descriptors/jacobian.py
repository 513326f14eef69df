"""All derivatives of a batch's descriptors, stored, for many products with the same positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mechlearn.descriptors.descriptor import Pullback, check_shape
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import NeighbourPairs

#: How messages begin.
_DOING = "using stored derivatives"


@dataclass(frozen=True, eq=False)
class DescriptorJacobian:
    """B of a batch with every ∂B_i/∂r_k stored, one block a pair of neighbours.

    Attributes
    ----------
    values : (atoms, features)
        B.
    derivatives : (pairs, 3, features)
        ∂B_i/∂r_k of the pair (i, k); by translation invariance ∂B_i/∂r_i is minus their sum.
    """

    batch: StructureBatch
    pairs: NeighbourPairs
    values: Float[np.ndarray, "atoms features"]
    derivatives: Float[np.ndarray, "pairs 3 features"]

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        return self.derivatives.nbytes + self.pairs.vectors.nbytes + self.pairs.second.nbytes

    def pullback(self, gradient: Float[np.ndarray, "atoms features"]) -> Pullback:
        """Forces and virials of an energy whose gradient ∂E/∂B is ``gradient``."""
        from mechlearn.descriptors.bispectrum_drivers_kernels import forces_from_pairs
        from mechlearn.descriptors.jacobian_kernels import contract_jacobian

        check_shape(_DOING, "gradient", gradient, self.values.shape)
        pairs, batch = self.pairs, self.batch
        pair_gradient = np.empty((len(pairs.second), 3))
        contract_jacobian(pairs.starts, self._flat, _double(gradient), pair_gradient)
        forces, virials = np.zeros((batch.atoms, 3)), np.zeros((len(batch), 3, 3))
        forces_from_pairs(
            pairs.starts, pairs.second, pairs.vectors, batch.structure_of_atom, pair_gradient, forces, virials
        )
        return Pullback(forces, virials)

    def pushforward(self, displacements: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms features"]:
        """Σ_k ∂B_i/∂r_k · d_k of every atom."""
        from mechlearn.descriptors.jacobian_kernels import push_jacobian

        check_shape(_DOING, "displacements", displacements, (self.batch.atoms, 3))
        out = np.empty(self.values.shape)
        pairs = self.pairs
        push_jacobian(0, self.batch.atoms, pairs.starts, pairs.second, self._flat, _double(displacements), out)
        return out

    def force_misfit(
        self,
        gradient: Float[np.ndarray, "atoms features"],
        forces: Float[np.ndarray, "atoms 3"],
        weights: Float[np.ndarray, " atoms"],
        with_slope: bool = True,
    ) -> tuple[float, Float[np.ndarray, "atoms features"] | None]:
        """How far the forces f of an energy are from given ones F: Σ_k w_k |f_k - F_k|², and its slope by ∂E/∂B.

        Both in one pass through the derivatives, which is what a step of training costs.

        Parameters
        ----------
        gradient
            ∂E/∂B.
        forces, weights
            F and w.
        with_slope
            Whether the slope is asked for; it takes half the time.
        """
        from mechlearn.descriptors.jacobian_kernels import force_misfit

        check_shape(_DOING, "gradient", gradient, self.values.shape)
        check_shape(_DOING, "forces", forces, (self.batch.atoms, 3))
        pairs = self.pairs
        slope = np.empty(self.values.shape if with_slope else (0, self.values.shape[1]))
        misfit = force_misfit(
            self.batch.offsets,
            pairs.starts,
            pairs.second,
            self._flat,
            _double(gradient),
            _double(forces),
            _double(weights),
            with_slope,
            slope,
        )
        return misfit, slope if with_slope else None

    @property
    def _flat(self) -> Float[np.ndarray, " numbers"]:
        return self.derivatives.reshape(-1)


def _double(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float64)
