"""Fields on a grid, and the files they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as member
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from mechlearn.errors import InputError, installation

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
        If shapes do not fit, a name cannot be used, or a field does not change.

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
            if not (np.diff(points) > 0).all():
                raise InputError(f"reading fields: the coordinate {name} does not rise from point to point; sort it")
        if not self.values:
            raise InputError("reading fields: there is none; give at least one array on the grid")
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
            if not np.isfinite(values).any() or np.nanmax(values) == np.nanmin(values):
                raise InputError(f"reading fields: {name} has the same value everywhere; leave it out")

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
        found = []
        for name, points in self.coordinates.items():
            steps = np.diff(points)
            worst = int(np.argmax(np.abs(steps - steps.mean())))
            if abs(steps[worst] - steps.mean()) > 1e-3 * steps.mean():
                raise InputError(
                    f"the grid along {name} is not uniform: a step of {steps[worst]:.4g} at {name} = "
                    f"{points[worst]:.4g}, the mean is {steps.mean():.4g}; interpolate the fields to a uniform grid"
                )
            found.append(float(steps.mean()))
        return tuple(found)

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


def read_field(path: str | Path, units: Mapping[str, str] | None = None) -> Field:
    """Read fields on a grid from a file.

    Parameters
    ----------
    path
        ``.npz``, ``.mat`` (up to version 7.2) or ``.h5``/``.hdf5``: a vector for every coordinate, named by one letter
        with time as ``t``, and arrays on the grid.  ``.csv``: a column for every coordinate and field, a line a point.
    units
        Of fields and coordinates, by name.

    Returns
    -------
    Field
        Axes in the order in which the arrays' shape fits the coordinates, space before time where both do.

    Raises
    ------
    InputError
        If the file cannot be read, or its arrays do not fit on a grid.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"reading fields: there is no file {path}")
    readers = {".mat": _read_mat, ".npz": _read_npz, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    if path.suffix.lower() == ".csv":
        return _from_table(path, units or {})
    if path.suffix.lower() not in readers:
        raise InputError(f"reading {path}: {path.suffix or 'no ending'} is not one of .csv, .h5, .hdf5, .mat, .npz")
    try:
        arrays = readers[path.suffix.lower()](path)
    except (OSError, ValueError, NotImplementedError, KeyError) as error:
        raise InputError(f"reading {path}: {error}; is it a {path.suffix} file?") from error
    return _from_arrays(path, arrays, units or {})


def _read_mat(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return {name: values for name, values in loadmat(path).items() if not name.startswith("_")}
    except MatReadError as error:
        raise ValueError(str(error)) from error


def _read_npz(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_hdf5(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"reading {path} needs h5py: {installation('equations')}") from error
    with h5py.File(path, "r") as file:
        return {name: np.asarray(values) for name, values in file.items() if hasattr(values, "shape")}


def _from_arrays(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]], units: Mapping[str, str]) -> Field:
    """Tell coordinates (vectors named by a letter) from fields; the name ``usol`` becomes ``u``."""
    vectors = {
        name: np.asarray(values, dtype=float).ravel()
        for name, values in arrays.items()
        if len(name) == 1 and values.size == max(values.shape, default=0) > 1
    }
    grids = {
        name.removesuffix("sol"): np.real(values).astype(float)
        for name, values in arrays.items()
        if name not in vectors and values.size > 1 and values.size > max(values.shape)
    }
    if "t" not in vectors:
        raise InputError(f"reading {path}: no vector t among {', '.join(arrays)}; name the times 't'")
    if not grids:  # trajectories: every other vector of the length of t is a variable
        grids = {name: values for name, values in vectors.items() if name != "t" and len(values) == len(vectors["t"])}
        vectors = {"t": vectors["t"]}
    if not grids:
        raise InputError(f"reading {path}: no array on the grid of {', '.join(vectors)}")
    shape = next(iter(grids.values())).shape
    axes = _axes_of_shape(path, shape, vectors)
    return Field(grids, {name: vectors[name] for name in axes}, units)


def _axes_of_shape(
    path: Path, shape: tuple[int, ...], vectors: Mapping[str, Float[np.ndarray, " points"]]
) -> list[str]:
    """Which coordinate each axis belongs to, by its length."""
    left, axes = sorted(vectors, key=lambda name: (name == "t", name)), []
    for length in shape:
        fitting = [name for name in left if len(vectors[name]) == length]
        if not fitting:
            lengths = ", ".join(f"{name} {len(points)}" for name, points in vectors.items())
            raise InputError(
                f"reading {path}: an array of shape {shape} does not fit the coordinates' lengths: {lengths}"
            )
        axes.append(fitting[0])
        left.remove(fitting[0])
    return axes


def _from_table(path: Path, units: Mapping[str, str]) -> Field:
    """A grid from lines of points; points that are missing are gaps."""
    try:
        table = np.atleast_1d(np.genfromtxt(path, delimiter=",", names=True, dtype=float, encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"reading {path}: {error}; it needs a line of names, then numbers") from error
    names = list(table.dtype.names or ())
    if "t" not in names:
        raise InputError(f"reading {path}: no column t among {', '.join(names)}; name the times 't'")
    coordinates = [
        name for name in names if name == "t" or (name in "xyz" and len(np.unique(table[name])) < len(table))
    ]
    if len(np.unique(table["t"])) == len(table):
        coordinates = ["t"]
    axes = sorted(coordinates, key=lambda name: (name == "t", name))
    places = [np.unique(table[name], return_inverse=True) for name in axes]
    shape = tuple(len(points) for points, _ in places)
    where = np.ravel_multi_index(tuple(at for _, at in places), shape)
    if len(np.unique(where)) < len(where):
        raise InputError(f"reading {path}: two lines have the same {', '.join(axes)}; keep one of each")
    values = {}
    for name in names:
        if name not in axes:
            grid = np.full(int(np.prod(shape)), np.nan)
            grid[where] = table[name]
            values[name] = grid.reshape(shape)
    return Field(values, {name: points for name, (points, _) in zip(axes, places, strict=True)}, units)
