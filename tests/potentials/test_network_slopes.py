"""The hand-written way through a perceptron and back, twice, against torch's automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mechlearn.learning.modules import perceptron_module
from mechlearn.potentials.network_slopes import PerceptronPass


@pytest.mark.parametrize("widths", [(4, 1), (5, 3, 1), (30, 10, 6, 1), (14, 7, 5, 3, 1)])
@pytest.mark.parametrize("atoms", [1, 32, 75])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_values_and_slopes_are_those_of_torch(widths: tuple[int, ...], atoms: int, size: float) -> None:
    module = perceptron_module(widths, torch.Generator().manual_seed(atoms))
    rng = np.random.default_rng(atoms)
    inputs = rng.normal(scale=size, size=(atoms, widths[0]))
    energy_slope, gradient_slope = rng.normal(size=atoms), rng.normal(size=inputs.shape)
    x = torch.from_numpy(inputs).requires_grad_()
    energies = module(x)[:, 0]
    (gradients,) = torch.autograd.grad(energies.sum(), x, create_graph=True)
    value = energies @ torch.from_numpy(energy_slope) + torch.sum(gradients * torch.from_numpy(gradient_slope))
    parameters = list(module.parameters())
    expected = torch.cat([slope.flatten() for slope in _slopes(value, parameters)])
    only_energies = torch.cat([slope.flatten() for slope in _slopes(module(x)[:, 0].sum(), parameters)])

    flat = torch.cat([parameter.detach().flatten() for parameter in parameters]).numpy()
    found = PerceptronPass.of(flat, np.array(widths), inputs)
    np.testing.assert_allclose(found.energies, energies.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.gradients, gradients.detach().numpy(), rtol=1e-12, atol=1e-12)
    _close(found.parameter_slopes(energy_slope, gradient_slope), expected)
    _close(found.parameter_slopes(np.ones(atoms)), only_energies)


def _slopes(value: torch.Tensor, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    slopes = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(p) if s is None else s for s, p in zip(slopes, parameters, strict=True)]


def _close(found: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10, atol=1e-12 * float(expected.abs().max()))


def test_far_inputs_do_not_overflow() -> None:
    """softplus(-1e5) = 0 and softplus(1e5) = 1e5, to the last bit."""
    found = PerceptronPass.of(np.array([1.0, 0.0, 1.0, 0.0]), np.array([1, 1, 1]), np.array([[-1e5], [1e5], [0.0]]))
    np.testing.assert_allclose(found.energies, [0.0, 1e5, np.log(2)], rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(found.gradients[:, 0], [0.0, 1.0, 0.5], rtol=1e-15, atol=1e-300)
