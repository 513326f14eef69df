"""The bispectrum and linear SNAP beside LAMMPS, one core against one core."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"

import numpy as np
from ase.build import bulk
from rows import compare, record

from mechlearn.descriptors import Bispectrum
from mechlearn.engines import open_lammps
from mechlearn.interactions import LammpsPotential
from mechlearn.potentials import SnapPotential
from mechlearn.sampling import AnnealingSchedule, GenerationSettings, generate_structures
from mechlearn.structures import StructureBatch

CUTOFF = 4.73


def crystal() -> StructureBatch:
    """1,024 atoms of bcc W at 300 K or so."""
    atoms = bulk("W", a=3.18, cubic=True).repeat(8)
    atoms.rattle(0.05, rng=np.random.default_rng(0))
    return StructureBatch.from_atoms([atoms])


def bispectrum_row(batch: StructureBatch, twojmax: int):  # type: ignore[no-untyped-def]
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


def forces_row(name: str, batch: StructureBatch, peer: str):  # type: ignore[no-untyped-def]
    """Energy, forces and stress of the published W potential, neighbours included."""
    from mechlearn.engines import potential_file
    from mechlearn.potentials import read_snap

    published: SnapPotential = read_snap(potential_file("W_2940_2017_2.snapcoeff"))
    lammps = LammpsPotential.from_files("W_2940_2017_2.snapcoeff", "W_2940_2017_2.snapparam", elements=("W",))
    ours, theirs = published.evaluate(batch), lammps.evaluate(batch)
    error = np.abs(ours.forces - theirs.forces).max() / np.abs(theirs.forces).max()
    return compare(
        name,
        peer,
        batch.atoms,
        "atoms/s",
        lambda: published.evaluate(batch),
        lambda: lammps.evaluate(batch),
        f"largest relative force difference {error:.0e}",
    )


def main() -> None:
    """All rows."""
    batch = crystal()
    small = generate_structures(
        GenerationSettings(smallest=2, largest=64, annealing=AnnealingSchedule(rounds=1, steps=2)), range(64), 0
    )
    record(
        [
            *(bispectrum_row(batch, twojmax) for twojmax in (2, 4, 6, 8)),
            forces_row("snap-forces-8", batch, "LAMMPS pair_style snap"),
            forces_row("snap-batch-8", small, "LAMMPS, one call a cell"),
        ]
    )


if __name__ == "__main__":
    main()
