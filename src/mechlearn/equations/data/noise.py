"""How noisy fields are, and powers of noisy fields that are right on average."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field

#: Noise below this share of a field's deviation is taken to be this much: interpolation and rounding have errors too.
LEAST_NOISE = 1e-3

#: Differences of this order see noise and hardly a smooth field.
_ORDER = 6

#: Of so many values of a spectrum is the mean taken, at least, before it is held against that of noise.
_AVERAGED = 24


def noise_level(values: Float[np.ndarray, "*grid"]) -> float:
    """The standard deviation of white noise on a smooth field, from its differences of sixth order.

    Along the axis where they are smallest, since there the field itself adds least.  Gaps are left out.

    Examples
    --------
    >>> t = np.linspace(0, 10, 2000)
    >>> noisy = np.sin(t) + 0.1 * np.random.default_rng(0).normal(size=t.shape)
    >>> round(noise_level(noisy), 2)
    0.1
    """
    weights = np.array([(-1) ** k * comb(_ORDER, k) for k in range(_ORDER + 1)], dtype=float)
    norm = float(np.sum(weights**2))
    levels = []
    for axis, length in enumerate(values.shape):
        if length > 2 * _ORDER:
            differences = np.diff(values, n=_ORDER, axis=axis)
            levels.append(np.sqrt(np.nanmean(differences**2) / norm))
    return float(min(levels, default=0.0))


def field_noises(field: Field, share: float | None = None) -> tuple[float, ...]:
    """The standard deviation of the noise of every field, measured, or this share of the field's own."""
    found = []
    for values in field.values.values():
        deviation = float(np.nanstd(values))
        level = noise_level(values) if share is None else share * deviation
        found.append(max(level, LEAST_NOISE * deviation))
    return tuple(found)


def unbiased_powers(values: Float[np.ndarray, "*grid"], degree: int, noise: float) -> list[Float[np.ndarray, "*grid"]]:
    """Powers 0, 1, …, degree of a noisy field, with the noise's own mean taken away.

    With ũ = u + ε, ε normal of deviation σ, E[ũ²] = u² + σ² and so on; the polynomials of Hermite's recursion

        h_{k+1} = ũ h_k − k σ² h_{k−1}

    have E[h_k] = u^k exactly.
    """
    powers = [np.ones_like(values), values]
    for k in range(1, degree):
        powers.append(values * powers[k] - k * noise**2 * powers[k - 1])
    return powers[: degree + 1]


def corner_frequencies(values: Sequence[Float[np.ndarray, "*grid"]], noises: Sequence[float]) -> tuple[int, ...]:
    """Along every axis the number of waves at which the fields' spectrum falls below that of their noise.

    What is beyond it cannot be seen; a test function should not look there (after Messenger and Bortz, 2021).
    Gaps count as the mean.
    """
    corners = []
    for axis, length in enumerate(values[0].shape):
        window = np.hanning(length)
        window = (window / np.sqrt(np.mean(window**2))).reshape([-1 if a == axis else 1 for a in range(values[0].ndim)])
        corner = 1
        for value, noise in zip(values, noises, strict=True):
            centred = np.nan_to_num(value - np.nanmean(value))
            spectrum = np.abs(np.fft.rfft(centred * window, axis=axis)) ** 2 / length
            power = np.moveaxis(spectrum, axis, 0).reshape(spectrum.shape[axis], -1)
            bins = max(1, _AVERAGED // power.shape[1])
            smooth = np.convolve(power.mean(axis=1), np.full(bins, 1 / bins), mode="same")
            seen = np.flatnonzero(smooth[1:] > 2 * noise**2) + 1
            corner = max(corner, int(seen.max(initial=1)))
        corners.append(corner)
    return tuple(corners)
