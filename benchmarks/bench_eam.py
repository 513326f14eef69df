"""Embedded-atom forces beside LAMMPS, one core against one core: a glass of copper and zirconium."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"

import time
from collections.abc import Callable

import numpy as np
from ase.build import bulk
from rows import Row, compare, record

from mechlearn.engines import open_lammps, potential_file
from mechlearn.interactions import LammpsPotential, read_eam
from mechlearn.structures import StructureBatch

FILE = "CuZr_mm.eam.fs"

#: How many force calls LAMMPS makes at a time, so that what it does before the first counts little.
STEPS = 20


def glass(atoms: int) -> StructureBatch:
    """Cu64Zr36 without order: bcc sites, 15 Å³ each, shaken by 0.25 Å, elements and numbering at random."""
    rng = np.random.default_rng(0)
    image = bulk("Cu", "bcc", a=30.0 ** (1 / 3), cubic=True).repeat(round((atoms / 2) ** (1 / 3)))
    image.rattle(0.25, rng=rng)
    image.numbers = rng.permutation(np.where(np.arange(len(image)) < 0.64 * len(image), 29, 40))
    return StructureBatch.from_atoms([image[rng.permutation(len(image))]])


def steps_row(batch: StructureBatch) -> Row:
    """Energy, forces and stress with neighbours that are known already, as in a minimisation or in shear.

    LAMMPS runs at a time step so short that nothing moves, its neighbours kept, pressure and energy computed in each
    step; it sorts the atoms by place when it starts, as it always does.
    """
    potential = read_eam(FILE)
    point = potential.at(batch)
    lammps = open_lammps()
    length = batch.cells[0, 0, 0]
    lammps.commands_string(
        f"""
        units metal
        atom_modify map array
        region box prism 0 {length} 0 {length} 0 {length} 0 0 0
        create_box 2 box
        mass * 60.0
        pair_style eam/fs
        pair_coeff * * {potential_file(FILE)} Cu Zr
        neighbor 0.5 bin
        neigh_modify every 1000000 delay 0 check no
        fix move all nve
        timestep 1e-9
        thermo 1
        thermo_modify norm no
        thermo_style custom step pe pxx pyy pzz pxy pxz pyz
        """
    )
    types = np.where(batch.species == 29, 1, 2).tolist()
    lammps.create_atoms(batch.atoms, list(range(1, batch.atoms + 1)), types, batch.positions.ravel().tolist())
    lammps.command("run 0 post no")
    order = np.argsort(lammps.numpy.extract_atom("id")[: batch.atoms])
    forces = np.array(lammps.numpy.extract_atom("f")[: batch.atoms][order])

    def ours() -> None:
        for _ in range(STEPS):
            potential.at(batch, point.kept)

    row = compare(
        "eam-forces",
        "LAMMPS pair_style eam/fs",
        STEPS * batch.atoms,
        "atoms/s",
        ours,
        # "pre no": what LAMMPS sets up before a run is left out.
        lambda: lammps.command(f"run {STEPS} pre no post no"),
        f"{difference(point.forces, forces)}; {batch.atoms:,} atoms, neighbours kept",
    )
    lammps.close()
    return row


def search_row(batch: StructureBatch) -> Row:
    """The same of a structure never seen before: neighbours are searched. LAMMPS stays open, its atoms are replaced."""
    ours, theirs = read_eam(FILE), LammpsPotential.from_files(FILE)
    return compare(
        "eam-structure",
        "LAMMPS pair_style eam/fs",
        batch.atoms,
        "atoms/s",
        lambda: ours.evaluate(batch),
        lambda: theirs.evaluate(batch),
        f"{difference(ours.evaluate(batch).forces, theirs.evaluate(batch).forces)}; {batch.atoms:,} atoms, "
        "neighbours searched",
    )


def say_derivatives(batch: StructureBatch) -> None:
    """Print what second derivatives cost, in force calls: LAMMPS has none of eam to be timed beside."""
    potential = read_eam(FILE)
    kept = potential.at(batch).kept
    move = np.random.default_rng(1).normal(size=(batch.atoms, 3))
    known = potential.at(batch, kept)
    calls = {
        "H·v without a matrix": lambda: known.hessian_product(move),
        "non-affine forces of six strains": known.nonaffine_forces,
        "forces, pair derivatives and the sparse Hessian": lambda: potential.at(batch, kept).hessian(),
        "forces, stress and stiffness of every atom": lambda: potential.at(batch, kept).atomic_stiffnesses,
    }
    force = lowest(lambda: potential.at(batch, kept))
    for name, call in calls.items():
        print(f"{name}: {lowest(call) / force:.1f} force calls")


def lowest(call: Callable[[], object], rounds: int = 9) -> float:
    """The shortest of a few calls, s."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """What the table says of two sets of forces."""
    return f"largest relative difference {np.abs(ours - theirs).max() / np.abs(theirs).max():.0e}"


if __name__ == "__main__":
    record([steps_row(glass(4000)), search_row(glass(4000))])
    say_derivatives(glass(4000))
