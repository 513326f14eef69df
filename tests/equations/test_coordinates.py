"""Coordinates and their law: parts against what is known, then an oscillator seen through many features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mechlearn.equations.examples.example_images import Measurements, lorenz_modes, pendulum_images, spiral_images
from mechlearn.equations.latent.autoencoder import Autoencoder, change_coordinates
from mechlearn.equations.latent.coordinate_discovery import CoordinateDiscovery, load_coordinates
from mechlearn.equations.latent.coordinate_settings import CoordinateSettings, LossWeights
from mechlearn.equations.latent.coordinates import discover_coordinates
from mechlearn.equations.latent.latent_law import simulate_law
from mechlearn.equations.latent.latent_library import LatentLibrary
from mechlearn.equations.latent.smooth_network import SmoothNetwork
from mechlearn.equations.latent.sparse_coordinates import sparsest_coordinates
from mechlearn.errors import InputError, WorkError
from mechlearn.learning import TrainingSettings

RNG = np.random.default_rng(0)


# ---------------------------------------------------------------------- parts against what is known


def test_derivatives_in_time_are_carried_through_a_network() -> None:
    """Against central differences along x(t) = a + b t + c t², whose ẋ and ẍ are b and 2c at t = 0."""
    rng = np.random.default_rng(1)
    widths = [3, 7, 5, 2]
    network = SmoothNetwork(
        tuple(rng.normal(size=(n, m)) for m, n in pairwise(widths)),
        tuple(rng.normal(size=n) for n in widths[1:]),
        rng.normal(size=(2, 3)),
    )
    a, b, c = rng.normal(size=(3, 4, 3))
    value, rate, second = network([a, b, 2 * c])
    h = 1e-4
    before, at, after = (network([a + b * t + c * t**2])[0] for t in (-h, 0.0, h))
    np.testing.assert_allclose(value, at)
    np.testing.assert_allclose(rate, (after - before) / (2 * h), atol=1e-5)
    np.testing.assert_allclose(second, (after - 2 * at + before) / h**2, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "accuracy"),
    [
        (lambda: pendulum_images(2, 2000, pixels=11, seed=3), 0.002),
        (lambda: spiral_images(40, points=32, wait=1.0), 0.01),
        (lambda: lorenz_modes(2, 250, features=16, seed=3), 0.2),  # steps of 0.02 are long for the cubes of his z
    ],
    ids=["pendulum", "spiral", "lorenz"],
)
def test_examples_come_with_their_exact_derivatives(make: Callable[[], Measurements], accuracy: float) -> None:
    measured = make()
    rows = np.flatnonzero(measured.trajectories == 0)
    x, step = measured.data[rows], measured.times[rows[1]] - measured.times[rows[0]]
    differences = [(x[2:] - x[:-2]) / (2 * step), (x[2:] - 2 * x[1:-1] + x[:-2]) / step**2]
    for given, found in zip(measured.derivatives, differences, strict=False):
        assert np.linalg.norm(found - given[rows][1:-1]) < accuracy * np.linalg.norm(given[rows])


def test_a_law_hidden_by_an_affine_map_is_made_sparse_again() -> None:
    """Lotka and Volterra's law has four terms in populations, twelve in what mixes and shifts them."""
    library = LatentLibrary(2, degree=2)
    law = np.zeros((6, 2))
    law[[1, 4], 0], law[[2, 4], 1] = [1.0, -1.0], [-1.0, 0.7]
    paths = np.concatenate(
        [simulate_law(law, library, [start], np.arange(0, 8, 0.1)) for start in RNG.uniform(0.5, 2.5, size=(5, 2))]
    )
    mixed, shift = np.array([[1.0, 0.6], [-0.4, 1.3]]), np.array([2.0, -5.0])
    hidden = [paths @ mixed.T + shift, library.evaluate([paths]) @ law @ mixed.T]
    found = sparsest_coordinates(hidden, library, floor=1e-3, seed=0)
    assert np.count_nonzero(np.abs(found.shares) > 0.01) == 4
    back = hidden[0] @ found.matrix.T + found.offset
    assert np.abs(np.corrcoef(np.hstack([back, paths]).T)[:2, 2:]).max(axis=1).min() > 1 - 1e-6


def test_a_sine_fixes_the_scale_of_its_variable() -> None:
    angle, speed = pendulum_images(10, 60, pixels=2, seed=1).truth.T
    hidden = [0.4 * angle[:, None] + 0.3, 0.4 * speed[:, None], -0.4 * np.sin(angle)[:, None]]
    found = sparsest_coordinates(hidden, LatentLibrary(1, order=2, with_sine=True), floor=1e-3, seed=0)
    assert np.flatnonzero(np.abs(found.shares[:, 0]) > 0.01).tolist() == [10]  # sin z
    np.testing.assert_allclose(np.abs(found.matrix), 2.5, rtol=1e-3)


def test_a_change_of_coordinates_does_not_change_what_is_decoded() -> None:
    generator = torch.Generator().manual_seed(0)
    autoencoder = Autoencoder(torch.tensor([1.0, 2.0, 0.5]), (4,), LatentLibrary(2), generator)
    for parameter in autoencoder.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    inputs = [torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(3)]
    latent = autoencoder.encode(inputs)
    decoded = autoencoder.decode(latent)
    matrix, offset = torch.tensor([[1.0, 2.0], [0.5, -1.0]]).double(), torch.tensor([3.0, -1.0]).double()
    change_coordinates(autoencoder, matrix, offset)
    moved = autoencoder.encode(inputs)
    torch.testing.assert_close(moved[0], latent[0] @ matrix.T + offset)
    torch.testing.assert_close(moved[2], latent[2] @ matrix.T)
    torch.testing.assert_close(autoencoder.decode(moved), decoded)
    encoder, _ = autoencoder.networks()
    np.testing.assert_allclose(encoder([part.numpy() for part in inputs])[1], moved[1].detach().numpy(), atol=1e-12)


def test_a_law_that_runs_away_says_when() -> None:
    library = LatentLibrary(1, degree=2)
    with pytest.raises(WorkError, match=r"runs away after t = "):
        simulate_law(np.array([[0.0], [0.0], [1.0]]), library, [np.ones(1)], np.linspace(0, 2, 50))


# ---------------------------------------------------------------------- the whole

SETTINGS = CoordinateSettings(
    2,
    degree=2,
    widths=(16,),
    weights=LossWeights(sparsity=0.0),
    training=TrainingSettings(epochs=30, batch_size=100, learning_rate=1e-2, precision="double", checkpoint_seconds=0),
    threshold_epochs=30,
    refinement_epochs=20,
    lost_variance=1e-9,
)


@cache
def _oscillator() -> Measurements:
    """z1' = 2 z2, z2' = -2 z1 from five starts, seen through twelve features that are bent a little."""
    rng = np.random.default_rng(4)
    t, phases, sizes = np.arange(60) * 0.06, rng.uniform(0, 6, 5), rng.uniform(0.3, 1.2, 5)
    angle = (phases[:, None] + 2 * t).ravel()
    size = np.repeat(sizes, len(t))
    z = size[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    rate = 2 * size[:, None] * np.column_stack([np.cos(angle), -np.sin(angle)])
    straight, bent = rng.normal(size=(2, 12)), 0.2 * rng.normal(size=(2, 12))
    return Measurements(
        z @ straight + z**2 @ bent,
        (rate @ straight + (2 * z * rate) @ bent,),
        np.repeat(np.arange(5), len(t)),
        np.tile(t, 5),
        z,
    )


def _discover(checkpoint: Path | None = None, **options: object) -> CoordinateDiscovery:
    measured = _oscillator()
    return discover_coordinates(
        measured.data,
        measured.derivatives,
        SETTINGS,
        trajectories=measured.trajectories,
        seed=0,
        checkpoint=checkpoint,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def found() -> CoordinateDiscovery:
    return _discover()


def test_an_oscillator_is_found_behind_twelve_features(found: CoordinateDiscovery) -> None:
    assert [tuple(c.term.name for c in equation.coefficients) for equation in found.equations] == [("z2",), ("z1",)]
    (first,), (second,) = (equation.coefficients for equation in found.equations)
    np.testing.assert_allclose(
        -first.value * second.value, 4.0, rtol=0.02
    )  # the squared frequency, whatever the scales
    assert first.low <= first.value <= first.high
    assert first.probability > 0.9
    assert found.errors.data < 0.01
    assert found.errors.rate < 0.02
    assert found.errors.latent_rate < 0.01


def test_a_forecast_decodes_the_simulated_law(found: CoordinateDiscovery) -> None:
    measured = _oscillator()
    rows = np.flatnonzero(measured.trajectories == found.held_out[0])
    forecast = found.forecast([measured.data[rows[0]]], measured.times[rows])
    assert np.linalg.norm(forecast - measured.data[rows]) < 0.15 * np.linalg.norm(measured.data[rows])
    np.testing.assert_allclose(forecast[0], found.decode(found.encode(measured.data[rows[:1]]))[0])


def test_an_interrupted_search_ends_in_the_same_bytes(found: CoordinateDiscovery, tmp_path: Path) -> None:
    class InterruptError(Exception):
        pass

    def stop(epoch: object) -> None:
        if epoch.number == 22:  # type: ignore[attr-defined]
            raise InterruptError

    with pytest.raises(InterruptError):
        _discover(tmp_path / "stages", progress=stop)
    resumed = _discover(tmp_path / "stages")
    assert resumed.save(tmp_path / "a").read_bytes() == found.save(tmp_path / "b").read_bytes()


def test_saved_coordinates_come_back_bit_for_bit(found: CoordinateDiscovery, tmp_path: Path) -> None:
    read = load_coordinates(found.save(tmp_path / "oscillator.safetensors"))
    data = _oscillator().data
    np.testing.assert_array_equal(read.encode(data), found.encode(data))
    np.testing.assert_array_equal(read.decode(read.latent), found.decode(found.latent))
    assert read.to_dict() == found.to_dict()
    assert [equation.latex() for equation in read.equations] == [equation.latex() for equation in found.equations]


# ---------------------------------------------------------------------- bad input


def test_input_that_cannot_be_used_is_named() -> None:
    measured = _oscillator()
    x, rate = measured.data, measured.derivatives[0]
    hole = rate.copy()
    hole[7, 3] = np.nan
    cases = [
        (x, [], SETTINGS, "0 derivatives were given for a law of order 1; give the first"),
        (x, [rate[:, :5]], SETTINGS, r"first derivatives have the shape \(300, 5\)"),
        (x, [hole], SETTINGS, "not finite in 1 places, first in sample 7, feature 3"),
        (x[:20], [rate[:20]], SETTINGS, "20 samples"),
        (x, [rate], replace(SETTINGS, dimension=13), "13 latent variables for 12 features"),
        (0 * x, [rate], SETTINGS, "the same in every sample"),
    ]
    for data, rates, settings, message in cases:
        with pytest.raises(InputError, match=message):
            discover_coordinates(data, rates, settings, seed=0)
    with pytest.raises(InputError, match="order is 3; give 1 or 2"):
        CoordinateSettings(1, order=3)
    with pytest.raises(InputError, match="held_out is 1"):
        CoordinateSettings(1, held_out=1)


def test_a_file_of_something_else_is_no_coordinates(tmp_path: Path) -> None:
    from mechlearn.learning import save_arrays

    with pytest.raises(InputError, match="holds none of this version"):
        load_coordinates(save_arrays(tmp_path / "other", {"a": np.zeros(2)}))
