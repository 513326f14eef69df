"""Any potential of LAMMPS, evaluated for whole batches in one LAMMPS process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from jaxtyping import Bool, Float, Int

from mechlearn.engines.lammps import Lammps, lammps_cell, lammps_errors, open_lammps
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions.checks import check_geometry, species_indices, structure_name
from mechlearn.interactions.lammps_files import read_interaction
from mechlearn.interactions.potential import Evaluation
from mechlearn.structures import StructureBatch

_MARGIN = 1.0

# Every box starts triclinic, so that any later one may be. No skin: each list of neighbours is used once.
_SETUP = """
units metal
atom_style atomic
atom_modify map array sort 0 0.0
boundary p p p
box tilt large
region box prism 0 1 0 1 0 1 0 0 0
create_box {types} box
{masses}
neighbor 0.0 bin
neigh_modify one 20000 page 200000
"""
_OUTPUT = """
compute atomic_energy all pe/atom
thermo 1
thermo_modify norm no
thermo_style custom step pe pxx pyy pzz pxy pxz pyz
"""


@dataclass(frozen=True)
class LammpsPotential:
    """A potential that LAMMPS computes, in units of eV and Å (``units metal``).

    The cell is turned into LAMMPS's frame and the results are turned back, so that any cell will do: tiny,
    sheared, left-handed, periodic along some directions only. LAMMPS stays open between evaluations and
    reads the potential's files once; use an object from one thread at a time.

    Attributes
    ----------
    pair_style : str
        What follows LAMMPS's ``pair_style``.
    pair_coeff : tuple of str
        What follows each ``pair_coeff``; LAMMPS's type ``n`` is the ``n``-th element. File names are
        absolute.
    elements : tuple of str
        Chemical symbols in the order of LAMMPS's types.
    preamble : tuple of str
        Commands that come before ``pair_style``, such as definitions of variables.
    name : str
        How messages call it.

    Examples
    --------
    >>> from ase.build import bulk
    >>> potential = LammpsPotential.from_files("W_zhou.eam.alloy", elements=("W",))
    >>> evaluation = potential.evaluate(StructureBatch.from_atoms([bulk("W", a=3.1652)]))
    >>> round(float(evaluation.energies[0]), 3)
    -8.76
    """

    pair_style: str
    pair_coeff: tuple[str, ...]
    elements: tuple[str, ...]
    preamble: tuple[str, ...] = ()
    name: str = "LAMMPS"
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = [element for element in self.elements if element not in atomic_numbers]
        if unknown or not self.elements:
            raise InputError(f"potential {self.name}: elements {self.elements} are not chemical symbols such as 'W'")

    @classmethod
    def from_files(cls, *files: str | Path, elements: Sequence[str] = ()) -> LammpsPotential:
        """Make a potential of published files: EAM (``.eam``, ``.eam.alloy``, ``.eam.fs``) or SNAP.

        Parameters
        ----------
        files
            Paths, or names of files that come with LAMMPS. For SNAP either the ``.snap`` file of commands
            (which may add ZBL) or the ``.snapcoeff`` file with its ``.snapparam``.
        elements
            The elements wanted, in the order of LAMMPS's types; by default all that the file knows.

        Raises
        ------
        InputError
            A file is missing, is of another kind, or does not know an element.
        """
        interaction = read_interaction(files, tuple(elements))
        return cls(
            pair_style=interaction.pair_style,
            pair_coeff=interaction.pair_coeff,
            elements=interaction.elements,
            preamble=interaction.preamble,
            name=Path(files[0]).name,
        )

    def evaluate(self, batch: StructureBatch) -> Evaluation:
        """Energies, forces, stresses and atomic energies of every structure.

        Raises
        ------
        InputError
            A structure holds an element that the potential does not know, a position that is not a number,
            or a cell without volume; or LAMMPS does not accept the potential.
        WorkError
            LAMMPS fails on a structure.
        """
        check_geometry(batch, self.name)
        types = species_indices(batch, self.elements, self.name) + 1
        energies, stresses = np.empty(len(batch)), np.empty((len(batch), 6))
        forces, atomic_energies = np.empty((batch.atoms, 3)), np.empty(batch.atoms)
        with self._lock:
            for index in range(len(batch)):
                own = slice(batch.offsets[index], batch.offsets[index + 1])
                try:
                    energies[index], forces[own], stresses[index], atomic_energies[own] = self._engine.evaluate(
                        batch.positions[own],
                        batch.cells[index],
                        types[own],
                        batch.periodic[index],
                        structure_name(batch, index),
                    )
                except BaseException:
                    # After an error LAMMPS may be half set up: the next evaluation opens it anew.
                    self.__dict__.pop("_engine", None)
                    raise
        return Evaluation(energies=energies, forces=forces, stresses=stresses, atomic_energies=atomic_energies)

    @cached_property
    def _engine(self) -> _Engine:
        return _Engine(self)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_engine", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        object.__setattr__(self, "_lock", threading.Lock())


class _Engine:
    """One open LAMMPS with one potential, whose box and atoms are replaced for each structure."""

    def __init__(self, potential: LammpsPotential) -> None:
        self._name = potential.name
        self._session: Lammps = open_lammps()
        self._boundary = (True, True, True)
        masses = "\n".join(
            f"mass {kind} {atomic_masses[atomic_numbers[element]]:.8g}"
            for kind, element in enumerate(potential.elements, start=1)
        )
        pairs = "\n".join(f"pair_coeff {arguments}" for arguments in potential.pair_coeff)
        with lammps_errors(f"setting up potential {potential.name}", InputError):
            self._session.commands_string(_SETUP.format(types=len(potential.elements), masses=masses))
            self._session.commands_string("\n".join(potential.preamble))
            self._session.commands_string(f"pair_style {potential.pair_style}\n{pairs}")
            self._session.commands_string(_OUTPUT)
        # LAMMPS's own constant, whatever its last digits, turns its pressures back into its virials.
        self._pressure_unit = float(self._session.extract_global("nktv2p"))

    def evaluate(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        cell: Float[np.ndarray, "3 3"],
        types: Int[np.ndarray, " atoms"],
        periodic: Bool[np.ndarray, " 3"],
        name: str,
    ) -> tuple[float, Float[np.ndarray, "atoms 3"], Float[np.ndarray, " 6"], Float[np.ndarray, " atoms"]]:
        """Energy, forces, stress and atomic energies of one structure."""
        doing = f"evaluating {name} with {self._name}"
        vectors, origin, boundary = (
            (cell, np.zeros(3), (True, True, True)) if np.all(periodic) else enclosing_cell(cell, periodic, positions)
        )
        box, rotation = lammps_cell(vectors)
        placed = _wrapped((positions - origin) @ rotation, box, boundary)
        with lammps_errors(doing):
            self._replace_atoms(placed, box, types, boundary, doing)
            self._session.command("run 0 post no")
            # ``last_thermo`` goes by the time step, and would give the numbers of the first structure.
            energy = self._session.numpy.extract_compute("thermo_pe", 0, 0)
            pressure = self._session.numpy.extract_compute("thermo_press", 0, 1) / self._pressure_unit
        order = np.argsort(self._array("id")[: len(types)])
        forces = self._array("f")[order] @ rotation.T
        energies = self._session.numpy.extract_compute("atomic_energy", 1, 1)[order]
        true_volume = abs(np.linalg.det(cell))
        with np.errstate(divide="ignore", invalid="ignore"):
            stress = -pressure * (np.prod(np.diagonal(box)) / true_volume)
        return float(energy), forces, _turned_back(stress, rotation), energies

    def _replace_atoms(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        box: Float[np.ndarray, "3 3"],
        types: Int[np.ndarray, " atoms"],
        boundary: tuple[bool, bool, bool],
        doing: str,
    ) -> None:
        """Empty LAMMPS's box, give it its new shape and fill it."""
        self._session.command("delete_atoms group all")
        if boundary != self._boundary:
            # A direction may only stop being periodic while nothing is tilted along it.
            self._session.reset_box([0.0] * 3, [1.0] * 3, 0.0, 0.0, 0.0)
            letters = " ".join("p" if repeats else "f" for repeats in boundary)
            self._session.command(f"change_box all boundary {letters}")
            self._boundary = boundary
        self._session.reset_box([0.0] * 3, np.diagonal(box).tolist(), box[1, 0], box[2, 1], box[2, 0])
        count = len(types)
        created = self._session.create_atoms(
            count, list(range(1, count + 1)), types.tolist(), positions.ravel().tolist()
        )
        if created != count:
            raise WorkError(f"{doing}: LAMMPS took {created} of {count} atoms")

    def _array(self, name: str) -> np.ndarray:
        return np.asarray(self._session.numpy.extract_atom(name))


def enclosing_cell(
    cell: Float[np.ndarray, "3 3"], periodic: Bool[np.ndarray, " 3"], positions: Float[np.ndarray, "atoms 3"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"], tuple[bool, bool, bool]]:
    """Replace the vectors along which nothing repeats by perpendicular ones that hold all atoms.

    Returns
    -------
    cell : (3, 3)
        The periodic vectors first, then orthogonal ones, rows, Å.
    origin : (3,)
        Where the cell starts, Å.
    periodic : three booleans
        For the vectors of the new cell.
    """
    repeating = cell[periodic]
    count = len(repeating)
    # The rows of the full right factor beyond the rank span what is perpendicular to the periodic vectors.
    normals = np.linalg.svd(repeating, full_matrices=True)[2][count:] if count else np.eye(3)
    if np.linalg.det(np.concatenate([repeating, normals])) < 0.0:
        # Left-handed, it would be turned round after the atoms were fitted in.
        normals = np.concatenate([normals[:-1], -normals[-1:]])
    along = positions @ normals.T
    lowest, highest = along.min(axis=0) - _MARGIN, along.max(axis=0) + _MARGIN
    vectors = np.concatenate([repeating, (highest - lowest)[:, None] * normals])
    boundary = (count > 0, count > 1, count > 2)
    return vectors, lowest @ normals, boundary


def _wrapped(
    positions: Float[np.ndarray, "atoms 3"], box: Float[np.ndarray, "3 3"], boundary: tuple[bool, bool, bool]
) -> Float[np.ndarray, "atoms 3"]:
    """The images of the positions inside the box, along the directions that repeat."""
    fractions = np.linalg.solve(box.T, positions.T).T
    shifts = np.where(boundary, np.floor(fractions), 0.0)
    # Taking whole vectors away, not building positions anew, keeps the rounding error at its smallest.
    return positions - shifts @ box


def _turned_back(stress: Float[np.ndarray, " 6"], rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    """R σ Rᵀ in the order xx, yy, zz, yz, xz, xy; LAMMPS's order is xx, yy, zz, xy, xz, yz."""
    xx, yy, zz, xy, xz, yz = stress
    tensor = rotation @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation.T
    return tensor[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
