"""Perceptrons as torch modules, for training; ``Perceptron`` is the same network in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch.nn.utils import skip_init

from mechlearn.learning.perceptron import Perceptron

#: Above this torch takes softplus(z) = z. Its default of 20 leaves out e^-20 = 2e-9, this 4e-18.
_SOFTPLUS_THRESHOLD = 40.0


def perceptron_module(
    widths: Sequence[int], generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> torch.nn.Sequential:
    """A perceptron with SoftPlus between the layers, weights drawn from ±1/√n for n inputs of a layer.

    Examples
    --------
    >>> module = perceptron_module([30, 10, 6, 1], torch.Generator().manual_seed(0))
    >>> sum(parameter.numel() for parameter in module.parameters())
    383
    """
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layer = skip_init(torch.nn.Linear, inputs, outputs, dtype=torch.float64)  # type: ignore[no-untyped-call]
        bound = 1 / sqrt(inputs)
        torch.nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        torch.nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        layers += [layer, torch.nn.Softplus(threshold=_SOFTPLUS_THRESHOLD)]
    # Drawn in double precision whatever comes after, so that a seed means one start.
    return torch.nn.Sequential(*layers[:-1]).to(dtype)


def perceptron_of(module: torch.nn.Sequential) -> Perceptron:
    """The NumPy form of a module made by :func:`perceptron_module`, in double precision.

    Examples
    --------
    >>> perceptron_of(perceptron_module([5, 3, 1], torch.Generator().manual_seed(0))).widths
    (5, 3, 1)
    """
    layers = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    return Perceptron(
        tuple(layer.weight.detach().cpu().double().numpy().T.copy() for layer in layers),
        tuple(layer.bias.detach().cpu().double().numpy().copy() for layer in layers),
    )


def module_of(perceptron: Perceptron, dtype: torch.dtype = torch.float64) -> torch.nn.Sequential:
    """The torch form of a NumPy perceptron, to go on training it or to export it."""
    module = perceptron_module(perceptron.widths, torch.Generator().manual_seed(0), dtype)
    layers = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, perceptron.weights, perceptron.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias))
    return module
