"""Learned potentials, and their use in ASE and LAMMPS."""

from mechlearn.potentials.calculator import calculator
from mechlearn.potentials.lammps_files import LammpsFiles, read_snap, write_lammps
from mechlearn.potentials.lammps_run import lammps_with
from mechlearn.potentials.mliap import MliapFiles, write_mliap
from mechlearn.potentials.nve import NveProtocol, NveResult, nve_deviation

__all__ = [
    "LammpsFiles",
    "MliapFiles",
    "NveProtocol",
    "NveResult",
    "calculator",
    "lammps_with",
    "nve_deviation",
    "read_snap",
    "write_lammps",
    "write_mliap",
]
