"""Monte Carlo swaps of unlike atoms beside LAMMPS's ``fix atom/swap``: a melt of 1,000 atoms of Cu64Zr36, one core."""

from __future__ import annotations

import os

os.environ["MECHLEARN_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from rows import Row, compare, record

from mechlearn.engines import potential_file
from mechlearn.engines.lammps import Lammps, lammps_session
from mechlearn.glasses.quench.swaps import Swapped, swap_unlike_atoms
from mechlearn.interactions import EamPotential, LammpsPotential, read_eam
from mechlearn.structures import StructureBatch
from mechlearn.units import BOLTZMANN

FILE, ATOMS, ZIRCONIUM = "CuZr_mm.eam.fs", 1000, 360

#: K of the melt; swaps of a timed call; melts that acceptance is compared in, each with so many swaps.
TEMPERATURE, TRIALS, MELTS = 2000.0, 5000, 8

MELT = """
units metal
atom_modify map array
region box block 0 25.8 0 25.8 0 25.8
create_box 2 box
mass 1 63.546
mass 2 91.224
pair_style eam/fs
pair_coeff * * {file} Cu Zr
create_atoms 1 random {copper} 11 NULL overlap 1.6 maxtry 5000
create_atoms 2 random {zirconium} 12 NULL overlap 1.6 maxtry 5000
minimize 0 1e-2 200 1000
velocity all create {temperature} 13
fix 1 all nvt temp {temperature} {temperature} 0.2
run 2000
unfix 1
"""


def structure_of(lammps: Lammps) -> StructureBatch:
    """The atoms as they are."""
    order = np.argsort(lammps.numpy.extract_atom("id")[:ATOMS])
    positions = np.array(lammps.numpy.extract_atom("x")[:ATOMS][order])
    species = np.where(lammps.numpy.extract_atom("type")[:ATOMS][order] == 1, 29, 40)
    return StructureBatch.from_arrays(positions, 25.8 * np.eye(3)[None], species, [ATOMS])


def swapped_by_lammps(lammps: Lammps, trials: int, seed: int) -> float:
    """The share of swaps that ``fix atom/swap`` accepts, all at the start of one step in which nothing moves."""
    lammps.command(f"fix swaps all atom/swap 1 {trials} {seed} {TEMPERATURE} ke no types 1 2")
    lammps.command("run 1 post no")
    tried, accepted = (lammps.extract_fix("swaps", 0, 1, place) for place in (0, 1))
    lammps.command("unfix swaps")
    return float(accepted / tried)


def swapped_here(potential: EamPotential, melt: StructureBatch, trials: int, seed: int) -> Swapped:
    """The same from a melt of LAMMPS."""
    return swap_unlike_atoms(potential, melt, BOLTZMANN * TEMPERATURE, trials, seed)


def accepted_shares(potential: EamPotential, lammps: Lammps) -> tuple[np.ndarray, np.ndarray]:
    """The shares accepted by us and by LAMMPS in the same melts, which move on between."""
    ours, theirs = [], []
    for seed in range(1, MELTS + 1):
        ours.append(swapped_here(potential, structure_of(lammps), TRIALS, seed).accepted / TRIALS)
        theirs.append(swapped_by_lammps(lammps, TRIALS, seed))
        lammps.commands_string(f"fix 1 all nvt temp {TEMPERATURE} {TEMPERATURE} 0.2\nrun 200 post no\nunfix 1")
    return np.array(ours), np.array(theirs)


def swap_row(potential: EamPotential) -> Row:
    """Swaps in one melt, neighbours searched once by both."""
    with lammps_session() as lammps:
        lammps.commands_string(
            MELT.format(
                file=potential_file(FILE), copper=ATOMS - ZIRCONIUM, zirconium=ZIRCONIUM, temperature=TEMPERATURE
            )
        )
        ours, theirs = accepted_shares(potential, lammps)
        melt = structure_of(lammps)
        # The same number of accepted swaps: two stages turn some down that one would let pass.
        trials = round(TRIALS * theirs.mean() / ours.mean())
        told = ", ".join(
            f"{100 * shares.mean():.2f} ± {100 * shares.std(ddof=1) / np.sqrt(MELTS):.2f}%" for shares in (ours, theirs)
        )
        return compare(
            "swaps",
            "LAMMPS fix atom/swap",
            round(TRIALS * theirs.mean()),
            "accepted swaps/s",
            lambda: swapped_here(potential, melt, trials, 1),
            lambda: swapped_by_lammps(lammps, TRIALS, 1),
            f"energies of swaps differ by {energy_difference(potential, melt):.0e} eV; "
            f"accepted at {TEMPERATURE:.0f} K: {told}; {ATOMS:,} atoms",
            rounds=3,
        )


def energy_difference(potential: EamPotential, melt: StructureBatch) -> float:
    """Between the sum over swaps and what LAMMPS's own pair style says of the melt before and after, eV."""
    swapped = swapped_here(potential, melt, TRIALS, 1)
    lammps = LammpsPotential.from_files(FILE, elements=("Cu", "Zr"))
    before, after = (lammps.evaluate(batch).energies[0] for batch in (melt, swapped.structure))
    return float(abs(after - before - swapped.energy))


if __name__ == "__main__":
    record([swap_row(read_eam(FILE))])
