"""What a simulation takes from measured fields: a start without gaps and noise, and whether the domain is periodic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.fft import irfftn, rfftn

from mechlearn.equations.data.fields import Field, uniform_step
from mechlearn.equations.data.noise import LEAST_NOISE, corner_frequencies, noise_level
from mechlearn.errors import InputError

#: A jump at the end of a period below this share of the field's deviation is no matter.
_JUMP = 1e-2

#: Degree of the polynomials that smooth.
_DEGREE = 5

#: So many points next to an end say how much a field bends there.
_NEAR = 6


@dataclass(frozen=True, eq=False)
class Measured:
    """Fields with time as the first axis, in one array.

    Attributes
    ----------
    values : (fields, times, *grid)
        As measured.
    times : (times,)
        t.
    axes : tuple of str
        The coordinates of space.
    points : tuple of array
        Theirs.
    noises : tuple of float
        Standard deviation of the noise of every field.
    """

    values: Float[np.ndarray, " fields times *grid"]
    times: Float[np.ndarray, " times"]
    axes: tuple[str, ...]
    points: tuple[Float[np.ndarray, " _"], ...]
    noises: tuple[float, ...]

    @staticmethod
    def of(field: Field, noise: float | None = None) -> Measured:
        """Sort a field's axes and measure its noise, or take it to be this share of the fields' deviations."""
        values = np.stack([np.moveaxis(one, field.time_axis, 0) for one in field.values.values()]).astype(float)
        axes = tuple(axis for axis in field.axes if axis != "t")
        return Measured(
            values,
            np.asarray(field.coordinates["t"], dtype=float),
            axes,
            tuple(np.asarray(field.coordinates[axis], dtype=float) for axis in axes),
            tuple(noise_level(one) if noise is None else noise * float(np.nanstd(one)) for one in values),
        )

    @property
    def scales(self) -> Float[np.ndarray, " fields"]:
        """Standard deviation of every field."""
        found = np.array([np.nanstd(one) for one in self.values])
        return np.where(found > 0, found, found.max() or 1.0)

    @property
    def bounds(self) -> Float[np.ndarray, " fields"]:
        """Largest value of every field."""
        found = np.array([np.nanmax(np.abs(one)) for one in self.values])
        return np.where(found > 0, found, found.max() or 1.0)

    def steps(self) -> tuple[float, ...]:
        """Spacing along the axes of space.

        Raises
        ------
        InputError
            If one is not uniform.
        """
        return tuple(uniform_step(axis, points) for axis, points in zip(self.axes, self.points, strict=True))

    def at_start(self) -> int:
        """The first time at which at least half of every field is known.

        Raises
        ------
        InputError
            If there is none.
        """
        known = np.isfinite(self.values).reshape(*self.values.shape[:2], -1).mean(axis=2).min(axis=0)
        enough = np.flatnonzero(known >= (0.5 if self.axes else 1.0))
        if not len(enough):
            raise InputError("starting a simulation: at no time are half of the values of every field known; fill gaps")
        return int(enough[0])

    def cut(self, counts: Sequence[int]) -> Measured:
        """So many points along the axes of space."""
        places = tuple(slice(count) for count in counts)
        points = tuple(points[:count] for points, count in zip(self.points, counts, strict=True))
        return replace(self, values=self.values[(slice(None), slice(None), *places)], points=points)

    def start(self, periodic: bool) -> Float[np.ndarray, " fields *grid"]:
        """The fields at the first known time, gaps filled along the axes of space, and noise taken off."""
        found = np.stack([_filled(one) for one in self.values[:, self.at_start()]])
        for number in self.noisy:
            if periodic:
                found[number] = _spectrally_smoothed(found[number], self.values[number], self.noises[number])
                continue
            for axis, (corner, points) in enumerate(zip(self.corners()[1:], self.points, strict=True)):
                found[number] = smoothed(found[number], axis, len(points) / corner)
        return found

    def quiet(self) -> Float[np.ndarray, " fields times *grid"]:
        """The values at all times, gaps filled along time or else along space, and noise taken off along all axes."""
        found = self.values.copy()
        for one in found:
            for place in np.argwhere(~np.isfinite(one).all(axis=0)):
                line = one[(slice(None), *place)]
                line[:] = _line_filled(line)
            if not np.isfinite(one).all():  # points that were never measured
                one[:] = [_filled(grid) for grid in one]
        lengths = found.shape[1:]
        for number in self.noisy:
            for axis, (corner, points) in enumerate(zip(self.corners(), lengths, strict=True)):
                found[number] = smoothed(found[number], axis, points / corner)
        return found

    @property
    def noisy(self) -> list[int]:
        """The fields whose noise is not too little to be taken off."""
        return np.flatnonzero(np.array(self.noises) > LEAST_NOISE * self.scales).tolist()

    def corners(self) -> tuple[int, ...]:
        """Along time and space, how many waves can be seen above noise."""
        return corner_frequencies(list(self.values), self.noises)


def smoothed(values: Float[np.ndarray, "*grid"], axis: int, wave: float) -> Float[np.ndarray, "*grid"]:
    """Values with the noise taken off that is shorter than a wave of so many points (Savitzky and Golay, 1964)."""
    half = min(int(wave / 2), (values.shape[axis] - 1) // 2)
    if 2 * half <= _DEGREE + 1:
        return values
    from scipy.signal import savgol_filter

    return savgol_filter(values, 2 * half + 1, _DEGREE, axis=axis)


def _spectrally_smoothed(
    values: Float[np.ndarray, "*grid"], series: Float[np.ndarray, " times *grid"], noise: float
) -> Float[np.ndarray, "*grid"]:
    """Values on a periodic domain, every wave weighted by the share S/(S + N) that is not noise (Wiener, 1949).

    The spectrum S + N is the mean over all times; what chance may make of noise there counts as noise.
    """
    axes = tuple(range(1, series.ndim))
    complete = series[np.isfinite(series).all(axis=axes)]
    seen = complete if len(complete) else values[None]
    spectrum = np.mean(np.abs(rfftn(seen, axes=axes)) ** 2, axis=0)
    share = 1 - noise**2 * values.size * (1 + 3 / np.sqrt(len(seen))) / np.maximum(spectrum, np.finfo(float).tiny)
    share.flat[0] = 1.0
    return irfftn(np.maximum(share, 0.0) * rfftn(values), s=values.shape)


def _filled(values: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """Gaps filled by straight lines between neighbours, the mean over axes."""
    gaps = ~np.isfinite(values)
    if not gaps.any():
        return values
    guesses = [np.apply_along_axis(_line_filled, axis, values) for axis in range(values.ndim)]
    known = np.isfinite(guesses)
    sums = np.where(known, guesses, 0.0).sum(axis=0)
    found = np.where(gaps, sums / np.maximum(known.sum(axis=0), 1), values)
    return np.where(known.any(axis=0), found, np.nanmean(values))


def _line_filled(line: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    known = np.flatnonzero(np.isfinite(line))
    return np.interp(np.arange(len(line)), known, line[known]) if len(known) else line


def period_points(measured: Measured) -> tuple[int, ...] | None:
    """Along every axis of space how many points make a period, or None where the fields do not go on around an end.

    They do where their second differences across the ends are like those beside the ends, but for noise; the last
    point may repeat the first.
    """
    found = []
    for axis, points in enumerate(measured.points):
        if len(points) <= 2 * (_NEAR + 1):
            return None  # too few to tell
        lines = [np.moveaxis(one, axis + 1, -1).reshape(-1, len(points)) for one in measured.values]
        counts = [count for count in (len(points), len(points) - 1) if _goes_around(lines, count, measured.noises)]
        if not counts:
            return None
        found.append(counts[-1] if _repeats(lines, measured.noises) else counts[0])
    return tuple(found)


def _goes_around(lines: Sequence[Float[np.ndarray, "lines points"]], count: int, noises: Sequence[float]) -> bool:
    for line, noise in zip(lines, noises, strict=True):
        ends = np.concatenate([line[:, count - _NEAR - 1 : count], line[:, : _NEAR + 1]], axis=1)
        bends = _mean_squares(np.diff(ends, n=2, axis=1))
        across, beside = bends[_NEAR - 1 : _NEAR + 1].max(), np.r_[bends[: _NEAR - 1], bends[_NEAR + 1 :]]
        chance = 6 * noise**2 * _by_chance(len(line))
        least = 9 * max(float(np.nan_to_num(beside).max()) - chance, 0.0) + (_JUMP * np.nanstd(line)) ** 2
        if not across <= chance + least:  # nor where nothing is known
            return False
    return True


def _repeats(lines: Sequence[Float[np.ndarray, "lines points"]], noises: Sequence[float]) -> bool:
    """Whether the last point of every line is the first once more, and not only by chance or for lack of change."""
    for line, noise in zip(lines, noises, strict=True):
        ends, next_to = _mean_squares(line[:, [-1, 1]] - line[:, [0]])
        chance = 2 * noise**2 * _by_chance(len(line))
        if not chance < next_to or not ends <= chance + 0.01 * (next_to - chance):
            return False
    return True


def _mean_squares(values: Float[np.ndarray, "lines points"]) -> Float[np.ndarray, " points"]:
    """Along the lines, over what is known; not a number where nothing is."""
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0) ** 2
    return np.where(known.any(axis=0), sums.sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def _by_chance(samples: int) -> float:
    """How many times its expectation a mean of so many squares of normal numbers may be."""
    return 1 + 4 / float(np.sqrt(2 * samples))
