"""Arrays by name out of a file: tables of columns (CSV and its relatives), .npz, .mat and HDF5."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as member
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from mechlearn.errors import InputError, installation

if TYPE_CHECKING:
    import h5py
    import pyarrow as pa

#: Endings of tables, whose columns are told apart by commas, semicolons, tabs or blanks.
TABLES = (".csv", ".dat", ".tsv", ".txt")

#: ``u [m/s]`` or ``u (m/s)``.
_NAME_WITH_UNIT = re.compile(r"(?P<name>[^\[(]*?)\s*(?:\[(?P<brackets>.*)\]|\((?P<parentheses>.*)\))")
_BAD_CELL = re.compile(r"column #(?P<column>\d+): Row #(?P<line>\d+): .* invalid value '(?P<found>.*)'", re.DOTALL)
_BAD_LINE = re.compile(r"Row #(?P<line>\d+): Expected (?P<wanted>\d+) columns, got (?P<found>\d+)")

_Values = dict[str, Shaped[np.ndarray, "..."]]


@dataclass(frozen=True, eq=False)
class NamedArrays:
    """What a file holds.

    Attributes
    ----------
    path : Path
        The file.
    values : mapping of str to array
        Numbers by name, without axes of length one; columns of words too where it is a table.
    units : mapping of str to str
        Where the file tells them.
    axes : mapping of str to tuple of str
        The names of an array's axes, where the file tells them; under ``""`` those of all arrays.
    first_line : int or None
        The line on which the numbers of a table begin; None where it is none.
    """

    path: Path
    values: Mapping[str, Shaped[np.ndarray, "..."]]
    units: Mapping[str, str] = member(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = member(default_factory=dict)
    first_line: int | None = None

    def numbers(self, name: str) -> Shaped[np.ndarray, "..."]:
        """One array as real numbers.

        Raises
        ------
        InputError
            If something in it is not a real number; said where.
        """
        values = np.asarray(self.values[name])
        if values.dtype.kind == "c":
            if np.abs(values.imag).max(initial=0.0) > 1e-4 * np.abs(values.real).max(initial=0.0):
                raise InputError(
                    f"reading {self.path}: {name} is complex; store its real and imaginary parts as two fields"
                )
            values = values.real
        if values.dtype.kind in "biuf":
            return values.astype(float)
        place, found = next((at, word) for at, word in enumerate(values.ravel().tolist()) if not _is_number(word))
        where = f", line {self.first_line + place}" if self.first_line is not None else ""
        raise InputError(
            f"reading {self.path}{where}: {name} is {found!r}, which is no number; mend it or leave {name} out"
        )


def read_arrays(path: str | Path) -> NamedArrays:
    """Read all arrays of a file, by name.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt``, ``.dat``: a line of names, each with its unit in brackets if it has one, and
        columns.  ``.npz``, ``.mat`` (version 7.3 too), ``.h5``, ``.hdf5``: arrays; of groups within groups the last
        part of the name counts.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "samples.csv"
    >>> _ = path.write_text("t [s], u [m/s]\\n0, 1.5\\n1, 2.5\\n")
    >>> arrays = read_arrays(path)
    >>> arrays.units, arrays.values["u"].tolist()
    ({'t': 's', 'u': 'm/s'}, [1.5, 2.5])
    """
    path = Path(path)
    ending = path.suffix.lower()
    readers = {".npz": _read_npz, ".mat": _read_mat, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    readers |= dict.fromkeys(TABLES, _read_table)
    if not path.is_file():
        raise InputError(f"reading {path}: there is no file of that name; check the path")
    if ending not in readers:
        raise InputError(f"reading {path}: its ending is {ending or 'none'}; give one of {', '.join(sorted(readers))}")
    try:
        return readers[ending](path)
    except UnicodeDecodeError as error:
        raise InputError(f"reading {path}: byte {error.start} is not UTF-8; save the table as 'CSV UTF-8'") from error
    except (OSError, ValueError, NotImplementedError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"reading {path}: it is no whole {ending} file ({reason}); write it again") from error


def _read_npz(path: Path) -> NamedArrays:
    if not zipfile.is_zipfile(path):
        raise ValueError("no archive of arrays")
    with np.load(path, allow_pickle=False) as file:
        return _of_values(path, {name: file[name] for name in file.files})


def _read_mat(path: Path) -> NamedArrays:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, simplify_cells=True)
    except NotImplementedError:  # version 7.3, which is HDF5 with the axes turned round
        return _read_hdf5(path)
    except MatReadError as error:
        raise ValueError(str(error)) from error
    found: dict[str, tuple[str, Any]] = {}
    _flatten(path, content, "", found)
    return _of_values(path, {name: np.asarray(values) for name, (_, values) in found.items()})


def _flatten(path: Path, content: Mapping[str, Any], prefix: str, found: dict[str, tuple[str, Any]]) -> None:
    """The fields of structures within structures by their own names."""
    for name, values in content.items():
        if isinstance(values, Mapping):
            _flatten(path, values, f"{prefix}{name}.", found)
        elif not name.startswith("__"):
            _once(path, name, f"{prefix}{name}", values, found)


def _once(path: Path, name: str, place: str, values: Any, found: dict[str, tuple[str, Any]]) -> None:
    if name in found:
        raise InputError(
            f"reading {path}: {name} is there twice, as {found[name][0]} and {place}; keep one in a file of its own"
        )
    found[name] = (place, values)


def _read_hdf5(path: Path) -> NamedArrays:
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"reading {path} needs h5py: {installation('equations')}") from error
    found: dict[str, tuple[str, Any]] = {}

    def take(place: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset) and not place.startswith("#"):
            _once(path, place.rpartition("/")[2], place, entry, found)

    with h5py.File(path, "r") as file:
        file.visititems(take)
        datasets = {name: dataset for name, (_, dataset) in found.items()}
        values = {name: _hdf5_values(dataset) for name, dataset in datasets.items()}
        values |= {name: np.asarray(_text(file.attrs[name])) for name in ("axes", "units") if name in file.attrs}
        units = {name: _text(dataset.attrs["units"]) for name, dataset in datasets.items() if "units" in dataset.attrs}
        axes = {name: _hdf5_axes(dataset) for name, dataset in datasets.items()}
    arrays = _of_values(path, values)
    said = {name: names for name, names in axes.items() if names and all(names)}
    return NamedArrays(path, arrays.values, {**units, **arrays.units}, {**said, **arrays.axes})


def _hdf5_values(dataset: h5py.Dataset) -> Shaped[np.ndarray, "..."]:
    """Numbers as they are; what MATLAB wrote is turned back, its complex numbers and words put together."""
    values = np.asarray(dataset.asstr()[()] if dataset.dtype.kind == "O" else dataset[()])
    if "MATLAB_class" not in dataset.attrs:
        return values
    if _text(dataset.attrs["MATLAB_class"]) == "char":
        return np.asarray("".join(map(chr, values.ravel().tolist())))
    if values.dtype.names == ("real", "imag"):
        values = values["real"] + 1j * values["imag"]
    return values.T


def _hdf5_axes(dataset: h5py.Dataset) -> tuple[str, ...]:
    """The names of a dataset's dimensions: their labels, or the scales attached to them (as netCDF has it)."""
    names = []
    for dimension in dataset.dims:
        scale = str(dimension[0].name).rpartition("/")[2] if len(dimension) else ""
        names.append(dimension.label or scale)
    return tuple(names)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value


def _of_values(path: Path, values: _Values) -> NamedArrays:
    """Take out the words ``axes`` (such as ``xt``) and ``units`` (such as ``u=m/s``), keep the numbers."""
    said = values.get("axes")
    axes = {"": tuple(str(said))} if said is not None and said.dtype.kind in "US" else {}
    words = np.atleast_1d(values["units"]).tolist() if "units" in values else []
    units = dict(word.split("=", 1) for word in words if isinstance(word, str) and "=" in word)
    numbers = {name: np.squeeze(array) for name, array in values.items() if array.dtype.kind in "iufc"}
    return NamedArrays(path, numbers, units, axes)


@dataclass(frozen=True)
class _Head:
    """What the first lines of a table say."""

    names: tuple[str, ...]
    units: Mapping[str, str]
    delimiter: str
    skipped: int
    decimal_point: str


def _read_table(path: Path) -> NamedArrays:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    head = _read_head(path)
    if head.delimiter == " ":
        return _read_blank_table(path, head)
    try:
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(use_threads=False, skip_rows=head.skipped, column_names=list(head.names)),
            arrow_csv.ParseOptions(delimiter=head.delimiter),
            arrow_csv.ConvertOptions(decimal_point=head.decimal_point),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"reading {path}{_place_in_table(str(error), head)}") from error
    values = {name: _column(table.column(name)) for name in head.names}
    return NamedArrays(path, values, head.units, first_line=head.skipped + 1)


def _read_blank_table(path: Path, head: _Head) -> NamedArrays:
    """Columns with any number of blanks between them."""
    try:
        table = np.loadtxt(path, skiprows=head.skipped, ndmin=2, encoding="utf-8-sig")
    except ValueError as error:
        raise InputError(f"reading {path}: {str(error).split(';')[0]} below line {head.skipped}; mend it") from error
    if table.shape[1] != len(head.names):
        raise InputError(
            f"reading {path}: {len(head.names)} names ({', '.join(head.names)}) for {table.shape[1]} columns; "
            "give a name for every column, without blanks"
        )
    values = dict(zip(head.names, table.T.copy(), strict=True))
    return NamedArrays(path, values, head.units, first_line=head.skipped + 1)


def _read_head(path: Path) -> _Head:
    """The line of names (the last comment, where numbers follow it) and how columns are told apart."""
    comment, first, second, skipped = "", "", "", 0
    with path.open(encoding="utf-8-sig") as stream:
        for line in stream:
            text = line.strip()
            if first and text:
                second = text
                break
            skipped += not first
            if text.startswith(("#", "%")):
                comment = text.lstrip("#% ")
            elif text:
                first = text
    delimiter = next((sign for sign in "\t;," if sign in (comment if _is_numbers(first) else first)), " ")
    if _is_numbers(first):
        if not comment:
            raise InputError(f"reading {path}: line {skipped} is numbers; begin with a line of names, such as t,x,u")
        first, second, skipped = comment, first, skipped - 1
    if not second:
        raise InputError(f"reading {path}: it holds no numbers; give a line of names, then numbers")
    words = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True)) if delimiter != " " else first.split()
    matches = [_NAME_WITH_UNIT.fullmatch(word.strip()) for word in words]
    names = tuple(match["name"] if match else word.strip() for match, word in zip(matches, words, strict=True))
    units = {match["name"]: match["brackets"] or match["parentheses"] for match in matches if match}
    for name in names:
        if not name or names.count(name) > 1:
            raise InputError(
                f"reading {path}: {name or 'an empty name'} heads {names.count(name)} columns; name each once"
            )
    comma = delimiter in "\t;" and "," in second and "." not in second
    return _Head(names, {name: unit for name, unit in units.items() if unit}, delimiter, skipped, "," if comma else ".")


def _column(column: pa.ChunkedArray) -> Shaped[np.ndarray, " lines"]:
    """Numbers, NaN where a cell is empty; or words."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy())
    return np.array([str(word) for word in column.to_pylist()])


def _place_in_table(message: str, head: _Head) -> str:
    """What is wrong with a table and on which line, in our words."""
    if match := _BAD_CELL.search(message):
        name = head.names[int(match["column"])]
        return f", line {match['line']}: {name} is {match['found']!r}, which is no number; mend it or leave {name} out"
    if match := _BAD_LINE.search(message):
        return f", line {match['line']}: {match['found']} values for {match['wanted']} columns; mend that line"
    return f": {message.splitlines()[0]}; it needs a line of names, then numbers"


def _is_numbers(line: str) -> bool:
    words = [word for word in re.split(r"[\s;,]+", line) if word]
    return bool(words) and all(map(_is_number, words))


def _is_number(word: object) -> bool:
    try:
        float(str(word))
    except ValueError:
        return False
    return True
