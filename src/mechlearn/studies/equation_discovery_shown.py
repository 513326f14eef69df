"""What the report shows of one search: the path of the regularisation, the simulation, the residual, as plain numbers.

Maps are thinned and numbers rounded: they are looked at, not computed with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from mechlearn.equations import Discovery, Field
from mechlearn.equations.search.comparison import EquationComparison, compare_equations

#: At most so many points along an axis of a map, and of a curve.
_MAP_POINTS: Final = 128
_CURVE_POINTS: Final = 1000


def shown(clean: Field, field: Field, found: Discovery) -> dict[str, Any]:
    """All that the report shows of the equations found in a field.

    Parameters
    ----------
    clean
        The fields before noise was added: where the simulation begins, and what it is held against.
    field
        The fields as they were looked at.
    found
        Their equations.
    """
    tested = compare_equations(found.equations, field)
    simulated = tested if clean is field else compare_equations(found.equations, clean)
    panels = {"as looked at": field, "before noise": clean, "simulated": simulated.simulation}
    if clean is field:
        panels = {"measured": field, "simulated": simulated.simulation}
    kept = {name: each for name, each in panels.items() if each is not None}
    return {
        "path": [_path(found, number) for number in range(len(found.equations))],
        "simulation": _told(simulated, tested, clean.coordinates["t"]),
        "picture": _curves(clean, kept) if field.axes == ("t",) else _maps(clean, kept),
        "residual": None if tested.residual is None or field.axes == ("t",) else _residual(tested.residual),
    }


def _told(
    simulated: EquationComparison, tested: EquationComparison, times: Float[np.ndarray, " times"]
) -> dict[str, Any]:
    """How the simulation goes, from the clean start; and what is left over in the data that were looked at."""
    every = max(1, -(-len(times) // _CURVE_POINTS))
    return {
        "error": simulated.error,
        "horizon": simulated.horizon,
        "duration": float(times[-1] - times[0]),
        "failure": simulated.failure,
        "residual_share": tested.residual_share,
        "residual_square": tested.residual_square,
        "times": _rounded(times[::every]),
        "errors": _rounded(simulated.errors[::every]),
    }


def _path(found: Discovery, number: int) -> dict[str, Any]:
    """The best set of every size for one field, and the size that was chosen."""
    path = found.fits[number].path
    names = [term.name for term in found.terms]
    points = [
        {
            "size": int(size),
            "terms": ", ".join(names[place] for place in np.flatnonzero(support)),
            "criterion": float(criterion),
            "held_out_error": float(held_out),
        }
        for size, support, criterion, held_out in zip(
            path.sizes, path.supports, path.criterion, path.held_out_errors, strict=True
        )
    ]
    return {
        "lhs": found.equations[number].lhs.name,
        "chosen": len(found.equations[number].coefficients),
        "points": points,
    }


def _curves(clean: Field, panels: Mapping[str, Field]) -> dict[str, Any]:
    """All variables of a trajectory over time."""
    times = clean.coordinates["t"]
    every = max(1, -(-len(times) // _CURVE_POINTS))
    series = {}
    for name, each in panels.items():
        own = {variable: np.full(len(times), np.nan) for variable in clean.names}
        for variable, values in own.items():
            values[np.searchsorted(times, each.coordinates["t"])] = each.values[variable]
        series[name] = {variable: _rounded(values[::every]) for variable, values in own.items()}
    return {"kind": "curves", "times": _rounded(times[::every]), "series": series}


def _maps(clean: Field, panels: Mapping[str, Field]) -> dict[str, Any]:
    """The first field over space and time, or over the plane at the last time that all have."""
    name, coordinates = clean.names[0], clean.coordinates
    space = [axis for axis in clean.axes if axis != "t"]
    across, along = ("t", space[0]) if len(space) == 1 else (space[0], space[1])
    last = min(each.coordinates["t"][-1] for each in panels.values())
    maps = {}
    for title, each in panels.items():
        whole = np.full([len(points) for points in coordinates.values()], np.nan)
        place = [slice(None)] * whole.ndim
        place[clean.time_axis] = np.searchsorted(coordinates["t"], each.coordinates["t"])  # type: ignore[call-overload]
        whole[tuple(place)] = each.values[name]
        maps[title] = _plane(whole, clean, across, along, float(last))
    return {
        "kind": "maps",
        "quantity": name,
        "axes": [across, along],
        "time": None if across == "t" else float(last),
        "across": _rounded(_thinned(coordinates[across])),
        "along": _rounded(_thinned(coordinates[along])),
        "maps": {title: _rounded(values) for title, values in maps.items()},
    }


def _plane(
    values: Float[np.ndarray, "*grid"], field: Field, across: str, along: str, time: float
) -> Float[np.ndarray, "along across"]:
    """A field over two of its coordinates, thinned; of others the middle, of time what is asked for."""
    for axis in reversed(range(values.ndim)):
        name = field.axes[axis]
        if name not in (across, along):
            points = field.coordinates[name]
            at = int(np.argmin(np.abs(points - time))) if name == "t" else len(points) // 2
            values = np.take(values, at, axis=axis)
    if field.axes.index(across) < field.axes.index(along):
        values = values.T
    return _thinned(_thinned(values).T).T


def _residual(residual: Field) -> dict[str, Any]:
    """The residual of the first field's equation over the windows' middles."""
    name, coordinates = residual.names[0], residual.coordinates
    space = [axis for axis in residual.axes if axis != "t"]
    across, along = ("t", space[0]) if len(space) == 1 else (space[0], space[1])
    last = float(coordinates["t"][-1])
    return {
        "axes": [across, along],
        "time": None if across == "t" else last,
        "across": _rounded(_thinned(coordinates[across])),
        "along": _rounded(_thinned(coordinates[along])),
        "map": _rounded(_plane(residual.values[name], residual, across, along, last)),
    }


def _thinned(values: Shaped[np.ndarray, "points ..."]) -> Shaped[np.ndarray, "fewer ..."]:
    """Every so many points along the first axis."""
    return values[:: max(1, -(-len(values) // _MAP_POINTS))]


def _rounded(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Numbers to four significant digits: a page that holds thousands of them should be short."""
    with np.errstate(divide="ignore"):
        digits = 3 - np.floor(np.log10(np.abs(np.where(np.isfinite(values) & (values != 0), values, 1.0))))
    scale = 10.0**digits
    return np.round(values * scale) / scale
