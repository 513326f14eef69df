"""Fields that follow from equations and a start: ``simulate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from mechlearn.equations.data.fields import Field
from mechlearn.equations.equation import Equation
from mechlearn.equations.motion.domains import Measured, period_points
from mechlearn.equations.motion.evolution import Evolution
from mechlearn.equations.motion.finite_differences import DifferenceEquations, ImplicitSteps, Rim, pulls_near_ends
from mechlearn.equations.motion.spectral import ExponentialSteps, SpectralEquations, Waves
from mechlearn.equations.motion.trajectories import trajectory
from mechlearn.errors import InputError, WorkError

#: Explicit steps may be about so many, rate × duration, before implicit ones are the quicker.
_EXPLICIT = 2e4

#: Errors of steps that are no matter beside noise, as a share of it.
_OF_NOISE = 1e-4

#: The implicit steps' own estimate of their error is larger than the error by about so much.
_IMPLICIT = 10.0

#: Noisy measured values pull at the fields near an end at this rate, over the time between two measurements.
_PULL = 10.0


@dataclass(frozen=True)
class SimulationSettings:
    """How equations are followed in time.

    Attributes
    ----------
    boundary : {"auto", "periodic", "measured"}
        Whether the domain goes on around its ends, or measured values hold it at its rim; "auto" asks the data.
    tolerance : float
        The error of one step in time, in standard deviations of the fields; a small share of the noise where that is
        more.
    noise : float or None
        Standard deviation of the data's noise over that of the field; it is taken off the start.  Measured where None.
    most_steps : int
        After so many steps a simulation is given up.
    """

    boundary: Literal["auto", "periodic", "measured"] = "auto"
    tolerance: float = 1e-6
    noise: float | None = None
    most_steps: int = 50_000


@dataclass(frozen=True, eq=False)
class Simulation:
    """How far equations could be followed.

    Attributes
    ----------
    field : Field or None
        Up to where they could; None where that is nowhere.
    failure : str
        Why they could not be followed to the end; empty where they could.
    """

    field: Field | None
    failure: str = ""


def simulate(
    equations: Sequence[Equation],
    initial: Field,
    times: Float[np.ndarray, " times"] | None = None,
    settings: SimulationSettings = SimulationSettings(),
) -> Field:
    """Follow equations from the first time of measured fields.

    Parameters
    ----------
    equations
        ∂u/∂t of every field, once.
    initial
        Fields on a uniform grid in space (none for an ODE); one time is enough on a periodic domain and for an ODE.
    times
        At which the fields are wanted, rising, none before the first of ``initial``; its own where None.
    settings
        Boundary, tolerance.

    Returns
    -------
    Field
        At these times, on the grid of ``initial``; also where that has gaps.

    Raises
    ------
    InputError
        If equations and fields do not fit, or the grid is not uniform.
    WorkError
        If the equations cannot be followed to the last time.

    Examples
    --------
    Diffusion takes exp(−0.5 k² t) off a wave of wave number k = 1:

    >>> from mechlearn.equations.equation import Coefficient, Term
    >>> x = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    >>> start = Field({"u": np.sin(x)[:, None]}, {"x": x, "t": np.array([0.0])})
    >>> heat = Equation(Term("u_t"), (Coefficient(Term("u_xx"), 0.5),))
    >>> later = simulate([heat], start, np.array([0.0, 2.0]))
    >>> bool(np.allclose(later.values["u"][:, 1], np.exp(-1) * np.sin(x)))
    True
    """
    simulation = follow(equations, initial, times, settings)
    if simulation.failure or simulation.field is None:
        raise WorkError(f"simulating {', '.join(map(str, equations))}: {simulation.failure}")
    return simulation.field


def follow(
    equations: Sequence[Equation],
    initial: Field,
    times: Float[np.ndarray, " times"] | None = None,
    settings: SimulationSettings = SimulationSettings(),
) -> Simulation:
    """Follow equations as ``simulate`` does, as far as it goes; a failure is told, not raised.

    Parameters
    ----------
    equations, initial, times, settings
        As for ``simulate``.

    Raises
    ------
    InputError
        As for ``simulate``.
    """
    evolution = Evolution.of(equations, initial.names, initial.axes)
    measured = Measured.of(initial, settings.noise)
    noise = float((np.array(measured.noises) / measured.scales).max())
    settings = replace(settings, tolerance=max(settings.tolerance, _OF_NOISE * noise))
    begin = measured.at_start()
    wanted = measured.times[begin:] if times is None else np.asarray(times, dtype=float)
    if wanted[0] < measured.times[begin] or not (np.diff(wanted) > 0).all():
        raise InputError(
            f"simulating: the times wanted must rise from the first of the data, t = {measured.times[begin]:.4g}; "
            f"they begin with t = {wanted[0]:.4g}"
        )
    moments = wanted if wanted[0] == measured.times[begin] else np.append(measured.times[begin], wanted)
    found: list[Float[np.ndarray, " fields *grid"]] = []
    failure = ""
    try:
        for output in _outputs(evolution, measured, moments, settings):
            found.append(output)  # one by one: what came before a failure is kept
    except WorkError as error:
        failure = str(error)
    shown = slice(len(moments) - len(wanted), len(found))
    return Simulation(_field_of(initial, found[shown], moments[shown]), failure)


def _outputs(
    evolution: Evolution, measured: Measured, times: Float[np.ndarray, " times"], settings: SimulationSettings
) -> Iterator[Float[np.ndarray, " fields *grid"]]:
    """The fields at every time, the first of which is the start's."""
    if not measured.axes:
        start = measured.values[:, measured.at_start()]
        return trajectory(
            evolution, start, times.tolist(), measured.scales, measured.bounds, settings.tolerance, settings.most_steps
        )
    counts = _period(measured, settings)
    shape = measured.values.shape[2:]
    steps, periodic = measured.steps(), counts is not None
    measured = measured.cut(counts) if counts else measured
    start = measured.start(periodic)
    shortest = [np.pi / step for step in steps]
    duration = float(times[-1] - times[0])
    failure = evolution.ill_posed(start, shortest, duration)
    if failure:
        raise WorkError(failure)
    explicit = evolution.explicit_rate(start, shortest) * duration < _EXPLICIT
    method = _in_waves if periodic and explicit else _in_differences
    around = [(0, 0), *((0, whole - count) for whole, count in zip(shape, start.shape[1:], strict=True))]
    return (
        np.pad(output, around, mode="wrap") for output in method(evolution, measured, start, times, periodic, settings)
    )


def _period(measured: Measured, settings: SimulationSettings) -> tuple[int, ...] | None:
    """How many points make a period along every axis; None where the measured rim holds the fields."""
    match settings.boundary:
        case "periodic":
            return period_points(measured) or measured.values.shape[2:]
        case "measured":
            return None
        case _:
            return period_points(measured)


def _in_waves(
    evolution: Evolution,
    measured: Measured,
    start: Float[np.ndarray, " fields *grid"],
    times: Float[np.ndarray, " times"],
    periodic: bool,
    settings: SimulationSettings,
) -> Iterator[Float[np.ndarray, " fields *grid"]]:
    shape = start.shape[1:]
    waves = Waves(shape, tuple(points * step for points, step in zip(shape, measured.steps(), strict=True)))
    steps = ExponentialSteps(
        SpectralEquations.of(evolution, waves),
        measured.scales,
        measured.bounds,
        settings.tolerance,
        settings.most_steps,
    )
    return (waves.values(amplitudes, shape) for amplitudes in steps.outputs(waves.amplitudes(start), times.tolist()))


def _in_differences(
    evolution: Evolution,
    measured: Measured,
    start: Float[np.ndarray, " fields *grid"],
    times: Float[np.ndarray, " times"],
    periodic: bool,
    settings: SimulationSettings,
) -> Iterator[Float[np.ndarray, " fields *grid"]]:
    shape = start.shape[1:]
    equations = DifferenceEquations.of(evolution, shape, measured.steps(), periodic)
    if not periodic and times[-1] > measured.times[-1]:
        raise InputError(
            f"simulating until t = {times[-1]:.4g}: the domain is not periodic and its rim was measured until "
            f"t = {measured.times[-1]:.4g} only; end there, or say that the boundary is periodic"
        )
    rate = _PULL / float(np.diff(measured.times).mean()) if measured.noisy and not periodic else 0.0
    rim = Rim.of(equations.inside, pulls_near_ends(shape, rate), measured)
    tolerance = _IMPLICIT * settings.tolerance
    steps = ImplicitSteps(equations, rim, measured.scales, measured.bounds, tolerance, settings.most_steps)
    outputs = steps.outputs(start.reshape(len(start), -1), times.tolist())
    return (output.reshape(-1, *shape) for output in outputs)


def _field_of(
    initial: Field, found: Sequence[Float[np.ndarray, " fields *grid"]], times: Float[np.ndarray, " times"]
) -> Field | None:
    """Outputs as a field with the axes of the data."""
    if not len(times):
        return None
    values = np.stack(found, axis=1)
    named = {name: np.moveaxis(one, 0, initial.time_axis) for name, one in zip(initial.names, values, strict=True)}
    return Field(named, {**initial.coordinates, "t": times}, initial.units)
