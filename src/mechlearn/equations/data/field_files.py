"""Fields on a grid from files, and into them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from mechlearn.equations.data.array_files import NamedArrays, read_arrays
from mechlearn.equations.data.fields import Field
from mechlearn.equations.dimensions import unit_dimensions
from mechlearn.errors import InputError
from mechlearn.records import write_atomically

#: Coordinates that differ by less than this share of the largest are the same, written with rounding.
_SAME = 1e-9

#: A table that fills less than this share of the grid of its coordinates is not one of points on a grid.
_LEAST_FILLED = 0.25


def read_field(path: str | Path, units: Mapping[str, str] | None = None, axes: str | None = None) -> Field:
    """Read fields on a grid, or a trajectory, from a file.

    Parameters
    ----------
    path
        ``.csv`` (also ``.tsv``, ``.txt``, ``.dat``): a line a point, a column for the time ``t``, for every coordinate
        ``x``, ``y``, ``z`` and for every field; points that are missing are gaps.  ``.npz``, ``.mat``, ``.h5``: a
        vector for every coordinate, named by one letter, and arrays on the grid.  Where there is no space, every
        column or vector is a variable of a trajectory.  ``time`` is read as ``t``, ``v_x`` as ``vx``.
    units
        Of fields and coordinates, by name; they go before those in the file.
    axes
        The order of the arrays' axes, such as ``"xt"``, where their lengths do not tell it; the coordinates of a table
        where they are not x, y, z and t.

    Returns
    -------
    Field
        Axes in the order of the arrays; space before time where it is a table.

    Raises
    ------
    InputError
        If the file cannot be read, or its arrays do not fit on a grid.
    """
    return _read(read_arrays(path), units or {}, axes)


def write_field(path: str | Path, field: Field) -> Path:
    """Write fields to a ``.npz`` that ``read_field`` reads, units and order of axes included.

    Raises
    ------
    InputError
        If the file has another ending.
    WorkError
        If it cannot be written.
    """
    path = require_npz(path)
    words: dict[str, Any] = {
        "axes": "".join(field.axes),
        "units": np.array([f"{name}={unit}" for name, unit in field.units.items()], dtype=str),
    }
    stream = io.BytesIO()
    np.savez(stream, **{**words, **field.coordinates, **field.values})
    return write_atomically(path, stream.getvalue())


def require_npz(path: str | Path) -> Path:
    """The path, if fields can be written to it: known before they are computed.

    Raises
    ------
    InputError
        If it has another ending.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"writing {path}: fields are written as .npz; give a name with that ending")
    return path


def _read(arrays: NamedArrays, units: Mapping[str, str], axes: str | None) -> Field:
    said = {field_name(name): unit for name, unit in {**arrays.units, **units}.items()}
    names: dict[str, str] = {}
    for name in arrays.values:
        if field_name(name) in names:
            raise InputError(f"reading {arrays.path}: {names[field_name(name)]} and {name} are the same name; keep one")
        names[field_name(name)] = name
    if "t" not in names:
        raise InputError(f"reading {arrays.path}: no t among {_listed(arrays)}; name the times 't'")
    if arrays.first_line is not None:
        values, coordinates = _of_table(arrays, names, axes)
    else:
        values, coordinates = _of_grids(arrays, names, axes)
    wanted = {field_name(name) for name in units} - {*values, *coordinates}
    if wanted:
        raise InputError(
            f"reading {arrays.path}: a unit is given for {', '.join(sorted(wanted))}, but the file has "
            f"{', '.join((*coordinates, *values))}; give one of these"
        )
    kept = {name: unit for name, unit in said.items() if name in values or name in coordinates}
    for name, unit in kept.items():
        try:
            unit_dimensions(unit)
        except InputError as error:
            raise InputError(f"reading {arrays.path}: {name}: {error}") from None
    try:
        return Field(values, coordinates, kept)
    except InputError as error:
        raise InputError(str(error).replace("reading fields", f"reading {arrays.path}")) from None


def field_name(name: str) -> str:
    """What a field or coordinate of a file is called: ``time`` is t, ``usol`` is u, and ``v_x``, a derivative's, vx.

    Examples
    --------
    >>> [field_name(name) for name in ("time", "usol", "v_x")]
    ['t', 'u', 'vx']
    """
    return "t" if name.lower() == "time" else name.replace("_", "").removesuffix("sol") or name


_Grids = tuple[dict[str, Float[np.ndarray, "..."]], dict[str, Float[np.ndarray, " points"]]]


def _of_grids(arrays: NamedArrays, names: Mapping[str, str], axes: str | None) -> _Grids:
    """Vectors named by a letter are coordinates, arrays on their grid fields; without these, a trajectory."""
    shapes = {name: arrays.values[own].shape for name, own in names.items()}
    if len(shapes["t"]) != 1:
        raise InputError(f"reading {arrays.path}: t is no vector among {_listed(arrays)}; give every time once")
    grids = [name for name, shape in shapes.items() if len(shape) > 1]
    if not grids:
        vectors = {name: arrays.numbers(names[name]) for name, shape in shapes.items() if shape == shapes["t"]}
        times = {"t": vectors.pop("t")}
        if not vectors:
            raise InputError(f"reading {arrays.path}: no array on the grid of t among {_listed(arrays)}; add a field")
        return vectors, times
    lengths = {name: shape[0] for name, shape in shapes.items() if len(name) == 1 and len(shape) == 1}
    said = tuple(field_name(axis) for axis in axes or arrays.axes.get("", ()))
    orders = {}
    for name in grids:
        own = said or tuple(map(field_name, arrays.axes.get(names[name], ())))
        order = _order(arrays, name, shapes[name], lengths, own)
        if order:
            orders[name] = order
    if not orders:
        raise InputError(
            f"reading {arrays.path}: no array fits on the grid of {', '.join(f'{n} ({k})' for n, k in lengths.items())}"
            f" among {_listed(arrays)}; give one axis for every coordinate (and columns of a trajectory one by one)"
        )
    first = max(orders.values(), key=len)
    if said and first != said:
        raise InputError(
            f"reading {arrays.path}: the order of axes {''.join(said)} does not fit {_listed(arrays)}; "
            f"{''.join(first)} does"
        )
    values = {
        name: np.transpose(arrays.numbers(names[name]), [order.index(axis) for axis in first])
        for name, order in orders.items()
        if set(order) == set(first)
    }
    return values, {axis: arrays.numbers(names[axis]) for axis in first}


def _order(
    arrays: NamedArrays, name: str, shape: tuple[int, ...], lengths: Mapping[str, int], said: tuple[str, ...]
) -> tuple[str, ...]:
    """Which coordinate each axis of an array belongs to; none where it does not fit, or has no axis of time."""
    fitting = [
        order
        for order in permutations(sorted(lengths, key=lambda axis: (axis == "t", axis)), len(shape))
        if "t" in order and all(lengths[axis] == length for axis, length in zip(order, shape, strict=True))
    ]
    if said in fitting:
        return said
    if len(fitting) > 1:
        choices = " or ".join("".join(order) for order in fitting[:2])
        raise InputError(
            f"reading {arrays.path}: {name} has the shape {_shape(shape)}, which fits its axes in several orders; "
            f"say which (axes, --axes, or the word 'axes' in the file), such as {choices}"
        )
    return fitting[0] if fitting else ()


def _of_table(arrays: NamedArrays, names: Mapping[str, str], axes: str | None) -> _Grids:
    """A grid from lines of points; points that are missing are gaps."""
    columns = {name: arrays.numbers(own) for name, own in names.items()}
    chosen = _coordinates(arrays, columns, axes)
    levels = {axis: _levels(arrays, axis, columns[axis]) for axis in chosen}
    shape = tuple(len(points) for points, _ in levels.values())
    lines = len(columns["t"])
    grid = " × ".join(f"{length} {axis}" for axis, length in zip(chosen, shape, strict=True))
    if lines < _LEAST_FILLED * np.prod(shape, dtype=float):
        raise InputError(
            f"reading {arrays.path}: its {lines} lines are not points of a grid: their coordinates would make "
            f"{grid} points; interpolate to a grid, and name no field x, y or z"
        )
    where = np.ravel_multi_index(tuple(at for _, at in levels.values()), shape)
    counts = np.bincount(where, minlength=int(np.prod(shape)))
    if counts.max() > 1:
        first, second = (np.flatnonzero(where == counts.argmax())[:2] + (arrays.first_line or 0)).tolist()
        raise InputError(
            f"reading {arrays.path}: lines {first} and {second} have the same {', '.join(chosen)}; keep one of each, "
            "and name the places x, y, z"
        )
    values = {}
    for name, column in columns.items():
        if name not in chosen:
            gridded = np.full(counts.size, np.nan)
            gridded[where] = column
            values[name] = gridded.reshape(shape)
    return values, {axis: points for axis, (points, _) in levels.items()}


def _coordinates(
    arrays: NamedArrays, columns: Mapping[str, Shaped[np.ndarray, " lines"]], axes: str | None
) -> Sequence[str]:
    """Those asked for; else time alone where every line has its own, else time and those of x, y, z that vary."""
    if axes is not None:
        missing = [axis for axis in axes if axis not in columns]
        if missing:
            raise InputError(f"reading {arrays.path}: no column {', '.join(missing)} among {_listed(arrays)}")
        return tuple(axes)
    times = columns["t"]
    if len(np.unique(times)) == len(times):
        return ("t",)
    return (*(axis for axis in "xyz" if axis in columns and np.ptp(columns[axis]) != 0), "t")


def _levels(
    arrays: NamedArrays, axis: str, column: Float[np.ndarray, " lines"]
) -> tuple[Float[np.ndarray, " points"], Int[np.ndarray, " lines"]]:
    """The values that a coordinate takes, and which one it has on every line."""
    bad = np.flatnonzero(~np.isfinite(column))
    if len(bad):
        raise InputError(f"reading {arrays.path}, line {int(bad[0]) + (arrays.first_line or 0)}: no {axis}; give it")
    values = np.unique(column)
    apart = np.diff(values, prepend=-np.inf) > _SAME * np.abs(values).max(initial=0.0)
    points = values[apart]
    return points, np.searchsorted(points, column, side="right") - 1


def _listed(arrays: NamedArrays) -> str:
    if arrays.first_line is not None:
        return f"the columns {', '.join(arrays.values)}"
    return ", ".join(f"{name} ({_shape(array.shape)})" for name, array in arrays.values.items()) or "no arrays at all"


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a number"
