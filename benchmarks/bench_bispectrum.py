"""The bispectrum and linear SNAP beside LAMMPS, one core against one core."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"

import subprocess
import sys
import tempfile

import numpy as np
from ase.build import bulk
from limits import force_flops, peak_gflops, value_flops
from rows import Row, compare, record

from mechlearn.descriptors import Bispectrum
from mechlearn.engines import lammps_cell, open_lammps, potential_file
from mechlearn.interactions import LammpsPotential
from mechlearn.potentials import SnapPotential, read_snap
from mechlearn.sampling import AnnealingSchedule, GenerationSettings, generate_structures
from mechlearn.structures import StructureBatch
from mechlearn.structures.neighbours import neighbour_pairs

CUTOFF = 4.73


def crystal() -> StructureBatch:
    """1,024 atoms of bcc W at 300 K or so."""
    atoms = bulk("W", a=3.18, cubic=True).repeat(8)
    atoms.rattle(0.05, rng=np.random.default_rng(0))
    return StructureBatch.from_atoms([atoms])


def bispectrum_row(batch: StructureBatch, twojmax: int) -> Row:
    """All descriptors of the crystal, neighbours included, against ``compute sna/atom``."""
    descriptor = Bispectrum(twojmax=twojmax, cutoff=CUTOFF)
    cell = batch.cells[0]
    lammps = open_lammps()
    lammps.commands_string(
        f"""
        units metal
        atom_modify map array sort 0 0.0
        region box prism 0 {cell[0, 0]} 0 {cell[1, 1]} 0 {cell[2, 2]} 0 0 0
        create_box 1 box
        mass * 183.84
        pair_style zero 4.8
        pair_coeff * *
        compute b all sna/atom {CUTOFF} 0.99363 {twojmax} 0.5 1.0 rmin0 0.0 bzeroflag 1
        dump keep all custom 1 /dev/null c_b[1]
        thermo 1000000
        """
    )
    lammps.create_atoms(
        batch.atoms, list(range(1, batch.atoms + 1)), [1] * batch.atoms, batch.positions.ravel().tolist()
    )
    lammps.command("run 0 post no")
    order = lammps.numpy.extract_atom("id")[: batch.atoms] - 1
    theirs = np.empty((batch.atoms, descriptor.features))
    theirs[order] = lammps.numpy.extract_compute("b", 1, 2)[: batch.atoms]
    error = np.abs(descriptor.compute(batch) - theirs).max() / np.abs(theirs).max()
    row = compare(
        f"bispectrum-{twojmax}",
        "LAMMPS sna/atom",
        batch.atoms,
        "atoms/s",
        lambda: descriptor.compute(batch),
        # A second "run 0" would find the descriptors of this step computed already, and do nothing.
        lambda: lammps.command("run 1 post no"),
        f"largest relative difference {error:.0e}",
    )
    lammps.close()
    return row


def published() -> SnapPotential:
    """The W potential of Wood & Thompson (2017), 2J = 8."""
    return read_snap(potential_file("W_2940_2017_2.snapcoeff"))


def forces_row(batch: StructureBatch) -> Row:
    """Energy, forces and stress of a crystal, neighbours included; LAMMPS stays open, with the atoms in place."""
    ours = published()
    theirs = LammpsPotential.from_files("W_2940_2017_2.snapcoeff", "W_2940_2017_2.snapparam", elements=("W",))
    return compare(
        "snap-forces-8",
        "LAMMPS pair_style snap",
        batch.atoms,
        "atoms/s",
        lambda: ours.evaluate(batch),
        lambda: theirs.evaluate(batch),
        force_difference(ours.evaluate(batch).forces, theirs.evaluate(batch).forces),
    )


def batch_row(batch: StructureBatch) -> Row:
    """The same of many small cells, for which LAMMPS gets one input script each, in one process that stays open."""
    ours = published()
    kept = LammpsPotential.from_files("W_2940_2017_2.snapcoeff", "W_2940_2017_2.snapparam", elements=("W",))
    lammps = open_lammps()
    theirs = scripted_forces(lammps, batch)
    accuracy = force_difference(ours.evaluate(batch).forces, theirs)
    frugal = compare("", "", 1, "", lambda: ours.evaluate(batch), lambda: kept.evaluate(batch), "", rounds=3)
    row = compare(
        "snap-batch-8",
        "LAMMPS, one input script a cell",
        batch.atoms,
        "atoms/s",
        lambda: ours.evaluate(batch),
        lambda: scripted_forces(lammps, batch),
        f"{accuracy}; {frugal.ratio:.0f} times LAMMPS whose box and atoms alone are replaced for each cell",
        rounds=5,
    )
    lammps.close()
    return row


SCRIPT = """
clear
units metal
atom_modify map array sort 0 0.0
box tilt large
region box prism 0 {0} 0 {1} 0 {2} {3} {4} {5} units box
create_box 1 box
mass * 183.84
pair_style snap
pair_coeff * * {coefficients} {parameters} W
neighbor 0.0 bin
neigh_modify one 20000 page 200000
thermo_style custom step pe pxx pyy pzz pxy pxz pyz
"""


def scripted_forces(lammps, batch: StructureBatch):  # type: ignore[no-untyped-def]
    """Forces on all atoms, cell by cell, each from an input script of its own; energy and pressure are made too."""
    files = {
        "coefficients": potential_file("W_2940_2017_2.snapcoeff"),
        "parameters": potential_file("W_2940_2017_2.snapparam"),
    }
    forces = np.empty((batch.atoms, 3))
    for index in range(len(batch)):
        own = slice(batch.offsets[index], batch.offsets[index + 1])
        count = int(batch.sizes[index])
        box, turn = lammps_cell(batch.cells[index])
        tilts = box[1, 0], box[2, 0], box[2, 1]
        lammps.commands_string(SCRIPT.format(*(float(number) for number in (*np.diagonal(box), *tilts)), **files))
        fractions = np.linalg.solve(box.T, (batch.positions[own] @ turn).T).T
        placed = (fractions - np.floor(fractions)) @ box
        lammps.create_atoms(count, list(range(1, count + 1)), [1] * count, placed.ravel().tolist())
        lammps.command("run 0 post no")
        order = np.argsort(lammps.numpy.extract_atom("id")[:count])
        forces[own] = lammps.numpy.extract_atom("f")[:count][order] @ turn.T
    return forces


def force_difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """In words, how far forces differ."""
    return f"largest relative force difference {np.abs(ours - theirs).max() / np.abs(theirs).max():.0e}"


def say_limits(rows: list[Row], neighbours: float) -> None:
    """Print what part of the core's peak the vector units did."""
    peak = peak_gflops()
    print(f"peak of one core: {peak:.0f} Gflop/s (fused products, double precision)")
    for row in rows:
        flops = force_flops if row.name.startswith("snap") else value_flops
        work = flops(int(row.name.rsplit("-", 1)[1]), neighbours)
        print(f"{row.name:16s} {work / 1e3:5.0f} kflop an atom, {row.ours * work / 1e9 / peak:4.0%} of the peak")


FIRST_CALL = """
import time
from ase.build import bulk
from mechlearn.descriptors import Bispectrum
from mechlearn.structures import StructureBatch
batch, descriptor, start = StructureBatch.from_atoms([bulk("W")]), Bispectrum(), time.perf_counter()
descriptor.pullback(batch, descriptor.compute(batch))
print(f"{time.perf_counter() - start:.1f}")
"""


def say_first_calls() -> None:
    """Print how long the first values and forces take with nothing compiled, and in a later process."""
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (
            subprocess.run(
                [sys.executable, "-c", FIRST_CALL],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for _ in range(2)
        )
    print(f"first values and forces: {cold} s where nothing was compiled before, {warm} s in later processes")


def main() -> None:
    """All rows."""
    batch = crystal()
    small = generate_structures(
        GenerationSettings(smallest=2, largest=64).annealed(AnnealingSchedule(rounds=1, steps=2)), range(64), 0
    )
    rows = [
        *(bispectrum_row(batch, twojmax) for twojmax in (2, 4, 6, 8)),
        forces_row(batch),
        batch_row(small),
    ]
    record(rows)
    pairs = neighbour_pairs(batch, CUTOFF)
    say_limits(rows, len(pairs.second) / batch.atoms)
    say_first_calls()


if __name__ == "__main__":
    main()
