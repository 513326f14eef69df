"""FitSNAP's JSON: one configuration a file, one folder a group.

A file is an optional ``#`` comment line and an object Dataset → Data → one object with NumAtoms, Lattice,
Energy, Stress, AtomTypes, Positions and Forces.  Rows of ``Lattice`` are the lattice vectors.  Its stress is
a pressure, positive in compression, in the unit that ``StressStyle`` names; ours is its negative in eV/Å³.
A stress that is zero in all nine places is how these files say "no label", so it is read as NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Float

from mechlearn.errors import InputError
from mechlearn.structures.batch import StructureBatch
from mechlearn.units import EV_PER_CUBIC_ANGSTROM_PER_BAR, GPA_PER_EV_PER_CUBIC_ANGSTROM

_PASCAL: Final = EV_PER_CUBIC_ANGSTROM_PER_BAR / 1e5
_BOHR: Final = 0.529177210903
_HARTREE: Final = 27.211386245988

#: The units that a file may name for each quantity, in ours (Å, eV, eV/Å, eV/Å³).
UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "LatticeStyle": {"angstrom": 1.0, "bohr": _BOHR, "nanometer": 10.0},
    "PositionsStyle": {"angstrom": 1.0, "bohr": _BOHR, "nanometer": 10.0},
    "EnergyStyle": {"electronvolt": 1.0, "ev": 1.0, "hartree": _HARTREE},
    "ForcesStyle": {"electronvoltperangstrom": 1.0, "evperangstrom": 1.0, "hartreeperbohr": _HARTREE / _BOHR},
    "StressStyle": {
        "bar": EV_PER_CUBIC_ANGSTROM_PER_BAR,
        "kbar": 1e3 * EV_PER_CUBIC_ANGSTROM_PER_BAR,
        "kilobar": 1e3 * EV_PER_CUBIC_ANGSTROM_PER_BAR,
        "pascal": _PASCAL,
        "megapascal": 1e6 * _PASCAL,
        "gpa": 1.0 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
        "gigapascal": 1.0 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
        "atmosphere": 1.01325 * EV_PER_CUBIC_ANGSTROM_PER_BAR,
        "electronvoltpercubicangstrom": 1.0,
    },
}
_DEFAULT_STYLE: Final = {
    "LatticeStyle": "angstrom",
    "PositionsStyle": "angstrom",
    "EnergyStyle": "electronvolt",
    "ForcesStyle": "electronvoltperangstrom",
    "StressStyle": "bar",
}
#: Row and column of each Voigt component: xx, yy, zz, yz, xz, xy.
_VOIGT: Final = (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1]))
_NO_PRESSURE: Final = np.full((3, 3), np.nan)
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, eq=False)
class _Configuration:
    """One configuration as it stands in a file, in our units; labels that the file does not have are None."""

    path: Path
    name: str
    cell: Float[np.ndarray, "3 3"]
    species: list[int]
    positions: Float[np.ndarray, "atoms 3"]
    energy: float | None
    forces: Float[np.ndarray, "atoms 3"] | None
    pressure: Float[np.ndarray, "3 3"] | None


# ---------------------------------------------------------------------- reading


def natural_key(path: str) -> list[tuple[int, int, str]]:
    """A sorting key that puts ``Liq_2`` before ``Liq_10``.

    Examples
    --------
    >>> sorted(["Liq_10", "Liq_2"], key=natural_key)[0]
    'Liq_2'
    """
    parts = _DIGITS.split(path)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def read_fitsnap(paths: Iterable[Path], *, root: Path) -> tuple[StructureBatch, list[Path]]:
    """Read FitSNAP JSON files into one batch, in the order given.

    Parameters
    ----------
    paths : iterable of Path
        Files of JSON, FitSNAP's or not, as their first bytes tell.
    root : Path
        The folder that the user named: a file's group is its folder's path below this one, or this one's
        name.

    Returns
    -------
    StructureBatch
        Labels in eV, eV/Å and eV/Å³ (tension positive); ``origins`` holds ``root``, ``names`` the files'
        stems.
    list of Path
        The files that are not FitSNAP's.

    Raises
    ------
    InputError
        Where a file is not complete JSON, lacks a field, names an unknown unit or element, has counts that
        differ, a value that is not finite, or a singular cell.
    """

    @cache
    def group_in(folder: Path) -> str:
        below = folder.relative_to(root).as_posix()
        return root.resolve().name if below == "." else below

    groups: list[str] = []
    configurations: list[_Configuration] = []
    others: list[Path] = []
    for path in paths:
        text = _bytes_of(path)
        if not _is_fitsnap(text):
            others.append(path)
            continue
        found = list(_configurations(path, text))
        configurations.extend(found)
        group = path.parent.resolve().name if path == root else group_in(path.parent)
        groups.extend([group] * len(found))
    return _batch(configurations, groups, str(root)), others


def _batch(configurations: Sequence[_Configuration], groups: Sequence[str], origin: str) -> StructureBatch:
    if not configurations:
        return StructureBatch.empty()
    _check(configurations)
    return StructureBatch.from_arrays(
        positions=np.concatenate([each.positions for each in configurations]),
        cells=np.stack([each.cell for each in configurations]),
        species=np.array([number for each in configurations for number in each.species], dtype=np.int32),
        sizes=[len(each.species) for each in configurations],
        energies=np.array([np.nan if each.energy is None else each.energy for each in configurations]),
        forces=np.concatenate(
            [np.full((len(each.species), 3), np.nan) if each.forces is None else each.forces for each in configurations]
        ),
        stresses=_stresses([_NO_PRESSURE if each.pressure is None else each.pressure for each in configurations]),
        groups=groups,
        origins=[origin] * len(configurations),
        names=[each.name for each in configurations],
    )


def _stresses(pressures: Sequence[Float[np.ndarray, "3 3"]]) -> Float[np.ndarray, "structures 6"]:
    """Tension positive, in Voigt order; NaN where all nine zeros say that there is none."""
    stacked = np.stack(pressures)
    stacked[~stacked.any(axis=(1, 2))] = np.nan
    symmetric = 0.5 * (stacked + stacked.transpose(0, 2, 1))
    return -symmetric[:, *_VOIGT]


def _check(configurations: Sequence[_Configuration]) -> None:
    """Refuse numbers that are not finite and cells without volume; all are looked at together, as most have none."""
    for field, attribute in (
        ("Lattice", "cell"),
        ("Positions", "positions"),
        ("Forces", "forces"),
        ("Stress", "pressure"),
    ):
        given = [(each, rows) for each in configurations if (rows := getattr(each, attribute)) is not None]
        if given and not np.isfinite(np.concatenate([rows for _, rows in given])).all():
            owner, rows = next(each for each in given if not np.isfinite(each[1]).all())
            row = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise InputError(
                f"reading {owner.path}: {field} holds {rows[row].tolist()} at row {row + 1} (counted from 1); repeat "
                "the calculation or leave the file out"
            )
    flat = np.flatnonzero(np.abs(np.linalg.det(np.stack([each.cell for each in configurations]))) < 1e-6)
    if len(flat):
        raise InputError(
            f"reading {configurations[flat[0]].path}: the cell in Lattice is singular (volume 0); give three "
            "independent lattice vectors"
        )


def _bytes_of(path: Path) -> bytes:
    try:
        # Thousands of small files: what a buffer costs is a good part of reading one.
        with path.open("rb", buffering=0) as handle:
            return handle.readall()
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror}; check the path and its rights") from error


def _is_fitsnap(text: bytes) -> bool:
    """Whether JSON is FitSNAP's, judged by its first bytes."""
    return text.find(b'"Dataset"', 0, 4096) >= 0 or text.lstrip().startswith(b"#")


def _configurations(path: Path, text: bytes) -> Iterator[_Configuration]:
    """The configurations of one file, each checked."""
    content = _load(path, text)
    dataset = content.get("Dataset") if isinstance(content, dict) else None
    data = dataset.get("Data") if isinstance(dataset, dict) else None
    if not isinstance(dataset, dict) or not isinstance(data, list) or not data:
        raise InputError(
            f"reading {path}: found no Dataset → Data list with a configuration; give a file in FitSNAP's JSON format"
        )
    units = {style: _unit(path, dataset, style) for style in UNITS}
    for index, record in enumerate(data):
        name = path.stem if len(data) == 1 else f"{path.stem}-{index}"
        if not isinstance(record, dict):
            raise InputError(
                f"reading {path}: Data[{index}] is a {type(record).__name__}; give an object with Lattice, "
                "AtomTypes and Positions"
            )
        yield _configuration(path, name, record, units)


def _load(path: Path, text: bytes) -> Any:
    """The JSON of a file, without its comment lines."""
    comments = 0
    while text.startswith(b"#"):
        _, _, text = text.partition(b"\n")
        comments += 1
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Python's own parser takes NaN and Infinity too, and says where a file breaks off.
        return _load_slowly(path, text, comments)


def _load_slowly(path: Path, text: bytes, comments: int) -> Any:
    """JSON with NaN and Infinity, or an error that names the line; ``comments`` lines went before."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"reading {path}: not complete JSON, {error.msg.lower()} at line {error.lineno + comments}, "
            f"column {error.colno}; the file looks truncated or edited: copy it again"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"reading {path}: not a text file in JSON ({error}); give FitSNAP's JSON") from error


def _unit(path: Path, dataset: Mapping[str, Any], style: str) -> float:
    named = str(dataset.get(style, _DEFAULT_STYLE[style])).lower()
    if named not in UNITS[style]:
        raise InputError(
            f"reading {path}: {style} is {named!r}; use one of {', '.join(UNITS[style])} and convert the numbers"
        )
    return UNITS[style][named]


def _configuration(path: Path, name: str, record: Mapping[str, Any], units: Mapping[str, float]) -> _Configuration:
    for field in ("Lattice", "AtomTypes", "Positions"):
        if field not in record:
            raise InputError(f"reading {path}: the field {field} is missing; add it or leave the file out")
    species = _species(path, record["AtomTypes"])
    count = record.get("NumAtoms", len(species))
    if count != len(species):
        raise InputError(
            f"reading {path}: NumAtoms is {count} but AtomTypes has {len(species)} entries; correct the file"
        )
    pressure, forces, energy = record.get("Stress"), record.get("Forces"), record.get("Energy")
    return _Configuration(
        path=path,
        name=name,
        cell=_numbers(path, "Lattice", record["Lattice"], 3) * units["LatticeStyle"],
        species=species,
        positions=_numbers(path, "Positions", record["Positions"], count) * units["PositionsStyle"],
        energy=None if energy is None else _energy(path, energy) * units["EnergyStyle"],
        forces=None if forces is None else _numbers(path, "Forces", forces, count) * units["ForcesStyle"],
        pressure=None if pressure is None else _numbers(path, "Stress", pressure, 3) * units["StressStyle"],
    )


def _species(path: Path, types: Any) -> list[int]:
    if not isinstance(types, list) or not types:
        raise InputError(f"reading {path}: AtomTypes is empty or not a list; give one chemical symbol an atom")
    try:
        return [atomic_numbers[symbol] for symbol in types]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"reading {path}: AtomTypes holds {error}, not a chemical symbol; name each atom by its element"
        ) from error


def _energy(path: Path, value: Any) -> float:
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"reading {path}: Energy is {value}; give a finite number, or no Energy at all")
    return float(value)


def _numbers(path: Path, field: str, rows: Any, count: int) -> Float[np.ndarray, "rows 3"]:
    """``rows`` as an array (count, 3), or an error that names the field."""
    try:
        array = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"reading {path}: {field} is not {count} rows of 3 numbers ({error}); correct the file"
        ) from error
    if array.shape != (count, 3):
        unit = "atoms" if field in ("Positions", "Forces") else "rows"
        raise InputError(
            f"reading {path}: {field} has shape {array.shape} for {count} {unit}; give {count} rows of 3 numbers"
        )
    return array


# ---------------------------------------------------------------------- writing


def fitsnap_text(batch: StructureBatch, index: int) -> str:
    """One structure as the text of a FitSNAP JSON file.

    A missing energy or force is left out; a missing stress is nine zeros, as FitSNAP requires the field.
    Every number is printed so that it reads back as the same one (stresses to 15 digits, in bar).
    """
    own = slice(int(batch.offsets[index]), int(batch.offsets[index + 1]))
    record: dict[str, Any] = {
        "NumAtoms": int(batch.sizes[index]),
        "Lattice": batch.cells[index].tolist(),
        "Stress": _pressure_rows(batch.stresses[index]),
        "AtomTypes": [chemical_symbols[number] for number in batch.species[own]],
        "Positions": batch.positions[own].tolist(),
    }
    if np.isfinite(batch.energies[index]):
        record["Energy"] = float(batch.energies[index])
    if np.isfinite(batch.forces[own]).all():
        record["Forces"] = batch.forces[own].tolist()
    dataset = {
        **_DEFAULT_STYLE,
        "AtomTypeStyle": "chemicalsymbol",
        "Label": batch.names[index],
        "Data": [record],
    }
    return f"# {batch.names[index] or 'a structure'}, group {batch.groups[index] or 'none'}\n" + json.dumps(
        {"Dataset": dataset}, allow_nan=False
    )


def _pressure_rows(stress: Float[np.ndarray, "6"]) -> list[list[float]]:
    if not np.isfinite(stress).all():
        return [[0.0] * 3 for _ in range(3)]
    # 15 digits undo the rounding of the unit conversion: what was read as 8346.1 bar is written so again.
    bars = [float(f"{-value / EV_PER_CUBIC_ANGSTROM_PER_BAR:.15g}") + 0.0 for value in stress]
    xx, yy, zz, yz, xz, xy = bars
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def write_fitsnap(batch: StructureBatch, folder: Path) -> None:
    """Write a batch as ``folder/group/name.json``, one file a structure."""
    taken: set[Path] = set()
    for index, (group, name) in enumerate(zip(batch.groups, batch.names, strict=True)):
        path = _free_path(folder, group, name, index, taken)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fitsnap_text(batch, index), encoding="utf-8")


def _free_path(folder: Path, group: str, name: str, index: int, taken: set[Path]) -> Path:
    """A path below ``folder`` that no earlier structure has taken."""
    parent = folder.joinpath(*_safe_parts(group or "structures"))
    stem = "-".join(_safe_parts(name)) or f"structure-{index:06d}"
    path = parent / f"{stem}.json"
    if path in taken:
        path = parent / f"{stem}-{index:06d}.json"
    taken.add(path)
    return path


def _safe_parts(text: str) -> list[str]:
    """The parts of a slash-separated name as file names: none of them empty, hidden or a step upwards."""
    parts = (re.sub(r"[^\w.+=-]", "_", part).lstrip(".") for part in text.split("/"))
    return [part for part in parts if part]
