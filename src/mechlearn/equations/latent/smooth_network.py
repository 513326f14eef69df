"""Networks with tanh between the layers that carry derivatives in time along with their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


def propagate(
    layers: Sequence[tuple[Any, Any]], direct: Any, derivatives: Sequence[Any], tanh: Callable[[Any], Any]
) -> list[Any]:
    """f(x), d f(x)/dt and by option d² f(x)/dt² from x, ẋ and ẍ: forwards, layer by layer.

    f(x) = D x + W_L a_L + b_L with a_1 = x and a_{l+1} = tanh(W_l a_l + b_l). Of a layer a = tanh(h):

        ȧ = a' ḣ,   ä = a' ḧ + a'' ḣ²,   a' = 1 - a²,   a'' = -2 a a'.

    Parameters
    ----------
    layers
        W_l, of shape (outputs, inputs), and b_l: arrays of NumPy or tensors.
    direct : (outputs, inputs)
        D, the linear part of the map.
    derivatives : one to three of (samples, inputs)
        x, ẋ, ẍ.
    tanh
        Of NumPy or of torch.
    """
    activation, *rates = derivatives
    for weight, bias in layers[:-1]:
        activation = tanh(activation @ weight.T + bias)
        slope = 1 - activation * activation
        rates = [rate @ weight.T for rate in rates]
        if len(rates) > 1:
            rates[1] = slope * (rates[1] - 2 * activation * rates[0] * rates[0])
        if rates:
            rates[0] = slope * rates[0]
    weight, bias = layers[-1]
    straight = [values @ direct.T for values in derivatives]
    return [
        straight[0] + activation @ weight.T + bias,
        *(own + rate @ weight.T for own, rate in zip(straight[1:], rates, strict=True)),
    ]


@dataclass(frozen=True, eq=False)
class SmoothNetwork:
    """f(x) = D x + W_L tanh(… tanh(W_1 x + b_1) …) + b_L, in NumPy.

    Attributes
    ----------
    weights : (outputs, inputs) each
        W_l.
    biases : (outputs,) each
        b_l.
    direct : (outputs, inputs)
        D, of the whole network.

    Examples
    --------
    >>> network = SmoothNetwork((np.eye(1), np.eye(1)), (np.zeros(1), np.zeros(1)), np.zeros((1, 1)))
    >>> value, rate = network([np.array([[0.5]]), np.array([[2.0]])])  # tanh x and (1 - tanh² x) ẋ
    >>> round(value.item(), 4), round(rate.item(), 4)
    (0.4621, 1.5729)
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    direct: Float[np.ndarray, "outputs inputs"]

    def __call__(
        self, derivatives: Sequence[Float[np.ndarray, "samples inputs"]]
    ) -> list[Float[np.ndarray, "samples outputs"]]:
        """f(x) and as many of its derivatives in time as are given of x."""
        return propagate(list(zip(self.weights, self.biases, strict=True)), self.direct, derivatives, np.tanh)
