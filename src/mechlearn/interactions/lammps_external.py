"""A potential of Python's in LAMMPS, by ``fix external``: LAMMPS moves the atoms, the potential says whereto."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float, Int

from mechlearn.engines.interruption import interrupts_noted
from mechlearn.engines.lammps import Lammps
from mechlearn.errors import MechlearnError, WorkError
from mechlearn.interactions.potential import Potential
from mechlearn.interactions.smooth import SmoothPotential
from mechlearn.structures import StructureBatch

#: The name of the ``fix external`` through which the potential acts.
FIX = "potential"

#: What runs LAMMPS's commands.
_COMMANDS = ("command", "commands_list", "commands_string", "file")


@contextmanager
def acting_in_lammps(
    lmp: Lammps, potential: Potential, elements: Sequence[str], periodic: tuple[bool, bool, bool] = (True, True, True)
) -> Iterator[None]:
    """Let a potential act on the atoms that LAMMPS holds, in the place of any pair style, inside a ``with`` block.

    Forces, energy and virial reach LAMMPS at every step, so that ``pe``, ``etotal``, ``press``, fixes and minimisers
    work.  A potential with second derivatives keeps its list of neighbours from step to step.  One process only.

    Parameters
    ----------
    lmp
        An open session with a box and atoms whose ids are 1 to their number.
    potential
        In the units of the session's energies and lengths.
    elements
        LAMMPS's type ``n`` is the ``n``-th; types may change between runs.
    periodic
        Along which lattice vectors atoms repeat.

    Raises
    ------
    MechlearnError
        The error that the potential raised during a run, by the command that runs; the run stops at it.
    KeyboardInterrupt
        After Ctrl-C, by the command that runs; the run stops at its next step.

    Examples
    --------
    >>> from mechlearn.engines.lammps import lammps_session
    >>> from mechlearn.interactions import read_eam
    >>> with lammps_session() as lmp:
    ...     lmp.commands_string("units metal\\natom_modify map array\\nlattice bcc 3.165")
    ...     lmp.commands_string("region cell block 0 3 0 3 0 3\\ncreate_box 1 cell\\ncreate_atoms 1 box\\nmass 1 184")
    ...     with acting_in_lammps(lmp, read_eam("W_zhou.eam.alloy"), ["W"]):
    ...         lmp.command("run 0")
    ...         round(lmp.get_thermo("pe") / 54, 2)
    -8.76
    """
    numbers = np.array([atomic_numbers[element] for element in elements])
    with interrupts_noted() as interrupted:
        external = _External(lmp, potential, numbers, np.array([periodic]), interrupted)
        with external.connected():
            yield


def box_of(lmp: Lammps) -> Float[np.ndarray, "3 3"]:
    """The box of LAMMPS, lattice vectors as rows."""
    low, high, xy, yz, xz, _, _ = lmp.extract_box()
    return np.array([[high[0] - low[0], 0.0, 0.0], [xy, high[1] - low[1], 0.0], [xz, yz, high[2] - low[2]]])


@dataclass(eq=False)
class _External:
    """What LAMMPS calls once a step.

    ctypes swallows what a callback raises, so the first error is kept, LAMMPS is told to stop, and the error
    is raised once its command has ended.
    """

    lmp: Lammps
    potential: Potential
    numbers: Int[np.ndarray, " types"]
    periodic: np.ndarray
    interrupted: Event
    failure: Exception | None = field(default=None)
    last: Float[np.ndarray, "atoms 3"] | None = field(default=None)
    kept: Any = field(default=None)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Let LAMMPS call the potential, and its commands raise what a call could not."""
        self.lmp.commands_string(f"pair_style none\nfix {FIX} all external pf/callback 1 1")
        self.lmp.set_fix_external_callback(FIX, self._forces, None)
        for name in _COMMANDS:
            setattr(self.lmp, name, self._checked(getattr(self.lmp, name)))
        try:
            yield
        finally:
            for name in _COMMANDS:
                delattr(self.lmp, name)

    def _checked(self, command: Callable[[str], None]) -> Callable[[str], None]:
        """A method of LAMMPS's that raises what the potential raised meanwhile."""

        def checked(words: str) -> None:
            command(words)
            self._raise_failure()

        return checked

    def _raise_failure(self) -> None:
        """Raise what the potential raised, or Ctrl-C."""
        if self.interrupted.is_set():
            raise KeyboardInterrupt
        if isinstance(self.failure, MechlearnError):
            raise self.failure
        if self.failure is not None:
            raise WorkError(f"evaluating the potential in LAMMPS: {self.failure}") from self.failure

    def _forces(
        self,
        _caller: object,
        _step: int,
        _count: int,
        tag: Int[np.ndarray, " atoms"],
        x: Float[np.ndarray, "atoms 3"],
        f: Float[np.ndarray, "atoms 3"],
    ) -> None:
        """Evaluate the potential at LAMMPS's positions; the virial is −σV, in the order xx yy zz xy xz yz."""
        f[:] = 0.0
        if self.failure is not None or self.interrupted.is_set():
            self.lmp.force_timeout()
            return
        try:
            batch, order = self._structure(tag, x)
            energy, forces, stress = self._evaluated(batch)
            f[:] = forces[order]
            self.lmp.fix_external_set_energy_global(FIX, energy)
            virial = -stress * batch.volumes[0]
            self.lmp.fix_external_set_virial_global(FIX, virial[[0, 1, 2, 5, 4, 3]].tolist())
        except Exception as error:
            self.failure = error
            self.lmp.force_timeout()

    def _structure(
        self, tag: Int[np.ndarray, " atoms"], x: Float[np.ndarray, "atoms 3"]
    ) -> tuple[StructureBatch, Int[np.ndarray, " atoms"]]:
        """The atoms in the order of their ids, and the place of LAMMPS's in that order."""
        order = tag.ravel() - 1
        count = int(self.lmp.get_natoms())
        if len(order) != count:
            raise WorkError(f"{len(order)} of {count} atoms are here; run LAMMPS as one process")
        if not np.isfinite(x).all():
            raise WorkError("a position is no longer finite; the run is unstable, use a shorter timestep")
        cell = box_of(self.lmp)
        positions, species = np.empty((count, 3)), np.empty(count, dtype=np.int64)
        positions[order] = x
        species[order] = self.numbers[self.lmp.numpy.extract_atom("type")[:count] - 1]
        if self.last is not None:
            # LAMMPS puts atoms back into the box; where they go on as they went, a list of neighbours lives longer.
            jumps = np.rint((self.last - positions) @ np.linalg.inv(cell)) * self.periodic
            positions += jumps @ cell
        self.last = positions
        batch = StructureBatch.from_arrays(positions, cell[None], species, [count], periodic=self.periodic)
        return batch, order

    def _evaluated(self, batch: StructureBatch) -> tuple[float, Float[np.ndarray, "atoms 3"], Float[np.ndarray, " 6"]]:
        """Energy, forces and stress."""
        if isinstance(self.potential, SmoothPotential):
            point = self.potential.at(batch, self.kept)
            self.kept = point.kept
            return point.energy, point.forces, point.stress
        evaluation = self.potential.evaluate(batch)
        return float(evaluation.energies[0]), evaluation.forces, evaluation.stresses[0]
