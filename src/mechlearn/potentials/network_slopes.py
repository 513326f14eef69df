"""The energies of a perceptron, their gradients by its inputs, and the slopes of a loss of both by its parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class PerceptronPass:
    """A perceptron applied to some atoms, with what it takes to go back through it twice.

    Automatic differentiation does the same; for networks this small it is bookkeeping in the main.

    Attributes
    ----------
    parameters : (parameters,)
        W_1, b_1, W_2, … one after the other, each W (outputs, inputs).
    widths : (layers + 1,)
        Nodes of every layer, from the inputs to the 1 output.
    energies : (atoms,)
        The output E, SoftPlus between the layers.
    gradients : (atoms, features)
        ∂E/∂x, x the inputs.
    trail
        The layers, the slopes of softplus and ∂E/∂z on the way.

    Examples
    --------
    >>> one = PerceptronPass.of(np.ones(13), np.array([2, 3, 1]), np.zeros((1, 2)))
    >>> round(one.energies.item(), 6), one.gradients.round(6).tolist()  # 1 + 3·ln(1 + e)
    (4.939785, [[2.193176, 2.193176]])
    """

    parameters: Float[np.ndarray, " parameters"]
    widths: Int[np.ndarray, " layers_and_one"]
    energies: Float[np.ndarray, " atoms"]
    gradients: Float[np.ndarray, "atoms features"]
    trail: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        parameters: Float[np.ndarray, " parameters"],
        widths: Int[np.ndarray, " layers_and_one"],
        inputs: Float[np.ndarray, "atoms features"],
    ) -> PerceptronPass:
        """Apply a perceptron to some atoms."""
        from mechlearn.potentials.network_kernels import energies_and_gradients

        energies, gradients, *trail = energies_and_gradients(inputs, parameters, widths)
        return cls(parameters, widths, energies[:, 0], gradients, tuple(trail))

    def parameter_slopes(
        self,
        energy_slope: Float[np.ndarray, " atoms"],
        gradient_slope: Float[np.ndarray, "atoms features"] | None = None,
    ) -> Float[np.ndarray, " parameters"]:
        """The slopes of a function L by the parameters.

        Parameters
        ----------
        energy_slope
            ∂L/∂E.
        gradient_slope
            ∂L/∂(∂E/∂x); None where L does not depend on the gradients.
        """
        from mechlearn.potentials.network_kernels import parameter_slopes

        direction = np.empty((0, self.gradients.shape[1])) if gradient_slope is None else gradient_slope
        return parameter_slopes(energy_slope[:, None], direction, self.parameters, self.widths, *self.trail)
