"""Athermal quasi-static shear beside a plain LAMMPS loop, one core against one core: 1,000 atoms of Cu64Zr36."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from rows import Row, compare, record

from mechlearn.engines import open_lammps, potential_file
from mechlearn.engines.lammps import Lammps
from mechlearn.glasses.loading.quasistatic_shear import SENSES, ShearPath, ShearSettings, shear
from mechlearn.glasses.rest.minimisation import MinimisationSettings, minimise
from mechlearn.interactions import EamPotential, read_eam
from mechlearn.structures import StructureBatch
from mechlearn.units import GPA_PER_EV_PER_CUBIC_ANGSTROM

FILE = "CuZr_mm.eam.fs"
ATOMS, ZIRCONIUM = 1000, 360

#: Of the six the one with the earliest event: LAMMPS has to get there too.
SENSE = "-xz"

#: The strain of a step, the steps of a timed call, and the largest force, eV/Å.
STEP, STEPS, LARGEST_FORCE = 1e-4, 20, 1e-6

SETUP = """
units metal
atom_modify map array
region box prism 0 {length!r} 0 {length!r} 0 {length!r} 0 0 0
create_box 2 box
mass 1 63.546
mass 2 91.224
pair_style eam/fs
pair_coeff * * {file} Cu Zr
neighbor 0.5 bin
thermo_modify norm no
thermo_style custom step pe press pxy pxz pyz lx
"""

#: From a liquid to 300 K within 40 ps: a poor glass, and quickly made.
QUENCH = """
create_atoms 1 random {copper} 11 NULL overlap 1.6 maxtry 5000
create_atoms 2 random {zirconium} 12 NULL overlap 1.6 maxtry 5000
minimize 0 1e-2 200 1000
velocity all create 2000 13
timestep 0.002
fix 1 all npt temp 2000 2000 0.2 iso 0 0 2
run 4000
unfix 1
fix 1 all npt temp 2000 300 0.2 iso 0 0 2
run 20000
unfix 1
fix 1 all box/relax iso 0.0
minimize 0 1e-4 2000 10000
unfix 1
"""


def glass(potential: EamPotential) -> StructureBatch:
    """A glass at rest, at zero pressure, in a cube."""
    lammps = opened(float((17.2 * ATOMS) ** (1 / 3)))
    lammps.commands_string(QUENCH.format(copper=ATOMS - ZIRCONIUM, zirconium=ZIRCONIUM))
    order = np.argsort(lammps.numpy.extract_atom("id")[:ATOMS])
    positions = np.array(lammps.numpy.extract_atom("x")[:ATOMS][order]) - np.array(lammps.extract_box()[0])
    species = np.where(lammps.numpy.extract_atom("type")[:ATOMS][order] == 1, 29, 40)
    cell = lammps.get_thermo("lx") * np.eye(3)
    lammps.close()
    structure = StructureBatch.from_arrays(positions, cell[None], species, [ATOMS])
    return minimise(potential, structure, MinimisationSettings(largest_force=1e-8)).point.structure


def opened(length: float) -> Lammps:
    """LAMMPS with an empty cube."""
    lammps = open_lammps()
    lammps.commands_string(SETUP.format(length=length, file=potential_file(FILE)))
    return lammps


class LammpsLoop:
    """``change_box … remap`` and ``minimize 0 1e-6``, again and again from the same start.

    The force is LAMMPS's norm of all components by default; ``largest`` makes it the largest, which is soon reached.
    """

    def __init__(self, start: StructureBatch, *, largest: bool) -> None:
        self.length = float(start.cells[0, 0, 0])
        self.lammps = opened(self.length)
        inside = start.positions - np.floor(start.positions / self.length) * self.length
        self.start = (inside.ravel().tolist(), np.where(start.species == 29, 1, 2).tolist())
        self.lammps.create_atoms(ATOMS, list(range(1, ATOMS + 1)), self.start[1], self.start[0])
        self.lammps.command(f"min_modify norm {'inf' if largest else 'two'}")

    def stresses(self, steps: int) -> np.ndarray:
        """σ : L at the start and at every step, GPa."""
        lammps, tilt, sign = self.lammps, SENSE[-2:], -1.0 if SENSE.startswith("-") else 1.0
        lammps.command("delete_atoms group all compress yes")
        lammps.command(f"change_box all {tilt} final 0 units box")
        lammps.create_atoms(ATOMS, list(range(1, ATOMS + 1)), self.start[1], self.start[0])
        stresses = []
        for step in range(steps + 1):
            if step:
                lammps.command(f"change_box all {tilt} delta {sign * STEP * self.length!r} remap units box")
            lammps.command(f"minimize 0 {LARGEST_FORCE} 10000 100000")
            stresses.append(-1e-4 * sign * lammps.get_thermo(f"p{tilt}"))
        return np.array(stresses)


def step_row(potential: EamPotential, start: StructureBatch) -> Row:
    """A few steps from the start, minimised first by both to no effect."""
    loop = LammpsLoop(start, largest=True)
    settings = ShearSettings(
        step=STEP, final_strain=STEPS * STEP, minimisation=MinimisationSettings(largest_force=LARGEST_FORCE)
    )
    row = compare(
        "aqs-step",
        "LAMMPS change_box, minimize",
        STEPS,
        "steps/s",
        lambda: shear(potential, start, SENSES[SENSE], settings),
        lambda: loop.stresses(STEPS),
        f"{agreement(potential, start)}; {ATOMS:,} atoms, largest force {LARGEST_FORCE:.0e} eV/Å",
        rounds=5,
    )
    loop.lammps.close()
    return row


def agreement(potential: EamPotential, start: StructureBatch) -> str:
    """What the table says of the two curves to the first event and a step beyond."""
    minimisation = MinimisationSettings(largest_force=LARGEST_FORCE)
    path = shear(potential, start, SENSES[SENSE], ShearSettings(step=STEP, minimisation=minimisation))
    before = len(path.steps) - 1
    # The step in which the event lies, gone on to the grid.
    rest = ShearSettings(step=STEP, final_strain=before * STEP, stop_at_event=False, minimisation=minimisation)
    beyond = shear(potential, path.state, SENSES[SENSE], rest)
    say_effort(path)
    loop = LammpsLoop(start, largest=False)
    theirs = loop.stresses(before)
    loop.lammps.close()
    ours = np.array([*path.loading_stresses[:-1], beyond.loading_stresses[-1]]) * GPA_PER_EV_PER_CUBIC_ANGSTROM
    differences = np.abs(ours - theirs)
    return (
        f"stresses within {differences[:-1].max():.0e} GPa over {before - 1} steps to the event at "
        f"{path.events[-1].strain:.5f}, {differences[-1]:.0e} GPa after it"
    )


def say_effort(path: ShearPath) -> None:
    """Print what an elastic step costs, and the whole path."""
    evaluations = np.median([step.effort.evaluations for step in path.steps[1:]])
    products = np.median([step.effort.products for step in path.steps[1:]])
    largest = max(step.largest_force for step in path.steps)
    print(f"a step: {evaluations:.0f} force calls, {products:.0f} products with the Hessian (medians)")
    print(f"{len(path.steps) - 1} steps: {path.effort}, largest force {largest:.1e} eV/Å, ended by {path.ended}")


if __name__ == "__main__":
    eam = read_eam(FILE)
    record([step_row(eam, glass(eam))])
