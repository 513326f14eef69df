"""Fields on a grid of space and time; ``field_files`` reads them from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as member

import numpy as np
from jaxtyping import Float

from mechlearn.errors import InputError

_NAME = re.compile(r"[^\W\d_][^\W_]*")


@dataclass(frozen=True, eq=False)
class Field:
    """Fields on one grid; an axis of the arrays for every coordinate, in their order.

    Attributes
    ----------
    values : mapping of str to array
        By name; NaN where nothing was measured.
    coordinates : mapping of str to (points,)
        By name, one letter each, time is ``t``; rising.
    units : mapping of str to str
        Of fields and coordinates, where known.

    Raises
    ------
    InputError
        If shapes do not fit, a name cannot be used, or a field has no number.

    Examples
    --------
    >>> x, t = np.linspace(0, 1, 5), np.linspace(0, 2, 9)
    >>> field = Field({"u": np.outer(x, t)}, {"x": x, "t": t}, {"u": "m/s"})
    >>> field.axes, field.names, field.time_axis
    (('x', 't'), ('u',), 1)
    """

    values: Mapping[str, Float[np.ndarray, "*grid"]]
    coordinates: Mapping[str, Float[np.ndarray, " points"]]
    units: Mapping[str, str] = member(default_factory=dict)

    def __post_init__(self) -> None:
        shape = tuple(len(points) for points in self.coordinates.values())
        if "t" not in self.coordinates:
            raise InputError(f"reading fields: no coordinate t among {', '.join(self.coordinates)}; name time 't'")
        for name, points in self.coordinates.items():
            if len(name) != 1 or not name.isalpha():
                raise InputError(f"reading fields: the coordinate {name!r} must be named by one letter")
            falls = np.flatnonzero(~(np.diff(points) > 0))  # a NaN neither rises nor falls
            if len(falls):
                first, second = points[falls[0] : falls[0] + 2]
                raise InputError(
                    f"reading fields: the coordinate {name} does not rise from {first:.6g} to {second:.6g} (points "
                    f"{falls[0]} and {falls[0] + 1}); sort it"
                )
        if not self.values:
            raise InputError(f"reading fields: none beside {', '.join(self.coordinates)}; add what was measured there")
        for name, values in self.values.items():
            if not _NAME.fullmatch(name) or name in self.coordinates:
                raise InputError(
                    f"reading fields: {name!r} cannot name a field; use letters, then digits, no coordinate"
                )
            if values.shape != shape:
                raise InputError(
                    f"reading fields: {name} has the shape {values.shape}, its coordinates "
                    f"{', '.join(self.coordinates)} make {shape}; give one axis for every coordinate, in order"
                )
            if not np.isfinite(values).any():
                raise InputError(f"reading fields: {name} has no number anywhere; leave it out")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(self.values)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the coordinates, in the order of the arrays' axes."""
        return tuple(self.coordinates)

    @property
    def time_axis(self) -> int:
        """Which axis is time."""
        return self.axes.index("t")

    def steps(self) -> tuple[float, ...]:
        """The spacing along every axis.

        Raises
        ------
        InputError
            If a coordinate is not uniform.
        """
        return tuple(uniform_step(name, points) for name, points in self.coordinates.items())

    def require_change(self) -> None:
        """Refuse a field that is the same at all points: nothing is to be found out from it.

        Raises
        ------
        InputError
            If there is one.
        """
        for name, values in self.values.items():
            if np.nanmax(values) == np.nanmin(values):
                raise InputError(f"reading fields: {name} has the same value everywhere; leave it out")

    def require_complete(self) -> None:
        """Refuse gaps, with the place of the first.

        Raises
        ------
        InputError
            If a value is not finite.
        """
        for name, values in self.values.items():
            gaps = np.argwhere(~np.isfinite(values))
            if len(gaps):
                place = ", ".join(
                    f"{axis} = {points[at]:.4g}"
                    for (axis, points), at in zip(self.coordinates.items(), gaps[0], strict=True)
                )
                raise InputError(
                    f"{name} is not a number at {len(gaps)} of {values.size} points, first at {place}; "
                    "fill them, or use the weak form, which goes on without them"
                )


def uniform_step(name: str, points: Float[np.ndarray, " points"]) -> float:
    """The spacing of a coordinate.

    Raises
    ------
    InputError
        If it is not the same from point to point.
    """
    steps = np.diff(points)
    worst = int(np.argmax(np.abs(steps - steps.mean())))
    if abs(steps[worst] - steps.mean()) > 1e-3 * steps.mean():
        raise InputError(
            f"the grid along {name} is not uniform: a step of {steps[worst]:.4g} at {name} = {points[worst]:.4g}, "
            f"the mean is {steps.mean():.4g}; interpolate the fields to a uniform grid"
        )
    return float(steps.mean())
