"""Learned potentials, and their use in ASE and LAMMPS."""

from mechlearn.potentials.ase_calculator import calculator
from mechlearn.potentials.fitting import (
    FitWeights,
    SnapFit,
    SnapRows,
    design_rows,
    fit_snap,
    snap_rows,
    solve_snap,
)
from mechlearn.potentials.lammps_files import LammpsFiles, read_snap, write_lammps
from mechlearn.potentials.lammps_run import lammps_with
from mechlearn.potentials.mliap import MliapFiles, write_mliap
from mechlearn.potentials.network import NetworkPotential, architecture, parameter_count
from mechlearn.potentials.network_fit import fit_network
from mechlearn.potentials.nve import NveProtocol, NveResult, nve_deviation
from mechlearn.potentials.snap import SnapPotential, column_count
from mechlearn.potentials.storage import load_potential, save_potential

__all__ = [
    "FitWeights",
    "LammpsFiles",
    "MliapFiles",
    "NetworkPotential",
    "NveProtocol",
    "NveResult",
    "SnapFit",
    "SnapPotential",
    "SnapRows",
    "architecture",
    "calculator",
    "column_count",
    "design_rows",
    "fit_network",
    "fit_snap",
    "lammps_with",
    "load_potential",
    "nve_deviation",
    "parameter_count",
    "read_snap",
    "save_potential",
    "snap_rows",
    "solve_snap",
    "write_lammps",
    "write_mliap",
]
