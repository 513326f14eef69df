"""Multilayer perceptrons with SoftPlus between the layers, in plain NumPy: what molecular dynamics calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError


def parameter_count(widths: Sequence[int]) -> int:
    """Weights and biases of a perceptron, N_DoF = Σ_l (n_l + 1)·n_{l+1}.

    Examples
    --------
    The A1 and B1 networks of Montes de Oca Zapiain et al. (2022) at D = 30:

    >>> parameter_count([30, 10, 6, 1]), parameter_count([30, 64, 30, 1])
    (383, 3965)
    """
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


@dataclass(frozen=True, eq=False)
class Perceptron:
    """A perceptron with one output, h_{l+1} = softplus(h_l·W_l + b_l), the last layer linear.

    softplus(z) = ln(1 + e^z), written max(z, 0) + ln(1 + e^-|z|) so that nothing overflows.

    Attributes
    ----------
    weights : (inputs, outputs) each
        One matrix a layer; inputs multiply from the left.
    biases : (outputs,) each
        One vector a layer.

    Raises
    ------
    InputError
        The shapes of the layers do not fit each other, or the last has more than one output.

    Examples
    --------
    >>> network = Perceptron((np.ones((2, 3)), np.ones((3, 1))), (np.zeros(3), np.zeros(1)))
    >>> network.widths, network.parameters
    ((2, 3, 1), 13)
    >>> energy, gradient = network.energy_and_gradient(np.zeros((1, 2)))
    >>> round(float(energy[0]), 6), gradient.tolist()  # 3·ln 2
    (2.079442, [[1.5, 1.5]])
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        shapes = [weight.shape for weight in self.weights]
        fits = len(shapes) == len(self.biases) > 0 and all(
            weight.ndim == 2 and bias.shape == weight.shape[1:]
            for weight, bias in zip(self.weights, self.biases, strict=False)
        )
        chained = fits and all(left[1] == right[0] for left, right in pairwise(shapes))
        if not chained or shapes[-1][1] != 1:
            raise InputError(
                f"building a perceptron: weights of shapes {shapes} and biases of shapes "
                f"{[bias.shape for bias in self.biases]} do not make layers that end in one output; "
                "check the file"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes of every layer, from the inputs to the output."""
        return (self.weights[0].shape[0], *(weight.shape[1] for weight in self.weights))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return parameter_count(self.widths)

    def energy(self, D: Float[np.ndarray, "atoms features"]) -> Float[np.ndarray, " atoms"]:
        """The output for every row of inputs."""
        return (self.hidden(D) @ self.weights[-1] + self.biases[-1])[:, 0]

    def hidden(self, D: Float[np.ndarray, "atoms features"]) -> Float[np.ndarray, "atoms nodes"]:
        """The last layer before the output, for every row of inputs."""
        activations = D
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activations, _ = _softplus_and_slope(activations @ weight + bias)
        return activations

    def energy_and_gradient(
        self, D: Float[np.ndarray, "atoms features"]
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms features"]]:
        """The output and its gradient with respect to every input.

        Backwards through the layers, g_l = (g_{l+1} ∘ σ(z_{l+1}))·W_lᵀ, with σ the slope of softplus.
        """
        activations = D
        slopes = []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activations, slope = _softplus_and_slope(activations @ weight + bias)
            slopes.append(slope)
        energy = (activations @ self.weights[-1] + self.biases[-1])[:, 0]
        gradient = np.broadcast_to(self.weights[-1].T, activations.shape)
        for weight, slope in zip(self.weights[-2::-1], reversed(slopes), strict=True):
            gradient = (gradient * slope) @ weight.T
        return energy, np.ascontiguousarray(gradient)

    def with_inputs_standardised(
        self, mean: Float[np.ndarray, " features"], scale: Float[np.ndarray, " features"]
    ) -> Perceptron:
        """The perceptron of raw inputs D equal to this one at (D − mean)/scale: its first layer absorbs both.

        W' = W/scale (by rows), b' = b − (mean/scale)·W.
        """
        first = self.weights[0] / scale[:, None]
        return Perceptron((first, *self.weights[1:]), (self.biases[0] - mean @ first, *self.biases[1:]))

    def with_output(self, shift: float, scale: float) -> Perceptron:
        """The perceptron whose output is shift + scale·(this one's): its last layer absorbs both."""
        return Perceptron(
            (*self.weights[:-1], self.weights[-1] * scale),
            (*self.biases[:-1], self.biases[-1] * scale + shift),
        )


def _softplus_and_slope(z: Float[np.ndarray, "atoms nodes"]) -> tuple[np.ndarray, np.ndarray]:
    """ln(1 + e^z) and its slope 1/(1 + e^-z), from one exponential of a negative number."""
    decay = np.exp(-np.abs(z))
    slope = np.where(z >= 0, 1.0, decay) / (1.0 + decay)
    return np.maximum(z, 0.0) + np.log1p(decay), slope
