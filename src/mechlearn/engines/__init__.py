"""What does the work: LAMMPS as a library, and the processes that tasks run in."""

from mechlearn.engines.execution import run_campaign
from mechlearn.engines.executors import SerialExecutor, executor
from mechlearn.engines.interruption import interrupts_noted
from mechlearn.engines.lammps import lammps_cell, lammps_errors, lammps_session, open_lammps, potential_file

__all__ = [
    "SerialExecutor",
    "executor",
    "interrupts_noted",
    "lammps_cell",
    "lammps_errors",
    "lammps_session",
    "open_lammps",
    "potential_file",
    "run_campaign",
]
