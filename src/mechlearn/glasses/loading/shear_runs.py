"""What athermal shear of many glasses leaves on disk: one file for each specimen and sense, opened by any tool."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Float, Int

from mechlearn.errors import InputError
from mechlearn.glasses.atom_tables import read_record, read_table, write_table
from mechlearn.glasses.loading.labels import THRESHOLD
from mechlearn.records import plain
from mechlearn.structures import StructureBatch

#: Why a path ended, as of :class:`~mechlearn.glasses.ShearPath`.
Ending = Literal["event", "final strain", "not at rest"]

_KIND: Final = "shear runs"
_NAMELESS: Final = "glass"
_LONGEST_NAME: Final = 80


def specimen_key(structure: StructureBatch) -> str:
    """What a glass is called, unlike all others: its name, and 8 digits that its atoms and its cell decide.

    The same glass in another folder keeps its key.  What is no letter, digit, point, plus, minus or underscore in a
    name becomes a minus, so that the key can be part of a file's name.

    Parameters
    ----------
    structure
        A batch of one, as the glass is given.

    Raises
    ------
    InputError
        The batch is not of one structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> specimen_key(StructureBatch.from_atoms([bulk("Cu", a=3.639)]))
    'glass-00224664'
    """
    if len(structure) != 1:
        raise InputError(f"naming a glass: {len(structure)} structures were given; give one at a time")
    digest = hashlib.sha256()
    for values, kind in (
        (structure.positions, "<f8"),
        (structure.cells, "<f8"),
        (structure.species, "<i4"),
    ):
        digest.update(np.ascontiguousarray(values, dtype=kind).tobytes())
    name = re.sub(r"[^A-Za-z0-9.+_-]+", "-", structure.names[0]).strip(".-")[:_LONGEST_NAME]
    return f"{name or _NAMELESS}-{digest.hexdigest()[:8]}"


@dataclass(frozen=True, eq=False)
class ShearRun:
    """One specimen sheared in one sense, to its first event or as far as it went.

    Attributes
    ----------
    specimen : str
        The glass as it was given (:func:`specimen_key`).
    sense : str
        What the loading is called.
    gradient : (3, 3)
        L, the velocity gradient.
    structure : StructureBatch
        At rest, before any strain.
    strain : float
        Just before the event; NaN where none came, as what follows.
    resolution : float
        How much further the structure was strained.
    stress_drop, energy_drop : float
        eV/Å³ along the loading, and eV beside the work of the strain.
    d2min : (atoms,)
        In the event, Å²; zeros where none came.
    mode_weights : (atoms,)
        Of the critical mode just before, their sum is one; zeros where none came.
    strains, loading_stresses, energies : (steps,)
        The curve, the start included: γ, σ : L in eV/Å³, eV.
    force_evaluations : int
        Structures evaluated on the way.
    largest_force : float
        The largest component of a force at any step, eV/Å.
    ended : {"event", "final strain", "not at rest"}
        Why it ended.
    threshold : float
        The D²min above which an instability counted as an event, Å².
    hessian_products : int
        Products with the Hessian on the way.
    """

    specimen: str
    sense: str
    gradient: Float[np.ndarray, "3 3"]
    structure: StructureBatch
    strain: float
    resolution: float
    stress_drop: float
    energy_drop: float
    d2min: Float[np.ndarray, " atoms"]
    mode_weights: Float[np.ndarray, " atoms"]
    strains: Float[np.ndarray, " steps"]
    loading_stresses: Float[np.ndarray, " steps"]
    energies: Float[np.ndarray, " steps"]
    force_evaluations: int
    largest_force: float
    ended: Ending
    threshold: float = THRESHOLD
    hessian_products: int = 0

    @property
    def name(self) -> str:
        """Specimen and sense."""
        return run_name(self.specimen, self.sense)

    @property
    def trigger(self) -> int:
        """The foremost atom of the critical mode; -1 where no event came."""
        return int(self.mode_weights.argmax()) if np.isfinite(self.strain) else -1

    @property
    def began_at_rest(self) -> bool:
        """Whether the glass came to rest before any strain; else nothing can be said of it."""
        return self.ended != "not at rest" or len(self.strains) > 1

    def group(self, threshold: float | None = None) -> Int[np.ndarray, " group_atoms"]:
        """The atoms whose D²min is above a threshold, Å²; by default that of the run."""
        return np.flatnonzero(self.d2min > (self.threshold if threshold is None else threshold))

    @property
    def facts(self) -> dict[str, Any]:
        """What a table says of the run, in JSON's own types; None where no event came."""
        facts = {
            "specimen": self.specimen,
            "sense": self.sense,
            "atoms": self.structure.atoms,
            "elements": self.structure.elements,
            "ended": self.ended,
            "began_at_rest": self.began_at_rest,
            "strain": self.strain,
            "resolution": self.resolution,
            "stress_drop": self.stress_drop,
            "energy_drop": self.energy_drop,
            "trigger": self.trigger,
            "threshold": self.threshold,
            "positive": len(self.group()),
            "steps": len(self.strains),
            "last_strain": self.strains[-1],
            "largest_force": self.largest_force,
            "force_evaluations": self.force_evaluations,
            "hessian_products": self.hessian_products,
        }
        return {name: plain(value) for name, value in facts.items()}


def run_name(specimen: str, sense: str) -> str:
    """What a run is called, and its file."""
    return f"{specimen}_{sense}"


# ---------------------------------------------------------------------- one file


def write_run(run: ShearRun, path: Path) -> Path:
    """Write a run as one Parquet file, whole or not at all; the same run gives the same bytes.

    The columns are ``element``, ``x``, ``y``, ``z`` (Å), ``d2min`` (Å²) and ``mode_weight``; all else is JSON under
    ``mechlearn`` in the metadata of the schema.

    Raises
    ------
    WorkError
        The file cannot be written.
    """
    structure = run.structure
    columns = {
        "element": np.array(chemical_symbols)[structure.species],
        **dict(zip("xyz", np.ascontiguousarray(structure.positions.T), strict=True)),
        "d2min": run.d2min,
        "mode_weight": run.mode_weights,
    }
    record = {
        "facts": run.facts,
        "gradient": run.gradient,
        "cell": structure.cells[0],
        "periodic": structure.periodic[0],
        "name": structure.names[0],
        "group": structure.groups[0],
        "origin": structure.origins[0],
        "seed": structure.seeds[0],
        "strains": run.strains,
        "loading_stresses": run.loading_stresses,
        "energies": run.energies,
    }
    return write_table(path, _KIND, columns, plain(record))


def read_run(path: Path) -> ShearRun:
    """Read what :func:`write_run` wrote.

    Raises
    ------
    InputError
        The file is missing, cut short or altered, or no run.
    """
    columns, record = read_table(path, _KIND)
    try:
        return _run_of(columns, record)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"reading {path}: no run of a shear ({error}); remove it and shear again") from error


def _run_of(columns: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> ShearRun:
    facts = record["facts"]
    if facts["ended"] not in get_args(Ending):
        raise ValueError(f"it ended with {facts['ended']!r}")
    structure = StructureBatch.from_arrays(
        np.stack([columns[axis] for axis in "xyz"], axis=1),
        np.array([record["cell"]]),
        np.array([atomic_numbers[element] for element in columns["element"]]),
        [len(columns["element"])],
        periodic=np.array([record["periodic"]]),
        groups=(record["group"],),
        origins=(record["origin"],),
        names=(record["name"],),
        seeds=np.array([record["seed"]]),
    )
    numbers = ("strain", "resolution", "stress_drop", "energy_drop", "largest_force", "threshold")
    return ShearRun(
        specimen=facts["specimen"],
        sense=facts["sense"],
        gradient=np.array(record["gradient"], dtype=np.float64),
        structure=structure,
        d2min=columns["d2min"],
        mode_weights=columns["mode_weight"],
        strains=np.array(record["strains"], dtype=np.float64),
        loading_stresses=np.array(record["loading_stresses"], dtype=np.float64),
        energies=np.array(record["energies"], dtype=np.float64),
        force_evaluations=facts["force_evaluations"],
        hessian_products=facts["hessian_products"],
        ended=facts["ended"],
        **{name: np.nan if facts[name] is None else float(facts[name]) for name in numbers},
    )


# ---------------------------------------------------------------------- a folder of them


@dataclass(frozen=True)
class ShearRuns:
    """A folder of runs, read one at a time.

    Attributes
    ----------
    path : Path
        The folder; a run is ``SPECIMEN_SENSE.parquet`` there.
    names : tuple of str
        The runs, in the order of their specimens and senses.
    """

    path: Path
    names: tuple[str, ...]

    @classmethod
    def create(cls, path: Path | str, names: Sequence[str]) -> ShearRuns:
        """These runs of a folder, made if need be; whether they are there shows on reading."""
        Path(path).mkdir(parents=True, exist_ok=True)
        return cls(Path(path), tuple(names))

    @classmethod
    def open(cls, path: Path | str) -> ShearRuns:
        """All runs of a folder.

        Raises
        ------
        InputError
            There is no such folder, or no run in it.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"opening the runs {path}: no such folder; check the path")
        names = tuple(sorted(entry.stem for entry in path.glob("*.parquet") if not entry.name.startswith(".")))
        if not names:
            raise InputError(f"opening the runs {path}: it holds none; give the folder that glasses were sheared into")
        return cls(path, names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ShearRuns(self.path, self.names[index])
        return read_run(self.file(self.names[index]))

    def __iter__(self) -> Iterator[ShearRun]:
        return (read_run(self.file(name)) for name in self.names)

    def file(self, name: str) -> Path:
        """Where the run of that name is."""
        return self.path / f"{name}.parquet"

    def load(self) -> list[ShearRun]:
        """All runs at once.

        Raises
        ------
        InputError
            A file is missing, cut short or altered.
        """
        return list(self)

    def facts(self) -> list[dict[str, Any]]:
        """What is known of every run but its atoms and its curve (:attr:`ShearRun.facts`); quick to read."""
        return [dict(read_record(self.file(name), _KIND)["facts"]) for name in self.names]

    def of_specimens(self) -> dict[str, tuple[str, ...]]:
        """The names of the runs of each specimen."""
        found: dict[str, list[str]] = {}
        for name, facts in zip(self.names, self.facts(), strict=True):
            found.setdefault(facts["specimen"], []).append(name)
        return {specimen: tuple(names) for specimen, names in found.items()}
