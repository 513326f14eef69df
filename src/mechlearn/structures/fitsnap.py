"""FitSNAP's JSON: one configuration a file, one folder a group.

A file is an optional ``#`` comment line and an object Dataset → Data → one object with NumAtoms, Lattice,
Energy, Stress, AtomTypes, Positions and Forces.  Rows of ``Lattice`` are the lattice vectors.  Its stress is
a pressure, positive in compression, in the unit that ``StressStyle`` names; ours is its negative in eV/Å³.
A stress that is zero in all nine places is how these files say "no label", so it is read as NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
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


@dataclass(frozen=True, eq=False)
class _Configuration:
    """One configuration as it stands in a file, in our units."""

    name: str
    cell: Float[np.ndarray, "3 3"]
    species: list[int]
    positions: Float[np.ndarray, "atoms 3"]
    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "6"]


# ---------------------------------------------------------------------- reading


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """A sorting key that puts ``Liq_2`` before ``Liq_10``.

    Examples
    --------
    >>> sorted([Path("Liq_10"), Path("Liq_2")], key=natural_key)[0].name
    'Liq_2'
    """
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def read_fitsnap(paths: Sequence[Path], *, root: Path) -> StructureBatch:
    """Read FitSNAP JSON files into one batch, in the order given.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    root : Path
        The folder that the user named: a file's group is its folder's path below this one, or this one's
        name.

    Returns
    -------
    StructureBatch
        Labels in eV, eV/Å and eV/Å³ (tension positive); ``origins`` holds ``root``, ``names`` the files'
        stems.

    Raises
    ------
    InputError
        Where a file is not complete JSON, lacks a field, names an unknown unit or element, has counts that
        differ, a value that is not finite, or a singular cell.
    """
    groups: list[str] = []
    configurations: list[_Configuration] = []
    for path in paths:
        found = list(_configurations(path))
        configurations.extend(found)
        groups.extend([_group_of(path, root)] * len(found))
    if not configurations:
        return StructureBatch.empty()
    return StructureBatch.from_arrays(
        positions=np.concatenate([each.positions for each in configurations]),
        cells=np.stack([each.cell for each in configurations]),
        species=np.concatenate([np.array(each.species, dtype=np.int32) for each in configurations]),
        sizes=[len(each.species) for each in configurations],
        energies=np.array([each.energy for each in configurations]),
        forces=np.concatenate([each.forces for each in configurations]),
        stresses=np.stack([each.stress for each in configurations]),
        groups=groups,
        origins=[str(root)] * len(configurations),
        names=[each.name for each in configurations],
    )


def is_fitsnap(path: Path) -> bool:
    """Whether a JSON file is FitSNAP's, judged by its first bytes."""
    with path.open("rb") as handle:
        head = handle.read(4096)
    return b'"Dataset"' in head or head.lstrip().startswith(b"#")


def _group_of(path: Path, root: Path) -> str:
    if path == root:
        return path.parent.resolve().name
    below = path.parent.relative_to(root).as_posix()
    return root.resolve().name if below == "." else below


def _configurations(path: Path) -> Iterator[_Configuration]:
    """The configurations of one file, each checked."""
    content = _load(path)
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


def _load(path: Path) -> Any:
    """The JSON of a file, without its comment lines."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"reading {path}: {error.strerror}; check the path and its rights") from error
    comments = 0
    while text.startswith(b"#"):
        _, _, text = text.partition(b"\n")
        comments += 1
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
    cell = _numbers(path, "Lattice", record["Lattice"], 3) * units["LatticeStyle"]
    if abs(np.linalg.det(cell)) < 1e-6:
        raise InputError(
            f"reading {path}: the cell in Lattice is singular (volume 0); give three independent lattice vectors"
        )
    stress = np.full(6, np.nan)
    if record.get("Stress") is not None:
        pressure = _numbers(path, "Stress", record["Stress"], 3)
        # All nine zeros is these files' way of having no stress, not a measured one.
        if pressure.any():
            stress = -units["StressStyle"] * (0.5 * (pressure + pressure.T))[_VOIGT]
    forces = np.full((len(species), 3), np.nan)
    if record.get("Forces") is not None:
        forces = _numbers(path, "Forces", record["Forces"], len(species)) * units["ForcesStyle"]
    return _Configuration(
        name=name,
        cell=cell,
        species=species,
        positions=_numbers(path, "Positions", record["Positions"], len(species)) * units["PositionsStyle"],
        energy=_energy(path, record.get("Energy")) * units["EnergyStyle"],
        forces=forces,
        stress=stress,
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
    if value is None:
        return float("nan")
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"reading {path}: Energy is {value}; give a finite number, or no Energy at all")
    return float(value)


def _numbers(path: Path, field: str, rows: Any, count: int) -> Float[np.ndarray, "rows 3"]:
    """``rows`` as an array (count, 3) of finite numbers, or an error that names the field and the atom."""
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
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(
            f"reading {path}: {field} holds {array[row].tolist()} at row {row + 1} (counted from 1); repeat "
            "the calculation or leave the file out"
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
