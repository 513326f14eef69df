"""High-dimensional measurements of simple systems, made with their exact derivatives: what coordinates are found from.

The three examples of Champion, Lusch, Kutz & Brunton, PNAS 116, 22445 (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.integrate import solve_ivp

from mechlearn.errors import InputError

#: Lorenz's parameters σ, ρ, β, and what his variables are divided by, as in the paper.
_SIGMA, _RHO, _BETA, _LORENZ_SCALE = 10.0, 28.0, 8.0 / 3.0, 40.0

#: Squared width of the pendulum's bob as it is drawn, twice the variance of its Gaussian; the rod has length 1.
_BOB = 0.05

#: Steps of integration between two images of the spiral; 0.025 each leaves errors of 1e-7.
_SPIRAL_STEPS = 2

#: Energies of the pendulum stay below this; at 1 it stands upright.
_LARGEST_ENERGY = 0.99


@dataclass(frozen=True, eq=False)
class Measurements:
    """Samples of many features on several trajectories, with their derivatives in time.

    Attributes
    ----------
    data : (samples, features)
        What was measured, x.
    derivatives : one or two of (samples, features)
        ẋ, and ẍ for a law of second order.
    trajectories : (samples,)
        The number of each sample's trajectory; samples of one follow each other in time.
    times : (samples,)
        The time of each sample.
    truth : (samples, variables)
        The variables that made the data, hidden from the search.
    """

    data: Float[np.ndarray, "samples features"]
    derivatives: tuple[Float[np.ndarray, "samples features"], ...]
    trajectories: Int[np.ndarray, " samples"]
    times: Float[np.ndarray, " samples"]
    truth: Float[np.ndarray, "samples variables"]


def lorenz_modes(
    trajectories: int = 64, times: int = 250, *, features: int = 128, noise: float = 0.0, seed: int = 0
) -> Measurements:
    """Lorenz's system on six Legendre modes, x = Σ_k P_k(s) z_k + P_{k+3}(s) z_k³.

    Parameters
    ----------
    trajectories
        How many, each from a point drawn at random around the attractor.
    times
        Samples of a trajectory, 0.02 apart.
    features
        Points s from -1 to 1.
    noise
        Standard deviation of what is added to data and derivatives.
    seed
        Of the starts and the noise.

    Examples
    --------
    >>> lorenz_modes(2, 10).data.shape
    (20, 128)
    """
    rng = np.random.default_rng(seed)
    t = 0.02 * np.arange(_positive("times", times))
    starts = np.array([0, 0, 25]) + np.array([72, 96, 82]) * (
        rng.random((_positive("trajectories", trajectories), 3)) - 0.5
    )

    def rate(_: float, z: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        return np.array([_SIGMA * (z[1] - z[0]), z[0] * (_RHO - z[2]) - z[1], z[0] * z[1] - _BETA * z[2]])

    z = np.concatenate([solve_ivp(rate, (0, t[-1]), start, t_eval=t, rtol=1e-9, atol=1e-9).y.T for start in starts])
    z_rate = np.array([rate(0.0, row) for row in z]) / _LORENZ_SCALE
    z = z / _LORENZ_SCALE
    modes = np.polynomial.legendre.legvander(np.linspace(-1, 1, features), 5).T
    x = np.hstack([z, z**3]) @ modes
    x_rate = np.hstack([z_rate, 3 * z**2 * z_rate]) @ modes
    x, x_rate = (values + noise * rng.normal(size=values.shape) for values in (x, x_rate))
    return Measurements(x, (x_rate,), np.repeat(np.arange(trajectories), len(t)), np.tile(t, trajectories), z)


def pendulum_images(
    trajectories: int = 100, times: int = 500, *, pixels: int = 51, noise: float = 0.0, seed: int = 0
) -> Measurements:
    """A pendulum, θ̈ = -sin θ, drawn as a bright bob: x = exp(-|r - r_θ|²/0.05) on a square of pixels.

    Parameters
    ----------
    trajectories
        How many, each from an angle and a speed drawn at random, none with the energy to go over the top.
    times
        Images of a trajectory, over ten units of time.
    pixels
        Along an edge.
    noise
        Standard deviation of what is added to images and derivatives.
    seed
        Of the starts and the noise.

    Examples
    --------
    >>> images = pendulum_images(2, 10, pixels=11)
    >>> images.data.shape, len(images.derivatives)
    ((20, 121), 2)
    """
    rng = np.random.default_rng(seed)
    t = 10.0 / _positive("times", times) * np.arange(times)
    paths = [
        solve_ivp(lambda _, y: [y[1], -np.sin(y[0])], (0, t[-1]), start, t_eval=t, rtol=1e-9, atol=1e-9).y.T
        for start in _pendulum_starts(_positive("trajectories", trajectories), rng)
    ]
    angle, speed = np.concatenate(paths).T
    acceleration = -np.sin(angle)
    edge = np.linspace(-1.5, 1.5, pixels)
    # With e the bob's place, ln x = -|r - e|²/w: its rate is 2 (r - e)·ė/w, and the second 2 ((r - e)·ë - |ė|²)/w.
    across, upward = np.sin(angle), -np.cos(angle)
    right, up = (edge - across[:, None])[:, None, :], (edge[::-1] - upward[:, None])[:, :, None]
    first = right * (-upward * speed)[:, None, None] + up * (across * speed)[:, None, None]
    second = (
        right * (-upward * acceleration - across * speed**2)[:, None, None]
        + up * (across * acceleration - upward * speed**2)[:, None, None]
        - (speed**2)[:, None, None]
    )
    x = np.exp(-(right**2 + up**2) / _BOB)
    frames = (x, x * 2 / _BOB * first, x * ((2 / _BOB * first) ** 2 + 2 / _BOB * second))
    data, *rates = (
        frame.reshape(len(angle), -1) + noise * rng.normal(size=(len(angle), pixels**2)) for frame in frames
    )
    return Measurements(
        data,
        tuple(rates),
        np.repeat(np.arange(trajectories), len(t)),
        np.tile(t, trajectories),
        np.column_stack([angle, speed]),
    )


def _pendulum_starts(count: int, rng: np.random.Generator) -> list[Float[np.ndarray, "2"]]:
    """Angles and speeds of pendulums that swing."""
    starts: list[Float[np.ndarray, "2"]] = []
    while len(starts) < count:
        angle, speed = rng.uniform(-pi, pi), rng.uniform(-2.1, 2.1)
        if speed**2 / 2 - np.cos(angle) <= _LARGEST_ENERGY:
            starts.append(np.array([angle, speed]))
    return starts


def spiral_images(
    times: int = 1000, *, points: int = 100, wait: float = 20.0, noise: float = 0.0, seed: int = 0
) -> Measurements:
    """The first field of a λ-ω reaction-diffusion system whose spiral turns, darkened towards the edges.

    With A² = u² + v²:  u_t = (1 - A²) u + A² v + 0.1 Δu,  v_t = -A² u + (1 - A²) v + 0.1 Δv,  on a periodic
    square of edge 20; the images are exp(-|r|²/100) u.

    Parameters
    ----------
    times
        Images, 0.05 apart; ten consecutive parts of them count as trajectories.
    points
        Along an edge.
    wait
        Time that passes before the first image, while the spiral takes its form.
    noise
        Standard deviation of what is added to images and derivatives.
    seed
        Of the noise.
    """
    t = 0.05 * np.arange(_positive("times", times))
    edge = -10.0 + 20.0 / points * np.arange(points)
    radius = np.hypot(edge[:, None], edge)
    phase = np.arctan2(edge[:, None], edge) - radius
    start = np.tanh(radius) * (np.cos(phase) + 1j * np.sin(phase))
    wave = 2 * pi * np.fft.fftfreq(points, 20.0 / points)
    diffusion = 0.1 * (wave[:, None] ** 2 + wave**2)
    waiting = 0.05 * np.arange(round(wait / 0.05) + 1)
    for formed, _ in _spiral(start, waiting, diffusion):
        start = formed
    frames = list(_spiral(start, t, diffusion))
    dark = np.exp(-0.01 * radius**2)
    rng = np.random.default_rng(seed)
    x = np.array([(dark * state.real).ravel() for state, _ in frames])
    x_rate = np.array([(dark * rate.real).ravel() for _, rate in frames])
    x, x_rate = (values + noise * rng.normal(size=values.shape) for values in (x, x_rate))
    return Measurements(x, (x_rate,), np.arange(len(t)) * 10 // len(t), t, np.empty((len(t), 0)))


def _spiral(
    start: Complex[np.ndarray, "points points"],
    times: Float[np.ndarray, " times"],
    diffusion: Float[np.ndarray, "points points"],
) -> Iterator[tuple[Complex[np.ndarray, "points points"], Complex[np.ndarray, "points points"]]]:
    """A = u + iv and A_t = A - (1 + i)|A|² A + 0.1 ΔA at every time.

    The fourth-order Runge–Kutta method, diffusion exactly by an integrating factor (Cox & Matthews 2002).
    """

    def reaction(spectrum: Complex[np.ndarray, "points points"]) -> Complex[np.ndarray, "points points"]:
        field = np.fft.ifft2(spectrum)
        return np.fft.fft2(field - (1 + 1j) * np.abs(field) ** 2 * field)

    a = np.fft.fft2(start)
    yield start, np.fft.ifft2(reaction(a) - diffusion * a)
    for interval in np.diff(times):
        h = interval / _SPIRAL_STEPS
        half, whole = np.exp(-diffusion * h / 2), np.exp(-diffusion * h)
        for _ in range(_SPIRAL_STEPS):
            k1 = reaction(a)
            k2 = reaction(half * (a + h / 2 * k1))
            k3 = reaction(half * a + h / 2 * k2)
            k4 = reaction(whole * a + h * half * k3)
            a = whole * a + h / 6 * (whole * k1 + 2 * half * (k2 + k3) + k4)
        yield np.fft.ifft2(a), np.fft.ifft2(reaction(a) - diffusion * a)


def _positive(name: str, count: int) -> int:
    if count < 1:
        raise InputError(f"making measurements: {name} is {count}; give 1 or more")
    return count
