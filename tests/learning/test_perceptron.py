"""The NumPy perceptron against torch, finite differences and its own algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mechlearn.errors import InputError
from mechlearn.learning import Perceptron, parameter_count
from mechlearn.learning.modules import module_of, perceptron_module, perceptron_of

WIDTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(lambda widths: (*widths, 1))


def module_and_inputs(widths: tuple[int, ...], seed: int, size: float) -> tuple[torch.nn.Sequential, np.ndarray]:
    module = perceptron_module(widths, torch.Generator().manual_seed(seed))
    return module, np.random.default_rng(seed).normal(scale=size, size=(7, widths[0]))


@given(WIDTHS, st.integers(0, 1000), st.sampled_from([0.1, 1.0, 30.0, 300.0]))
def test_equals_torch_in_value_and_gradient(widths: tuple[int, ...], seed: int, size: float) -> None:
    module, D = module_and_inputs(widths, seed, size)
    inputs = torch.from_numpy(D).requires_grad_()
    expected = module(inputs)[:, 0]
    (slope,) = torch.autograd.grad(expected.sum(), inputs)
    perceptron = perceptron_of(module)
    energy, gradient = perceptron.energy_and_gradient(D)
    np.testing.assert_allclose(energy, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, slope.numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(perceptron.energy(D), energy)


def test_gradient_is_the_slope_of_the_energy() -> None:
    module, D = module_and_inputs((5, 8, 4, 1), 3, 1.0)
    perceptron = perceptron_of(module)
    gradient = perceptron.energy_and_gradient(D)[1]
    for feature in range(5):
        step = np.zeros(5)
        step[feature] = 1e-5
        slope = (perceptron.energy(D + step) - perceptron.energy(D - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, feature], slope, atol=1e-9)


def test_far_inputs_do_not_overflow() -> None:
    perceptron = Perceptron((np.array([[1.0]]), np.array([[1.0]])), (np.zeros(1), np.zeros(1)))
    energy, gradient = perceptron.energy_and_gradient(np.array([[-1e5], [1e5]]))
    np.testing.assert_array_equal(energy, [0.0, 1e5])
    np.testing.assert_array_equal(gradient[:, 0], [0.0, 1.0])


def test_to_torch_and_back_is_exact() -> None:
    perceptron = perceptron_of(perceptron_module((4, 3, 2, 1), torch.Generator().manual_seed(1)))
    again = perceptron_of(module_of(perceptron))
    for left, right in zip((*perceptron.weights, *perceptron.biases), (*again.weights, *again.biases), strict=True):
        np.testing.assert_array_equal(left, right)


@given(WIDTHS)
def test_parameters_are_counted(widths: tuple[int, ...]) -> None:
    module = perceptron_module(widths, torch.Generator().manual_seed(0))
    assert parameter_count(widths) == sum(parameter.numel() for parameter in module.parameters())
    assert perceptron_of(module).parameters == parameter_count(widths)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (perceptron_module((4, 3, 1), torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(left, right) for left, right in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(before, torch.random.get_rng_state())


def test_frame_and_units_fold_into_the_layers() -> None:
    module, D = module_and_inputs((6, 5, 1), 2, 1.0)
    perceptron = perceptron_of(module)
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=6), rng.uniform(0.5, 2.0, size=6)
    folded = perceptron.with_inputs_standardised(mean, scale).with_output(-3.0, 0.7)
    np.testing.assert_allclose(folded.energy(D), -3.0 + 0.7 * perceptron.energy((D - mean) / scale), rtol=1e-13)


@pytest.mark.parametrize(
    ("shapes", "biases"),
    [([(3, 4), (5, 1)], [(4,), (1,)]), ([(3, 4), (4, 2)], [(4,), (2,)]), ([(3, 4)], [(4,), (1,)]), ([], [])],
)
def test_layers_that_do_not_fit_are_refused(shapes: list[tuple[int, int]], biases: list[tuple[int]]) -> None:
    with pytest.raises(InputError, match="do not make layers that end in one output; check the file"):
        Perceptron(tuple(np.ones(shape) for shape in shapes), tuple(np.ones(shape) for shape in biases))
