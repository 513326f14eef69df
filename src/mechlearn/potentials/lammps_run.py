"""LAMMPS sessions in which any potential acts: by LAMMPS's pair style, or from Python by ``fix external``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses, atomic_numbers
from ase.geometry import complete_cell
from jaxtyping import Int

from mechlearn.engines.lammps import lammps_cell, lammps_session
from mechlearn.errors import InputError, WorkError
from mechlearn.interactions import Potential
from mechlearn.interactions.checks import check_geometry, species_indices
from mechlearn.interactions.lammps import LammpsPotential, enclosing_cell
from mechlearn.interactions.lammps_external import acting_in_lammps, box_of
from mechlearn.potentials.ase_calculator import bare_batch
from mechlearn.potentials.lammps_files import pair_commands, write_lammps
from mechlearn.potentials.snap import SnapPotential

if TYPE_CHECKING:
    from lammps import lammps

#: ASE's velocities, in Å over its own unit of time, times this are in Å/ps.
_PER_PICOSECOND = 1000.0 * units.fs


@contextmanager
def lammps_with(potential: Potential, structure: Atoms, *, native: bool | None = None) -> Iterator[lammps]:
    """Open LAMMPS with a structure in which a potential acts: the way to run networks with the stock wheel.

    Units are ``metal``.  The structure is turned into LAMMPS's orientation, as
    :func:`mechlearn.engines.lammps.lammps_cell` has it; any triclinic cell will do and it may change during
    the run.  Forces, energy and virial of a Python potential reach LAMMPS by ``fix external``, so that
    ``pe``, ``etotal``, ``press``, fixes and minimisers work.  One process only.

    Parameters
    ----------
    structure
        Its velocities, where it has momenta, go along.  Atom ``i`` has the LAMMPS id ``i + 1``; types are the
        potential's elements in their order.
    native
        True: by LAMMPS's own pair style (SNAP); False: by ``fix external``; None: natively where LAMMPS can.

    Yields
    ------
    lammps.lammps
        Ready for ``fix``, ``run``, ``minimize``.

    Raises
    ------
    InputError
        An element is unknown, the cell is singular, or ``native`` is asked of what LAMMPS does not have.
    MechlearnError
        The error that the potential raised during a run, when the block is left; the run stops at it.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from mechlearn.engines.lammps import potential_file
    >>> from mechlearn.potentials.lammps_files import read_snap
    >>> potential = read_snap(potential_file("W_2940_2017_2.snap"))
    >>> with lammps_with(potential, bulk("W", cubic=True), native=False) as lmp:
    ...     lmp.command("run 0")
    ...     energy = lmp.get_thermo("pe")
    >>> round(energy, 2)
    -22.05
    """
    styled = potential if isinstance(potential, SnapPotential | LammpsPotential) else None
    if native and styled is None:
        raise InputError(f"opening LAMMPS: it has no pair style for {type(potential).__name__}; leave native out")
    batch = bare_batch(structure)
    name = type(potential).__name__
    check_geometry(batch, name)
    elements = potential.elements or batch.elements
    types = species_indices(batch, elements, name) + 1
    with lammps_session() as lmp:
        boundary = _place(lmp, structure, elements, types)
        if styled is not None and native is not False:
            _act_natively(lmp, styled)
            yield lmp
            return
        with acting_in_lammps(lmp, potential, elements, boundary):
            yield lmp


def atoms_of(lmp: lammps, structure: Atoms) -> Atoms:
    """The structure as LAMMPS has it now, in LAMMPS's orientation, atoms in their order, with velocities."""
    count = len(structure)
    now = structure.copy()
    now.calc = None
    now.set_constraint()
    now.set_cell(box_of(lmp))
    now.positions = np.array(lmp.gather_atoms("x", 1, 3), dtype=np.float64).reshape(count, 3)
    velocities = np.array(lmp.gather_atoms("v", 1, 3), dtype=np.float64).reshape(count, 3)
    now.set_velocities(velocities / _PER_PICOSECOND)
    return now


def _place(
    lmp: lammps, structure: Atoms, elements: tuple[str, ...], types: Int[np.ndarray, " atoms"]
) -> tuple[bool, bool, bool]:
    """Make the box and the atoms, turned into LAMMPS's orientation; says along which vectors they repeat."""
    cell, origin, boundary = complete_cell(structure.cell.array), np.zeros(3), (True, True, True)
    if not structure.pbc.all():
        cell, origin, boundary = enclosing_cell(cell, structure.pbc, structure.positions)
    box, rotation = lammps_cell(cell)
    lx, xy, ly, xz, yz, lz = (float(length) for length in box[np.tril_indices(3)])
    for command in (
        "units metal",
        "atom_style atomic",
        "atom_modify map array",
        "boundary " + " ".join("p" if repeats else "s" for repeats in boundary),
        "box tilt large",
        f"region cell prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r} units box",
        f"create_box {len(elements)} cell",
        *(f"mass {index} {atomic_masses[atomic_numbers[name]]}" for index, name in enumerate(elements, start=1)),
    ):
        lmp.command(command)
    count = len(structure)
    positions = (structure.positions - origin) @ rotation
    velocities = structure.get_velocities() * _PER_PICOSECOND @ rotation
    made = lmp.create_atoms(
        count,
        list(range(1, count + 1)),
        types.tolist(),
        positions.ravel().tolist(),
        velocities.ravel().tolist(),
    )
    if made != count:
        raise WorkError(f"opening LAMMPS: it took {made} of {count} atoms; check the positions")
    return boundary


def _act_natively(lmp: lammps, potential: SnapPotential | LammpsPotential) -> None:
    """Give LAMMPS the potential's own pair style; files of coefficients are read at once."""
    if isinstance(potential, LammpsPotential):
        coefficients = [f"pair_coeff {arguments}" for arguments in potential.pair_coeff]
        lmp.commands_list([*potential.preamble, f"pair_style {potential.pair_style}", *coefficients])
        return
    with tempfile.TemporaryDirectory() as folder:
        files = write_lammps(potential, folder, "potential")
        lmp.commands_list(pair_commands(potential, f'"{files.coefficients}"', f'"{files.parameters}"'))
